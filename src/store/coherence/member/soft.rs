//! What a member knows of soft orders. They have a place in the one sequence like all others; what
//! they name is stale instead of purged, until they are undone, or become purges.

use std::sync::Arc;

use smallvec::SmallVec;

use super::Member;
use crate::base::clock::Timestamp;
use crate::base::ids::{Number, SoftId};
use crate::entry::order::{Mode, Order, Soft};
use crate::store::coherence::{Active, Place};
use crate::store::fence::Facts;

impl Member {
    /// An order stands at a number: what it names is purged or stale, or stale no more.
    pub(super) fn learn(&mut self, order: &Order, number: Number) {
        match order.mode {
            Mode::Delete => self.mirror.learn(order, number),
            Mode::Soft(soft) => {
                let over = self.softs.learn(&Arc::new(order.clone()), soft, Place::At(number));
                self.purge_at_last(over);
            }
            Mode::Undo(soft) => self.softs.undo(soft),
        }
    }

    /// An own order has its effect here although it has no number yet.
    pub(super) fn learn_waiting(&mut self, order: &Arc<Order>, count: u64) {
        match order.mode {
            Mode::Delete => self.unnumbered.learn(order, Number(count)),
            Mode::Soft(soft) => {
                let over = self.softs.learn(order, soft, Place::Waits(count));
                self.purge_at_last(over);
            }
            Mode::Undo(soft) => self.softs.undo(soft),
        }
    }

    /// An own order that waited under this count has a number.
    pub(super) fn learn_number(&mut self, order: &Order, count: u64, number: Number) {
        match order.mode {
            Mode::Delete => self.mirror.learn(order, number),
            Mode::Soft(soft) => {
                let is_soft = self.softs.number(soft.id, count, number);
                if !is_soft && !self.softs.is_undone(soft) {
                    self.mirror.learn(order, number);
                }
            }
            Mode::Undo(_) => {}
        }
    }

    /// These are soft no more: frames that they name are refused.
    fn purge_at_last(&mut self, over: Vec<Active>) {
        for one in over {
            match one.place {
                Place::At(number) => self.mirror.learn(&one.order, number),
                Place::Waits(count) => self.unnumbered.learn(&one.order, Number(count)),
            }
        }
    }

    /// Soft orders whose time is over at `now` are purges. All moments are by one clock.
    pub fn expire_softs(&mut self, now: Timestamp) {
        let over = self.softs.expire(now);
        self.purge_at_last(over);
    }

    /// The soft orders that name a frame with these facts which was fetched under `number`.
    pub fn softs_on(&self, facts: &Facts<'_>, number: Number) -> SmallVec<[Soft; 1]> {
        self.softs.naming(facts, number)
    }

    /// What a soft order names that can still be undone, as it was given last.
    pub fn soft_order(&self, id: SoftId) -> Option<Order> {
        self.softs.find(id).map(Active::as_given)
    }

    /// Whether an order has nothing to do here: it is a soft one that was undone already, or undoes
    /// one that was given again since.
    pub fn is_undone(&self, order: &Order) -> bool {
        match order.mode {
            Mode::Delete => false,
            Mode::Soft(soft) => self.softs.is_undone(soft),
            Mode::Undo(soft) => self.softs.is_over(soft),
        }
    }

    /// An order of this node that is given now: one that is soft comes after any of its name that
    /// was undone, and what is taken back is what is known of that name, whatever the clocks say.
    pub fn given(&self, order: Order) -> Order {
        let mode = match order.mode {
            Mode::Soft(soft) => Mode::Soft(self.softs.given(soft)),
            Mode::Undo(soft) => {
                let last = self.softs.find(soft.id).map(|one| one.last);
                Mode::Undo(Soft { at: last.unwrap_or(soft.at), ..soft })
            }
            Mode::Delete => Mode::Delete,
        };
        order.as_mode(mode)
    }
}
