//! One cache with one budget: moka keeps the bundles and chooses what goes. Everything else about
//! moka ends in this file. Its clock only frees memory; freshness is judged from an entry's stamp.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use moka::Expiry;
use moka::notification::RemovalCause;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use super::Eviction;
use crate::base::units::Span;
use crate::entry::{Bundle, Key, cost};
use crate::store::index;

/// What moka takes for one identity: a table entry, key and value holders, list and timer nodes,
/// the frequency sketch. `tests::memory` compares the sum with the growth of a process.
const COST_PER_NODE: u64 = 416;

/// Bytes written or dropped before moka is told to work off its log. What a log record still
/// holds is in no count, so this bounds how far memory passes the budget.
const UNSETTLED_BYTES_MAX: u64 = 1_024 * 1_024;

/// moka counts in 32 bits; no bundle may be heavier.
pub(super) const BUNDLE_COST_MAX: u64 = u32::MAX as u64;

/// Something that the cache let go by itself.
#[derive(Debug)]
pub(super) struct Evicted {
    pub(super) key: Arc<Key>,
    pub(super) bundle: Arc<Bundle>,
    pub(super) by_ttl: bool,
}

/// Where caches report what they let go. They report while they hold locks of their own, so nobody
/// acts on it there.
pub(super) type Reports = Arc<Mutex<Vec<Evicted>>>;

pub(super) struct Pool {
    cache: Cache<Key, Arc<Bundle>, foldhash::fast::RandomState>,
    budget: u64,
    /// The cost of what the index holds for this pool.
    bytes: AtomicU64,
    unsettled: AtomicU64,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool")
            .field("budget", &self.budget)
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

struct Usefulness;

impl Expiry<Key, Arc<Bundle>> for Usefulness {
    fn expire_after_create(&self, _: &Key, bundle: &Arc<Bundle>, _: Instant) -> Option<Duration> {
        useful_for(bundle)
    }

    fn expire_after_update(
        &self,
        _: &Key,
        bundle: &Arc<Bundle>,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        useful_for(bundle)
    }
}

fn useful_for(bundle: &Bundle) -> Option<Duration> {
    // Longer than any process lives is for ever; moka refuses sums beyond its clock.
    const LONGEST: Span = Span::from_secs(20 * 365 * 86_400);
    let span = bundle.useful_for();
    (span < LONGEST).then(|| span.to_duration())
}

/// What an identity costs in all: its text, its bundle, moka's nodes and the index.
pub(super) fn weight(key: &Key, bundle: &Bundle) -> u64 {
    let labels: usize = bundle.variants().iter().map(|entry| entry.labels.count()).sum();
    weight_of(key, bundle.cost(), labels)
}

/// The same, of a bundle with this cost and so many labels.
pub(super) fn weight_of(key: &Key, bundle_cost: u64, labels: usize) -> u64 {
    cost::text(key.identity().len())
        + bundle_cost
        + COST_PER_NODE
        + index::COST_PER_KEY
        + index::COST_PER_LABEL * labels as u64
}

impl Pool {
    pub(super) fn new(budget: u64, policy: Eviction, reports: &Reports) -> Self {
        let reports = Arc::clone(reports);
        let cache = Cache::builder()
            .max_capacity(budget)
            .weigher(|key: &Key, bundle: &Arc<Bundle>| {
                u32::try_from(weight(key, bundle)).unwrap_or(u32::MAX)
            })
            .expire_after(Usefulness)
            .eviction_policy(match policy {
                Eviction::TinyLfu => EvictionPolicy::tiny_lfu(),
                Eviction::Lru => EvictionPolicy::lru(),
            })
            .eviction_listener(move |key, bundle, cause| {
                if cause.was_evicted() {
                    let by_ttl = cause == RemovalCause::Expired;
                    let mut reports = reports.lock().unwrap_or_else(PoisonError::into_inner);
                    reports.push(Evicted { key, bundle, by_ttl });
                }
            })
            .build_with_hasher(foldhash::fast::RandomState::default());
        Self { cache, budget, bytes: AtomicU64::new(0), unsettled: AtomicU64::new(0) }
    }

    pub(super) const fn budget(&self) -> u64 {
        self.budget
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(super) fn find(&self, identity: &str) -> Option<Arc<Bundle>> {
        self.cache.get(identity)
    }

    /// Whether it stands here, without counting as a use.
    pub(super) fn holds(&self, identity: &str) -> bool {
        self.cache.contains_key(identity)
    }

    pub(super) fn insert(&self, key: &Key, bundle: &Arc<Bundle>) {
        self.cache.insert(key.clone(), Arc::clone(bundle));
    }

    pub(super) fn remove(&self, identity: &str) -> bool {
        self.cache.remove(identity).is_some()
    }

    /// Counts what the index took up.
    pub(super) fn add(&self, weight: u64) {
        self.bytes.fetch_add(weight, Ordering::Relaxed);
        self.unsettled.fetch_add(weight, Ordering::Relaxed);
    }

    /// Counts what the index let go.
    pub(super) fn subtract(&self, weight: u64) {
        self.bytes.fetch_sub(weight, Ordering::Relaxed);
        self.unsettled.fetch_add(weight, Ordering::Relaxed);
    }

    /// Whether the cache has work to do before anybody goes on.
    pub(super) fn is_unsettled(&self) -> bool {
        self.bytes() > self.budget || self.unsettled.load(Ordering::Relaxed) > UNSETTLED_BYTES_MAX
    }

    /// Lets the cache work off its log: evict, expire, free.
    pub(super) fn settle(&self) {
        self.unsettled.store(0, Ordering::Relaxed);
        self.cache.run_pending_tasks();
    }
}

#[cfg(test)]
impl Pool {
    /// Everything that stands here.
    pub(super) fn identities(&self) -> Vec<Arc<Key>> {
        self.cache.iter().map(|(key, _)| key).collect()
    }
}
