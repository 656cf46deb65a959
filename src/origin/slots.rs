//! How many requests one origin gets at once, over all workers, and who waits for a place: first
//! come, first served, and only so many.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use crate::base::units::Span;
use crate::origin::fault::{OriginFault, Phase, Sent};
use crate::origin::spec::after;

/// The places of one origin. Shared by all workers through an [`Arc`].
#[derive(Debug)]
pub struct Slots {
    places: Arc<Semaphore>,
    waiting: AtomicUsize,
    queue: usize,
    wait: Span,
}

/// A place; dropping it lets the next one in.
#[derive(Debug)]
pub struct Slot {
    _place: OwnedSemaphorePermit,
}

impl Slots {
    /// Room for `concurrent` requests (at least one), and for `queue` more that wait, each at most
    /// `wait`.
    pub fn new(concurrent: usize, queue: usize, wait: Span) -> Self {
        let places = concurrent.clamp(1, Semaphore::MAX_PERMITS);
        Self { places: Arc::new(Semaphore::new(places)), waiting: AtomicUsize::new(0), queue, wait }
    }

    /// How many wait now.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// A place, at once or after waiting for it, at latest at `ends`.
    pub(super) async fn take(&self, ends: Option<(Instant, Span)>) -> Result<Slot, OriginFault> {
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            return Ok(Slot { _place: place });
        }
        let _waiter = Waiter::enter(&self.waiting, self.queue).ok_or(OriginFault::Overload)?;
        let own = (after(Instant::now(), self.wait), self.wait, Phase::Queue);
        let (until, limit, phase) = match ends {
            Some((end, total)) if end < own.0 => (end, total, Phase::Total),
            _ => own,
        };
        match timeout_at(until, Arc::clone(&self.places).acquire_owned()).await {
            Ok(Ok(place)) => Ok(Slot { _place: place }),
            // The semaphore is never closed.
            Ok(Err(_)) => Err(OriginFault::Overload),
            Err(_) => Err(OriginFault::Timeout { phase, limit, sent: Sent::Nothing }),
        }
    }
}

/// One who waits; counted while it exists, however its wait ends.
struct Waiter<'a>(&'a AtomicUsize);

impl<'a> Waiter<'a> {
    fn enter(waiting: &'a AtomicUsize, room: usize) -> Option<Self> {
        let enter = |now: usize| (now < room).then_some(now + 1);
        waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, enter).ok()?;
        Some(Self(waiting))
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
