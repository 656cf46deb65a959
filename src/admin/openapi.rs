//! `GET openapi.json`: the API describes itself (`OpenAPI` 3.1). The document is made from the
//! table of calls and from what each call tells beside its handler; shapes of bodies are derived
//! from the types that read and write them where there are such. Builds for tests hold every answer
//! against it.

mod shape;
#[cfg(test)]
mod tests;
mod told;

use std::sync::{Arc, OnceLock};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use serde_json::{Map, Value, json};

use crate::admin::calls::{ALIASES, Bound, CALLS, Call};
use crate::admin::tokens::Role;
use crate::admin::{Admin, aliases, api, bypass, entries, events, jobs, purge, rules, stats, top};
use crate::base::names;

pub(super) use shape::{
    by_name, count, flag, list, number, object, or_null, perhaps, read, such_as, text, with, word,
    written,
};
pub(super) use told::Told;

/// The document as it is sent; it is made when it is asked for first.
pub type Document = Arc<OnceLock<Bytes>>;

/// `GET openapi.json`.
pub(super) async fn document(State(admin): State<Admin>) -> Response {
    let aliases = admin.aliases.is_some();
    let text = admin.document.get_or_init(|| Bytes::from(whole(aliases).to_string())).clone();
    let kind = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}

/// What a call tells of itself, without what all calls share.
fn own(call: &Call) -> Option<Told> {
    Some(match (call.method, call.name) {
        (_, "/livez") => api::told_live(),
        (_, "/readyz" | "/startupz") => api::told_ready(),
        (_, "health") => api::told_health(),
        (_, "openapi.json") => told_document(),
        (_, "stats" | "cache/stats") => stats::told(),
        (_, names::METRICS) => api::told_metrics(),
        (_, "alerts") => api::told_alerts(),
        (_, "top") => top::told_top(),
        (_, "events") => events::told_events(),
        (_, "keys") => entries::told_keys(),
        ("GET", "entry") => entries::told_entry(),
        ("DELETE", "entry") => entries::told_drop(),
        ("PUT", "entry") => entries::told_put(),
        ("GET", "bypass") => bypass::told_show(),
        ("POST", "bypass") => bypass::told_turn(),
        (_, "rules") => rules::told_list(),
        (_, "rules/status") => rules::told_status(),
        (_, "rules/text") => rules::told_text(),
        (_, "rules/history") => rules::told_history(),
        (_, "rules/diff") => rules::told_diff(),
        (_, "rules/reload") => rules::told_reload(),
        (_, "rules/rollback") => rules::told_rollback(),
        (_, "explain") => api::told_explain(),
        (_, "purge") => purge::told(),
        (_, "undo") => purge::told_undo(),
        (_, "warm") => jobs::told_warm(),
        (_, "verify") => jobs::told_verify(),
        (_, "sync") => jobs::told_sync(),
        (_, "jobs") => jobs::told_all(),
        ("GET", "jobs/{id}") => jobs::told_one(),
        ("DELETE", "jobs/{id}") => jobs::told_cancel(),
        (_, "jobs/{id}/pause") => jobs::told_pause(),
        (_, "jobs/{id}/resume") => jobs::told_resume(),
        (_, "audit") => api::told_audit(),
        (_, "tokens") => api::told_tokens(),
        (_, name) => return aliases::told(name),
    })
}

fn told_document() -> Told {
    let shape = json!({ "type": "object", "description": "An OpenAPI document." });
    Told::of("Describes this API.").answers("the document", shape)
}

/// What a call tells of itself, with what its role brings along.
fn told(call: &Call) -> Told {
    let mut told = own(call).unwrap_or_else(|| Told::of("Is not described."));
    if let Some(least) = call.least {
        let about = "no token of the node's was shown";
        told = told.refuses(StatusCode::UNAUTHORIZED, "unknown-token", about);
        if least == Role::Read && call.bound != Bound::Whole {
            let about = "the token is bound to something else";
            told = told.refuses(StatusCode::FORBIDDEN, "not-allowed", about);
        }
        if least > Role::Read {
            let about = "the token has a lesser role, or is bound to something else";
            told = told.refuses(StatusCode::FORBIDDEN, "not-allowed", about);
            let about = "the node knows no tokens, and nobody may change anything";
            told = told.refuses(StatusCode::FORBIDDEN, "no-tokens", about);
        }
    }
    told
}

/// Problems that every call may be refused with before anything looks at what it says.
fn refused_by_all(told: Told) -> Told {
    told.refuses(StatusCode::BAD_REQUEST, "bad-request", "the request is no sound HTTP/1.1")
        .refuses(StatusCode::REQUEST_TIMEOUT, "bad-request", "its head came too slowly")
        .refuses(StatusCode::REQUEST_TIMEOUT, "too-slow", "its body came too slowly")
        .refuses(StatusCode::URI_TOO_LONG, "bad-request", "its target is too long")
        .refuses(StatusCode::MISDIRECTED_REQUEST, "unknown-host", "its Host is none of the API's")
        .refuses(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "bad-request", "its head is too long")
        .refuses(StatusCode::SERVICE_UNAVAILABLE, "overload", "there are too many connections")
}

/// In builds for tests, an answer that the document does not tell of ends its connection, and with
/// it the test.
pub(super) fn held(router: MethodRouter<Admin>, call: &Call) -> MethodRouter<Admin> {
    if !cfg!(debug_assertions) {
        return router;
    }
    let (told, call) = (Arc::new(told(call)), *call);
    router.route_layer(middleware::from_fn(move |request, next: middleware::Next| {
        let told = Arc::clone(&told);
        async move {
            let answer = next.run(request).await;
            debug_assert!(told.tells(&answer), "{call:?} does not tell of {answer:?}");
            answer
        }
    }))
}

/// The whole document.
fn whole(aliases: bool) -> Value {
    let mut paths = Map::new();
    let mut add = |call: &Call, path: String| {
        let mut operation = refused_by_all(told(call)).operation();
        operation["operationId"] = id(call, &path).into();
        operation["x-least-role"] = call.least.map_or("", Role::as_str).into();
        let needed = if call.least.is_some() { json!([{ "token": [] }]) } else { json!([]) };
        operation["security"] = needed;
        let item = paths.entry(path.replace("{*", "{")).or_insert_with(|| json!({}));
        item[call.method.to_ascii_lowercase()] = operation;
    };
    for call in &CALLS {
        add(call, call.path());
    }
    for call in ALIASES.iter().filter(|_| aliases) {
        call.paths().into_iter().for_each(|path| add(call, path));
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "cistern, the admin API",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Each call names the least role of a token that may make it in \
                            `x-least-role`. Where the node has no file of tokens, calls of the \
                            role `read` need none. Errors are problem documents (RFC 9457) whose \
                            `code` is a stable word.",
        },
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token of the node's file, RFC 6750, 2.1.",
                },
            },
            "schemas": { "Problem": problem() },
        },
    })
}

/// A problem document, open for the shapes that say more.
fn problem() -> Value {
    let mut problem = object(
        "A problem (RFC 9457).",
        [
            ("type", json!({ "const": "about:blank" })),
            ("title", text("What the status means.")),
            ("status", count("The status.")),
            ("detail", text("What is wrong, and where it can be told what to do.")),
            ("code", text("The same as a stable word.")),
        ],
    );
    if let Some(members) = problem.as_object_mut() {
        members.remove("additionalProperties");
    }
    problem
}

/// A name for an operation that no other has.
fn id(call: &Call, path: &str) -> String {
    let words = path.split(|letter: char| !letter.is_ascii_alphanumeric());
    let words = words.filter(|word| !word.is_empty()).map(str::to_ascii_lowercase);
    let method = call.method.to_ascii_lowercase();
    std::iter::once(method).chain(words).collect::<Vec<_>>().join("_")
}
