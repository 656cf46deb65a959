//! The bytes of one running fetch, shared by all who wait for it. The fetch appends, readers follow
//! at their own pace, each from the first byte on. While the answer may still be stored everything
//! is kept, since it is the entry to be; once it has grown past what a level keeps, only a window
//! stays, and then the readers set the pace: the fastest runs ahead by the window's length, and
//! waits there for the slowest that still moves. One that stands still, or nearly, holds nobody up:
//! the window leaves it behind, and it loses its answer, visibly.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use tokio::time::Instant;

/// How far the fetch may run ahead of its fastest reader once the answer is only streamed.
const WINDOW_BYTES: u64 = 1 << 20;

/// How far behind the fastest a reader may be then.
const LAG_BYTES: u64 = 8 << 20;

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
    /// This reader was too far behind the others.
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

    /// A reader from the first byte on; nothing when the first bytes are gone already.
    pub fn reader(&self) -> Option<Reader> {
        let mut state = self.state();
        if state.windowed {
            return None;
        }
        let id = state.next_reader;
        state.next_reader += 1;
        state.readers.insert(id, Place::new());
        Some(Reader { stream: self.clone(), id, at: 0, trailed: false })
    }

    /// Appends bytes and tells the readers.
    pub fn push(&self, chunk: Bytes) {
        if chunk.is_empty() {
            return;
        }
        let mut state = self.state();
        let start = state.len;
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
        let wakers = state.wakers();
        drop(state);
        wake(wakers);
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
    pub fn put_back(&self, segments: &[Bytes]) {
        let mut state = self.state();
        let mut start = 0;
        for segment in segments {
            state.chunks.push((start, segment.clone()));
            start += segment.len() as u64;
        }
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

    /// Whether the fetch may read on. Pending while the window is full; `false` when nobody reads
    /// any more and nothing will be stored.
    pub fn poll_room(&self, context: &mut Context<'_>) -> Poll<bool> {
        let mut state = self.state();
        if !state.windowed {
            return Poll::Ready(true);
        }
        let Some(fastest) = state.readers.values().map(|place| place.at).max() else {
            return Poll::Ready(false);
        };
        let slowest = state.slowest_in_pace().unwrap_or(fastest);
        if state.len.saturating_sub(fastest) < WINDOW_BYTES
            && state.len.saturating_sub(slowest) < LAG_BYTES
        {
            return Poll::Ready(true);
        }
        state.writer = Some(context.waker().clone());
        Poll::Pending
    }
}

impl State {
    fn wakers(&mut self) -> Vec<Waker> {
        self.readers.values_mut().filter_map(|place| place.waker.take()).collect()
    }

    /// Where the slowest reader stands that others wait for.
    fn slowest_in_pace(&self) -> Option<u64> {
        let now = Instant::now();
        let moving = self.readers.values().filter(|place| place.keeps_pace(now));
        moving.map(|place| place.at).min()
    }

    /// In window mode, forgets what every reader has passed, and who is too far behind.
    fn trim(&mut self) {
        if !self.windowed {
            return;
        }
        let fastest = self.readers.values().map(|place| place.at).max().unwrap_or(self.len);
        let in_pace = self.slowest_in_pace().unwrap_or(fastest);
        let horizon = fastest.saturating_sub(LAG_BYTES).min(in_pace);
        let slowest = self.readers.values().map(|place| place.at).min().unwrap_or(self.len);
        let keep_from = slowest.max(horizon);
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

/// One who follows a [`Stream`].
#[derive(Debug)]
pub struct Reader {
    stream: Stream,
    id: u64,
    at: u64,
    trailed: bool,
}

impl Reader {
    /// The next bytes; nothing at the end.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        let mut state = self.stream.state();
        let next = state.chunks.partition_point(|(start, _)| *start <= self.at);
        if let Some((start, chunk)) = next.checked_sub(1).and_then(|i| state.chunks.get(i)) {
            let skip = (self.at - start) as usize;
            if skip < chunk.len() {
                let bytes = chunk.slice(skip..);
                self.at += bytes.len() as u64;
                let writer = state.moved(self.id, self.at);
                drop(state);
                wake(writer.into_iter().collect());
                return Poll::Ready(Some(Ok(bytes)));
            }
        } else if state.windowed && self.at < state.len {
            return Poll::Ready(Some(Err(Broken::LeftBehind)));
        }
        match (&state.end, self.at >= state.len) {
            (Some(Ok(())), true) => Poll::Ready(None),
            (Some(Err(broken)), true) => Poll::Ready(Some(Err(broken.clone()))),
            _ => {
                if let Some(place) = state.readers.get_mut(&self.id) {
                    place.waker = Some(context.waker().clone());
                }
                Poll::Pending
            }
        }
    }

    fn poll_settled(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.stream.state();
        if state.end.is_some() || state.windowed {
            return Poll::Ready(());
        }
        if let Some(place) = state.readers.get_mut(&self.id) {
            place.waker = Some(context.waker().clone());
        }
        Poll::Pending
    }

    /// The trailers, once, after the last byte.
    pub fn trailers(&mut self) -> Option<HeaderMap> {
        let first = !std::mem::replace(&mut self.trailed, true);
        first.then(|| self.stream.state().trailers.clone()).flatten()
    }

    /// How many bytes are known to follow, and nothing else, once the body has ended well.
    pub fn remaining(&self) -> Option<u64> {
        let state = self.stream.state();
        let ended = matches!(state.end, Some(Ok(()))) && state.trailers.is_none();
        ended.then(|| state.len.saturating_sub(self.at))
    }
}

impl State {
    fn moved(&mut self, id: u64, at: u64) -> Option<Waker> {
        if let Some(place) = self.readers.get_mut(&id) {
            place.moved(at);
        }
        self.trim();
        self.writer.take()
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut state = self.stream.state();
        state.readers.remove(&self.id);
        state.trim();
        let writer = state.writer.take();
        drop(state);
        wake(writer.into_iter().collect());
    }
}

#[cfg(test)]
mod tests;
