//! A copy of a request body for the rules, taken while it streams on to the origin. Beyond its
//! limit the copy is dropped, never the body.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use crate::engine::json;
use crate::engine::pass::OutBody;
use crate::origin::BoxError;
use crate::rules::RequestBody;

/// What a [`Tee`] has copied so far.
#[derive(Clone, Debug)]
pub(super) struct Copied(Arc<Mutex<CopyState>>);

#[derive(Debug)]
struct CopyState {
    bytes: BytesMut,
    limit: Option<u64>,
    ended: bool,
}

impl Copied {
    /// Copies up to `limit` bytes; nothing without one.
    pub(super) fn new(limit: Option<u64>) -> Self {
        let state = CopyState { bytes: BytesMut::new(), limit, ended: false };
        Self(Arc::new(Mutex::new(state)))
    }

    fn add(&self, data: &[u8]) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match state.limit {
            Some(limit) if state.bytes.len() + data.len() <= limit as usize => {
                state.bytes.extend_from_slice(data);
            }
            _ => {
                state.limit = None;
                state.bytes = BytesMut::new();
            }
        }
    }

    fn end(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).ended = true;
    }

    /// The body, if all of it was copied.
    pub(super) fn body(&self, head: &HeaderMap) -> Option<RequestBody> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let limit = state.limit.filter(|_| state.ended)?;
        let plain = json::decoded(head, &state.bytes, limit)?;
        Some(RequestBody::new(plain.into_owned().into()))
    }
}

/// Copies a request body for the rules while it streams on.
pub(super) struct Tee {
    pub(super) body: OutBody,
    pub(super) copy: Copied,
}

impl Body for Tee {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(context));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    self.copy.add(data);
                }
                if self.body.is_end_stream() {
                    self.copy.end();
                }
            }
            None => self.copy.end(),
            Some(Err(_)) => {}
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        let ended = self.body.is_end_stream();
        if ended {
            self.copy.end();
        }
        ended
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
