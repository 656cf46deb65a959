//! What stands in the first level, by everything an order can name: keys in order, tags, types,
//! rules, targets. One shard of it holds the identities with one part of the hash; the level locks
//! the shard for as long as it stores or drops one of them, so that index and cache change
//! together. Lookups never come here.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::entry::{Bundle, Key};

/// Slots examined while the lock is held once; a purge of a million entries lets stores pass.
pub(super) const STEP: usize = 128;

/// Sets up to this length are a sorted list.
const FEW: usize = 16;

/// What the index takes for one identity beside the key's text: a slot, a place in the order and
/// one in the sets of its type and rule, at the usual filling of the tables.
pub(super) const COST_PER_KEY: u64 = 128;

/// What it takes for one more label of an identity: a table entry with its set when nothing else
/// has the label.
pub(super) const COST_PER_LABEL: u64 = 96;

/// One identity that stands in the cache. `H` says where.
#[derive(Debug)]
pub(super) struct Slot<H> {
    pub(super) key: Key,
    pub(super) bundle: Arc<Bundle>,
    pub(super) home: H,
}

/// What to walk over.
#[derive(Clone, Copy, Debug)]
pub(super) enum Walk<'a> {
    /// Identities that begin so; all with an empty text.
    Beginning(&'a str),
    Tag(&'a str),
    Kind(&'a str),
    Rule(&'a str),
    Target(&'a str),
}

/// How far a walk over one shard has come.
#[derive(Debug, Default)]
pub(super) struct Cursor {
    key: Option<Key>,
    next: u32,
}

#[derive(Debug)]
pub(super) struct Shard<H> {
    slots: Vec<Option<Slot<H>>>,
    free: Vec<u32>,
    order: BTreeMap<Key, u32>,
    tags: Sets,
    kinds: Sets,
    rules: Sets,
    targets: Sets,
}

type Sets = BTreeMap<Arc<str>, Set>;

impl Cursor {
    /// One that comes to the slots of a set from this number on.
    pub(super) const fn at(next: u32) -> Self {
        Self { key: None, next }
    }
}

impl<H> Default for Shard<H> {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            order: BTreeMap::new(),
            tags: Sets::default(),
            kinds: Sets::default(),
            rules: Sets::default(),
            targets: Sets::default(),
        }
    }
}

impl<H> Shard<H> {
    /// The number of an identity's slot, for as long as the lock is held.
    pub(super) fn number(&self, identity: &str) -> Option<u32> {
        self.order.get(identity).copied()
    }

    pub(super) fn slot(&self, number: u32) -> Option<&Slot<H>> {
        self.slots.get(number as usize)?.as_ref()
    }

    pub(super) fn find(&self, identity: &str) -> Option<&Slot<H>> {
        self.slot(self.number(identity)?)
    }

    /// Stores a bundle under its key, in place of what stood there, which is given back. The number
    /// of the slot stays, so that no walk under way misses what is stored again.
    pub(super) fn put(&mut self, slot: Slot<H>) -> Option<Slot<H>> {
        let old = self.number(slot.key.identity());
        let number = old.or_else(|| self.free.pop()).unwrap_or(self.slots.len() as u32);
        if let Some(old) = old.and_then(|number| self.slot(number)).map(|old| &old.bundle) {
            let old = Arc::clone(old);
            self.unlink(&old, number);
        } else {
            self.order.insert(slot.key.clone(), number);
        }
        self.link(&slot.bundle, number);
        if let Some(place) = self.slots.get_mut(number as usize) {
            return place.replace(slot);
        }
        self.slots.push(Some(slot));
        None
    }

    /// Takes a slot out.
    pub(super) fn take(&mut self, number: u32) -> Option<Slot<H>> {
        let slot = self.slots.get_mut(number as usize)?.take()?;
        self.order.remove(slot.key.identity());
        self.unlink(&slot.bundle, number);
        self.free.push(number);
        if self.order.is_empty() {
            // Nothing stands here any more: the room of the fullest time goes back.
            *self = Self::default();
        }
        Some(slot)
    }

    /// The next slots of a walk, at most [`STEP`]; none at its end. What is stored meanwhile may or
    /// may not be met, and nothing is met twice.
    pub(super) fn step(&self, walk: Walk<'_>, cursor: &mut Cursor) -> SmallVec<[u32; STEP]> {
        let sets = match walk {
            Walk::Beginning(text) => return self.step_in_order(text, cursor),
            Walk::Tag(text) => self.tags.get(text),
            Walk::Kind(text) => self.kinds.get(text),
            Walk::Rule(text) => self.rules.get(text),
            Walk::Target(text) => self.targets.get(text),
        };
        let found: SmallVec<[u32; STEP]> =
            sets.map(|set| set.slots.from(cursor.next)).unwrap_or_default();
        cursor.next = found.last().map_or(cursor.next, |last| last.saturating_add(1));
        found
    }

    fn step_in_order(&self, text: &str, cursor: &mut Cursor) -> SmallVec<[u32; STEP]> {
        let from = match &cursor.key {
            Some(key) => Bound::Excluded(key.identity()),
            None => Bound::Included(text),
        };
        let mut found = SmallVec::new();
        let mut last = None;
        for (key, number) in self.order.range::<str, _>((from, Bound::Unbounded)).take(STEP) {
            if !key.identity().starts_with(text) {
                break;
            }
            found.push(*number);
            last = Some(key);
        }
        if let Some(key) = last {
            cursor.key = Some(key.clone());
        }
        found
    }

    /// How many representations a walk over a set meets; `None` for one over the order of keys that
    /// is not over all.
    pub(super) fn entries(&self, walk: Walk<'_>) -> Option<u64> {
        let of = |sets: &Sets, text: &str| Some(sets.get(text).map_or(0, |set| set.entries));
        match walk {
            Walk::Beginning("") => Some(self.kinds.values().map(|set| set.entries).sum()),
            Walk::Beginning(_) => None,
            Walk::Tag(text) => of(&self.tags, text),
            Walk::Kind(text) => of(&self.kinds, text),
            Walk::Rule(text) => of(&self.rules, text),
            Walk::Target(text) => of(&self.targets, text),
        }
    }

    /// The next tags that begin with `text`, after `after`, at most [`STEP`].
    pub(super) fn tags(&self, text: &str, after: Option<&Arc<str>>) -> Vec<Arc<str>> {
        let from = match after {
            Some(tag) => Bound::Excluded(tag.as_ref()),
            None => Bound::Included(text),
        };
        let tags = self.tags.range::<str, _>((from, Bound::Unbounded)).take(STEP);
        tags.map(|(tag, _)| Arc::clone(tag)).take_while(|tag| tag.starts_with(text)).collect()
    }

    /// Identities that begin so and come after `after` in their order, at most `count`.
    pub(super) fn page(
        &self,
        beginning: &str,
        after: &str,
        count: usize,
    ) -> impl Iterator<Item = &Slot<H>> {
        let from = if after.is_empty() || after < beginning {
            Bound::Included(beginning)
        } else {
            Bound::Excluded(after)
        };
        let those = self.order.range::<str, _>((from, Bound::Unbounded)).take(count);
        let those = those.take_while(move |(key, _)| key.identity().starts_with(beginning));
        those.filter_map(|(_, number)| self.slot(*number))
    }

    /// Up to `count` identities of a type, beginning at a chance place.
    pub(super) fn some_of(&self, kind: &str, chance: u32, count: usize) -> SmallVec<[u32; STEP]> {
        let Some(set) = self.kinds.get(kind) else { return SmallVec::new() };
        let start = chance % (self.slots.len().max(1) as u32);
        let mut some: SmallVec<[u32; STEP]> = set.slots.from(start);
        if some.len() < count {
            some.extend(set.slots.from(0).into_iter().take_while(|number| *number < start));
        }
        some.truncate(count);
        some
    }

    fn link(&mut self, bundle: &Bundle, number: u32) {
        self.each_label(bundle, |sets, label| {
            if let Some(set) = sets.get_mut(label.as_ref()) {
                set.slots.insert(number);
                set.entries += 1;
            } else {
                sets.insert(Arc::clone(label), Set { slots: Members::of(number), entries: 1 });
            }
        });
    }

    fn unlink(&mut self, bundle: &Bundle, number: u32) {
        self.each_label(bundle, |sets, label| {
            let emptied = sets.get_mut(label.as_ref()).is_some_and(|set| {
                set.entries -= 1;
                set.slots.remove(number)
            });
            if emptied {
                sets.remove(label.as_ref());
            }
        });
    }

    fn each_label(&mut self, bundle: &Bundle, mut act: impl FnMut(&mut Sets, &Arc<str>)) {
        for entry in bundle.variants() {
            let labels = &entry.labels;
            act(&mut self.kinds, &labels.place.kind);
            if let Some(rule) = &labels.place.rule {
                act(&mut self.rules, rule);
            }
            if let Some(target) = &labels.target {
                act(&mut self.targets, target);
            }
            for tag in &labels.tags {
                act(&mut self.tags, tag);
            }
        }
    }

    #[cfg(test)]
    pub(super) fn label_count(&self) -> usize {
        self.tags.len() + self.kinds.len() + self.rules.len() + self.targets.len()
    }
}

/// What has a label.
#[derive(Debug)]
struct Set {
    slots: Members,
    /// Representations: each variant of a slot that has it counts.
    entries: u64,
}

/// A set of slot numbers: most tags have a handful of entries, a few have very many.
#[derive(Debug)]
enum Members {
    Few(SmallVec<[u32; 4]>),
    Many(BTreeSet<u32>),
}

impl Members {
    fn of(number: u32) -> Self {
        let mut few = SmallVec::new();
        few.push(number);
        Self::Few(few)
    }

    fn insert(&mut self, number: u32) {
        match self {
            Self::Few(few) => {
                let Err(at) = few.binary_search(&number) else { return };
                few.insert(at, number);
                if few.len() > FEW {
                    *self = Self::Many(few.iter().copied().collect());
                }
            }
            Self::Many(many) => {
                many.insert(number);
            }
        }
    }

    /// Whether nothing is left.
    fn remove(&mut self, number: u32) -> bool {
        match self {
            Self::Few(few) => {
                if let Ok(at) = few.binary_search(&number) {
                    few.remove(at);
                }
                few.is_empty()
            }
            Self::Many(many) => {
                many.remove(&number);
                many.is_empty()
            }
        }
    }

    fn from(&self, start: u32) -> SmallVec<[u32; STEP]> {
        match self {
            Self::Few(few) => few.iter().copied().filter(|n| *n >= start).take(STEP).collect(),
            Self::Many(many) => many.range(start..).copied().take(STEP).collect(),
        }
    }
}

#[cfg(test)]
mod tests;
