//! How long things take, counted in buckets. Recording is two additions without a lock; buckets are
//! finer than what scrapers are shown, so that quantiles told to people are near the truth.

use std::sync::atomic::{AtomicU64, Ordering};

/// Six steps a decade, the first one in microseconds: neighbours are at most 1.7 times apart.
const STEPS: [u64; 6] = [10, 15, 25, 35, 50, 75];

/// From ten microseconds to 75 seconds.
const DECADES: usize = 7;

/// Finite upper bounds.
const BOUNDS_LEN: usize = STEPS.len() * DECADES;

/// Upper bounds of the buckets in microseconds, up to 75 s; one more bucket takes what is longer.
pub const BOUNDS: [u64; BOUNDS_LEN] = bounds();

/// Buckets in all.
pub const BUCKETS: usize = BOUNDS_LEN + 1;

/// Bounds that scrapers are shown, with their text in seconds. Each is one of [`BOUNDS`], so that
/// what is counted below it is exact.
pub const SHOWN: [(u64, &str); 18] = [
    (50, "0.00005"),
    (100, "0.0001"),
    (250, "0.00025"),
    (500, "0.0005"),
    (1_000, "0.001"),
    (2_500, "0.0025"),
    (5_000, "0.005"),
    (10_000, "0.01"),
    (25_000, "0.025"),
    (50_000, "0.05"),
    (100_000, "0.1"),
    (250_000, "0.25"),
    (500_000, "0.5"),
    (1_000_000, "1.0"),
    (2_500_000, "2.5"),
    (5_000_000, "5.0"),
    (10_000_000, "10.0"),
    (25_000_000, "25.0"),
];

const fn bounds() -> [u64; BOUNDS_LEN] {
    let mut bounds = [0; BOUNDS_LEN];
    let (mut at, mut decade) = (0, 1);
    while at < BOUNDS_LEN {
        bounds[at] = STEPS[at % STEPS.len()] * decade;
        at += 1;
        if at % STEPS.len() == 0 {
            decade *= 10;
        }
    }
    bounds
}

/// Times, counted.
#[derive(Debug)]
pub struct Histogram {
    buckets: [AtomicU64; BUCKETS],
    sum_micros: AtomicU64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: [const { AtomicU64::new(0) }; BUCKETS], sum_micros: AtomicU64::new(0) }
    }
}

impl Histogram {
    /// Counts one that took so many microseconds.
    pub fn record(&self, micros: u64) {
        let at = BOUNDS.partition_point(|bound| *bound < micros);
        if let Some(bucket) = self.buckets.get(at) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.sum_micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// What was counted so far.
    pub fn read(&self) -> Times {
        let mut times = Times::default();
        times.add(self);
        times
    }
}

/// Times at one moment, to be added and compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Times {
    buckets: [u64; BUCKETS],
    /// All of them together, in microseconds.
    pub sum_micros: u64,
}

impl Default for Times {
    fn default() -> Self {
        Self { buckets: [0; BUCKETS], sum_micros: 0 }
    }
}

impl Times {
    /// Adds what `histogram` has counted.
    pub fn add(&mut self, histogram: &Histogram) {
        for (mine, theirs) in self.buckets.iter_mut().zip(&histogram.buckets) {
            *mine += theirs.load(Ordering::Relaxed);
        }
        self.sum_micros =
            self.sum_micros.wrapping_add(histogram.sum_micros.load(Ordering::Relaxed));
    }

    /// Adds others.
    pub fn merge(&mut self, others: &Self) {
        for (mine, theirs) in self.buckets.iter_mut().zip(others.buckets) {
            *mine += theirs;
        }
        self.sum_micros = self.sum_micros.wrapping_add(others.sum_micros);
    }

    /// What has come since `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut since = self.clone();
        for (mine, theirs) in since.buckets.iter_mut().zip(earlier.buckets) {
            *mine = mine.saturating_sub(theirs);
        }
        since.sum_micros = self.sum_micros.saturating_sub(earlier.sum_micros);
        since
    }

    /// How many.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// How many took at most `bound` microseconds, which is one of [`BOUNDS`].
    pub fn up_to(&self, bound: u64) -> u64 {
        let within = BOUNDS.iter().zip(self.buckets).take_while(|(one, _)| **one <= bound);
        within.map(|(_, count)| count).sum()
    }

    /// The time in microseconds that a share `q` (0 to 1) of all stayed within, between the bounds
    /// of its bucket by proportion. `None` when there are none; beyond the last bound, that bound.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let all = self.count();
        if all == 0 {
            return None;
        }
        let wanted = (q.clamp(0.0, 1.0) * all as f64).max(1.0);
        let (mut below, mut from) = (0.0, 0.0);
        for (bound, count) in BOUNDS.iter().zip(self.buckets) {
            let (upper, count) = (*bound as f64, count as f64);
            if below + count >= wanted {
                return Some(from + (upper - from) * (wanted - below) / count);
            }
            below += count;
            from = upper;
        }
        Some(from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(times: &[u64]) -> Times {
        let histogram = Histogram::default();
        for micros in times {
            histogram.record(*micros);
        }
        histogram.read()
    }

    #[test]
    fn bounds_rise_and_what_is_shown_is_among_them() {
        assert!(BOUNDS.is_sorted_by(|a, b| a < b));
        assert_eq!((BOUNDS[0], BOUNDS[6], BOUNDS[BOUNDS.len() - 1]), (10, 100, 75_000_000));
        for (bound, text) in SHOWN {
            let seconds: f64 = text.parse().unwrap();
            assert!((seconds * 1e6 - bound as f64).abs() < 1e-6, "{text}");
            assert!(BOUNDS.contains(&bound), "{text}");
        }
    }

    #[test]
    fn a_bound_holds_what_is_equal_to_it() {
        let times = of(&[1_000, 1_001, 80_000_000]);
        assert_eq!((times.up_to(1_000), times.up_to(1_500), times.count()), (1, 2, 3));
        assert_eq!(times.sum_micros, 80_002_001);
        assert_eq!(times.up_to(75_000_000), 2, "what is longer than all bounds is counted apart");
    }

    #[test]
    fn quantiles_are_within_their_bucket() {
        assert_eq!(of(&[]).quantile(0.5), None);
        let many: Vec<u64> = (0..99).map(|_| 2_000).chain([600_000]).collect();
        let half = of(&many).quantile(0.5).unwrap();
        assert!((1_500.0..=2_500.0).contains(&half), "{half}");
        let most = of(&many).quantile(0.999).unwrap();
        assert!((500_000.0..=750_000.0).contains(&most), "{most}");
        assert_eq!(of(&[90_000_000]).quantile(0.5), Some(75_000_000.0));
    }

    #[test]
    fn what_came_since_is_told_apart() {
        let (before, after) = (of(&[5_000]), of(&[5_000, 5_000, 20_000]));
        let since = after.since(&before);
        assert_eq!((since.count(), since.sum_micros), (2, 25_000));
        let mut both = before.clone();
        both.merge(&since);
        assert_eq!(both, after);
    }
}
