//! The calls. Answers are JSON, errors are problem documents (RFC 9457).

mod told;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::{Json, State};
use axum::http::StatusCode;
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, any, delete, get, post};
use axum::{Router, http};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::admin::calls::{ALIASES, CALLS, Call};
use crate::admin::door::{Named, gate, known_host, problem};
use crate::admin::{
    Admin, aliases, bypass, entries, events, jobs, metrics, openapi, purge, rules, stats, top,
    undo, warm,
};
use crate::base::names;
use crate::engine::explain::{self, Question};

pub(super) use told::{
    told_alerts, told_audit, told_explain, told_health, told_live, told_metrics, told_ready,
    told_tokens,
};

/// All calls, each behind the role that it needs.
pub(super) fn router(admin: Admin, own: SocketAddr) -> Router {
    let named = Named { own, hosts: Arc::clone(&admin.hosts) };
    let mut all = Router::new();
    for call in CALLS {
        all = all.route(&call.path(), guarded(&admin, &call));
    }
    if admin.aliases.is_some() {
        all = with_aliases(all, &admin);
    }
    all.fallback(nothing)
        .method_not_allowed_fallback(other_method)
        .layer(middleware::from_fn(move |request, next| known_host(named.clone(), request, next)))
        .with_state(admin)
}

/// The calls of the replaced systems alone. Whoever makes one shows a token, which no page of
/// another site has, so that any Host is as good as another.
pub(super) fn aliases(admin: &Admin) -> Router {
    let all = with_aliases(Router::new(), admin).fallback(nothing);
    all.method_not_allowed_fallback(other_method).with_state(admin.clone())
}

fn with_aliases(mut all: Router<Admin>, admin: &Admin) -> Router<Admin> {
    for call in &ALIASES {
        for path in call.paths() {
            all = all.route(&path, guarded(admin, call));
        }
    }
    all
}

/// What answers a call, to those who may make it.
fn guarded(admin: &Admin, call: &Call) -> MethodRouter<Admin> {
    let gated = match call.least {
        None => handler(call),
        Some(least) => {
            let gate = middleware::from_fn_with_state((admin.clone(), *call, least), gate);
            handler(call).route_layer(gate)
        }
    };
    openapi::held(gated, call)
}

/// What answers a call.
fn handler(call: &Call) -> MethodRouter<Admin> {
    match (call.method, call.name) {
        (_, "/livez") => get(|| async { "ok\n" }),
        (_, "/readyz" | "/startupz") => get(ready),
        (_, "health") => get(health),
        (_, "openapi.json") => get(openapi::document),
        (_, "stats") => get(stats::stats),
        (_, names::METRICS) => get(metrics::metrics),
        (_, "alerts") => get(alerts),
        (_, "top") => get(top::top),
        (_, "events") => get(events::events),
        (_, "keys") => get(entries::keys),
        ("GET", "entry") => get(entries::entry),
        ("DELETE", "entry") => delete(entries::drop_entry),
        ("PUT", "entry") => entries::put(),
        ("GET", "bypass") => get(bypass::show),
        ("POST", "bypass") => post(bypass::turn),
        (_, "rules") => get(rules::list),
        (_, "rules/status") => get(rules::status),
        (_, "rules/text") => get(rules::text),
        (_, "rules/history") => get(rules::history),
        (_, "rules/diff") => get(rules::diff),
        (_, "rules/reload") => post(rules::reload),
        (_, "rules/rollback") => post(rules::roll_back),
        (_, "explain") => post(explain),
        (_, "purge") => post(purge::purge),
        (_, "undo") => post(undo::undo),
        (_, "warm") => warm::warm(),
        (_, "verify") => post(jobs::verify),
        (_, "sync") => post(jobs::sync),
        (_, "jobs") => get(jobs::all),
        ("GET", "jobs/{id}") => get(jobs::one),
        ("DELETE", "jobs/{id}") => delete(jobs::cancel),
        (_, "jobs/{id}/pause") => post(jobs::pause),
        (_, "jobs/{id}/resume") => post(jobs::resume),
        (_, "audit") => get(audit),
        (_, "tokens") => get(tokens),
        (_, name) => aliases::handler(name).unwrap_or_else(|| any(nothing)),
    }
}

async fn nothing() -> Response {
    problem(StatusCode::NOT_FOUND, "no-such-call", "no such call")
}

async fn other_method() -> Response {
    let detail = "this call has another method; `Allow` says which";
    problem(StatusCode::METHOD_NOT_ALLOWED, "other-method", detail)
}

async fn ready(State(admin): State<Admin>) -> Response {
    if admin.health.ready.load(Ordering::Acquire) {
        "ok\n".into_response()
    } else {
        problem(StatusCode::SERVICE_UNAVAILABLE, "not-ready", "starting or draining")
    }
}

async fn health(State(admin): State<Admin>) -> Json<Value> {
    let rules = admin.rules.status();
    Json(json!({
        "ready": admin.health.ready.load(Ordering::Acquire),
        "version": env!("CARGO_PKG_VERSION"),
        "rules": rules,
        "flights": admin.engine.flights.len(),
        "tasks": crate::base::tasks::running(),
    }))
}

async fn alerts(State(admin): State<Admin>) -> Json<Value> {
    Json(json!({ "alerts": admin.watchman.all() }))
}

async fn audit(State(admin): State<Admin>) -> Json<Value> {
    Json(json!({ "changes": admin.audit.last() }))
}

async fn tokens(State(admin): State<Admin>) -> Json<Value> {
    let (tokens, wrong) = admin.tokens.told();
    let tokens: Vec<Value> = tokens
        .iter()
        .map(|token| {
            let selectors: Vec<String> = token.selectors.iter().map(ToString::to_string).collect();
            json!({ "name": token.name, "role": token.role.as_str(), "selectors": selectors })
        })
        .collect();
    Json(json!({ "tokens": tokens, "error": wrong }))
}

/// A request to explain.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Asked {
    /// The method.
    #[schemars(example = &"GET")]
    method: String,
    /// The URL, or a path.
    #[schemars(example = &"/doc/1")]
    url: String,
    /// The fields of its head, each as name and value.
    #[serde(default)]
    headers: Vec<(String, String)>,
    /// Its body.
    #[serde(default)]
    body: Option<String>,
    /// The address of who asks.
    #[serde(default = "loopback")]
    from: IpAddr,
}

const fn loopback() -> IpAddr {
    explain::LOOPBACK
}

async fn explain(
    State(admin): State<Admin>,
    asked: Result<Json<Asked>, axum::extract::rejection::JsonRejection>,
) -> Response {
    let Json(asked) = match asked {
        Ok(asked) => asked,
        Err(wrong) => {
            return problem(http::StatusCode::BAD_REQUEST, "bad-request", &wrong.body_text());
        }
    };
    let question = Question {
        method: &asked.method,
        url: &asked.url,
        headers: &asked.headers,
        body: asked.body.as_deref().unwrap_or_default().as_bytes(),
        node: admin.proxy,
        from: asked.from,
    };
    match explain::explain(&admin.engine, &question, true) {
        Ok(told) => Json(told).into_response(),
        Err(wrong) => problem(http::StatusCode::BAD_REQUEST, "bad-request", &wrong.to_string()),
    }
}
