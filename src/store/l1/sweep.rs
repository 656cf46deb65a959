//! Carrying out what orders name. Each walk takes a shard's lock for a few slots at a time, and
//! looks only where the selector points: a key or a prefix at its part of the order, a tag at its
//! own set. An order drops, or changes, a bounded number before it is acknowledged, so that one on
//! millions costs its caller no more than one on a thousand; the rest is out of use from then on,
//! or stale, and leaves memory, or is made so, behind it ([`super::pending`]). Counts are exact:
//! one for each representation that stood. Of what one set holds the index knows the count at once;
//! where it does not, the count is told to be open.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::round::Round;
use super::soften::change;
use super::{Home, Kind, L1, SHARDS, lock};
use crate::base::ids::Tick;
use crate::base::limits;
use crate::entry::order::{Mode, Order, Selector};
use crate::entry::{Entry, Key};
use crate::store::fence::Fences;
use crate::store::gone::Gone;
use crate::store::index::{Shard, Slot};

/// What a purge dropped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// The representations.
    pub gone: Gone,
    /// The identities they stood under.
    pub keys: Vec<Key>,
}

/// Slots looked at when one has to go beyond a count; the least used of them is taken.
const LOOKED_AT: usize = 64;

/// Which variants of a slot are meant.
pub(super) type Covers<'a> = &'a dyn Fn(&Key, &Arc<Entry>) -> bool;

/// After every birth that can be.
const ANY: Tick = Tick(u64::MAX);

impl L1 {
    /// Carries an order out: fences first, then what stands is dropped, out of use, or changed in
    /// its place. When this returns, no lookup that begins finds what was fetched before, or finds
    /// it other than stale.
    pub fn sweep(&self, fences: &Fences, order: &Order) -> (Tick, Swept) {
        let tick = fences.raise(order);
        // What a later fetch stores counts for nobody.
        (tick, self.carry(order, tick, &|| fences.tick() == tick))
    }

    /// Has the effect of the order on what it names, which raised that tick. Whoever fetches
    /// meanwhile is held off by the fences alone: see [`L1::sweep`]. `is_last`: whether no other
    /// order has raised it since.
    pub fn carry(&self, order: &Order, tick: Tick, is_last: &dyn Fn() -> bool) -> Swept {
        let mut round = self.round(order);
        let mut swept = Swept::default();
        if let Mode::Undo(soft) = order.mode {
            // What that order has yet to come to it need not make stale any more.
            round.since = self.pending.withdraw(soft.id);
        }
        // What takes the same name back, and has yet to come by, must not take this back.
        let waits = matches!(order.mode, Mode::Soft(soft) if self.pending.undoes(soft.id));
        let is_small = !waits && self.slots_at_most(&round, self.at_once);
        let most = if is_small { self.at_once } else { 0 };
        let counted = if is_small { None } else { self.told(&round).filter(|_| is_last()) };
        self.remember(order.mode);
        // What is met here is meant whenever it was fetched.
        if !self.go_on(&mut round, ANY, most, &mut swept) {
            if waits || self.pending.has_room_for(round.left().len()) {
                match counted {
                    Some(entries) => swept.gone.count_nameless(entries),
                    None => swept.gone.leave_open(),
                }
                self.pending.add(tick, round, counted.is_some());
            } else {
                self.go_on(&mut round, ANY, usize::MAX, &mut swept);
            }
        }
        self.free();
        swept
    }

    /// How many representations a round will change, where the index knows that: not where it takes
    /// something back that some of them may have lost by now, nor where another part of the same
    /// soft order has come before it.
    fn told(&self, round: &Round) -> Option<u64> {
        match round.mode {
            Mode::Undo(_) => None,
            Mode::Soft(soft) if lock(&self.softened).contains(&soft.id) => None,
            Mode::Delete | Mode::Soft(_) => self.counted(round),
        }
    }

    fn remember(&self, mode: Mode) {
        let (Mode::Soft(soft) | Mode::Undo(soft)) = mode else { return };
        let mut softened = lock(&self.softened);
        softened.retain(|id| *id != soft.id);
        if matches!(mode, Mode::Soft(_)) {
            softened.push_back(soft.id);
        }
        if softened.len() > limits::SOFT_ORDERS_MAX {
            softened.pop_front();
        }
    }

    /// Has the effect of a round on what it comes to and was born before that tick, and looks at
    /// about `most` slots; whether it has ended.
    pub(super) fn go_on(
        &self,
        round: &mut Round,
        before: Tick,
        most: usize,
        swept: &mut Swept,
    ) -> bool {
        let how = (round.mode, round.since);
        self.follow(round, most, &mut |shard, number, way| {
            // What an order before has put out of use is that one's.
            if before == ANY && !self.pending.is_idle() {
                self.reclaim_slot(shard, number);
            }
            let covers = |key: &Key, entry: &Arc<Entry>| {
                entry.stamp.born < before && way.names(key.text(), entry)
            };
            change(shard, number, &covers, how, swept);
        })
    }

    /// Drops one identity with all its variants.
    pub fn remove_identity(&self, identity: &str) -> Swept {
        let swept = self.take_from(identity, &|_| true);
        self.free();
        swept
    }

    /// Drops a key with all its sites, callers and variants.
    pub fn remove_key(&self, text: &str) {
        let mut round = self.round(&Order::of([Selector::Key(text.to_owned())]));
        self.go_on(&mut round, ANY, usize::MAX, &mut Swept::default());
        self.free();
    }

    /// Drops the variants of one identity that `covers` names.
    pub(super) fn take_from(&self, identity: &str, covers: &dyn Fn(&Arc<Entry>) -> bool) -> Swept {
        let mut swept = Swept::default();
        let mut shard = self.shard(identity);
        if let Some(number) = shard.number(identity) {
            take(&mut shard, number, &|_, entry| covers(entry), &mut swept);
        }
        swept
    }

    /// Gives back what was dropped.
    pub(super) fn free(&self) {
        for home in &self.layout.load_full().homes {
            if home.pool.is_unsettled() {
                home.pool.settle();
            }
        }
        self.settle();
    }

    /// Evicts one identity of a type that has too many entries: of a chance few the least recently
    /// used one, by its coarse mark. With few entries all are looked at, and the choice is exact.
    pub(super) fn evict_one_of(&self, kind: &Kind) -> bool {
        let chance = self.chance.fetch_add(0x9e37_79b9, Ordering::Relaxed);
        let mut least: Option<(u32, u64, Key)> = None;
        let mut seen = 0;
        let order = self.shards.iter().cycle().skip(chance as usize % SHARDS).take(SHARDS);
        for shard in order {
            let shard = lock(shard);
            for number in shard.some_of(&kind.name, chance >> 8, LOOKED_AT) {
                let Some(slot) = shard.slot(number) else { continue };
                seen += 1;
                let mark = (slot.bundle.used_secs(), slot.bundle.stored_millis());
                if least.as_ref().is_none_or(|(used, at, _)| mark < (*used, *at)) {
                    least = Some((mark.0, mark.1, slot.key.clone()));
                }
            }
            if seen >= LOOKED_AT {
                break;
            }
        }
        let Some((_, _, key)) = least else { return false };
        let mut shard = self.shard(key.identity());
        let Some(number) = shard.number(key.identity()) else { return true };
        if let Some(slot) = shard.take(number) {
            slot.home.pool.remove(slot.key.identity());
            slot.home.count_out(&slot.key, &slot.bundle);
            slot.home.kind.count_eviction(&slot.bundle, false);
        }
        true
    }
}

/// Drops the variants of a slot that `covers` names, from cache and index at once.
pub(super) fn take(
    shard: &mut Shard<Arc<Home>>,
    number: u32,
    covers: Covers<'_>,
    swept: &mut Swept,
) {
    let Some(slot) = shard.slot(number) else { return };
    let (key, bundle, home) = (slot.key.clone(), Arc::clone(&slot.bundle), Arc::clone(&slot.home));
    if !bundle.variants().iter().any(|entry| covers(&key, entry)) {
        return;
    }
    let left = bundle.without(|entry| covers(&key, entry)).map(Arc::new);
    let stood = match &left {
        Some(left) if home.pool.holds(key.identity()) => {
            home.count_in(&key, left);
            home.pool.insert(&key, left);
            shard.put(Slot { key: key.clone(), bundle: Arc::clone(left), home: Arc::clone(&home) });
            true
        }
        // What the cache let go by itself already does not count, and takes nothing along.
        _ => {
            shard.take(number);
            home.pool.remove(key.identity())
        }
    };
    home.count_out(&key, &bundle);
    if stood {
        for entry in bundle.variants().iter().filter(|entry| covers(&key, entry)) {
            swept.gone.count(key.identity(), || entry.selecting.id().unwrap_or_default());
        }
        swept.keys.push(key);
    }
}
