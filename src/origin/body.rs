//! The answer's body as it comes: counted, watched for silence, and the place where a connection
//! is given back. It is given back only after the last byte was read and the request's own body
//! has ended; in every other case it is closed. An end that came too early is an error, always.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::base::budget::{Budget, Charge};
use crate::base::units::Span;
use crate::origin::BoxError;
use crate::origin::answer::{self, Afterwards};
use crate::origin::fault::{BodyFault, Phase};
use crate::origin::link::Link;
use crate::origin::pool::Place;
use crate::origin::slots::Slot;
use crate::origin::spec::{Keep, after};
use crate::origin::upload::Upload;
use crate::origin::wire::BUFFER_BYTES;

/// Payload bytes of an answer that are not counted: what the buffers of a connection hold anyway.
const UNCOUNTED_BYTES: u64 = 16 * 1_024;

/// What one counted part takes besides its bytes.
const PART_BYTES: u64 = 160;

/// The body of an answer. Its errors are [`BodyFault`]s.
pub struct InBody {
    inner: Incoming,
    limits: BodyLimits,
    held: Option<Held>,
    charge: Option<Charge>,
    /// For what its connection has read ahead.
    ahead: Option<Charge>,
    received: u64,
    over: bool,
    failed: bool,
    // Since when somebody waits for the next part, and the timer for it: armed when first needed,
    // and moved only when it rings.
    waiting_since: Option<Instant>,
    clock: Option<Pin<Box<Sleep>>>,
}

/// How long the parts of a body may take.
pub(super) struct BodyLimits {
    pub(super) between_bytes: Span,
    pub(super) total: Option<(Instant, Span)>,
}

/// What an unfinished answer holds on to.
pub(super) struct Held {
    pub(super) link: Link,
    pub(super) place: Arc<Place>,
    pub(super) keep: Keep,
    pub(super) afterwards: Afterwards,
    pub(super) upload: Option<Arc<Upload>>,
    pub(super) slot: Option<Slot>,
}

impl InBody {
    pub(super) fn new(inner: Incoming, limits: BodyLimits, held: Option<Held>) -> Self {
        let empty = inner.is_end_stream();
        let mut body = Self {
            inner,
            limits,
            held,
            charge: None,
            ahead: None,
            received: 0,
            over: false,
            failed: false,
            waiting_since: None,
            clock: None,
        };
        if empty {
            body.finish();
        }
        body
    }

    /// Keeps a place until the body has ended or is dropped.
    pub(super) fn hold(&mut self, slot: Option<Slot>) {
        if let Some(held) = &mut self.held {
            held.slot = slot;
        }
    }

    /// Counts its bytes in `budget`, each part until it is dropped.
    pub fn count_in(&mut self, budget: &Arc<Budget>) {
        self.charge = Some(budget.take(0));
    }

    /// Counts its bytes against what was reserved for them.
    pub fn count_against(&mut self, reserved: Charge) {
        self.charge = Some(reserved);
    }

    /// Whether memory is reserved for what is still to come.
    pub fn has_reserve(&self) -> bool {
        self.charge.as_ref().is_some_and(|charge| charge.bytes() > 0)
    }

    /// Gives back what is still reserved: it goes out as it comes.
    pub fn free_reserve(&mut self) {
        self.charge = self.charge.take().map(|mut charge| charge.split(0));
    }

    /// Payload bytes read so far.
    pub const fn received(&self) -> u64 {
        self.received
    }

    /// Whether the body ended, complete.
    pub const fn is_complete(&self) -> bool {
        self.over && !self.failed
    }

    /// Lifts the limit on the whole exchange, for answers that turn out to be endless streams.
    pub const fn lift_total(&mut self) {
        self.limits.total = None;
    }

    /// The end is reached: the connection goes where it may.
    fn finish(&mut self) {
        self.over = true;
        self.free_reserve();
        self.ahead = None;
        let Some(held) = self.held.take() else { return };
        let Held { link, place, keep, afterwards, upload, slot } = held;
        drop(slot);
        match upload {
            Some(upload) if upload.is_shut() => drop(link),
            Some(upload) if !upload.is_finished() => {
                Place::see_off(link, self.limits.between_bytes);
            }
            _ if afterwards == Afterwards::Reuse => place.put(link, keep),
            _ => drop(link),
        }
    }

    fn fail(&mut self, fault: BodyFault) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.over = true;
        self.failed = true;
        self.free_reserve();
        self.ahead = None;
        self.held = None;
        Poll::Ready(Some(Err(fault.into())))
    }

    fn late(&mut self, phase: Phase, limit: Span) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.fail(BodyFault::Timeout { received: self.received, phase, limit })
    }

    fn broken(&mut self, cause: String) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.fail(BodyFault::Incomplete { received: self.received, cause })
    }

    /// The limit on the whole, if it has passed.
    fn total_passed(&self) -> Option<Span> {
        let (end, total) = self.limits.total?;
        (end <= Instant::now()).then_some(total)
    }

    fn poll_clock(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let since = *self.waiting_since.get_or_insert_with(Instant::now);
        let silent_until = after(since, self.limits.between_bytes);
        let due = self.limits.total.map_or(silent_until, |(end, _)| end.min(silent_until));
        let clock = self.clock.get_or_insert_with(|| Box::pin(sleep_until(due)));
        while clock.as_mut().poll(cx).is_ready() {
            if due <= Instant::now() {
                return match self.total_passed() {
                    Some(total) => self.late(Phase::Total, total),
                    None => self.late(Phase::BetweenBytes, self.limits.between_bytes),
                };
            }
            clock.as_mut().reset(due);
        }
        Poll::Pending
    }

    fn take_frame(&mut self, frame: Frame<Bytes>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.waiting_since = None;
        if let Some(total) = self.total_passed() {
            return self.late(Phase::Total, total);
        }
        let data = frame.data_ref().map_or(0, |data| data.remaining() as u64);
        self.received = self.received.saturating_add(data);
        let frame = match &mut self.charge {
            Some(charge) if data > 0 && self.received > UNCOUNTED_BYTES => {
                let share = charge.split(data + PART_BYTES);
                self.ahead.get_or_insert_with(|| charge.also(BUFFER_BYTES as u64));
                frame.map_data(|bytes| share.hold(bytes))
            }
            _ => frame,
        };
        if frame.is_trailers() || self.inner.is_end_stream() {
            self.finish();
        }
        Poll::Ready(Some(Ok(frame)))
    }
}

impl Body for InBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        if this.over {
            return Poll::Ready(None);
        }
        match Pin::new(&mut this.inner).poll_frame(cx) {
            Poll::Pending => this.poll_clock(cx),
            Poll::Ready(Some(Ok(frame))) => this.take_frame(frame),
            Poll::Ready(Some(Err(cause))) => this.broken(answer::told(&cause)),
            // hyper counts down what is left of a known length: an end with something left would
            // be a cut answer, whatever the reason.
            Poll::Ready(None) => match this.inner.size_hint().exact() {
                Some(left) if left > 0 => this.broken(format!("{left} bytes are missing")),
                _ => {
                    this.finish();
                    Poll::Ready(None)
                }
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        self.over
    }

    fn size_hint(&self) -> SizeHint {
        if self.over { SizeHint::with_exact(0) } else { self.inner.size_hint() }
    }
}

impl std::fmt::Debug for InBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InBody")
            .field("received", &self.received)
            .field("over", &self.over)
            .finish_non_exhaustive()
    }
}
