//! Writes and purges, the orders they become, and what is done for those who died in between.

use std::collections::BTreeSet;
use std::sync::Arc;

use cistern::base::ids::Number;
use cistern::entry::order::{Mode, Order, Selector};
use cistern::store::coherence::{
    Due, OrderId, Record, Waiting, decode_order, encode_order, fence_texts,
};

use crate::data::Turn;
use crate::guards::Guard;
use crate::node::{KEYS, LAG, Message, Node, covers};
use crate::server::Submitted;
use crate::slots::TOMBSTONE;
use crate::world::{Acked, Level, World};

/// How far a write has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The origin has it.
    Sent,
    /// The origin has committed, and its answer is here.
    Committed,
    /// The order is given.
    Given,
    /// It may be acknowledged.
    Answerable,
}

/// A write under way.
#[derive(Clone, Debug)]
pub(crate) struct Write {
    pub(crate) order: Arc<Order>,
    pub(crate) level: Level,
    pub(crate) stage: Stage,
    pub(crate) count: Option<u64>,
    pub(crate) intent: Option<String>,
    pub(crate) promised: [u64; 2],
    /// Who is asked to confirm, and when the number was given.
    pub(crate) asked: Vec<u64>,
    /// Who were members then, for the checker.
    pub(crate) members: Vec<u64>,
    pub(crate) numbered_at: Option<u64>,
}

/// A numbered order whose work in the slots of keys is to be done.
#[derive(Clone, Debug)]
pub(crate) struct Closing {
    pub(crate) count: u64,
    pub(crate) number: Number,
    pub(crate) order: Arc<Order>,
    pub(crate) is_erased: bool,
    /// The entries of `{c}:open` that end with it.
    pub(crate) ends: Vec<String>,
}

impl World {
    /// A write begins; its intent is noted if that is possible.
    pub(crate) fn write(&mut self, n: usize, selector: &Selector, level: Level) {
        self.begin(n, Arc::new(Order::of([selector.clone()])), level);
    }

    /// The same with any order.
    pub(crate) fn begin(&mut self, n: usize, order: Arc<Order>, level: Level) {
        let node = &mut self.nodes[n];
        let mut intent = None;
        if node.connected && node.member.turn() > 0 {
            self.intents += 1;
            let id = format!("{:016x}-i{}", node.life(), self.intents);
            let noted = Order::clone(&order).as_mode(Mode::Delete);
            let value = [b"9 ".as_slice(), &encode_order(&noted)].concat();
            self.servers[0].data.open.insert(id.clone(), value);
            intent = Some(id);
        }
        let (stage, promised) = (Stage::Sent, [0; 2]);
        let (asked, members) = (Vec::new(), Vec::new());
        let (count, numbered_at) = (None, None);
        let write =
            Write { order, level, stage, count, intent, promised, asked, members, numbered_at };
        node.writes.push(write);
    }

    /// The next step of a write.
    pub(crate) fn write_step(&mut self, n: usize, at: usize) {
        let (life, node) = (self.nodes[n].life(), &mut self.nodes[n]);
        let write = &mut node.writes[at];
        match write.stage {
            Stage::Sent => {
                self.versions += 1;
                for (key, text) in KEYS.iter().enumerate() {
                    if covers(&write.order, text) {
                        self.origin[key] = self.versions;
                        write.promised[key] = self.versions;
                    }
                }
                write.stage = Stage::Committed;
                if !self.guards.has(Guard::AckAfter) {
                    let acked = Acked::of(life, Level::Shared, self.now, write);
                    self.acked.push(acked);
                }
            }
            Stage::Committed => {
                write.stage = Stage::Given;
                let order = Arc::clone(&write.order);
                if self.guards.has(Guard::Waiting) {
                    node.writes[at].count = Some(node.give(order, String::new()));
                } else {
                    node.raise(&order);
                    node.held_back.push((order, String::new()));
                }
            }
            Stage::Given => write.stage = Stage::Answerable,
            Stage::Answerable => {
                let write = node.writes.remove(at);
                self.acked.push(Acked::of(life, write.level, self.now, &write));
            }
        }
    }

    /// Whether the next step of a write may be taken.
    pub(crate) fn may_step(&self, n: usize, at: usize) -> bool {
        let node = &self.nodes[n];
        let write = &node.writes[at];
        if write.stage == Stage::Given {
            return write.count.is_some_and(|count| node.closed.contains_key(&count));
        }
        write.stage != Stage::Answerable
            || write.level != Level::Nodes
            || !self.guards.has(Guard::Confirm)
            || write.numbered_at.is_some_and(|at| self.now >= at + LAG)
            || self.is_confirmed(n, write)
    }

    fn is_confirmed(&self, n: usize, write: &Write) -> bool {
        let Some(count) = write.count else { return false };
        let id = OrderId { life: self.nodes[n].life(), count };
        let mut asked = self.nodes.iter().filter(|one| one.up && write.asked.contains(&one.life()));
        asked.all(|one| one.confirmed.contains(&id))
    }

    /// Redis did not answer in time: acknowledged for this node alone.
    pub(crate) fn degrade(&mut self, n: usize, at: usize) {
        let write = &mut self.nodes[n].writes[at];
        (write.level, write.stage) = (Level::Local, Stage::Answerable);
    }

    /// Submits orders, and publishes what was numbered. None: refused, or the reply was lost.
    pub(crate) fn submit(
        &mut self,
        n: usize,
        (turn, is_member): (Turn, bool),
        orders: &[(OrderId, String, Arc<Order>)],
    ) -> Option<Vec<Number>> {
        let located = self.bounds.located;
        let submitted = orders.iter().map(|(id, event, order)| Submitted {
            id: *id,
            event: if event.is_empty() { "-".to_owned() } else { event.clone() },
            order: encode_order(order),
            finishes: !located_keys(order, located).is_empty(),
            fences: if self.guards.has(Guard::SoftFence) || order.deletes() {
                fence_texts(order, |_| located)
            } else {
                Vec::new()
            },
        });
        let submitted: Vec<_> = submitted.collect();
        let node = &self.nodes[n];
        let asker = ((node.life(), node.member.applied()), turn, is_member);
        let (numbers, messages) = self.servers[0].order(self.guards, asker, &submitted).ok()?;
        for message in messages {
            self.tell(&Message::Order(message));
        }
        if std::mem::take(&mut self.nodes[n].deaf) {
            return None;
        }
        Some(numbers)
    }

    fn tell(&mut self, message: &Message) {
        for node in self.nodes.iter_mut().filter(|node| node.up && node.connected) {
            node.inbox.push_back(message.clone());
        }
    }

    /// Own orders that wait are submitted, first in, first out. True: none is left.
    pub(crate) fn flush(&mut self, n: usize, turn: Turn, is_member: bool) -> bool {
        let node = &mut self.nodes[n];
        for (order, event) in std::mem::take(&mut node.held_back) {
            let count = node.member.give(order, event);
            let waits = |write: &&mut Write| write.stage == Stage::Given && write.count.is_none();
            if let Some(write) = node.writes.iter_mut().find(waits) {
                write.count = Some(count);
            }
        }
        let life = node.life();
        let waiting = node.member.waiting(64);
        let with_id = |one: &Waiting| {
            (OrderId { life, count: one.count }, one.event.clone(), Arc::clone(&one.order))
        };
        let orders: Vec<_> = waiting.iter().map(with_id).collect();
        let Some(numbers) = self.submit(n, (turn, is_member), &orders) else { return false };
        let data = &self.servers[0].data;
        let is_clean = data.head.as_ref().is_some_and(|head| head.clean);
        let known: BTreeSet<u64> = self.nodes[n].member.known().collect();
        let mut asked: BTreeSet<u64> = data.members.keys().copied().collect();
        // Whoever belongs to the fleet, as anybody could tell who had lost nothing.
        let turn = data.head.as_ref().map(|head| (head.turn, head.began));
        let belongs = |node: &&Node| {
            let life = node.life();
            let is_known = asked.contains(&life) || known.contains(&life);
            node.up && node.member.turn() > 0 && (is_known || Some(node.turn()) == turn)
        };
        let members: Vec<u64> = self.nodes.iter().filter(belongs).map(Node::life).collect();
        if !self.guards.has(Guard::Asked) {
            asked = known;
        } else if !is_clean && self.guards.has(Guard::Whole) {
            asked.extend(known);
        }
        let now = self.now;
        let node = &mut self.nodes[n];
        for (waiting, number) in waiting.into_iter().zip(numbers) {
            let (count, order) = (waiting.count, waiting.order);
            node.member.number(count, number, now);
            node.confirmed.insert(OrderId { life, count });
            let mut ends = vec![OrderId { life, count }.to_string()];
            if let Some(write) = node.writes.iter_mut().find(|one| one.count == Some(count)) {
                write.asked = asked.iter().copied().collect();
                write.members.clone_from(&members);
                if !is_clean && write.level == Level::Nodes && self.guards.has(Guard::Whole) {
                    write.level = Level::Shared;
                }
                write.numbered_at = Some(now);
                ends.extend(write.intent.take());
            }
            let taken = node.taken.iter().filter(|(by, _)| *by == count);
            ends.extend(taken.map(|(_, id)| id.clone()));
            node.closing.push(Closing { count, number, order, is_erased: false, ends });
        }
        true
    }

    /// The next step of what a numbered order still needs.
    pub(crate) fn close(&mut self, n: usize) {
        let mut closing = self.nodes[n].closing.remove(0);
        let keys = located_keys(&closing.order, self.bounds.located);
        if !closing.is_erased && !keys.is_empty() {
            closing.is_erased = true;
            self.erase(&keys, closing.number);
            self.nodes[n].closing.insert(0, closing);
            return;
        }
        for id in closing.ends {
            self.servers[0].data.open.remove(&id);
        }
        let node = &mut self.nodes[n];
        node.taken.retain(|(by, _)| *by != closing.count);
        node.closed.insert(closing.count, closing.number);
        let life = node.life();
        for acked in &mut self.acked {
            let is_it = acked.life == life && acked.count == Some(closing.count);
            if is_it && acked.level == Level::Local {
                (acked.level, acked.at) = (Level::Shared, self.now);
            }
        }
    }

    /// `erase.lua` for each of these keys.
    pub(crate) fn erase(&mut self, keys: &[String], number: Number) {
        let keep = if self.guards.has(Guard::TombstoneLasts) { TOMBSTONE } else { 1 };
        let now = self.now;
        for key in keys {
            if let Some(server) = self.servers.last_mut() {
                server.erase((key, &[""]), number, keep, now);
            }
        }
    }

    /// Gives as an own order what a dead node left open.
    pub(crate) fn take_over(&mut self, n: usize, id: &str) {
        let Some(value) = self.servers[0].data.open.get(id) else { return };
        let Some(order) = value.get(2..).and_then(decode_order) else { return };
        let node = &mut self.nodes[n];
        let count = node.give(Arc::new(order), String::new());
        node.taken.push((count, id.to_owned()));
    }

    /// A program changes a key behind the fleet's back, and says so.
    pub(crate) fn publish(&mut self, key: usize) {
        self.versions += 1;
        self.origin[key] = self.versions;
        let digest = format!("m{}", self.versions);
        let order = Order::of([Selector::Key(KEYS[key].to_owned())]);
        self.unheard.push(digest.clone());
        self.tell(&Message::Event(digest, order));
    }

    /// A message arrives.
    pub(crate) fn hear(&mut self, n: usize) {
        let (g, now) = (self.guards, self.now);
        let node = &mut self.nodes[n];
        match node.inbox.pop_front() {
            Some(Message::Order(bytes)) => {
                let record = Record::parse(&bytes).expect("a record that was written");
                // A gap is closed by the next question for the head, and a turn begins there.
                if record.number.turn() == node.member.turn() {
                    let _ = node.take(g, &record, now);
                }
            }
            Some(Message::Event(event, order)) => {
                self.unheard.retain(|unheard| *unheard != event);
                node.raise(&order);
                let order = Arc::new(order);
                if node.member.known().min() == Some(node.life()) {
                    node.give(order, event);
                } else {
                    node.owed.push((event.clone(), now + LAG));
                    node.owes.hear(Due { event, order, at_ms: now + LAG }, now);
                }
            }
            None => {}
        }
    }

    /// What nobody else gave in time is given.
    pub(crate) fn pay(&mut self, n: usize) {
        let now = self.now;
        let node = &mut self.nodes[n];
        node.owed.retain(|(_, at)| *at > now);
        for due in node.owes.due(now) {
            node.give(due.order, due.event);
        }
    }
}

/// The keys whose slots an order must reach.
pub(crate) fn located_keys(order: &Order, located: bool) -> Vec<String> {
    let located = located && order.deletes();
    let keys = order.selectors.iter().filter_map(|one| match one {
        Selector::Key(text) if located => Some(text.clone()),
        _ => None,
    });
    keys.collect()
}
