//! The socket below HTTP/2. The library writes each answer by itself and asks for a flush behind
//! it; under TLS each of these would be a record and a call to the kernel. Here writes are gathered
//! while the connection is polled, and go out together when the poll is over: whoever polls it must
//! call [`Merged::poll_out`] behind every poll.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::base::limits;
use crate::edge::closing::{Closing, Rest};
use crate::edge::deadline::Deadline;
use crate::edge::workers::Seat;

/// What is gathered at most before the client must take some of it: four records of TLS.
const GATHERED_BYTES_MAX: usize = 64 * 1_024;

/// A PING frame (RFC 9113, 6.7).
const PING_BYTES: usize = 17;

/// The socket, with what waits to be written.
#[derive(Debug)]
pub(super) struct Merged<T> {
    io: T,
    out: BytesMut,
    stall: Deadline,
    /// Bytes taken since that wait began.
    taken: usize,
    /// When some of an answer were taken last.
    took: Option<Instant>,
    closing: Closing,
    /// Given back when the socket goes.
    _seat: Option<Seat>,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Merged<T> {
    /// Writes what was gathered. Pending while the client does not take it.
    ///
    /// # Errors
    /// When it cannot be written, or the client takes too little for too long.
    pub(super) fn poll_out(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.out.is_empty() {
            match Pin::new(&mut self.io).poll_write(cx, &self.out) {
                Poll::Pending if self.stall.is_over(cx) => {
                    return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                }
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(written)) => self.advance(written),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            }
        }
        Pin::new(&mut self.io).poll_flush(cx)
    }

    /// When the client took something of an answer last.
    pub(super) const fn took(&self) -> Option<Instant> {
        self.took
    }

    fn advance(&mut self, written: usize) {
        self.out.advance(written);
        self.taken = self.taken.saturating_add(written);
        // A PING of ours is no answer.
        if written > PING_BYTES {
            self.took = Some(Instant::now());
        }
        // Trickling is no progress.
        if self.out.is_empty() || self.taken >= limits::WRITE_BYTES_MIN {
            self.taken = 0;
            self.stall.clear();
        }
        if self.out.is_empty() {
            // An idle connection holds no memory for what it once sent.
            self.out = BytesMut::new();
        }
    }

    /// Ends our side, and reads away what the client still sends, for a while.
    pub(super) fn poll_close(&mut self, rest: Rest, cx: &mut Context<'_>) -> Poll<()> {
        if ready!(self.poll_out(cx)).is_err() {
            return Poll::Ready(());
        }
        self.closing.poll(&mut self.io, None, rest, cx)
    }
}

/// The same in two hands: the library's, and that of who polls it. One task moves both, so that
/// nobody ever waits for the other.
#[derive(Debug)]
pub(super) struct Shared<T>(Arc<Mutex<Merged<T>>>);

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Shared<T> {
    pub(super) fn new(io: T, seat: Option<Seat>) -> Self {
        Self(Arc::new(Mutex::new(Merged {
            io,
            out: BytesMut::new(),
            stall: Deadline::new(limits::WRITE_TIMEOUT.to_duration()),
            taken: 0,
            took: None,
            closing: Closing::default(),
            _seat: seat,
        })))
    }

    pub(super) fn merged(&self) -> MutexGuard<'_, Merged<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Shared<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.merged().io).poll_read(cx, buf)
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Shared<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut merged = self.merged();
        if merged.out.len() >= GATHERED_BYTES_MAX {
            ready!(merged.poll_out(cx))?;
        }
        let room = GATHERED_BYTES_MAX - merged.out.len();
        let part = buf.get(..room).unwrap_or(buf);
        merged.out.extend_from_slice(part);
        Poll::Ready(Ok(part.len()))
    }

    /// Not yet: see the module.
    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut merged = self.merged();
        ready!(merged.poll_out(cx))?;
        Pin::new(&mut merged.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::Instant;

    use super::*;

    #[tokio::test]
    async fn what_is_written_goes_out_together_and_only_then() {
        let (mut client, server) = duplex(1 << 20);
        let mut shared = Shared::new(server, None);
        for part in ["one ", "two ", "three"] {
            shared.write_all(part.as_bytes()).await.unwrap();
            shared.flush().await.unwrap();
        }
        let mut came = [0; 64];
        let early = poll_fn(|cx| {
            let mut buf = ReadBuf::new(&mut came);
            Poll::Ready(Pin::new(&mut client).poll_read(cx, &mut buf).is_ready())
        });
        assert!(!early.await, "something went out early");
        poll_fn(|cx| shared.merged().poll_out(cx)).await.unwrap();
        let count = client.read(&mut came).await.unwrap();
        assert_eq!(&came[..count], b"one two three");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_gathered_is_bounded_and_trickling_is_no_progress() {
        let (mut client, server) = duplex(1_024);
        let mut shared = Shared::new(server, None);
        let begun = Instant::now();
        let writing = async { shared.write_all(&vec![7; 4 * GATHERED_BYTES_MAX]).await };
        let trickling = async {
            // A byte each second, for longer than a client may take so little.
            for _ in 0..600 {
                tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                if client.read_u8().await.is_err() {
                    return;
                }
            }
        };
        let error = tokio::select! {
            written = writing => written.unwrap_err(),
            () = trickling => panic!("it waits for ever"),
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(begun.elapsed().as_secs(), 60);
        assert!(shared.merged().out.len() <= GATHERED_BYTES_MAX);
    }
}
