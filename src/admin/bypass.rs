//! The emergency switch of this node.

use axum::Extension;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Json, State};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::admin::Admin;
use crate::admin::door::Caller;
use crate::admin::entries::wrong;
use crate::admin::openapi::{Told, count, flag, object, perhaps, read, text};
use crate::base::limits;
use crate::base::units::Span;
use crate::engine::Engine;
use crate::telemetry::event::Event;

/// What is asked for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// On: every read goes to the origin, and nothing is stored.
    on: bool,
    /// For how long, such as "10m"; it ends by itself.
    #[serde(default, rename = "for")]
    #[schemars(example = &"10m")]
    span: Option<String>,
}

/// How the switch stands.
pub(super) fn told(engine: &Engine) -> Value {
    match engine.bypass.state() {
        None => json!({ "on": false }),
        Some((on, left)) => json!({
            "on": true,
            "left": left.as_secs(),
            "until_ms": on.until.as_millis(),
            "by": on.by,
        }),
    }
}

/// `GET bypass`.
pub(super) async fn show(State(admin): State<Admin>) -> Json<Value> {
    Json(told(&admin.engine))
}

/// `POST bypass`.
pub(super) async fn turn(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    asked: Result<Json<Asked>, JsonRejection>,
) -> Response {
    let asked = match asked {
        Ok(Json(asked)) => asked,
        Err(error) => return wrong(&error.body_text()).into_response(),
    };
    let engine = &admin.engine;
    let span = match (asked.on, &asked.span) {
        (false, Some(_)) => return wrong("`for` goes with \"on\": true").into_response(),
        (false, None) => None,
        (true, None) => Some(limits::BYPASS_USUALLY),
        (true, Some(text)) => {
            let span = Span::parse(text).ok();
            let span = span.filter(|span| (Span::ZERO..=limits::BYPASS_MAX).contains(span));
            let Some(span) = span.filter(|span| *span > Span::ZERO) else {
                let most = limits::BYPASS_MAX;
                return wrong(&format!("`for` is a time of at most {most}, such as \"10m\""))
                    .into_response();
            };
            Some(span)
        }
    };
    let now = engine.clock.now();
    let (what, detail) = match span {
        Some(span) => {
            engine.bypass.turn_on(span, caller.name(), now);
            ("on", format!("for {span} by {}", caller.name()))
        }
        None if engine.bypass.turn_off().is_some() => ("off", format!("by {}", caller.name())),
        None => return Json(told(engine)).into_response(),
    };
    engine.telemetry.tell(now, &Event::Bypass { what, detail: &detail });
    admin.audit.note(engine, caller.name(), "bypass", what, &detail);
    Json(told(engine)).into_response()
}

/// What `GET bypass` tells of itself.
pub(super) fn told_show() -> Told {
    Told::of("How the emergency switch of this node stands.").answers("how it stands", shape())
}

/// What `POST bypass` tells of itself.
pub(super) fn told_turn() -> Told {
    Told::of("Turns the emergency switch of this node.")
        .takes(read::<Asked>())
        .judges()
        .answers("how it stands now", shape())
}

/// The shape of [`told`].
pub(super) fn shape() -> serde_json::Value {
    let shape = object("The emergency switch.", [("on", flag("Whether it is on."))]);
    let left = count("Seconds until it ends.");
    let until = count("When it ends, in milliseconds since 1970.");
    perhaps(shape, [("left", left), ("until_ms", until), ("by", text("Who turned it on."))])
}
