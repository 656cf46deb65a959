//! How long an origin takes for an answer, as far as that is known: for how long other nodes wait
//! for one that is being fetched here.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::base::units::Span;

/// No lease is shorter: an answer on the way may be held up by anything.
const LEAST: Span = Span::from_millis(250);

/// What is granted while nothing was measured.
const UNMEASURED: Span = Span::from_secs(2);

/// A smoothed time and its variation, in microseconds (as RFC 6298, 2 has them for round trips).
#[derive(Debug, Default)]
pub struct Pace {
    mean: AtomicU64,
    variation: AtomicU64,
}

impl Pace {
    /// A fetch took so long.
    pub fn note(&self, micros: u64) {
        // Two that end at once may lose one measurement, which another makes up for.
        let mean = self.mean.load(Ordering::Relaxed);
        if mean == 0 {
            self.mean.store(micros.max(1), Ordering::Relaxed);
            self.variation.store(micros / 2, Ordering::Relaxed);
            return;
        }
        let variation = self.variation.load(Ordering::Relaxed);
        self.variation.store((3 * variation + mean.abs_diff(micros)) / 4, Ordering::Relaxed);
        self.mean.store(((7 * mean + micros) / 8).max(1), Ordering::Relaxed);
    }

    /// For how long a fetch is its leader's alone: twice what nearly all take, and at most the
    /// origin's own limit.
    pub fn lease(&self, limit: Span) -> Span {
        let mean = self.mean.load(Ordering::Relaxed);
        let usual = if mean == 0 {
            UNMEASURED
        } else {
            let micros = 2 * (mean + 4 * self.variation.load(Ordering::Relaxed));
            Span::from_millis(micros / 1_000)
        };
        usual.max(LEAST).min(limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_follows_what_was_measured_within_its_bounds() {
        let pace = Pace::default();
        let limit = Span::from_secs(60);
        assert_eq!(pace.lease(limit), UNMEASURED);
        assert_eq!(pace.lease(Span::from_millis(900)), Span::from_millis(900));
        for _ in 0..100 {
            pace.note(1_000);
        }
        assert_eq!(pace.lease(limit), LEAST);
        for _ in 0..100 {
            pace.note(2_000_000);
        }
        let lease = pace.lease(limit).as_millis();
        assert!((4_000..5_000).contains(&lease), "{lease}");
        pace.note(30_000_000);
        assert!(pace.lease(limit) > Span::from_secs(30));
    }
}
