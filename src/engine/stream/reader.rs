//! One who follows a body at his own pace.

use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::HeaderMap;

use super::{Broken, State, Stream, wake};

/// One who follows a [`Stream`].
#[derive(Debug)]
pub struct Reader {
    pub(super) stream: Stream,
    pub(super) id: u64,
    pub(super) at: u64,
    pub(super) trailed: bool,
}

impl Reader {
    /// The next bytes; nothing at the end.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        let mut state = self.stream.state();
        if self.at < state.len && !state.readers.contains_key(&self.id) {
            return Poll::Ready(Some(Err(Broken::LeftBehind)));
        }
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

    pub(super) fn poll_settled(&self, context: &mut Context<'_>) -> Poll<()> {
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
