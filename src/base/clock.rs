//! The only door to time. Everything that judges freshness takes a [`Timestamp`]; only the edges
//! of the program hold a [`Clock`]. The clock follows tokio's, so that a test which pauses time
//! moves timers and freshness together.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::base::units::Span;

/// Milliseconds since the Unix epoch. Arithmetic saturates: no field of an answer, however absurd,
/// can overflow it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// A moment later than every other.
    pub const NEVER: Self = Self(u64::MAX);

    /// From milliseconds since the epoch.
    pub const fn from_millis(ms: u64) -> Self {
        Self(ms)
    }

    /// From seconds since the epoch.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1_000))
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Whole seconds since the epoch.
    pub const fn as_secs(self) -> u64 {
        self.0 / 1_000
    }

    /// This moment plus `span`; [`Timestamp::NEVER`] where that is beyond the range.
    #[must_use]
    pub const fn plus(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.as_millis()))
    }

    /// This moment minus `span`, not before the epoch.
    #[must_use]
    pub const fn minus(self, span: Span) -> Self {
        Self(self.0.saturating_sub(span.as_millis()))
    }

    /// How long after `earlier` this is; nothing when it is not after it.
    pub const fn since(self, earlier: Self) -> Span {
        Span::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// Wall time derived from the runtime's monotonic clock plus an offset that [`Clock::align`]
/// renews, so that time never jumps between two alignments.
#[derive(Debug)]
pub struct Clock {
    anchor: tokio::time::Instant,
    wall_at_anchor_ms: AtomicU64,
}

impl Clock {
    /// A clock that shows the system's wall time.
    pub fn system() -> Self {
        let clock = Self::starting_at(Timestamp::default());
        clock.align();
        clock
    }

    /// A clock that shows `wall` now; for tests that move time.
    pub fn starting_at(wall: Timestamp) -> Self {
        Self {
            anchor: tokio::time::Instant::now(),
            wall_at_anchor_ms: AtomicU64::new(wall.as_millis()),
        }
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        self.at(tokio::time::Instant::now())
    }

    /// The time at a moment of the runtime's clock, for who has read that already.
    pub fn at(&self, moment: tokio::time::Instant) -> Timestamp {
        let elapsed = moment.saturating_duration_since(self.anchor).as_millis() as u64;
        let wall = self.wall_at_anchor_ms.load(Ordering::Relaxed);
        Timestamp(wall.saturating_add(elapsed))
    }

    /// Takes the offset from the system's wall clock again: it may have been set meanwhile, or have
    /// gone on while the process was suspended. By how many milliseconds it had moved; negative
    /// when it was set back.
    #[expect(clippy::disallowed_methods, reason = "this is the one door to wall time")]
    pub fn align(&self) -> i64 {
        let wall = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |since| since.as_millis() as u64);
        let elapsed = self.anchor.elapsed().as_millis() as u64;
        let at_anchor = wall.saturating_sub(elapsed);
        let before = self.wall_at_anchor_ms.swap(at_anchor, Ordering::Relaxed);
        at_anchor.cast_signed().saturating_sub(before.cast_signed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates() {
        assert_eq!(Timestamp::NEVER.plus(Span::from_secs(1)), Timestamp::NEVER);
        assert_eq!(Timestamp::from_secs(1).minus(Span::from_secs(2)), Timestamp::from_secs(0));
        assert_eq!(Timestamp::from_secs(1).since(Timestamp::from_secs(2)), Span::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn paused_time_moves_the_wall_clock() {
        let clock = Clock::starting_at(Timestamp::from_secs(1_000));
        tokio::time::advance(std::time::Duration::from_mins(1)).await;
        assert_eq!(clock.now(), Timestamp::from_secs(1_060));
    }
}
