//! What the calls of replaced systems tell of themselves.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{OfType, Warming};
use crate::admin::openapi::{Told, count, flag, number, object, or_null, read, text, with};
use crate::admin::{jobs, purge};

/// What the call of this name tells of itself, where it is no other call under a second name.
pub(in crate::admin) fn told(name: &str) -> Option<Told> {
    Some(match name {
        "/cache/stats" => numbers(),
        "/cache/invalidate/{*key}" => of_gad(
            "Purges one key.",
            ("key", "The key without the prefix of its type."),
            object(
                "What went.",
                [("key", text("What was named.")), ("deleted", flag("Whether something went."))],
            ),
        ),
        "/cache/invalidate-pattern/{*pattern}" => of_gad(
            "Purges the keys that fit a pattern.",
            ("pattern", "A pattern without the prefix of the type; only `*` is a wildcard."),
            object(
                "What went.",
                [("pattern", text("What was named.")), ("deleted_keys", count("Entries."))],
            ),
        ),
        "/cache/clear" => {
            let answer = object(
                "What was done.",
                [
                    ("cleared", flag("Whether all of it is gone.")),
                    ("message", text("The same in words.")),
                ],
            );
            done(Told::of("Purges everything that the fleet keeps."), &answer)
        }
        "/stats/invalidate/user/{id}" => of_gad(
            "Purges the numbers of a user.",
            ("id", "The user: a whole number."),
            object(
                "What went.",
                [
                    ("user_id", count("The user.")),
                    ("deleted_keys", count("Entries.")),
                    ("pattern", text("The pattern that they fit.")),
                ],
            ),
        ),
        "cache/invalidate" => {
            let named = [
                ("tipo", text("The type that was named.")),
                ("patron", or_null(text("The pattern that was named."))),
            ];
            let about = "the pattern may fit keys of another type";
            let told = Told::of("Purges a type, or the keys of it that fit.");
            let told = told.takes(read::<OfType>()).judges();
            done(told, &purge::done_or_tried(|answer| with(answer, named.clone()))).refuses(
                StatusCode::CONFLICT,
                "types-overlap",
                about,
            )
        }
        "cache/warm" => {
            let named = [
                ("tipo", text("The type that was named.")),
                ("fecha_inicio", or_null(text("The first day that was named."))),
                ("fecha_fin", or_null(text("The last day that was named."))),
            ];
            let told = Told::of("Fetches anew what stands of a type and is old, as a job.");
            jobs::begun_as(told.takes(read::<Warming>()), jobs::shape_with(named))
        }
        _ => return None,
    })
}

fn done(told: Told, answer: &Value) -> Told {
    let later = "it is done here; the shared level is away and follows";
    told.answers("it is done", answer.clone()).also(StatusCode::ACCEPTED, later, answer.clone())
}

fn of_gad(about: &'static str, (name, what): (&str, &str), answer: Value) -> Told {
    let part = json!({ "type": "string", "minLength": 1, "description": what, "examples": ["1"] });
    let told = Told::of(about).in_path(name, part).judges();
    no_type(done(told, &answer))
}

fn no_type(told: Told) -> Told {
    let about = "`compat.gad` names no type that the rules have";
    told.refuses(StatusCode::CONFLICT, "no-such-type", about)
}

fn numbers() -> Told {
    let answer = object(
        "The numbers of the node.",
        [
            ("connected", flag("Whether all masters of the shared level are asked.")),
            ("keys_count", count("Entries under the prefix.")),
            ("keyspace_hits", count("Answers from the cache.")),
            ("keyspace_misses", count("Other answers to cacheable requests.")),
            ("hit_rate", number("Hits among cacheable requests, 0 to 1.")),
            ("evicted_keys", count("Entries that made room.")),
            ("used_memory", text("Bytes of L1, as people read them.")),
            ("db_size", count("Entries of L1.")),
        ],
    );
    no_type(Told::of("The numbers of the node.").answers("the numbers", answer))
}
