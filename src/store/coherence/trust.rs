//! How long a node may go on without hearing from its fleet. A hit compares two numbers here; no
//! lock, no message.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::time::Instant;

use crate::base::ids::Tick;
use crate::base::units::Span;

/// The node's trust in what it holds. Moments are milliseconds of the node's own steady clock.
#[derive(Debug)]
pub struct Trust {
    /// Until when everything that no order names is known to be current.
    until_ms: AtomicU64,
    /// What was born before this tick may have missed an order, and is asked for again.
    from_tick: AtomicU64,
    /// Zero: trust never ends.
    lag_ms: u64,
    /// When the steady clock began.
    began: Instant,
}

impl Default for Trust {
    fn default() -> Self {
        Self::alone()
    }
}

impl Trust {
    /// Of a node that shares with nobody, or that serves on when it hears nothing.
    pub fn alone() -> Self {
        let (until_ms, from_tick) = (AtomicU64::new(u64::MAX), AtomicU64::new(0));
        Self { until_ms, from_tick, lag_ms: 0, began: Instant::now() }
    }

    /// Of a node that may be `lag_max` behind its fleet. It has heard nothing yet.
    pub fn within(lag_max: Span) -> Self {
        let (until_ms, from_tick) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { until_ms, from_tick, lag_ms: lag_max.as_millis(), began: Instant::now() }
    }

    /// A moment in milliseconds of the steady clock.
    pub fn at(&self, moment: Instant) -> u64 {
        moment.saturating_duration_since(self.began).as_millis() as u64
    }

    /// Whether something may be used at `now_ms` that was born under `born` and known to be current
    /// at `known_ms`.
    pub fn holds(&self, born: Tick, known_ms: u64, now_ms: u64) -> bool {
        born.0 >= self.from_tick.load(Ordering::Acquire)
            && (now_ms < self.until_ms.load(Ordering::Acquire)
                || now_ms < known_ms.saturating_add(self.lag_ms))
    }

    /// Whether this node knows what its fleet knows, up to its lag.
    pub fn is_current(&self, now_ms: u64) -> bool {
        now_ms < self.until_ms.load(Ordering::Acquire)
    }

    /// How far this node may be behind its fleet: the time since it asked last and has caught up.
    /// `None` where it follows nobody, or has heard of nobody yet.
    pub fn behind(&self, now_ms: u64) -> Option<Span> {
        let asked_ms = self.until_ms.load(Ordering::Acquire).checked_sub(self.lag_ms)?;
        let known = self.lag_ms > 0;
        known.then(|| Span::from_millis(now_ms.saturating_sub(asked_ms)))
    }

    /// At `asked_ms` the fleet was asked, and everything that it knew then has been applied.
    pub fn renew(&self, asked_ms: u64) {
        if self.lag_ms > 0 {
            self.until_ms.fetch_max(asked_ms.saturating_add(self.lag_ms), Ordering::AcqRel);
        }
    }

    /// The steady clock cannot be believed: nothing is known to be current any more.
    pub fn forget(&self) {
        if self.lag_ms > 0 {
            self.until_ms.store(0, Ordering::Release);
        }
    }

    /// Orders may have been missed: what was born before `tick` is asked for again.
    pub fn distrust_before(&self, tick: Tick) {
        self.from_tick.fetch_max(tick.0, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_alone_trusts_for_ever() {
        let trust = Trust::alone();
        trust.forget();
        assert!(trust.holds(Tick(0), 0, u64::MAX - 1) && trust.is_current(5));
        assert_eq!(trust.behind(5), None);
    }

    #[test]
    fn trust_ends_with_the_lag_and_comes_back_with_an_answer() {
        let trust = Trust::within(Span::from_millis(1_000));
        assert!(!trust.holds(Tick(0), 0, 5_000), "nothing was heard yet");
        assert_eq!(trust.behind(5_000), None);
        trust.renew(5_000);
        assert_eq!(trust.behind(5_300), Some(Span::from_millis(300)));
        assert!(trust.holds(Tick(0), 0, 5_999));
        assert!(!trust.holds(Tick(0), 0, 6_000));
        assert!(trust.holds(Tick(0), 5_500, 6_499), "what was asked for itself holds as long");
        trust.renew(4_000);
        assert!(trust.is_current(5_999), "an answer that came late takes nothing back");
        trust.forget();
        assert!(!trust.is_current(5_100));
    }

    #[test]
    fn what_is_from_before_a_gap_is_asked_for_again() {
        let trust = Trust::within(Span::from_millis(1_000));
        trust.renew(0);
        trust.distrust_before(Tick(7));
        trust.distrust_before(Tick(3));
        assert!(!trust.holds(Tick(6), 10, 10));
        assert!(trust.holds(Tick(7), 10, 10));
    }
}
