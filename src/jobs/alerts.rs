//! When somebody must be told: bounds on what is measured, with hysteresis. An alert is raised when
//! its bound has been passed for a while, and cleared when the value has been well on the other
//! side for as long; between the two nothing changes. Pure: readings in, changes out.

use std::collections::VecDeque;

use schemars::JsonSchema;
use serde::Serialize;

use super::measure::{Measure, Reading};
use crate::base::clock::Timestamp;
use crate::base::limits::{ALERT_READ_EVERY, ALERT_READINGS_MAX};
use crate::base::units::Span;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Somebody should look today.
    Warning,
    /// Somebody should look now.
    Critical,
}

impl Severity {
    /// The word in logs and labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// A bound, and what to do when it is passed.
#[derive(Debug)]
struct Bound {
    name: &'static str,
    severity: Severity,
    measure: Measure,
    /// Beyond it things are bad: above it, or below it where `clear` stands above.
    raise: f64,
    /// From here on they are good again.
    clear: f64,
    /// How long it must be so.
    holds: Span,
    cause: &'static str,
    command: &'static str,
}

const REDIS_MEMORY: &str = "maxmemory is too small for what is kept there, and the policy lets \
                            nothing go: soon nothing new is put";
const MEMORY: &str = "`memory` is too small for l1.size and the answers on their way, or the \
                      machine has less to give";
const HIT_RATIO: &str = "lifetimes are short, purges are wide, keys are too fine, or answers may \
                         not be stored; the reasons are in cistern_not_stored_total";

const CERTIFICATE: &str = "a certificate of a listener is not renewed, or the new files are not \
                           where the settings name them";

/// All bounds, the worst first.
const BOUNDS: [Bound; 11] = [
    Bound {
        name: "redis-down",
        severity: Severity::Critical,
        measure: Measure::ServersAway,
        raise: 0.0,
        clear: 0.0,
        holds: Span::from_secs(3),
        cause: "a server of the shared level does not answer, or refuses this node",
        command: "cistern doctor",
    },
    Bound {
        name: "redis-memory",
        severity: Severity::Critical,
        measure: Measure::ServersFull,
        raise: 90.0,
        clear: 85.0,
        holds: Span::from_secs(5),
        cause: REDIS_MEMORY,
        command: "cistern doctor",
    },
    Bound {
        name: "memory",
        severity: Severity::Critical,
        measure: Measure::Memory,
        raise: 90.0,
        clear: 85.0,
        holds: Span::from_secs(10),
        cause: MEMORY,
        command: "cistern stats",
    },
    Bound {
        name: "hit-ratio",
        severity: Severity::Critical,
        measure: Measure::HitRatio,
        raise: 50.0,
        clear: 55.0,
        holds: Span::from_secs(60),
        cause: HIT_RATIO,
        command: "cistern stats",
    },
    Bound {
        name: "certificate-expiry",
        severity: Severity::Critical,
        measure: Measure::CertificateDays,
        raise: 3.0,
        clear: 4.0,
        holds: Span::from_secs(1),
        cause: CERTIFICATE,
        command: "cistern log --kind reload",
    },
    Bound {
        name: "redis-memory",
        severity: Severity::Warning,
        measure: Measure::ServersFull,
        raise: 80.0,
        clear: 75.0,
        holds: Span::from_secs(5),
        cause: REDIS_MEMORY,
        command: "cistern doctor",
    },
    Bound {
        name: "memory",
        severity: Severity::Warning,
        measure: Measure::Memory,
        raise: 80.0,
        clear: 75.0,
        holds: Span::from_secs(10),
        cause: MEMORY,
        command: "cistern stats",
    },
    Bound {
        name: "latency",
        severity: Severity::Warning,
        measure: Measure::Latency,
        raise: 100.0,
        clear: 80.0,
        holds: Span::from_secs(60),
        cause: "the machine is busy, or the shared level or other nodes confirm slowly",
        command: "cistern stats",
    },
    Bound {
        name: "hit-ratio",
        severity: Severity::Warning,
        measure: Measure::HitRatio,
        raise: 70.0,
        clear: 75.0,
        holds: Span::from_secs(60),
        cause: HIT_RATIO,
        command: "cistern stats",
    },
    Bound {
        name: "certificate-expiry",
        severity: Severity::Warning,
        measure: Measure::CertificateDays,
        raise: 14.0,
        clear: 15.0,
        holds: Span::from_secs(1),
        cause: CERTIFICATE,
        command: "cistern log --kind reload",
    },
    Bound {
        name: "early-evictions",
        severity: Severity::Warning,
        measure: Measure::EarlyEvictions,
        raise: 50.0,
        clear: 40.0,
        holds: Span::from_secs(60),
        cause: "l1.size, or the max_size of a type, is too small for what is asked for",
        command: "cistern stats",
    },
];

/// How many alerts there are.
const ALERTS: usize = BOUNDS.len();

impl Bound {
    const fn is_floor(&self) -> bool {
        self.clear > self.raise
    }

    fn is_bad(&self, value: f64) -> bool {
        if self.is_floor() { value < self.raise } else { value > self.raise }
    }

    fn is_good(&self, value: f64) -> bool {
        if self.is_floor() { value >= self.clear } else { value <= self.clear }
    }
}

/// Where one alert stands.
#[derive(Clone, Copy, Debug, Default)]
struct Standing {
    active: Option<Timestamp>,
    /// Since when the value has spoken for a change.
    turning: Option<Timestamp>,
    value: Option<f64>,
}

/// One alert, as operators are told.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize)]
pub struct Alert {
    /// What it is about.
    pub alert: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// Whether it is raised.
    pub active: bool,
    /// For how many seconds.
    pub for_seconds: Option<u64>,
    /// What was measured last, in words; nothing where there is nothing to measure.
    pub value: Option<String>,
    /// The bound.
    pub bound: String,
    /// What is usually behind it.
    pub cause: &'static str,
    /// What to call to look closer.
    pub command: &'static str,
}

/// Something that changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Whether it was raised, or cleared.
    pub raised: bool,
    /// The alert as it stands now.
    pub alert: Alert,
}

/// All alerts, and readings of the last five minutes.
#[derive(Debug, Default)]
pub struct Alerts {
    standings: [Standing; ALERTS],
    /// The oldest first, some seconds apart.
    readings: VecDeque<Reading>,
    /// When the last reading was made.
    now: Timestamp,
}

impl Alerts {
    /// Takes a reading; gives back what changed with it.
    pub fn take(&mut self, reading: Reading) -> Vec<Change> {
        self.now = reading.at;
        let nothing = Reading { at: reading.at, ..Reading::default() };
        let before = self.readings.front().unwrap_or(&nothing);
        let values = BOUNDS.each_ref().map(|bound| bound.measure.of(&reading, before));
        let mut changes = Vec::new();
        for ((bound, standing), value) in BOUNDS.iter().zip(&mut self.standings).zip(values) {
            standing.value = value;
            if standing.moves(bound, reading.at) {
                let raised = standing.active.is_some();
                changes.push(Change { raised, alert: standing.told(bound, reading.at) });
            }
        }
        let due = |last: &Reading| reading.at.since(last.at) >= ALERT_READ_EVERY;
        if self.readings.back().is_none_or(due) {
            self.readings.push_back(reading);
            if self.readings.len() > ALERT_READINGS_MAX {
                self.readings.pop_front();
            }
        }
        changes
    }

    /// Every alert, the worst first.
    pub fn all(&self) -> Vec<Alert> {
        let all = BOUNDS.iter().zip(&self.standings);
        all.map(|(bound, standing)| standing.told(bound, self.now)).collect()
    }
}

impl Standing {
    /// Whether it was raised or cleared now.
    fn moves(&mut self, bound: &Bound, now: Timestamp) -> bool {
        let turns = match (self.active, self.value) {
            (None, value) => value.is_some_and(|value| bound.is_bad(value)),
            // What cannot be measured any more is nothing to wake somebody for.
            (Some(_), value) => value.is_none_or(|value| bound.is_good(value)),
        };
        if !turns {
            self.turning = None;
            return false;
        }
        let since = *self.turning.get_or_insert(now);
        if now.since(since) < bound.holds {
            return false;
        }
        self.turning = None;
        self.active = if self.active.is_some() { None } else { Some(now) };
        true
    }

    fn told(&self, bound: &Bound, now: Timestamp) -> Alert {
        let side = if bound.is_floor() { "below" } else { "above" };
        Alert {
            alert: bound.name,
            severity: bound.severity,
            active: self.active.is_some(),
            for_seconds: self.active.map(|since| now.since(since).as_secs()),
            value: self.value.map(|value| bound.measure.shown(value)),
            bound: format!("{side} {}", bound.measure.shown(bound.raise)),
            cause: bound.cause,
            command: bound.command,
        }
    }
}

#[cfg(test)]
mod tests;
