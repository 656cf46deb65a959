//! The walks that lead to what an order names, and how far somebody has come along them. Purges,
//! soft orders, their undoing, and whoever only counts go the same ways, a few slots under each
//! lock, and may stop between any two of them.

use std::sync::Arc;

use super::{Home, L1, SHARDS, lock};
use crate::base::ids::Tick;
use crate::entry::order::{Mode, Order, Selector};
use crate::entry::{Entry, Key, resource};
use crate::store::index::{Cursor, Shard, Walk};

/// One order on its way through the level.
#[derive(Debug)]
pub(super) struct Round {
    /// What becomes of what it names.
    pub(super) mode: Mode,
    /// Where it takes back what had yet to be done to some: what was born before this tick counts
    /// as given back, though nothing has happened to it.
    pub(super) since: Tick,
    selectors: Vec<Selector>,
    /// Each with the place of its selector.
    walks: Vec<(usize, Path)>,
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

/// What is done with a slot that a walk comes to.
type Act<'a> = &'a mut dyn FnMut(&mut Shard<Arc<Home>>, u32, Way<'_>);

/// A walk, as far as it says what is meant of what it meets.
#[derive(Clone, Copy)]
pub(super) struct Way<'a> {
    selectors: &'a [Selector],
    at: usize,
    path: &'a Path,
}

impl Round {
    /// What lies before it.
    pub(super) fn left(&self) -> Vec<Selector> {
        let next = self.walks.get(self.at).map_or(self.selectors.len(), |(at, _)| *at);
        self.selectors.iter().skip(next).cloned().collect()
    }

    fn ways(&self) -> impl Iterator<Item = Way<'_>> {
        let selectors = self.selectors.as_slice();
        self.walks.iter().map(move |(at, path)| Way { selectors, at: *at, path })
    }
}

impl Way<'_> {
    fn selector(&self) -> Option<&Selector> {
        self.selectors.get(self.at)
    }

    /// Whether an entry is meant.
    pub(super) fn names(&self, text: &str, entry: &Entry) -> bool {
        self.selector().is_some_and(|one| names(one, text, entry))
    }

    /// Whether this is the first walk that comes to an entry which it names.
    pub(super) fn is_first(&self, text: &str, entry: &Entry) -> bool {
        let before = self.selectors.get(..self.at).unwrap_or_default();
        let is_first_here = match (self.path, self.selector()) {
            // What stands under its target was met there.
            (Path::Target, Some(Selector::Url(target))) => text != target,
            (Path::Tag(tag), Some(Selector::Tags(glob))) => {
                let mut its = resource::given(&entry.labels.tags).filter(|tag| glob.matches(tag));
                its.all(|other| *other >= *tag)
            }
            _ => true,
        };
        is_first_here && !before.iter().any(|one| names(one, text, entry))
    }

    /// Whether all that the walk meets is meant.
    fn is_set(&self) -> bool {
        matches!(self.path, Path::Tag(_) | Path::Kind | Path::Rule)
            || self.selector() == Some(&Selector::All)
    }

    fn walk(&self) -> Walk<'_> {
        match (self.path, self.selector()) {
            (Path::Beginning(text), _) => Walk::Beginning(text),
            (Path::Tag(tag), _) => Walk::Tag(tag),
            (Path::Kind, Some(Selector::Type(name))) => Walk::Kind(name),
            (Path::Rule, Some(Selector::Rule(name))) => Walk::Rule(name),
            (Path::Target, Some(Selector::Url(target))) => Walk::Target(target),
            _ => Walk::Beginning(""),
        }
    }
}

impl L1 {
    /// The walks of an order, from their beginning.
    pub(super) fn round(&self, order: &Order) -> Round {
        let mut walks = Vec::with_capacity(order.selectors.len());
        for (at, selector) in order.selectors.iter().enumerate() {
            let mut on = |path| walks.push((at, path));
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
                    for tag in self
                        .tags_from(glob.prefix())
                        .filter(|tag| !resource::is_tag(tag) && glob.matches(tag))
                    {
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
        let (mode, selectors) = (order.mode, order.selectors.clone());
        let (since, cursor) = (Tick::default(), Cursor::default());
        Round { mode, since, selectors, walks, at: 0, shard: 0, cursor }
    }

    /// Shows the slots that a round comes to next, about `most`, each with the walk that leads
    /// there, under the lock of its shard; whether the round has ended.
    pub(super) fn follow(&self, round: &mut Round, most: usize, act: Act<'_>) -> bool {
        let mut looked = 0;
        let Round { selectors, walks, at, shard: next, cursor, .. } = round;
        while let Some((selector, path)) = walks.get(*at) {
            let way = Way { selectors, at: *selector, path };
            while let Some(shard) = self.shards.get(*next) {
                if looked >= most {
                    return false;
                }
                let mut shard = lock(shard);
                let numbers = shard.step(way.walk(), cursor);
                if numbers.is_empty() {
                    (*next, *cursor) = (*next + 1, Cursor::default());
                }
                looked += numbers.len();
                for number in numbers {
                    act(&mut shard, number, way);
                }
            }
            (*at, *next) = (*at + 1, 0);
        }
        true
    }

    /// Whether the sets of a round have no more slots than this, as far as they are sets.
    pub(super) fn slots_at_most(&self, round: &Round, most: usize) -> bool {
        let mut slots = 0_u64;
        if !round.ways().any(|way| way.is_set()) {
            return true;
        }
        for shard in &self.shards {
            let shard = lock(shard);
            for way in round.ways().filter(Way::is_set) {
                slots += shard.entries(way.walk()).unwrap_or_default();
            }
            if slots > most as u64 {
                return false;
            }
        }
        true
    }

    /// How many representations stand in the one set that a round goes through; `None` where it
    /// goes through several, which may have some in common, or another one has yet to end.
    pub(super) fn counted(&self, round: &Round) -> Option<u64> {
        let mut ways = round.ways();
        let way = ways.next().filter(Way::is_set)?;
        if ways.next().is_some() || !self.pending.is_idle() {
            return None;
        }
        // What the cache let go by itself does not count.
        self.tend();
        self.shards.iter().map(|shard| lock(shard).entries(way.walk())).sum()
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

    /// All tags that begin with `text`, each once for every shard it occurs in.
    fn tags_from(&self, text: &str) -> impl Iterator<Item = Arc<str>> {
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
}

/// Whether an order on this would take the entry.
pub(super) fn names(selector: &Selector, text: &str, entry: &Entry) -> bool {
    let labels = &entry.labels;
    let rule = labels.place.rule.as_deref().unwrap_or_default();
    selector.covers(text, &labels.tags, &labels.place.kind, rule)
        || matches!(selector, Selector::Url(url) if labels.target.as_deref() == Some(url))
}
