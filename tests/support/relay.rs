//! A way between two programs that a story can cut, slow down, silence and lie on. Each node gets
//! one of its own to the same server, so that one node alone can be cut off.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::redis::port;

/// What happens to bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// They pass, each after its direction's delay.
    Pass {
        /// Towards the server.
        up: Duration,
        /// From the server.
        down: Duration,
    },
    /// Nobody listens, and whoever was connected is reset.
    Refuse,
    /// They stay here until the way is open again, and then go on: a network that lost every
    /// packet for a while.
    Hold(Towards),
    /// They are gone. Connections of this time are reset when the way is open again.
    Swallow,
    /// The server hears nothing; each part of a request is answered with this.
    Answer(&'static [u8]),
}

/// Which bytes are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Towards {
    Server,
    Client,
    Both,
}

/// Nothing that any server says.
pub(crate) const JUNK: &[u8] = b"*-7\r\n$999999999999\r\n\x00\xff\xfe%2\r\n:not a number\r\n";
/// A server that has just been started and reads its file.
pub(crate) const LOADING: &[u8] = b"-LOADING Redis is loading the dataset in memory\r\n";
/// A server that lost its master's trust.
pub(crate) const READ_ONLY: &[u8] = b"-READONLY You can't write against a read only replica.\r\n";

/// A running relay.
pub(crate) struct Relay {
    shared: Arc<Shared>,
    port: u16,
}

struct Shared {
    to: String,
    state: Mutex<State>,
    bell: Condvar,
}

struct State {
    way: Way,
    /// Counts the changes, so that who waits sees each.
    turn: u64,
    /// Connections of an earlier life than this are reset.
    life: u64,
    /// What to wake and reset: both ends of each connection.
    open: Vec<(u64, TcpStream, TcpStream)>,
    ended: bool,
}

/// Both delays none.
const AT_ONCE: Way = Way::Pass { up: Duration::ZERO, down: Duration::ZERO };

impl Relay {
    /// A way to this address that lets everything pass.
    pub(crate) fn to(address: &str) -> Self {
        let state = State { way: AT_ONCE, turn: 0, life: 0, open: Vec::new(), ended: false };
        let shared =
            Shared { to: address.to_owned(), state: Mutex::new(state), bell: Condvar::new() };
        let shared = Arc::new(shared);
        let (port, listener) = bound();
        let inner = Arc::clone(&shared);
        thread::spawn(move || accept(listener, port, &inner));
        Self { shared, port }
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Where a client of Redis finds the server behind it.
    pub(crate) fn url(&self) -> String {
        format!("redis://{}/0", self.address())
    }

    /// From now on it is like this. What was swallowed or answered here leaves broken connections,
    /// which are reset.
    pub(crate) fn becomes(&self, way: Way) {
        let broken = {
            let mut state = self.shared.lock();
            let broken = matches!(state.way, Way::Swallow | Way::Answer(_)) || way == Way::Refuse;
            state.way = way;
            state.turn += 1;
            broken
        };
        self.shared.bell.notify_all();
        if broken {
            self.cut();
        }
        // Who stands in `accept` looks at the new way.
        drop(TcpStream::connect(self.address()));
    }

    /// Everything passes at once again.
    pub(crate) fn passes(&self) {
        self.becomes(AT_ONCE);
    }

    /// Resets all connections that are open now; new ones are taken as before.
    pub(crate) fn cut(&self) {
        let open = {
            let mut state = self.shared.lock();
            state.life += 1;
            std::mem::take(&mut state.open)
        };
        for (_, client, server) in open {
            reset(&client);
            reset(&server);
        }
        self.shared.bell.notify_all();
    }

    /// How many connections are open.
    pub(crate) fn connections(&self) -> usize {
        self.shared.lock().open.len()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.lock().ended = true;
        self.becomes(Way::Refuse);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no connection died in the state")
    }

    /// Waits until the way is one that this accepts, and whether the connection still lives then.
    fn wait_for(&self, life: u64, accepts: impl Fn(&Way) -> bool) -> bool {
        let waits = |state: &mut State| state.life == life && !accepts(&state.way);
        let state = self.bell.wait_while(self.lock(), waits).expect("no connection died");
        state.life == life
    }

    fn way(&self) -> Way {
        self.lock().way.clone()
    }
}

fn bound() -> (u16, TcpListener) {
    let free = (0..50).find_map(|_| {
        let port = port::free();
        Some((port, TcpListener::bind(("127.0.0.1", port)).ok()?))
    });
    free.expect("a free port for a relay")
}

fn reset(stream: &TcpStream) {
    // Whoever is gone already needs no reset.
    socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO)).ok();
    stream.shutdown(Shutdown::Both).ok();
}

/// Takes connections while the way is not refused; while it is, nobody listens.
fn accept(listener: TcpListener, port: u16, shared: &Arc<Shared>) {
    let mut listener = Some(listener);
    loop {
        if shared.way() == Way::Refuse {
            listener = None;
            let refused = |state: &mut State| state.way == Way::Refuse && !state.ended;
            let state = shared.bell.wait_while(shared.lock(), refused).expect("no one died");
            if state.ended {
                return;
            }
        }
        let listening = listener.get_or_insert_with(|| {
            TcpListener::bind(("127.0.0.1", port)).expect("the port is the relay's own")
        });
        let Ok((client, _)) = listening.accept() else { return };
        if shared.way() == Way::Refuse {
            reset(&client);
            continue;
        }
        let shared = Arc::clone(shared);
        thread::spawn(move || join(client, &shared));
    }
}

/// Joins a client with the server until one of them or the story ends it.
fn join(client: TcpStream, shared: &Arc<Shared>) {
    // The far side of a network that lets nothing through cannot be reached either.
    let life = shared.lock().life;
    let Ok(server) = TcpStream::connect(&shared.to) else { return reset(&client) };
    let clones = [client.try_clone(), server.try_clone(), client.try_clone(), server.try_clone()];
    let [Ok(client_in), Ok(server_out), Ok(kept_client), Ok(kept_server)] = clones else { return };
    for stream in [&client, &server] {
        stream.set_nodelay(true).ok();
    }
    let alive = {
        let mut state = shared.lock();
        let alive = state.life == life;
        if alive {
            state.open.push((life, kept_client, kept_server));
        }
        alive
    };
    if !alive {
        reset(&client);
        return reset(&server);
    }
    let answers = client.try_clone().ok();
    let up = Arc::clone(shared);
    let ends = thread::spawn(move || {
        pump(client_in, server_out, Towards::Server, life, answers, &up);
    });
    pump(server, client, Towards::Client, life, None, shared);
    ends.join().ok();
    // Both directions have ended: nothing of it need be kept.
    shared.lock().open.retain(|(_, client, _)| client.peer_addr().is_ok());
}

/// Carries bytes one way. The delay is each byte's own, so a second part waits for the first only
/// as long as it must.
fn pump(
    mut from: TcpStream,
    to: TcpStream,
    towards: Towards,
    life: u64,
    answers: Option<TcpStream>,
    shared: &Arc<Shared>,
) {
    let (parts, due) = channel();
    let inner = Arc::clone(shared);
    let writer = thread::spawn(move || write(to, towards, life, due, &inner));
    let mut part = vec![0; 65_536];
    loop {
        let count = match from.read(&mut part) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        let delay = match shared.way() {
            Way::Pass { up, down } => match towards {
                Towards::Server => up,
                Towards::Client | Towards::Both => down,
            },
            Way::Swallow => continue,
            Way::Answer(words) => {
                if let Some(mut client) = answers.as_ref()
                    && client.write_all(words).is_err()
                {
                    break;
                }
                continue;
            }
            Way::Hold(_) | Way::Refuse => Duration::ZERO,
        };
        if send(&parts, &part[..count], delay).is_err() {
            break;
        }
    }
    drop(parts);
    writer.join().ok();
}

/// Bytes and when they are due.
type Part = (Instant, Vec<u8>);

fn send(parts: &Sender<Part>, bytes: &[u8], delay: Duration) -> Result<(), ()> {
    parts.send((Instant::now() + delay, bytes.to_vec())).map_err(|_| ())
}

fn write(mut to: TcpStream, towards: Towards, life: u64, due: Receiver<Part>, shared: &Shared) {
    let goes = |way: &Way| match way {
        Way::Hold(held) => *held != towards && *held != Towards::Both,
        _ => true,
    };
    for (at, bytes) in due {
        thread::sleep(at.saturating_duration_since(Instant::now()));
        if !shared.wait_for(life, goes) || to.write_all(&bytes).is_err() {
            break;
        }
    }
    // The end travels like a byte, after all that came before it.
    if shared.wait_for(life, goes) {
        to.shutdown(Shutdown::Write).ok();
    }
}

#[cfg(test)]
mod tests;
