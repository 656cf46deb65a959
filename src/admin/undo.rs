//! The call that takes a soft purge back, by the name that its answer told.

use axum::Extension;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Json, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::time::Instant;

use crate::admin::Admin;
use crate::admin::door::{Caller, problem};
use crate::admin::purge::{Confirm, answer, patience, wrong};
use crate::base::ids::SoftId;
use crate::engine::{purge, soft};
use crate::entry::order::Order;

/// What is asked for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// What a soft purge told as `undo`.
    #[schemars(example = "00c0ffee00c0ffee")]
    id: String,
    /// How far it must have got before the answer leaves.
    #[serde(default)]
    confirm: Confirm,
    /// How long that may take: a time such as `200ms`, at most 30s.
    #[serde(default)]
    wait: Option<String>,
}

/// `POST undo`.
pub(super) async fn undo(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    asked: Result<Json<Asked>, JsonRejection>,
) -> Response {
    let asked = match asked {
        Ok(Json(asked)) => asked,
        Err(error) => return wrong(&error.body_text()),
    };
    let Ok(id) = asked.id.parse::<SoftId>() else {
        return wrong("`id` is what a soft purge told as `undo`: sixteen hexadecimal digits");
    };
    let patience = match patience(asked.confirm, asked.wait.as_deref()) {
        Ok(patience) => patience,
        Err(why) => return wrong(why),
    };
    let Some(order) = soft::find(&admin.engine, id) else {
        let detail = "no soft purge of this name can be undone: there was none, it was undone \
                      already, an hour has passed, or too many came after it";
        return problem(StatusCode::NOT_FOUND, "not-found", detail);
    };
    if !may_undo(&admin, &caller, &order) {
        let detail = "this token may not purge all that the soft purge named";
        return problem(StatusCode::FORBIDDEN, "not-allowed", detail);
    }
    let began = Instant::now();
    let done = soft::undo(&admin.engine, order, patience).await;
    let (status, told) = answer(&admin, &caller, &done, began);
    (status, Json(told)).into_response()
}

/// Whether the caller could have given the order: each thing that it names, or what that means or
/// brings along by the rules.
fn may_undo(admin: &Admin, caller: &Caller, order: &Order) -> bool {
    let Some(token) = &caller.token else { return true };
    let own = order.selectors.iter().filter(|one| token.may_purge(one)).cloned();
    let own = purge::resolved(&admin.engine, Order::of(own));
    let then = purge::follows(&admin.engine, &own);
    let reached = purge::together(&own, then.as_ref());
    order.selectors.iter().all(|one| token.may_purge(one) || reached.selectors.contains(one))
}
