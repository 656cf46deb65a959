//! Soft orders and their undoing. Their rule allows no stale answers here, so a soft order promises
//! what any other does, until it is undone; and what was undone must be forgotten by all.

use std::sync::Arc;

use cistern::base::clock::Timestamp;
use cistern::base::ids::SoftId;
use cistern::entry::order::{Mode, Order, Selector, Soft};
use cistern::store::coherence::Verdict;

use crate::node::{KEYS, facts, tags};
use crate::world::{Acked, Level, World};

/// A soft order of this name.
fn named(id: SoftId) -> Mode {
    Mode::Soft(Soft { id, at: Timestamp::default() })
}

/// One that takes it back.
fn undoing(id: SoftId) -> Mode {
    Mode::Undo(Soft { id, at: Timestamp::default() })
}

/// The name of a soft order.
pub(crate) fn name_of(order: &Order) -> Option<SoftId> {
    if let Mode::Soft(soft) = order.mode { Some(soft.id) } else { None }
}

impl World {
    /// A write begins whose order is soft.
    pub(crate) fn soften(&mut self, n: usize, selector: &Selector, level: Level) {
        self.softs += 1;
        let order = Order::of([selector.clone()]).as_mode(named(SoftId(self.softs)));
        self.begin(n, Arc::new(order), level);
    }

    /// Soft orders that a node could undo.
    pub(crate) fn undoable(&self, n: usize) -> impl Iterator<Item = u64> {
        let member = &self.nodes[n].member;
        (1..=self.softs).filter(|id| member.soft_order(SoftId(*id)).is_some())
    }

    /// A node takes a soft order back: from now on nothing is promised by it.
    pub(crate) fn undo(&mut self, n: usize, id: u64) {
        let id = SoftId(id);
        let Some(order) = self.nodes[n].member.soft_order(id) else { return };
        let is_it = |acked: &&mut Acked| acked.soft == Some(id);
        self.acked.iter_mut().filter(is_it).for_each(|acked| acked.promised = [0; 2]);
        for write in self.nodes.iter_mut().flat_map(|node| &mut node.writes) {
            if name_of(&write.order) == Some(id) {
                write.promised = [0; 2];
            }
        }
        self.undone.insert(id);
        self.withdraw();
        let order = order.as_mode(undoing(id));
        self.nodes[n].give(Arc::new(order), String::new());
    }

    /// Reads under way need no more than reads that begin now.
    fn withdraw(&mut self) {
        for n in 0..self.nodes.len() {
            for at in 0..self.nodes[n].flights.len() {
                let (low, strong) = self.need(n, self.nodes[n].flights[at].key);
                for reader in &mut self.nodes[n].flights[at].readers {
                    reader.low = reader.low.min(low);
                    reader.strong = reader.strong.min(strong);
                }
            }
        }
    }

    /// What is still stale by an order of which somebody knows that it was undone.
    pub(crate) fn left_stale(&self) -> Result<(), String> {
        for id in &self.undone {
            let order = Order::default().as_mode(named(*id));
            if !self.nodes.iter().any(|node| node.member.is_undone(&order)) {
                continue;
            }
            let tags = tags();
            let frames = self.servers.last().into_iter().flat_map(|server| &server.data.slots);
            let frames = frames.flat_map(|(key, slot)| {
                slot.standing.values().filter_map(move |one| Some((key, one.frame.as_ref()?)))
            });
            for (n, node) in self.nodes.iter().enumerate() {
                if node.l1.values().any(|held| held.softs.contains(id)) {
                    return Err(format!("{id} was undone, and holds in L1 of {n}"));
                }
                for (key, frame) in frames.clone() {
                    let facts = facts(key, Some(&tags));
                    let by = node.member.softs_on(&facts, frame.number);
                    let used = node.member.judge(&facts, frame.number, true) == Verdict::Current;
                    if used && by.iter().any(|soft| soft.id == *id) {
                        return Err(format!("{id} was undone, and holds for {n} on {key}"));
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether a fence stands for something soft, which no sweep takes.
    pub(crate) fn is_soft(text: &[u8]) -> bool {
        cistern::store::coherence::decode_order(text).is_some_and(|order| !order.deletes())
    }
}

/// What an order does to what a node holds of a key it names.
pub(crate) fn change(held: &mut Vec<SoftId>, order: &Order) -> bool {
    match order.mode {
        Mode::Delete => return false,
        Mode::Soft(soft) if !held.contains(&soft.id) => held.push(soft.id),
        Mode::Soft(_) => {}
        Mode::Undo(soft) => held.retain(|one| *one != soft.id),
    }
    true
}

#[test]
fn what_is_undone_is_as_it_was_before() {
    let order = |mode| Order::of([Selector::Key(KEYS[0].to_owned())]).as_mode(mode);
    let mut held = Vec::new();
    assert!(change(&mut held, &order(named(SoftId(1)))) && held == [SoftId(1)]);
    assert!(change(&mut held, &order(undoing(SoftId(1)))) && held.is_empty());
    assert!(!change(&mut held, &order(Mode::Delete)));
}
