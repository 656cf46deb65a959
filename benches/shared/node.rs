//! A node of a fleet, with a thread of its own for the connections as in the real one; but without
//! anything in front of it.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use cistern::base::clock::{Clock, Timestamp};
use cistern::base::ids::Tick;
use cistern::base::limits::LEASE_FOR;
use cistern::base::units::Span;
use cistern::entry::order::Order;
use cistern::entry::seal::KeyRing;
use cistern::entry::{Entry, Key, Shapes};
use cistern::store::gone::Gone;
use cistern::store::redis::config::{Address, Config, Layout, Login, WhenDeaf};
use cistern::store::redis::fleet::{Effects, Fleet, Found, Keeping, News, Wanted};
use http::HeaderMap;
use tokio::sync::oneshot;

use super::server::Server;

/// Stands before every key of the fleet.
pub(crate) const PREFIX: &str = "cistern:";

const RING: &str = "1:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// Long enough for anything here to happen.
const PATIENCE: Duration = Duration::from_mins(15);

/// A node that follows its fleet.
pub(crate) struct Node {
    /// Its part in it.
    pub(crate) fleet: Arc<Fleet>,
    /// What hears of it.
    pub(crate) effects: Arc<Heard>,
    fields: HeaderMap,
    shapes: Shapes,
    swept: Receiver<Swept>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// A sweep that has ended.
#[derive(Clone, Copy)]
pub(crate) struct Swept {
    /// Frames that were taken out.
    pub(crate) gone: u64,
    /// How long it took, without the pause before it.
    pub(crate) millis: u64,
}

/// Nobody is served here: only news that somebody waits for are heard.
pub(crate) struct Heard {
    clock: Clock,
    joined: Mutex<Sender<()>>,
    swept: Mutex<Sender<Swept>>,
}

impl Effects for Heard {
    fn carry_out(&self, _: &Order, _: &'static str) -> Gone {
        Gone::default()
    }

    fn count(&self, _order: &Order) -> Gone {
        Gone::default()
    }

    fn with_followers(&self, order: Order) -> Order {
        order
    }

    fn distrust(&self) {}

    fn let_go(&self, _: &str) {}

    fn tell(&self, news: &News) {
        // Who waited may have gone.
        match news {
            News::Joined { .. } => {
                let _ = self.joined.lock().unwrap().send(());
            }
            News::Swept { gone, ms, .. } => {
                let _ = self.swept.lock().unwrap().send(Swept { gone: *gone, millis: *ms });
            }
            News::Adopted { .. } | News::Servers(_) => {}
            other => eprintln!("{other:?}"),
        }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

impl Node {
    /// Joins the fleet of a server, as its first member.
    pub(crate) fn join(server: &Server) -> Self {
        let ring = KeyRing::parse(RING).unwrap();
        let fleet = Arc::new(Fleet::new(config(server.port), Some(ring), 7, |_| {}).unwrap());
        let ((joined, joins), (swept, sweeps)) = (channel(), channel());
        let effects = Arc::new(Heard {
            clock: Clock::system(),
            joined: Mutex::new(joined),
            swept: Mutex::new(swept),
        });
        let (stop, stopped) = oneshot::channel();
        let (own, heard): (_, Arc<dyn Effects>) = (Arc::clone(&fleet), Arc::clone(&effects) as _);
        let thread = std::thread::spawn(move || {
            runtime().block_on(async {
                tokio::select! {
                    () = own.run(&heard) => {}
                    _ = stopped => own.leave().await,
                }
            });
        });
        joins.recv_timeout(PATIENCE).unwrap();
        let (fields, shapes) = (HeaderMap::new(), Shapes::default());
        let (stop, thread) = (Some(stop), Some(thread));
        let node = Self { fleet, effects, fields, shapes, swept: sweeps, stop, thread };
        // The servers are known a moment after.
        runtime().block_on(async {
            let key = Key::new("nothing", "", "");
            while !matches!(node.look(&key, false).await, Some(found) if found.standing.is_some()) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        node
    }

    /// A look as the engine takes it for a GET.
    pub(crate) async fn look(&self, key: &Key, sealed: bool) -> Option<Found> {
        let wanted = Wanted {
            key,
            shard: None,
            fields: &self.fields,
            kind: "",
            sealed,
            replica: false,
            lease: Some(LEASE_FOR),
            birth: Tick(1),
            shapes: &self.shapes,
        };
        self.fleet.find(&wanted, self.effects.as_ref()).await.ok()
    }

    /// A look that must find one entry.
    pub(crate) async fn hit(&self, key: &Key, sealed: bool) {
        let found = self.look(key, sealed).await.unwrap();
        assert_eq!(found.entries.len(), 1);
    }

    /// A miss and the put of what was fetched.
    pub(crate) async fn fill(&self, key: &Key, entry: &Arc<Entry>, keeping: &Keeping) {
        let found = self.look(key, keeping.sealed).await.unwrap();
        let (standing, lease) = (found.standing.unwrap(), found.lease);
        let effects = self.effects.as_ref();
        self.fleet.put(key, entry, keeping, &standing, &lease, effects).await;
    }

    /// Waits until frames have been taken out.
    pub(crate) fn swept(&self) -> Swept {
        self.swept.recv_timeout(PATIENCE).unwrap()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.stop.take().map(|stop| stop.send(()));
        drop(self.thread.take().map(JoinHandle::join));
    }
}

/// As each worker has one.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// The defaults, but with time enough: a busy machine is not what is measured.
fn config(port: u16) -> Config {
    Config {
        layout: Layout::Single(Address { host: "127.0.0.1".to_owned(), port }),
        login: Login::default(),
        sentinel_login: Login::default(),
        tls: None,
        db: 0,
        prefix: PREFIX.to_owned(),
        budget: Span::from_secs(5),
        purge_budget: Span::from_secs(5),
        connect_timeout: Span::from_secs(5),
        connections: 2,
        calls_max: 1_024,
        max_object: 1 << 20,
        lag_max: Span::from_secs(2),
        when_deaf: WhenDeaf::Revalidate,
        replicas: false,
        journal: None,
    }
}
