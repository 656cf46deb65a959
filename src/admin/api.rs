//! The calls. Answers are JSON, errors are problem documents (RFC 9457).

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::{Json, State};
use axum::http::StatusCode;
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, any, delete, get, post};
use axum::{Router, http};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::admin::calls::{ALIASES, CALLS, Call};
use crate::admin::door::{Named, gate, known_host, problem};
use crate::admin::{
    Admin, aliases, bypass, entries, jobs, metrics, purge, rules, stats, top, warm,
};
use crate::base::{limits, names};
use crate::engine::explain::{self, Question};

/// All calls, each behind the role that it needs.
pub(super) fn router(admin: Admin, own: SocketAddr) -> Router {
    let named = Named { own, hosts: Arc::clone(&admin.hosts) };
    let mut all = Router::new();
    for call in CALLS {
        all = all.route(&call.path(), guarded(&admin, &call));
    }
    let aliases = ALIASES.iter().filter(|_| admin.aliases.is_some());
    for (call, path) in aliases.flat_map(|call| call.paths().into_iter().map(move |p| (call, p))) {
        all = all.route(&path, guarded(&admin, call));
    }
    all.fallback(nothing)
        .layer(middleware::from_fn(move |request, next| known_host(named.clone(), request, next)))
        .with_state(admin)
}

/// What answers a call, to those who may make it.
fn guarded(admin: &Admin, call: &Call) -> MethodRouter<Admin> {
    let Some(least) = call.least else { return handler(call) };
    let gate = middleware::from_fn_with_state((admin.clone(), least), gate);
    handler(call).route_layer(gate)
}

/// What answers a call.
fn handler(call: &Call) -> MethodRouter<Admin> {
    match (call.method, call.name) {
        (_, "/livez") => get(|| async { "ok\n" }),
        (_, "/readyz" | "/startupz") => get(ready),
        (_, "health") => get(health),
        (_, "stats") => get(stats::stats),
        (_, names::METRICS) => get(metrics::metrics),
        (_, "alerts") => get(alerts),
        (_, "top") => get(top::top),
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
        (_, "warm") => warm::warm(),
        (_, "verify") => post(jobs::verify),
        (_, "jobs") => get(jobs::all),
        ("GET", "jobs/{id}") => get(jobs::one),
        ("DELETE", "jobs/{id}") => delete(jobs::cancel),
        (_, "audit") => get(audit),
        (_, "tokens") => get(tokens),
        (_, name) => aliases::handler(name).unwrap_or_else(|| any(nothing)),
    }
}

async fn nothing() -> Response {
    problem(StatusCode::NOT_FOUND, "no-such-call", "no such call")
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
    Json(json!({ "changes": admin.audit.last(limits::AUDIT_KEPT_MAX) }))
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
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    method: String,
    url: String,
    #[serde(default)]
    headers: Vec<(String, String)>,
    #[serde(default)]
    body: Option<String>,
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
