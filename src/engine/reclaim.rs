//! What sweeps take out of the shared level for purges of this node, told as jobs are.

use serde_json::{Value, json};

use crate::base::limits;
use crate::engine::Engine;
use crate::store::coherence::{Reclaim, Reclaimed};
use crate::telemetry::access::redacted;

/// What stands before the count of its order.
const BEGINS: &str = "reclaim-";

/// What such a job is called.
pub(super) fn name(one: &Reclaim) -> String {
    format!("{BEGINS}{}", one.count)
}

/// All that are remembered, the newest first.
pub fn all(engine: &Engine) -> Vec<Value> {
    let all = engine.fleet.as_ref().map(|fleet| fleet.reclaims()).unwrap_or_default();
    all.iter().map(told).collect()
}

/// The one of this name.
pub fn one(engine: &Engine, name: &str) -> Option<Value> {
    let count = name.strip_prefix(BEGINS)?.parse().ok()?;
    engine.fleet.as_ref()?.reclaim(count).map(|one| told(&one))
}

/// How many frames have gone for the one of this name, when all have, or after a while.
pub async fn counted(engine: &Engine, name: &str) -> Option<u64> {
    let count = name.strip_prefix(BEGINS)?.parse().ok()?;
    let within = limits::COUNT_WAIT.to_duration();
    engine.fleet.as_ref()?.reclaimed(count, within).await.map(|one| one.gone)
}

fn told(one: &Reclaim) -> Value {
    let what = one.order.said();
    let state = match one.state {
        Reclaimed::Waiting => "queued",
        Reclaimed::Running => "running",
        Reclaimed::Done => "done",
        Reclaimed::Failed => "failed",
    };
    let error = (one.state == Reclaimed::Failed)
        .then_some("no sweep has reached every server since; what stays is refused, and expires");
    json!({
        "id": name(one),
        "kind": "reclaim",
        "what": redacted(&what.join(" ")),
        "by": "purge",
        "state": state,
        "done": one.gone,
        "total": null,
        "rate": null,
        "counts": { "l2": one.gone },
        "exact": one.state == Reclaimed::Done && one.exact,
        "examples": [],
        "began_ms": one.began.as_millis(),
        "ended_ms": one.ended.map(crate::base::clock::Timestamp::as_millis),
        "error": error,
    })
}
