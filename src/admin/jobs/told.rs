//! What the calls that begin jobs, and those about them, tell of themselves.

use axum::http::StatusCode;
use serde_json::Value;

use super::{SyncAsked, VerifyAsked};
use crate::admin::openapi::{
    Told, by_name, count, flag, list, number, object, or_null, perhaps, read, text, with, word,
};
use crate::admin::warm;

/// `GET jobs`.
pub(in crate::admin) fn told_all() -> Told {
    let jobs = object("Jobs.", [("jobs", list("The newest first; purges behind.", shape()))]);
    Told::of("Lists what this node does, or has done, behind calls.").answers("they are", jobs)
}

/// `GET jobs/{id}`.
pub(in crate::admin) fn told_one() -> Told {
    named(Told::of("Tells of one job.")).answers("it is", shape())
}

/// `DELETE jobs/{id}`.
pub(in crate::admin) fn told_cancel() -> Told {
    changes(named(Told::of("Ends a job; what it has done stays done.")).answers("it ends", shape()))
}

/// `POST jobs/{id}/pause`.
pub(in crate::admin) fn told_pause() -> Told {
    let about = "Has a job stand still; what it has asked for already still comes.";
    changes(named(Told::of(about)).answers("it stands still", shape()))
}

/// `POST jobs/{id}/resume`.
pub(in crate::admin) fn told_resume() -> Told {
    changes(named(Told::of("Has a job go on that stands still.")).answers("it goes on", shape()))
}

fn changes(told: Told) -> Told {
    told.refuses(StatusCode::CONFLICT, "no-end", "a purge cannot be called back").refuses(
        StatusCode::CONFLICT,
        "job-ended",
        "it has ended already",
    )
}

fn named(told: Told) -> Told {
    told.in_path("id", text("The name that its beginning told.")).judges().refuses(
        StatusCode::NOT_FOUND,
        "no-job",
        "this node knows of none of this name",
    )
}

/// `POST warm`.
pub(in crate::admin) fn told_warm() -> Told {
    let about = "Fetches answers before anybody asks for them, as a job.";
    begins(Told::of(about).takes(read::<warm::Asked>()))
}

/// `POST verify`.
pub(in crate::admin) fn told_verify() -> Told {
    let about = "Compares entries with what their origin says now, as a job.";
    begins(Told::of(about).takes(read::<VerifyAsked>()))
}

/// `POST sync`.
pub(in crate::admin) fn told_sync() -> Told {
    let about = "Asks the origin about entries, fresh or not, and does what follows, as a job.";
    begins(Told::of(about).takes(read::<SyncAsked>()))
}

fn begins(told: Told) -> Told {
    begun_as(told, shape())
}

/// A call that begins a job, and tells it in this form.
pub(in crate::admin) fn begun_as(told: Told, shape: Value) -> Told {
    told.judges().also(StatusCode::ACCEPTED, "it waits for its turn, or runs", shape).refuses(
        StatusCode::CONFLICT,
        "too-many-jobs",
        "as many wait as may",
    )
}

/// One job.
pub(in crate::admin) fn shape() -> Value {
    let counts = by_name("What came of what it has done, by words.", count("So many."));
    let example = by_name("One of those that are worth a look.", text("A word of it."));
    let states = ["queued", "running", "paused", "done", "failed", "cancelled"];
    let job = object(
        "A job.",
        [
            ("id", text("Its name.")),
            ("kind", word("What it does.", &["warm", "verify", "sync", "reclaim"])),
            ("what", text("With what.")),
            ("by", text("Who began it.")),
            ("state", word("How it stands.", &states)),
            ("done", count("What it has done.")),
            ("total", or_null(count("What there is to do, where that is known."))),
            ("rate", or_null(number("What it does in a second."))),
            ("counts", counts),
            ("examples", list("Some that are worth a look.", example)),
            ("began_ms", or_null(count("When it began, in milliseconds since 1970."))),
            ("ended_ms", or_null(count("When it ended, in milliseconds since 1970."))),
            ("error", or_null(text("Why it failed."))),
        ],
    );
    let fresh = object(
        "Entries that count as fresh here.",
        [
            ("compared", count("Those that were compared.")),
            ("wrong", count("Those that differed.")),
        ],
    );
    let findings = object(
        "What comparing has found.",
        [
            ("fresh", fresh),
            ("wrong_for_secs_at_most", or_null(count("For how long the oldest of them was."))),
            ("purged_keys", count("Keys that were purged for it.")),
        ],
    );
    let exact = flag("Whether the count of a purge is whole.");
    perhaps(job, [("findings", findings), ("exact", exact)])
}

/// The same with members of another system's call.
pub(in crate::admin) fn shape_with<const N: usize>(members: [(&str, Value); N]) -> Value {
    with(shape(), members)
}
