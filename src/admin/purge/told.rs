//! What the call that purges tells of itself, and the answer that it shares with others.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::Asked;
use crate::admin::openapi::{
    Told, count, flag, list, object, or_null, perhaps, read, text, with, word,
};

/// `POST purge`.
pub(in crate::admin) fn told() -> Told {
    let key = json!({
        "type": "string", "minLength": 1, "maxLength": 255,
        "description": "Under it the call may come again and is carried out once.",
    });
    let both = json!({
        "description": "What went, or would go.",
        "anyOf": [perhaps(done(), repeated()), tried()],
    });
    Told::of("Purges on all nodes, or counts what that would take.")
        .field("Idempotency-Key", key)
        .takes(read::<Asked>())
        .judges()
        .answers("it is done", both)
        .also(
            StatusCode::ACCEPTED,
            "it is done here; the shared level is away and follows",
            perhaps(done(), repeated()),
        )
        .refuses(StatusCode::CONFLICT, "key-in-use", "a call with this key is under way")
        .refuses(
            StatusCode::UNPROCESSABLE_ENTITY,
            "key-reused",
            "the key was used for another call",
        )
}

fn repeated() -> [(&'static str, Value); 1] {
    [("repeated", flag("This is the answer to an earlier call under the same key."))]
}

/// How far a purge got; members of its answer.
pub(in crate::admin) fn carried(about: &str) -> Value {
    let purged = object(
        "Representations that went.",
        [
            ("entries", count("Each once, wherever it stood.")),
            ("l1", count("From the memory of nodes, added up.")),
        ],
    );
    let l2 = or_null(count("From the shared level; null where they are taken out later."));
    let nodes = object(
        "Other nodes.",
        [("asked", count("Those that were asked.")), ("confirmed", count("Those that confirmed."))],
    );
    let answer = object(
        about,
        [
            ("purged", perhaps(purged, [("l2", l2)])),
            ("exact", flag("Whether all nodes have told and all could be told apart.")),
            ("level", word("How far it got.", &["local", "shared", "nodes"])),
        ],
    );
    let journaled = flag("Whether what waits outlives the process.");
    perhaps(answer, [("nodes", nodes), ("journaled", journaled)])
}

/// The answer of a purge that was carried out.
pub(in crate::admin) fn done() -> Value {
    let ms = count("Milliseconds that it took.");
    with(carried("What went."), [("ms", ms), ("selectors", selectors())])
}

fn selectors() -> Value {
    list("What was named, with what follows from it.", text("A selector."))
}

/// The answer of a purge that was only tried.
fn tried() -> Value {
    let would = object(
        "Representations of this node.",
        [
            ("entries", count("Those that would go.")),
            ("l1", count("The same.")),
            ("bytes", count("Bytes that they take.")),
        ],
    );
    object(
        "What would go.",
        [
            ("dry_run", flag("Nothing was changed.")),
            ("would_purge", would),
            ("exact", flag("Whether that is all; other nodes and levels are not counted.")),
            ("sample", list("Some of their keys.", text("A key."))),
            ("selectors", selectors()),
        ],
    )
}
