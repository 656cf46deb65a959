//! Keeps the connections of one server: makes them, replaces those that end, and finds out whether
//! a server that was given up is back. One task per server, on the level's own thread.

use std::sync::Arc;

use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::fault::TierFault;
use super::link::Link;
use super::server::Server;
use super::watch::Told;
use crate::base::limits::PROBE_EVERY;

/// Until `over`. Calls that are under way then are answered; new ones are not made.
pub(super) async fn keep(server: Arc<Server>, over: CancellationToken) {
    let mut mending = Mending { told: false, filled: None };
    loop {
        // Counted from the beginning, so that a slow failure does not make the next try later.
        let next = Instant::now() + PROBE_EVERY.to_duration();
        tokio::select! {
            () = mending.mend(&server) => {}
            () = over.cancelled() => break,
        }
        let whole = server.is_up() && server.links.load().len() >= server.links_wanted;
        tokio::select! {
            () = server.wake.notified() => {}
            () = sleep_until(next), if !whole => {}
            () = over.cancelled() => break,
        }
    }
    // Whoever still holds it is told at once, and nobody else hears of it.
    server.breaker().trip(server.clock.now());
    server.links.store(Arc::default());
}

struct Mending {
    /// Whether it is known outside that the server is away.
    told: bool,
    /// When connections were last added.
    filled: Option<Instant>,
}

impl Mending {
    /// Does what there is to do now.
    async fn mend(&mut self, server: &Server) {
        server.links.rcu(|links| {
            let alive = links.iter().filter(|link| link.is_alive());
            alive.cloned().collect::<Vec<_>>()
        });
        let lost = server.links.load().is_empty() && server.breaker().trip(server.clock.now());
        if lost {
            let fault = TierFault::Lost("all connections ended".to_owned());
            server.remember(&fault);
            server.fell(&fault);
        }
        if server.is_up() || self.probe(server).await {
            self.fill(server).await;
        }
    }

    /// Adds what is missing, but not in circles with a server that ends what it accepts.
    async fn fill(&mut self, server: &Server) {
        if self.filled.is_some_and(|last| last.elapsed() < PROBE_EVERY.to_duration()) {
            return;
        }
        while server.is_up() && server.links.load().len() < server.links_wanted {
            self.filled = Some(Instant::now());
            match open(server).await {
                Ok(link) => {
                    let new = std::slice::from_ref(&link);
                    server.links.rcu(|links| [links.as_slice(), new].concat());
                }
                Err(fault) => return server.remember(&fault),
            }
        }
    }

    /// Tries to reach a server that is not asked, if it is time to; true if it is asked again.
    async fn probe(&mut self, server: &Server) -> bool {
        if !server.breaker().probe(server.clock.now()) {
            return false;
        }
        let settled = Settled(server);
        match open(server).await {
            Ok(link) => {
                for old in server.links.swap(Arc::new(vec![link])).iter() {
                    old.cut();
                }
                let since = {
                    let mut breaker = server.breaker();
                    breaker.settle(true);
                    breaker.opened()
                };
                let after = server.clock.now().since(since);
                server.watch.tell(Told::Up { server: server.address.clone(), after });
                self.told = true;
                true
            }
            Err(fault) => {
                drop(settled);
                server.remember(&fault);
                if fault.is_surprise() {
                    server.watch.suspect();
                }
                if !self.told {
                    self.told = true;
                    let why = fault.to_string();
                    server.watch.tell(Told::Down { server: server.address.clone(), why });
                }
                false
            }
        }
    }
}

async fn open(server: &Server) -> Result<Arc<Link>, TierFault> {
    let wake = Arc::clone(&server.wake);
    Link::open(&server.way, &server.address, server.role, wake).await.map(Arc::new)
}

/// A probe that is given up has not reached anybody.
struct Settled<'a>(&'a Server);

impl Drop for Settled<'_> {
    fn drop(&mut self) {
        self.0.breaker().settle(false);
    }
}
