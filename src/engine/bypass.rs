//! The emergency switch: while it is on every read goes to the origin, nothing is read from a level
//! and nothing is stored. Writes and purges go on as ever, so that what stands is as good as before
//! when it ends. It ends by itself. A request pays one relaxed load for it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use crate::base::clock::Timestamp;
use crate::base::units::Span;

/// The switch.
#[derive(Debug)]
pub struct Bypass {
    anchor: Instant,
    /// When it ends, in milliseconds since the anchor; 0 while it is off.
    until_ms: AtomicU64,
    on: Mutex<Option<On>>,
}

/// It is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct On {
    /// Who switched it on.
    pub by: String,
    /// When it ends by itself, on the wall clock.
    pub until: Timestamp,
    ends: Instant,
}

impl Default for Bypass {
    fn default() -> Self {
        Self { anchor: Instant::now(), until_ms: AtomicU64::new(0), on: Mutex::default() }
    }
}

impl Bypass {
    /// Whether it is on at this moment.
    pub fn is_on(&self, at: Instant) -> bool {
        let until = self.until_ms.load(Ordering::Relaxed);
        until != 0 && self.since_anchor(at) < until
    }

    /// Switches it on for so long, from now on.
    pub fn turn_on(&self, span: Span, by: &str, now: Timestamp) -> On {
        let ends = Instant::now() + span.to_duration();
        let on = On { by: by.to_owned(), until: now.plus(span), ends };
        let mut held = self.held();
        *held = Some(on.clone());
        self.until_ms.store(self.since_anchor(ends).max(1), Ordering::Relaxed);
        on
    }

    /// Switches it off. What was on.
    pub fn turn_off(&self) -> Option<On> {
        let mut held = self.held();
        self.until_ms.store(0, Ordering::Relaxed);
        held.take()
    }

    /// How it stands: on, and for how much longer.
    pub fn state(&self) -> Option<(On, Span)> {
        let on = self.held().clone()?;
        let left = on.ends.saturating_duration_since(Instant::now());
        (!left.is_zero()).then(|| (on, Span::from_millis(left.as_millis() as u64)))
    }

    /// Notices that its time is over; tells so once.
    pub fn expired(&self) -> Option<On> {
        let mut held = self.held();
        held.as_ref().filter(|on| on.ends <= Instant::now())?;
        self.until_ms.store(0, Ordering::Relaxed);
        held.take()
    }

    fn since_anchor(&self, at: Instant) -> u64 {
        at.saturating_duration_since(self.anchor).as_millis() as u64
    }

    fn held(&self) -> MutexGuard<'_, Option<On>> {
        self.on.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_ends_by_itself_and_tells_that_once() {
        let bypass = Bypass::default();
        let now = Timestamp::from_secs(1_000);
        assert!(!bypass.is_on(Instant::now()) && bypass.state().is_none());
        let on = bypass.turn_on(Span::from_secs(60), "ann", now);
        assert_eq!((on.by.as_str(), on.until), ("ann", Timestamp::from_secs(1_060)));
        tokio::time::advance(Duration::from_secs(59)).await;
        assert!(bypass.is_on(Instant::now()) && bypass.expired().is_none());
        assert_eq!(bypass.state().map(|(_, left)| left), Some(Span::from_secs(1)));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!bypass.is_on(Instant::now()) && bypass.state().is_none());
        assert_eq!(bypass.expired(), Some(on));
        assert!(bypass.expired().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_word_counts() {
        let bypass = Bypass::default();
        bypass.turn_on(Span::from_secs(600), "ann", Timestamp::default());
        bypass.turn_on(Span::from_secs(1), "ben", Timestamp::default());
        assert_eq!(bypass.state().map(|(on, _)| on.by), Some("ben".to_owned()));
        assert!(bypass.turn_off().is_some());
        assert!(!bypass.is_on(Instant::now()) && bypass.turn_off().is_none());
    }
}
