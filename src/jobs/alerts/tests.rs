use super::*;
use crate::base::outcome::{Level, Outcome};
use crate::telemetry::meter::Meter;

/// A node that is looked at each second.
struct Node {
    alerts: Alerts,
    meter: Meter,
    reading: Reading,
    changes: Vec<(u64, bool, &'static str, Severity)>,
}

impl Node {
    fn new() -> Self {
        let reading = Reading { memory: 1_000, resident: Some(100), ..Reading::default() };
        Self { alerts: Alerts::default(), meter: Meter::default(), reading, changes: Vec::new() }
    }

    /// Goes on for so many seconds, with so many hits and misses in each.
    fn lives(&mut self, seconds: u64, hits: u64, misses: u64) -> &mut Self {
        for _ in 0..seconds {
            (0..hits).for_each(|_| self.meter.record(Outcome::Hit, Level::One, 90, 0));
            (0..misses).for_each(|_| self.meter.record(Outcome::Miss, Level::One, 90, 0));
            self.reading.at = self.reading.at.plus(Span::from_secs(1));
            self.reading.overhead = self.meter.read();
            let at = self.reading.at.as_secs();
            for change in self.alerts.take(self.reading.clone()) {
                let Alert { alert, severity, .. } = change.alert;
                self.changes.push((at, change.raised, alert, severity));
            }
        }
        self
    }

    fn changed(&mut self) -> Vec<(u64, bool, &'static str, Severity)> {
        std::mem::take(&mut self.changes)
    }

    fn active(&self) -> Vec<(&'static str, Severity)> {
        let all = self.alerts.all().into_iter().filter(|alert| alert.active);
        all.map(|alert| (alert.alert, alert.severity)).collect()
    }
}

use Severity::{Critical, Warning};

#[test]
fn a_bad_ratio_is_told_after_a_minute_and_taken_back_with_a_margin() {
    let mut node = Node::new();
    node.lives(59, 4, 6);
    assert_eq!(node.changed(), []);
    node.lives(40, 4, 6);
    // The first ten seconds had too few requests to speak of.
    let both = [(71, true, "hit-ratio", Critical), (71, true, "hit-ratio", Warning)];
    assert_eq!(node.changed(), both);
    // Between its two bounds nothing changes: 52 % is not bad, and not good either.
    node.lives(600, 52, 48);
    assert_eq!(node.changed(), []);
    assert_eq!(node.active(), [("hit-ratio", Critical), ("hit-ratio", Warning)]);
    node.lives(600, 60, 40);
    let cleared = node.changed();
    let [(_, false, "hit-ratio", Critical)] = cleared[..] else { panic!("{cleared:?}") };
    assert_eq!(node.active(), [("hit-ratio", Warning)]);
    node.lives(600, 90, 10);
    assert_eq!(node.active(), []);
}

#[test]
fn a_quiet_night_wakes_nobody() {
    let mut node = Node::new();
    // Fewer than a hundred in five minutes, all of them misses.
    for _ in 0..200 {
        node.lives(4, 0, 0).lives(1, 0, 1);
    }
    assert_eq!(node.changed(), []);
    // What was raised ends when there is nothing to measure any more.
    node.lives(300, 0, 5);
    assert_eq!(node.active(), [("hit-ratio", Critical), ("hit-ratio", Warning)]);
    node.lives(400, 0, 0);
    assert_eq!(node.active(), []);
}

#[test]
fn a_value_that_comes_and_goes_is_not_told() {
    let mut node = Node::new();
    for _ in 0..20 {
        node.reading.resident = Some(950);
        node.lives(9, 0, 0);
        node.reading.resident = Some(500);
        node.lives(1, 0, 0);
    }
    assert_eq!(node.changed(), []);
    node.reading.resident = Some(870);
    node.lives(11, 0, 0);
    assert_eq!(node.active(), [("memory", Warning)]);
    node.reading.resident = Some(930);
    node.lives(11, 0, 0);
    assert_eq!(node.active(), [("memory", Critical), ("memory", Warning)]);
    // Down a little, and up again: not good yet.
    node.reading.resident = Some(860);
    node.lives(60, 0, 0);
    assert_eq!(node.active(), [("memory", Critical), ("memory", Warning)]);
    node.reading.resident = Some(600);
    node.lives(11, 0, 0);
    assert_eq!(node.active(), []);
}

#[test]
fn a_server_that_is_away_is_told_within_seconds() {
    let mut node = Node::new();
    node.reading.servers_away = Some(1);
    node.lives(4, 0, 0);
    assert_eq!(node.changed(), [(4, true, "redis-down", Critical)]);
    let told = &node.alerts.all()[0];
    assert_eq!((told.value.as_deref(), told.bound.as_str()), (Some("1"), "above 0"));
    assert_eq!((told.command, told.for_seconds), ("cistern doctor", Some(0)));
    node.reading.servers_away = Some(0);
    node.lives(4, 0, 0);
    assert_eq!(node.changed(), [(8, false, "redis-down", Critical)]);
}

#[test]
fn a_server_that_fills_is_told_before_it_is_full() {
    let mut node = Node::new();
    node.reading.servers_full = Some(84.0);
    node.lives(11, 0, 0);
    assert_eq!(node.active(), [("redis-memory", Warning)]);
    node.reading.servers_full = Some(96.0);
    node.lives(11, 0, 0);
    assert_eq!(node.active(), [("redis-memory", Critical), ("redis-memory", Warning)]);
    node.reading.servers_full = None;
    node.lives(11, 0, 0);
    assert_eq!(node.active(), []);
}

#[test]
fn what_is_slow_and_what_leaves_early_is_told() {
    let mut node = Node::new();
    for _ in 0..90 {
        node.meter.record(Outcome::Miss, Level::One, 400_000, 0);
        node.reading.evicted += 10;
        node.reading.evicted_early += 6;
        node.lives(1, 10, 0);
    }
    assert_eq!(node.active(), [("latency", Warning), ("early-evictions", Warning)]);
    node.reading.evicted += 1_000;
    node.lives(400, 10, 0);
    assert_eq!(node.active(), []);
}

#[test]
fn names_with_severities_are_told_once() {
    let mut names: Vec<_> = BOUNDS.iter().map(|one| (one.name, one.severity.as_str())).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), BOUNDS.len());
    assert!(BOUNDS.iter().all(|one| one.command.starts_with("cistern ") && !one.cause.is_empty()));
}
