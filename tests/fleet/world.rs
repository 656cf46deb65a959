//! The world: nodes, servers, an origin, what is under way between them, what can befall them; and
//! the checker, which knows only reads, answers and acknowledgements.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash, Hasher};

use cistern::base::ids::{Number, SoftId, Tick};
use cistern::entry::order::Selector;

use crate::data::{Data, Turn};
use crate::guards::{Guard, Guards};
use crate::link::Link;
use crate::node::{LAG, Node};
use crate::scenarios::Bounds;
use crate::server::Server;
use crate::slots::{FLY, Put};
use crate::soft::name_of;
use crate::writes::Write;

/// After how long a turn is settled without those who are missing.
pub(crate) const PATIENCE: u64 = 2;

/// What an acknowledgement promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Level {
    Local,
    Shared,
    Nodes,
}

/// An acknowledged write.
#[derive(Clone, Debug)]
pub(crate) struct Acked {
    pub(crate) life: u64,
    pub(crate) level: Level,
    pub(crate) at: u64,
    /// The version that each key must not fall short of.
    pub(crate) promised: [u64; 2],
    pub(crate) count: Option<u64>,
    /// Who were members when it got its number.
    pub(crate) members: Vec<u64>,
    /// Given by a life that the server lost and that nobody speaks for until it is back.
    pub(crate) suspended: bool,
    /// The soft order that it rests on.
    pub(crate) soft: Option<SoftId>,
}

impl Acked {
    /// Of a write.
    pub(crate) fn of(life: u64, level: Level, at: u64, write: &Write) -> Self {
        let (count, members) = (write.count, write.members.clone());
        let (promised, soft) = (write.promised, name_of(&write.order));
        Self { life, level, at, promised, count, members, suspended: false, soft }
    }
}

/// A fence that is being swept behind.
#[derive(Clone, Debug)]
pub(crate) struct Swept {
    text: Vec<u8>,
    number: Number,
    /// When it was seen first.
    at: u64,
    /// The turn in which what it covers was taken out.
    turn: Option<Turn>,
}

/// Everything.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) guards: Guards,
    pub(crate) bounds: Bounds,
    pub(crate) now: u64,
    /// The server of the order of things, and that of the keys where it is another one.
    pub(crate) servers: Vec<Server>,
    /// What stands on the replicas.
    pub(crate) replicas: Option<Vec<Data>>,
    pub(crate) origin: [u64; 2],
    pub(crate) versions: u64,
    pub(crate) nodes: Vec<Node>,
    pub(crate) puts: Vec<Put>,
    pub(crate) acked: Vec<Acked>,
    pub(crate) lives: u64,
    pub(crate) runs: u64,
    /// The greatest turn there was: the wall clock is never below.
    pub(crate) turns: u64,
    /// The clock of the server that took over is far behind.
    pub(crate) slow_clock: bool,
    pub(crate) intents: u64,
    pub(crate) softs: u64,
    /// Soft orders that were undone.
    pub(crate) undone: BTreeSet<SoftId>,
    pub(crate) swept: Vec<Swept>,
    /// What programs published and no node has heard.
    pub(crate) unheard: Vec<String>,
    /// An order died that only one node knew of: at rest, nothing is promised.
    pub(crate) lost: bool,
}

impl World {
    /// All nodes have joined and are in contact.
    pub(crate) fn new(guards: Guards, bounds: Bounds) -> Self {
        let count = if bounds.split { 2 } else { 1 };
        let servers =
            (0..count).map(|run| Server { run: run + 1, begun: 0, data: Data::default() });
        let mut world = Self {
            guards: Guards::SOUND,
            now: 10,
            servers: servers.collect(),
            replicas: None,
            origin: [0; 2],
            versions: 0,
            nodes: (1..=bounds.nodes as u64).map(|life| Node::new(life, 0)).collect(),
            puts: Vec::new(),
            acked: Vec::new(),
            lives: bounds.nodes as u64,
            runs: count,
            turns: 5,
            slow_clock: false,
            intents: 0,
            softs: 0,
            undone: BTreeSet::new(),
            swept: Vec::new(),
            unheard: Vec::new(),
            lost: false,
            bounds,
        };
        for _ in 0..8 {
            (0..world.nodes.len()).for_each(|n| world.link_step(n));
        }
        if world.is_unrepaired() {
            world.nodes[0].link = Link::Repair(world.servers[1].run);
        }
        for _ in 0..4 {
            (0..world.nodes.len()).for_each(|n| world.link_step(n));
        }
        // Nothing is half done, and everybody knows the servers.
        while world.nodes.iter().any(|node| !matches!(node.link, Link::Idle)) {
            (0..world.nodes.len()).for_each(|n| world.link_step(n));
        }
        assert!((0..world.nodes.len()).all(|n| world.is_in_touch(n)) && !world.is_unrepaired());
        let runs = world.servers[0].data.runs.clone();
        for node in &mut world.nodes {
            node.runs.clone_from(&runs);
            node.from_tick = Tick(0);
        }
        world.guards = guards;
        world.warm();
        world
    }

    /// The first version stands in the shared level and on its replica, and in L1 where wanted.
    fn warm(&mut self) {
        if self.bounds.warm.is_empty() {
            return;
        }
        self.read(0, 0).expect("nothing was written");
        self.flight_head(0, 0);
        self.flight_look(0, 0);
        self.flight_look(0, 0);
        self.flight_ask(0, 0);
        self.flight_land(0, 0).expect("nothing was written");
        let put = self.puts.pop().expect("the shared level was asked");
        let server = self.servers.last_mut().expect("a server");
        match self.bounds.warm {
            "l1" => {}
            "flying" => self.puts.push(put),
            _ => drop(server.put(self.guards, &put, true, self.now)),
        }
        let held = self.nodes[0].l1.clone();
        for node in &mut self.nodes {
            node.l1.clear();
            if matches!(self.bounds.warm, "l1" | "both") {
                node.l1.clone_from(&held);
            }
        }
        self.replicas = Some(self.servers.iter().map(|server| server.data.clone()).collect());
        self.prepare();
    }

    /// What else has happened before anything may.
    fn prepare(&mut self) {
        match self.bounds.warm {
            "lost" | "short" => {
                self.write_through(self.bounds.selectors[0]);
                if self.bounds.warm == "short" {
                    let head = self.servers[0].data.head.as_ref().expect("a head");
                    self.nodes[0].member.skip_to(head.last);
                }
            }
            "beheaded" => {
                self.servers[0].data.let_go("head");
                while !self.is_in_touch(0) {
                    self.link_step(0);
                }
                self.write_through("tag:t");
            }
            "booted" => self.boot(1),
            "joining" => {
                self.boot(1);
                (0..3).for_each(|_| self.link_step(1));
                self.write_through("tag:t");
            }
            "swept" => {
                self.write_through("tag:t");
                self.write_through("key:b");
                (0..self.nodes.len()).for_each(|n| (0..4).for_each(|_| self.link_step(n)));
                let log = &mut self.servers[0].data.log;
                log.drain(..log.len() - 1);
                let data = self.servers.iter().map(|server| server.data.clone());
                self.replicas = Some(data.collect());
                self.sweep(b"t1:t");
                self.now += FLY + 1;
                self.sweep(b"t1:t");
            }
            "cut" | "forgotten" | "flying" => {
                self.write_through(self.bounds.selectors[0]);
                self.write_through("key:b");
                (0..4).for_each(|_| self.link_step(0));
                let log = &mut self.servers[0].data.log;
                log.drain(..log.len() - 1);
                if self.bounds.warm == "cut" {
                    return;
                }
                self.boot(1);
                (0..6).for_each(|_| self.link_step(1));
            }
            _ => {}
        }
    }

    /// A write from its beginning to its acknowledgement, of which no message is heard.
    fn write_through(&mut self, selector: &str) {
        let selector = Selector::parse(selector).expect("a selector");
        self.write(0, &selector, Level::Shared);
        self.write_step(0, 0);
        self.write_step(0, 0);
        let turn = self.nodes[0].turn();
        self.flush(0, turn, true);
        while !self.nodes[0].closing.is_empty() {
            self.close(0);
        }
        self.write_step(0, 0);
        self.write_step(0, 0);
        self.nodes.iter_mut().for_each(|node| node.inbox.clear());
    }

    /// Whether the server of the keys was replaced and lacks the last key orders.
    pub(crate) fn is_unrepaired(&self) -> bool {
        let run = self.servers.last().map(|server| server.run);
        run.is_some_and(|run| !self.servers[0].data.runs.contains_key(&run))
    }

    /// Whether the fleet's server would take what the node says.
    pub(crate) fn is_in_touch(&self, n: usize) -> bool {
        let (server, node) = (&self.servers[0], &self.nodes[n]);
        let turn = server.data.head.as_ref().map(|head| (head.turn, head.began));
        node.connected
            && server.is_adopted(self.guards)
            && turn == Some(node.turn())
            && server.has_checked_in(self.guards, node.life(), node.turn())
    }

    /// The oldest version that a read which begins now may return: from L1, and from the shared
    /// level or the origin.
    pub(crate) fn need(&self, n: usize, key: usize) -> (u64, u64) {
        let node = &self.nodes[n];
        let (mut low, mut strong) = (0, 0);
        for (at, acked) in self.acked.iter().enumerate() {
            let version = acked.promised[key];
            let came_later = at < node.born;
            let is_own = acked.life == node.life();
            let is_shared = acked.level != Level::Local && !acked.suspended;
            let by_all = acked.level == Level::Nodes
                && !acked.suspended
                && (acked.members.contains(&node.life()) || came_later);
            let in_time = is_shared && (self.now >= acked.at + LAG || came_later);
            if is_own || by_all || in_time {
                low = low.max(version);
            }
            if is_own || is_shared {
                strong = strong.max(version);
            }
        }
        (low, strong.max(low))
    }

    /// The next step of sweeping behind a fence: it is seen; what it covers goes, when no put can
    /// come late any more; it goes itself.
    pub(crate) fn sweep(&mut self, text: &[u8]) {
        let (g, now) = (self.guards, self.now);
        let data = &self.servers[0].data;
        let number = data.fences.get(text).copied().unwrap_or_default();
        let turn = data.head.as_ref().map(|head| (head.turn, head.began));
        let turn = turn.filter(|_| self.servers[0].is_adopted(g));
        let known = self.swept.iter().position(|one| one.text == text && one.number == number);
        let Some(at) = known else {
            self.swept.push(Swept { text: text.to_vec(), number, at: now, turn: None });
            return;
        };
        if self.swept[at].turn.is_some() {
            let swept = self.swept.remove(at);
            self.servers[0].retire(g, swept.turn.unwrap_or_default(), text, number);
            return;
        }
        if now <= self.swept[at].at + FLY && g.has(Guard::Retire) {
            return;
        }
        self.swept[at].turn = turn;
        let covered = cistern::store::coherence::decode_order(text).expect("a fence");
        let Some(server) = self.servers.last_mut() else { return };
        for (key, slot) in &mut server.data.slots {
            for standing in slot.standing.values_mut() {
                let is_named = crate::node::covers(&covered, key);
                standing.frame.take_if(|frame| is_named && frame.number < number);
            }
        }
    }

    /// Two worlds with the same digest go on in the same way.
    pub(crate) fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        let mut text = String::new();
        for node in &self.nodes {
            node.describe(&mut text).expect("a string takes everything");
        }
        let _ = write!(text, "{:?} {:?} {:?}", self.acked, self.bounds.left(), self.swept);
        text.hash(&mut hasher);
        (self.now, &self.servers, &self.replicas, self.origin).hash(&mut hasher);
        (&self.puts, &self.unheard, self.lost, self.slow_clock, self.turns).hash(&mut hasher);
        (self.softs, &self.undone).hash(&mut hasher);
        hasher.finish()
    }
}

/// Whether an entry of `{c}:open` is this life's.
pub(crate) fn is_of(id: &str, life: u64) -> bool {
    id.starts_with(&format!("{life:016x}-"))
}
