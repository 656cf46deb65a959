//! What the calls of this module tell of themselves, and that for scrapers.

use axum::http::StatusCode;

use super::Asked;
use crate::admin::audit::Change;
use crate::admin::openapi::{Told, count, flag, list, object, or_null, read, text, word, written};
use crate::admin::rules::RulesStatus;
use crate::admin::tokens::Role;
use crate::engine::explain;
use crate::jobs::alerts::Alert;

const PLAIN: &str = "text/plain";

/// `GET /livez`.
pub(in crate::admin) fn told_live() -> Told {
    Told::of("Whether the process is there.").answers_as(
        StatusCode::OK,
        "it is",
        PLAIN,
        text("`ok`"),
    )
}

/// `GET /readyz` and `GET /startupz`.
pub(in crate::admin) fn told_ready() -> Told {
    Told::of("Whether the node serves.")
        .answers_as(StatusCode::OK, "it does", PLAIN, text("`ok`"))
        .refuses(StatusCode::SERVICE_UNAVAILABLE, "not-ready", "it starts or drains")
}

/// `GET health`.
pub(in crate::admin) fn told_health() -> Told {
    let health = object(
        "How the node does.",
        [
            ("ready", flag("Whether it serves.")),
            ("version", text("The version of the program.")),
            ("rules", written::<RulesStatus>()),
            ("flights", count("Fetches that run.")),
            ("tasks", count("Work that a drain waits for.")),
        ],
    );
    Told::of("How the node does.").answers("how it does", health)
}

/// `GET /metrics`.
pub(in crate::admin) fn told_metrics() -> Told {
    let text = text("Metrics in the text format of Prometheus.");
    let open = "application/openmetrics-text";
    Told::of("The metrics, for scrapers.")
        .answers_as(StatusCode::OK, "Prometheus 0.0.4", PLAIN, text.clone())
        .answers_as(StatusCode::OK, "OpenMetrics 1.0, to who accepts that", open, text)
}

/// `GET alerts`.
pub(in crate::admin) fn told_alerts() -> Told {
    let all = list("Every alert, raised or not.", written::<Alert>());
    Told::of("What somebody should look at.")
        .answers("every alert", object("The alerts.", [("alerts", all)]))
}

/// `GET audit`.
pub(in crate::admin) fn told_audit() -> Told {
    let changes = list("Changes and refusals, newest first.", written::<Change>());
    Told::of("What was changed through this API, or was to be.")
        .answers("the last of it", object("The last changes.", [("changes", changes)]))
}

/// `GET tokens`.
pub(in crate::admin) fn told_tokens() -> Told {
    let token = object(
        "A token, without itself.",
        [
            ("name", text("Who has it.")),
            ("role", word("What it allows.", &Role::ALL.map(Role::as_str))),
            ("selectors", list("What it is bound to; nothing for all.", text("A selector."))),
        ],
    );
    let page = object(
        "The tokens.",
        [
            ("tokens", list("The tokens in force.", token)),
            ("error", or_null(text("What is wrong with their file."))),
        ],
    );
    Told::of("Names, roles and bounds of the tokens.").answers("the tokens", page)
}

/// `POST explain`.
pub(in crate::admin) fn told_explain() -> Told {
    Told::of("The decision about a request, told instead of made.")
        .takes(read::<Asked>())
        .judges()
        .answers("the decision", written::<explain::Told>())
}
