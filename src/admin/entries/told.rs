//! What the calls about single entries tell of themselves.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::admin::openapi::{
    Told, count, list, object, or_null, such_as, text, with, word, written,
};
use crate::admin::{purge, top};
use crate::engine::entries::{Row, Variant};

const BYTES: &str = "application/octet-stream";

/// `GET keys`.
pub(in crate::admin) fn told_keys() -> Told {
    let levels = ["l1", "l2"];
    let page = object(
        "A page of entries.",
        [
            ("selector", text("What is listed.")),
            ("level", word("Where they stand.", &levels)),
            ("entries", list("The entries.", written::<Row>())),
            ("next", or_null(text("Where the next page begins; null at the end."))),
        ],
    );
    Told::of("A page of what is stored.")
        .parameter("selector", such_as(text("What is listed; `all` unless said."), "tag:docs"))
        .parameter("limit", top::limit())
        .parameter("after", text("What the page before told as `next`."))
        .parameter("level", word("Where to look; `l1` unless said.", &levels))
        .judges()
        .answers("the page", page)
        .refuses(StatusCode::CONFLICT, "no-shared-level", "the node has no `l2`")
        .refuses(StatusCode::SERVICE_UNAVAILABLE, "store-down", "the shared level is away")
}

fn named(told: Told) -> Told {
    let url = text("A URL, in place of the key that a GET of it is looked up by.");
    told.parameter("key", such_as(text("The key with its type's prefix."), "doc:1"))
        .parameter("url", such_as(url, "http://api.example/doc/1"))
        .judges()
}

/// `GET entry`.
pub(in crate::admin) fn told_entry() -> Told {
    let entry = object(
        "All that is known of what stands under a key.",
        [
            ("key", text("The key.")),
            ("variants", list("The answers, the newest first.", written::<Variant>())),
            ("l2_untold", or_null(text("Why nothing is known of the shared level."))),
        ],
    );
    let body = word("`1`: the bytes of the newest answer instead.", &["0", "1"]);
    named(Told::of("Everything that is known of one entry, in both levels."))
        .parameter("body", body)
        .answers("what is known", entry)
        .answers_as(StatusCode::OK, "with `body=1` the bytes", BYTES, json!({ "type": "string" }))
        .refuses(StatusCode::NOT_FOUND, "no-entry", "nothing stands there")
        .refuses(StatusCode::FORBIDDEN, "not-allowed", "the role does not show bodies")
}

/// `DELETE entry`.
pub(in crate::admin) fn told_drop() -> Told {
    let away = "it is gone here; the shared level is away and follows";
    named(Told::of("Purges one key on all nodes, or counts what that would take."))
        .parameter("dry_run", word("`1`: nothing is changed.", &["0", "1"]))
        .answers("what went, or would go", purge::done_or_tried(|answer| answer))
        .also(StatusCode::ACCEPTED, away, purge::done_shape())
}

/// `PUT entry`.
pub(in crate::admin) fn told_put() -> Told {
    let large = StatusCode::PAYLOAD_TOO_LARGE;
    let ttl = text("How long it is fresh; as the rule says unless said.");
    let site = text("Scheme and authority that clients ask for; may come several times.");
    named(Told::of("Stores an entry in both levels, in place of what stands there."))
        .parameter("type", such_as(text("The type whose rules read the key."), "doc"))
        .parameter("rule", text("The rule, where several of the type read such keys."))
        .parameter("ttl", such_as(ttl, "1h30m"))
        .parameters("tag", such_as(text("A tag; may come several times."), "docs"))
        .parameters("site", such_as(site, "http://api.example"))
        .takes_as("*/*", json!({ "description": "The body, as it is served." }))
        .or_nothing()
        .answers("it stands there", placed())
        .refuses(large, "too-large", "it is longer than is stored")
        .refuses(StatusCode::CONFLICT, "bypass-switch", "the emergency switch is on")
        .refuses(StatusCode::CONFLICT, "purged-during-put", "orders came again and again meanwhile")
        .refuses(StatusCode::CONFLICT, "key-in-use", "other nodes put or fetch it meanwhile")
        .refuses(StatusCode::SERVICE_UNAVAILABLE, "shared-level-away", "Redis did not answer")
        .refuses(StatusCode::SERVICE_UNAVAILABLE, "overload", "no memory is left for the body")
}

fn placed() -> Value {
    let one = |about: &str| json!({ "type": "boolean", "description": about });
    let stored = [
        ("key", text("The key.")),
        ("identities", count("Under so many identities it stands.")),
        ("ttl", count("Seconds that it is fresh.")),
        ("l1", one("Whether this node holds it in memory.")),
        (
            "l2",
            or_null(one("Whether it stands in the shared level; null where it does not belong.")),
        ),
    ];
    with(purge::carried("How it was put."), stored)
}
