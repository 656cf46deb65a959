//! The body of an answer, whatever it comes from. One enum, so that a hit takes no virtual call and
//! allocates no box.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use crate::base::budget::Budget;
use crate::engine::stream::Reader;
use crate::origin::{BoxError, Cut, InBody, Resumed, Whole};

/// What a client is sent.
#[derive(Debug)]
pub enum Reply {
    /// Bytes that are at hand, in order.
    Whole(Pieces),
    /// What a running fetch brings.
    Shared {
        /// Where we are in it.
        reader: Reader,
        /// The length, when the origin has told it.
        len: Option<u64>,
    },
    /// The origin's own answer, untouched.
    Origin(Box<InBody>),
    /// What was read of the origin's answer already, then the rest of it.
    Resumed(Box<Resumed<InBody>>),
    /// What was read of a running fetch already, then the rest of it.
    Continued(Pieces, Reader),
    /// What was held back until its end was known: its bytes, then its trailers or what broke it.
    Held(Pieces, Option<Box<Result<HeaderMap, BoxError>>>),
    /// A body that has broken, before its error is told.
    Broken(Option<BoxError>),
}

/// Bytes at hand: segments of a stored body, parts of it, or a text of ours.
#[derive(Clone, Debug, Default)]
pub struct Pieces {
    first: Option<Bytes>,
    more: std::vec::IntoIter<Bytes>,
    left: u64,
}

impl Pieces {
    /// One piece; allocates nothing.
    pub fn one(bytes: Bytes) -> Self {
        let left = bytes.len() as u64;
        Self { first: (left > 0).then_some(bytes), more: Vec::new().into_iter(), left }
    }

    /// Several pieces, sent in order.
    pub fn many(pieces: Vec<Bytes>) -> Self {
        let left = pieces.iter().map(|piece| piece.len() as u64).sum();
        Self { first: None, more: pieces.into_iter(), left }
    }

    /// Bytes not sent yet.
    pub const fn left(&self) -> u64 {
        self.left
    }
}

impl Iterator for Pieces {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let piece = self.first.take().or_else(|| self.more.find(|piece| !piece.is_empty()))?;
        self.left = self.left.saturating_sub(piece.len() as u64);
        Some(piece)
    }
}

impl Reply {
    /// No body at all.
    pub fn empty() -> Self {
        Self::Whole(Pieces::default())
    }

    /// The same, counted in `budget` until it is sent: for bytes that were made for this answer.
    #[must_use]
    pub fn counted(self, budget: &Arc<Budget>) -> Self {
        match self {
            Self::Whole(Pieces { first: Some(bytes), more, left }) => {
                let first = Some(budget.take(bytes.len() as u64).hold(bytes));
                Self::Whole(Pieces { first, more, left })
            }
            other => other,
        }
    }

    /// A text of ours.
    pub fn text(text: impl Into<Bytes>) -> Self {
        Self::Whole(Pieces::one(text.into()))
    }
}

/// An answer that was read to be looked at, to be sent as it came.
impl From<Result<Whole<InBody>, Cut<BoxError>>> for Reply {
    fn from(read: Result<Whole<InBody>, Cut<BoxError>>) -> Self {
        match read {
            Ok(Whole::TooLong(resumed)) => Self::Resumed(Box::new(resumed)),
            Ok(Whole::Complete { chunks, trailers: None }) => Self::Whole(Pieces::many(chunks)),
            Ok(Whole::Complete { chunks, trailers }) => {
                Self::Held(Pieces::many(chunks), trailers.map(Ok).map(Box::new))
            }
            Err(Cut { chunks, cause }) => {
                Self::Held(Pieces::many(chunks), Some(Box::new(Err(cause))))
            }
        }
    }
}

type Next = Option<Result<Frame<Bytes>, BoxError>>;

/// The next bytes of a running fetch, then its trailers.
fn poll_shared(reader: &mut Reader, context: &mut Context<'_>) -> Poll<Next> {
    let next = std::task::ready!(reader.poll_next(context));
    Poll::Ready(match next {
        Some(piece) => Some(piece.map(Frame::data).map_err(Into::into)),
        None => reader.trailers().map(|trailers| Ok(Frame::trailers(trailers))),
    })
}

impl Reply {
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Next> {
        match self {
            Self::Whole(pieces) => Poll::Ready(pieces.next().map(|piece| Ok(Frame::data(piece)))),
            Self::Shared { reader, len } => {
                let next = std::task::ready!(poll_shared(reader, context));
                let came = next.as_ref().and_then(|next| next.as_ref().ok()?.data_ref());
                let came = came.map_or(0, |piece| piece.len() as u64);
                *len = len.map(|len| len.saturating_sub(came));
                Poll::Ready(next)
            }
            Self::Origin(body) => Pin::new(&mut **body).poll_frame(context),
            Self::Resumed(body) => Pin::new(&mut **body).poll_frame(context),
            Self::Continued(pieces, reader) => {
                if let Some(piece) = pieces.next() {
                    Poll::Ready(Some(Ok(Frame::data(piece))))
                } else {
                    poll_shared(reader, context)
                }
            }
            Self::Held(pieces, end) => Poll::Ready(match pieces.next() {
                Some(piece) => Some(Ok(Frame::data(piece))),
                None => end.take().map(|end| (*end).map(Frame::trailers)),
            }),
            Self::Broken(error) => Poll::Ready(error.take().map(Err)),
        }
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match std::task::ready!(self.poll_next(context)) {
            // An error makes hyper drop what it has not sent yet, were it the whole head. It waits
            // one turn, in which hyper sends that.
            Some(Err(error)) if !matches!(*self, Self::Broken(_)) => {
                *self = Self::Broken(Some(error));
                context.waker().wake_by_ref();
                Poll::Pending
            }
            next => Poll::Ready(next),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(pieces) => pieces.left == 0,
            Self::Shared { len, .. } => *len == Some(0),
            Self::Continued(..) => false,
            Self::Origin(body) => body.is_end_stream(),
            Self::Resumed(body) => body.is_end_stream(),
            Self::Held(pieces, end) => pieces.left == 0 && end.is_none(),
            Self::Broken(error) => error.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(pieces) => SizeHint::with_exact(pieces.left),
            Self::Shared { reader, len } => len
                .or_else(|| reader.remaining())
                .map_or_else(SizeHint::default, SizeHint::with_exact),
            Self::Origin(body) => body.size_hint(),
            Self::Resumed(body) => body.size_hint(),
            Self::Continued(pieces, reader) => reader
                .remaining()
                .map_or_else(SizeHint::default, |left| SizeHint::with_exact(pieces.left + left)),
            Self::Held(..) | Self::Broken(_) => SizeHint::default(),
        }
    }
}
