//! What an order would take, without taking it: the same walks as a purge, each entry once, a step
//! at a time, so that looking through millions holds up nobody.

use super::L1;
use super::round::{self, Round};
use crate::entry::order::Order;
use crate::entry::{Entry, Key};

/// What stands here of an order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Representations: each variant counts.
    pub entries: u64,
    /// Bytes they take.
    pub bytes: u64,
    /// Texts of some of their keys, each once.
    pub sample: Vec<String>,
}

/// A look through what an order names, and how far it has come.
#[derive(Debug)]
pub struct Meeting {
    round: Round,
    /// How many representations there are, where the index knew that in the beginning.
    pub total: Option<u64>,
}

impl L1 {
    /// Counts what the order names, with the keys of some, at most `sample`.
    pub fn count(&self, order: &Order, sample: usize) -> Counted {
        let (mut counted, mut meeting) = (Counted::default(), self.meeting(order));
        while self.meet(&mut meeting, &mut |key, entry| {
            counted.entries += 1;
            counted.bytes += entry.cost();
            let (kept, text) = (&mut counted.sample, key.text());
            if kept.len() < sample && !kept.iter().any(|one| one == text) {
                kept.push(text.to_owned());
            }
        }) {}
        counted
    }

    /// Whether the order names an entry that stands here under a key.
    pub fn names(&self, order: &Order, key: &Key, entry: &Entry) -> bool {
        order.selectors.iter().any(|one| round::names(one, key.text(), entry))
    }

    /// Begins to look through what the order names.
    pub fn meeting(&self, order: &Order) -> Meeting {
        let round = self.round(order);
        let total = self.counted(&round);
        Meeting { round, total }
    }

    /// Shows the next of it, each entry once; whether there is more. A lock is held for a few of
    /// them at a time; what is stored meanwhile may or may not be met.
    pub fn meet(&self, meeting: &mut Meeting, each: &mut dyn FnMut(&Key, &Entry)) -> bool {
        let most = self.at_once.max(1);
        let ended = self.follow(&mut meeting.round, most, &mut |shard, number, way| {
            let Some(slot) = shard.slot(number) else { return };
            if !slot.home.pool.holds(slot.key.identity()) {
                return;
            }
            let text = slot.key.text();
            let is_new = |entry: &Entry| {
                way.names(text, entry)
                    && way.is_first(text, entry)
                    && !self.pending.hides(text, entry)
            };
            for entry in slot.bundle.variants() {
                if is_new(entry) {
                    each(&slot.key, entry);
                }
            }
        });
        !ended
    }
}
