//! The step from an answer 101 to a bare connection (RFC 9110, 7.8).

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::origin::answer;
use crate::origin::fault::OriginFault;
use crate::origin::fault::Sent;
use crate::origin::link::Link;
use crate::origin::slots::Slot;

/// A connection that is about to change its protocol.
#[derive(Debug)]
pub struct Upgrade {
    on: OnUpgrade,
    link: Link,
    slot: Option<Slot>,
}

/// The connection after the change: bytes, and nothing of HTTP. What the origin sent right behind
/// its 101 is read first.
#[derive(Debug)]
pub struct Lane {
    io: TokioIo<Upgraded>,
    // A tunnel counts against `max_concurrent` until it ends.
    _slot: Option<Slot>,
}

impl Upgrade {
    pub(super) const fn new(on: OnUpgrade, link: Link) -> Self {
        Self { on, link, slot: None }
    }

    pub(super) fn hold(&mut self, slot: Option<Slot>) {
        self.slot = slot;
    }

    /// Waits for the change; immediate in practice, since the 101 is there.
    pub async fn complete(self) -> Result<Lane, OriginFault> {
        let Self { on, link, slot } = self;
        let upgraded = on.await;
        // Until here its task had to run.
        drop(link);
        match upgraded {
            Ok(io) => Ok(Lane { io: TokioIo::new(io), _slot: slot }),
            Err(cause) => {
                Err(OriginFault::Reset { sent: Sent::Maybe, cause: answer::told(&cause) })
            }
        }
    }
}

impl AsyncRead for Lane {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_read(cx, buf)
    }
}

impl AsyncWrite for Lane {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}
