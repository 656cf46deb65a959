//! Two connections that changed protocol, joined: bytes both ways, blind. One side's end is passed
//! on as an end while the other direction goes on; silence in both ends the tunnel.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, sleep_until};

use crate::base::limits;
use crate::base::units::Span;
use crate::origin::spec::after;
use crate::origin::upgrade::Lane;

/// What a tunnel carried.
#[derive(Debug)]
pub struct Tunnelled {
    /// Bytes from the client to the origin.
    pub to_origin: u64,
    /// Bytes from the origin to the client.
    pub to_client: u64,
    /// Why it ended.
    pub end: TunnelEnd,
}

/// Why a tunnel ended.
#[derive(Debug)]
pub enum TunnelEnd {
    /// Both sides said all they had to say.
    Closed,
    /// Nothing moved for as long as allowed.
    Idle,
    /// One side broke; the other was closed.
    Broken(io::Error),
}

/// Joins the client's connection and the origin's until both have ended, one breaks, or nothing
/// moves for `idle`.
pub async fn tunnel(client: Upgraded, origin: Lane, idle: Span) -> Tunnelled {
    join(TokioIo::new(client), origin, idle).await
}

pub(super) async fn join<C, O>(client: C, origin: O, idle: Span) -> Tunnelled
where
    C: AsyncRead + AsyncWrite + Unpin,
    O: AsyncRead + AsyncWrite + Unpin,
{
    let (mut client, mut origin) = (client, origin);
    let (mut up, mut down) = (Way::new(), Way::new());
    let mut clock = pin!(sleep_until(after(Instant::now(), idle)));
    let mut moved = Instant::now();
    let end = poll_fn(|cx| {
        let before = up.moves + down.moves;
        let upward = up.poll(cx, &mut client, &mut origin);
        let downward = down.poll(cx, &mut origin, &mut client);
        match (upward, downward) {
            (Poll::Ready(Err(cause)), _) | (_, Poll::Ready(Err(cause))) => {
                return Poll::Ready(TunnelEnd::Broken(cause));
            }
            (Poll::Ready(Ok(())), Poll::Ready(Ok(()))) => return Poll::Ready(TunnelEnd::Closed),
            _ => {}
        }
        if up.moves + down.moves != before {
            moved = Instant::now();
        }
        while clock.as_mut().poll(cx).is_ready() {
            if after(moved, idle) <= Instant::now() {
                return Poll::Ready(TunnelEnd::Idle);
            }
            clock.as_mut().reset(after(moved, idle));
        }
        Poll::Pending
    })
    .await;
    Tunnelled { to_origin: up.carried, to_client: down.carried, end }
}

/// One direction.
struct Way {
    buffer: Box<[u8]>,
    filled: usize,
    written: usize,
    carried: u64,
    moves: u64,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Flowing,
    Flushing,
    Closing,
    Closed,
}

impl Way {
    fn new() -> Self {
        Self {
            buffer: vec![0; limits::TUNNEL_BUFFER_BYTES].into_boxed_slice(),
            filled: 0,
            written: 0,
            carried: 0,
            moves: 0,
            state: State::Flowing,
        }
    }

    /// Until `from` has ended and `to` was told so.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut (impl AsyncRead + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
    ) -> Poll<io::Result<()>> {
        loop {
            match self.state {
                State::Flowing if self.written < self.filled => ready!(self.poll_write(cx, to))?,
                State::Flowing => match self.poll_read(cx, from) {
                    Poll::Ready(result) => result?,
                    // Before it rests, what it carried must be on its way.
                    Poll::Pending => {
                        ready!(Pin::new(&mut *to).poll_flush(cx))?;
                        return Poll::Pending;
                    }
                },
                State::Flushing => {
                    ready!(Pin::new(&mut *to).poll_flush(cx))?;
                    self.state = State::Closing;
                }
                State::Closing => {
                    // A side that is gone already cannot be told; its own direction says why.
                    drop(ready!(Pin::new(&mut *to).poll_shutdown(cx)));
                    self.state = State::Closed;
                }
                State::Closed => return Poll::Ready(Ok(())),
            }
        }
    }

    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut (impl AsyncRead + Unpin),
    ) -> Poll<io::Result<()>> {
        let mut buf = ReadBuf::new(&mut self.buffer);
        ready!(Pin::new(from).poll_read(cx, &mut buf))?;
        (self.filled, self.written) = (buf.filled().len(), 0);
        self.moves += 1;
        if self.filled == 0 {
            self.state = State::Flushing;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut (impl AsyncWrite + Unpin),
    ) -> Poll<io::Result<()>> {
        let pending = self.buffer.get(self.written..self.filled).unwrap_or_default();
        let count = ready!(Pin::new(to).poll_write(cx, pending))?;
        if count == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.written = self.written.saturating_add(count);
        self.carried = self.carried.saturating_add(count as u64);
        self.moves += 1;
        Poll::Ready(Ok(()))
    }
}
