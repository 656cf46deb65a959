//! Every meter by the name of what it meters: rules and origins, as the rules in force name them,
//! and what belongs to the whole node. Names come from the rules file, never from a request, and
//! there are at most [`METERED_MAX`] of each: a series that grew with traffic would take a scraper
//! down.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::base::limits::METERED_MAX;
use crate::base::reason::Reason;
use crate::telemetry::histogram::Histogram;
use crate::telemetry::meter::Meter;
use crate::telemetry::synced::{LastSync, SyncCounts};

/// The name of the meter that is shared by what has none of its own.
pub const OTHER: &str = "other";

/// Who gives orders, as the event log says it.
pub const ORDERED_BY: [&str; 9] =
    ["write", "purge", "admin", "event", "cascade", "fleet", "sweep", "sync", OTHER];

/// What orders name, from one thing to everything.
pub const SCOPES: [&str; 9] =
    ["key", "url", "tag", "rule", "type", "prefix", "pattern", "tenant", "all"];

/// What an origin answered: the first digit of the status, or that it gave none.
pub const STATUS_CLASSES: [&str; 6] = ["1xx", "2xx", "3xx", "4xx", "5xx", "failed"];

/// Where a fetch ran that was shared: in this node, or in another one of its fleet.
pub const FETCH_SCOPES: [&str; 2] = ["node", "cluster"];

/// Counts of each reason.
#[derive(Debug, Default)]
pub struct Reasons(OnceLock<Box<[AtomicU64; Reason::ALL.len()]>>);

impl Reasons {
    /// One more for this reason.
    pub fn count(&self, reason: Reason) {
        let counts = self.0.get_or_init(|| Box::new([const { AtomicU64::new(0) }; _]));
        if let Some(count) = counts.get(reason.index()) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Those that were given, with their counts.
    pub fn read(&self) -> impl Iterator<Item = (Reason, u64)> {
        let counts = self.0.get().into_iter().flat_map(|counts| counts.iter());
        let read = Reason::ALL.iter().zip(counts);
        read.map(|(reason, count)| (*reason, count.load(Ordering::Relaxed)))
            .filter(|(_, count)| *count > 0)
    }
}

/// Times of each of a few named cases; what never happens takes no memory.
#[derive(Debug)]
pub struct Cases<const N: usize>([OnceLock<Box<Histogram>>; N]);

impl<const N: usize> Default for Cases<N> {
    fn default() -> Self {
        Self([const { OnceLock::new() }; N])
    }
}

impl<const N: usize> Cases<N> {
    /// One of the case in this place took so many microseconds.
    pub fn record(&self, case: usize, micros: u64) {
        if let Some(histogram) = self.0.get(case) {
            histogram.get_or_init(Box::default).record(micros);
        }
    }

    /// Those that happened, by their places.
    pub fn read(&self) -> impl Iterator<Item = (usize, &Histogram)> {
        let known = self.0.iter().enumerate();
        known.filter_map(|(case, histogram)| Some((case, &**histogram.get()?)))
    }
}

/// What is metered of one rule.
#[derive(Debug)]
pub struct RuleMeter {
    /// Its name; empty for requests that no rule takes.
    pub rule: Arc<str>,
    /// Its type; empty for the nameless one.
    pub kind: Arc<str>,
    /// Its requests.
    pub served: Meter,
    /// Why they went past the cache.
    pub bypassed: Reasons,
    /// Why answers were not stored.
    pub not_stored: Reasons,
    /// How long requests waited for a fetch that was another's, by [`FETCH_SCOPES`].
    pub coalesced: Cases<{ FETCH_SCOPES.len() }>,
    /// What came of its entries when their origin was asked about them.
    pub synced: SyncCounts,
}

impl RuleMeter {
    fn named(rule: &str, kind: &str) -> Self {
        Self {
            rule: rule.into(),
            kind: kind.into(),
            served: Meter::default(),
            bypassed: Reasons::default(),
            not_stored: Reasons::default(),
            coalesced: Cases::default(),
            synced: SyncCounts::default(),
        }
    }
}

impl Default for RuleMeter {
    fn default() -> Self {
        Self::named("", "")
    }
}

/// What is metered of one origin.
#[derive(Debug)]
pub struct OriginMeter {
    /// Its name.
    pub name: Arc<str>,
    /// Requests that belong to it, also those that did not reach it.
    pub served: Meter,
    /// How long it took to the head of its answer, by [`STATUS_CLASSES`].
    pub asked: Cases<{ STATUS_CLASSES.len() }>,
}

impl OriginMeter {
    fn named(name: &str) -> Self {
        Self { name: name.into(), served: Meter::default(), asked: Cases::default() }
    }

    /// It answered with this status, or not at all.
    pub fn answered(&self, status: Option<u16>, micros: u64) {
        let digit = status.map_or(0, |status| usize::from(status / 100));
        let failed = STATUS_CLASSES.len() - 1;
        self.asked.record(digit.checked_sub(1).unwrap_or(failed).min(failed), micros);
    }
}

impl Default for OriginMeter {
    fn default() -> Self {
        Self::named("")
    }
}

/// Orders, by who gave them and what they named.
#[derive(Debug, Default)]
pub struct OrderMeter {
    orders: [[AtomicU64; SCOPES.len()]; ORDERED_BY.len()],
    entries: [[AtomicU64; SCOPES.len()]; ORDERED_BY.len()],
    /// How long orders took until the shared level, or all nodes, had followed them; by
    /// [`OrderMeter::place`].
    pub propagation: Cases<{ SCOPES.len() * ORDERED_BY.len() }>,
}

impl OrderMeter {
    /// The place of a pair of words, for [`OrderMeter::propagation`].
    pub fn place(by: &str, scope: &str) -> usize {
        row(by) * SCOPES.len() + column(scope)
    }

    /// The words of a place.
    pub fn words(place: usize) -> (&'static str, &'static str) {
        let word = |words: &[&'static str], at: usize| words.get(at).copied().unwrap_or(OTHER);
        (word(&ORDERED_BY, place / SCOPES.len()), word(&SCOPES, place % SCOPES.len()))
    }

    /// An order was carried out here, and so many entries went.
    pub fn count(&self, by: &str, scope: &str, entries: u64) {
        let add = |counts: &[[AtomicU64; SCOPES.len()]; ORDERED_BY.len()], more: u64| {
            if let Some(count) = counts.get(row(by)).and_then(|row| row.get(column(scope))) {
                count.fetch_add(more, Ordering::Relaxed);
            }
        };
        add(&self.orders, 1);
        add(&self.entries, entries);
    }

    /// Those that came: who gave them, what they named, how many, and how many entries went.
    pub fn read(&self) -> Vec<(&'static str, &'static str, u64, u64)> {
        let mut all = Vec::new();
        for ((by, orders), entries) in ORDERED_BY.into_iter().zip(&self.orders).zip(&self.entries) {
            for ((scope, orders), entries) in SCOPES.into_iter().zip(orders).zip(entries) {
                let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
                if load(orders) > 0 {
                    all.push((by, scope, load(orders), load(entries)));
                }
            }
        }
        all
    }
}

fn row(by: &str) -> usize {
    ORDERED_BY.iter().position(|word| *word == by).unwrap_or(ORDERED_BY.len() - 1)
}

fn column(scope: &str) -> usize {
    SCOPES.iter().position(|word| *word == scope).unwrap_or(SCOPES.len() - 1)
}

/// All meters of a node.
#[derive(Debug, Default)]
pub struct Ledger {
    rules: Mutex<Vec<Arc<RuleMeter>>>,
    origins: Mutex<Vec<Arc<OriginMeter>>>,
    /// What this node adds to requests, beside what it waits for: an origin, or another's fetch.
    pub overhead: Meter,
    /// Orders.
    pub orders: OrderMeter,
    /// When entries were synced last.
    pub last_sync: LastSync,
}

impl Ledger {
    /// The meter of a rule and its type. One that was in force before keeps its counts.
    pub fn rule(&self, rule: &str, kind: &str) -> Arc<RuleMeter> {
        let named = |meter: &RuleMeter| *meter.rule == *rule && *meter.kind == *kind;
        let other = |meter: &RuleMeter| *meter.rule == *OTHER && *meter.kind == *OTHER;
        let own = || RuleMeter::named(rule, kind);
        metered(&mut lock(&self.rules), named, own, other, || RuleMeter::named(OTHER, OTHER))
    }

    /// The meter of an origin.
    pub fn origin(&self, name: &str) -> Arc<OriginMeter> {
        let named = |meter: &OriginMeter| *meter.name == *name;
        let other = |meter: &OriginMeter| *meter.name == *OTHER;
        let own = || OriginMeter::named(name);
        metered(&mut lock(&self.origins), named, own, other, || OriginMeter::named(OTHER))
    }

    /// The meters of all rules, those that are gone from the rules among them.
    pub fn rules(&self) -> Vec<Arc<RuleMeter>> {
        lock(&self.rules).clone()
    }

    /// The meters of all origins.
    pub fn origins(&self) -> Vec<Arc<OriginMeter>> {
        lock(&self.origins).clone()
    }
}

/// The meter with this name, a new one while there is room, or the shared one.
fn metered<T>(
    all: &mut Vec<Arc<T>>,
    named: impl Fn(&T) -> bool,
    own: impl Fn() -> T,
    other: impl Fn(&T) -> bool,
    shared: impl Fn() -> T,
) -> Arc<T> {
    if let Some(known) = all.iter().find(|meter| named(meter)) {
        return Arc::clone(known);
    }
    let full = all.len() >= METERED_MAX;
    if full && let Some(known) = all.iter().find(|meter| other(meter)) {
        return Arc::clone(known);
    }
    let new = Arc::new(if full { shared() } else { own() });
    all.push(Arc::clone(&new));
    new
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::outcome::{Level, Outcome};

    #[test]
    fn a_rule_that_stays_keeps_its_counts() {
        let ledger = Ledger::default();
        ledger.rule("a", "doc").served.record(Outcome::Hit, Level::One, 1, 1);
        let again = ledger.rule("a", "doc");
        assert_eq!(again.served.read().count(|_, _| true), 1);
        assert_eq!(ledger.rule("a", "page").served.read().count(|_, _| true), 0);
        assert_eq!(ledger.rules().len(), 2);
    }

    #[test]
    fn names_beyond_the_bound_share_a_meter() {
        let ledger = Ledger::default();
        for number in 0..METERED_MAX + 5 {
            let meter = ledger.origin(&format!("o{number}"));
            assert_eq!(&*meter.name == OTHER, number >= METERED_MAX, "{number}");
            ledger.rule(&format!("r{number}"), "");
        }
        assert_eq!(ledger.origins().len(), METERED_MAX + 1);
        assert_eq!(ledger.rules().len(), METERED_MAX + 1);
        assert_eq!(&*ledger.origin("o7").name, "o7");
    }

    #[test]
    fn orders_and_reasons_are_counted_by_their_words() {
        let orders = OrderMeter::default();
        orders.count("write", "tag", 3);
        orders.count("write", "tag", 0);
        orders.count("somebody", "all", 1);
        assert_eq!(orders.read(), [("write", "tag", 2, 3), ("other", "all", 1, 1)]);
        for (by, scope) in [("admin", "prefix"), ("fleet", "key")] {
            assert_eq!(OrderMeter::words(OrderMeter::place(by, scope)), (by, scope));
        }
        let reasons = Reasons::default();
        assert_eq!(reasons.read().count(), 0);
        reasons.count(Reason::Method);
        reasons.count(Reason::Method);
        assert_eq!(reasons.read().collect::<Vec<_>>(), [(Reason::Method, 2)]);
    }

    #[test]
    fn answers_are_told_apart_by_their_first_digit() {
        let origin = OriginMeter::default();
        for status in [Some(204), Some(599), None, Some(700), Some(0)] {
            origin.answered(status, 5);
        }
        let seen: Vec<_> =
            origin.asked.read().map(|(case, times)| (case, times.read().count())).collect();
        assert_eq!(seen, [(1, 1), (4, 1), (5, 3)]);
    }
}
