//! What a simulated server holds.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use cistern::base::ids::Number;
use cistern::store::coherence::{OrderId, Record, decode_order};

use crate::slots::Slot;

/// `{c}:head`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Head {
    pub(crate) run: u64,
    pub(crate) turn: u64,
    /// When the turn began: no other one did then, whatever its number is.
    pub(crate) began: u64,
    /// When each turn began that this head knows of.
    pub(crate) eras: BTreeMap<u64, u64>,
    pub(crate) count: u32,
    pub(crate) last: Number,
    pub(crate) base: Number,
    pub(crate) clean: bool,
    pub(crate) fenced: bool,
    /// Somebody has checked in: members that are gone were lost.
    pub(crate) crew: bool,
    pub(crate) at: u64,
}

/// One record of `{c}:log`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Logged {
    pub(crate) number: Number,
    pub(crate) previous: Number,
    pub(crate) id: OrderId,
    pub(crate) event: String,
    pub(crate) order: Vec<u8>,
}

impl Logged {
    /// As a node reads it.
    pub(crate) fn record(&self) -> Record {
        let order = decode_order(&self.order).expect("an order that was encoded");
        let event = self.event.trim_matches('-').to_owned();
        Record { number: self.number, previous: self.previous, id: self.id, order, event }
    }

    /// As it is published.
    pub(crate) fn message(&self) -> Vec<u8> {
        let (number, previous) = (text(self.number), text(self.previous));
        let mut out = format!("{number} {previous} {} {} ", self.id, self.event).into_bytes();
        out.extend_from_slice(&self.order);
        out
    }
}

/// A number as the log writes it.
pub(crate) fn text(number: Number) -> String {
    format!("{}-{}", number.turn(), number.count())
}

/// A turn, and when it began.
pub(crate) type Turn = (u64, u64);

/// What a member said last: turn, applied, when.
pub(crate) type Said = (Turn, Number, u64);

/// All that a server holds, and loses or gets back with a replica or a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Data {
    pub(crate) head: Option<Head>,
    pub(crate) log: VecDeque<Logged>,
    pub(crate) fences: BTreeMap<Vec<u8>, Number>,
    pub(crate) done: BTreeMap<u64, u64>,
    /// Intents and unfinished orders; what stands before the order in the value is a time.
    pub(crate) open: BTreeMap<String, Vec<u8>>,
    pub(crate) members: BTreeMap<u64, Said>,
    pub(crate) expect: BTreeSet<u64>,
    pub(crate) runs: BTreeMap<u64, Number>,
    /// The greatest number of a fence that was taken away after a sweep.
    pub(crate) retired: Number,
    pub(crate) slots: BTreeMap<String, Slot>,
}

impl Data {
    /// Whether there is a value of this name.
    pub(crate) fn has(&self, what: &str) -> bool {
        match what {
            "head" => self.head.is_some(),
            "log" => !self.log.is_empty(),
            "fences" => !self.fences.is_empty(),
            "members" => !self.members.is_empty(),
            "expect" => !self.expect.is_empty(),
            "done" => !self.done.is_empty(),
            "open" => !self.open.is_empty(),
            "tombstones" => self.slots.values().any(|slot| slot.tombstone.is_some()),
            _ => !self.runs.is_empty(),
        }
    }

    /// The value of this name goes.
    pub(crate) fn let_go(&mut self, what: &str) {
        match what {
            "head" => (self.head, self.retired) = (None, Number::default()),
            "log" => self.log.clear(),
            "fences" => self.fences.clear(),
            "members" => self.members.clear(),
            "expect" => self.expect.clear(),
            "done" => self.done.clear(),
            "open" => self.open.clear(),
            "tombstones" => self.slots.values_mut().for_each(|slot| slot.tombstone = None),
            _ => self.runs.clear(),
        }
    }
}
