//! The service under test: it notes every request that reaches it and answers by path.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Frame, Incoming};
use hyper_util::rt::TokioIo;
use tokio::sync::Semaphore;

use crate::base::tasks;
use crate::edge::{
    AtOnce, BoxError, Edge, Listener, Offer, Outgoing, Peer, Refusal, Serve, Settings, Watch,
};

/// What reached the service, and how its body ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) head: String,
    /// Nothing while it has not ended.
    pub(super) body: Option<Result<Vec<u8>, io::ErrorKind>>,
}

/// Shared by the service and the test.
pub(super) struct Notes {
    pub(super) seen: Mutex<Vec<Seen>>,
    pub(super) gate: Semaphore,
    pub(super) panics: Mutex<Vec<String>>,
    pub(super) refused: Mutex<Vec<Refusal>>,
    arrived: Mutex<Sender<(String, Peer, usize)>>,
}

impl Notes {
    pub(super) fn new() -> (Arc<Self>, Receiver<(String, Peer, usize)>) {
        let (arrived, arrivals) = channel();
        let notes = Self {
            seen: Mutex::default(),
            gate: Semaphore::new(0),
            panics: Mutex::default(),
            refused: Mutex::default(),
            arrived: Mutex::new(arrived),
        };
        (Arc::new(notes), arrivals)
    }

    pub(super) fn heads(&self) -> Vec<String> {
        self.seen.lock().unwrap().iter().map(|seen| seen.head.clone()).collect()
    }
}

impl Watch for Notes {
    fn panicked(&self, _: &Peer, what: &str) {
        self.panics.lock().unwrap().push(what.to_owned());
    }

    fn refused(&self, _: &Peer, refusal: Refusal) {
        self.refused.lock().unwrap().push(refusal);
    }
}

/// The service of one worker.
pub(super) struct Echo {
    pub(super) notes: Arc<Notes>,
    pub(super) worker: usize,
}

type Out = UnsyncBoxBody<Bytes, BoxError>;

fn say(text: impl Into<Bytes>) -> Response<Out> {
    let body = Full::new(text.into());
    Response::new(UnsyncBoxBody::new(body.map_err(|never| match never {})))
}

/// A body whose length is not known beforehand.
struct Parts(VecDeque<&'static str>);

impl Body for Parts {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Poll::Ready(self.0.pop_front().map(|part| Ok(Frame::data(part.into()))))
    }
}

fn stream(text: &'static str) -> Response<Out> {
    Response::new(UnsyncBoxBody::new(Parts(text.split_inclusive(' ').collect())))
}

async fn tunnel(way: hyper::upgrade::OnUpgrade) {
    let Ok(upgraded) = way.await else { return };
    let (mut read, mut write) = tokio::io::split(TokioIo::new(upgraded));
    drop(tokio::io::copy(&mut read, &mut write).await);
    drop(tokio::io::AsyncWriteExt::shutdown(&mut write).await);
}

fn kind_of(error: &hyper::Error) -> io::ErrorKind {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if let Some(io) = cause.downcast_ref::<io::Error>() {
            return io.kind();
        }
        source = cause.source();
    }
    io::ErrorKind::Other
}

impl Serve for Echo {
    type Body = Out;
    /// The target it was begun for.
    type Begun = String;

    async fn serve(
        &self,
        mut request: Request<Incoming>,
        begun: Option<String>,
        peer: Peer,
    ) -> Response<Out> {
        let head = format!("{} {}", request.method(), request.uri());
        let at = {
            let mut seen = self.notes.seen.lock().unwrap();
            seen.push(Seen { head: head.clone(), body: None });
            seen.len() - 1
        };
        // A test that does not listen has ended.
        drop(self.notes.arrived.lock().unwrap().send((head.clone(), peer, self.worker)));
        match request.uri().path() {
            "/begun" => return say(format!("begun {begun:?}")),
            "/fields" => return say(format!("{:?}", request.headers())),
            "/early" => return say("early"),
            "/panic" => panic!("as told"),
            "/tunnel" => {
                let way = hyper::upgrade::on(&mut request);
                tasks::tend(tunnel(way));
                let mut answer = say("");
                *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
                return answer;
            }
            "/hold" => self.notes.gate.acquire().await.unwrap().forget(),
            _ => {}
        }
        let path = request.uri().path().to_owned();
        let body = request.into_body().collect().await;
        let body = body.map(|all| all.to_bytes().to_vec()).map_err(|e| kind_of(&e));
        self.notes.seen.lock().unwrap()[at].body = Some(body.clone());
        match (path.as_str(), body) {
            (_, Err(_)) => {
                let mut answer = say("broken");
                *answer.status_mut() = StatusCode::BAD_REQUEST;
                answer
            }
            ("/stream", _) => stream("in three parts"),
            ("/big", _) => say(vec![b'x'; 8 * 1_024 * 1_024]),
            ("/empty", _) => {
                let mut answer = say("");
                *answer.status_mut() = StatusCode::NO_CONTENT;
                answer
            }
            ("/length", _) => {
                let mut answer = stream("sixteen bytes ok");
                answer.headers_mut().insert("content-length", "16".parse().unwrap());
                answer
            }
            ("/closing", _) => {
                let mut answer = say("bye");
                answer.headers_mut().insert("connection", "close".parse().unwrap());
                answer
            }
            (_, Ok(body)) => say(format!("{head} {}", String::from_utf8_lossy(&body))),
        }
    }

    fn at_once(&self, offer: Offer, out: &mut Outgoing) -> AtOnce<String> {
        let Offer { request, closes, .. } = offer;
        let body = match request.uri().path() {
            "/at-once" => vec![Bytes::from(format!("at once {}", request.uri()))],
            "/at-once/big" => {
                vec![Bytes::from(vec![b'a'; 3 << 20]), Bytes::from(vec![b'b'; 5 << 20])]
            }
            "/at-once/panic" => panic!("as told"),
            "/begun" => return AtOnce::Begun(request.uri().to_string()),
            _ => return AtOnce::Declined,
        };
        let length: usize = body.iter().map(Bytes::len).sum();
        let close = if closes { "connection: close\r\n" } else { "" };
        let head =
            format!("HTTP/1.1 200 OK\r\nat: once\r\n{close}content-length: {length}\r\n\r\n");
        out.head().extend_from_slice(head.as_bytes());
        if request.method() == Method::GET {
            out.body(body.into_iter());
        }
        AtOnce::Answered
    }
}

/// Waits for what nobody can wake a test for; the limit turns a hang into a failure.
pub(super) fn until(mut holds: impl FnMut() -> bool) {
    let begun = tokio::time::Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(20), "it never came about");
        std::thread::yield_now();
    }
}

/// A running edge with the service behind it.
pub(super) struct Running {
    pub(super) edge: Edge,
    pub(super) notes: Arc<Notes>,
    arrivals: Mutex<Receiver<(String, Peer, usize)>>,
}

impl Running {
    pub(super) fn start(workers: usize) -> Self {
        Self::limited(workers, 1_000)
    }

    pub(super) fn limited(workers: usize, connections_max: usize) -> Self {
        Self::with(&["127.0.0.1:0"], workers, connections_max)
    }

    pub(super) fn bound(addresses: &[&str]) -> Self {
        Self::with(addresses, 1, 1_000)
    }

    fn with(addresses: &[&str], workers: usize, connections_max: usize) -> Self {
        let (notes, arrivals) = Notes::new();
        let addresses: Vec<_> = addresses.iter().map(|a| a.parse().unwrap()).collect();
        let listeners = Listener::bind(&addresses).unwrap();
        let settings = Settings {
            workers: NonZeroUsize::new(workers),
            connections_max,
            ..Settings::new(Arc::clone(&notes) as Arc<dyn Watch>)
        };
        let shared = Arc::clone(&notes);
        let make = move |worker| Echo { notes: Arc::clone(&shared), worker };
        let edge = Edge::start(listeners, settings, make).unwrap();
        Self { edge, notes, arrivals: Mutex::new(arrivals) }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.edge.addresses()[0]
    }

    /// Waits for the next request to reach the service: its head, its peer and its worker.
    pub(super) fn arrived(&self) -> (String, Peer, usize) {
        self.arrivals.lock().unwrap().recv_timeout(Duration::from_secs(20)).unwrap()
    }

    /// Waits until so many connections are left. Only the server's side knows when a socket is
    /// gone, and it tells nobody but its count.
    pub(super) fn until_left(&self, count: usize) {
        until(|| self.edge.connections() == count);
    }

    pub(super) fn until_empty(&self) {
        self.until_left(0);
    }

    pub(super) fn close(self) {
        self.edge.close();
    }
}
