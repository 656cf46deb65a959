//! What the two sides of one connection tell each other: how far requests were taken in and
//! answered, and whether an answer ended HTTP here (101, or success to CONNECT). Until it is told,
//! the socket side keeps what follows such a request to itself: the bytes behind a refused upgrade
//! are read as HTTP, those behind a granted one never are.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use hyper::upgrade::OnUpgrade;

use super::refusal::Refusal;

/// What became of a request that could have ended HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Course {
    /// HTTP goes on.
    Http,
    /// What follows belongs to another protocol.
    Tunnel,
}

/// Shared by the two sides of a connection. Requests are numbered from 1 on both, in order.
#[derive(Debug, Default)]
pub(super) struct Switch {
    begun: AtomicU64,
    received: AtomicU64,
    answered: AtomicU64,
    sent: AtomicU64,
    tunnel: AtomicBool,
    ends_answer: AtomicBool,
    waiting: AtomicBool,
    waker: Mutex<Option<Waker>>,
    way_back: Mutex<Option<OnUpgrade>>,
    refusal: Mutex<Option<Refusal>>,
}

impl Switch {
    /// The service side takes up the next request.
    pub(super) fn begin(&self) -> u64 {
        self.begun.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The socket side has taken in all of request `turn`.
    pub(super) fn receive(&self, turn: u64) {
        self.received.store(turn, Ordering::Release);
    }

    /// Whether all of request `turn` has been taken in.
    pub(super) fn has_received(&self, turn: u64) -> bool {
        self.received.load(Ordering::Acquire) >= turn
    }

    /// The answer under way ends with the connection: nothing else tells its client where.
    pub(super) fn end_answer_with_connection(&self) {
        self.ends_answer.store(true, Ordering::Release);
    }

    /// Whether the connection's end is the end of an answer.
    pub(super) fn ends_answer(&self) -> bool {
        self.ends_answer.load(Ordering::Acquire)
    }

    /// The number that the service side gives to the next request.
    pub(super) fn next_turn(&self) -> u64 {
        self.begun.load(Ordering::Relaxed) + 1
    }

    /// The library has let go of the answer to request `turn`: all of it is in its hands.
    pub(super) fn send(&self, turn: u64) {
        self.sent.fetch_max(turn, Ordering::Release);
    }

    /// Whether the answer to request `turn` is in the library's hands to its end.
    pub(super) fn has_sent(&self, turn: u64) -> bool {
        self.sent.load(Ordering::Acquire) >= turn
    }

    /// Request `turn` has its answer.
    pub(super) fn answer(&self, turn: u64, course: Course) {
        if course == Course::Tunnel {
            self.tunnel.store(true, Ordering::Release);
        }
        self.answered.store(turn, Ordering::Release);
        if self.waiting.swap(false, Ordering::AcqRel)
            && let Some(waker) = lock(&self.waker).take()
        {
            waker.wake();
        }
    }

    /// What became of request `turn`.
    pub(super) fn poll_course(&self, turn: u64, cx: &Context<'_>) -> Poll<Course> {
        *lock(&self.waker) = Some(cx.waker().clone());
        self.waiting.store(true, Ordering::Release);
        if self.answered.load(Ordering::Acquire) < turn {
            return Poll::Pending;
        }
        let tunnel = self.tunnel.load(Ordering::Acquire);
        Poll::Ready(if tunnel { Course::Tunnel } else { Course::Http })
    }

    /// Keeps the way back to the socket of a request whose upgrade was refused: the HTTP library
    /// hands the socket there when the connection ends, and does not close it.
    pub(super) fn keep_way_back(&self, way_back: OnUpgrade) {
        *lock(&self.way_back) = Some(way_back);
    }

    /// The socket side has refused a head; kept for those who watch.
    pub(super) fn note_refusal(&self, refusal: Refusal) {
        *lock(&self.refusal) = Some(refusal);
    }

    /// Which head was refused, if one was.
    pub(super) fn refusal(&self) -> Option<Refusal> {
        *lock(&self.refusal)
    }

    /// The way back that was kept last.
    pub(super) fn take_way_back(&self) -> Option<OnUpgrade> {
        lock(&self.way_back).take()
    }
}

/// Nothing is done under these locks that could leave them half changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
