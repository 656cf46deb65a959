//! The way to a server: name, socket, TLS, login. Everything here is done by the level's own
//! thread; no request waits for it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use redis::RedisConnectionInfo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpStream, lookup_host};
use tokio_rustls::TlsConnector;

use super::config::{Address, Config, ConfigError, Layout, Login};
use super::replies::Replies;
use super::tls;
use super::wire::{Bytes, Wire};
use crate::base::limits;
use crate::base::units::Span;

/// How the servers stand to each other, as far as a connection has to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Alone.
    Single,
    /// Behind sentinels.
    Watched,
    /// In a cluster.
    Cluster,
}

/// How servers, or sentinels, are reached.
pub(super) struct Way {
    pub(super) standing: Standing,
    /// The most that connecting and logging in may take.
    pub(super) timeout: Span,
    tls: Option<Arc<ClientConfig>>,
    info: RedisConnectionInfo,
    reply_bytes_max: u64,
    attempts: AtomicUsize,
}

impl Way {
    /// To servers, and to sentinels if there are some.
    pub(super) fn of(config: &Config) -> Result<(Self, Option<Self>), ConfigError> {
        let tls = config.tls.as_ref().map(tls::client).transpose()?;
        let (standing, sentinels) = match &config.layout {
            Layout::Single(_) => (Standing::Single, false),
            Layout::Sentinel { .. } => (Standing::Watched, true),
            Layout::Cluster(_) => (Standing::Cluster, false),
        };
        let variants = limits::VARIANTS_PER_KEY_MAX as u64;
        let way = |info, standing| Self {
            standing,
            timeout: config.connect_timeout,
            tls: tls.clone(),
            info,
            reply_bytes_max: limits::REPLY_BYTES_MAX
                .max(config.max_object.saturating_mul(variants)),
            attempts: AtomicUsize::new(0),
        };
        let servers = way(info(&config.login).set_db(config.db), standing);
        let watchers = sentinels.then(|| way(info(&config.sentinel_login), Standing::Single));
        Ok((servers, watchers))
    }

    /// Who we say we are.
    pub(super) const fn info(&self) -> &RedisConnectionInfo {
        &self.info
    }

    /// A connection to a server that has not been spoken over yet. Ends as late as the system
    /// says; callers bound it.
    pub(super) async fn open(&self, address: &Address) -> io::Result<Wire> {
        let mut found: Vec<_> = lookup_host((address.host.as_str(), address.port)).await?.collect();
        // A name may have an address that swallows everything: begin with another each time.
        let attempt = self.attempts.fetch_add(1, Ordering::Relaxed);
        let first = attempt.checked_rem(found.len()).unwrap_or_default();
        found.rotate_left(first);
        let stream = TcpStream::connect(found.as_slice()).await?;
        tune(&stream)?;
        let bytes = match &self.tls {
            None => Bytes::Plain(stream),
            Some(config) => {
                let name = ServerName::try_from(address.host.clone())
                    .map_err(|why| io::Error::new(io::ErrorKind::InvalidInput, why))?;
                let connector = TlsConnector::from(Arc::clone(config));
                Bytes::Tls(Box::new(connector.connect(name, stream).await?))
            }
        };
        Ok(Wire::new(bytes, Replies::new(self.reply_bytes_max)))
    }
}

fn info(login: &Login) -> RedisConnectionInfo {
    // RESP2, which is the default; and no CLIENT SETINFO, which old servers answer with an error.
    let mut info = RedisConnectionInfo::default().set_skip_set_lib_name();
    if let Some(user) = &login.user {
        info = info.set_username(user);
    }
    if let Some(password) = &login.password {
        info = info.set_password(password);
    }
    info
}

/// A peer that vanished without a word is noticed by the kernel.
fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    let every = limits::KEEPALIVE.to_duration();
    let keepalive = TcpKeepalive::new().with_time(every).with_interval(every).with_retries(3);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(limits::UNACKNOWLEDGED_MAX.to_duration()))?;
    Ok(())
}
