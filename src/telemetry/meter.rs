//! What requests came to, counted by outcome and level without a lock: each thread adds to a lane
//! of its own, whose memory no other thread writes, and whoever reads adds the lanes up.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread::available_parallelism;

use crate::base::limits::METER_LANES_MAX;
use crate::base::outcome::{Level, Outcome};
use crate::telemetry::histogram::{Histogram, Times};

const CLASSES: usize = Outcome::ALL.len() * Level::ALL.len();

// A thread belongs to the process and not to an engine, and so does its number; it counts nothing
// but threads.
static THREADS: AtomicUsize = AtomicUsize::new(0);

std::thread_local! {
    static LANE: usize = THREADS.fetch_add(1, Ordering::Relaxed);
}

/// Counts of one thread, on cache lines of their own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Lane {
    times: Histogram,
    bytes: AtomicU64,
}

/// Requests of one thing, by outcome and level. What never happens takes no memory.
#[derive(Debug)]
pub struct Meter {
    classes: [OnceLock<Box<[Lane]>>; CLASSES],
}

impl Default for Meter {
    fn default() -> Self {
        Self { classes: [const { OnceLock::new() }; CLASSES] }
    }
}

/// A lane for each thread that serves, as far as the machine runs them at once.
fn lanes() -> Box<[Lane]> {
    let threads = available_parallelism().map_or(1, usize::from);
    (0..threads.min(METER_LANES_MAX)).map(|_| Lane::default()).collect()
}

const fn class(outcome: Outcome, level: Level) -> usize {
    outcome.index() * Level::ALL.len() + level.index()
}

impl Meter {
    /// Counts a request that took so many microseconds and was sent so many bytes of body.
    pub fn record(&self, outcome: Outcome, level: Level, micros: u64, bytes: u64) {
        let Some(class) = self.classes.get(class(outcome, level)) else { return };
        let lanes = class.get_or_init(lanes);
        // A thread that ends counts in whichever lane is left.
        let at = LANE.try_with(|lane| *lane).unwrap_or_default();
        if let Some(lane) = at.checked_rem(lanes.len()).and_then(|at| lanes.get(at)) {
            lane.times.record(micros);
            lane.bytes.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    /// Adds what was counted to `served`.
    pub fn add_to(&self, served: &mut Served) {
        for (class, mine) in self.classes.iter().zip(&mut served.classes) {
            for lane in class.get().into_iter().flatten() {
                mine.times.add(&lane.times);
                mine.bytes += lane.bytes.load(Ordering::Relaxed);
            }
        }
    }

    /// What was counted so far.
    pub fn read(&self) -> Served {
        let mut served = Served::default();
        self.add_to(&mut served);
        served
    }
}

/// Requests at one moment, to be added up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Served {
    classes: [Class; CLASSES],
}

/// Those of one outcome and level.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Class {
    /// How long they took.
    pub times: Times,
    /// Bytes of body that were sent.
    pub bytes: u64,
}

impl Class {
    fn merge(&mut self, others: &Self) {
        self.times.merge(&others.times);
        self.bytes += others.bytes;
    }
}

impl Served {
    /// Adds others.
    pub fn merge(&mut self, others: &Self) {
        for (mine, theirs) in self.classes.iter_mut().zip(&others.classes) {
            mine.merge(theirs);
        }
    }

    /// Those that a test picks, together.
    pub fn of(&self, picks: impl Fn(Outcome, Level) -> bool) -> Class {
        let mut all = Class::default();
        for outcome in Outcome::ALL {
            for level in Level::ALL.into_iter().filter(|level| picks(outcome, *level)) {
                if let Some(class) = self.classes.get(class(outcome, level)) {
                    all.merge(class);
                }
            }
        }
        all
    }

    /// How many those are.
    pub fn count(&self, picks: impl Fn(Outcome, Level) -> bool) -> u64 {
        self.of(picks).times.count()
    }

    /// The share of cacheable requests that came from the cache; `None` when there was none.
    pub fn hit_ratio(&self) -> Option<f64> {
        let all = self.count(|outcome, _| outcome.is_cacheable());
        let hits = self.count(|outcome, _| outcome.is_hit());
        (all > 0).then(|| hits as f64 / all as f64)
    }

    /// What has come since `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut since = self.clone();
        for (mine, theirs) in since.classes.iter_mut().zip(&earlier.classes) {
            mine.times = mine.times.since(&theirs.times);
            mine.bytes = mine.bytes.saturating_sub(theirs.bytes);
        }
        since
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_lose_no_count() {
        const EACH: u64 = 10_000;
        let meter = Meter::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    (0..EACH).for_each(|at| meter.record(Outcome::Hit, Level::One, at, 2));
                });
            }
        });
        let hits = meter.read().of(|outcome, _| outcome == Outcome::Hit);
        assert_eq!((hits.times.count(), hits.bytes), (4 * EACH, 8 * EACH));
        assert_eq!(hits.times.sum_micros, 4 * (EACH - 1) * EACH / 2);
    }

    #[test]
    fn a_ratio_counts_what_is_cacheable() {
        let meter = Meter::default();
        assert_eq!(meter.read().hit_ratio(), None, "nobody asked anything yet");
        meter.record(Outcome::Bypass, Level::One, 1, 0);
        meter.record(Outcome::Error, Level::One, 1, 0);
        assert_eq!(meter.read().hit_ratio(), None);
        let before = meter.read();
        for outcome in [Outcome::Hit, Outcome::Stale, Outcome::Miss, Outcome::Coalesced] {
            meter.record(outcome, Level::One, 1, 1);
        }
        assert_eq!(meter.read().hit_ratio(), Some(0.5));
        let since = meter.read().since(&before);
        assert_eq!((since.count(|_, _| true), since.of(|_, _| true).bytes), (4, 4));
    }

    #[test]
    fn levels_are_told_apart() {
        let meter = Meter::default();
        meter.record(Outcome::Hit, Level::Two, 1, 1);
        let served = meter.read();
        assert_eq!(served.count(|_, level| level == Level::Two), 1);
        assert_eq!(served.count(|_, level| level == Level::One), 0);
        let mut twice = served.clone();
        twice.merge(&served);
        assert_eq!(twice.count(|outcome, _| outcome == Outcome::Hit), 2);
    }
}
