//! What the level promises: exact purges, kept bounds, nothing older than an order.

mod bounds;
mod lists;
mod memory;
mod pending;
mod purges;
mod schedules;
mod softs;
mod swaps;
mod threads;

use super::pool::Pool;
use super::*;
use crate::base::ids::Tick;
use crate::entry::order::{Mode, Order, Soft};
use crate::entry::samples;
use crate::store::fence::Fences;

pub(super) const MIB: u64 = 1_024 * 1_024;

pub(super) fn level(size: u64) -> L1 {
    L1::new(&[KindSpec::default()], size, Eviction::TinyLfu)
}

pub(super) fn kind(name: &str, bytes: Option<u64>, entries: Option<u64>) -> KindSpec {
    KindSpec { name: name.into(), max_bytes: bytes, max_entries: entries }
}

/// Stores what was fetched just now.
pub(super) fn store(level: &L1, key: &Key, entry: Arc<Entry>) -> Landed {
    level.land(&Fences::default().begin(), key.clone(), entry)
}

pub(super) fn key(text: &str) -> Key {
    Key::new(text, "", "")
}

pub(super) fn found(level: &L1, kind: u16, text: &str) -> Option<String> {
    let bundle = level.find(KindId(kind), key(text).identity())?;
    Some(samples::text_of(&bundle.variants()[0]))
}

impl L1 {
    /// Drops what an order names.
    pub(super) fn removed(&self, order: &Order) -> Swept {
        self.carry(order, Tick(0), &|| true)
    }

    /// Makes what an order names stale.
    pub(super) fn soften(&self, order: &Order, soft: Soft) -> Swept {
        self.removed(&order.clone().as_mode(Mode::Soft(soft)))
    }

    /// Gives back what an order of that name has made stale.
    pub(super) fn restore(&self, order: &Order, soft: Soft) -> Swept {
        self.removed(&order.clone().as_mode(Mode::Undo(soft)))
    }

    /// Compares index, caches and counts with each other; nothing may be running.
    pub(in crate::store) fn audit(&self) {
        self.tend();
        self.tend();
        let layout = self.layout.load_full();
        let mut standing = 0;
        let mut pools: Vec<(Arc<Pool>, u64)> = Vec::new();
        for shard in &self.shards {
            let shard = lock(shard);
            for slot in shard.page("", "", usize::MAX) {
                standing += 1;
                assert!(slot.home.pool.holds(slot.key.identity()), "{:?} not in cache", slot.key);
                assert_eq!(slot.bundle.kind(), &*slot.home.kind.name);
                let weight = pool::weight(&slot.key, &slot.bundle);
                match pools.iter_mut().find(|(pool, _)| Arc::ptr_eq(pool, &slot.home.pool)) {
                    Some((_, sum)) => *sum += weight,
                    None => pools.push((Arc::clone(&slot.home.pool), weight)),
                }
            }
        }
        let mut cached = 0;
        let mut seen: Vec<Arc<Pool>> = Vec::new();
        for home in &layout.homes {
            if !seen.iter().any(|pool| Arc::ptr_eq(pool, &home.pool)) {
                cached += home.pool.identities().len();
                seen.push(Arc::clone(&home.pool));
            }
        }
        assert_eq!(standing, cached, "cache and index differ");
        for (pool, sum) in pools {
            assert_eq!(pool.bytes(), sum, "bytes are counted wrongly");
        }
        let kinds: u64 = self.stats().iter().map(|kind| kind.bytes).sum();
        assert_eq!(kinds, seen.iter().map(|pool| pool.bytes()).sum::<u64>());
    }
}

#[test]
fn what_is_stored_is_found_by_its_type_only() {
    let level = L1::new(&[kind("", None, None), kind("a", None, None)], MIB, Eviction::Lru);
    let entry = samples::placed("one", &[], samples::place("a", "r"));
    assert_eq!(store(&level, &key("k"), entry), Landed::Stored);
    assert_eq!(found(&level, 1, "k").as_deref(), Some("one"));
    assert_eq!(found(&level, 0, "k"), None, "orders on the nameless type do not reach it");
    assert_eq!(found(&level, 7, "k"), None);
    assert!(level.peek(key("k").identity()).is_some());
    level.audit();
}

#[test]
fn another_type_takes_the_place_of_the_first() {
    let kinds = [kind("", None, None), kind("a", Some(MIB), None)];
    let level = L1::new(&kinds, 10 * MIB, Eviction::TinyLfu);
    store(&level, &key("k"), samples::placed("a", &["t"], samples::place("a", "")));
    store(&level, &key("k"), samples::entry("nameless", &[]));
    assert_eq!(found(&level, 0, "k").as_deref(), Some("nameless"));
    assert_eq!(found(&level, 1, "k"), None);
    assert_eq!(level.stats()[1].entries, 0);
    level.audit();
}

#[test]
fn an_unknown_type_is_not_stored() {
    let entry = samples::placed("x", &[], samples::place("gone", ""));
    assert_eq!(store(&level(MIB), &key("k"), entry), Landed::Refused);
}

#[test]
fn variants_stand_side_by_side_and_go_one_by_one() {
    let level = level(MIB);
    let variant = |text, value| {
        let stamp = samples::stamp(samples::STORED_AT, 3_600);
        samples::full(text, crate::entry::Labels::default(), &[value], stamp)
    };
    let (a, b) = (variant("A", "a"), variant("B", "b"));
    store(&level, &key("k"), Arc::clone(&a));
    store(&level, &key("k"), b);
    assert_eq!(level.stats()[0].entries, 2);
    assert!(level.drop_entry(&key("k"), &a));
    assert!(!level.drop_entry(&key("k"), &a));
    assert_eq!(found(&level, 0, "k").as_deref(), Some("B"));
    level.audit();
}

#[test]
fn an_order_refuses_what_was_born_before_it() {
    let (level, fences) = (level(MIB), Fences::default());
    let birth = fences.begin();
    let order = crate::entry::order::Order::of([crate::entry::order::Selector::Tag("t".into())]);
    level.sweep(&fences, &order);
    assert_eq!(level.land(&birth, key("k"), samples::entry("x", &["t"])), Landed::Refused);
    assert_eq!(found(&level, 0, "k"), None);
    assert_eq!(level.land(&birth, key("k"), samples::entry("x", &["u"])), Landed::Stored);
    let later = fences.begin();
    assert_eq!(level.land(&later, key("l"), samples::entry("x", &["t"])), Landed::Stored);
}

#[test]
fn pages_follow_the_order_of_keys() {
    let level = level(MIB);
    for i in 0..50 {
        store(&level, &key(&format!("k{i:02}")), samples::entry("x", &[]));
    }
    let mut after = String::new();
    let mut all = Vec::new();
    loop {
        let page = level.page(&after, 7);
        assert!(page.len() <= 7);
        let Some((last, _)) = page.last() else { break };
        last.identity().clone_into(&mut after);
        all.extend(page.into_iter().map(|(key, _)| key.text().to_owned()));
    }
    let want: Vec<_> = (0..50).map(|i| format!("k{i:02}")).collect();
    assert_eq!(all, want);
}
