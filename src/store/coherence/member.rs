//! One node as a member of its fleet: which orders it has heard, which of its own still wait for a
//! number, and what it may therefore believe of a frame.

mod again;
mod soft;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use crate::base::ids::Number;
use crate::base::limits;
use crate::entry::order::{Order, Selector};
use crate::store::coherence::mirror::Mirror;
use crate::store::coherence::record::{OrderId, Record};
use crate::store::coherence::softs::Softs;
use crate::store::fence::Facts;

/// A node's state. A new one has heard nothing and may use nothing.
#[derive(Clone, Debug)]
pub struct Member {
    life: u64,
    /// Everything up to this number has been applied.
    applied: Number,
    /// The turn it has checked in to; 0 before the first.
    turn: u64,
    /// When the server says that this turn began.
    began: String,
    mirror: Mirror,
    heard: VecDeque<Heard>,
    heard_bytes: usize,
    /// `heard` has every order with a greater number.
    reaches: Number,
    waiting: VecDeque<Waiting>,
    waiting_bytes: usize,
    /// What the waiting orders name, under their counts.
    unnumbered: Mirror,
    softs: Softs,
    numbered: u64,
    next: u64,
    /// Lives of members that it has heard of.
    known: BTreeSet<u64>,
}

/// An order that was heard, kept to repeat it to a server that lost it.
#[derive(Clone, Debug)]
pub struct Heard {
    /// Its number.
    pub number: Number,
    /// Who gave it.
    pub id: OrderId,
    /// What it names.
    pub order: Arc<Order>,
    /// When it was heard, by the node's steady clock in milliseconds.
    pub at_ms: u64,
}

/// An own order that waits for its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Its count in this life.
    pub count: u64,
    /// What it names.
    pub order: Arc<Order>,
    /// The digest of the message it was made from; empty for a node's own orders.
    pub event: String,
}

/// Orders were missed: the log must be read from the last applied one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap;

/// What a node may believe of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No order names it.
    Current,
    /// An order came after its fetch began.
    Purged,
    /// It is from before a change of servers, and not all members have reported yet.
    Unsettled,
}

/// How far back an own record looks for itself: more than are numbered before they come back.
const RECENT: usize = 1_024;

impl Member {
    /// A node at the beginning of its life. `life` is never 0.
    pub fn new(life: u64) -> Self {
        Self {
            life,
            applied: Number::default(),
            turn: 0,
            began: String::new(),
            mirror: Mirror::default(),
            heard: VecDeque::new(),
            heard_bytes: 0,
            reaches: Number::default(),
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            unnumbered: Mirror::default(),
            softs: Softs::default(),
            numbered: 0,
            next: 1,
            known: BTreeSet::from([life]),
        }
    }

    /// Its life.
    pub const fn life(&self) -> u64 {
        self.life
    }

    /// The last order that it has applied, and with it all before.
    pub const fn applied(&self) -> Number {
        self.applied
    }

    /// The turn that it has checked in to; 0 before the first.
    pub const fn turn(&self) -> u64 {
        self.turn
    }

    /// When the turn began, in the server's words: two turns of one number differ in it.
    pub fn began(&self) -> &str {
        &self.began
    }

    /// The turn it had checked in to began anew without it: what it applied of it is of another
    /// history. It belongs to no turn, and joins again as a new life would; what it knows of
    /// orders stays.
    pub fn forget_turn(&mut self) {
        self.turn = 0;
        self.applied = Number::default();
        self.began.clear();
    }

    /// The greatest turn that it has seen: a server with a smaller one must begin a new turn.
    pub fn turn_seen(&self) -> u64 {
        self.turn.max(self.applied.turn())
    }

    /// Whether everything up to `last` of this turn has been applied. A server may have been
    /// replaced between its saying so and the reading of its log: then this is false, and what it
    /// said counts for nothing.
    pub fn has_reached(&self, turn: u64, last: Number) -> bool {
        self.turn == turn && self.applied.turn() == turn && self.applied >= last
    }

    /// The number of the last order that names something with these facts, as far as is known; the
    /// real one is never greater.
    pub fn fenced(&self, facts: &Facts<'_>) -> Number {
        self.mirror.latest(facts)
    }

    /// Whether an order between `number` and `own` names this; nothing where a later one hides it.
    pub fn was_named(&self, facts: &Facts<'_>, number: Number, own: Number) -> Option<bool> {
        self.mirror.named_between(facts, number, own)
    }

    /// Lives of all members that it has heard of, itself included.
    pub fn known(&self) -> impl Iterator<Item = u64> {
        self.known.iter().copied()
    }

    /// Takes an own order. It has its effect here at once; the count finds it again. Beyond the
    /// bounds all that wait become one order on everything.
    pub fn give(&mut self, order: Arc<Order>, event: String) -> u64 {
        let count = self.next;
        self.next += 1;
        self.learn_waiting(&order, count);
        self.waiting_bytes += order.text_bytes();
        self.waiting.push_back(Waiting { count, order, event });
        if self.waiting.len() > limits::ORDERS_WAITING_MAX
            || self.waiting_bytes > limits::ORDERS_WAITING_BYTES_MAX
        {
            self.fold_waiting(count);
        }
        count
    }

    /// Everything that waits becomes one order on everything, under the last count.
    fn fold_waiting(&mut self, count: u64) {
        let order = Arc::new(Order::of([Selector::All]));
        self.unnumbered.learn(&order, Number(count));
        self.softs.forget_waiting();
        self.waiting.clear();
        self.waiting_bytes = 0;
        self.waiting.push_back(Waiting { count, order, event: String::new() });
    }

    /// The first orders that wait, at most `most`, and no more than one call should hold: they are
    /// numbered first in, first out, because a server recognises repeats by the greatest count.
    pub fn waiting(&self, most: usize) -> Vec<Waiting> {
        let mut bytes = 0;
        let fits = |one: &&Waiting| {
            let is_first = bytes == 0;
            bytes += one.order.text_bytes() + 1;
            is_first || bytes <= limits::ORDERS_BATCH_BYTES
        };
        self.waiting.iter().take(most).take_while(fits).cloned().collect()
    }

    /// Orders that wait and have a greater count than this one.
    pub fn waiting_after(&self, count: u64) -> Vec<(u64, Arc<Order>)> {
        let from = self.waiting.partition_point(|one| one.count <= count);
        let new = self.waiting.iter().skip(from);
        new.map(|one| (one.count, Arc::clone(&one.order))).collect()
    }

    /// How many own orders wait for a number.
    pub fn waiting_len(&self) -> usize {
        self.waiting.len()
    }

    /// Own orders up to this count have numbers.
    pub const fn numbered(&self) -> u64 {
        self.numbered
    }

    /// The first order that waits has got a number. The mirror has it before the list lets it go.
    pub fn number(&mut self, count: u64, number: Number, now_ms: u64) {
        while let Some(first) = self.waiting.front() {
            if first.count > count {
                break;
            }
            let id = OrderId { life: self.life, count: first.count };
            let order = Arc::clone(&first.order);
            self.learn_number(&order, first.count, number);
            self.remember(Heard { number, id, order, at_ms: now_ms });
            if let Some(first) = self.waiting.pop_front() {
                self.waiting_bytes -= first.order.text_bytes();
                self.numbered = self.numbered.max(first.count);
            }
        }
        if self.waiting.is_empty() {
            self.unnumbered = Mirror::default();
        }
    }

    /// Whether a record is the next one, and if so whether another node gave it: its effect in
    /// this process comes before [`Member::apply`]. `Ok(None)`: it has been applied already.
    ///
    /// # Errors
    /// [`Gap`] when others lie between, or when another order had this number here.
    pub fn next(&self, record: &Record) -> Result<Option<bool>, Gap> {
        if record.number <= self.applied {
            return if self.remembers(record) { Ok(None) } else { Err(Gap) };
        }
        if record.previous != self.applied {
            return Err(Gap);
        }
        Ok(Some(record.id.life != self.life))
    }

    /// Whether this very order was heard under this number.
    fn remembers(&self, record: &Record) -> bool {
        let recent = self.heard.iter().rev().take(RECENT);
        record.order.is_empty()
            || recent.into_iter().any(|one| one.number == record.number && one.id == record.id)
    }

    /// The record's effect in this process has been had.
    pub fn apply(&mut self, record: &Record, now_ms: u64) {
        self.learn(&record.order, record.number);
        // An own order is remembered when it is numbered; one that was repeated has a new number.
        let known = record.id.life == self.life && self.remembers(record);
        if !known && !record.order.is_empty() {
            let order = Arc::new(record.order.clone());
            self.remember(Heard { number: record.number, id: record.id, order, at_ms: now_ms });
        }
        if record.id.life != 0 {
            self.known.insert(record.id.life);
        }
        self.applied = self.applied.max(record.number);
    }

    /// What it may believe of a frame that was fetched under `number`. `is_clean`: all members of
    /// the present turn have reported.
    pub fn judge(&self, facts: &Facts<'_>, number: Number, is_clean: bool) -> Verdict {
        let waits = self.unnumbered.latest(facts).0 > self.numbered;
        // From a turn that has yet to come: a server of the past that nobody remembers gave it, and
        // with it the orders are forgotten.
        let is_forgotten = number.turn() > self.turn;
        if waits || is_forgotten || self.fenced(facts) > number {
            return Verdict::Purged;
        }
        if number.turn() < self.turn && !is_clean {
            return Verdict::Unsettled;
        }
        Verdict::Current
    }

    /// The number of an order that it remembers, or one that is as good: the last applied one.
    pub fn number_of(&self, id: OrderId) -> Number {
        let known = self.heard.iter().rev().find(|heard| heard.id == id);
        known.map_or(self.applied, |heard| heard.number.max(self.applied))
    }

    /// The number that an order has in this turn of the fleet, where it is known to have one.
    pub fn number_in(&self, id: OrderId, turn: u64, began: &str) -> Option<Number> {
        let is_own = self.turn == turn && self.began() == began;
        let mut heard = self.heard.iter().rev().filter(|heard| heard.id == id);
        heard.find(|heard| is_own && heard.number.turn() == turn).map(|heard| heard.number)
    }

    /// Notes a fence that stands beside the log.
    pub fn learn_fence(&mut self, order: &Order, number: Number) {
        self.learn(order, number);
    }

    /// The log does not reach back to what was applied: it goes on at `last`, and `heard` begins
    /// anew there.
    pub fn skip_to(&mut self, last: Number) {
        self.applied = self.applied.max(last);
        self.reaches = self.reaches.max(last);
        self.forget_heard_up_to(last);
    }

    /// A fresh life begins at `last`, with the log's records from `reaches` on in its memory.
    pub fn join(&mut self, records: &[Record], reaches: Number, last: Number, now_ms: u64) {
        self.reaches = reaches;
        for record in records {
            self.learn(&record.order, record.number);
            let order = Arc::new(record.order.clone());
            self.remember(Heard { number: record.number, id: record.id, order, at_ms: now_ms });
        }
        self.applied = self.applied.max(last);
    }

    /// It has checked in to the turn that began then, and whose server knows nothing of earlier
    /// turns after `base`.
    pub fn check_in(&mut self, turn: u64, began: &str, base: Number) {
        self.turn = turn;
        began.clone_into(&mut self.began);
        if self.applied > base && self.applied.turn() < turn {
            self.applied = base;
        }
    }

    /// Notes lives of members.
    pub fn meet(&mut self, lives: impl IntoIterator<Item = u64>) {
        self.known.extend(lives.into_iter().filter(|life| *life != 0));
    }

    /// These are all members there are.
    pub fn only(&mut self, lives: impl IntoIterator<Item = u64>) {
        self.known = lives.into_iter().filter(|life| *life != 0).collect();
        self.known.insert(self.life);
    }

    fn remember(&mut self, heard: Heard) {
        self.heard_bytes += heard.order.text_bytes();
        self.heard.push_back(heard);
        while self.heard.len() > limits::ORDERS_HEARD_MAX
            || self.heard_bytes > limits::ORDERS_HEARD_BYTES_MAX
        {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        if let Some(first) = self.heard.pop_front() {
            self.heard_bytes -= first.order.text_bytes();
            self.reaches = self.reaches.max(first.number);
        }
    }

    fn forget_heard_up_to(&mut self, last: Number) {
        self.heard.retain(|heard| heard.number > last);
        self.heard_bytes = self.heard.iter().map(|heard| heard.order.text_bytes()).sum();
    }
}

#[cfg(test)]
mod tests;
