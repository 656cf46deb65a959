//! The calls. Answers are JSON, errors are problem documents (RFC 9457).

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::{Json, State};
use axum::http::StatusCode;
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router, http};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::admin::door::{Caller, Named, gate, known_host, problem};
use crate::admin::tokens::Role;
use crate::admin::{Admin, metrics, purge, stats};
use crate::base::{limits, names};
use crate::engine::explain::{self, Question};

/// All calls, each behind the role that it needs.
pub(super) fn router(admin: Admin, own: SocketAddr) -> Router {
    let root = names::ADMIN_ROOT;
    let at = |call: &str| format!("{root}/{call}");
    let behind = |least: Role, calls: Router<Admin>| {
        calls.route_layer(middleware::from_fn_with_state((admin.clone(), least), gate))
    };
    let named = Named { own, hosts: Arc::clone(&admin.hosts) };
    let open = Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/startupz", get(ready))
        .route(&at("health"), get(health));
    let reads = Router::new()
        .route(names::METRICS, get(metrics::metrics))
        .route(&at("stats"), get(stats::stats))
        .route(&at("alerts"), get(alerts))
        .route(&at("rules"), get(rules))
        .route(&at("rules/status"), get(status))
        .route(&at("explain"), post(explain));
    let purges = Router::new().route(&at("purge"), post(purge::purge));
    let operates =
        Router::new().route(&at("rules/reload"), post(reload)).route(&at("audit"), get(audit));
    let administers = Router::new().route(&at("tokens"), get(tokens));
    open.merge(behind(Role::Read, reads))
        .merge(behind(Role::Purge, purges))
        .merge(behind(Role::Operate, operates))
        .merge(behind(Role::Admin, administers))
        .fallback(|| async { problem(StatusCode::NOT_FOUND, "no-such-call", "no such call") })
        .layer(middleware::from_fn(move |request, next| known_host(named.clone(), request, next)))
        .with_state(admin)
}

async fn ready(State(admin): State<Admin>) -> Response {
    if admin.health.ready.load(Ordering::Acquire) {
        "ok\n".into_response()
    } else {
        problem(StatusCode::SERVICE_UNAVAILABLE, "not-ready", "starting or draining")
    }
}

async fn health(State(admin): State<Admin>) -> Json<Value> {
    let rules = (admin.status)();
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

async fn rules(State(admin): State<Admin>) -> Json<Value> {
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
    Json(json!({ "rules": routes, "status": (admin.status)() }))
}

async fn status(State(admin): State<Admin>) -> Response {
    Json((admin.status)()).into_response()
}

async fn reload(State(admin): State<Admin>, Extension(caller): Extension<Caller>) -> Response {
    // Reading files blocks; requests on this thread can wait that long, traffic is elsewhere.
    let status = (admin.reload)();
    let outcome = if status.ok { "in force" } else { "the old rules stay" };
    admin.audit.note(&admin.engine, caller.name(), "rules reload", &status.detail, outcome);
    let code = if status.ok { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    (code, Json(status)).into_response()
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
