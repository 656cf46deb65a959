//! One connection to an origin, with hyper's client on top. The task that drives it lives as long
//! as its [`Link`]: dropping the link closes the socket at once, so nothing half used survives.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use crate::base::{limits, tasks};
use crate::origin::upload::OutBody;
use crate::origin::wire::{Meter, Wire};

pub(super) struct Link {
    sender: SendRequest<OutBody>,
    meter: Arc<Meter>,
    peer: SocketAddr,
    used: bool,
    // The driving task ends when this is dropped.
    _alive: oneshot::Sender<Infallible>,
}

/// What a send came to when no answer came.
pub(super) type SendFailure = TrySendError<Request<OutBody>>;

impl Link {
    /// Puts hyper on a connection and starts driving it on the current runtime.
    pub(super) async fn over(tcp: TcpStream, peer: SocketAddr) -> hyper::Result<Self> {
        // Requests leave in one write; waiting for more would only delay them. A socket that
        // refuses is dead and says so soon.
        drop(tcp.set_nodelay(true));
        let meter = Arc::new(Meter::new());
        let wire = TokioIo::new(Wire::new(tcp, Arc::clone(&meter)));
        let mut builder = Builder::new();
        builder
            .max_headers(limits::ORIGIN_HEAD_LINES_MAX)
            .max_header_size(limits::ORIGIN_HEAD_BYTES_MAX)
            .max_buf_size(limits::ORIGIN_HEAD_BYTES_MAX);
        let (sender, connection) = builder.handshake(wire).await?;
        let (alive, ended) = oneshot::channel();
        tasks::tend(async move {
            tokio::select! {
                // How it ended, whoever used it has heard already.
                _ended = connection.with_upgrades() => {}
                _dropped = ended => {}
            }
        });
        Ok(Self { sender, meter, peer, used: false, _alive: alive })
    }

    pub(super) const fn peer(&self) -> SocketAddr {
        self.peer
    }

    pub(super) const fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }

    /// Whether an exchange has completed on it before.
    pub(super) const fn is_used(&self) -> bool {
        self.used
    }

    pub(super) const fn mark_used(&mut self) {
        self.used = true;
    }

    pub(super) fn is_ready(&self) -> bool {
        self.sender.is_ready()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// Until all of the last exchange has passed; `false` when the connection ended instead.
    pub(super) async fn settled(&mut self) -> bool {
        self.sender.ready().await.is_ok()
    }

    pub(super) fn send(
        &mut self,
        request: Request<OutBody>,
    ) -> impl Future<Output = Result<Response<Incoming>, SendFailure>> + use<> {
        self.sender.try_send_request(request)
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("peer", &self.peer).finish_non_exhaustive()
    }
}
