//! TLS on a listener: what is offered, whose certificates are shown, and handshakes, bounded in
//! time and number. It stands between the accepted socket and the HTTP behind it, which does not
//! know of it. A client that fails here costs its own connection and nothing else.

mod pair;
mod shown;
mod validity;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::ServerSessionMemoryCache;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::base::limits;
use shown::Shown;

pub use pair::{Pair, PairFault};

/// The protocols of ALPN, the best first (RFC 7301; RFC 9113, 3.2).
const HTTP_2: &[u8] = b"h2";
const HTTP_1: [&[u8]; 2] = [b"http/1.1", b"http/1.0"];

/// How handshakes ended, counted since the start.
#[derive(Debug, Default)]
struct Ends([AtomicU64; HANDSHAKE_ENDS.len()]);

/// How a handshake may end: done with new keys or with those of a session before; given up because
/// the client offered nothing usable or broke off, because it took too long, or because too many
/// were under way.
pub const HANDSHAKE_ENDS: [&str; 5] = ["full", "resumed", "failed", "slow", "refused"];

#[derive(Clone, Copy, Debug)]
enum End {
    Full,
    Resumed,
    Failed,
    Slow,
    Refused,
}

/// TLS as one listener speaks it.
pub struct Tls {
    shown: Arc<Shown>,
    acceptor: TlsAcceptor,
    under_way: AtomicUsize,
    ends: Ends,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("shown", &self.shown).finish_non_exhaustive()
    }
}

impl Tls {
    /// TLS 1.2 and 1.3 with these pairs. `default` names the one for clients that ask for no name
    /// or for an unknown one; `http2` offers HTTP/2 too.
    ///
    /// # Errors
    /// Where the system has no randomness for session tickets.
    pub fn new(pairs: Vec<Pair>, default: Option<String>, http2: bool) -> io::Result<Self> {
        let pairs = pairs.into_iter().map(Arc::new).collect();
        let shown = Arc::new(Shown::new(pairs, default));
        let provider = Arc::new(aws_lc_rs::default_provider());
        let resolver: Arc<Shown> = Arc::clone(&shown);
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(rustls::ALL_VERSIONS)
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        config.alpn_protocols =
            http2.then_some(HTTP_2).into_iter().chain(HTTP_1).map(<[u8]>::to_vec).collect();
        // Tickets keep nothing here; their keys change by themselves. The cache is for clients of
        // TLS 1.2 without tickets.
        config.ticketer = aws_lc_rs::Ticketer::new().map_err(io::Error::other)?;
        config.session_storage = ServerSessionMemoryCache::new(limits::TLS_SESSIONS_MAX);
        Ok(Self {
            shown,
            acceptor: TlsAcceptor::from(Arc::new(config)),
            under_way: AtomicUsize::new(0),
            ends: Ends::default(),
        })
    }

    /// Shows these pairs from now on. Connections that stand are not touched.
    pub fn show(&self, pairs: Vec<Arc<Pair>>) {
        self.shown.put(pairs);
    }

    /// What is shown now.
    pub fn pairs(&self) -> Vec<Arc<Pair>> {
        self.shown.pairs()
    }

    /// How many handshakes ended how, in the order of [`HANDSHAKE_ENDS`].
    pub fn handshakes(&self) -> [u64; HANDSHAKE_ENDS.len()] {
        self.ends.0.each_ref().map(|count| count.load(Ordering::Relaxed))
    }

    /// Speaks TLS with a client; `None` where that came to nothing, which is counted.
    pub(super) async fn greet(&self, stream: TcpStream) -> Option<TlsStream<TcpStream>> {
        let Some(_place) = Place::taken(&self.under_way) else {
            self.count(End::Refused);
            return None;
        };
        let limit = limits::TLS_HANDSHAKE_TIMEOUT.to_duration();
        match tokio::time::timeout(limit, self.acceptor.accept(stream)).await {
            Ok(Ok(stream)) => {
                let kind = stream.get_ref().1.handshake_kind();
                let resumed = kind == Some(rustls::HandshakeKind::Resumed);
                self.count(if resumed { End::Resumed } else { End::Full });
                Some(stream)
            }
            Ok(Err(_)) => {
                self.count(End::Failed);
                None
            }
            Err(_) => {
                self.count(End::Slow);
                None
            }
        }
    }

    fn count(&self, end: End) {
        if let Some(count) = self.ends.0.get(end as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Whether both sides agreed on HTTP/2.
pub(super) fn is_http2(stream: &TlsStream<TcpStream>) -> bool {
    stream.get_ref().1.alpn_protocol() == Some(HTTP_2)
}

/// A handshake's place among those under way.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn taken(under_way: &'a AtomicUsize) -> Option<Self> {
        let place = Self(under_way);
        let before = under_way.fetch_add(1, Ordering::AcqRel);
        (before < limits::TLS_HANDSHAKES_MAX).then_some(place)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;
    use tokio::time::Instant;

    use super::*;

    fn tls() -> Tls {
        let key = KeyPair::generate().unwrap();
        let made = CertificateParams::new(vec!["a".to_owned()]).unwrap().self_signed(&key).unwrap();
        let (chain, key) = (made.pem(), key.serialize_pem());
        let pair = Pair::read("a", chain.as_bytes(), key.as_bytes()).unwrap();
        Tls::new(vec![pair], None, true).unwrap()
    }

    async fn connected() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (client, listener.accept().await.unwrap().0)
    }

    #[tokio::test(start_paused = true)]
    async fn a_handshake_that_does_not_end_is_given_up() {
        let (tls, (_client, server)) = (tls(), connected().await);
        let begun = Instant::now();
        assert!(tls.greet(server).await.is_none());
        assert_eq!(begun.elapsed().as_secs(), 10);
        assert_eq!(tls.handshakes(), [0, 0, 0, 1, 0]);
        assert_eq!(tls.under_way.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn beyond_the_most_at_once_connections_are_closed() {
        let (tls, (mut client, server)) = (tls(), connected().await);
        let take = |_| Place::taken(&tls.under_way);
        let places: Option<Vec<_>> = (0..limits::TLS_HANDSHAKES_MAX).map(take).collect();
        assert!(places.is_some());
        assert!(tls.greet(server).await.is_none());
        assert_eq!(tls.handshakes(), [0, 0, 0, 0, 1]);
        assert_eq!(client.read(&mut [0; 8]).await.unwrap(), 0);
        drop(places);
        assert_eq!(tls.under_way.load(Ordering::Relaxed), 0);
    }
}
