//! The first level: bundles in memory under byte budgets, beside an index that knows them by
//! everything an order can name.
//!
//! A lookup reads one cache and nothing else: no lock, no wait, no allocation. Storing and dropping
//! lock the shard of the index that the identity belongs to, ask the fences, and change cache and
//! index together; so an answer that an order fetched before concerns either meets the fence, or
//! stands in the index before the order's drop comes along. What a cache evicts by itself is
//! reported, and taken out of the index by whoever stores or drops next.
//!
//! What must never happen: an entry in the cache that the index does not know, more bytes than the
//! budget beyond a moment's work, or a lock held while another shard's is taken.

mod count;
mod home;
mod list;
mod pending;
mod pool;
mod reshape;
mod round;
mod soften;
mod swap;
mod sweep;

use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;

use crate::base::clock::Timestamp;
use crate::base::ids::{KindId, SoftId};
use crate::base::limits;
use crate::base::reason::Reason;
use crate::base::units::Span;
use crate::entry::{Bundle, Entry, Key, Shapes};
use crate::store::fence::{Birth, Facts};
use crate::store::index::Shard;
use home::{Home, Kind, place};
use pending::Pending;
use pool::Reports;

pub use count::{Counted, Meeting};
pub use home::KindStats;
pub use list::{After, Listed, Page};
pub use pending::Step;
pub use reshape::KindSpec;
pub use sweep::Swept;

/// Parts of the index, each with its lock. Stores of different keys rarely meet.
const SHARDS: usize = 16;

/// Which entries go when there are too many bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Eviction {
    /// Those asked for least often; scans do not push out what is hot.
    #[default]
    TinyLfu,
    /// Those not asked for longest.
    Lru,
}

/// What became of an answer that wanted to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Landed {
    /// It stands.
    Stored,
    /// An order came while it was fetched, or its type is no more. It was never to be seen.
    Refused,
    /// It costs more than its type's whole budget.
    TooLarge,
    /// Nothing is stored now: an operator has said so.
    Off,
}

impl Landed {
    /// Why it was not stored; nothing when it was.
    pub const fn refusal(self) -> Option<Reason> {
        match self {
            Self::Stored => None,
            Self::Refused => Some(Reason::PurgedDuringFetch),
            Self::TooLarge => Some(Reason::TooLarge),
            Self::Off => Some(Reason::BypassSwitch),
        }
    }
}

/// An identity that left by itself.
#[derive(Clone, Debug)]
pub struct Evicted {
    /// Its type's name.
    pub kind: Arc<str>,
    /// What it was.
    pub key: Key,
    /// Because it was of no more use; else to make room.
    pub by_ttl: bool,
    /// When it had half its life behind it.
    pub half_life: Timestamp,
}

/// Evictions told between two calls: a log is no place for a flood.
const EVICTIONS_TOLD_MAX: usize = 1_024;

/// The first level.
#[derive(Debug)]
pub struct L1 {
    shards: [Mutex<Shard<Arc<Home>>>; SHARDS],
    hasher: foldhash::fast::RandomState,
    layout: ArcSwap<Layout>,
    /// Held by whoever changes the layout.
    reshaping: Mutex<()>,
    reports: Reports,
    evictions: Mutex<Vec<Evicted>>,
    shapes: Shapes,
    policy: Eviction,
    chance: AtomicU32,
    /// What has gone, or is stale, and has yet to leave memory, or be made so.
    pending: Pending,
    /// Soft orders of which some part was carried out and not taken back, the latest last.
    softened: Mutex<VecDeque<SoftId>>,
    /// How many entries an order drops before it is acknowledged.
    at_once: usize,
}

/// Homes by the type's number in the rules.
#[derive(Debug)]
struct Layout {
    homes: Vec<Arc<Home>>,
    /// While entries move: where they were.
    former: Option<Arc<Layout>>,
}

impl Layout {
    fn named(&self, name: &str) -> Option<&Arc<Home>> {
        self.homes.iter().find(|home| *home.kind.name == *name)
    }
}

impl L1 {
    /// A level of `size` bytes in all. `kinds` stand in the order of their numbers; the first is
    /// the nameless one. Budgets: see [`KindSpec::max_bytes`].
    pub fn new(kinds: &[KindSpec], size: u64, policy: Eviction) -> Self {
        let reports = Reports::default();
        let layout = reshape::layout(kinds, size, policy, &reports, None);
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            hasher: foldhash::fast::RandomState::default(),
            layout: ArcSwap::from_pointee(layout),
            reshaping: Mutex::new(()),
            reports,
            evictions: Mutex::default(),
            shapes: Shapes::default(),
            policy,
            chance: AtomicU32::new(0),
            pending: Pending::default(),
            softened: Mutex::default(),
            at_once: limits::SWEPT_AT_ONCE_MAX,
        }
    }

    /// Lists of field names that entries of this level share.
    pub const fn shapes(&self) -> &Shapes {
        &self.shapes
    }

    /// What stands under an identity, stored by a route of this type.
    pub fn find(&self, kind: KindId, identity: &str) -> Option<Arc<Bundle>> {
        let mask = self.pending.mask();
        let layout = self.layout.load();
        let home = layout.homes.get(usize::from(kind.0))?;
        let found = home.pool.find(identity).or_else(|| {
            // Entries are on the move between two layouts: a rare second look.
            layout.former.as_ref()?.named(&home.kind.name)?.pool.find(identity)
        })?;
        // A pool is shared by types; an order on the asking type must have reached the entry.
        let found = Some(found).filter(|found| *found.kind() == *home.kind.name)?;
        match mask {
            None => Some(found),
            Some(mask) => mask.standing(identity, found),
        }
    }

    /// Stores what a fetch brought, unless an order since its birth names it. The only way in:
    /// fetches, validations and updates by HEAD alike.
    pub fn land(&self, birth: &Birth, key: Key, entry: Arc<Entry>) -> Landed {
        let mut shard = self.shard(key.identity());
        // Read under the lock: entries of this shard have moved to the newest layout or will.
        let layout = self.layout.load_full();
        let Some(home) = layout.named(&entry.labels.place.kind) else { return Landed::Refused };
        let room = home.room();
        let entry = swap::fitting(&key, entry, room);
        let alone = Bundle::of(Arc::clone(&entry));
        let overhead = pool::weight(&key, &alone).saturating_sub(entry.cost());
        if pool::weight(&key, &alone) > room {
            return Landed::TooLarge;
        }
        // Asked and stored under one lock. An order raises its fence before it drops: raised by
        // now, it refuses here; raised later, its drop waits for the lock and finds the entry.
        if !birth.admits(&Facts::of(&key, &entry.labels)) {
            return Landed::Refused;
        }
        if !self.pending.is_idle() {
            self.reclaim_at(&mut shard, key.identity());
        }
        let bundle = match shard.find(key.identity()) {
            Some(old) if old.bundle.kind() == alone.kind() => {
                old.bundle.with(entry, room.saturating_sub(overhead))
            }
            _ => alone,
        };
        place(&mut shard, key, Arc::new(bundle), home);
        drop(shard);
        self.keep_bounds(home);
        Landed::Stored
    }

    /// Whether an answer such as `entry`, but with a body of this length, costs no more than its
    /// type may take: else it will not be stored.
    pub fn has_room(&self, key: &Key, entry: &Entry, len: u64) -> bool {
        let layout = self.layout.load();
        let Some(home) = layout.named(&entry.labels.place.kind) else { return true };
        let cost = Bundle::cost_of_one().saturating_add(entry.cost_with_body(len));
        pool::weight_of(key, cost, entry.labels.count()) <= home.room()
    }

    /// What stands under an identity, whatever its type, without counting as a use. For reports.
    pub fn peek(&self, identity: &str) -> Option<Arc<Bundle>> {
        let mask = self.pending.mask();
        let shard = self.shard(identity);
        let slot = shard.find(identity)?;
        let stands = slot.home.pool.holds(identity).then(|| Arc::clone(&slot.bundle))?;
        match mask {
            None => Some(stands),
            Some(mask) => mask.standing(identity, stands),
        }
    }

    /// Identities after `after` in their order (all after an empty text), at most `count`. A page
    /// at a time: each costs as much as its length.
    pub fn page(&self, after: &str, count: usize) -> Vec<(Key, Arc<Bundle>)> {
        let mut found = Vec::new();
        for shard in &self.shards {
            let shard = lock(shard);
            let slots = shard.page("", after, count);
            found.extend(slots.map(|slot| (slot.key.clone(), Arc::clone(&slot.bundle))));
        }
        found.sort_by(|one, two| one.0.cmp(&two.0));
        found.truncate(count);
        found
    }

    /// What was evicted since the last call, for the log. A flood is told in part; the counts of
    /// [`L1::stats`] are whole.
    pub fn evictions(&self) -> Vec<Evicted> {
        std::mem::take(&mut *lock(&self.evictions))
    }

    /// The state of each type, in the order of their numbers.
    pub fn stats(&self) -> Vec<KindStats> {
        self.settle();
        let layout = self.layout.load();
        layout.homes.iter().map(|home| home.kind.stats(home.pool.budget())).collect()
    }

    /// Frees what has expired. Called now and then, so that a level nobody stores into shrinks too.
    pub fn tend(&self) {
        let layout = self.layout.load_full();
        for home in &layout.homes {
            home.pool.settle();
        }
        self.settle();
    }

    fn shard(&self, identity: &str) -> MutexGuard<'_, Shard<Arc<Home>>> {
        let at = self.hasher.hash_one(identity) as usize % SHARDS;
        let [first, ..] = &self.shards;
        lock(self.shards.get(at).unwrap_or(first))
    }

    /// After a store: evicts until the budget and the count of the type hold again.
    fn keep_bounds(&self, home: &Home) {
        for _ in 0..SETTLE_ROUNDS_MAX {
            if !home.pool.is_unsettled() {
                break;
            }
            home.pool.settle();
            self.settle();
        }
        while home.kind.is_overfull() && self.evict_one_of(&home.kind) {}
        self.settle();
    }

    /// Takes what caches evicted by themselves out of the index.
    fn settle(&self) {
        let reports = {
            let mut reports = self.reports.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *reports)
        };
        for gone in reports {
            let identity = gone.key.identity();
            let mut shard = self.shard(identity);
            // Something newer may stand there by now, or the same in another pool.
            let number = shard.number(identity).filter(|number| {
                shard.slot(*number).is_some_and(|slot| {
                    Arc::ptr_eq(&slot.bundle, &gone.bundle) && !slot.home.pool.holds(identity)
                })
            });
            if let Some(slot) = number.and_then(|number| shard.take(number)) {
                slot.home.count_out(&slot.key, &slot.bundle);
                slot.home.kind.count_eviction(&slot.bundle, gone.by_ttl);
                drop(shard);
                let mut evictions = lock(&self.evictions);
                if evictions.len() < EVICTIONS_TOLD_MAX {
                    let kind = Arc::clone(&slot.home.kind.name);
                    let half_life = half_life(&slot.bundle);
                    evictions.push(Evicted { kind, key: slot.key, by_ttl: gone.by_ttl, half_life });
                }
            }
        }
    }
}

/// The middle of the freshness of its longest-lived variant.
fn half_life(bundle: &Bundle) -> Timestamp {
    let of = |entry: &Arc<Entry>| {
        let (from, until) = (entry.stamp.stored_at, entry.stamp.fresh_until);
        from.plus(Span::from_millis(until.since(from).as_millis() / 2))
    };
    bundle.variants().iter().map(of).max().unwrap_or_default()
}

/// A cache evicts in batches; it needs more than one round only after a burst of stores.
const SETTLE_ROUNDS_MAX: usize = 16;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
