//! The lane beside the HTTP library. While the library waits for a request, this reads in its
//! place, and what the service can answer without waiting is answered here: the library never hears
//! of it. The first head that needs more is handed on, and the library has the connection until its
//! answer is out.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use smallvec::SmallVec;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::super::head_scan::{Framing, HeadScan, Scan, Sound};
use super::{GATHERED_BYTES_MAX, HeadGuard, State};

/// What is read at once: some heads, and no page of the stack more.
const READ_BYTES: usize = 4_096;

/// Answers to requests that came together are written together up to this many bytes.
const TOGETHER_BYTES_MAX: usize = 64 * 1_024;

/// Parts of a body that are written at once.
const PARTS_MAX: usize = 16;

/// Answers on their way to the client: bytes at hand, nothing that has to be waited for.
#[derive(Debug, Default)]
pub struct Outgoing {
    /// Heads and small bodies; the first `sent` bytes are out.
    text: Vec<u8>,
    sent: usize,
    /// What follows the text; the last part stands first.
    body: SmallVec<[Bytes; 1]>,
    /// Nothing comes after it on this connection.
    last: bool,
}

impl Outgoing {
    /// Where the next head is to be appended.
    pub fn head(&mut self) -> &mut Vec<u8> {
        if self.text.capacity() == 0 {
            self.text.reserve(GATHERED_BYTES_MAX);
        }
        &mut self.text
    }

    /// Appends the body to the head before it: nothing may be appended after it until it is out.
    /// Small ones are copied, because that costs less than it costs the kernel to gather parts.
    pub fn body(&mut self, parts: impl Iterator<Item = Bytes>) {
        debug_assert!(self.body.is_empty(), "bodies of two answers at once");
        self.body.extend(parts);
        if let [one] = self.body.as_slice()
            && one.len() <= GATHERED_BYTES_MAX
        {
            self.text.extend_from_slice(one);
            self.body.clear();
        }
        self.body.reverse();
    }

    /// The connection ends behind what was appended.
    pub(in super::super) fn close(&mut self) {
        self.last = true;
    }

    fn has_room(&self) -> bool {
        self.body.is_empty() && self.text.len() < TOGETHER_BYTES_MAX
    }

    fn is_empty(&self) -> bool {
        self.text.is_empty() && self.body.is_empty()
    }

    fn poll_write<T: AsyncWrite + Unpin>(
        &self,
        io: &mut T,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let text = self.text.get(self.sent..).unwrap_or_default();
        if self.body.is_empty() {
            return Pin::new(io).poll_write(cx, text);
        }
        let body = self.body.iter().rev().map(|part| IoSlice::new(part));
        let parts: SmallVec<[IoSlice<'_>; PARTS_MAX]> =
            std::iter::once(IoSlice::new(text)).chain(body).take(PARTS_MAX).collect();
        Pin::new(io).poll_write_vectored(cx, &parts)
    }

    fn advance(&mut self, mut written: usize) {
        let text = written.min(self.text.len() - self.sent);
        self.sent += text;
        written -= text;
        while let Some(part) = self.body.last_mut() {
            let whole = written.min(part.len());
            part.advance(whole);
            written -= whole;
            if !part.is_empty() {
                return;
            }
            self.body.pop();
        }
        if self.sent == self.text.len() {
            // An idle connection holds no memory for what it once sent.
            *self = Self::default();
        }
    }
}

/// Takes a whole head without content and when it came; says whether it has appended its answer.
pub(in super::super) type Answer<'a> = dyn FnMut(&Sound<'_>, Instant, &mut Outgoing) -> bool + 'a;

/// How far the lane is.
#[derive(Debug, Default)]
pub(super) struct Lane {
    /// The library waits for a head: reading is ours.
    pub(super) wanted: bool,
    /// The connection ends, and the library is to have it for good.
    pub(super) left: bool,
    /// What is held may have a whole head in it.
    again: bool,
    /// When the last bytes came.
    arrived: Option<Instant>,
    outgoing: Outgoing,
}

impl Lane {
    /// Of a fresh connection: the library has not been told of it yet.
    pub(super) fn new() -> Self {
        Self { wanted: true, ..Self::default() }
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> HeadGuard<T> {
    /// Reads and answers in the library's place while it waits for a head. Ready when it is the
    /// library's turn.
    ///
    /// # Errors
    /// When answers cannot be written: the connection is over.
    pub(in super::super) fn poll_lane(
        &mut self,
        cx: &mut Context<'_>,
        answer: &mut Answer<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_send(cx))?;
            if !self.lane.wanted {
                return Poll::Ready(Ok(()));
            }
            if std::mem::take(&mut self.lane.again) {
                self.answer_held(answer);
                continue;
            }
            let mut space = [MaybeUninit::uninit(); READ_BYTES];
            let mut fresh = ReadBuf::uninit(&mut space);
            match Pin::new(&mut self.io).poll_read(cx, &mut fresh) {
                Poll::Pending if !self.is_silent_too_long(cx) => return Poll::Pending,
                Poll::Pending => self.end_lane(Ok(())),
                Poll::Ready(Err(error)) => self.end_lane(Err(error)),
                Poll::Ready(Ok(())) if fresh.filled().is_empty() => {
                    self.ended = true;
                    self.end_lane(Ok(()));
                }
                Poll::Ready(Ok(())) if self.held.is_empty() => {
                    self.lane.arrived = Some(Instant::now());
                    let used = self.answer_in(fresh.filled(), answer);
                    let kept = fresh.filled().get(used..).unwrap_or_default();
                    if !kept.is_empty() {
                        self.held.extend_from_slice(kept);
                        // The first byte of a head begins a new wait; those after it do not.
                        self.silence.clear();
                    }
                }
                Poll::Ready(Ok(())) => {
                    self.lane.arrived = Some(Instant::now());
                    self.held.extend_from_slice(fresh.filled());
                    self.answer_held(answer);
                }
            }
        }
    }

    /// The library has the connection from here to its end.
    pub(in super::super) fn leave_lane(&mut self) {
        self.lane.left = true;
        self.lane.wanted = false;
    }

    /// Whether the library waits for what only the lane reads.
    pub(in super::super) fn is_lane_wanted(&self) -> bool {
        self.lane.wanted
    }

    fn end_lane(&mut self, end: io::Result<()>) {
        self.over = Some(end);
        self.leave_lane();
    }

    fn answer_held(&mut self, answer: &mut Answer<'_>) {
        let mut held = std::mem::take(&mut self.held);
        let used = self.answer_in(&held, answer);
        held.advance(used);
        self.held = if held.is_empty() { BytesMut::new() } else { held };
    }

    /// Answers the heads that `bytes` begin with, and tells how many bytes they had. What follows
    /// is to be held; it may be the library's.
    fn answer_in(&mut self, bytes: &[u8], answer: &mut Answer<'_>) -> usize {
        let mut used = 0;
        while let Some(rest @ [_, ..]) = bytes.get(used..)
            && let State::Head(scan) = &mut self.state
        {
            if !self.lane.outgoing.has_room() {
                self.lane.again = true;
                break;
            }
            match scan.read(rest) {
                Scan::Partial => break,
                Scan::Refused(refusal) => {
                    self.state = State::Refused(refusal);
                    self.lane.wanted = false;
                }
                Scan::Passed(passed) => {
                    let arrived = self.lane.arrived.unwrap_or_else(Instant::now);
                    // The next wait begins; one moment more or less is worth no other look at the
                    // clock.
                    self.silence.begin_at(arrived);
                    let (head, behind) = rest.split_at_checked(passed.len).unwrap_or_default();
                    if passed.framing == Framing::Empty
                        && !passed.may_switch
                        && answer(&scan.sound(head), arrived, &mut self.lane.outgoing)
                    {
                        used += passed.len;
                        self.state = State::Head(HeadScan::default());
                        if self.lane.outgoing.last {
                            self.end_lane(Ok(()));
                            break;
                        }
                    } else {
                        self.lane.wanted = false;
                        self.state = self.behind_head(passed);
                        self.ready = passed.len + self.approve(behind);
                        break;
                    }
                }
            }
        }
        used
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.lane.outgoing.is_empty() {
            return Poll::Ready(Ok(()));
        }
        while !self.lane.outgoing.is_empty() {
            let written = self.lane.outgoing.poll_write(&mut self.io, cx);
            match ready!(self.in_time(written, cx))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.lane.outgoing.advance(written),
            }
        }
        self.all_taken();
        Poll::Ready(Ok(()))
    }
}
