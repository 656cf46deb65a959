//! Who waits for a fetch of another node. The end of a lease is told by message; nobody asks over
//! and over. A message that was lost costs the rest of the lease, no more.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// The identities that somebody of this node waits for.
#[derive(Clone, Debug, Default)]
pub(super) struct Waits(Arc<Mutex<HashMap<u64, watch::Sender<End>>>>);

/// How often a lease has ended, and how the last time.
#[derive(Clone, Copy, Debug, Default)]
struct End {
    count: u32,
    /// What was fetched is nobody else's.
    alone: bool,
}

/// A place among those who wait; taken before the lease is asked about, so that no end is missed.
#[derive(Debug)]
pub struct Place {
    waits: Waits,
    name: u64,
    told: watch::Receiver<End>,
}

/// What identities are called in messages: the beginning of their BLAKE3 digest.
pub(super) fn name(identity: &str) -> u64 {
    let digest = blake3::hash(identity.as_bytes());
    let first = digest.as_bytes().first_chunk::<8>().copied().unwrap_or_default();
    u64::from_le_bytes(first)
}

impl Waits {
    /// A place for an identity.
    pub(super) fn enter(&self, identity: &str) -> Place {
        let name = name(identity);
        let told = self
            .all()
            .entry(name)
            .or_insert_with(|| watch::Sender::new(End::default()))
            .subscribe();
        Place { waits: self.clone(), name, told }
    }

    /// The lease of what is called so has ended; `alone`: what was fetched is nobody else's.
    pub(super) fn wake(&self, name: u64, alone: bool) {
        if let Some(one) = self.all().get(&name) {
            one.send_modify(|end| *end = End { count: end.count.wrapping_add(1), alone });
        }
    }

    /// Messages may have been lost: everybody looks again.
    pub(super) fn wake_all(&self) {
        for one in self.all().values() {
            one.send_modify(|end| *end = End { count: end.count.wrapping_add(1), alone: false });
        }
    }

    fn all(&self) -> MutexGuard<'_, HashMap<u64, watch::Sender<End>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Until the lease has ended since this place was taken or last waited at. Whether what was
    /// fetched is nobody else's: then waiting for the next one is of no use either.
    pub async fn ended(&mut self) -> bool {
        if self.told.changed().await.is_err() {
            // The sender stands as long as this place does.
            std::future::pending::<()>().await;
        }
        self.told.borrow().alone
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut all = self.waits.all();
        // This receiver still counts.
        if all.get(&self.name).is_some_and(|sender| sender.receiver_count() <= 1) {
            all.remove(&self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    #[test]
    fn an_end_before_the_wait_is_not_missed_and_places_leave_nothing() {
        let waits = Waits::default();
        let (mut one, mut two) = (waits.enter("a"), waits.enter("a"));
        let mut context = Context::from_waker(Waker::noop());
        assert!(pin!(one.ended()).as_mut().poll(&mut context).is_pending());
        waits.wake(name("a"), true);
        waits.wake(name("b"), false);
        assert_eq!(pin!(one.ended()).as_mut().poll(&mut context), Poll::Ready(true));
        assert!(pin!(one.ended()).as_mut().poll(&mut context).is_pending());
        assert_eq!(pin!(two.ended()).as_mut().poll(&mut context), Poll::Ready(true));
        drop(one);
        waits.wake_all();
        assert_eq!(pin!(two.ended()).as_mut().poll(&mut context), Poll::Ready(false));
        drop(two);
        assert!(waits.all().is_empty());
    }
}
