//! `GET stats`: the numbers of a node, for people and for the command line.

mod told;

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use axum::extract::{Json, State};
use serde_json::{Map, Value, json};

use crate::admin::{Admin, bypass};
use crate::base::outcome::{Level, Outcome};
use crate::engine::Engine;
use crate::store::l1::KindStats;
use crate::telemetry::ledger::{Ledger, STATUS_CLASSES};
use crate::telemetry::meter::Served;
use crate::telemetry::synced::Synced;

pub(super) use told::told;

/// `GET stats`.
pub(super) async fn stats(State(admin): State<Admin>) -> Json<Value> {
    let engine = &admin.engine;
    let ledger = &*engine.telemetry.ledger;
    let counts: Map<String, Value> = engine
        .telemetry
        .counts()
        .into_iter()
        .map(|(name, count)| (name.to_ascii_lowercase(), count.into()))
        .collect();
    let (mut whole, mut rules) = (Served::default(), BTreeMap::<String, Served>::new());
    let mut kinds = BTreeMap::<String, Served>::new();
    for meter in ledger.rules() {
        let served = meter.served.read();
        whole.merge(&served);
        rules.entry(meter.rule.to_string()).or_default().merge(&served);
        kinds.entry(meter.kind.to_string()).or_default().merge(&served);
    }
    let stored = engine.l1.stats();
    let requests = engine.requests.load(Ordering::Relaxed).saturating_sub(1);
    Json(json!({
        "requests": requests,
        "events": counts,
        "whole": traffic(&whole),
        "rules": rules.iter().map(|(rule, served)| with("rule", rule, served)).collect::<Value>(),
        "types": stored.iter().map(|kind| of_kind(kind, &kinds)).collect::<Value>(),
        "levels": levels(engine, &whole, &stored),
        "origins": origins(ledger),
        "transit": { "bytes": engine.transit.used(), "budget_bytes": engine.transit.limit() },
        "bypass": bypass::told(engine),
        "last_sync": ledger.last_sync.get().map(last_sync),
        "l2": engine.fleet.as_ref().map(|fleet| fleet.snapshot()),
    }))
}

fn last_sync(synced: Synced) -> Value {
    json!({
        "at_ms": synced.at.as_millis(),
        "entries": synced.entries,
        "changed": synced.changed,
        "failed": synced.failed,
        "seconds": (synced.took.as_secs_f64() * 1_000.0).round() / 1_000.0,
    })
}

fn with(name: &str, value: &str, served: &Served) -> Value {
    let mut told = traffic(served);
    told[name] = value.into();
    told
}

/// What people want to know of some requests. Times are in milliseconds, `null` without any.
fn traffic(served: &Served) -> Value {
    let count = |wanted: Outcome| served.count(|outcome, _| outcome == wanted);
    let hits =
        |wanted: Level| served.count(|outcome, level| outcome == Outcome::Hit && level == wanted);
    let all = served.of(|_, _| true);
    let ms = |q: f64| all.times.quantile(q).map(|micros| (micros / 10.0).round() / 100.0);
    json!({
        "requests": all.times.count(),
        "hits": { "l1": hits(Level::One), "l2": hits(Level::Two) },
        "stale": count(Outcome::Stale),
        "revalidated": count(Outcome::Revalidated),
        "coalesced": count(Outcome::Coalesced),
        "misses": count(Outcome::Miss),
        "bypass": count(Outcome::Bypass),
        "errors": count(Outcome::Error),
        "hit_ratio": served.hit_ratio().map(|ratio| (ratio * 10_000.0).round() / 10_000.0),
        "bytes_sent": all.bytes,
        "p50_ms": ms(0.5),
        "p99_ms": ms(0.99),
    })
}

fn of_kind(kind: &KindStats, kinds: &BTreeMap<String, Served>) -> Value {
    let mut told = with("type", &kind.name, kinds.get(&*kind.name).unwrap_or(&Served::default()));
    let stored = [
        ("entries", kind.entries),
        ("bytes", kind.bytes),
        ("budget_bytes", kind.budget),
        ("evictions_by_size", kind.evictions_by_size),
        ("evictions_by_ttl", kind.evictions_by_ttl),
    ];
    for (name, value) in stored {
        told[name] = value.into();
    }
    told
}

/// What each level answered, with how long those answers took, and what it holds where this node
/// knows.
fn levels(engine: &Engine, whole: &Served, stored: &[KindStats]) -> Value {
    let answered = |level: Level| {
        let from = |outcome: Outcome, at: Level| {
            at == level && (outcome.is_hit() || (at == Level::Two && outcome.is_cacheable()))
        };
        let class = whole.of(from);
        let ms = |q: f64| class.times.quantile(q).map(|micros| (micros / 10.0).round() / 100.0);
        json!({
            "level": level.as_word(),
            "answered": class.times.count(),
            "bytes_sent": class.bytes,
            "p50_ms": ms(0.5),
            "p99_ms": ms(0.99),
        })
    };
    let mut first = answered(Level::One);
    let sum = |of: fn(&KindStats) -> u64| stored.iter().map(of).sum::<u64>();
    first["entries"] = sum(|kind| kind.entries).into();
    first["bytes"] = sum(|kind| kind.bytes).into();
    first["evictions_by_size"] = sum(|kind| kind.evictions_by_size).into();
    first["evictions_by_ttl"] = sum(|kind| kind.evictions_by_ttl).into();
    let second = engine.fleet.as_ref().map(|_| answered(Level::Two));
    std::iter::once(first).chain(second).collect()
}

fn origins(ledger: &Ledger) -> Value {
    let all = ledger.origins();
    let told = all.iter().map(|origin| {
        let mut told = with("origin", &origin.name, &origin.served.read());
        let asked: Map<String, Value> = origin
            .asked
            .read()
            .filter_map(|(class, times)| {
                let class = STATUS_CLASSES.get(class)?;
                Some(((*class).to_owned(), times.read().count().into()))
            })
            .collect();
        told["asked"] = asked.into();
        told
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::meter::Meter;

    #[test]
    fn what_was_never_asked_has_no_ratio() {
        let told = traffic(&Served::default());
        assert_eq!((&told["hit_ratio"], &told["p99_ms"]), (&Value::Null, &Value::Null));
        assert_eq!(told["requests"], 0);
    }

    #[test]
    fn requests_are_told_by_what_came_of_them() {
        let meter = Meter::default();
        meter.record(Outcome::Hit, Level::One, 1_500, 10);
        meter.record(Outcome::Hit, Level::Two, 1_500, 10);
        meter.record(Outcome::Miss, Level::One, 1_500, 10);
        meter.record(Outcome::Bypass, Level::One, 1_500, 10);
        let told = traffic(&meter.read());
        assert_eq!(told["hits"], json!({ "l1": 1, "l2": 1 }));
        assert_eq!((&told["misses"], &told["bypass"]), (&json!(1), &json!(1)));
        assert_eq!((&told["bytes_sent"], &told["hit_ratio"]), (&json!(40), &json!(0.6667)));
        assert!(told["p99_ms"].as_f64().is_some_and(|ms| (1.0..=1.5).contains(&ms)), "{told}");
    }
}
