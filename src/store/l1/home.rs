//! Where the entries of a type stand, and what is counted of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::pool::{self, Pool};
use crate::entry::{Bundle, Key};
use crate::store::index::{Shard, Slot};

/// A type as the level sees it, for reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindStats {
    /// Its name; empty for the nameless one.
    pub name: Arc<str>,
    /// Representations that stand.
    pub entries: u64,
    /// What they cost, bookkeeping included.
    pub bytes: u64,
    /// Bytes it may take: its own, or those it shares with others.
    pub budget: u64,
    /// Representations that went because there were too many bytes or entries.
    pub evictions_by_size: u64,
    /// Representations that went because they were of no more use.
    pub evictions_by_ttl: u64,
}

/// The counts of a type. It lives as long as its name is in the rules.
#[derive(Debug)]
pub(super) struct Kind {
    pub(super) name: Arc<str>,
    pub(super) entries_max: AtomicU64,
    pub(super) entries: AtomicU64,
    pub(super) bytes: AtomicU64,
    pub(super) evictions_by_size: AtomicU64,
    pub(super) evictions_by_ttl: AtomicU64,
}

/// Where the entries of a type stand.
#[derive(Debug)]
pub(super) struct Home {
    pub(super) kind: Arc<Kind>,
    pub(super) pool: Arc<Pool>,
}

/// Puts a bundle into cache and index, in place of what stood under its key.
pub(super) fn place(shard: &mut Shard<Arc<Home>>, key: Key, bundle: Arc<Bundle>, home: &Arc<Home>) {
    home.count_in(&key, &bundle);
    home.pool.insert(&key, &bundle);
    if let Some(old) = shard.put(Slot { key, bundle, home: Arc::clone(home) }) {
        if !Arc::ptr_eq(&old.home.pool, &home.pool) {
            old.home.pool.remove(old.key.identity());
        }
        old.home.count_out(&old.key, &old.bundle);
    }
}

impl Home {
    /// The most that one identity may cost here.
    pub(super) fn room(&self) -> u64 {
        self.pool.budget().min(pool::BUNDLE_COST_MAX)
    }

    pub(super) fn count_in(&self, key: &Key, bundle: &Bundle) {
        let weight = pool::weight(key, bundle);
        self.pool.add(weight);
        self.kind.bytes.fetch_add(weight, Ordering::Relaxed);
        self.kind.entries.fetch_add(bundle.variants().len() as u64, Ordering::Relaxed);
    }

    pub(super) fn count_out(&self, key: &Key, bundle: &Bundle) {
        let weight = pool::weight(key, bundle);
        self.pool.subtract(weight);
        self.kind.bytes.fetch_sub(weight, Ordering::Relaxed);
        self.kind.entries.fetch_sub(bundle.variants().len() as u64, Ordering::Relaxed);
    }
}

impl Kind {
    pub(super) fn is_overfull(&self) -> bool {
        self.entries.load(Ordering::Relaxed) > self.entries_max.load(Ordering::Relaxed)
    }

    pub(super) fn count_eviction(&self, bundle: &Bundle, by_ttl: bool) {
        let count = if by_ttl { &self.evictions_by_ttl } else { &self.evictions_by_size };
        count.fetch_add(bundle.variants().len() as u64, Ordering::Relaxed);
    }

    pub(super) fn stats(&self, budget: u64) -> KindStats {
        KindStats {
            name: Arc::clone(&self.name),
            entries: self.entries.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            budget,
            evictions_by_size: self.evictions_by_size.load(Ordering::Relaxed),
            evictions_by_ttl: self.evictions_by_ttl.load(Ordering::Relaxed),
        }
    }
}
