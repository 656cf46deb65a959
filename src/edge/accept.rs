//! The acceptor: one thread that takes connections from all listeners and hands each to the worker
//! with the fewest. Kernel-side balancing by hash leaves one worker with two thirds of the load;
//! counting at hand-over does not. What must never happen: spinning when descriptors run out.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener as StdListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::refusal;
use super::serve::Peer;
use super::tls::Tls;
use super::workers::{Desk, House, Stage, least_loaded};
use crate::base::{limits, tasks};

/// What is spoken on a listener; where nothing is said, HTTP/1.1 in clear.
#[derive(Clone, Debug, Default)]
pub struct Speech {
    /// TLS comes first.
    pub tls: Option<Arc<Tls>>,
    /// HTTP/2 in clear too, for clients that begin with its preface. Under TLS it is agreed there.
    pub http2: bool,
}

/// A bound address that nobody accepts from yet; connections wait in the kernel.
#[derive(Debug)]
pub struct Listener {
    socket: StdListener,
    address: SocketAddr,
    speech: Speech,
}

impl Listener {
    /// Binds every address, or none. Port 0 takes a free port.
    ///
    /// # Errors
    /// The first address that cannot be bound, named in the message.
    pub fn bind(addresses: &[SocketAddr]) -> io::Result<Vec<Self>> {
        let bind = |address: &SocketAddr| {
            // `[::]` takes IPv4 too, unless an IPv4 listener wants the same port.
            let shared = addresses.iter().any(|a| a.is_ipv4() && a.port() == address.port());
            Self::bind_one(*address, shared)
                .map_err(|error| io::Error::new(error.kind(), format!("{address}: {error}")))
        };
        addresses.iter().map(bind).collect()
    }

    fn bind_one(address: SocketAddr, only_v6: bool) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        if address.is_ipv6() {
            socket.set_only_v6(only_v6)?;
        }
        // A restart must not wait for connections of the process before it to be forgotten.
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        socket.listen(limits::LISTEN_BACKLOG)?;
        socket.set_nonblocking(true)?;
        let socket = StdListener::from(socket);
        let address = socket.local_addr()?;
        Ok(Self { socket, address, speech: Speech::default() })
    }

    /// The same, speaking so.
    #[must_use]
    pub fn speaking(self, speech: Speech) -> Self {
        Self { speech, ..self }
    }

    /// The address it is bound to, with the port that was found.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// What the acceptor works with.
#[derive(Debug)]
pub(super) struct Acceptor {
    pub(super) listeners: Vec<Listener>,
    pub(super) desks: Vec<Desk>,
    pub(super) house: Arc<House>,
    pub(super) connections_max: usize,
}

/// Runs until the drain begins; then the listeners close.
pub(super) async fn run(acceptor: Acceptor) -> io::Result<()> {
    let Acceptor { listeners, desks, house, connections_max } = acceptor;
    let mut doors = Vec::with_capacity(listeners.len());
    for listener in listeners {
        let Listener { socket, address, speech } = listener;
        doors.push((TcpListener::from_std(socket)?, address, speech));
    }
    let (mut accepted, mut last) = (0_u64, 0);
    let mut pause = Duration::ZERO;
    let turned_away = Arc::new(AtomicUsize::new(0));
    loop {
        let next = std::future::poll_fn(|cx| poll_accept(&doors, accepted, cx));
        let came = tokio::select! {
            biased;
            () = house.reached(Stage::Drain) => return Ok(()),
            came = next => came,
        };
        let (stream, address, at) = match came {
            Ok(came) => came,
            Err(error) => {
                pause = pause_after(&error, pause);
                tokio::time::sleep(pause).await;
                continue;
            }
        };
        pause = Duration::ZERO;
        accepted += 1;
        let Some((_, local, speech)) = doors.get(at) else { continue };
        if house.live() >= connections_max {
            // Under TLS nothing can be said before a handshake, for which there is no room.
            if speech.tls.is_none() {
                turn_away(stream, &turned_away);
            }
            continue;
        }
        let bound = *local;
        let local =
            if bound.ip().is_unspecified() { stream.local_addr().unwrap_or(bound) } else { bound };
        let peer = Peer {
            address: canonical(address),
            local: canonical(local),
            connection: accepted,
            secure: speech.tls.is_some(),
        };
        last = least_loaded(desks.iter().map(Desk::load), last);
        if let Some(desk) = desks.get(last) {
            desk.hand_over(stream, peer, speech.clone(), &house);
        }
    }
}

/// A connection, whose it is, and which door it came through.
type Came = (TcpStream, SocketAddr, usize);

/// The next connection of any listener; which is asked first moves on, so that none starves.
fn poll_accept(
    doors: &[(TcpListener, SocketAddr, Speech)],
    turn: u64,
    cx: &mut Context<'_>,
) -> Poll<io::Result<Came>> {
    let first = (turn % doors.len().max(1) as u64) as usize;
    let (later, sooner) = (0..first, first..doors.len());
    for at in sooner.chain(later) {
        let Some((door, ..)) = doors.get(at) else { continue };
        if let Poll::Ready(came) = door.poll_accept(cx) {
            return Poll::Ready(came.and_then(|(stream, address)| {
                // Its worker registers it with a runtime of its own.
                Ok((stream.into_std()?, address, at))
            }));
        }
    }
    Poll::Pending
}

/// How long to wait after a failed accept. A connection that was gone before it was taken costs
/// nothing; want of descriptors or memory lasts, and is asked about ever less often.
fn pause_after(error: &io::Error, earlier: Duration) -> Duration {
    use io::ErrorKind as K;
    let passing =
        matches!(error.kind(), K::ConnectionAborted | K::ConnectionReset | K::Interrupted);
    if passing {
        return Duration::ZERO;
    }
    let longer = earlier.saturating_mul(2).max(Duration::from_millis(10));
    longer.min(limits::ACCEPT_PAUSE_MAX.to_duration())
}

/// An IPv4 address that came over an IPv6 socket is that IPv4 address.
fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        IpAddr::V6(_) => address,
        ip @ IpAddr::V4(_) => SocketAddr::new(ip, address.port()),
    }
}

/// Says 503 to a connection above the limit, while few enough are being told.
fn turn_away(stream: TcpStream, at_once: &Arc<AtomicUsize>) {
    if at_once.fetch_add(1, Ordering::AcqRel) >= limits::TURNED_AWAY_MAX {
        at_once.fetch_sub(1, Ordering::AcqRel);
        return;
    }
    let at_once = Arc::clone(at_once);
    tasks::tend(async move {
        let told = tokio::time::timeout(limits::LINGER_TIMEOUT.to_duration(), tell(stream)).await;
        // Told or not, it closes now.
        drop(told);
        at_once.fetch_sub(1, Ordering::AcqRel);
    });
}

async fn tell(stream: TcpStream) -> io::Result<()> {
    let mut stream = tokio::net::TcpStream::from_std(stream)?;
    stream.write_all(&refusal::overload()).await?;
    stream.shutdown().await?;
    let mut scratch = [0; 1_024];
    let mut left = limits::LINGER_BYTES_MAX;
    loop {
        let read = stream.read(&mut scratch).await?;
        left = left.saturating_sub(read);
        if read == 0 || left == 0 {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn want_of_descriptors_is_asked_about_ever_less_often() {
        let full = io::Error::from_raw_os_error(24);
        let mut pause = Duration::ZERO;
        let mut waited = Duration::ZERO;
        for _ in 0..20 {
            let next = pause_after(&full, pause);
            assert!(next >= pause && next <= limits::ACCEPT_PAUSE_MAX.to_duration());
            pause = next;
            waited += pause;
        }
        assert_eq!(pause, limits::ACCEPT_PAUSE_MAX.to_duration());
        assert!(waited > Duration::from_secs(10));
        let gone = io::Error::from(io::ErrorKind::ConnectionAborted);
        assert_eq!(pause_after(&gone, pause), Duration::ZERO);
    }

    #[test]
    fn mapped_addresses_are_what_they_stand_for() {
        let mapped: SocketAddr = "[::ffff:10.1.2.3]:80".parse().unwrap();
        assert_eq!(canonical(mapped), "10.1.2.3:80".parse().unwrap());
        let v6: SocketAddr = "[2001:db8::1]:80".parse().unwrap();
        assert_eq!(canonical(v6), v6);
    }

    #[test]
    fn port_zero_finds_a_port_and_says_which() {
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let found = Listener::bind(&[any, any]).unwrap();
        let ports: Vec<_> = found.iter().map(|l| l.address().port()).collect();
        assert!(ports.iter().all(|&port| port != 0) && ports.first() != ports.last());
        let taken = Listener::bind(&[found.first().unwrap().address()]).unwrap_err();
        assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
        assert!(taken.to_string().starts_with("127.0.0.1:"), "{taken}");
    }
}
