//! What `GET stats` tells of itself.

use serde_json::Value;

use crate::admin::bypass;
use crate::admin::openapi::{
    Told, by_name, count, list, number, object, or_null, perhaps, text, with, word, written,
};
use crate::store::redis::fleet::Snapshot;

/// `GET stats`.
pub(in crate::admin) fn told() -> Told {
    let transit = object(
        "Bytes of answers on their way.",
        [("bytes", count("Those now.")), ("budget_bytes", count("As many as there may be."))],
    );
    let last_sync = object(
        "The last time that entries were held against their origin, as it ended.",
        [
            ("at_ms", count("When, in milliseconds since 1970.")),
            ("entries", count("Entries that were asked about.")),
            ("changed", count("Those that did not stay as they were.")),
            ("failed", count("Those of which the origin said nothing.")),
            ("seconds", number("How long it took.")),
        ],
    );
    let named = |name, about: &str| with(traffic(about), [(name, text("Its name."))]);
    let stats = object(
        "The numbers of the node since it began.",
        [
            ("requests", count("Requests that came to the proxy.")),
            ("events", by_name("How often each event happened.", count("How often."))),
            ("whole", traffic("All of it.")),
            ("rules", list("By rule.", named("rule", "One rule; its name is empty for none."))),
            ("types", list("By type.", kind())),
            ("levels", list("By level.", level())),
            ("origins", list("By origin.", origin())),
            ("transit", transit),
            ("bypass", bypass::shape()),
            ("last_sync", or_null(last_sync)),
            ("l2", or_null(written::<Snapshot>())),
        ],
    );
    Told::of("The numbers of the node.").answers("the numbers", stats)
}

/// The shape of what is told of some requests.
fn traffic(about: &str) -> Value {
    let hits = object(
        "Answers from the cache.",
        [("l1", count("From memory.")), ("l2", count("From the shared level."))],
    );
    let ms = |about: &str| or_null(number(about));
    object(
        about,
        [
            ("requests", count("Requests whose answer has ended.")),
            ("hits", hits),
            ("stale", count("Answers from the cache beyond their time.")),
            ("revalidated", count("Answers that the origin confirmed.")),
            ("coalesced", count("Answers that a fetch of another request brought.")),
            ("misses", count("Answers from the origin that the cache had no part in.")),
            ("bypass", count("Requests that went past the cache.")),
            ("errors", count("Requests that were answered with an error.")),
            ("hit_ratio", or_null(number("Hits among cacheable requests, 0 to 1."))),
            ("bytes_sent", count("Bytes of the bodies that were sent.")),
            ("p50_ms", ms("Half of the answers took no longer, in milliseconds.")),
            ("p99_ms", ms("99 of 100 answers took no longer, in milliseconds.")),
        ],
    )
}

fn kind() -> Value {
    let stored = [
        ("type", text("Its name; empty for the nameless one.")),
        ("entries", count("Entries in memory.")),
        ("bytes", count("Bytes that they take.")),
        ("budget_bytes", count("Bytes that they may take.")),
        ("evictions_by_size", count("Entries that made room.")),
        ("evictions_by_ttl", count("Entries whose time was over.")),
    ];
    with(traffic("One type."), stored)
}

fn level() -> Value {
    let ms = |about: &str| or_null(number(about));
    let level = object(
        "One level.",
        [
            ("level", word("Its name.", &["l1", "l2"])),
            ("answered", count("Requests that it answered.")),
            ("bytes_sent", count("Bytes of those answers.")),
            ("p50_ms", ms("Half of them took no longer, in milliseconds.")),
            ("p99_ms", ms("99 of 100 took no longer, in milliseconds.")),
        ],
    );
    let held = [
        ("entries", count("Entries of L1.")),
        ("bytes", count("Bytes that they take.")),
        ("evictions_by_size", count("Entries that made room.")),
        ("evictions_by_ttl", count("Entries whose time was over.")),
    ];
    perhaps(level, held)
}

fn origin() -> Value {
    let asked = by_name("What it was asked, by class of the status.", count("How often."));
    with(traffic("One origin."), [("origin", text("Its name.")), ("asked", asked)])
}
