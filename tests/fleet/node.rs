//! A node: the real state of `store::coherence` and the real fences of `store::fence`, with an L1
//! that is only a map. What happens to it stands in `reads`, `writes` and `link`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write;
use std::sync::Arc;

use cistern::base::ids::{Number, SoftId, Tick};
use cistern::base::units::Span;
use cistern::entry::order::{Order, Selector};
use cistern::store::coherence::{Gap, Member, Obligations, OrderId, Record, Trust, encode_order};
use cistern::store::fence::{Birth, Facts, Fences};

use crate::data::Turn;
use crate::guards::{Guard, Guards};
use crate::link::Link;
use crate::reads::Flight;
use crate::soft::change;
use crate::writes::{Closing, Write as Task};

/// The keys of the model; each has the tag.
pub(crate) const KEYS: [&str; 2] = ["a", "b"];
/// `lag_max`, in the model's milliseconds.
pub(crate) const LAG: u64 = 2;

/// The tag of all keys.
pub(crate) fn tags() -> [Arc<str>; 1] {
    ["t".into()]
}

/// What orders name a key by; the tag is unknown until an answer tells it.
pub(crate) fn facts<'a>(key: &'a str, tags: Option<&'a [Arc<str>]>) -> Facts<'a> {
    let is_open = tags.is_none();
    let tags = tags.unwrap_or_default();
    Facts { key, target: key, tags, is_open, kind: "y", rule: "r" }
}

/// Whether an order names a key.
pub(crate) fn covers(order: &Order, key: &str) -> bool {
    order.covers(key, &tags(), "y", "r")
}

/// An order on everything.
pub(crate) fn everything() -> Arc<Order> {
    Arc::new(Order::of([Selector::All]))
}

/// The fences of one process with the births of its flights. A copy has the same history.
#[derive(Debug, Default)]
pub(crate) struct Local {
    fences: Fences,
    births: BTreeMap<u64, Birth>,
    /// What happened since the oldest birth that lives; before it, only the tick counts.
    history: Vec<Happening>,
    ticks: u64,
}

#[derive(Clone, Debug)]
enum Happening {
    Begun(u64),
    Raised(Order),
}

impl Clone for Local {
    fn clone(&self) -> Self {
        let mut copy = Self::default();
        for _ in 0..self.ticks {
            copy.raise(&Order::default());
        }
        for happening in &self.history {
            match happening {
                Happening::Begun(flight) => copy.begin(*flight),
                Happening::Raised(order) => copy.raise(order),
            }
        }
        copy.births.retain(|flight, _| self.births.contains_key(flight));
        copy
    }
}

impl Local {
    /// Raises the fences of an order.
    pub(crate) fn raise(&mut self, order: &Order) {
        self.fences.raise(order);
        if self.births.is_empty() {
            self.history.clear();
            self.ticks = self.fences.tick().0;
        } else {
            self.history.push(Happening::Raised(order.clone()));
        }
    }

    /// A flight begins.
    pub(crate) fn begin(&mut self, flight: u64) {
        self.births.insert(flight, self.fences.begin());
        self.history.push(Happening::Begun(flight));
    }

    /// A flight has ended.
    pub(crate) fn end(&mut self, flight: u64) {
        self.births.remove(&flight);
        if self.births.is_empty() {
            self.history.clear();
            self.ticks = self.fences.tick().0;
        }
    }

    /// The birth of a flight.
    pub(crate) fn birth(&self, flight: u64) -> Tick {
        self.births[&flight].tick()
    }

    /// Whether what the flight brings may be stored, or joined.
    pub(crate) fn admits(&self, flight: u64, facts: &Facts<'_>) -> bool {
        self.births[&flight].admits(facts)
    }

    /// The tick now.
    pub(crate) fn tick(&self) -> Tick {
        self.fences.tick()
    }
}

/// What L1 holds of a key.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) born: Tick,
    /// When it was last known to be current.
    pub(crate) known: u64,
    pub(crate) version: u64,
    /// Soft orders that name it: it is not served, and not dropped.
    pub(crate) softs: Vec<SoftId>,
}

/// What reaches a node through its subscription.
#[derive(Clone, Debug)]
pub(crate) enum Message {
    /// A numbered order.
    Order(Vec<u8>),
    /// What a program published: its digest, and what it names.
    Event(String, Order),
}

/// One node.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) up: bool,
    pub(crate) connected: bool,
    /// The reply to its next call that changes something is lost.
    pub(crate) deaf: bool,
    pub(crate) member: Member,
    pub(crate) trust: Trust,
    /// What was done to `trust`, to copy it.
    pub(crate) renewed: Option<u64>,
    pub(crate) from_tick: Tick,
    pub(crate) local: Local,
    pub(crate) owes: Obligations,
    /// What it owes, to tell states apart.
    pub(crate) owed: Vec<(String, u64)>,
    pub(crate) l1: BTreeMap<usize, Held>,
    pub(crate) inbox: VecDeque<Message>,
    pub(crate) flights: Vec<Flight>,
    pub(crate) begun: u64,
    pub(crate) writes: Vec<Task>,
    pub(crate) closing: Vec<Closing>,
    /// Own orders given for somebody who died, with the entry of `{c}:open` that each ends.
    pub(crate) taken: Vec<(u64, String)>,
    /// Own orders that are numbered and erased.
    pub(crate) closed: BTreeMap<u64, Number>,
    pub(crate) link: Link,
    /// What the turn that it joins has been told already.
    pub(crate) retold: (Turn, BTreeSet<OrderId>),
    /// Servers whose frames may be used, and from which number on.
    pub(crate) runs: BTreeMap<u64, Number>,
    /// Orders that have had their effect here.
    pub(crate) confirmed: BTreeSet<OrderId>,
    /// How many acknowledgements had been given when it started.
    pub(crate) born: usize,
    /// Orders given for nothing but the wait for their effect; broken variants only.
    pub(crate) held_back: Vec<(Arc<Order>, String)>,
}

impl Node {
    /// A new life, that has heard nothing.
    pub(crate) fn new(life: u64, born: usize) -> Self {
        Self {
            up: true,
            connected: true,
            deaf: false,
            member: Member::new(life),
            trust: Trust::within(Span::from_millis(LAG)),
            renewed: None,
            from_tick: Tick(0),
            local: Local::default(),
            owes: Obligations::default(),
            owed: Vec::new(),
            l1: BTreeMap::new(),
            inbox: VecDeque::new(),
            flights: Vec::new(),
            begun: 0,
            writes: Vec::new(),
            closing: Vec::new(),
            taken: Vec::new(),
            closed: BTreeMap::new(),
            link: Link::Idle,
            retold: Default::default(),
            runs: BTreeMap::new(),
            confirmed: BTreeSet::new(),
            born,
            held_back: Vec::new(),
        }
    }

    /// Its life.
    pub(crate) const fn life(&self) -> u64 {
        self.member.life()
    }

    /// The turn that it has checked in to, and when that began.
    pub(crate) fn turn(&self) -> Turn {
        (self.member.turn(), self.member.began().parse().unwrap_or_default())
    }

    /// What an order does in this process.
    pub(crate) fn raise(&mut self, order: &Order) {
        self.local.raise(order);
        self.l1.retain(|key, held| !covers(order, KEYS[*key]) || change(&mut held.softs, order));
    }

    /// What it holds may have missed orders.
    pub(crate) fn distrust(&mut self) {
        self.local.raise(&everything());
        self.from_tick = self.local.tick();
        self.trust.distrust_before(self.from_tick);
    }

    /// At `asked` the fleet was asked, and all that it knew has been applied.
    pub(crate) fn renew(&mut self, asked: u64) {
        self.trust.renew(asked);
        self.renewed = self.renewed.max(Some(asked));
    }

    /// Gives an own order.
    pub(crate) fn give(&mut self, order: Arc<Order>, event: String) -> u64 {
        let count = self.member.give(Arc::clone(&order), event);
        self.raise(&order);
        count
    }

    /// A record that may be the next one; `Err`: others lie between.
    pub(crate) fn take(&mut self, g: Guards, record: &Record, now: u64) -> Result<(), Gap> {
        match self.member.next(record) {
            Ok(None) => return Ok(()),
            Err(Gap) if g.has(Guard::Gap) => return Err(Gap),
            Ok(Some(false)) => {}
            Ok(Some(true)) | Err(Gap) => self.raise_heard(g, &record.order),
        }
        self.apply(record, now);
        Ok(())
    }

    /// What an order does that another life gave.
    pub(crate) fn raise_heard(&mut self, g: Guards, order: &Order) {
        if !self.member.is_undone(order) || !g.has(Guard::Undone) {
            self.raise(order);
        }
    }

    /// The record has had its effect in this process.
    pub(crate) fn apply(&mut self, record: &Record, now: u64) {
        self.member.apply(record, now);
        self.confirmed.insert(record.id);
        if !record.event.is_empty() && record.id.life != self.life() {
            self.owes.see(&record.event, now + LAG);
            self.owed.retain(|(event, _)| *event != record.event);
        }
    }

    /// All that tells two states of a node apart, as text.
    pub(crate) fn describe(&self, out: &mut String) -> std::fmt::Result {
        let (member, tags) = (&self.member, tags());
        write!(out, "{} {} {} {}", self.up, self.connected, self.deaf, member.life())?;
        write!(out, "{:?} {:?} {}", member.applied(), self.turn(), member.numbered())?;
        write!(out, "{:?}", member.known().collect::<Vec<_>>())?;
        for waiting in member.waiting(64) {
            write!(out, "w{} {:?}", waiting.count, encode_order(&waiting.order))?;
        }
        let (heard, reaches) = member.recent();
        write!(out, "{reaches:?}")?;
        for one in heard {
            write!(out, "h{:?} {:?}", one.number, one.id)?;
        }
        for (key, tags) in [("a", &[][..]), ("b", &[]), ("", &tags[..]), ("", &[])] {
            let facts = facts(key, Some(tags));
            let softs = member.softs_on(&facts, Number::default());
            write!(out, "{:?} {softs:?}", member.fenced(&facts))?;
        }
        for (key, held) in &self.l1 {
            let trusted = held.born >= self.from_tick;
            write!(out, "l{key} {trusted} {} {} {:?}", held.known, held.version, held.softs)?;
        }
        for flight in &self.flights {
            for key in KEYS {
                let facts = facts(key, Some(&tags));
                write!(out, "{}", self.local.admits(flight.id, &facts))?;
            }
            let unknown = facts(KEYS[flight.key], None);
            write!(out, "{} {flight:?}", self.local.admits(flight.id, &unknown))?;
        }
        write!(out, "{:?} {:?} {:?}", self.renewed, self.inbox, self.owed)?;
        write!(out, "{:?} {:?} {:?}", self.writes, self.closing, self.closed)?;
        write!(out, "{:?} {:?}", self.link, self.retold)?;
        write!(out, "{:?} {:?} {}", self.runs, self.confirmed, self.born)
    }
}

impl Clone for Node {
    fn clone(&self) -> Self {
        let mut copy = Self::new(self.life(), self.born);
        (copy.up, copy.connected, copy.deaf) = (self.up, self.connected, self.deaf);
        copy.member = self.member.clone();
        self.renewed.into_iter().for_each(|asked| copy.renew(asked));
        copy.from_tick = self.from_tick;
        copy.trust.distrust_before(self.from_tick);
        copy.local = self.local.clone();
        copy.owes = self.owes.clone();
        copy.owed.clone_from(&self.owed);
        copy.l1.clone_from(&self.l1);
        copy.inbox.clone_from(&self.inbox);
        copy.flights.clone_from(&self.flights);
        copy.begun = self.begun;
        copy.writes.clone_from(&self.writes);
        copy.closing.clone_from(&self.closing);
        copy.taken.clone_from(&self.taken);
        copy.closed.clone_from(&self.closed);
        copy.link = self.link.clone();
        copy.retold = self.retold.clone();
        copy.runs.clone_from(&self.runs);
        copy.confirmed.clone_from(&self.confirmed);
        copy.held_back.clone_from(&self.held_back);
        copy
    }
}
