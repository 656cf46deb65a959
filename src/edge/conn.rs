//! One connection, from its first byte to its last: the guarded socket below, the HTTP library in
//! the middle with the lane beside it, the service above. A panic in any of them ends this
//! connection and nothing else.

use std::any::Any;
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::net::TcpStream as StdStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH};
use http::{HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::accept::Speech;
use super::greet;
use super::head_guard::{HeadGuard, Outgoing, Shared};
use super::head_scan::Sound;
use super::http2;
use super::request_head::{self, Plain};
use super::serve::{AtOnce, BoxError, Offer, Peer, Serve, Watch};
use super::switch::{Course, Switch};
use super::workers::{Arrival, House, Seat, Stage};
use crate::base::{fields, limits};

/// What all connections of one worker share.
pub(super) struct Line<S> {
    pub(super) serve: Arc<S>,
    pub(super) house: Arc<House>,
    pub(super) watch: Arc<dyn Watch>,
    pub(super) http2: Arc<http2::Builder>,
    http: http1::Builder,
}

impl<S> Clone for Line<S> {
    fn clone(&self) -> Self {
        Self {
            serve: Arc::clone(&self.serve),
            house: Arc::clone(&self.house),
            watch: Arc::clone(&self.watch),
            http2: Arc::clone(&self.http2),
            http: self.http.clone(),
        }
    }
}

impl<S: Serve> Line<S> {
    pub(super) fn new(serve: S, house: Arc<House>, watch: Arc<dyn Watch>) -> Self {
        let mut http = http1::Builder::new();
        // The client may end its side and wait for the answer. Silence is timed by the guard, which
        // can answer 408 and needs no timer per request. A whole head fits into the buffer besides
        // what came before it. Answers are dated by the service.
        http.half_close(true)
            .header_read_timeout(None)
            .max_buf_size(2 * limits::HEAD_BYTES_MAX)
            .auto_date_header(false);
        Self { serve: Arc::new(serve), house, watch, http2: Arc::new(http2::builder()), http }
    }
}

/// One connection as its requests see it.
struct Call<S: Serve> {
    serve: Arc<S>,
    switch: Arc<Switch>,
    peer: Peer,
    /// What the lane found out about the request of this number, which the library has now.
    begun: Mutex<Option<(u64, S::Begun)>>,
}

impl<S: Serve> Call<S> {
    /// Answers a head in the lane, if the service can do that without waiting.
    fn answer_at_once(&self, head: &Sound<'_>, arrived: Instant, out: &mut Outgoing) -> bool {
        let Some(Plain { request, closes }) = request_head::plain(head) else { return false };
        match self.serve.at_once(Offer { request, peer: self.peer, arrived, closes }, out) {
            AtOnce::Answered => {
                if closes {
                    out.close();
                }
                true
            }
            AtOnce::Begun(begun) => {
                *self.begun() = Some((self.switch.next_turn(), begun));
                false
            }
            AtOnce::Declined => false,
        }
    }

    fn begun_at(&self, turn: u64) -> Option<S::Begun> {
        self.begun().take_if(|(begun, _)| *begun == turn).map(|(_, begun)| begun)
    }

    fn begun(&self) -> std::sync::MutexGuard<'_, Option<(u64, S::Begun)>> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves a connection until it is closed, becomes a tunnel, or is dropped by the last stages of a
/// drain.
pub(super) async fn run<S: Serve>(arrival: Arrival, line: Line<S>) {
    let Arrival { stream, peer, speech, seat } = arrival;
    // A socket that cannot be registered is closed; the client sees that.
    let Ok(stream) = register(stream) else { return };
    match speech {
        Speech { tls: None, http2: false } => serve_on(stream, Some(seat), peer, line).await,
        // Boxed, so that the others have no room for what they never use.
        Speech { tls: Some(tls), .. } => {
            Box::pin(greet::secure(stream, &tls, seat, peer, line)).await;
        }
        Speech { tls: None, http2: true } => {
            Box::pin(greet::either(stream, seat, peer, line)).await;
        }
    }
}

/// What a connection is served on.
pub trait Socket: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Closing it from now on resets the connection instead of ending it in order.
    fn close_by_reset(&self);
}

/// A pipe in memory, for tests and benches: it knows one kind of end.
impl Socket for DuplexStream {
    fn close_by_reset(&self) {}
}

impl Socket for TcpStream {
    fn close_by_reset(&self) {
        // A socket that cannot be told so is gone already.
        SockRef::from(self).set_linger(Some(Duration::ZERO)).unwrap_or_default();
    }
}

/// Serves one connection on any socket in the caller's runtime, until it ends. Nothing drains it.
pub async fn attend<S: Serve>(io: impl Socket, service: S, peer: Peer, watch: Arc<dyn Watch>) {
    serve_on(io, None, peer, Line::new(service, Arc::new(House::default()), watch)).await;
}

/// As [`run`], on any socket.
pub(super) async fn serve_on<S, T>(io: T, seat: Option<Seat>, peer: Peer, line: Line<S>)
where
    S: Serve,
    T: Socket,
{
    let switch = Arc::new(Switch::default());
    let shared = Shared::new(HeadGuard::new(io, Arc::clone(&switch), seat));
    let end = {
        let begun = Mutex::new(None);
        let call = Arc::new(Call { serve: line.serve, switch: Arc::clone(&switch), peer, begun });
        let of_library = Arc::clone(&call);
        let service = service_fn(move |request| {
            let turn = of_library.switch.begin();
            answer(Arc::clone(&of_library), turn, request)
        });
        let io = TokioIo::new(shared.clone());
        let mut http = pin!(line.http.serve_connection(io, service).with_upgrades());
        let mut raised = pin!(line.house.raised());
        let mut known = None;
        let mut drains = false;
        poll_fn(|cx| {
            // One read per poll: the waker is left once per stage, and again when it has risen.
            while known != Some(line.house.stage()) {
                let stage = line.house.stage();
                raised.set(line.house.raised());
                if raised.as_mut().poll(cx).is_ready() {
                    continue;
                }
                known = Some(stage);
                match stage {
                    Stage::Serve => {}
                    Stage::Drain => shared.guard().leave_lane(),
                    Stage::Abort | Stage::Over => return Poll::Ready(Ok(Ok(()))),
                }
            }
            unless_panicked(|| {
                loop {
                    if ready!(poll_lane(&shared, &call, cx)).is_err() {
                        return Poll::Ready(Ok(()));
                    }
                    if known == Some(Stage::Drain) && !std::mem::replace(&mut drains, true) {
                        http.as_mut().graceful_shutdown();
                    }
                    let polled = http.as_mut().poll(cx);
                    if polled.is_ready() || !shared.guard().is_lane_wanted() {
                        return polled;
                    }
                }
            })
        })
        .await
    };
    match end {
        Err(panic) => line.watch.panicked(&peer, words(&*panic)),
        // An answer broke off whose end nothing but the connection's tells.
        Ok(Err(_)) if switch.ends_answer() => shared.guard().socket().close_by_reset(),
        // Another failed connection has no one to tell: the client is gone, or sees a part missing.
        Ok(Err(_)) => {}
        Ok(Ok(())) => close_after_refused_upgrade::<T>(&switch).await,
    }
    if let Some(refusal) = switch.refusal() {
        line.watch.refused(&peer, refusal);
    }
}

fn poll_lane<S, T>(shared: &Shared<T>, call: &Call<S>, cx: &mut Context<'_>) -> Poll<io::Result<()>>
where
    S: Serve,
    T: Socket,
{
    shared.guard().poll_lane(cx, &mut |head, at, out| call.answer_at_once(head, at, out))
}

/// The socket on this worker's runtime. It does not block since it was accepted.
fn register(stream: StdStream) -> io::Result<TcpStream> {
    stream.set_nodelay(true)?;
    TcpStream::from_std(stream)
}

async fn answer<S: Serve>(
    call: Arc<Call<S>>,
    turn: u64,
    request: Request<Incoming>,
) -> Result<Response<Handed<S::Body>>, Infallible> {
    let http10 = request.version() == Version::HTTP_10;
    let connect = request.method() == Method::CONNECT;
    if let Some(way_back) = request.extensions().get::<OnUpgrade>() {
        call.switch.keep_way_back(way_back.clone());
    }
    let begun = call.begun_at(turn);
    let mut response = call.serve.serve(request, begun, call.peer).await;
    let status = response.status();
    if status == StatusCode::SWITCHING_PROTOCOLS || (connect && status.is_success()) {
        // Now the way back is the service's alone.
        drop(call.switch.take_way_back());
        call.switch.answer(turn, Course::Tunnel);
    } else {
        call.switch.answer(turn, Course::Http);
        if !call.switch.has_received(turn) {
            // An answer before the request's end: what is left of it may never be read, and the
            // client is to know that nothing will be answered after it (RFC 9112, 9.6).
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
    }
    if http10 {
        fit_http10(&mut response, &call.switch);
    }
    let switch = Arc::clone(&call.switch);
    Ok(response.map(|body| Handed { body, turn, switch }))
}

/// A body that tells when the library has let go of it: the end of the answer is in its hands.
struct Handed<B> {
    body: B,
    turn: u64,
    switch: Arc<Switch>,
}

impl<B> Drop for Handed<B> {
    fn drop(&mut self) {
        self.switch.send(self.turn);
    }
}

impl<B: Body<Data = Bytes, Error = BoxError> + Unpin> Body for Handed<B> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// To a client of HTTP/1.0 the library promises to keep the connection even where its end delimits
/// the answer or the service wants it closed. An answer of version 1.0 makes no such promise.
fn fit_http10<B: Body>(response: &mut Response<B>, switch: &Switch) {
    let headers = response.headers();
    let closes = fields::members(headers, &CONNECTION).any(|m| m.eq_ignore_ascii_case(b"close"));
    let delimited =
        response.body().size_hint().exact().is_some() || headers.contains_key(CONTENT_LENGTH);
    if !delimited {
        switch.end_answer_with_connection();
    }
    if closes || !delimited {
        *response.version_mut() = Version::HTTP_10;
    }
}

/// A connection that ever saw a refused upgrade ends in the library as if it were granted: the
/// socket comes back this way, unclosed.
async fn close_after_refused_upgrade<T: Socket>(switch: &Switch) {
    let Some(way_back) = switch.take_way_back() else { return };
    let Ok(upgraded) = way_back.await else { return };
    let Ok(parts) = upgraded.downcast::<TokioIo<Shared<T>>>() else { return };
    let mut guard = parts.io.into_inner();
    // Closing reports nothing: see `closing`.
    poll_fn(|cx| Pin::new(&mut guard).poll_shutdown(cx)).await.unwrap_or_default();
}

/// What a panic leaves behind.
pub(super) type Panic = Box<dyn Any + Send>;

/// Polls something; a panic is what comes of it.
pub(super) fn unless_panicked<R>(work: impl FnOnce() -> Poll<R>) -> Poll<Result<R, Panic>> {
    // What was under way is dropped, never polled again: nobody sees it half changed.
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(done)) => Poll::Ready(Ok(done)),
        Err(panic) => Poll::Ready(Err(panic)),
    }
}

/// What a panic says.
pub(super) fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without words")
}
