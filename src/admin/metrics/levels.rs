//! What stands in the first level, what was asked of the shared one, and how far this node is
//! behind its fleet.

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::named;
use crate::base::outcome::Level;
use crate::base::units::Span;
use crate::engine::Engine;
use crate::store::l1::KindStats;
use crate::store::redis::fleet::{FIND_RESULTS, Fleet, PUT_RESULTS};
use crate::telemetry::exposition::{Exposition, Kind, Seconds};
use crate::telemetry::histogram::Times;

/// Writes all of it.
pub(super) fn write(engine: &Engine, text: &mut Exposition) {
    first(&engine.l1.stats(), text);
    if let Some(fleet) = &engine.fleet {
        shared(fleet, text);
        let lag = engine.trust.behind(engine.trust.at(Instant::now()));
        coherence(fleet.stats().gaps.value(), lag, text);
    }
}

fn first(kinds: &[KindStats], text: &mut Exposition) {
    let level = ("level", Level::One.as_word());
    // A type may have the name by which the nameless one is told.
    let mut all: BTreeMap<&str, [u64; 5]> = BTreeMap::new();
    for kind in kinds {
        let KindStats { entries, bytes, budget, evictions_by_size, evictions_by_ttl, .. } = *kind;
        let values = [entries, bytes, budget, evictions_by_size, evictions_by_ttl];
        let sums = all.entry(named(&kind.name)).or_default();
        sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
    }
    let gauges = [
        ("cistern_entries", "Answers that are stored."),
        ("cistern_bytes", "What they cost, bookkeeping included."),
        (
            "cistern_budget_bytes",
            "What a type may take; types without a budget of their own share one.",
        ),
    ];
    for (at, (name, help)) in gauges.into_iter().enumerate() {
        text.family(name, Kind::Gauge, help);
        for (kind, values) in &all {
            text.sample(&[("type", *kind), level], values.get(at).unwrap_or(&0));
        }
    }
    let help = "Entries that left by themselves: for want of room, or because their time was over.";
    text.family("cistern_evictions", Kind::Counter, help);
    for (kind, [.., by_size, by_ttl]) in &all {
        for (cause, count) in [("size", by_size), ("ttl", by_ttl)] {
            text.sample(&[("type", *kind), level, ("cause", cause)], count);
        }
    }
}

fn shared(fleet: &Fleet, text: &mut Exposition) {
    let store = ("store", Level::Two.as_word());
    let mut all: BTreeMap<(&str, &str), Times> = BTreeMap::new();
    let stats = fleet.stats();
    let calls = [("find", FIND_RESULTS, &stats.finding), ("put", PUT_RESULTS, &stats.putting)];
    for (op, results, cases) in calls {
        for (case, times) in cases.read() {
            let result = results.get(case).copied().unwrap_or_default();
            all.entry((op, result)).or_default().add(times);
        }
    }
    let help = "Looks into the shared level and puts there, by what came of them.";
    text.family("cistern_store_operations", Kind::Counter, help);
    for ((op, result), times) in &all {
        text.sample(&[store, ("op", op), ("result", result)], times.count());
    }
    let help = "Time that they took.";
    text.family("cistern_store_duration_seconds", Kind::Histogram, help);
    for ((op, result), times) in &all {
        text.times(&[store, ("op", op), ("result", result)], times);
    }
    let help = "Whether a server is asked: 0 it is, 1 it is being probed, 2 it is not.";
    text.family("cistern_store_breaker_state", Kind::Gauge, help);
    // A server may stand in two roles for a moment.
    let servers = fleet.snapshot().servers;
    let states: BTreeMap<_, _> = servers
        .iter()
        .map(|server| ((&*server.address, server.role), state(server.state)))
        .collect();
    for ((server, role), state) in states {
        text.sample(&[store, ("server", server), ("role", role)], state);
    }
}

fn state(word: &str) -> u8 {
    match word {
        "closed" => 0,
        "half-open" => 1,
        _ => 2,
    }
}

fn coherence(gaps: u64, lag: Option<Span>, text: &mut Exposition) {
    let help = "Times that orders of other nodes may have been missed.";
    text.family("cistern_coherence_gaps", Kind::Counter, help).sample(&[], gaps);
    if let Some(lag) = lag {
        let help = "Time since this node last knew all that its fleet had ordered.";
        text.family("cistern_coherence_lag_seconds", Kind::Gauge, help)
            .sample(&[], Seconds(lag.as_millis() * 1_000));
    }
}
