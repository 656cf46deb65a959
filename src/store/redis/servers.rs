//! All servers of the shared level: who they are now, and the one to call for a slot.
//!
//! [`Servers::tend`] runs on the level's own thread: it asks who the servers are, makes their
//! connections and finds out when one is back. Everything else is for anybody, on any thread, and
//! never waits.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::cluster;
use super::config::{Address, Config, ConfigError, Layout};
use super::fault::TierFault;
use super::keep::keep;
use super::link::Role;
use super::sentinel::Sentinels;
use super::server::Server;
use super::slot::Slot;
use super::topology::{Topology, View};
use super::watch::{Told, Watch};
use super::way::Way;
use crate::base::{limits, tasks};

/// The servers; a clone is the same.
#[derive(Clone)]
pub struct Servers(Arc<Shared>);

struct Shared {
    layout: Layout,
    replicas: bool,
    way: Arc<Way>,
    watch: Arc<Watch>,
    /// Connections to each, and calls under way at once.
    bounds: (usize, usize),
    topology: ArcSwap<Topology>,
    /// What [`Servers::tend`] takes when it begins.
    sentinels: tokio::sync::Mutex<Option<Sentinels>>,
}

/// One attempt to learn who the servers are, over and over.
struct Tending<'a> {
    shared: &'a Shared,
    sentinels: Option<&'a mut Sentinels>,
    /// Ends the task that keeps a server, by who it is.
    kept: HashMap<(Role, Address), (Arc<Server>, DropGuard)>,
    unfound: bool,
}

impl Servers {
    /// From settings that make sense. Connects nothing. `told` hears what happens; it is called
    /// from where it happens, also on threads that serve requests, and must not block.
    pub fn new(
        config: &Config,
        told: impl Fn(Told) + Send + Sync + 'static,
    ) -> Result<Self, ConfigError> {
        config.check()?;
        let (way, watchers) = Way::of(config)?;
        let sentinels = match (&config.layout, watchers) {
            (Layout::Sentinel { sentinels, service }, Some(way)) => {
                let (addresses, service) = (sentinels.clone(), service.clone());
                Some(Sentinels::new(way, addresses, service, config.replicas))
            }
            _ => None,
        };
        let servers = Self(Arc::new(Shared {
            layout: config.layout.clone(),
            replicas: config.replicas,
            way: Arc::new(way),
            watch: Arc::new(Watch::new(told)),
            bounds: (config.connections, config.calls_max),
            topology: ArcSwap::default(),
            sentinels: tokio::sync::Mutex::new(sentinels),
        }));
        if let Layout::Single(address) = &config.layout {
            let view = View::single(address.clone(), Vec::new());
            if let Some(only) = Topology::default().after(view, |at, role| servers.0.make(at, role))
            {
                servers.0.topology.store(Arc::new(only));
            }
        }
        Ok(servers)
    }

    /// Runs for ever, on a runtime of its own; once at a time, since a second waits for the first
    /// to be dropped. The connections live on that runtime; dropping this ends their upkeep.
    pub async fn tend(&self) {
        let mut sentinels = self.0.sentinels.lock().await;
        let mut tending = Tending {
            shared: &self.0,
            sentinels: sentinels.as_mut(),
            kept: HashMap::new(),
            unfound: false,
        };
        loop {
            let earliest = Instant::now() + limits::TOPOLOGY_APART.to_duration();
            tending.refresh().await;
            let latest = Instant::now() + tending.pause();
            // Suspicion that comes before it may be acted upon is kept, and merged.
            let _ = timeout_at(latest, self.0.watch.suspected()).await;
            sleep_until(earliest).await;
        }
    }

    /// The master of a slot, up or not.
    pub fn master(&self, slot: Slot) -> Result<Arc<Server>, TierFault> {
        self.0.topology.load().master(slot).cloned().ok_or(TierFault::Unserved)
    }

    /// A replica of a slot that is up, each in its turn; none where replicas are not to be read.
    pub fn replica(&self, slot: Slot) -> Option<Arc<Server>> {
        self.0.topology.load().replica(slot).cloned()
    }

    /// All masters, up or not.
    pub fn masters(&self) -> Vec<Arc<Server>> {
        self.0.topology.load().masters().cloned().collect()
    }

    /// Masters and replicas that are used, up or not.
    pub fn all(&self) -> Vec<Arc<Server>> {
        self.0.topology.load().servers().cloned().collect()
    }

    /// Whether keys of different slots may be on different servers.
    pub fn is_cluster(&self) -> bool {
        matches!(self.0.layout, Layout::Cluster(_))
    }

    /// Has it asked soon who the servers are: somebody saw what does not fit.
    pub fn suspect(&self) {
        self.0.watch.suspect();
    }
}

impl Shared {
    fn make(&self, address: Address, role: Role) -> Arc<Server> {
        let (way, watch) = (Arc::clone(&self.way), Arc::clone(&self.watch));
        Arc::new(Server::new(address, role, way, watch, self.bounds))
    }

    fn is_master_away(&self) -> bool {
        self.topology.load().masters().any(|master| !master.is_up())
    }

    /// Nodes of the cluster to ask: who was named by a redirection, masters that are up, everyone
    /// else that is known, and those of the settings.
    fn nodes(&self) -> Vec<Address> {
        let topology = self.topology.load();
        let known = |up: bool| {
            let fitting = topology.servers().filter(move |server| server.is_up() == up);
            fitting.map(|server| server.address().clone())
        };
        let named = self.watch.informed().into_iter();
        let all = named.chain(known(true)).chain(self.layout.addresses().iter().cloned());
        let mut nodes: Vec<Address> = Vec::new();
        for node in all.chain(known(false)) {
            if !nodes.contains(&node) {
                nodes.push(node);
            }
        }
        nodes
    }
}

impl Tending<'_> {
    async fn refresh(&mut self) {
        match self.ask().await {
            Ok(view) => {
                self.unfound = false;
                self.take(view);
            }
            Err(fault) if !self.unfound => {
                self.unfound = true;
                self.shared.watch.tell(Told::Unfound { why: fault.to_string() });
            }
            Err(_) => {}
        }
        self.keep_all();
    }

    async fn ask(&mut self) -> Result<View, TierFault> {
        match &self.shared.layout {
            Layout::Single(address) => Ok(View::single(address.clone(), Vec::new())),
            Layout::Sentinel { .. } => match &mut self.sentinels {
                Some(sentinels) => sentinels.ask(self.shared.is_master_away()).await,
                None => Err(TierFault::Unserved),
            },
            Layout::Cluster(_) => {
                let nodes = self.shared.nodes();
                cluster::ask(&self.shared.way, &nodes, self.shared.replicas).await
            }
        }
    }

    fn take(&self, view: View) {
        let topology = self.shared.topology.load();
        let make = |address, role| self.shared.make(address, role);
        let Some(next) = topology.after(view, make) else { return };
        let next = Arc::new(next);
        self.shared.topology.store(Arc::clone(&next));
        let of = |role| {
            let fitting = next.servers().filter(move |server| server.role == role);
            fitting.map(|server| server.address().clone()).collect()
        };
        let told = Told::Topology { masters: of(Role::Master), replicas: of(Role::Replica) };
        self.shared.watch.tell(told);
    }

    /// One task for each server there is, and none for those that are gone.
    fn keep_all(&mut self) {
        let topology = self.shared.topology.load();
        let is_there = |server: &Arc<Server>| topology.servers().any(|it| Arc::ptr_eq(it, server));
        self.kept.retain(|_, (server, _)| is_there(server));
        for server in topology.servers() {
            let who = (server.role, server.address.clone());
            self.kept.entry(who).or_insert_with(|| {
                let over = CancellationToken::new();
                tasks::tend(keep(Arc::clone(server), over.clone()));
                (Arc::clone(server), over.drop_guard())
            });
        }
    }

    /// Until it is asked again, if nothing happens.
    fn pause(&self) -> Duration {
        let pause = match self.shared.layout {
            Layout::Single(_) => limits::TOPOLOGY_EVERY,
            _ if self.unfound || self.shared.is_master_away() => limits::TOPOLOGY_RETRY,
            Layout::Sentinel { .. } => limits::SENTINELS_EVERY,
            Layout::Cluster(_) => limits::TOPOLOGY_EVERY,
        };
        pause.to_duration()
    }
}
