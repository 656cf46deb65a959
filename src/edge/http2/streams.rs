//! The streams of one connection, counted: how many are open, whether any waits for its client, and
//! when something last moved. From this it is told idle, stalled, and hostile connections apart.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use crate::base::limits;

/// All streams of a connection.
#[derive(Debug)]
pub(super) struct Streams(Mutex<Counts>);

#[derive(Debug)]
struct Counts {
    open: usize,
    /// Of these, those whose next bytes are the client's to take.
    owed: usize,
    /// Answered to the end.
    done: u64,
    /// Broken off before.
    broken: u64,
    moved: Instant,
}

/// How it stands with a connection on which nothing has moved for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing is asked.
    Idle,
    /// The client does not take what it asked for.
    Stalled,
    /// Something is being waited for that is not the client's.
    Busy,
}

impl Streams {
    pub(super) fn new() -> Self {
        let moved = Instant::now();
        Self(Mutex::new(Counts { open: 0, owed: 0, done: 0, broken: 0, moved }))
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A stream begins.
    pub(super) fn begin(self: &Arc<Self>) -> Open {
        let mut counts = self.counts();
        counts.open += 1;
        counts.moved = Instant::now();
        Open { streams: Arc::clone(self), owed: false, done: false }
    }

    /// When something last moved.
    pub(super) fn moved(&self) -> Instant {
        self.counts().moved
    }

    /// Counts as a movement: a new wait begins.
    pub(super) fn touch(&self) {
        self.counts().moved = Instant::now();
    }

    /// Something moved at this moment.
    pub(super) fn touch_at(&self, at: Option<Instant>) {
        let mut counts = self.counts();
        counts.moved = at.map_or(counts.moved, |at| at.max(counts.moved));
    }

    /// What the silence means.
    pub(super) fn standing(&self) -> Standing {
        let counts = self.counts();
        match (counts.open, counts.owed) {
            (0, _) => Standing::Idle,
            (_, 0) => Standing::Busy,
            _ if counts.moved.elapsed() >= limits::WRITE_TIMEOUT.to_duration() => Standing::Stalled,
            _ => Standing::Busy,
        }
    }

    /// Whether the client breaks off far more than it lets come to an end.
    pub(super) fn is_hostile(&self) -> bool {
        let counts = self.counts();
        counts.broken > counts.done + limits::HTTP2_BROKEN_MAX
    }
}

/// One open stream.
#[derive(Debug)]
pub(super) struct Open {
    streams: Arc<Streams>,
    owed: bool,
    done: bool,
}

impl Open {
    /// The next bytes are there, and the client has to take them.
    pub(super) fn owe(&mut self) {
        if !std::mem::replace(&mut self.owed, true) {
            self.streams.counts().owed += 1;
        }
    }

    /// The client has taken what there was.
    pub(super) fn take(&mut self) {
        if std::mem::replace(&mut self.owed, false) {
            let mut counts = self.streams.counts();
            counts.owed -= 1;
            counts.moved = Instant::now();
        }
    }

    /// All of the answer is in the library's hands.
    pub(super) fn finish(&mut self) {
        self.done = true;
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.take();
        let mut counts = self.streams.counts();
        counts.open -= 1;
        counts.moved = Instant::now();
        if self.done {
            counts.done += 1;
        } else {
            counts.broken += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn idle_busy_and_stalled_are_told_apart() {
        let streams = Arc::new(Streams::new());
        assert_eq!(streams.standing(), Standing::Idle);
        let mut one = streams.begin();
        tokio::time::advance(limits::WRITE_TIMEOUT.to_duration()).await;
        assert_eq!(streams.standing(), Standing::Busy, "it waits for us");
        one.take();
        one.owe();
        assert_eq!(streams.standing(), Standing::Stalled);
        one.take();
        one.owe();
        assert_eq!(streams.standing(), Standing::Busy, "it has just taken something");
        one.finish();
        drop(one);
        assert_eq!(streams.standing(), Standing::Idle);
        assert!(!streams.is_hostile());
    }

    #[tokio::test]
    async fn who_breaks_off_more_than_it_hears_is_hostile() {
        let streams = Arc::new(Streams::new());
        for _ in 0..limits::HTTP2_BROKEN_MAX {
            drop(streams.begin());
        }
        assert!(!streams.is_hostile());
        let mut heard = streams.begin();
        heard.finish();
        drop(heard);
        drop(streams.begin());
        assert!(!streams.is_hostile());
        drop(streams.begin());
        assert!(streams.is_hostile());
    }
}
