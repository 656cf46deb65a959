//! A simulated server: what the scripts of the shared level do, as plain functions over plain data.
//! `scripts` holds them against the scripts in a real server. Here: the order of things; the slots
//! of keys stand in [`crate::slots`].

use cistern::base::ids::Number;
use cistern::store::coherence::{OrderId, Record};

use crate::data::{Data, Head, Logged, Said, Turn};
use crate::guards::{Guard, Guards};

/// A server: its data, and which life of it this is.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Server {
    pub(crate) run: u64,
    /// How many turns began here.
    pub(crate) begun: u64,
    pub(crate) data: Data,
}

/// What `head.lua` answers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum HeadReply {
    Unknown,
    Other,
    Stranger(Place),
    Ok(Place, Vec<u64>),
}

/// Where the order of things stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub(crate) turn: u64,
    pub(crate) began: u64,
    pub(crate) last: Number,
    pub(crate) base: Number,
    pub(crate) clean: bool,
}

impl Place {
    /// The turn.
    pub(crate) const fn turn(&self) -> Turn {
        (self.turn, self.began)
    }
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

/// Why a check-in was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missed {
    Again,
    Lost,
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
    pub(crate) fn has_checked_in(&self, g: Guards, life: u64, turn: Turn) -> bool {
        let is_it = |said: Turn| said.0 == turn.0 && (said.1 == turn.1 || !g.has(Guard::Began));
        self.data.members.get(&life).is_some_and(|said| is_it(said.0))
    }

    /// Whether who the members are was lost.
    fn lacks_members(&self) -> bool {
        let is_crewed = self.data.head.as_ref().is_some_and(|head| head.crew);
        is_crewed && self.data.members.is_empty()
    }

    /// Whether a turn of this number began at another time than the caller's.
    fn is_other(&self, turn: Turn) -> bool {
        let known = self.data.head.as_ref().and_then(|head| head.eras.get(&turn.0));
        known.is_some_and(|began| *began != turn.1)
    }

    /// `head.lua` for who has applied so much of a turn; with `beat`, a time, it leaves a sign of
    /// life.
    pub(crate) fn head(
        &mut self,
        g: Guards,
        (life, applied): (u64, Number),
        own: Turn,
        beat: Option<u64>,
    ) -> HeadReply {
        if !self.is_adopted(g) || self.is_behind(applied) || self.lacks_members() {
            return HeadReply::Unknown;
        }
        if self.is_other(own) {
            return HeadReply::Other;
        }
        let Some(head) = &self.data.head else { return HeadReply::Unknown };
        let (turn, began, clean) = (head.turn, head.began, head.clean);
        let place = Place { turn, began, last: head.last, base: head.base, clean };
        if !self.has_checked_in(g, life, (turn, began)) {
            return HeadReply::Stranger(place);
        }
        if let Some(now) = beat {
            self.data.members.insert(life, ((turn, began), applied, now));
        }
        HeadReply::Ok(place, self.data.members.keys().copied().collect())
    }

    /// `adopt.lua`; `clock` is the server's wall clock. None: it is known.
    pub(crate) fn adopt(
        &mut self,
        g: Guards,
        (seen, applied, own): (u64, Number, Turn),
        known: &[u64],
        (now, clock): (u64, u64),
    ) -> Option<(u64, Number)> {
        let old = self.data.head.clone();
        if let Some(head) = &old
            && self.is_adopted(g)
            && !self.lacks_members()
            && (head.clean || !self.data.expect.is_empty())
            && (head.turn >= seen || !g.has(Guard::TurnBelow))
            && !self.is_behind(applied)
            && (head.turn != own.0 || !self.is_other(own))
        {
            return None;
        }
        let top = self.data.log.back().map(|logged| logged.number);
        let last = old.as_ref().map(|head| head.last).filter(|last| top == Some(*last));
        let has_log = last.is_some();
        if !has_log {
            // What stands there links to nothing.
            self.data.log.clear();
            self.data.done.clear();
        }
        let last = last.unwrap_or_default();
        let was_clean = old.as_ref().is_none_or(|head| head.clean);
        let keeps_base = !was_clean && has_log && g.has(Guard::Base);
        let base = if keeps_base { old.as_ref().map_or(last, |head| head.base) } else { last };
        let stored = old.as_ref().map_or(0, |head| head.turn) + 1;
        let turn = stored.max(seen + 1).max(clock);
        let number = Number::new(turn, 0);
        let mut fenced = old.as_ref().is_some_and(|head| head.fenced);
        if old.is_none() || fenced && self.data.fences.is_empty() {
            if g.has(Guard::Bare) {
                self.data.fences.insert(b"a0:".to_vec(), number);
            }
            fenced = g.has(Guard::Bare);
        }
        self.begun += 1;
        let (run, began, clean, crew) = (self.run, self.begun, false, false);
        let mut eras = old.map(|head| head.eras).unwrap_or_default();
        eras.insert(turn, began);
        let oldest = self.data.log.front().map_or(last, |first| first.previous).turn();
        eras.retain(|turn, _| *turn >= oldest);
        let (count, last_of) = (0, number);
        let at = now;
        let head =
            Head { run, turn, began, eras, count, last: last_of, base, clean, fenced, crew, at };
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

    /// `check_in.lua`: the members.
    pub(crate) fn check_in(
        &mut self,
        g: Guards,
        (life, turn, applied): (u64, Turn, Number),
        known: &[u64],
        now: u64,
    ) -> Result<Vec<u64>, Missed> {
        if !self.is_adopted(g) || !self.is_turn(g, turn) {
            return Err(Missed::Again);
        }
        let is_clean = self.data.head.as_ref().is_some_and(|head| head.clean);
        if !is_clean && self.data.expect.is_empty() || self.lacks_members() {
            return Err(Missed::Lost);
        }
        self.data.members.insert(life, (turn, applied, now));
        self.data.head.iter_mut().for_each(|head| head.crew = true);
        for one in known {
            self.data.expect.insert(*one);
            let is_known = self.data.members.contains_key(one);
            if let Some(head) = self.data.head.as_mut().filter(|head| head.clean && !is_known) {
                (head.clean, head.at) = (false, now);
            }
        }
        let all = self.data.expect.iter().all(|life| self.has_checked_in(g, *life, turn));
        if let Some(head) = self.data.head.as_mut().filter(|_| all) {
            head.clean = true;
        }
        Ok(self.data.members.keys().copied().collect())
    }

    fn is_turn(&self, g: Guards, turn: Turn) -> bool {
        let is_it = |head: &Head| head.began == turn.1 || !g.has(Guard::Began);
        self.data.head.as_ref().is_some_and(|head| head.turn == turn.0 && is_it(head))
    }

    /// `settle.lua`; whether the turn is clean now.
    pub(crate) fn settle(&mut self, g: Guards, turn: Turn, patience: u64, now: u64) -> bool {
        if !self.is_adopted(g) || !self.is_turn(g, turn) {
            return false;
        }
        let Some(head) = self.data.head.as_mut().filter(|head| now - head.at >= patience) else {
            return false;
        };
        head.clean = true;
        let members = std::mem::take(&mut self.data.members);
        let stays = |said: &Said| said.0 == turn;
        self.data.members = members.into_iter().filter(|(_, said)| stays(said)).collect();
        self.data.expect.clear();
        true
    }

    /// `retire.lua`: whether the server still is the one that was swept.
    pub(crate) fn retire(&mut self, g: Guards, turn: Turn, fence: &[u8], number: Number) -> bool {
        let is_same = self.is_adopted(g) && self.is_turn(g, turn);
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
        let turn = self.data.head.as_ref().map(|head| (head.turn, head.began));
        let has = |turn: Turn| self.has_checked_in(g, life, turn);
        let is_settled = self.is_adopted(g) && turn.is_some_and(has);
        if !is_settled && g.has(Guard::Leave) {
            return false;
        }
        self.data.expect.remove(&life);
        self.data.done.remove(&life);
        let was_one = self.data.members.remove(&life).is_some();
        self.note_last_left();
        was_one
    }

    /// Where nobody is left, nobody was lost.
    fn note_last_left(&mut self) {
        if let Some(head) = self.data.head.as_mut().filter(|_| self.data.members.is_empty()) {
            head.crew = false;
        }
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
        if !gone.is_empty() {
            self.note_last_left();
        }
        gone.len()
    }

    /// `order.lua`: the numbers, and what is published.
    pub(crate) fn order(
        &mut self,
        g: Guards,
        ((life, applied), turn, is_member): ((u64, Number), Turn, bool),
        orders: &[Submitted],
    ) -> Result<(Vec<Number>, Vec<Vec<u8>>), Refused> {
        if !self.is_adopted(g) || self.is_behind(applied) {
            return Err(Refused::Unknown);
        }
        if !self.is_turn(g, turn) {
            return Err(Refused::Turn);
        }
        if is_member && !self.has_checked_in(g, life, turn) {
            return Err(Refused::Stranger);
        }
        let Some(head) = &mut self.data.head else { return Err(Refused::Unknown) };
        let (mut numbers, mut messages) = (Vec::new(), Vec::new());
        for one in orders {
            let taken = self.data.done.entry(one.id.life).or_default();
            if *taken < one.id.count {
                *taken = one.id.count;
                head.count += 1;
                let (number, previous) = (Number::new(turn.0, head.count), head.last);
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
