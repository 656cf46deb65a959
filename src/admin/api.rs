//! The calls. Answers are JSON, errors are problem documents (RFC 9457).

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::Ordering;

use axum::extract::{Json, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Router, http};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::admin::Admin;
use crate::base::names;
use crate::engine::explain::{self, Question};

/// All calls.
pub(super) fn router(admin: Admin, own: SocketAddr) -> Router {
    let root = names::ADMIN_ROOT;
    Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/startupz", get(ready))
        .route(&format!("{root}/health"), get(health))
        .route(&format!("{root}/stats"), get(stats))
        .route(&format!("{root}/rules"), get(rules))
        .route(&format!("{root}/rules/status"), get(status))
        .route(&format!("{root}/rules/reload"), post(reload))
        .route(&format!("{root}/explain"), post(explain))
        .fallback(|| async { problem(StatusCode::NOT_FOUND, "no-such-call", "no such call") })
        .layer(middleware::from_fn(move |request, next| known_host(own, request, next)))
        .with_state(admin)
}

fn problem(status: StatusCode, code: &str, detail: &str) -> Response {
    let body = json!({
        "type": "about:blank",
        "title": status.canonical_reason().unwrap_or("error"),
        "status": status.as_u16(),
        "detail": detail,
        "code": code,
    });
    let kind = HeaderValue::from_static(names::PROBLEM_JSON);
    (status, [(header::CONTENT_TYPE, kind)], body.to_string()).into_response()
}

/// Only names that mean this listener: a page that a browser shows under another name must not get
/// through to it.
async fn known_host(own: SocketAddr, request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let named = host.unwrap_or_default();
    let by_address = named.parse::<SocketAddr>().is_ok_and(|named| {
        named.port() == own.port() && (named.ip() == own.ip() || named.ip().is_loopback())
    });
    let by_name = named.eq_ignore_ascii_case(&format!("localhost:{}", own.port()));
    let foreign_page = request.headers().contains_key(header::ORIGIN);
    if (by_address || by_name) && !foreign_page {
        return next.run(request).await;
    }
    let detail = "this Host name is not one of the admin API's; use its address";
    problem(StatusCode::MISDIRECTED_REQUEST, "unknown-host", detail)
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

async fn stats(State(admin): State<Admin>) -> Json<Value> {
    let engine = &admin.engine;
    let counts: serde_json::Map<String, Value> = engine
        .telemetry
        .counts()
        .into_iter()
        .map(|(name, count)| (name.to_ascii_lowercase(), count.into()))
        .collect();
    let kinds: Vec<Value> = engine
        .l1
        .stats()
        .iter()
        .map(|kind| {
            json!({
                "type": &*kind.name,
                "entries": kind.entries,
                "bytes": kind.bytes,
                "budget_bytes": kind.budget,
                "evictions_by_size": kind.evictions_by_size,
                "evictions_by_ttl": kind.evictions_by_ttl,
            })
        })
        .collect();
    let requests = engine.requests.load(Ordering::Relaxed).saturating_sub(1);
    let transit = json!({
        "bytes": engine.transit.used(),
        "budget_bytes": engine.transit.limit(),
    });
    let l2 = engine.fleet.as_ref().map(|fleet| fleet.snapshot());
    Json(json!({
        "requests": requests,
        "events": counts,
        "types": kinds,
        "transit": transit,
        "l2": l2,
    }))
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

async fn reload(State(admin): State<Admin>) -> Response {
    // Reading files blocks; requests on this thread can wait that long, traffic is elsewhere.
    let status = (admin.reload)();
    let code = if status.ok { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    (code, Json(status)).into_response()
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
