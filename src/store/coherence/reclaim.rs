//! Which orders took which frames out of the shared level. What an order on more than keys names is
//! refused at once and taken out later, by a sweep; who gave the order learns here how much it was.
//! Whoever sweeps credits each frame to all orders that name it and came after its fetch: to those
//! of this node here, and to those of others through Redis.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::base::clock::Timestamp;
use crate::base::ids::Number;
use crate::base::limits;
use crate::entry::order::Order;
use crate::store::coherence::record::OrderId;
use crate::store::fence::Facts;

/// How far the frames of an order are out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reclaimed {
    /// It waits for its number, or for a sweep.
    Waiting,
    /// A sweep that began after it is under way.
    Running,
    /// Such a sweep has ended on every server.
    Done,
    /// None has, for so long that its frames have gone by themselves or will.
    Failed,
}

/// An order of this node whose frames are counted.
#[derive(Clone, Debug)]
pub struct Reclaim {
    /// Its count among the node's own.
    pub count: u64,
    /// What it names.
    pub order: Arc<Order>,
    /// How far it is.
    pub state: Reclaimed,
    /// Frames that are out.
    pub gone: u64,
    /// Whether all that went for it was told.
    pub exact: bool,
    /// When it was given.
    pub began: Timestamp,
    /// When the last frame was out.
    pub ended: Option<Timestamp>,
    number: Option<Number>,
}

/// An order of another node.
#[derive(Clone, Debug)]
struct Heard {
    id: OrderId,
    number: Number,
    order: Arc<Order>,
    at_ms: u64,
}

/// All that a sweep may credit.
#[derive(Debug, Default)]
pub struct Reclaims {
    own: VecDeque<Reclaim>,
    heard: VecDeque<Heard>,
    /// The greatest number among those of others that were forgotten before their time.
    forgotten: Option<Number>,
    is_told: bool,
}

impl Reclaims {
    /// Counts what an own order takes from now on.
    pub fn watch(&mut self, count: u64, order: Arc<Order>, now: Timestamp) {
        self.own.push_back(Reclaim {
            count,
            order,
            state: Reclaimed::Waiting,
            gone: 0,
            exact: true,
            began: now,
            ended: None,
            number: None,
        });
        if self.own.len() > limits::RECLAIMS_KEPT_MAX {
            let ended = self.own.iter().position(|one| !one.is_open());
            self.own.remove(ended.unwrap_or_default());
        }
    }

    /// Own orders of these counts have their numbers, and their keys are erased. Where more than
    /// could wait have become one, its number is that of all.
    pub fn settle(&mut self, (first, last): (u64, u64), number_of: impl Fn(u64) -> Option<Number>) {
        let folded = number_of(last);
        let open = self.own.iter_mut().filter(|one| one.number.is_none());
        for one in open.filter(|one| one.count <= last) {
            let own = if one.count >= first { number_of(one.count) } else { None };
            one.number = own.or(folded);
        }
    }

    /// An order of another node, which may have its frames counted there. Beyond the bound the
    /// oldest is forgotten: what goes for it from now on it will not be told.
    pub fn hear(&mut self, id: OrderId, number: Number, order: &Order, now_ms: u64) {
        self.age(now_ms);
        self.heard.push_back(Heard { id, number, order: Arc::new(order.clone()), at_ms: now_ms });
        if self.heard.len() > limits::RECLAIMS_HEARD_MAX {
            let over = self.heard.pop_front().map(|one| one.number);
            self.forgotten = self.forgotten.max(over);
            self.is_told = false;
        }
    }

    /// Up to which number orders were forgotten that others may have counted, where that is news.
    pub fn forgotten(&mut self) -> Option<Number> {
        let news = self.forgotten.filter(|_| !self.is_told);
        self.is_told = true;
        news
    }

    /// What was forgotten could not be told.
    pub const fn is_untold(&mut self) {
        self.is_told = false;
    }

    /// Another node has forgotten orders up to this number: what went for them there was told
    /// to nobody.
    pub fn blur_up_to(&mut self, number: Number) {
        let known = |one: &&mut Reclaim| one.number.is_some_and(|own| own <= number);
        for one in self.own.iter_mut().filter(|one| one.is_open()).filter(known) {
            one.exact = false;
        }
    }

    fn age(&mut self, now_ms: u64) {
        let kept = limits::ORDER_MEMORY.as_millis();
        while self.heard.front().is_some_and(|one| one.at_ms + kept < now_ms) {
            self.heard.pop_front();
        }
    }

    /// Whether nobody has anything counted here.
    pub fn is_idle(&mut self, now_ms: u64) -> bool {
        self.age(now_ms);
        self.heard.is_empty() && !self.own.iter().any(Reclaim::is_open)
    }

    /// The orders that a frame of this number goes for, those of this node under `life`.
    pub fn claims(&self, life: u64, facts: &Facts<'_>, number: Number) -> Vec<OrderId> {
        let is_after = |of: Option<Number>| of.is_none_or(|of| of > number);
        let own = self.own.iter().filter(|one| one.is_open() && is_after(one.number));
        let own = own.filter(|one| facts.are_named_by(&one.order));
        let own = own.map(|one| OrderId { life, count: one.count });
        let heard =
            self.heard.iter().filter(|one| one.number > number && facts.are_named_by(&one.order));
        own.chain(heard.map(|one| one.id)).collect()
    }

    /// So many frames went for an own order.
    pub fn credit(&mut self, count: u64, frames: u64) {
        if let Some(one) = self.own.iter_mut().find(|one| one.count == count && one.is_open()) {
            one.gone += frames;
        }
    }

    /// Something went for an own order that nobody could count.
    pub fn blur(&mut self, count: u64) {
        if let Some(one) = self.own.iter_mut().find(|one| one.count == count) {
            one.exact = false;
        }
    }

    /// Something went, and nobody knows for which of the own orders.
    pub fn blur_all(&mut self) {
        for one in self.own.iter_mut().filter(|one| one.is_open()) {
            one.exact = false;
        }
    }

    /// Whether an own order waits for a sweep.
    pub fn is_pending(&self) -> bool {
        self.own.iter().any(|one| one.is_open() && one.number.is_some())
    }

    /// A sweep begins: what was ordered before it, it will have taken out.
    pub fn begin(&mut self) -> Vec<u64> {
        let open = self.own.iter_mut().filter(|one| one.is_open() && one.number.is_some());
        open.map(|one| {
            one.state = Reclaimed::Running;
            one.count
        })
        .collect()
    }

    /// That sweep has ended on every server; others have taken out so many beside it.
    pub fn end(&mut self, count: u64, others: u64, now: Timestamp) {
        self.credit(count, others);
        if let Some(one) = self.own.iter_mut().find(|one| one.count == count) {
            (one.state, one.ended) = (Reclaimed::Done, Some(now));
        }
    }

    /// Gives those up that have waited for longer than any frame of theirs can matter.
    pub fn give_up(&mut self, now: Timestamp) {
        let late =
            |one: &&mut Reclaim| one.is_open() && now.since(one.began) > limits::ORDER_MEMORY;
        for one in self.own.iter_mut().filter(late) {
            (one.state, one.ended, one.exact) = (Reclaimed::Failed, Some(now), false);
        }
    }

    /// All own ones that are remembered, the newest first.
    pub fn all(&self) -> Vec<Reclaim> {
        self.own.iter().rev().cloned().collect()
    }
}

impl Reclaim {
    /// Whether frames may still go for it.
    pub const fn is_open(&self) -> bool {
        matches!(self.state, Reclaimed::Waiting | Reclaimed::Running)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::order::Selector;

    const LIFE: u64 = 7;

    fn order(texts: &[&str]) -> Order {
        Order::of(texts.iter().map(|text| Selector::parse(text).unwrap()))
    }

    const fn at(count: u32) -> Number {
        Number::new(1, count)
    }

    const fn now(secs: u64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    fn claimed(reclaims: &Reclaims, key: &str, number: u32) -> Vec<u64> {
        let facts = Facts { key, target: key, tags: &[], is_open: false, kind: "doc", rule: "" };
        reclaims.claims(LIFE, &facts, at(number)).iter().map(|id| id.count).collect()
    }

    #[test]
    fn a_frame_is_credited_to_all_orders_after_it_that_name_it() {
        let mut reclaims = Reclaims::default();
        reclaims.watch(1, Arc::new(order(&["prefix:a"])), now(1));
        reclaims.watch(2, Arc::new(order(&["type:doc"])), now(1));
        let theirs = OrderId { life: 9, count: 30 };
        reclaims.hear(theirs, at(12), &order(&["pattern:*x"]), 0);
        // What waits for its number takes whatever it names.
        assert_eq!(claimed(&reclaims, "ax", 9), [1, 2, 30]);
        reclaims.settle((1, 2), |count| Some(at(count as u32 + 9)));
        assert_eq!(claimed(&reclaims, "ax", 9), [1, 2, 30]);
        assert_eq!(claimed(&reclaims, "ax", 10), [2, 30]);
        assert_eq!(claimed(&reclaims, "b", 9), [2]);
        assert!(claimed(&reclaims, "ax", 12).is_empty(), "it was fetched after all of them");
    }

    #[test]
    fn what_a_sweep_began_behind_is_done_with_it() {
        let mut reclaims = Reclaims::default();
        reclaims.watch(1, Arc::new(order(&["all"])), now(1));
        assert!(!reclaims.is_pending() && reclaims.begin().is_empty(), "it has no number yet");
        reclaims.settle((1, 1), |_| Some(at(3)));
        reclaims.credit(1, 2);
        assert_eq!(reclaims.begin(), [1]);
        reclaims.watch(2, Arc::new(order(&["all"])), now(2));
        reclaims.settle((2, 2), |_| Some(at(4)));
        reclaims.credit(1, 5);
        reclaims.end(1, 10, now(9));
        let all = reclaims.all();
        assert_eq!((all[1].gone, all[1].state, all[1].ended), (17, Reclaimed::Done, Some(now(9))));
        assert_eq!((all[0].state, reclaims.is_pending()), (Reclaimed::Waiting, true));
        // It is told once and for all.
        reclaims.credit(1, 1);
        assert_eq!(reclaims.all()[1].gone, 17);
        reclaims.give_up(now(3 + limits::ORDER_MEMORY.as_secs()));
        let given_up = &reclaims.all()[0];
        assert_eq!((given_up.state, given_up.exact), (Reclaimed::Failed, false));
    }

    #[test]
    fn what_became_one_order_has_the_number_of_that() {
        let mut reclaims = Reclaims::default();
        reclaims.watch(1, Arc::new(order(&["type:doc"])), now(1));
        reclaims.settle((5, 5), |count| (count == 5).then_some(at(8)));
        assert!(reclaims.is_pending());
        assert!(claimed(&reclaims, "a", 8).is_empty());
    }

    #[test]
    fn only_so_many_are_remembered() {
        let mut reclaims = Reclaims::default();
        for count in 0..limits::RECLAIMS_KEPT_MAX as u64 + 5 {
            reclaims.watch(count, Arc::new(order(&["all"])), now(1));
        }
        assert_eq!(reclaims.all().len(), limits::RECLAIMS_KEPT_MAX);
        for count in 0..limits::RECLAIMS_HEARD_MAX as u32 + 5 {
            let id = OrderId { life: 9, count: count.into() };
            reclaims.hear(id, at(count), &order(&["all"]), count.into());
        }
        assert_eq!(reclaims.heard.len(), limits::RECLAIMS_HEARD_MAX);
        assert_eq!(reclaims.forgotten(), Some(at(4)), "others learn up to where");
        assert_eq!(reclaims.forgotten(), None, "and once");
        assert!(!reclaims.is_idle(10_000));
        reclaims.hear(OrderId::default(), at(9), &order(&["all"]), 10_000_000);
        assert_eq!(reclaims.heard.len(), 1, "what is long ago nobody waits for");
        assert_eq!(reclaims.forgotten(), None, "nor for its count");
    }

    #[test]
    fn what_another_node_forgot_makes_a_count_inexact() {
        let mut reclaims = Reclaims::default();
        for count in [5, 6] {
            reclaims.watch(count, Arc::new(order(&["tag:a"])), now(1));
        }
        reclaims.settle((5, 6), |count| Some(at(count as u32)));
        reclaims.blur_up_to(at(5));
        for count in [5, 6] {
            reclaims.end(count, 0, now(2));
        }
        let exact: Vec<bool> = reclaims.all().iter().map(|one| one.exact).collect();
        assert_eq!(exact, [true, false]);
        assert!(reclaims.is_idle(0));
    }
}
