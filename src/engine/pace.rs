//! How long an origin takes for an answer, as far as that is known: for how long other nodes wait
//! for one that is being fetched here, before they have heard that the fetch goes on.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::base::limits;
use crate::base::units::Span;

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

    /// For how long a fetch is its leader's alone before it must say that it goes on: twice what
    /// nearly all take, within [`limits::LEASE_LEAST`] and [`limits::LEASE_FOR`].
    pub fn lease(&self) -> Span {
        let mean = self.mean.load(Ordering::Relaxed);
        if mean == 0 {
            return limits::LEASE_FOR;
        }
        let micros = 2 * (mean + 4 * self.variation.load(Ordering::Relaxed));
        Span::from_millis(micros / 1_000).max(limits::LEASE_LEAST).min(limits::LEASE_FOR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_follows_what_was_measured_within_its_bounds() {
        let pace = Pace::default();
        assert_eq!(pace.lease(), limits::LEASE_FOR, "nothing was measured");
        for _ in 0..100 {
            pace.note(1_000);
        }
        assert_eq!(pace.lease(), limits::LEASE_LEAST);
        for _ in 0..100 {
            pace.note(100_000);
        }
        let lease = pace.lease().as_millis();
        assert!((200..300).contains(&lease), "{lease}");
        pace.note(30_000_000);
        assert_eq!(pace.lease(), limits::LEASE_FOR);
    }
}
