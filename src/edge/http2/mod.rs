//! One connection of HTTP/2 (RFC 9113), from its preface to its end. The library speaks it; here
//! its heads are judged, its streams counted, its writes merged, and its end decided: when the node
//! drains, when nothing is asked for a while, and when the client means harm. Each stream is a task
//! of its own, so that one that panics ends alone.

mod guard;
mod merged;
mod streams;

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};

use super::closing::Rest;
use super::conn::{Line, Socket, unless_panicked, words};
use super::deadline::Deadline;
use super::serve::{BoxError, Peer, Serve, Watch};
use super::workers::{Seat, Stage};
use crate::base::{limits, tasks};
use merged::Shared;
use streams::{Open, Standing, Streams};

/// Where streams run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tasks;

impl<F> hyper::rt::Executor<F> for Tasks
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, work: F) {
        tasks::tend(work);
    }
}

/// How the library is to speak on all connections.
pub(super) type Builder = http2::Builder<Tasks>;

pub(super) fn builder() -> Builder {
    let mut http = http2::Builder::new(Tasks);
    http.timer(TokioTimer::new())
        .auto_date_header(false)
        .max_concurrent_streams(limits::HTTP2_STREAMS_MAX)
        .max_header_list_size(limits::HEAD_BYTES_MAX as u32)
        .max_pending_accept_reset_streams(limits::HTTP2_RESETS_PENDING_MAX)
        .max_local_error_reset_streams(limits::HTTP2_BROKEN_MAX as usize)
        .initial_stream_window_size(limits::HTTP2_STREAM_WINDOW)
        .initial_connection_window_size(limits::HTTP2_CONNECTION_WINDOW)
        .max_send_buf_size(limits::HTTP2_SEND_BYTES_MAX)
        .keep_alive_interval(limits::HTTP2_PING_EVERY.to_duration())
        .keep_alive_timeout(limits::HTTP2_PING_TIMEOUT.to_duration());
    http
}

/// What the streams of one connection share.
struct Call<S> {
    serve: Arc<S>,
    watch: Arc<dyn Watch>,
    peer: Peer,
}

/// Serves a connection until its end.
pub(super) async fn serve_on<S, T>(io: T, seat: Option<Seat>, peer: Peer, line: Line<S>)
where
    S: Serve,
    T: Socket,
{
    let shared = Shared::new(io, seat);
    let streams = Arc::new(Streams::new());
    let watch = Arc::clone(&line.watch);
    let end = {
        let call = Arc::new(Call { serve: line.serve, watch: Arc::clone(&watch), peer });
        let counted = Arc::clone(&streams);
        let service =
            service_fn(move |request| answer(Arc::clone(&call), counted.begin(), request));
        let io = TokioIo::new(shared.clone());
        let mut http = pin!(line.http2.serve_connection(io, service));
        let mut drain = pin!(line.house.reached(Stage::Drain));
        let mut abort = pin!(line.house.reached(Stage::Abort));
        let mut pulse = Deadline::new(limits::HEAD_TIMEOUT.to_duration());
        let mut leaves = false;
        poll_fn(|cx| {
            loop {
                if abort.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(Ok(None));
                }
                if !leaves && drain.as_mut().poll(cx).is_ready() {
                    leaves = true;
                    http.as_mut().graceful_shutdown();
                }
                let polled = unless_panicked(|| http.as_mut().poll(cx));
                let out = shared.merged().poll_out(cx);
                match polled {
                    Poll::Ready(Err(panic)) => return Poll::Ready(Err(panic)),
                    Poll::Ready(Ok(Ok(()))) => return Poll::Ready(Ok(Some(Rest::Quiet))),
                    Poll::Ready(Ok(Err(_))) => return Poll::Ready(Ok(Some(Rest::Sending))),
                    Poll::Pending => {}
                }
                if matches!(out, Poll::Ready(Err(_))) || streams.is_hostile() {
                    return Poll::Ready(Ok(None));
                }
                let took = shared.merged().took();
                match silence(&streams, &mut pulse, cx) {
                    // All is in the library's hands, and the client still takes it.
                    Some(Standing::Idle) if took.is_some_and(|at| at > streams.moved()) => {
                        streams.touch_at(took);
                    }
                    Some(Standing::Idle) if !leaves => {
                        leaves = true;
                        streams.touch();
                        http.as_mut().graceful_shutdown();
                    }
                    // A client that does not even take leave has had its time.
                    Some(Standing::Idle | Standing::Stalled) => return Poll::Ready(Ok(None)),
                    Some(Standing::Busy) | None => return Poll::Pending,
                }
            }
        })
        .await
    };
    match end {
        Err(panic) => watch.panicked(&peer, words(&*panic)),
        Ok(Some(rest)) => poll_fn(|cx| shared.merged().poll_close(rest, cx)).await,
        Ok(None) => {}
    }
}

/// What a long silence means; nothing while it is not long. The task is woken when it will be.
fn silence(streams: &Streams, pulse: &mut Deadline, cx: &mut Context<'_>) -> Option<Standing> {
    pulse.begin_at(streams.moved());
    if !pulse.is_over(cx) {
        return None;
    }
    let standing = streams.standing();
    if standing == Standing::Busy {
        // Looked at again after as long.
        pulse.clear();
        if pulse.is_over(cx) {
            cx.waker().wake_by_ref();
        }
    }
    Some(standing)
}

type Answered<B> = Either<Full<Bytes>, Sent<B>>;

async fn answer<S: Serve>(
    call: Arc<Call<S>>,
    mut open: Open,
    request: Request<Incoming>,
) -> Result<Response<Answered<S::Body>>, BoxError> {
    let (mut head, body) = request.into_parts();
    if let Err(refusal) = guard::settle(&mut head) {
        call.watch.refused(&call.peer, refusal);
        open.finish();
        return Ok(refusal.response().map(Either::Left));
    }
    let served = {
        let request = Request::from_parts(head, body);
        let mut served = pin!(call.serve.serve(request, None, call.peer));
        poll_fn(|cx| unless_panicked(|| served.as_mut().poll(cx))).await
    };
    match served {
        Ok(response) => Ok(response.map(|body| {
            if body.is_end_stream() {
                open.finish();
            } else {
                open.owe();
            }
            Either::Right(Sent { body, open, call_watch: Arc::clone(&call.watch), peer: call.peer })
        })),
        Err(panic) => {
            call.watch.panicked(&call.peer, words(&*panic));
            // The stream is reset; what was promised of it is not kept.
            Err("the answer broke off".into())
        }
    }
}

/// A body on its way, which tells whose turn it is.
struct Sent<B> {
    body: B,
    open: Open,
    call_watch: Arc<dyn Watch>,
    peer: Peer,
}

impl<B: Body<Data = Bytes, Error = BoxError> + Unpin> Body for Sent<B> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        this.open.take();
        let next = match unless_panicked(|| Pin::new(&mut this.body).poll_frame(cx)) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(next)) => next,
            Poll::Ready(Err(panic)) => {
                this.call_watch.panicked(&this.peer, words(&*panic));
                Some(Err("the answer broke off".into()))
            }
        };
        match &next {
            Some(Ok(_)) => {
                this.open.owe();
                if this.body.is_end_stream() {
                    this.open.finish();
                }
            }
            None => this.open.finish(),
            Some(Err(_)) => {}
        }
        Poll::Ready(next)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
