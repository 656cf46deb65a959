//! Dropping what orders name. Each walk takes a shard's lock for a few slots at a time, so that a
//! purge of a million entries holds nobody up, and looks only where the selector points: a key or
//! a prefix at its part of the order, a tag at its own set. Counts are exact: one for each
//! representation that stood and was dropped here.

use std::sync::Arc;

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

impl Swept {
    /// Both together.
    pub fn join(&mut self, other: Self) {
        self.gone.join(other.gone);
        self.keys.extend(other.keys);
    }
}

/// Slots looked at when one has to go beyond a count; the least used of them is taken.
const LOOKED_AT: usize = 64;

/// Which variants of a slot are meant.
pub(super) type Covers<'a> = &'a dyn Fn(&Key, &Arc<Entry>) -> bool;

impl L1 {
    /// Carries an order out: fences first, then what stands is dropped, or changed in its place.
    /// When this returns, no lookup that begins finds what was fetched before, or finds it stale.
    pub fn sweep(&self, fences: &Fences, order: &Order) -> (Tick, Swept) {
        let tick = fences.raise(order);
        let swept = match order.mode {
            Mode::Delete => self.remove(order),
            Mode::Soft(soft) => self.soften(order, soft),
            Mode::Undo(id) => self.restore(order, id),
        };
        (tick, swept)
    }

    /// Drops what the order names. Whoever fetches meanwhile is held off by the fences alone: see
    /// [`L1::sweep`].
    pub fn remove(&self, order: &Order) -> Swept {
        let mut swept = Swept::default();
        for selector in &order.selectors {
            swept.join(self.remove_selected(selector));
        }
        self.free();
        swept
    }

    /// Drops one identity with all its variants.
    pub fn remove_identity(&self, identity: &str) -> Swept {
        let swept = self.take_from(identity, &|_| true);
        self.free();
        swept
    }

    /// Drops a key with all its sites, callers and variants.
    pub fn remove_key(&self, text: &str) -> Swept {
        let swept = self.remove_selected(&Selector::Key(text.to_owned()));
        self.free();
        swept
    }

    /// Drops what was stored for a target, whatever its key.
    pub fn remove_target(&self, target: &str) -> Swept {
        let swept = self.remove_selected(&Selector::Url(target.to_owned()));
        self.free();
        swept
    }

    fn remove_selected(&self, selector: &Selector) -> Swept {
        let mut swept = Swept::default();
        self.each_walk(selector, &mut |walk, covers| {
            self.visit(walk, &mut |shard, number| take(shard, number, covers, &mut swept));
        });
        swept
    }

    /// Shows the walks that lead to what a selector names, each with what it covers on its way.
    pub(super) fn each_walk(&self, selector: &Selector, go: &mut dyn FnMut(Walk<'_>, Covers<'_>)) {
        match selector {
            Selector::Key(text) => to_key(text, go),
            Selector::Url(target) => {
                // Without a key of its own an answer stands under its target.
                to_key(target, go);
                go(Walk::Target(target), &|_, entry| {
                    entry.labels.target.as_deref() == Some(target)
                });
            }
            Selector::Prefix(text) => {
                go(Walk::Beginning(text), &|key, _| key.text().starts_with(text));
            }
            Selector::Pattern(glob) => {
                go(Walk::Beginning(glob.prefix()), &|key, _| glob.matches(key.text()));
            }
            Selector::Tag(tag) => to_tag(tag, go),
            Selector::Tags(glob) => {
                for tag in self.tags_from(glob.prefix()).filter(|tag| glob.matches(tag)) {
                    to_tag(&tag, go);
                }
            }
            Selector::Type(name) => {
                go(Walk::Kind(name), &|_, entry| *entry.labels.place.kind == **name);
            }
            Selector::Rule(name) => {
                go(Walk::Rule(name), &|_, entry| entry.labels.place.rule.as_deref() == Some(name));
            }
            Selector::All => go(Walk::Beginning(""), &|_, _| true),
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

fn to_key(text: &str, go: &mut dyn FnMut(Walk<'_>, Covers<'_>)) {
    go(Walk::Beginning(&Key::beginning(text)), &|key, _| key.text() == text);
}

fn to_tag(tag: &str, go: &mut dyn FnMut(Walk<'_>, Covers<'_>)) {
    go(Walk::Tag(tag), &|_, entry| entry.labels.tags.iter().any(|one| **one == *tag));
}

/// Drops the variants of a slot that `covers` names, from cache and index at once.
fn take(shard: &mut Shard<Arc<Home>>, number: u32, covers: Covers<'_>, swept: &mut Swept) {
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
