//! The edge as the rest of the program sees it: what a service must be able to do, how to start
//! serving, and how to stop. Stopping has two phases, so that answers under way are finished and a
//! client that never ends cannot hold the process.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;
use tokio::time::Instant;

use super::accept::{self, Acceptor, Listener};
use super::head_guard::Outgoing;
use super::refusal::Refusal;
use super::workers::{self, Desk, House, Stage};
use crate::base::units::Span;
use crate::base::{limits, tasks};

/// Any error that can be sent to another thread.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The client's address; an IPv4 address even where it came over an IPv6 socket.
    pub address: SocketAddr,
    /// The address that it connected to.
    pub local: SocketAddr,
    /// The connection's number, from 1, in the order of acceptance.
    pub connection: u64,
    /// It speaks TLS with us.
    pub secure: bool,
}

/// What answers requests. There is one for each worker.
///
/// A request that reaches it is unambiguous: one host, one way of framing, a target in one of the
/// four forms (RFC 9112, 3.2). Its body may still fail; when the client broke the framing, the
/// error's source is an [`io::Error`] of kind [`io::ErrorKind::InvalidData`]. An answer of 101, or
/// of success to CONNECT, makes the connection a tunnel: see [`hyper::upgrade::on`].
pub trait Serve: Send + Sync + 'static {
    /// The body of answers.
    type Body: http_body::Body<Data = Bytes, Error = BoxError> + Send + Unpin + 'static;

    /// What [`Serve::at_once`] has found out about a request that needs more.
    type Begun: Send + 'static;

    /// Answers one request. `begun` is what [`Serve::at_once`] made of the same request, if it was
    /// asked.
    fn serve(
        &self,
        request: Request<Incoming>,
        begun: Option<Self::Begun>,
        peer: Peer,
    ) -> impl Future<Output = Response<Self::Body>> + Send;

    /// Answers a request, if that needs no waiting: head and body go to `out`. Else nothing may be
    /// appended.
    fn at_once(&self, _offer: Offer, _out: &mut Outgoing) -> AtOnce<Self::Begun> {
        AtOnce::Declined
    }
}

/// A request that may be answered at once: a GET or HEAD of HTTP/1.1 without content.
#[derive(Debug)]
pub struct Offer {
    /// The request.
    pub request: Request<()>,
    /// Who asks.
    pub peer: Peer,
    /// When its last bytes came.
    pub arrived: Instant,
    /// The connection ends behind the answer, whose head has to say so (RFC 9112, 9.6).
    pub closes: bool,
}

/// What came of a request that was offered to [`Serve::at_once`].
#[derive(Debug)]
pub enum AtOnce<B> {
    /// It has its answer.
    Answered,
    /// It needs [`Serve::serve`], which gets this.
    Begun(B),
    /// It needs [`Serve::serve`], from its beginning.
    Declined,
}

/// Hears of what happens at the edge and is no request.
pub trait Watch: Send + Sync + 'static {
    /// A panic ended a connection; nothing else was hurt.
    fn panicked(&self, _peer: &Peer, _what: &str) {}

    /// A request head was refused and answered here.
    fn refused(&self, _peer: &Peer, _refusal: Refusal) {}
}

/// How to run the edge.
#[derive(Clone)]
pub struct Settings {
    /// Worker threads; `None` for one per core that the process may use.
    pub workers: Option<NonZeroUsize>,
    /// Connections at once; those above are answered with 503.
    pub connections_max: usize,
    /// Who hears of panics and refusals.
    pub watch: Arc<dyn Watch>,
}

impl Settings {
    /// One worker per core, the usual limit.
    pub fn new(watch: Arc<dyn Watch>) -> Self {
        Self { workers: None, connections_max: limits::CONNECTIONS_MAX, watch }
    }
}

/// How a drain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Connections that were cut off when the time was over; tunnels that are still open count.
    pub cut_off: usize,
}

/// A running edge. Dropping it stops everything at once without waiting for the threads.
#[derive(Debug)]
pub struct Edge {
    addresses: Vec<SocketAddr>,
    house: Arc<House>,
    desks: Vec<Desk>,
    threads: Vec<JoinHandle<()>>,
}

impl Edge {
    /// Starts the workers and begins to accept. `make` is called once on each worker's own thread,
    /// inside its runtime, with the worker's number from 0.
    ///
    /// # Errors
    /// When a thread or a runtime cannot be had.
    pub fn start<S, F>(listeners: Vec<Listener>, settings: Settings, make: F) -> io::Result<Self>
    where
        S: Serve,
        F: Fn(usize) -> S + Send + Sync + 'static,
    {
        let count = settings.workers.map_or_else(cores, NonZeroUsize::get);
        let mut edge = Self {
            addresses: listeners.iter().map(Listener::address).collect(),
            house: Arc::new(House::default()),
            desks: Vec::with_capacity(count),
            threads: Vec::with_capacity(count + 1),
        };
        let make = Arc::new(make);
        for index in 0..count {
            let house = Arc::clone(&edge.house);
            let watch = Arc::clone(&settings.watch);
            let (desk, thread) = workers::start(index, house, watch, Arc::clone(&make))?;
            edge.desks.push(desk);
            edge.threads.push(thread);
        }
        let acceptor = Acceptor {
            listeners,
            desks: edge.desks.clone(),
            house: Arc::clone(&edge.house),
            connections_max: settings.connections_max,
        };
        edge.threads.push(start_accepting(acceptor)?);
        Ok(edge)
    }

    /// Begins to accept and to serve in the caller's runtime, without threads of its own: for a
    /// listener with little traffic.
    pub fn here<S: Serve>(listeners: Vec<Listener>, settings: Settings, service: S) -> Self {
        let addresses = listeners.iter().map(Listener::address).collect();
        let house = Arc::new(House::default());
        let desks = vec![workers::here(Arc::clone(&house), settings.watch, service)];
        let acceptor = Acceptor {
            listeners,
            desks: desks.clone(),
            house: Arc::clone(&house),
            connections_max: settings.connections_max,
        };
        tasks::tend(async move {
            // It fails only where the runtime cannot watch sockets, which the caller's can.
            drop(accept::run(acceptor).await);
        });
        Self { addresses, house, desks, threads: Vec::new() }
    }

    /// Where it listens, in the order of the listeners.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Connections that are open now, tunnels included.
    pub fn connections(&self) -> usize {
        self.house.live()
    }

    /// Connections of each worker.
    pub fn loads(&self) -> Vec<usize> {
        self.desks.iter().map(Desk::load).collect()
    }

    /// Stops accepting, closes idle connections, lets the others finish their answers for at most
    /// `patience`, then cuts off the rest. The workers' runtimes go on until [`Edge::close`], so
    /// that background work which no connection waits for can end.
    pub async fn drain(&self, patience: Span) -> Drained {
        self.house.raise(Stage::Drain);
        tokio::select! {
            biased;
            () = self.house.empty() => {}
            () = self.house.reached(Stage::Abort) => {}
            () = tokio::time::sleep(patience.to_duration()) => {}
        }
        let cut_off = self.house.live();
        self.house.raise(Stage::Abort);
        Drained { cut_off }
    }

    /// Cuts off every connection now; a drain that is waiting ends.
    pub fn stop(&self) {
        self.house.raise(Stage::Abort);
    }

    /// Ends the threads, and with them tunnels and whatever else still runs on the workers, and
    /// waits for them. It blocks: call it outside of a runtime, or where blocking is allowed.
    pub fn close(mut self) {
        self.house.raise(Stage::Over);
        for thread in self.threads.drain(..) {
            // A worker that panicked has nothing left to end.
            drop(thread.join());
        }
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        self.house.raise(Stage::Over);
    }
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

fn start_accepting(acceptor: Acceptor) -> io::Result<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let house = Arc::clone(&acceptor.house);
    let work = move || {
        runtime.block_on(async move {
            if accept::run(acceptor).await.is_ok() {
                // Those that are being turned away are told to the end.
                house.reached(Stage::Over).await;
            }
        });
    };
    thread::Builder::new().name("cistern-accept".to_owned()).spawn(work)
}
