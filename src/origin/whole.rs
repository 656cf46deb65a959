//! A body collected up to a limit. Where it turns out longer, nothing is lost: what was read and
//! the rest stream on as one body.

use std::collections::VecDeque;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use bytes::{Buf, Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

/// What collecting came to.
#[derive(Debug)]
pub enum Whole<B> {
    /// All of it.
    Complete {
        /// The bytes, in the parts in which they came.
        chunks: Vec<Bytes>,
        /// The trailers, if there were any.
        trailers: Option<HeaderMap>,
    },
    /// It is longer than the limit.
    TooLong(Resumed<B>),
}

impl<B> Whole<B> {
    /// The bytes as one piece, when the body is complete; no copy when it came as one.
    pub fn bytes(&self) -> Option<Bytes> {
        match self {
            Self::Complete { chunks, .. } => match chunks.as_slice() {
                [] => Some(Bytes::new()),
                [only] => Some(only.clone()),
                many => {
                    let mut all = BytesMut::with_capacity(many.iter().map(Bytes::len).sum());
                    for chunk in many {
                        all.extend_from_slice(chunk);
                    }
                    Some(all.freeze())
                }
            },
            Self::TooLong(_) => None,
        }
    }
}

/// A body whose beginning was read already.
#[derive(Debug)]
pub struct Resumed<B> {
    read: VecDeque<Bytes>,
    rest: B,
}

/// A body that broke off while it was read.
#[derive(Debug, thiserror::Error)]
#[error("{cause}")]
pub struct Cut<E> {
    /// What came before, in the parts in which it came.
    pub chunks: Vec<Bytes>,
    /// The body's own error.
    pub cause: E,
}

/// Reads `body` to its end, or until it is longer than `limit` bytes. A length known beforehand
/// and too large is not read at all.
pub async fn whole<B>(mut body: B, limit: u64) -> Result<Whole<B>, Cut<B::Error>>
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut chunks: Vec<Bytes> = Vec::new();
    let mut trailers = None;
    if body.size_hint().lower() > limit {
        return Ok(Whole::TooLong(Resumed { read: chunks.into(), rest: body }));
    }
    let mut held: u64 = 0;
    while let Some(frame) = next(&mut body).await {
        let frame = match frame {
            Ok(frame) => frame,
            Err(cause) => return Err(Cut { chunks, cause }),
        };
        match frame.into_data() {
            Ok(data) => {
                held = held.saturating_add(data.len() as u64);
                if !data.is_empty() {
                    chunks.push(data);
                }
                if held > limit {
                    return Ok(Whole::TooLong(Resumed { read: chunks.into(), rest: body }));
                }
            }
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
    }
    Ok(Whole::Complete { chunks, trailers })
}

async fn next<B: Body + Unpin>(body: &mut B) -> Option<Result<Frame<B::Data>, B::Error>> {
    let mut body = pin!(body);
    std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await
}

impl<B> Body for Resumed<B>
where
    B: Body<Data = Bytes> + Unpin,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.get_mut();
        match this.read.pop_front() {
            Some(chunk) => Poll::Ready(Some(Ok(Frame::data(chunk)))),
            None => Pin::new(&mut this.rest).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.read.is_empty() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let read = self.read.iter().map(|chunk| chunk.remaining() as u64).sum::<u64>();
        let rest = self.rest.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower().saturating_add(read));
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper.saturating_add(read));
        }
        hint
    }
}
