//! The soft orders that can be undone: what they name, and in the place of which number. A frame
//! from before one of them is stale, not purged. Beyond the bounds, and when its time is over, a
//! soft order becomes a purge, which costs hits and is never wrong.

use std::collections::VecDeque;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::base::clock::Timestamp;
use crate::base::ids::{Number, SoftId};
use crate::base::limits;
use crate::base::units::Span;
use crate::entry::order::{Mode, Order, Soft};
use crate::store::fence::Facts;

/// The soft orders that one node knows.
#[derive(Clone, Debug, Default)]
pub struct Softs {
    /// Oldest first.
    active: VecDeque<Active>,
    selectors: usize,
    /// Those that were undone, oldest first: whoever tells of one afterwards is late, unless it
    /// was given later than that. A program that says the same again means it again.
    undone: VecDeque<Soft>,
}

/// One that can be undone.
#[derive(Clone, Debug)]
pub struct Active {
    /// What it is called, and since when what it names is stale.
    pub soft: Soft,
    /// When it was given last.
    pub last: Timestamp,
    /// What it names.
    pub order: Arc<Order>,
    /// Its place among all orders.
    pub place: Place,
}

/// The place of a soft order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Its number.
    At(Number),
    /// It is this node's own, of this count, and waits for a number: it is behind every frame.
    Waits(u64),
}

impl Active {
    /// The order as it was given last: who undoes that undoes it all.
    pub fn as_given(&self) -> Order {
        let soft = Soft { at: self.last, ..self.soft };
        Order::clone(&self.order).as_mode(Mode::Soft(soft))
    }
}

impl Place {
    /// Whether it comes after what was known when a frame of this number was fetched.
    const fn is_after(self, number: Number) -> bool {
        match self {
            Self::At(at) => at.0 > number.0,
            Self::Waits(_) => true,
        }
    }

    /// The later one of two. What waits will have a number behind all that there are.
    fn later(self, other: Self) -> Self {
        match (self, other) {
            (Self::At(one), Self::At(two)) => Self::At(one.max(two)),
            (Self::Waits(one), Self::Waits(two)) => Self::Waits(one.max(two)),
            (waits @ Self::Waits(_), Self::At(_)) | (Self::At(_), waits @ Self::Waits(_)) => waits,
        }
    }

    /// The place where the own order of this count has that number.
    fn numbered(self, count: u64, number: Number) -> Self {
        match self {
            // It was given once more since, and waits again.
            Self::Waits(last) if last > count => self,
            Self::Waits(_) => Self::At(number),
            Self::At(_) => self.later(Self::At(number)),
        }
    }
}

impl Softs {
    /// Notes an order, or one part of it: those of one name are one order. Gives back what is a
    /// purge from now on, because there are too many.
    pub fn learn(&mut self, order: &Arc<Order>, soft: Soft, place: Place) -> Vec<Active> {
        if self.is_undone(soft) {
            return Vec::new();
        }
        let known = self.active.iter_mut().find(|one| one.soft.id == soft.id);
        if let Some(known) = known {
            known.place = known.place.later(place);
            known.last = known.last.max(soft.at);
            let new: Vec<_> = order
                .selectors
                .iter()
                .filter(|one| !known.order.selectors.contains(one))
                .cloned()
                .collect();
            if !new.is_empty() {
                self.selectors += new.len();
                Arc::make_mut(&mut known.order).selectors.extend(new);
            }
        } else {
            self.selectors += order.selectors.len();
            let order = Arc::clone(order);
            self.active.push_back(Active { soft, last: soft.at, order, place });
        }
        let mut over = Vec::new();
        while self.active.len() > limits::SOFT_ORDERS_MAX
            || self.selectors > limits::SOFT_SELECTORS_MAX
        {
            let Some(first) = self.active.pop_front() else { break };
            self.selectors -= first.order.selectors.len();
            over.push(first);
        }
        over
    }

    /// An order that waited under this count has its number; whether it is still soft.
    pub fn number(&mut self, id: SoftId, count: u64, number: Number) -> bool {
        let known = self.active.iter_mut().find(|one| one.soft.id == id);
        known.map(|known| known.place = known.place.numbered(count, number)).is_some()
    }

    /// Takes an order back, also one that is yet to come; not one that was given later.
    pub fn undo(&mut self, soft: Soft) {
        self.forget(|one| one.soft.id == soft.id && one.last <= soft.at);
        if self.is_undone(soft) {
            return;
        }
        self.undone.retain(|one| one.id != soft.id);
        self.undone.push_back(soft);
        if self.undone.len() > limits::SOFT_ORDERS_MAX {
            self.undone.pop_front();
        }
    }

    /// Whether it was undone.
    pub fn is_undone(&self, soft: Soft) -> bool {
        self.undone.iter().any(|one| one.id == soft.id && one.at >= soft.at)
    }

    /// Whether what an undoing names was given once more after it.
    pub fn is_over(&self, undone: Soft) -> bool {
        self.find(undone.id).is_some_and(|one| one.last > undone.at)
    }

    /// The same order given now: after any that was undone, whatever the clocks say.
    pub fn given(&self, soft: Soft) -> Soft {
        let undone = self.undone.iter().find(|one| one.id == soft.id && one.at >= soft.at);
        undone.map_or(soft, |one| Soft { at: one.at.plus(Span::from_millis(1)), ..soft })
    }

    /// Those that wait for a number became another order.
    pub fn forget_waiting(&mut self) {
        self.forget(|one| matches!(one.place, Place::Waits(_)));
    }

    /// Those whose time is over at `now`: they are purges from now on.
    pub fn expire(&mut self, now: Timestamp) -> Vec<Active> {
        self.forget(|one| now >= one.last.plus(limits::SOFT_FOR))
    }

    fn forget(&mut self, which: impl Fn(&Active) -> bool) -> Vec<Active> {
        let (gone, left) = self.active.drain(..).partition(|one| which(one));
        self.active = left;
        self.selectors = self.active.iter().map(|one| one.order.selectors.len()).sum();
        Vec::from_iter::<VecDeque<Active>>(gone)
    }

    /// One that can be undone.
    pub fn find(&self, id: SoftId) -> Option<&Active> {
        self.active.iter().find(|one| one.soft.id == id)
    }

    /// Those that name a frame with these facts which was fetched under `number`.
    pub fn naming(&self, facts: &Facts<'_>, number: Number) -> SmallVec<[Soft; 1]> {
        let named = |one: &&Active| one.place.is_after(number) && facts.are_named_by(&one.order);
        self.active.iter().filter(named).map(|one| one.soft).collect()
    }
}

/// An order of this node alone, as the fleetless know it: it has no number, and needs none.
pub fn alone(softs: &mut Softs, order: &Order) {
    match order.mode {
        Mode::Delete => {}
        Mode::Soft(soft) => {
            softs.expire(soft.at);
            // What is too much goes with its marks when it is of no more use; only undoing it ends.
            softs.learn(&Arc::new(order.clone()), soft, Place::At(Number::default()));
        }
        Mode::Undo(soft) => softs.undo(soft),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::order::Selector;

    const START: Timestamp = Timestamp::from_secs(1_000);

    fn soft(id: u64) -> Soft {
        Soft { id: SoftId(id), at: START }
    }

    fn order(texts: &[&str]) -> Arc<Order> {
        Arc::new(Order::of(texts.iter().map(|text| Selector::parse(text).unwrap())))
    }

    fn named(softs: &Softs, key: &str, number: u64) -> Vec<u64> {
        let facts =
            Facts { key, target: "http://h/1", tags: &[], is_open: false, kind: "k", rule: "r" };
        softs.naming(&facts, Number(number)).iter().map(|soft| soft.id.0).collect()
    }

    #[test]
    fn only_what_is_older_is_stale() {
        let mut softs = Softs::default();
        softs.learn(&order(&["key:a"]), soft(1), Place::At(Number(5)));
        softs.learn(&order(&["url:http://h/1"]), soft(2), Place::At(Number(7)));
        assert_eq!(named(&softs, "a", 4), [1, 2]);
        assert_eq!(named(&softs, "a", 5), [2]);
        assert_eq!(named(&softs, "b", 7), [0; 0]);
        // One that is told again comes later, and never earlier.
        softs.learn(&order(&["key:a"]), soft(1), Place::At(Number(9)));
        softs.learn(&order(&["key:b"]), soft(1), Place::At(Number(3)));
        assert_eq!((named(&softs, "a", 8), named(&softs, "b", 8)), (vec![1], vec![1]));
        assert_eq!(softs.find(SoftId(1)).unwrap().order.selectors.len(), 2);
    }

    #[test]
    fn what_waits_for_a_number_is_behind_every_frame() {
        let mut softs = Softs::default();
        softs.learn(&order(&["key:a"]), soft(1), Place::Waits(3));
        assert_eq!(named(&softs, "a", u64::MAX), [1]);
        assert!(softs.number(SoftId(1), 3, Number(5)) && !softs.number(SoftId(2), 4, Number(6)));
        assert_eq!(named(&softs, "a", 5), [0; 0]);
        softs.learn(&order(&["key:a"]), soft(2), Place::Waits(4));
        softs.forget_waiting();
        assert_eq!(named(&softs, "a", 0), [1]);
    }

    #[test]
    fn what_was_undone_does_not_come_back() {
        let mut softs = Softs::default();
        softs.learn(&order(&["all"]), soft(1), Place::At(Number(5)));
        softs.undo(soft(1));
        softs.undo(soft(2));
        softs.learn(&order(&["all"]), soft(1), Place::At(Number(8)));
        softs.learn(&order(&["all"]), soft(2), Place::At(Number(9)));
        assert_eq!(named(&softs, "a", 0), [0; 0]);
        assert!(softs.find(SoftId(1)).is_none() && softs.is_undone(soft(2)));
    }

    #[test]
    fn what_is_given_again_after_it_was_undone_is_soft_again() {
        let again = Soft { at: START.plus(Span::from_secs(1)), ..soft(1) };
        let mut softs = Softs::default();
        softs.learn(&order(&["all"]), soft(1), Place::At(Number(5)));
        softs.undo(soft(1));
        assert_eq!((softs.given(soft(1)).at > START, softs.given(again)), (true, again));
        softs.learn(&order(&["all"]), again, Place::At(Number(7)));
        assert_eq!((named(&softs, "a", 6), named(&softs, "a", 7)), (vec![1], vec![]));
        // Who tells of the first and of its undoing once more is late.
        softs.learn(&order(&["all"]), soft(1), Place::At(Number(8)));
        assert!(softs.is_over(soft(1)) && !softs.is_over(again));
        softs.undo(soft(1));
        assert_eq!((named(&softs, "a", 6), named(&softs, "a", 7)), (vec![1], vec![]));
        softs.undo(again);
        assert_eq!(named(&softs, "a", 0), [0; 0]);
        assert!(softs.is_undone(soft(1)) && softs.is_undone(again) && softs.undone.len() == 1);
    }

    #[test]
    fn one_that_is_given_twice_has_the_later_place_whichever_is_told_last() {
        let mut softs = Softs::default();
        let all = order(&["all"]);
        // Another node's is in the log while this node's own waits, which is behind it.
        softs.learn(&all, soft(1), Place::Waits(3));
        softs.learn(&all, soft(1), Place::At(Number(5)));
        assert_eq!(named(&softs, "a", 9), [1]);
        // Of two own ones the first has its number.
        softs.learn(&all, soft(1), Place::Waits(4));
        assert!(softs.number(SoftId(1), 3, Number(6)));
        assert_eq!(named(&softs, "a", 9), [1]);
        assert!(softs.number(SoftId(1), 4, Number(8)));
        assert_eq!((named(&softs, "a", 7), named(&softs, "a", 8)), (vec![1], vec![]));
        assert!(softs.number(SoftId(1), 4, Number(7)));
        assert_eq!(named(&softs, "a", 7), [1], "no place is given up for an earlier one");
    }

    #[test]
    fn what_is_too_much_or_too_old_is_given_back() {
        let mut softs = Softs::default();
        for id in 0..limits::SOFT_ORDERS_MAX as u64 {
            assert!(softs.learn(&order(&["key:a"]), soft(id), Place::Waits(id)).is_empty());
        }
        let over = softs.learn(&order(&["key:a"]), soft(9_999), Place::At(Number(1)));
        assert_eq!(over.iter().map(|one| one.soft.id.0).collect::<Vec<_>>(), [0]);
        let texts: Vec<String> =
            (0..limits::SOFT_SELECTORS_MAX).map(|n| format!("key:{n}")).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let over = softs.learn(&order(&texts), soft(10_000), Place::At(Number(2)));
        assert_eq!((over.len(), softs.active.len()), (limits::SOFT_ORDERS_MAX, 1));
        assert!(softs.expire(START).is_empty());
        assert_eq!(softs.expire(START.plus(limits::SOFT_FOR)).len(), 1);
        assert_eq!(softs.selectors, 0);
    }
}
