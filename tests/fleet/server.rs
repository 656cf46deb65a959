//! A simulated server: what the scripts of the shared level do, as plain functions over plain data.
//! `scripts` holds them against the scripts in a real server. Here: the order of things; the slots
//! of keys stand in [`crate::slots`].

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use cistern::base::ids::Number;
use cistern::store::coherence::{OrderId, Record, decode_order};

use crate::guards::{Guard, Guards};
use crate::slots::Slot;

/// `{c}:head`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Head {
    pub(crate) run: u64,
    pub(crate) turn: u32,
    pub(crate) count: u32,
    pub(crate) last: Number,
    pub(crate) base: Number,
    pub(crate) clean: bool,
    pub(crate) fenced: bool,
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

/// What a member said last: turn, applied, when.
pub(crate) type Said = (u32, Number, u64);

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

/// A server: its data, and which life of it this is.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Server {
    pub(crate) run: u64,
    pub(crate) data: Data,
}

/// What `head.lua` answers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum HeadReply {
    Unknown,
    Stranger(Place),
    Ok(Place, Vec<u64>),
}

/// Where the order of things stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub(crate) turn: u32,
    pub(crate) last: Number,
    pub(crate) base: Number,
    pub(crate) clean: bool,
}

/// One order as it is submitted.
#[derive(Clone, Debug)]
pub(crate) struct Submitted {
    pub(crate) id: OrderId,
    pub(crate) event: String,
    pub(crate) order: Vec<u8>,
    pub(crate) finishes: bool,
    pub(crate) fences: Vec<Vec<u8>>,
}

/// Why orders were not numbered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Unknown,
    Turn,
    Stranger,
}

impl Server {
    /// Whether the server is the one that the fleet knows.
    pub(crate) fn is_adopted(&self, guards: Guards) -> bool {
        let data = &self.data;
        data.head.as_ref().is_some_and(|head| {
            (head.run == self.run || !guards.has(Guard::Adopt))
                && data.log.back().is_some_and(|logged| logged.number == head.last)
                && (!head.fenced || !data.fences.is_empty())
        })
    }

    /// Whether somebody has applied more of a turn than this server knows.
    fn is_behind(&self, applied: Number) -> bool {
        let last = self.data.head.as_ref().map(|head| head.last);
        last.is_some_and(|last| applied.turn() == last.turn() && applied > last)
    }

    /// Whether a life has checked in to a turn.
    pub(crate) fn has_checked_in(&self, life: u64, turn: u32) -> bool {
        self.data.members.get(&life).is_some_and(|said| said.0 == turn)
    }

    /// `head.lua` for who has applied so much; with `beat`, a time, it leaves a sign of life.
    pub(crate) fn head(
        &mut self,
        g: Guards,
        (life, applied): (u64, Number),
        beat: Option<u64>,
    ) -> HeadReply {
        if !self.is_adopted(g) || self.is_behind(applied) {
            return HeadReply::Unknown;
        }
        let Some(head) = &self.data.head else { return HeadReply::Unknown };
        let (turn, clean) = (head.turn, head.clean);
        let place = Place { turn, last: head.last, base: head.base, clean };
        if !self.has_checked_in(life, turn) {
            return HeadReply::Stranger(place);
        }
        if let Some(now) = beat {
            self.data.members.insert(life, (turn, applied, now));
        }
        HeadReply::Ok(place, self.data.members.keys().copied().collect())
    }

    /// `adopt.lua`; `seconds` is the server's wall clock. None: it is known.
    pub(crate) fn adopt(
        &mut self,
        g: Guards,
        (seen, applied): (u32, Number),
        known: &[u64],
        (now, seconds): (u64, u32),
    ) -> Option<(u32, Number)> {
        let old = self.data.head.clone();
        if let Some(head) = &old
            && self.is_adopted(g)
            && (head.turn >= seen || !g.has(Guard::TurnBelow))
            && !self.is_behind(applied)
        {
            return None;
        }
        let top = self.data.log.back().map(|logged| logged.number);
        if old.as_ref().is_none_or(|head| top != Some(head.last)) {
            // What stands there links to nothing.
            self.data.log.clear();
            self.data.done.clear();
        }
        let last = old.as_ref().map(|head| head.last).unwrap_or_default();
        let was_clean = old.as_ref().is_none_or(|head| head.clean);
        let keeps_base = !was_clean && g.has(Guard::Base);
        let base = if keeps_base { old.as_ref().map_or(last, |head| head.base) } else { last };
        let stored = old.as_ref().map_or(0, |head| head.turn) + 1;
        let turn = if g.has(Guard::Regress) { stored.max(seen + 1).max(seconds) } else { stored };
        let number = Number::new(turn, 0);
        let mut fenced = old.as_ref().is_some_and(|head| head.fenced);
        if old.is_none() || fenced && self.data.fences.is_empty() {
            if g.has(Guard::Bare) {
                self.data.fences.insert(b"a0:".to_vec(), number);
            }
            fenced = g.has(Guard::Bare);
        }
        let (run, clean) = (self.run, false);
        let head = Head { run, turn, count: 0, last: number, base, clean, fenced, at: now };
        self.data.head = Some(head);
        let (id, event) = (OrderId::default(), "-".to_owned());
        self.data.log.push_back(Logged { number, previous: last, id, event, order: Vec::new() });
        if was_clean {
            self.data.expect.clear();
        }
        self.data.expect.extend(self.data.members.keys());
        self.data.expect.extend(known);
        self.data.runs.insert(run, Number::default());
        Some((turn, base))
    }

    /// `check_in.lua`: the members; none when the turn is over.
    pub(crate) fn check_in(
        &mut self,
        g: Guards,
        (life, turn, applied): (u64, u32, Number),
        known: &[u64],
        now: u64,
    ) -> Option<Vec<u64>> {
        if !self.is_adopted(g) || !self.is_turn(turn) {
            return None;
        }
        self.data.members.insert(life, (turn, applied, now));
        for one in known {
            self.data.expect.insert(*one);
            let is_known = self.data.members.contains_key(one);
            if let Some(head) = self.data.head.as_mut().filter(|head| head.clean && !is_known) {
                (head.clean, head.at) = (false, now);
            }
        }
        let all = self.data.expect.iter().all(|life| self.has_checked_in(*life, turn));
        if let Some(head) = self.data.head.as_mut().filter(|_| all) {
            head.clean = true;
        }
        Some(self.data.members.keys().copied().collect())
    }

    fn is_turn(&self, turn: u32) -> bool {
        self.data.head.as_ref().is_some_and(|head| head.turn == turn)
    }

    /// `settle.lua`; whether the turn is clean now.
    pub(crate) fn settle(&mut self, g: Guards, turn: u32, patience: u64, now: u64) -> bool {
        if !self.is_adopted(g) || !self.is_turn(turn) {
            return false;
        }
        let Some(head) = self.data.head.as_mut().filter(|head| now - head.at >= patience) else {
            return false;
        };
        head.clean = true;
        self.data.members.retain(|_, said| said.0 == turn);
        self.data.expect.clear();
        true
    }

    /// `retire.lua`: whether the server still is the one that was swept.
    pub(crate) fn retire(&mut self, g: Guards, turn: u32, fence: &[u8], number: Number) -> bool {
        let is_same = self.is_adopted(g) && self.is_turn(turn);
        if !is_same && g.has(Guard::RetireTurn) {
            return false;
        }
        let data = &mut self.data;
        if data.fences.get(fence) == Some(&number) {
            data.fences.remove(fence);
            data.retired = data.retired.max(number);
        }
        if let Some(head) = data.head.as_mut().filter(|_| data.fences.is_empty()) {
            head.fenced = false;
        }
        true
    }

    /// `leave.lua` for one life; whether it was a member.
    pub(crate) fn leave(&mut self, g: Guards, life: u64) -> bool {
        let turn = self.data.head.as_ref().map(|head| head.turn);
        let is_settled = self.is_adopted(g) && turn.is_some_and(|t| self.has_checked_in(life, t));
        if !is_settled && g.has(Guard::Leave) {
            return false;
        }
        self.data.expect.remove(&life);
        self.data.done.remove(&life);
        self.data.members.remove(&life).is_some()
    }

    /// `leave.lua` for those who have been silent for longer.
    pub(crate) fn reap(&mut self, g: Guards, silent: u64, life: u64, now: u64) -> usize {
        if !self.is_adopted(g) || !self.data.head.as_ref().is_some_and(|head| head.clean) {
            return 0;
        }
        let is_gone = |one: u64, said: &Said| now - said.2 > silent && one != life;
        let members = self.data.members.iter();
        let gone: Vec<_> = members.filter(|(l, s)| is_gone(**l, s)).map(|(l, _)| *l).collect();
        for life in &gone {
            self.data.members.remove(life);
            self.data.expect.remove(life);
            self.data.done.remove(life);
        }
        gone.len()
    }

    /// `order.lua`: the numbers, and what is published.
    pub(crate) fn order(
        &mut self,
        g: Guards,
        ((life, applied), turn, is_member): ((u64, Number), u32, bool),
        orders: &[Submitted],
    ) -> Result<(Vec<Number>, Vec<Vec<u8>>), Refused> {
        if !self.is_adopted(g) || self.is_behind(applied) {
            return Err(Refused::Unknown);
        }
        if !self.is_turn(turn) {
            return Err(Refused::Turn);
        }
        if is_member && !self.has_checked_in(life, turn) {
            return Err(Refused::Stranger);
        }
        let Some(head) = &mut self.data.head else { return Err(Refused::Unknown) };
        let (mut numbers, mut messages) = (Vec::new(), Vec::new());
        for one in orders {
            let taken = self.data.done.entry(one.id.life).or_default();
            if *taken < one.id.count {
                *taken = one.id.count;
                head.count += 1;
                let (number, previous) = (Number::new(turn, head.count), head.last);
                let (id, event, order) = (one.id, one.event.clone(), one.order.clone());
                let logged = Logged { number, previous, id, event, order };
                messages.push(logged.message());
                self.data.log.push_back(logged);
                for fence in &one.fences {
                    self.data.fences.insert(fence.clone(), number);
                    head.fenced = true;
                }
                if one.finishes {
                    let value = [b"0 ".as_slice(), &one.order].concat();
                    self.data.open.insert(id.to_string(), value);
                }
                head.last = number;
            }
            numbers.push(head.last);
        }
        self.data.done.retain(|_, taken| *taken > 0);
        Ok((numbers, messages))
    }

    /// `XRANGE` behind a number.
    pub(crate) fn log_after(&self, number: Number) -> Vec<Record> {
        let after = self.data.log.iter().filter(|logged| logged.number > number);
        after.map(Logged::record).collect()
    }
}
