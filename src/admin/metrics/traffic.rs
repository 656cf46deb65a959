//! Requests, what origins were asked, and orders. Meters of one name, which a rule has that changed
//! its type, are one series.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::named;
use crate::base::outcome::{Level, Outcome};
use crate::engine::Engine;
use crate::telemetry::exposition::{Exposition, Kind};
use crate::telemetry::histogram::Times;
use crate::telemetry::ledger::{
    FETCH_SCOPES, Ledger, OrderMeter, Reasons, RuleMeter, STATUS_CLASSES,
};
use crate::telemetry::meter::Served;

/// Writes all of it.
pub(super) fn write(engine: &Engine, text: &mut Exposition) {
    let ledger = &*engine.telemetry.ledger;
    let rules = ledger.rules();
    requests(&rules, text);
    overhead(ledger, text);
    origins(ledger, text);
    let help = "Requests that went past the cache, by reason.";
    reasons("cistern_bypass", help, &rules, |rule| &rule.bypassed, text);
    let help = "Answers that were not stored, by reason.";
    reasons("cistern_not_stored", help, &rules, |rule| &rule.not_stored, text);
    coalesced(&rules, text);
    synced(&rules, text);
    orders(&ledger.orders, text);
}

fn requests(rules: &[Arc<RuleMeter>], text: &mut Exposition) {
    let mut all: BTreeMap<&str, Served> = BTreeMap::new();
    for rule in rules {
        rule.served.add_to(all.entry(named(&rule.rule)).or_default());
    }
    let help = "Requests whose answer has ended, by what came of them and the level that answered.";
    text.family("cistern_requests", Kind::Counter, help);
    for (rule, served) in &all {
        for outcome in Outcome::ALL {
            for (level, count) in by_level(served, outcome) {
                let labels = [("rule", *rule), ("outcome", outcome.as_str()), ("level", level)];
                text.sample(&labels, count);
            }
        }
    }
    let help = "Time from a request's head to the end of its answer.";
    text.family("cistern_request_duration_seconds", Kind::Histogram, help);
    for (rule, served) in &all {
        for outcome in Outcome::ALL {
            let times = served.of(|one, _| one == outcome).times;
            if times.count() > 0 {
                text.times(&[("rule", *rule), ("outcome", outcome.as_str())], &times);
            }
        }
    }
}

/// As the access log has it: what the first level did not answer has no level.
fn by_level(served: &Served, outcome: Outcome) -> impl Iterator<Item = (&'static str, u64)> {
    let counts = Level::ALL.map(|level| {
        let count = served.count(|one, at| one == outcome && at == level);
        let answered = outcome.is_hit() || level == Level::Two;
        (if answered { level.as_word() } else { super::NONE }, count)
    });
    counts.into_iter().filter(|(_, count)| *count > 0)
}

fn overhead(ledger: &Ledger, text: &mut Exposition) {
    let help = "Time to the head of an answer, without what went by waiting for an origin or for \
                another request's fetch; failed requests are left out.";
    text.family("cistern_overhead_seconds", Kind::Histogram, help);
    let served = ledger.overhead.read();
    for outcome in Outcome::ALL {
        let times = served.of(|one, _| one == outcome).times;
        if times.count() > 0 {
            text.times(&[("outcome", outcome.as_str())], &times);
        }
    }
}

fn origins(ledger: &Ledger, text: &mut Exposition) {
    let origins = ledger.origins();
    let mut all: BTreeMap<(&str, &str), Times> = BTreeMap::new();
    for origin in &origins {
        for (class, times) in origin.asked.read() {
            let class = STATUS_CLASSES.get(class).copied().unwrap_or_default();
            all.entry((&origin.name, class)).or_default().add(times);
        }
    }
    let help = "Requests to origins, by the class of the status; failed is no answer.";
    text.family("cistern_origin_requests", Kind::Counter, help);
    for ((origin, class), times) in &all {
        text.sample(&[("origin", origin), ("status_class", class)], times.count());
    }
    let help = "Time to the head of an origin's answer.";
    text.family("cistern_origin_duration_seconds", Kind::Histogram, help);
    for ((origin, class), times) in &all {
        text.times(&[("origin", origin), ("status_class", class)], times);
    }
}

fn reasons(
    name: &'static str,
    help: &str,
    rules: &[Arc<RuleMeter>],
    of: impl Fn(&RuleMeter) -> &Reasons,
    text: &mut Exposition,
) {
    let mut all: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for rule in rules {
        for (reason, count) in of(rule).read() {
            *all.entry((named(&rule.rule), reason.as_str())).or_default() += count;
        }
    }
    text.family(name, Kind::Counter, help);
    for ((rule, reason), count) in all {
        text.sample(&[("rule", rule), ("reason", reason)], count);
    }
}

fn coalesced(rules: &[Arc<RuleMeter>], text: &mut Exposition) {
    let mut all: BTreeMap<(&str, &str), Times> = BTreeMap::new();
    for rule in rules {
        for (scope, times) in rule.coalesced.read() {
            let scope = FETCH_SCOPES.get(scope).copied().unwrap_or_default();
            all.entry((named(&rule.rule), scope)).or_default().add(times);
        }
    }
    let help = "Requests answered by a fetch that another request, or another node, had begun.";
    text.family("cistern_coalesced", Kind::Counter, help);
    for ((rule, scope), times) in &all {
        text.sample(&[("rule", rule), ("scope", scope)], times.count());
    }
    let help = "Time that such requests waited for the head of that fetch.";
    text.family("cistern_coalesce_wait_seconds", Kind::Histogram, help);
    for ((rule, scope), times) in &all {
        text.times(&[("rule", rule), ("scope", scope)], times);
    }
}

fn synced(rules: &[Arc<RuleMeter>], text: &mut Exposition) {
    let mut all: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for rule in rules {
        for (result, count) in rule.synced.read() {
            *all.entry((named(&rule.rule), result)).or_default() += count;
        }
    }
    let help = "Entries that their origin was asked about by syncing, by what came of it.";
    text.family("cistern_sync", Kind::Counter, help);
    for ((rule, result), count) in all {
        text.sample(&[("rule", rule), ("result", result)], count);
    }
}

fn orders(orders: &OrderMeter, text: &mut Exposition) {
    let read = orders.read();
    let help = "Orders to purge that this node carried out, by who gave them and the widest thing \
                that they named.";
    text.family("cistern_purges", Kind::Counter, help);
    for (by, scope, count, _) in &read {
        text.sample(&[("by", by), ("scope", scope)], count);
    }
    let help = "Entries of this node's first level that orders took.";
    text.family("cistern_purged_entries", Kind::Counter, help);
    for (by, scope, _, entries) in &read {
        text.sample(&[("by", by), ("scope", scope)], entries);
    }
    let mut propagated = orders.propagation.read().peekable();
    if propagated.peek().is_none() {
        return;
    }
    let help = "Time until the shared level, or all nodes, had followed an order of this node.";
    text.family("cistern_purge_propagation_seconds", Kind::Histogram, help);
    for (place, times) in propagated {
        let (by, scope) = OrderMeter::words(place);
        text.times(&[("by", by), ("scope", scope)], &times.read());
    }
}
