//! What the call that purges tells of itself, and the answer that it shares with others.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::Asked;
use crate::admin::openapi::{
    Told, count, flag, list, object, or_null, perhaps, read, text, with, word,
};
use crate::admin::undo;

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
    got("purged", about)
}

/// How far an order got, with its counts under this name.
fn got(counts: &'static str, about: &str) -> Value {
    let purged = object(
        "Representations that it reached.",
        [
            ("entries", count("Each once, wherever it stood.")),
            ("l1", count("In the memory of nodes, added up.")),
        ],
    );
    let l2 = or_null(count("In the shared level; null where they are reached later."));
    let nodes = object(
        "Other nodes.",
        [("asked", count("Those that were asked.")), ("confirmed", count("Those that confirmed."))],
    );
    let answer = object(
        about,
        [
            (counts, perhaps(purged, [("l2", l2)])),
            ("exact", flag("Whether all nodes have told and all could be told apart.")),
            ("level", word("How far it got.", &["local", "shared", "nodes"])),
        ],
    );
    let journaled = flag("Whether what waits outlives the process.");
    perhaps(answer, [("nodes", nodes), ("journaled", journaled)])
}

/// The answer of a purge that was carried out.
pub(in crate::admin) fn done() -> Value {
    let refresh = object(
        "What is fetched anew.",
        [
            ("noted", count("Answers that are asked for.")),
            ("l2", or_null(count("Those of them that only Redis held; null without it."))),
            ("left_out", count("Those beyond the bounds, as far as they were looked for.")),
            ("whole", flag("Whether all was looked through for them.")),
        ],
    );
    let modes = [
        ("mode", word("What it did beside a plain purge, or in its place.", &["soft", "refresh"])),
        ("undo", text("The name under which a soft purge is taken back.")),
        ("undo_until_ms", count("Until when, in milliseconds since 1970.")),
        ("refresh", refresh),
        ("job", text("The job that counts what Redis is swept for.")),
    ];
    perhaps(with(carried("What went."), taken()), modes)
}

fn taken() -> [(&'static str, Value); 2] {
    [("ms", count("Milliseconds that it took.")), ("selectors", selectors())]
}

/// `POST undo`.
pub(in crate::admin) fn told_undo() -> Told {
    let answer = || with(got("restored", "What is as it was."), taken());
    Told::of("Takes a soft purge back, on all nodes.")
        .takes(read::<undo::Asked>())
        .judges()
        .answers("it is done", answer())
        .also(
            StatusCode::ACCEPTED,
            "it is done here; the shared level is away and follows",
            answer(),
        )
        .refuses(StatusCode::NOT_FOUND, "not-found", "there is no such soft purge any more")
}

fn selectors() -> Value {
    list("What was named, with what follows from it.", text("A selector."))
}

/// The answer of a call that purges, or tries what that would take, each as that call has it.
pub(in crate::admin) fn done_or_tried(each: impl Fn(Value) -> Value) -> Value {
    json!({ "description": "What went, or would go.", "anyOf": [each(done()), each(tried())] })
}

/// The answer of a purge that was only tried.
fn tried() -> Value {
    let would = object(
        "Representations.",
        [
            ("entries", count("Those that would go, each once.")),
            ("l1", count("Those in the memory of nodes, added up.")),
            ("bytes", count("Bytes that those of this node take.")),
        ],
    );
    let l2 = or_null(count("Those in the shared level; null where it does not answer in time."));
    let would = perhaps(would, [("l2", l2)]);
    let nodes = object(
        "Other nodes.",
        [
            ("asked", count("Those that were asked.")),
            ("silent", list("Those of them that have not told.", text("A member."))),
        ],
    );
    let tried = object(
        "What would go.",
        [
            ("dry_run", flag("Nothing was changed.")),
            ("would_purge", would),
            ("exact", flag("Whether all nodes have told, and all was looked through.")),
            ("sample", list("Some of their keys.", text("A key."))),
            ("selectors", selectors()),
        ],
    );
    perhaps(tried, [("nodes", nodes)])
}
