//! The bytes below hyper, counted: what hyper does not tell, and what decides whether a request
//! may be sent again, is whether any byte of it left and any byte of an answer came.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use bytes::BufMut;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Duration, Instant};

/// No read fills a buffer of this length or more. hyper doubles the one that a read has filled, up
/// to the longest head, and each part of a body that is held keeps the buffer it came in.
pub(super) const BUFFER_BYTES: usize = 64 * 1_024;

/// What passed over one connection.
#[derive(Debug)]
pub(super) struct Meter {
    born: Instant,
    read: AtomicU64,
    written: AtomicU64,
    written_at_ms: AtomicU64,
    // From now on bytes belong to another protocol: write errors are its business.
    tunnel: AtomicBool,
}

impl Meter {
    pub(super) fn new() -> Self {
        Self {
            born: Instant::now(),
            read: AtomicU64::new(0),
            written: AtomicU64::new(0),
            written_at_ms: AtomicU64::new(0),
            tunnel: AtomicBool::new(false),
        }
    }

    pub(super) fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    pub(super) fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// When the last byte left.
    pub(super) fn written_at(&self) -> Instant {
        self.born + Duration::from_millis(self.written_at_ms.load(Ordering::Relaxed))
    }

    /// Tells the wire that what follows is not HTTP.
    pub(super) fn becomes_tunnel(&self) {
        self.tunnel.store(true, Ordering::Relaxed);
    }

    fn wrote(&self, count: usize) {
        let at = self.born.elapsed().as_millis() as u64;
        self.written_at_ms.store(at, Ordering::Relaxed);
        self.written.fetch_add(count as u64, Ordering::Relaxed);
    }
}

/// A TCP connection whose write errors wait for the reader. An origin that answers early and closes
/// makes our writes fail while its answer is still in the socket (RFC 9112, 9.5); hyper would give
/// up at the failed write. So the write never ends, and reading tells: the answer, or the end.
#[derive(Debug)]
pub(super) struct Wire {
    tcp: TcpStream,
    meter: Arc<Meter>,
    deaf: bool,
}

impl Wire {
    pub(super) fn new(tcp: TcpStream, meter: Arc<Meter>) -> Self {
        Self { tcp, meter, deaf: false }
    }

    /// Reads into all of a large buffer but its last bytes.
    fn poll_part(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.tcp.poll_read_ready(cx))?;
            match self.tcp.try_read_buf(&mut (&mut *buf).limit(BUFFER_BYTES - 1)) {
                Ok(_) => return Poll::Ready(Ok(())),
                Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => {}
                Err(cause) => return Poll::Ready(Err(cause)),
            }
        }
    }

    /// Whether writing has ended; for a tunnel that is an error, for HTTP a silence.
    fn poll_deaf(&self) -> Option<Poll<io::Result<usize>>> {
        if !self.deaf {
            return None;
        }
        let tunnel = self.meter.tunnel.load(Ordering::Relaxed);
        Some(if tunnel {
            Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
        } else {
            Poll::Pending
        })
    }

    fn outcome(&mut self, result: io::Result<usize>) -> Poll<io::Result<usize>> {
        match result {
            Ok(count) => {
                self.meter.wrote(count);
                Poll::Ready(Ok(count))
            }
            Err(cause) if self.meter.tunnel.load(Ordering::Relaxed) => Poll::Ready(Err(cause)),
            // The reading half has its waker registered: it wakes the task at the end.
            Err(_) => {
                self.deaf = true;
                Poll::Pending
            }
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        if buf.remaining() < BUFFER_BYTES {
            ready!(Pin::new(&mut this.tcp).poll_read(cx, buf))?;
        } else {
            ready!(this.poll_part(cx, buf))?;
        }
        let count = buf.filled().len().saturating_sub(before);
        this.meter.read.fetch_add(count as u64, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if let Some(end) = this.poll_deaf() {
            return end;
        }
        let result = ready!(Pin::new(&mut this.tcp).poll_write(cx, bytes));
        this.outcome(result)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if let Some(end) = this.poll_deaf() {
            return end;
        }
        let result = ready!(Pin::new(&mut this.tcp).poll_write_vectored(cx, parts));
        this.outcome(result)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().tcp).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().tcp).poll_shutdown(cx)
    }
}
