//! What can happen next, and what it does. Every action is one step that nothing interrupts.

use cistern::entry::order::Selector;

use crate::guards::Guard;
use crate::link::Link;
use crate::reads::{HeadStep, Look};
use crate::world::{Level, PATIENCE, World, is_of};

/// One step. The first number is the node's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Read(usize, usize),
    Write(usize, Selector, Level),
    Soften(usize, Selector, Level),
    Undo(usize, u64),
    Publish(usize),
    Head(usize, usize),
    Look(usize, usize),
    Keep(usize, usize),
    Ask(usize, usize),
    Land(usize, usize),
    Step(usize, usize),
    Degrade(usize, usize),
    Flush(usize),
    Close(usize),
    Take(usize, String),
    Hear(usize),
    Drop(usize),
    Pay(usize),
    Poll(usize),
    Link(usize),
    Settle(usize),
    Repair(usize),
    Put(usize),
    Deaf(usize),
    Cut(usize),
    Heal(usize),
    Crash(usize),
    Boot(usize),
    Leave(usize),
    Tick,
    Replicate,
    Fail(&'static str),
    Trim,
    Evict(&'static str),
    Sweep(Vec<u8>),
}

impl Action {
    /// How often it is chosen among others, where nothing says otherwise.
    pub(crate) const fn kind(&self) -> (&'static str, u64) {
        match self {
            Self::Read(..) => ("read", 4),
            Self::Write(..) => ("write", 6),
            Self::Soften(..) => ("soften", 6),
            Self::Undo(..) => ("undo", 4),
            Self::Publish(_) => ("publish", 2),
            Self::Head(..) => ("head", 6),
            Self::Look(..) => ("look", 6),
            Self::Keep(..) => ("keep", 4),
            Self::Ask(..) => ("ask", 6),
            Self::Land(..) => ("land", 5),
            Self::Step(..) => ("step", 6),
            Self::Degrade(..) => ("degrade", 1),
            Self::Flush(_) => ("flush", 6),
            Self::Close(_) => ("close", 6),
            Self::Take(..) => ("take", 3),
            Self::Hear(_) => ("hear", 5),
            Self::Drop(_) => ("drop", 1),
            Self::Pay(_) => ("pay", 4),
            Self::Poll(_) => ("poll", 5),
            Self::Link(_) => ("link", 8),
            Self::Settle(_) => ("settle", 4),
            Self::Repair(_) => ("repair", 5),
            Self::Put(_) => ("put", 5),
            Self::Deaf(_) => ("deaf", 1),
            Self::Cut(_) => ("cut", 1),
            Self::Heal(_) => ("heal", 4),
            Self::Crash(_) => ("crash", 1),
            Self::Boot(_) => ("boot", 5),
            Self::Leave(_) => ("leave", 1),
            Self::Tick => ("tick", 1),
            Self::Replicate => ("replicate", 1),
            Self::Fail(_) => ("fail", 1),
            Self::Trim => ("trim", 1),
            Self::Evict(_) => ("evict", 1),
            Self::Sweep(_) => ("sweep", 1),
        }
    }
}

impl World {
    /// Everything that may happen now.
    pub(crate) fn enabled(&self) -> Vec<Action> {
        let mut out = Vec::new();
        for n in 0..self.nodes.len() {
            if !self.nodes[n].up {
                out.push(Action::Boot(n));
                continue;
            }
            self.requests(n, &mut out);
            self.background(n, &mut out);
            self.faults_of(n, &mut out);
        }
        out.extend((0..self.puts.len()).map(Action::Put));
        let b = &self.bounds;
        if b.tick > 0 {
            out.push(Action::Tick);
        }
        if b.fail > 0 {
            let data: Vec<_> = self.servers.iter().map(|server| &server.data).collect();
            let is_new = self.replicas.as_ref().is_none_or(|all| all.iter().ne(data));
            out.extend(is_new.then_some(Action::Replicate));
            let fit = |how: &&&str| self.replicas.is_some() || how.contains(' ');
            out.extend(b.fails.iter().filter(fit).map(|how| Action::Fail(how)));
        }
        let data = &self.servers[0].data;
        if b.trim > 0 && data.log.len() > 1 {
            let first = data.log[0].id.to_string();
            out.extend((!data.open.contains_key(&first)).then_some(Action::Trim));
        }
        if b.evict > 0 {
            let there = b.evicts.iter().filter(|what| data.has(what));
            out.extend(there.map(|what| Action::Evict(what)));
        }
        if b.sweep > 0 {
            let hard = data.fences.keys().filter(|text| !Self::is_soft(text));
            out.extend(hard.map(|text| Action::Sweep(text.clone())));
        }
        out
    }

    fn requests(&self, n: usize, out: &mut Vec<Action>) {
        let (node, b) = (&self.nodes[n], &self.bounds);
        if b.read > 0 {
            out.extend((0..b.keys).map(|key| Action::Read(n, key)));
        }
        if b.write > 0 && n < b.writers {
            for selector in b.selectors {
                let selector = Selector::parse(selector).expect("a selector");
                let write = |level: &Level| Action::Write(n, selector.clone(), *level);
                out.extend(b.levels.iter().map(write));
            }
        }
        if b.soften > 0 && n < b.writers {
            for selector in b.selectors {
                let selector = Selector::parse(selector).expect("a selector");
                let soften = |level: &Level| Action::Soften(n, selector.clone(), *level);
                out.extend(b.levels.iter().map(soften));
            }
        }
        if b.undo > 0 {
            out.extend(self.undoable(n).map(|id| Action::Undo(n, id)));
        }
        if b.publish > 0 && n == 0 {
            out.extend((0..b.keys).map(Action::Publish));
        }
        for (at, flight) in node.flights.iter().enumerate() {
            match (flight.use_frame, flight.fetched) {
                (Some(true), _) => out.push(Action::Keep(n, at)),
                (Some(false), None) => out.push(Action::Ask(n, at)),
                (Some(false), Some(_)) => out.push(Action::Land(n, at)),
                (None, _) => {
                    let asks = !matches!(flight.head, HeadStep::Done(_));
                    out.extend(asks.then_some(Action::Head(n, at)));
                    let looks = matches!(flight.look, Look::Wanted | Look::Read(_));
                    out.extend(looks.then_some(Action::Look(n, at)));
                }
            }
        }
        for (at, write) in node.writes.iter().enumerate() {
            if self.may_step(n, at) {
                out.push(Action::Step(n, at));
            } else if b.degrade > 0 && write.level != Level::Nodes && write.count.is_some() {
                out.push(Action::Degrade(n, at));
            }
        }
    }

    fn background(&self, n: usize, out: &mut Vec<Action>) {
        let (node, b, server) = (&self.nodes[n], &self.bounds, &self.servers[0]);
        let in_touch = self.is_in_touch(n);
        let waits = node.member.waiting_len() > 0 || !node.held_back.is_empty();
        out.extend((in_touch && waits).then_some(Action::Flush(n)));
        out.extend((node.connected && !node.closing.is_empty()).then_some(Action::Close(n)));
        if !node.inbox.is_empty() {
            out.push(Action::Hear(n));
            out.extend((b.drop > 0).then_some(Action::Drop(n)));
        }
        let is_due = node.owed.iter().any(|(_, at)| *at <= self.now);
        out.extend((is_due && self.guards.has(Guard::Owed)).then_some(Action::Pay(n)));
        if !matches!(node.link, Link::Idle) {
            out.push(Action::Link(n));
            return;
        }
        let Some(head) = &server.data.head else {
            out.extend(node.connected.then_some(Action::Poll(n)));
            return;
        };
        let news = node.member.applied() < head.last || node.renewed != Some(self.now);
        if node.connected && (!in_touch || b.poll > 0 && news) {
            out.push(Action::Poll(n));
        }
        if in_touch && !head.clean && self.now >= head.at + PATIENCE {
            out.push(Action::Settle(n));
        }
        if in_touch && self.is_unrepaired() && self.guards.has(Guard::Repair) {
            out.push(Action::Repair(n));
        }
        if in_touch && self.guards.has(Guard::TakeOver) {
            let is_orphan = |id: &&String| {
                !self.nodes.iter().any(|node| {
                    node.up && (is_of(id, node.life()) || node.taken.iter().any(|t| t.1 == **id))
                })
            };
            let orphans = server.data.open.keys().filter(is_orphan);
            out.extend(orphans.map(|id| Action::Take(n, id.clone())));
        }
    }

    fn faults_of(&self, n: usize, out: &mut Vec<Action>) {
        let (node, b) = (&self.nodes[n], &self.bounds);
        if node.connected {
            out.extend((b.cut > 0).then_some(Action::Cut(n)));
        } else {
            out.push(Action::Heal(n));
        }
        out.extend((b.crash > 0).then_some(Action::Crash(n)));
        out.extend((b.deaf > 0 && !node.deaf).then_some(Action::Deaf(n)));
        let idle = node.writes.is_empty() && node.member.waiting_len() == 0 && node.connected;
        out.extend((b.leave > 0 && idle && node.closing.is_empty()).then_some(Action::Leave(n)));
    }

    /// Does one.
    pub(crate) fn step(&mut self, action: &Action) -> Result<(), String> {
        self.bounds.spend(action.kind().0);
        match action {
            Action::Read(n, key) => self.read(*n, *key)?,
            Action::Keep(n, at) => self.flight_keep(*n, *at)?,
            Action::Land(n, at) => self.flight_land(*n, *at)?,
            Action::Head(n, at) => self.flight_head(*n, *at),
            Action::Look(n, at) => self.flight_look(*n, *at),
            Action::Ask(n, at) => self.flight_ask(*n, *at),
            Action::Write(n, selector, level) => self.write(*n, selector, *level),
            Action::Soften(n, selector, level) => self.soften(*n, selector, *level),
            Action::Undo(n, id) => self.undo(*n, *id),
            Action::Publish(key) => self.publish(*key),
            Action::Step(n, at) => self.write_step(*n, *at),
            Action::Degrade(n, at) => self.degrade(*n, *at),
            Action::Flush(n) => {
                let turn = self.nodes[*n].turn();
                self.flush(*n, turn, true);
            }
            Action::Close(n) => self.close(*n),
            Action::Take(n, id) => self.take_over(*n, id),
            Action::Hear(n) => self.hear(*n),
            Action::Pay(n) => self.pay(*n),
            Action::Poll(n) | Action::Link(n) => self.link_step(*n),
            Action::Settle(n) => self.nodes[*n].link = Link::Settle,
            Action::Repair(n) => {
                let run = self.servers.last().map_or(0, |server| server.run);
                self.nodes[*n].link = Link::Repair(run);
            }
            Action::Put(at) => {
                let put = self.puts.remove(*at);
                if let Some(server) = self.servers.last_mut() {
                    server.put(self.guards, &put, true, self.now);
                }
            }
            other => self.befall(other),
        }
        Ok(())
    }

    fn befall(&mut self, action: &Action) {
        match action {
            Action::Drop(n) => drop(self.nodes[*n].inbox.pop_front()),
            Action::Deaf(n) => self.nodes[*n].deaf = true,
            Action::Cut(n) => {
                let node = &mut self.nodes[*n];
                node.connected = false;
                node.inbox.clear();
            }
            Action::Heal(n) => self.nodes[*n].connected = true,
            Action::Crash(n) => self.crash(*n),
            Action::Boot(n) => self.boot(*n),
            Action::Leave(n) => self.leave(*n),
            Action::Tick => self.now += 1,
            Action::Replicate => {
                let data = self.servers.iter().map(|server| server.data.clone());
                self.replicas = Some(data.collect());
            }
            Action::Fail(which) => self.fail(which),
            Action::Trim => drop(self.servers[0].data.log.pop_front()),
            Action::Evict(what) => self.evict(what),
            Action::Sweep(text) => self.sweep(text),
            _ => {}
        }
    }
}
