//! What is looked at to find out whether somebody must be told: readings of the node, and what two
//! of them say about the time between. All of it is plain values.

use crate::base::clock::Timestamp;
use crate::base::limits::ALERT_TRAFFIC_MIN;
use crate::base::outcome::Outcome;
use crate::telemetry::meter::Served;

/// The node at one moment.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// When, on a clock that does not go back.
    pub at: Timestamp,
    /// What the node added to requests, by outcome; counted since its start.
    pub overhead: Served,
    /// Entries that had to make room, since the start.
    pub evicted: u64,
    /// Those of them that were not half as old as they might have become.
    pub evicted_early: u64,
    /// Bytes in memory, where the system tells it.
    pub resident: Option<u64>,
    /// Bytes that it may hold there.
    pub memory: u64,
    /// Servers of the shared level that are not asked now; `None` without such a level.
    pub servers_away: Option<usize>,
    /// How full the fullest of them is that may not evict, in percent.
    pub servers_full: Option<f64>,
    /// Days until the first certificate ends; below zero when it has. `None` without any.
    pub certificate_days: Option<f64>,
}

/// What an alert looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Servers of the shared level that are not asked.
    ServersAway,
    /// How full the fullest of them is that may not evict, in percent.
    ServersFull,
    /// Days until the first certificate ends.
    CertificateDays,
    /// The share of `memory` that the process holds, in percent.
    Memory,
    /// The share of cacheable requests that came from the cache, in percent.
    HitRatio,
    /// What the node adds to 99 of 100 requests at most, in milliseconds.
    Latency,
    /// Of entries that made room, the share that left before half their life, in percent.
    EarlyEvictions,
}

impl Measure {
    /// Its value now, over the time since `before` where it counts what happens. `None` where there
    /// is none, or too little happened to speak of.
    pub fn of(self, now: &Reading, before: &Reading) -> Option<f64> {
        match self {
            Self::ServersAway => now.servers_away.map(|away| away as f64),
            Self::ServersFull => now.servers_full,
            Self::CertificateDays => now.certificate_days,
            Self::Memory => {
                let memory = (now.memory > 0).then_some(now.memory as f64)?;
                Some(100.0 * now.resident? as f64 / memory)
            }
            Self::HitRatio => {
                let since = now.overhead.since(&before.overhead);
                let all = since.count(|outcome, _| outcome.is_cacheable());
                enough(all).then(|| since.hit_ratio())?.map(|ratio| 100.0 * ratio)
            }
            Self::Latency => {
                let since = now.overhead.since(&before.overhead);
                let times = since.of(|outcome, _| outcome != Outcome::Error).times;
                enough(times.count()).then(|| times.quantile(0.99))?.map(|micros| micros / 1_000.0)
            }
            Self::EarlyEvictions => {
                let all = now.evicted.saturating_sub(before.evicted);
                let early = now.evicted_early.saturating_sub(before.evicted_early);
                enough(all).then(|| 100.0 * early as f64 / all as f64)
            }
        }
    }

    /// A value in words.
    pub fn shown(self, value: f64) -> String {
        match self {
            Self::ServersAway => format!("{value:.0}"),
            Self::Latency => format!("{value:.0} ms"),
            Self::CertificateDays => format!("{:.0} days", value.floor()),
            Self::ServersFull | Self::Memory | Self::HitRatio | Self::EarlyEvictions => {
                format!("{value:.0} %")
            }
        }
    }
}

/// A ratio of few is no ratio: every quiet night would wake somebody.
const fn enough(count: u64) -> bool {
    count >= ALERT_TRAFFIC_MIN
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::outcome::Level;
    use crate::telemetry::meter::Meter;

    #[test]
    fn a_ratio_of_few_says_nothing() {
        let meter = Meter::default();
        let before = Reading::default();
        let ask = |outcome, count: u64, micros| {
            (0..count).for_each(|_| meter.record(outcome, Level::One, micros, 0));
            Reading { overhead: meter.read(), ..Reading::default() }
        };
        let few = ask(Outcome::Miss, 60, 1_000);
        assert_eq!(Measure::HitRatio.of(&few, &before), None);
        assert_eq!(Measure::Latency.of(&few, &before), None);
        ask(Outcome::Bypass, 100, 200_000);
        let many = ask(Outcome::Hit, 40, 1_000);
        assert_eq!(Measure::HitRatio.of(&many, &before), Some(40.0), "what passes does not count");
        assert!(Measure::Latency.of(&many, &before).is_some_and(|ms| ms > 100.0));
        assert_eq!(Measure::HitRatio.of(&many, &few), None, "only what came since counts");
    }

    #[test]
    fn what_is_not_known_has_no_value() {
        let none = Reading::default();
        let all = [
            Measure::ServersAway,
            Measure::ServersFull,
            Measure::Memory,
            Measure::HitRatio,
            Measure::Latency,
            Measure::EarlyEvictions,
        ];
        assert!(all.iter().all(|measure| measure.of(&none, &none).is_none()));
        let some = Reading {
            resident: Some(450),
            memory: 500,
            evicted: 200,
            evicted_early: 150,
            servers_away: Some(0),
            servers_full: Some(12.5),
            ..Reading::default()
        };
        assert_eq!(
            all.map(|measure| measure.of(&some, &none)),
            [Some(0.0), Some(12.5), Some(90.0), None, None, Some(75.0)]
        );
        assert_eq!(Measure::Memory.shown(90.4), "90 %");
    }
}
