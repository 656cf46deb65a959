//! From an accepted socket to the HTTP that is spoken on it, where that is not HTTP/1.1 in clear
//! from the first byte. A drain does not wait for who is still greeting.

use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::conn::{self, Line, Socket};
use super::serve::{Peer, Serve};
use super::tls::Tls;
use super::workers::{Seat, Stage};

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
        () = line.house.reached(Stage::Abort) => None,
        greeted = tls.greet(stream) => greeted,
    };
    if let Some(stream) = greeted {
        conn::serve_on(stream, Some(seat), peer, line).await;
    }
}
