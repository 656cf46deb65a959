//! From an accepted socket to the HTTP that is spoken on it, where that is not HTTP/1.1 in clear
//! from the first byte. A drain does not wait for who is still greeting.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::conn::{self, Line, Socket};
use super::http2;
use super::serve::{Peer, Serve};
use super::tls::{self, Tls};
use super::workers::{Seat, Stage};
use crate::base::limits;

/// How a client of HTTP/2 begins (RFC 9113, 3.4). No request of HTTP/1.1 begins so.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

impl Socket for TlsStream<TcpStream> {
    fn close_by_reset(&self) {
        self.get_ref().0.close_by_reset();
    }
}

/// Serves a connection under TLS.
pub(super) async fn secure<S: Serve>(
    stream: TcpStream,
    tls: &Tls,
    seat: Seat,
    peer: Peer,
    line: Line<S>,
) {
    let greeted = tokio::select! {
        biased;
        () = line.house.reached(Stage::Drain) => None,
        greeted = tls.greet(stream) => greeted,
    };
    match greeted {
        Some(stream) if tls::is_http2(&stream) => {
            http2::serve_on(stream, Some(seat), peer, line).await;
        }
        Some(stream) => conn::serve_on(stream, Some(seat), peer, line).await,
        None => {}
    }
}

/// Serves a connection in clear, in the version that its first bytes are of.
pub(super) async fn either<S: Serve>(stream: TcpStream, seat: Seat, peer: Peer, line: Line<S>) {
    let limit = limits::HEAD_TIMEOUT.to_duration();
    let begun = tokio::select! {
        biased;
        () = line.house.reached(Stage::Drain) => return,
        begun = tokio::time::timeout(limit, begin(stream)) => begun,
    };
    match begun {
        Ok(Ok(begun)) if begun.before == PREFACE => {
            http2::serve_on(begun, Some(seat), peer, line).await;
        }
        Ok(Ok(begun)) => conn::serve_on(begun, Some(seat), peer, line).await,
        // It went, or never said which.
        Ok(Err(_)) | Err(_) => {}
    }
}

/// Reads until it is clear whether the preface is coming.
async fn begin(mut stream: TcpStream) -> io::Result<Begun> {
    let mut before = BytesMut::with_capacity(PREFACE.len());
    while before.len() < PREFACE.len() && PREFACE.starts_with(&before) {
        let mut left = (&mut stream).take((PREFACE.len() - before.len()) as u64);
        if left.read_buf(&mut before).await? == 0 {
            break;
        }
    }
    Ok(Begun { before, stream })
}

/// A socket of which something has been read already.
#[derive(Debug)]
struct Begun {
    before: BytesMut,
    stream: TcpStream,
}

impl Socket for Begun {
    fn close_by_reset(&self) {
        self.stream.close_by_reset();
    }
}

impl AsyncRead for Begun {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.before.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let part = self.before.len().min(buf.remaining());
        buf.put_slice(self.before.get(..part).unwrap_or_default());
        self.before.advance(part);
        if self.before.is_empty() {
            self.before = BytesMut::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Begun {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
