//! The bytes of one running fetch, shared by all who wait for it. The fetch appends, readers follow
//! at their own pace, each from the first byte on. While the answer may still be stored everything
//! is kept, since it is the entry to be; once it has grown past what a level keeps, only a window
//! stays, and then the readers set the pace: the fastest runs ahead by the window's length, and
//! waits there for the slowest that still moves. One that stands still, or nearly, holds nobody up:
//! the window leaves it behind, and it loses its answer, visibly. When memory for answers on their
//! way is used up the window shrinks to what one read brings.
//!
//! A stored body of several segments goes out the same way, as a stream that has ended: what its
//! reader has passed is let go, and what is held for one who stands still can be taken away.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use tokio::time::Instant;

use crate::base::budget::Deposit;
use crate::entry::Body;

mod laggard;
mod reader;

pub use laggard::{Laggard, WeakStream};
pub use reader::Reader;

/// How far the fetch may run ahead of its fastest reader once the answer is only streamed.
const WINDOW_BYTES: u64 = 1 << 20;

/// How far behind the fastest a reader may be then.
const LAG_BYTES: u64 = 8 << 20;

/// Both of these when memory is used up: the next is read when all has been taken.
const TIGHT_BYTES: u64 = 1;

/// Readers up to this count are compared whenever one moves on in a body that has ended, so that
/// what all have passed is let go. More of them share it so well that it may stay.
const COMPARED_READERS_MAX: usize = 64;

/// What a reader must take in [`PACE_TIME`] so that others wait for it: half of what a poor mobile
/// connection carries. Who reads a byte now and then on purpose cannot hold anybody up.
const PACE_BYTES: u64 = 512 << 10;

/// See [`PACE_BYTES`].
const PACE_TIME: Duration = Duration::from_secs(10);

/// Why a body has no proper end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The origin's answer ended before its end.
    #[error("the origin's answer ended early: {0}")]
    Origin(Arc<str>),
    /// This reader was too far behind the others, or held memory that was needed.
    #[error("this reader fell too far behind")]
    LeftBehind,
}

/// A body on its way; clones are handles on the same body.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// Chunks with the offset of their first byte, in order.
    chunks: Vec<(u64, Bytes)>,
    len: u64,
    end: Option<Result<(), Broken>>,
    trailers: Option<HeaderMap>,
    windowed: bool,
    tight: bool,
    /// Where the bytes count once they are packed.
    deposit: Option<Arc<Deposit>>,
    readers: HashMap<u64, Place>,
    next_reader: u64,
    writer: Option<Waker>,
}

#[derive(Debug)]
struct Place {
    at: u64,
    /// Where it stood when it last had taken enough, and when that was.
    paced: (u64, Instant),
    waker: Option<Waker>,
}

impl Place {
    fn new() -> Self {
        Self { at: 0, paced: (0, Instant::now()), waker: None }
    }

    fn moved(&mut self, at: u64) {
        self.at = at;
        if at.saturating_sub(self.paced.0) >= PACE_BYTES {
            self.paced = (at, Instant::now());
        }
    }

    fn keeps_pace(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.paced.1) < PACE_TIME
    }
}

impl Stream {
    // A poisoned lock means that a reader's waker panicked; the bytes are whole all the same.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A stored body on its way to one client: `pieces` of it, in order.
    pub fn of_stored(pieces: Vec<Bytes>, deposit: Option<Arc<Deposit>>) -> (Self, Reader) {
        let stream = Self::default();
        let mut state = stream.state();
        state.set(pieces);
        state.len = state.chunks.last().map_or(0, |(start, last)| start + last.len() as u64);
        state.end = Some(Ok(()));
        state.deposit = deposit;
        let id = state.seat();
        drop(state);
        (stream.clone(), Reader { stream, id, at: 0, trailed: false })
    }

    /// A reader from the first byte on; nothing when the first bytes are gone already.
    pub fn reader(&self) -> Option<Reader> {
        let mut state = self.state();
        if state.windowed || (state.end.is_some() && state.held_from() > 0) {
            return None;
        }
        let id = state.seat();
        Some(Reader { stream: self.clone(), id, at: 0, trailed: false })
    }

    /// Appends bytes and tells the readers.
    pub fn push(&self, chunk: Bytes) {
        if chunk.is_empty() {
            return;
        }
        let mut state = self.state();
        let (start, now) = (state.len, Instant::now());
        // Who has taken all there was waits for the origin: its time begins with what comes now.
        for place in state.readers.values_mut().filter(|place| place.at == start) {
            place.paced = (start, now);
        }
        state.len += chunk.len() as u64;
        state.chunks.push((start, chunk));
        state.trim();
        let wakers = state.wakers();
        drop(state);
        wake(wakers);
    }

    /// Keeps only what the readers need from now on: the answer will not be stored.
    pub fn only_stream(&self) {
        let mut state = self.state();
        state.windowed = true;
        let now = Instant::now();
        for place in state.readers.values_mut() {
            place.paced = (place.at, now);
        }
        state.trim();
        let wakers = state.wakers();
        drop(state);
        wake(wakers);
    }

    /// The fields that follow the last byte, told before the body is complete.
    pub fn trail(&self, trailers: HeaderMap) {
        self.state().trailers = Some(trailers);
    }

    /// The body is complete, or broken.
    pub fn finish(&self, end: Result<(), Broken>) {
        let mut state = self.state();
        state.end.get_or_insert(end);
        state.trim();
        let wakers = state.wakers();
        drop(state);
        wake(wakers);
    }

    /// Whether the body is complete.
    pub fn is_complete(&self) -> bool {
        matches!(self.state().end, Some(Ok(())))
    }

    /// Bytes so far.
    pub fn len(&self) -> u64 {
        self.state().len
    }

    /// Whether nothing has come yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes the chunks out, so that they can be packed for the store without being held twice.
    /// [`Stream::put_back`] follows; readers wait meanwhile.
    pub fn take(&self) -> Vec<Bytes> {
        std::mem::take(&mut self.state().chunks).into_iter().map(|(_, chunk)| chunk).collect()
    }

    /// Gives the same bytes back in their packed form.
    pub fn put_back(&self, body: &Body) {
        let mut state = self.state();
        state.set(body.segments().to_vec());
        state.deposit = body.deposit().cloned();
        let wakers = state.wakers();
        drop(state);
        wake(wakers);
    }

    /// Waits until it is known what becomes of the body: complete, broken, or too long to be kept.
    /// Whoever waits here reads nothing, so it sets nobody's pace.
    pub async fn settled(&self) {
        let Some(reader) = self.reader() else { return };
        std::future::poll_fn(|context| reader.poll_settled(context)).await;
    }

    /// Whether the fetch may read on, with the small window if memory is `tight`. Pending while the
    /// window is full; `false` when nobody reads any more and nothing will be stored.
    pub fn poll_room(&self, context: &mut Context<'_>, tight: bool) -> Poll<bool> {
        let mut state = self.state();
        state.tight = tight;
        if !state.windowed {
            return Poll::Ready(true);
        }
        let Some(fastest) = state.readers.values().map(|place| place.at).max() else {
            return Poll::Ready(false);
        };
        let slowest = state.slowest_in_pace().unwrap_or(fastest);
        let (window, lag) = state.window();
        if state.len.saturating_sub(fastest) < window && state.len.saturating_sub(slowest) < lag {
            return Poll::Ready(true);
        }
        state.writer = Some(context.waker().clone());
        Poll::Pending
    }
}

impl State {
    fn seat(&mut self) -> u64 {
        let id = self.next_reader;
        self.next_reader += 1;
        self.readers.insert(id, Place::new());
        id
    }

    fn set(&mut self, pieces: Vec<Bytes>) {
        let mut start = 0;
        for piece in pieces.into_iter().filter(|piece| !piece.is_empty()) {
            let len = piece.len() as u64;
            self.chunks.push((start, piece));
            start += len;
        }
    }

    /// The first byte that is still held.
    fn held_from(&self) -> u64 {
        self.chunks.first().map_or(self.len, |(start, _)| *start)
    }

    /// How far the fetch may run ahead of the fastest reader, and of the slowest that moves.
    fn window(&self) -> (u64, u64) {
        if self.tight { (TIGHT_BYTES, TIGHT_BYTES) } else { (WINDOW_BYTES, LAG_BYTES) }
    }

    fn wakers(&mut self) -> Vec<Waker> {
        self.readers.values_mut().filter_map(|place| place.waker.take()).collect()
    }

    /// Where the slowest reader stands that others wait for.
    fn slowest_in_pace(&self) -> Option<u64> {
        let now = Instant::now();
        let moving = self.readers.values().filter(|place| place.keeps_pace(now));
        moving.map(|place| place.at).min()
    }

    /// Forgets what every reader has passed, once nothing will be stored any more or all is; in
    /// window mode also who is too far behind.
    fn trim(&mut self) {
        let ended = self.end.is_some() && self.readers.len() <= COMPARED_READERS_MAX;
        if !(self.windowed || ended) {
            return;
        }
        let slowest = self.readers.values().map(|place| place.at).min().unwrap_or(self.len);
        let keep_from = if self.windowed {
            let fastest = self.readers.values().map(|place| place.at).max().unwrap_or(self.len);
            let in_pace = self.slowest_in_pace().unwrap_or(fastest);
            slowest.max(fastest.saturating_sub(self.window().1).min(in_pace))
        } else {
            slowest
        };
        let gone = self
            .chunks
            .iter()
            .take_while(|(start, chunk)| start + chunk.len() as u64 <= keep_from)
            .count();
        self.chunks.drain(..gone);
    }
}

fn wake(wakers: Vec<Waker>) {
    for waker in wakers {
        waker.wake();
    }
}

#[cfg(test)]
mod tests;
