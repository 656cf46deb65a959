//! The fleet: this node's part in the cache of many nodes. It reads and writes frames, gives orders
//! and hears those of others, and keeps the node's state ([`crate::store::coherence`]) in step with
//! Redis. What its news mean for this process is the engine's business ([`Effects`]).
//!
//! What must never happen: that a request waits longer than its budget for anything here, that a
//! frame is used which an acknowledged order names, or that an order is lost without a word.

mod aside;
mod ask;
mod bus;
mod effects;
mod erase;
mod follow;
mod join;
mod journal;
mod lease;
mod list;
mod open;
mod orders;
mod put;
mod read;
mod receipt;
mod reclaim;
mod reply;
mod snapshot;
mod stats;
mod sweep;
mod tries;
mod waits;
mod weigh;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::base::ids::Number;
use crate::base::limits;
use crate::entry::frame::Skew;
use crate::entry::seal::KeyRing;
use crate::store::coherence::{Member, Obligations, Reclaims, Trust};
use crate::store::redis::config::{Config, ConfigError, WhenDeaf};
use crate::store::redis::fault::TierFault;
use crate::store::redis::keys::Names;
use crate::store::redis::script::Script;
use crate::store::redis::server::Server;
use crate::store::redis::servers::Servers;
use crate::store::redis::slot::Slot;
use crate::store::redis::watch::Told;

pub use effects::{Effects, News};
pub(super) use journal::JOURNAL_FILE;
pub use lease::{Lease, Renewal};
pub use list::{Kept, KeptPage, ListFault};
pub use open::Intent;
pub use put::{Keeping, Put};
pub use read::{Found, Standing, Wanted};
pub use receipt::{Level, Receipt};
pub use snapshot::{ServerSeen, Snapshot};
pub use stats::{FIND_RESULTS, PUT_RESULTS, Stats, Tally};
pub use waits::Place as WaitingPlace;
pub use weigh::Filled;

use orders::Settled;
use receipt::Confirmations;
use waits::Waits;

/// This node in its fleet.
pub struct Fleet {
    config: Config,
    names: Names,
    servers: Servers,
    ring: Option<Arc<KeyRing>>,
    trust: Arc<Trust>,
    member: Mutex<Member>,
    obligations: Mutex<Obligations>,
    confirmations: Confirmations,
    waits: Waits,
    journal: Option<journal::Journal>,
    /// How far this node has come with telling a new turn what its server lost.
    retold: Mutex<join::Retold>,
    /// One at a time reads the log.
    catching: tokio::sync::Mutex<()>,
    /// Which own orders have their number, and their keys are erased.
    settled: watch::Sender<Settled>,
    /// Orders wait.
    flush: Notify,
    /// Something is not as it was believed: ask the head at once.
    mend: Notify,
    /// What the server holds of the order of things may be damaged: it must say whether it is.
    doubt: AtomicBool,
    /// Records of the log that are asked for at once.
    page: AtomicUsize,
    /// Somebody purged what a sweep could take out.
    sweep: Notify,
    /// Somebody waits for what a sweep counts.
    hurry: Notify,
    /// A sweep has ended on every server.
    swept: Notify,
    /// Which orders the frames go for that a sweep takes out.
    reclaims: Arc<Mutex<Reclaims>>,
    /// Notes of writes that are over.
    left: Arc<open::Left>,
    /// Whether rules put keys elsewhere than their text says.
    sharded: AtomicBool,
    /// Whether rules keep answers under keys that their targets do not lead to.
    apart: AtomicBool,
    /// Redis' wall clock minus ours, in milliseconds.
    skew_ms: AtomicI64,
    /// Servers, and whether their keys lack anything that was ordered.
    seen: Mutex<ServersSeen>,
    tokens: AtomicU64,
    stats: Stats,
    /// The fullest server that may not evict.
    fullest: Mutex<Option<Filled>>,
    /// What its news do, once it runs.
    effects: OnceLock<Weak<dyn Effects>>,
    /// The channel on which other programs give orders.
    events: watch::Sender<Option<String>>,
}

/// Servers by their run ids.
#[derive(Debug, Default)]
struct ServersSeen {
    /// What they may be asked for: frames from this number on. Known since an epoch.
    sound: HashMap<Vec<u8>, (Number, u64)>,
    /// Nobody knows yet what these may have lost.
    unsound: HashSet<Vec<u8>>,
    /// Moves with everything that is learned.
    epoch: u64,
}

impl ServersSeen {
    fn greatest_floor(&self) -> Number {
        self.sound.values().map(|(floor, _)| *floor).max().unwrap_or_default()
    }

    fn learn(&mut self, run: &[u8], floor: Number) {
        self.epoch += 1;
        self.sound.insert(run.to_vec(), (floor, self.epoch));
        self.unsound.remove(run);
    }
}

impl std::fmt::Debug for Fleet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fleet").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Fleet {
    /// A node that belongs to no fleet yet. `life` is a random number, never 0; `told` hears of the
    /// servers, and must not block.
    ///
    /// # Errors
    /// Where the settings make no sense.
    pub fn new(
        config: Config,
        ring: Option<KeyRing>,
        life: u64,
        told: impl Fn(Told) + Send + Sync + 'static,
    ) -> Result<Self, ConfigError> {
        let trust = match config.when_deaf {
            WhenDeaf::Revalidate => Trust::within(config.lag_max),
            WhenDeaf::Serve => Trust::alone(),
        };
        Ok(Self {
            servers: Servers::new(&config, told)?,
            names: Names::new(&config.prefix).in_db(config.db),
            trust: Arc::new(trust),
            journal: config.journal.as_deref().map(journal::Journal::at),
            config,
            ring: ring.map(Arc::new),
            member: Mutex::new(Member::new(life.max(1))),
            obligations: Mutex::default(),
            confirmations: Confirmations::default(),
            waits: Waits::default(),
            retold: Mutex::default(),
            catching: tokio::sync::Mutex::default(),
            settled: watch::Sender::default(),
            flush: Notify::new(),
            mend: Notify::new(),
            doubt: AtomicBool::new(false),
            page: AtomicUsize::new(limits::RECORDS_PER_PAGE),
            sweep: Notify::new(),
            hurry: Notify::new(),
            swept: Notify::new(),
            reclaims: Arc::default(),
            left: Arc::default(),
            sharded: AtomicBool::new(false),
            apart: AtomicBool::new(false),
            skew_ms: AtomicI64::new(0),
            seen: Mutex::default(),
            tokens: AtomicU64::new(0),
            stats: Stats::default(),
            fullest: Mutex::default(),
            effects: OnceLock::new(),
            events: watch::Sender::new(None),
        })
    }

    /// How long this node may go on without news.
    pub const fn trust(&self) -> &Arc<Trust> {
        &self.trust
    }

    /// Its settings.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// The servers.
    pub const fn servers(&self) -> &Servers {
        &self.servers
    }

    /// What was counted.
    pub const fn stats(&self) -> &Stats {
        &self.stats
    }

    /// New rules: whether they put keys elsewhere than their text says, or keep what a target does
    /// not lead to, and the channel on which other programs give orders.
    pub fn follow_rules(&self, sharded: bool, apart: bool, events: Option<String>) {
        // Once rules had that, frames may stand so until they expire.
        self.sharded.fetch_or(sharded, Ordering::Relaxed);
        self.apart.fetch_or(apart, Ordering::Relaxed);
        self.events.send_if_modified(|now| {
            let changed = *now != events;
            *now = events;
            changed
        });
    }

    /// Runs the node's part in the fleet; ends never. On a runtime of its own: the connections
    /// live there.
    pub async fn run(&self, effects: &Arc<dyn Effects>) {
        // Runs once in a life.
        let _ = self.effects.set(Arc::downgrade(effects));
        self.replay_journal(effects.as_ref()).await;
        tokio::join!(
            self.servers.tend(),
            self.follow(effects.as_ref()),
            self.flush_orders(effects.as_ref()),
            self.listen(effects),
            self.listen_to_keys(effects.as_ref()),
            self.sweep_behind(effects.as_ref()),
            self.weigh_servers(),
        );
    }

    /// Lives of the other members, as far as is known.
    pub fn others(&self) -> usize {
        let member = self.member();
        member.known().filter(|life| *life != member.life()).count()
    }

    fn member(&self) -> MutexGuard<'_, Member> {
        self.member.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn obligations(&self) -> MutexGuard<'_, Obligations> {
        self.obligations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn servers_seen(&self) -> MutexGuard<'_, ServersSeen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The wall clock of the server that orders the fleet.
    fn redis_now_ms(&self, effects: &dyn Effects) -> u64 {
        self.skew().to_redis(effects.now()).as_millis()
    }

    fn is_located(&self) -> bool {
        !self.sharded.load(Ordering::Relaxed)
    }

    fn skew(&self) -> Skew {
        Skew::from_millis(self.skew_ms.load(Ordering::Relaxed))
    }

    /// The node's steady clock.
    fn steady_ms(&self) -> u64 {
        self.trust.at(Instant::now())
    }

    /// The server that orders the fleet.
    fn head_server(&self) -> Result<Arc<Server>, TierFault> {
        self.servers.master(Slot::of(&self.names.order("head")))
    }

    /// One script on the server that orders the fleet.
    async fn order_script(
        &self,
        script: &'static Script,
        keys: &[&str],
        args: &[&[u8]],
        deadline: crate::base::units::Span,
    ) -> Result<redis::Value, TierFault> {
        let names: Vec<Vec<u8>> = keys.iter().map(|key| self.names.order(key)).collect();
        let keys: Vec<&[u8]> = names.iter().map(Vec::as_slice).collect();
        self.head_server()?.script(script, &keys, args, deadline).await
    }
}

fn lives(member: &Member) -> Vec<String> {
    member.known().map(|life| format!("{life:016x}")).collect()
}
