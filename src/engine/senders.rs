//! Large bodies on their way to clients, and who is cut off when there is no memory left for them.
//!
//! Everything that can hold much for a slow client is a [`Stream`] known here: a fetch that has
//! grown, running or ended, and a stored body that is sent in segments. A client's connection
//! itself holds a segment at most.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::base::budget::{Budget, Charge};
use crate::engine::Engine;
use crate::engine::reply::{Pieces, Reply};
use crate::engine::stream::{Laggard, Stream, WeakStream};
use crate::entry::Body;
use crate::telemetry::event::Event;

/// Answers up to this length are kept even when the budget is spent, until it is overdrawn: they
/// come whole within a moment, and a hot key that is not stored sends everybody to the origin.
pub const SMALL_BYTES: u64 = 64 * 1_024;

/// Bodies that have ended are forgotten when the list has doubled, from this length on.
const FORGET_FROM: usize = 64;

/// Large bodies on their way.
#[derive(Debug, Default)]
pub struct Senders {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    streams: Vec<WeakStream>,
    forget_at: usize,
}

impl Senders {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a body up that may hold much for its readers.
    pub fn watch(&self, stream: &Stream) {
        let mut known = self.known();
        known.streams.push(stream.downgrade());
        if known.streams.len() >= known.forget_at.max(FORGET_FROM) {
            known.streams.retain(|stream| !stream.is_gone());
            known.forget_at = 2 * known.streams.len();
        }
    }

    /// A stored body, or `pieces` of it, on its way to one client. What goes out in one piece is
    /// the connection's; of several, those not sent yet can be taken back.
    pub fn send(&self, body: &Body, mut pieces: Vec<Bytes>) -> Reply {
        if pieces.len() <= 1 {
            return pieces.pop().map_or_else(Reply::empty, |one| Reply::Whole(Pieces::one(one)));
        }
        let (stream, reader) = Stream::of_stored(pieces, body.deposit().cloned());
        self.watch(&stream);
        let len = Some(stream.len());
        Reply::Shared { reader, len }
    }

    /// Cuts off who stands still, those for whom most is held first, so that few lose their
    /// answers, until the budget holds. How many there were.
    pub fn relieve(&self, budget: &Budget) -> u64 {
        if !budget.is_overdrawn() {
            return 0;
        }
        let streams: Vec<_> = self.known().streams.iter().filter_map(WeakStream::upgrade).collect();
        let mut laggards: Vec<Laggard> = streams.iter().flat_map(Stream::laggards).collect();
        drop(streams);
        laggards.sort_unstable_by_key(|laggard| std::cmp::Reverse(laggard.held));
        let mut cut = 0;
        for laggard in laggards {
            if budget.used() <= budget.limit() {
                break;
            }
            cut += u64::from(laggard.cut());
        }
        cut
    }
}

impl Engine {
    /// Cuts off who stands still, if memory is needed, and says so. Called every second.
    pub fn relieve(&self) {
        let before = self.transit.used();
        let cut = self.senders.relieve(&self.transit);
        if cut > 0 {
            let freed = before.saturating_sub(self.transit.used());
            let detail = format!("{cut} slow clients cut off to free {freed} bytes");
            self.telemetry
                .tell(self.clock.now(), &Event::Fault { code: "memory", detail: &detail });
        }
    }

    /// Memory for an answer that may be kept: reserved where its length is told. One without a
    /// length may be short.
    pub(super) fn room_for(&self, len: Option<u64>) -> Room {
        match len {
            _ if self.transit.is_overdrawn() => Room::None,
            Some(len) if len <= SMALL_BYTES => Room::Open,
            Some(len) => self.transit.reserve(len).map_or(Room::None, Room::Reserved),
            None => Room::Open,
        }
    }
}

/// What memory there is for an answer.
#[derive(Debug)]
pub(super) enum Room {
    /// Enough, as it looks.
    Open,
    /// Enough for all of it.
    Reserved(Charge),
    /// None: it goes out as it comes and is not kept.
    None,
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::task::{Context, Waker};
    use std::time::Duration;

    use super::*;
    use crate::engine::stream::Reader;

    const SEGMENT: usize = 256 * 1_024;

    /// A client of a stored body of so many segments, which has taken the first of them.
    fn client(senders: &Senders, budget: &Arc<Budget>, segments: usize) -> Reader {
        let body = Body::in_transit(vec![vec![7; segments * SEGMENT].into()], budget);
        let reply = senders.send(&body, body.segments().to_vec());
        let Reply::Shared { mut reader, len } = reply else { panic!("it has segments") };
        assert_eq!(len, Some((segments * SEGMENT) as u64));
        moves(&mut reader);
        reader
    }

    fn moves(reader: &mut Reader) -> bool {
        let next = reader.poll_next(&mut Context::from_waker(Waker::noop()));
        matches!(next, std::task::Poll::Ready(Some(Ok(_))))
    }

    #[tokio::test(start_paused = true)]
    async fn few_lose_their_answers_and_nobody_who_moves() {
        let (senders, segment) = (Senders::default(), SEGMENT as u64);
        let budget = Budget::new(10 * segment);
        let mut small = client(&senders, &budget, 3);
        let mut large = client(&senders, &budget, 8);
        let mut moving = client(&senders, &budget, 9);
        assert_eq!(senders.relieve(&budget), 0, "all of them keep pace");
        tokio::time::advance(Duration::from_secs(8)).await;
        assert!(moves(&mut moving) && moves(&mut moving));
        tokio::time::advance(Duration::from_secs(8)).await;
        assert_eq!((budget.used(), budget.is_overdrawn()), (15 * segment, true));
        assert_eq!(senders.relieve(&budget), 1, "with the largest gone the rest has room");
        assert_eq!(budget.used(), 8 * segment);
        assert!(moves(&mut small) && moves(&mut moving) && !moves(&mut large));
        drop((small, moving, large));
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn what_goes_out_in_one_piece_needs_no_list() {
        let (senders, budget) = (Senders::default(), Budget::new(u64::MAX));
        let body = Body::in_transit(vec![vec![7; 100_000].into()], &budget);
        let reply = senders.send(&body, body.segments().to_vec());
        assert!(matches!(reply, Reply::Whole(_)) && senders.known().streams.is_empty());
        assert!(matches!(senders.send(&Body::empty(), Vec::new()), Reply::Whole(_)));
    }

    #[test]
    fn bodies_that_have_ended_are_forgotten() {
        let (senders, budget) = (Senders::default(), Budget::new(u64::MAX));
        let lasting: Vec<_> = (0..100).map(|_| client(&senders, &budget, 2)).collect();
        for _ in 0..1_000 {
            drop(client(&senders, &budget, 2));
        }
        assert!(senders.known().streams.len() <= 2 * lasting.len() + 1);
    }
}
