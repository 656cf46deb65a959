//! What the calls about rules tell of themselves.

use axum::http::StatusCode;
use serde_json::Value;

use super::{Back, RulesDiff, RulesStatus, RulesVersion};
use crate::admin::openapi::{Told, count, list, object, or_null, read, text, with, written};

/// `GET rules`.
pub(in crate::admin) fn told_list() -> Told {
    let route = object(
        "A route.",
        [
            ("rule", text("Its name.")),
            ("key", or_null(text("The template of its key; null where the URL is the key."))),
            ("type", text("Its type; empty for the nameless one.")),
            ("share", text("Who may share what it keeps.")),
        ],
    );
    let page = object(
        "The rules in force.",
        [
            ("rules", list("The routes, in the order in which they are asked.", route)),
            ("status", status("How they were read.")),
        ],
    );
    Told::of("The routes in force.").answers("the routes", page)
}

fn status(about: &str) -> Value {
    let mut shape = written::<RulesStatus>();
    shape["description"] = about.into();
    shape
}

/// `GET rules/status`.
pub(in crate::admin) fn told_status() -> Told {
    Told::of("How the last reading of the rules went.")
        .answers("how it went", status("How the last reading of the rules went."))
}

/// `GET rules/text`.
pub(in crate::admin) fn told_text() -> Told {
    let file = object("A file.", [("name", text("Its name.")), ("text", text("Its text."))]);
    let page = object(
        "A text of rules.",
        [("version", count("Its number in the history.")), ("files", list("Its files.", file))],
    );
    Told::of("The text of the rules in force, or an earlier one.")
        .parameter("version", count("A number of the history; the text in force unless said."))
        .judges()
        .answers("the text", page)
        .refuses(StatusCode::NOT_FOUND, "no-rules", "the node has no rules")
        .refuses(StatusCode::NOT_FOUND, "no-such-version", "the history has no such version")
}

/// `GET rules/history`.
pub(in crate::admin) fn told_history() -> Told {
    let versions = list("The texts, newest first.", written::<RulesVersion>());
    Told::of("The last texts of rules that were in force.")
        .answers("the texts", object("The history.", [("versions", versions)]))
}

/// `GET rules/diff`.
pub(in crate::admin) fn told_diff() -> Told {
    Told::of("What the files say beside what is in force.")
        .answers("what differs", written::<RulesDiff>())
}

/// `POST rules/reload`.
pub(in crate::admin) fn told_reload() -> Told {
    let went = "How it went.";
    Told::of("Reads the rules again; the old ones stay when the new are wrong.")
        .answers("they are in force", status(went))
        .also(StatusCode::UNPROCESSABLE_ENTITY, "the old ones stay", status(went))
}

/// `POST rules/rollback`.
pub(in crate::admin) fn told_rollback() -> Told {
    let files = ("files", text("What becomes of the files, which say something else."));
    let refused = StatusCode::UNPROCESSABLE_ENTITY;
    Told::of("Puts an earlier text of rules in force, until the files are read the next time.")
        .takes(read::<Back>())
        .judges()
        .answers("it is in force", with(status("How it went."), [files]))
        .also(refused, "what was in force stays", status("How it went."))
        .refuses(StatusCode::NOT_FOUND, "no-such-version", "the history has no such version")
}
