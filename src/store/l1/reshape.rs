//! Which type has which budget, at the start and after a reload. Types that keep their name keep
//! their entries; a pool whose budget changes is built anew, because moka cannot change one, and
//! its entries move over, a few at a time, while lookups find them in either.

use std::cmp::Reverse;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::pool::{self, Pool, Reports};
use super::{Eviction, Home, Kind, L1, Layout, lock};
use crate::store::index::{Slot, Walk};

/// A type as the rules have it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KindSpec {
    /// Its name; empty for the nameless one.
    pub name: String,
    /// Bytes of its own. Types without share what the others leave. The nameless type always
    /// shares. Where the own budgets take more than nine tenths of the level, they are cut in
    /// proportion.
    pub max_bytes: Option<u64>,
    /// Representations at most, in whichever budget.
    pub max_entries: Option<u64>,
}

/// The bytes of each type's own pool, and of the shared one.
fn budgets(kinds: &[KindSpec], size: u64) -> (Vec<Option<u64>>, u64) {
    let own_max = size - size / 10;
    let asked: u128 = kinds.iter().skip(1).filter_map(|kind| kind.max_bytes).map(u128::from).sum();
    let cut = |bytes: u64| {
        if asked <= u128::from(own_max) {
            return bytes;
        }
        u64::try_from(u128::from(bytes) * u128::from(own_max) / asked).unwrap_or(bytes)
    };
    let own: Vec<_> = kinds
        .iter()
        .enumerate()
        .map(|(number, kind)| kind.max_bytes.filter(|_| number > 0).map(cut))
        .collect();
    let shared = size.saturating_sub(own.iter().flatten().sum());
    (own, shared)
}

/// Lays types out. What `former` has with the same name and budget is kept as it is.
pub(super) fn layout(
    kinds: &[KindSpec],
    size: u64,
    policy: Eviction,
    reports: &Reports,
    former: Option<&Arc<Layout>>,
) -> Layout {
    let nameless = [KindSpec::default()];
    let kinds = if kinds.is_empty() { &nameless } else { kinds };
    let (own, shared_bytes) = budgets(kinds, size);
    let kept = |name: &str| former.and_then(|former| former.named(name));
    let shared = former
        .and_then(|former| former.homes.first())
        .map(|home| &home.pool)
        .filter(|pool| pool.budget() == shared_bytes)
        .map_or_else(|| Arc::new(Pool::new(shared_bytes, policy, reports)), Arc::clone);
    let was_shared = former.and_then(|former| former.homes.first()).map(|home| &home.pool);
    let homes = kinds.iter().zip(own).map(|(spec, own)| {
        let kind = kept(&spec.name)
            .map_or_else(|| Arc::new(Kind::named(&spec.name)), |home| Arc::clone(&home.kind));
        kind.entries_max.store(spec.max_entries.unwrap_or(u64::MAX), Ordering::Relaxed);
        let pool = match own {
            None => Arc::clone(&shared),
            Some(bytes) => kept(&spec.name)
                .map(|home| &home.pool)
                .filter(|pool| pool.budget() == bytes)
                .filter(|pool| was_shared.is_none_or(|shared| !Arc::ptr_eq(shared, pool)))
                .map_or_else(|| Arc::new(Pool::new(bytes, policy, reports)), Arc::clone),
        };
        Arc::new(Home { kind, pool })
    });
    Layout { homes: homes.collect(), former: None }
}

impl Kind {
    fn named(name: &str) -> Self {
        Self {
            name: name.into(),
            entries_max: AtomicU64::new(u64::MAX),
            entries: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            evictions_by_size: AtomicU64::new(0),
            evictions_by_ttl: AtomicU64::new(0),
        }
    }
}

/// The use mark and the weight of an identity that changes its pool.
type Mover = (u32, u64);

impl L1 {
    /// Takes over the types of newly loaded rules. Entries of a type whose name stays are kept, the
    /// most recently used ones where its budget shrank; those of a type that is no more go.
    pub fn reshape(&self, kinds: &[KindSpec], size: u64) {
        let _one_at_a_time = lock(&self.reshaping);
        let former = self.layout.load_full();
        let mut next = layout(kinds, size, self.policy, &self.reports, Some(&former));
        let finished = Layout { homes: next.homes.clone(), former: None };
        next.former = Some(Arc::clone(&former));
        // From here on stores go to the new homes, and lookups try the former ones second.
        self.layout.store(Arc::new(next));
        let cuts = self.cuts(&finished);
        self.visit(Walk::Beginning(""), &mut |shard, number| {
            let Some(slot) = shard.slot(number) else { return };
            match moved(slot, &finished, &cuts) {
                Some(slot) => drop(shard.put(slot)),
                None => drop(shard.take(number)),
            }
        });
        let finished = Arc::new(finished);
        self.layout.store(Arc::clone(&finished));
        for home in &finished.homes {
            home.pool.settle();
            self.keep_bounds(home);
        }
    }

    /// For each pool that cannot take all that moves to it: the use mark from which on it does.
    fn cuts(&self, next: &Layout) -> Vec<(Arc<Pool>, u32)> {
        let mut movers: Vec<(Arc<Pool>, Vec<Mover>)> = Vec::new();
        self.visit(Walk::Beginning(""), &mut |shard, number| {
            let Some(slot) = shard.slot(number) else { return };
            let Some(home) = next.named(&slot.home.kind.name) else { return };
            if Arc::ptr_eq(&home.pool, &slot.home.pool) {
                return;
            }
            let mover = (slot.bundle.used_secs(), pool::weight(&slot.key, &slot.bundle));
            match movers.iter_mut().find(|(pool, _)| Arc::ptr_eq(pool, &home.pool)) {
                Some((_, list)) => list.push(mover),
                None => movers.push((Arc::clone(&home.pool), vec![mover])),
            }
        });
        movers
            .into_iter()
            .filter_map(|(pool, mut list)| {
                list.sort_unstable_by_key(|(used, _)| Reverse(*used));
                let mut room = pool.budget().saturating_sub(pool.bytes());
                let first_out =
                    list.iter().find(|(_, weight)| match room.checked_sub(*weight) {
                        Some(left) => {
                            room = left;
                            false
                        }
                        None => true,
                    })?;
                Some((pool, first_out.0.saturating_add(1)))
            })
            .collect()
    }
}

/// Moves what stands in a slot to the home its type has now, and gives the slot for it; `None` when
/// it goes instead.
fn moved(
    slot: &Slot<Arc<Home>>,
    next: &Layout,
    cuts: &[(Arc<Pool>, u32)],
) -> Option<Slot<Arc<Home>>> {
    let old = &slot.home;
    let at = |home: &Arc<Home>| Slot {
        key: slot.key.clone(),
        bundle: Arc::clone(&slot.bundle),
        home: Arc::clone(home),
    };
    let home = next.named(&old.kind.name);
    if let Some(home) = home.filter(|home| Arc::ptr_eq(&home.pool, &old.pool)) {
        return Some(at(home));
    }
    let cut = |pool: &Arc<Pool>| cuts.iter().find(|(one, _)| Arc::ptr_eq(one, pool));
    let stays = home
        .filter(|home| cut(&home.pool).is_none_or(|(_, mark)| slot.bundle.used_secs() >= *mark));
    if let Some(home) = stays {
        // In the new pool first: a lookup that misses it there finds it in the old one.
        home.count_in(&slot.key, &slot.bundle);
        home.pool.insert(&slot.key, &slot.bundle);
    } else {
        old.kind.count_eviction(&slot.bundle, false);
    }
    old.pool.remove(slot.key.identity());
    old.count_out(&slot.key, &slot.bundle);
    stays.map(at)
}

#[cfg(test)]
mod tests;
