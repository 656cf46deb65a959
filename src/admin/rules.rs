//! The calls about rules: what is in force and what the files say, reading them, going back.

mod told;

use std::fmt;

use axum::Extension;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Json, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::admin::Admin;
use crate::admin::door::{Caller, problem};
use crate::admin::entries::{Pairs, Parameters, wrong};

pub(super) use told::{
    told_diff, told_history, told_list, told_reload, told_rollback, told_status, told_text,
};

/// How the last reading of the rules went.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct RulesStatus {
    /// Whether what was read last is in force.
    pub ok: bool,
    /// What changed, or what is wrong.
    pub detail: String,
    /// Every error.
    pub errors: Vec<String>,
    /// When, in milliseconds since the epoch.
    pub read_at_ms: u64,
    /// When the rules that are in force were read, in milliseconds since the epoch.
    pub in_force_at_ms: u64,
    /// How often rules were put in force.
    pub generation: u64,
}

/// A text of rules that is or was in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RulesText {
    /// Its number: the generation that it began.
    pub version: u64,
    /// Names and texts of its files.
    pub files: Vec<(String, String)>,
}

/// One text of rules in the history.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize)]
pub struct RulesVersion {
    /// Its number: the generation that it began.
    pub version: u64,
    /// When it was put in force, in milliseconds since the epoch.
    pub at_ms: u64,
    /// What it changed.
    pub detail: String,
    /// The names of its files.
    pub files: Vec<String>,
    /// Bytes of all of them.
    pub bytes: u64,
    /// Whether it is the one that is in force.
    pub in_force: bool,
}

/// What the files say beside what is in force.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize)]
pub struct RulesDiff {
    /// Whether they say the same.
    pub same: bool,
    /// What differs, line by line.
    pub diff: String,
    /// What is wrong with them, where they cannot be put in force.
    pub errors: Vec<String>,
}

/// Who reads the rules, and knows what they were.
pub trait Rules: fmt::Debug + Send + Sync {
    /// How the last reading went.
    fn status(&self) -> RulesStatus;
    /// Reads them again.
    fn reload(&self) -> RulesStatus;
    /// The text in force, or an earlier one.
    fn text(&self, version: Option<u64>) -> Option<RulesText>;
    /// The last ones, newest first.
    fn history(&self) -> Vec<RulesVersion>;
    /// The files beside what is in force.
    fn diff(&self) -> RulesDiff;
    /// Puts an earlier text in force again, until the files are read the next time. `None`: there
    /// is none of this number.
    fn roll_back(&self, version: u64) -> Option<RulesStatus>;
}

/// `GET rules`.
pub(super) async fn list(State(admin): State<Admin>) -> Json<Value> {
    let book = admin.engine.book.load_full();
    let routes: Vec<Value> = book
        .rules
        .routes
        .iter()
        .map(|route| {
            json!({
                "rule": &*route.name,
                "key": route.key_template(),
                "type": &*book.place(Some(route)).kind,
                "share": route.share.as_str(),
            })
        })
        .collect();
    Json(json!({ "rules": routes, "status": admin.rules.status() }))
}

/// `GET rules/status`.
pub(super) async fn status(State(admin): State<Admin>) -> Response {
    Json(admin.rules.status()).into_response()
}

/// `GET rules/text`.
pub(super) async fn text(State(admin): State<Admin>, pairs: Pairs) -> Response {
    let asked = match Parameters::read(pairs, &["version"], &[]) {
        Ok(asked) => asked,
        Err(refused) => return refused.into_response(),
    };
    let Ok(version) = asked.one("version").map(str::parse).transpose() else {
        return wrong("`version` is a number that `rules/history` tells").into_response();
    };
    let Some(text) = admin.rules.text(version) else {
        return match version {
            Some(version) => unknown(version),
            None => problem(StatusCode::NOT_FOUND, "no-rules", "this node has no rules"),
        };
    };
    let file = |(name, text): (String, String)| json!({ "name": name, "text": text });
    let files: Vec<Value> = text.files.into_iter().map(file).collect();
    Json(json!({ "version": text.version, "files": files })).into_response()
}

fn unknown(version: u64) -> Response {
    let detail = format!("there is no version {version} in `rules/history`, which keeps the last");
    problem(StatusCode::NOT_FOUND, "no-such-version", &detail)
}

/// `GET rules/history`.
pub(super) async fn history(State(admin): State<Admin>) -> Json<Value> {
    Json(json!({ "versions": admin.rules.history() }))
}

/// `GET rules/diff`.
pub(super) async fn diff(State(admin): State<Admin>) -> Response {
    Json(admin.rules.diff()).into_response()
}

/// `POST rules/reload`.
pub(super) async fn reload(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
) -> Response {
    // Reading files blocks; requests on this thread can wait that long, traffic is elsewhere.
    let status = admin.rules.reload();
    let outcome = if status.ok { "in force" } else { "the old rules stay" };
    admin.audit.note(&admin.engine, caller.name(), "rules reload", &status.detail, outcome);
    let code = if status.ok { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    (code, Json(status)).into_response()
}

/// What to go back to.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Back {
    /// A number that `rules/history` tells.
    #[schemars(example = 1)]
    version: u64,
}

/// `POST rules/rollback`.
pub(super) async fn roll_back(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    asked: Result<Json<Back>, JsonRejection>,
) -> Response {
    let version = match asked {
        Ok(Json(Back { version })) => version,
        Err(error) => return wrong(&error.body_text()).into_response(),
    };
    let Some(status) = admin.rules.roll_back(version) else { return unknown(version) };
    let outcome = if status.ok { "in force" } else { "what was in force stays" };
    let what = format!("version {version}");
    admin.audit.note(&admin.engine, caller.name(), "rules rollback", &what, outcome);
    if !status.ok {
        return (StatusCode::UNPROCESSABLE_ENTITY, Json(status)).into_response();
    }
    let mut told = json!(status);
    told["files"] = "as they were: they are put in force again when they change, at SIGHUP, by \
                     `rules/reload` and at the next start"
        .into();
    Json(told).into_response()
}
