//! The request's body on its way to the origin: what hyper polls, and the small shared state by
//! which the asker sees whether it has ended, whom it waits for, and whether it may begin.
//!
//! A body that gives more or less than its Content-Length is an error, never a cut message.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::base::limits;
use crate::origin::BoxError;

type Source = Pin<Box<dyn Body<Data = Bytes, Error = BoxError> + Send>>;

/// May flow.
const OPEN: u8 = 0;
/// Waits for the origin's 100 (RFC 9110, 10.1.1), or for some time.
const WAITING: u8 = 1;
/// The final answer came first: the body is not wanted.
const SHUT: u8 = 2;

/// How sending a body stands. Shared by the body and by those who wait for the answer.
#[derive(Debug, Default)]
pub(super) struct Upload {
    gate: AtomicU8,
    finished: AtomicBool,
    starved: AtomicBool,
    waker: Mutex<Option<Waker>>,
    broke: Mutex<Option<String>>,
}

impl Upload {
    fn waker(&self) -> MutexGuard<'_, Option<Waker>> {
        self.waker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The origin said 100: the body may begin.
    pub(super) fn open(&self) {
        let waits = self.gate.compare_exchange(WAITING, OPEN, Ordering::AcqRel, Ordering::Acquire);
        if waits.is_ok()
            && let Some(waker) = self.waker().take()
        {
            waker.wake();
        }
    }

    /// The final answer is there: a body that has not begun never will.
    pub(super) fn shut(&self) {
        let _began = self.gate.compare_exchange(WAITING, SHUT, Ordering::AcqRel, Ordering::Acquire);
    }

    /// Whether the body will never begin.
    pub(super) fn is_shut(&self) -> bool {
        self.gate.load(Ordering::Acquire) == SHUT
    }

    /// Whether all of it was handed over.
    pub(super) fn is_finished(&self) -> bool {
        self.finished.load(Ordering::Acquire)
    }

    /// Whether the client, not the origin, is being waited for.
    pub(super) fn is_starved(&self) -> bool {
        self.starved.load(Ordering::Acquire)
    }

    /// Why it broke off on the client's side, if it did.
    pub(super) fn broke(&self) -> Option<String> {
        self.broke.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn break_off(&self, cause: &str) {
        *self.broke.lock().unwrap_or_else(PoisonError::into_inner) = Some(cause.to_owned());
    }
}

/// What hyper sends.
pub(super) struct OutBody {
    flow: Option<Flow>,
}

struct Flow {
    source: Source,
    upload: Arc<Upload>,
    left: Option<u64>,
    patience: Option<Pin<Box<Sleep>>>,
}

impl OutBody {
    /// No body.
    pub(super) const fn none() -> Self {
        Self { flow: None }
    }

    /// `source`, of `length` bytes if that is known. With `expect` it does not begin before the
    /// origin agrees.
    pub(super) fn of(source: Source, length: Option<u64>, expect: bool) -> (Self, Arc<Upload>) {
        let gate = AtomicU8::new(if expect { WAITING } else { OPEN });
        let upload = Arc::new(Upload { gate, ..Upload::default() });
        let patience = None;
        let flow = Flow { source, upload: Arc::clone(&upload), left: length, patience };
        (Self { flow: Some(flow) }, upload)
    }
}

impl Flow {
    fn is_over(&self) -> bool {
        self.left == Some(0) || (self.left.is_none() && self.source.is_end_stream())
    }

    fn poll_gate(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.upload.gate.load(Ordering::Acquire) == OPEN {
            return Poll::Ready(());
        }
        *self.upload.waker() = Some(cx.waker().clone());
        let patience = self.patience.get_or_insert_with(|| {
            let until = Instant::now() + limits::CONTINUE_WAIT.to_duration();
            Box::pin(sleep_until(until))
        });
        if patience.as_mut().poll(cx).is_ready() {
            self.upload.open();
        }
        match self.upload.gate.load(Ordering::Acquire) {
            OPEN => Poll::Ready(()),
            _ => Poll::Pending,
        }
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        ready!(self.poll_gate(cx));
        let polled = self.source.as_mut().poll_frame(cx);
        self.upload.starved.store(polled.is_pending(), Ordering::Release);
        let Some(next) = ready!(polled) else {
            let short = self.left.is_some_and(|left| left > 0);
            return Poll::Ready(short.then(|| Err("shorter than its Content-Length".into())));
        };
        let frame = next?;
        if let (Some(left), Some(data)) = (self.left, frame.data_ref()) {
            let taken = left.checked_sub(data.remaining() as u64);
            self.left = Some(taken.ok_or("longer than its Content-Length")?);
        }
        Poll::Ready(Some(Ok(frame)))
    }
}

impl Body for OutBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        let Some(flow) = this.flow.as_mut() else { return Poll::Ready(None) };
        let next = ready!(flow.poll_next(cx));
        let over = match &next {
            None => true,
            Some(Ok(frame)) => frame.is_trailers() || flow.is_over(),
            Some(Err(cause)) => {
                flow.upload.break_off(&format!("its body broke off: {cause}"));
                this.flow = None;
                return Poll::Ready(next);
            }
        };
        if over {
            flow.upload.finished.store(true, Ordering::Release);
            this.flow = None;
        }
        Poll::Ready(next)
    }

    fn is_end_stream(&self) -> bool {
        self.flow.as_ref().is_none_or(Flow::is_over)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.flow {
            None => SizeHint::with_exact(0),
            Some(flow) => flow.left.map_or_else(SizeHint::default, SizeHint::with_exact),
        }
    }
}
