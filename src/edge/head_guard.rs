//! The socket as the HTTP library sees it. Every request head is judged raw before one byte of it
//! is handed on, and message ends are tracked here, so that nothing ambiguous is ever parsed
//! (RFC 9112, sections 2, 6, 7 and 11.2). A refused head looks to the library like the end of the
//! connection, in good order, after the answers before it; then the refusal is written here.
//! What must never happen: bytes behind a refused head, or of an undecided upgrade, handed on.

mod hands;
mod lane;

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use smallvec::SmallVec;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::chunk_scan::{ChunkFault, ChunkScan};
use super::closing::{Closing, Rest};
use super::deadline::Deadline;
use super::head_scan::{Framing, HeadScan, Passed, Scan};
use super::refusal::Refusal;
use super::switch::{Course, Switch};
use super::workers::Seat;
use crate::base::limits;
use lane::Lane;

pub(super) use hands::Shared;
pub use lane::Outgoing;

/// Where in the stream of messages the next byte stands.
#[derive(Debug)]
enum State {
    /// In a head, or before one.
    Head(HeadScan),
    /// In content of known length; how much is left.
    Length(u64),
    /// In chunked content.
    Chunked(ChunkScan),
    /// Behind a request whose answer decides what follows.
    Undecided,
    /// Another protocol.
    Tunnel,
    /// Behind a chunked body that broke.
    Broken(ChunkFault),
    /// Behind a head that was refused.
    Refused(Refusal),
}

/// One connection's socket and the place in its stream of messages.
#[derive(Debug)]
pub(super) struct HeadGuard<T> {
    io: T,
    state: State,
    /// Read and not handed on; the first `ready` bytes of it may be.
    held: BytesMut,
    ready: usize,
    /// Heads handed on: the number of the current request.
    heads: u64,
    /// The current request may end HTTP here.
    may_switch: bool,
    switch: Arc<Switch>,
    lane: Lane,
    /// The library has a request whose answer is not out: what is written is its alone.
    unsettled: bool,
    /// What the library is to be told instead of another read.
    over: Option<io::Result<()>>,
    silence: Deadline,
    stall: Deadline,
    /// Bytes taken since that wait began.
    taken: usize,
    /// The client has sent its last byte.
    ended: bool,
    /// The library asked for the next request and was told the end because it is refused: every
    /// answer before it is out, and the next bytes on the wire may be ours.
    told: bool,
    closing: Closing,
    /// Given back when the socket goes, also after it became a tunnel.
    _seat: Option<Seat>,
}

impl<T> HeadGuard<T> {
    /// Guards a fresh connection.
    pub(super) fn new(io: T, switch: Arc<Switch>, seat: Option<Seat>) -> Self {
        Self {
            io,
            state: State::Head(HeadScan::default()),
            held: BytesMut::new(),
            ready: 0,
            heads: 0,
            may_switch: false,
            switch,
            lane: Lane::new(),
            unsettled: false,
            over: None,
            silence: Deadline::new(limits::HEAD_TIMEOUT.to_duration()),
            stall: Deadline::new(limits::WRITE_TIMEOUT.to_duration()),
            taken: 0,
            ended: false,
            told: false,
            closing: Closing::default(),
            _seat: seat,
        }
    }

    /// What it guards.
    pub(super) const fn socket(&self) -> &T {
        &self.io
    }

    /// How many of the next bytes of the stream may be handed on now.
    fn approve(&mut self, bytes: &[u8]) -> usize {
        let mut passed = 0;
        while let Some(rest @ [_, ..]) = bytes.get(passed..) {
            let (taken, next) = match &mut self.state {
                State::Head(scan) => match scan.read(rest) {
                    Scan::Partial => break,
                    Scan::Refused(refusal) => (0, Some(State::Refused(refusal))),
                    Scan::Passed(head) => (head.len, Some(self.behind_head(head))),
                },
                State::Length(left) => {
                    let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
                    *left -= taken as u64;
                    let done = *left == 0;
                    (taken, done.then(|| self.behind_message()))
                }
                State::Chunked(scan) => match scan.read(rest) {
                    (taken, Some(fault)) => (taken, Some(State::Broken(fault))),
                    (taken, None) => {
                        let done = scan.is_done();
                        (taken, done.then(|| self.behind_message()))
                    }
                },
                State::Tunnel => (rest.len(), None),
                State::Undecided | State::Broken(_) | State::Refused(_) => break,
            };
            passed += taken;
            if let Some(next) = next {
                self.state = next;
            }
        }
        passed
    }

    /// A head goes to the library.
    fn behind_head(&mut self, head: Passed) -> State {
        self.heads += 1;
        self.unsettled = true;
        self.may_switch = head.may_switch;
        self.silence.clear();
        match head.framing {
            Framing::Empty => self.behind_message(),
            Framing::Length(length) => State::Length(length),
            Framing::Chunked => State::Chunked(ChunkScan::default()),
        }
    }

    fn behind_message(&self) -> State {
        self.switch.receive(self.heads);
        if self.may_switch { State::Undecided } else { State::Head(HeadScan::default()) }
    }

    fn approve_held(&mut self) {
        let held = std::mem::take(&mut self.held);
        self.ready = self.approve(&held);
        self.held = held;
    }

    fn hand_over(&mut self, buf: &mut ReadBuf<'_>) {
        let part = self.ready.min(buf.remaining());
        buf.put_slice(self.held.get(..part).unwrap_or_default());
        self.held.advance(part);
        self.ready -= part;
        if self.held.is_empty() {
            // An idle connection holds no memory for what it once held.
            self.held = BytesMut::new();
        }
    }

    /// Takes what was just read into `buf` from `before` on, and leaves there what may pass.
    fn take_in(&mut self, buf: &mut ReadBuf<'_>, before: usize) {
        let fresh = buf.filled().get(before..).unwrap_or_default();
        if self.held.is_empty() {
            let passed = self.approve(fresh);
            let kept = fresh.get(passed..).unwrap_or_default();
            if !kept.is_empty() {
                self.held.extend_from_slice(kept);
                // The first byte of a head begins a new wait; those after it do not.
                self.silence.clear();
            }
            buf.set_filled(before + passed);
        } else {
            self.held.extend_from_slice(fresh);
            buf.set_filled(before);
            self.approve_held();
        }
    }

    /// The client is silent. True when it has been for too long.
    fn is_silent_too_long(&mut self, cx: &mut Context<'_>) -> bool {
        let State::Head(scan) = &self.state else { return false };
        let begun = scan.has_begun(&self.held);
        let over = self.silence.is_over(cx);
        if over && begun {
            self.state = State::Refused(Refusal::TooSlow);
        }
        over
    }

    fn rest(&self) -> Rest {
        match self.state {
            _ if self.ended => Rest::Ended,
            State::Head(_) | State::Undecided | State::Tunnel if self.held.is_empty() => {
                Rest::Quiet
            }
            _ => Rest::Sending,
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for HeadGuard<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        loop {
            if this.ready > 0 {
                this.hand_over(buf);
                return Poll::Ready(Ok(()));
            }
            match this.state {
                State::Refused(_) => {
                    this.told = true;
                    return Poll::Ready(Ok(()));
                }
                State::Broken(fault) => {
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, fault)));
                }
                State::Undecided => {
                    this.state = match ready!(this.switch.poll_course(this.heads, cx)) {
                        Course::Http => State::Head(HeadScan::default()),
                        Course::Tunnel => State::Tunnel,
                    };
                    this.approve_held();
                    continue;
                }
                // Every answer is out, and the library asks for another request.
                State::Head(_) if !this.unsettled && !this.lane.left => {
                    this.lane.wanted = true;
                    return Poll::Pending;
                }
                State::Head(_) | State::Length(_) | State::Chunked(_) | State::Tunnel => {}
            }
            if let Some(fault) = this.over.take() {
                return Poll::Ready(fault);
            }
            match Pin::new(&mut this.io).poll_read(cx, buf) {
                Poll::Pending if !this.is_silent_too_long(cx) => return Poll::Pending,
                Poll::Pending if matches!(this.state, State::Refused(_)) => {}
                Poll::Pending => return Poll::Ready(Ok(())),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Ready(Ok(())) if buf.filled().len() == before => {
                    this.ended = true;
                    return Poll::Ready(Ok(()));
                }
                Poll::Ready(Ok(())) => {
                    this.take_in(buf, before);
                    if buf.filled().len() > before {
                        return Poll::Ready(Ok(()));
                    }
                }
            }
        }
    }
}

/// Up to this many bytes, copying a head and its body together costs less than it costs the kernel
/// to go through a list of parts.
const GATHERED_BYTES_MAX: usize = 2_048;

/// Several small parts as one.
fn gathered(parts: &[IoSlice<'_>]) -> Option<SmallVec<[u8; GATHERED_BYTES_MAX]>> {
    let len: usize = parts.iter().map(|part| part.len()).sum();
    if parts.len() < 2 || len > GATHERED_BYTES_MAX {
        return None;
    }
    let mut whole = SmallVec::new();
    for part in parts {
        whole.extend_from_slice(part);
    }
    Some(whole)
}

impl<T: AsyncRead + AsyncWrite + Unpin> HeadGuard<T> {
    /// A wait for the client goes on until it has taken enough, or all: trickling is no progress.
    fn in_time(
        &mut self,
        written: Poll<io::Result<usize>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        match written {
            Poll::Pending if self.stall.is_over(cx) => {
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            Poll::Ready(Ok(count)) => {
                self.taken = self.taken.saturating_add(count);
                if self.taken >= limits::WRITE_BYTES_MIN {
                    self.all_taken();
                }
                written
            }
            other => other,
        }
    }

    /// The client has taken what there was, or enough of it: the next wait begins anew.
    fn all_taken(&mut self) {
        self.taken = 0;
        self.stall.clear();
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for HeadGuard<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.io).poll_write(cx, buf);
        this.in_time(written, cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = match gathered(bufs) {
            Some(small) => Pin::new(&mut this.io).poll_write(cx, &small),
            None => Pin::new(&mut this.io).poll_write_vectored(cx, bufs),
        };
        this.in_time(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(Pin::new(&mut this.io).poll_flush(cx))?;
        // The library writes what it has, to the last byte, before it comes here.
        this.all_taken();
        if this.unsettled && this.switch.has_sent(this.heads) {
            this.unsettled = false;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if matches!(this.state, State::Tunnel) {
            return Pin::new(&mut this.io).poll_shutdown(cx);
        }
        let owed = match this.state {
            State::Refused(refusal) if this.told => Some(refusal),
            _ => None,
        };
        if let Some(refusal) = owed {
            this.switch.note_refusal(refusal);
        }
        let rest = this.rest();
        this.closing.poll(&mut this.io, owed, rest, cx).map(Ok)
    }
}
