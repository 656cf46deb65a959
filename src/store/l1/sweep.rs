//! Dropping what orders name. Each walk takes a shard's lock for a few slots at a time, and looks
//! only where the selector points: a key or a prefix at its part of the order, a tag at its own
//! set. An order drops a bounded number before it is acknowledged, so that one on millions costs
//! its caller no more than one on a thousand; the rest is out of use from then on, and leaves
//! memory behind it ([`super::pending`]). Counts are exact: one for each representation that stood.
//! Of what one set holds the index knows the count at once; where it does not, the count is told to
//! be open.

use std::sync::Arc;

use super::count::names;
use super::{Home, Kind, L1, SHARDS, lock};
use crate::base::ids::Tick;
use crate::entry::order::{Mode, Order, Selector};
use crate::entry::{Entry, Key};
use crate::store::fence::Fences;
use crate::store::gone::Gone;
use crate::store::index::{Cursor, Shard, Slot, Walk};

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

/// One order on its way through the level.
#[derive(Debug)]
pub(super) struct Round {
    walks: Vec<(Selector, Path)>,
    /// The walk, and how far it has come.
    at: usize,
    shard: usize,
    cursor: Cursor,
}

/// Where a selector points.
#[derive(Debug)]
enum Path {
    Beginning(String),
    Tag(Arc<str>),
    Kind,
    Rule,
    Target,
}

impl Round {
    /// What has yet to be dropped.
    pub(super) fn left(&self) -> Vec<Selector> {
        let mut left: Vec<Selector> = Vec::new();
        for (selector, _) in self.walks.iter().skip(self.at) {
            if left.last() != Some(selector) {
                left.push(selector.clone());
            }
        }
        left
    }
}

impl Path {
    /// Whether all that the walk meets is meant.
    fn is_set(&self, selector: &Selector) -> bool {
        matches!(self, Self::Tag(_) | Self::Kind | Self::Rule) || *selector == Selector::All
    }

    fn walk<'a>(&'a self, selector: &'a Selector) -> Walk<'a> {
        match (self, selector) {
            (Self::Beginning(text), _) => Walk::Beginning(text),
            (Self::Tag(tag), _) => Walk::Tag(tag),
            (Self::Kind, Selector::Type(name)) => Walk::Kind(name),
            (Self::Rule, Selector::Rule(name)) => Walk::Rule(name),
            (Self::Target, Selector::Url(target)) => Walk::Target(target),
            _ => Walk::Beginning(""),
        }
    }
}

impl L1 {
    /// Carries an order out: fences first, then what stands is dropped, out of use, or changed in
    /// its place. When this returns, no lookup that begins finds what was fetched before, or finds
    /// it stale.
    pub fn sweep(&self, fences: &Fences, order: &Order) -> (Tick, Swept) {
        let tick = fences.raise(order);
        let swept = match order.mode {
            // What a later fetch stores counts for nobody.
            Mode::Delete => self.remove(order, tick, &|| fences.tick() == tick),
            Mode::Soft(soft) => self.soften(order, soft),
            Mode::Undo(soft) => self.restore(order, soft.id),
        };
        (tick, swept)
    }

    /// Drops what the order names, which raised that tick. Whoever fetches meanwhile is held off by
    /// the fences alone: see [`L1::sweep`]. `is_last`: whether no other order has raised it since.
    pub fn remove(&self, order: &Order, tick: Tick, is_last: &dyn Fn() -> bool) -> Swept {
        let mut round = self.round(order);
        let mut swept = Swept::default();
        let is_small = self.slots_at_most(&round, self.at_once);
        let most = if is_small { self.at_once } else { 0 };
        let counted = if is_small { None } else { self.counted(&round).filter(|_| is_last()) };
        // What is dropped here goes whenever it was fetched.
        if !self.go_on(&mut round, ANY, most, &mut swept) {
            if self.pending.has_room_for(round.left().len()) {
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

    fn round(&self, order: &Order) -> Round {
        let mut walks = Vec::with_capacity(order.selectors.len());
        for selector in &order.selectors {
            let mut on = |path| walks.push((selector.clone(), path));
            match selector {
                Selector::Key(text) => on(Path::Beginning(Key::beginning(text))),
                Selector::Url(target) => {
                    // Without a key of its own an answer stands under its target.
                    on(Path::Beginning(Key::beginning(target)));
                    on(Path::Target);
                }
                Selector::Prefix(text) => on(Path::Beginning(text.clone())),
                Selector::Pattern(glob) => on(Path::Beginning(glob.prefix().to_owned())),
                Selector::Tag(tag) => on(Path::Tag(tag.as_str().into())),
                Selector::Tags(glob) => {
                    let mut few: Vec<Arc<str>> = Vec::new();
                    // Each comes once for every shard that it occurs in.
                    let most = self.at_once.saturating_mul(SHARDS);
                    for tag in self.tags_from(glob.prefix()).filter(|tag| glob.matches(tag)) {
                        few.push(tag);
                        if few.len() > most {
                            break;
                        }
                    }
                    let is_whole = few.len() <= most;
                    few.sort_unstable();
                    few.dedup();
                    if is_whole {
                        for tag in few {
                            on(Path::Tag(tag));
                        }
                    } else {
                        on(Path::Beginning(String::new()));
                    }
                }
                Selector::Type(_) => on(Path::Kind),
                Selector::Rule(_) => on(Path::Rule),
                Selector::All => on(Path::Beginning(String::new())),
            }
        }
        Round { walks, at: 0, shard: 0, cursor: Cursor::default() }
    }

    /// Whether the sets of a round have no more slots than this, as far as they are sets.
    fn slots_at_most(&self, round: &Round, most: usize) -> bool {
        let mut slots = 0_u64;
        if !round.walks.iter().any(|(selector, path)| path.is_set(selector)) {
            return true;
        }
        for shard in &self.shards {
            let shard = lock(shard);
            for (selector, path) in &round.walks {
                if path.is_set(selector) {
                    slots += shard.entries(path.walk(selector)).unwrap_or_default();
                }
            }
            if slots > most as u64 {
                return false;
            }
        }
        true
    }

    /// How many representations stand in the one set that a round goes through; `None` where it
    /// goes through several, which may have some in common, or another one has yet to end.
    fn counted(&self, round: &Round) -> Option<u64> {
        let [(selector, path)] = round.walks.as_slice() else { return None };
        if !path.is_set(selector) || !self.pending.is_idle() {
            return None;
        }
        // What the cache let go by itself does not count.
        self.tend();
        self.shards.iter().map(|shard| lock(shard).entries(path.walk(selector))).sum()
    }

    /// Drops what a round comes to and was born before that tick, and looks at about `most` slots;
    /// whether it has ended.
    pub(super) fn go_on(
        &self,
        round: &mut Round,
        before: Tick,
        most: usize,
        swept: &mut Swept,
    ) -> bool {
        let mut looked = 0;
        while let Some((selector, path)) = round.walks.get(round.at) {
            let covers = |key: &Key, entry: &Arc<Entry>| {
                entry.stamp.born < before && names(selector, key.text(), entry)
            };
            while let Some(shard) = self.shards.get(round.shard) {
                if looked >= most {
                    return false;
                }
                let mut shard = lock(shard);
                let numbers = shard.step(path.walk(selector), &mut round.cursor);
                if numbers.is_empty() {
                    (round.shard, round.cursor) = (round.shard + 1, Cursor::default());
                }
                looked += numbers.len();
                for number in numbers {
                    // What an order before has put out of use is that one's.
                    if before == ANY && !self.pending.is_idle() {
                        self.reclaim_slot(&mut shard, number);
                    }
                    take(&mut shard, number, &covers, swept);
                }
            }
            (round.at, round.shard) = (round.at + 1, 0);
        }
        true
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

    /// Shows the walks that lead to what a selector names, each with what it covers on its way.
    pub(super) fn each_walk(&self, selector: &Selector, go: &mut dyn FnMut(Walk<'_>, Covers<'_>)) {
        let round = self.round(&Order::of([selector.clone()]));
        for (selector, path) in &round.walks {
            go(path.walk(selector), &|key, entry| {
                names(selector, key.text(), entry) && !self.pending.hides(key.text(), entry)
            });
        }
    }

    /// Visits the slots of a walk in all shards, a few at a time under each lock.
    pub(super) fn visit(&self, walk: Walk<'_>, act: &mut dyn FnMut(&mut Shard<Arc<Home>>, u32)) {
        for shard in &self.shards {
            let mut cursor = Cursor::default();
            loop {
                let mut shard = lock(shard);
                let numbers = shard.step(walk, &mut cursor);
                if numbers.is_empty() {
                    break;
                }
                for number in numbers {
                    act(&mut shard, number);
                }
            }
        }
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

    /// All tags that begin with `text`, each once for every shard it occurs in.
    pub(super) fn tags_from(&self, text: &str) -> impl Iterator<Item = Arc<str>> {
        self.shards.iter().flat_map(move |shard| {
            let mut batch: Vec<Arc<str>> = Vec::new();
            std::iter::from_fn(move || {
                let next = lock(shard).tags(text, batch.last());
                (!next.is_empty()).then(|| {
                    batch = next;
                    batch.clone()
                })
            })
            .flatten()
        })
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
        let chance = self.chance.fetch_add(0x9e37_79b9, std::sync::atomic::Ordering::Relaxed);
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
