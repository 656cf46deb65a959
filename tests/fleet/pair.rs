//! The same call to a script in a real server and to its simulation, and what came of both.

use std::collections::BTreeMap;

use cistern::base::ids::Number;
use cistern::entry::Key;
use cistern::store::coherence::OrderId;
use cistern::store::redis::keys::Names;
use cistern::store::redis::scripts;
use redis::{Connection, PubSub};

use crate::data::{Data, Turn, text};
use crate::guards::Guards;
use crate::real::{Call, Redis};
use crate::server::{HeadReply, Server, Submitted};
use crate::slots::Frame;

/// How long everything is kept that must outlive the test, in milliseconds.
pub(crate) const KEPT: u64 = 60_000;
/// From when turns count, in milliseconds.
const EPOCH: u64 = 1_735_689_600_000;
pub(crate) const G: Guards = Guards::SOUND;

/// A server and its simulation.
pub(crate) struct Pair {
    pub(crate) sim: Server,
    pub(crate) at: Connection,
    pub(crate) names: Names,
    heard: PubSub<'static>,
    pub(crate) run: String,
    /// When turns began, as the simulation and as the server tells it.
    pub(crate) began: BTreeMap<u64, String>,
    _server: Redis,
}

/// How the frame of a put comes to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// With the call.
    Along,
    /// Just before it, under a name of its own.
    Before,
    /// It should have come so.
    Lost,
}

/// A life as scripts are told it.
pub(crate) fn life(life: u64) -> String {
    format!("{life:016x}")
}

pub(crate) fn hex(number: Number) -> String {
    format!("{:016x}", number.0)
}

/// The identity with this caller under a key text.
pub(crate) fn key(text: &str, caller: &str) -> Key {
    Key::new(text, "", caller)
}

/// A frame as bytes.
pub(crate) fn bytes(frame: &Frame) -> Vec<u8> {
    [b"fr".as_slice(), &frame.number.0.to_le_bytes(), frame.version.to_string().as_bytes()].concat()
}

impl Pair {
    /// A server that is empty, alone or as a cluster.
    pub(crate) fn start(is_cluster: bool) -> Self {
        let server = Redis::start(is_cluster);
        let mut at = server.connect();
        let info: String = redis::cmd("INFO").arg("server").query(&mut at).unwrap();
        let run = info.lines().find_map(|line| line.strip_prefix("run_id:")).unwrap().to_owned();
        let names = Names::new("p:");
        let listening = Box::leak(Box::new(server.connect()));
        let mut heard = listening.as_pubsub();
        let channels = [names.channel("orders"), names.channel("leases"), "end".to_owned()];
        heard.subscribe(&channels).unwrap();
        let sim = Server { run: 1, begun: 0, data: Data::default() };
        Self { sim, at, names, heard, run, began: BTreeMap::new(), _server: server }
    }

    /// The server's clock in milliseconds.
    pub(crate) fn now(&mut self) -> u64 {
        let (seconds, micros): (u64, u64) = redis::cmd("TIME").query(&mut self.at).unwrap();
        seconds * 1_000 + micros / 1_000
    }

    /// All that was published since the last call.
    pub(crate) fn published(&mut self) -> Vec<Vec<u8>> {
        redis::cmd("PUBLISH").arg("end").arg("").exec(&mut self.at).unwrap();
        let mut out = Vec::new();
        loop {
            let message = self.heard.get_message().unwrap();
            if message.get_channel_name() == "end" {
                return out;
            }
            out.push(message.get_payload_bytes().to_vec());
        }
    }

    /// When a turn began, in the server's words; nothing for one that never did.
    pub(crate) fn began(&self, turn: Turn) -> String {
        self.began.get(&turn.1).cloned().unwrap_or_default()
    }

    /// What the server says of the turn that has just begun.
    fn note_beginning(&mut self) {
        let mut ask = redis::cmd("HGET");
        ask.arg(self.names.order("head")).arg("began");
        let began: String = ask.query(&mut self.at).unwrap();
        assert!(!self.began.values().any(|one| *one == began), "two turns began at {began}");
        self.began.insert(self.sim.begun, began);
    }

    /// `head.lua`, with one of the words that say what is asked beside it.
    pub(crate) fn head(&mut self, one: u64, applied: Number, own: Turn, beside: &str) {
        let now = self.now();
        let call = Call::order(&self.names, &["head", "log", "fences", "members"]);
        let call = call.with(life(one)).with(text(applied)).with(beside);
        let call = call.with(own.0.to_string()).with(self.began(own)).with(self.run.clone());
        let fresh = u8::from(!self.sim.data.members.contains_key(&one)).to_string();
        let mut real = call.run(scripts::HEAD.text(), &mut self.at).unwrap();
        if real.len() > 6 {
            real.remove(6); // the time
            let began = real.remove(real.len() - 2);
            let head = self.sim.data.head.as_ref().unwrap();
            assert_eq!(began, self.began((head.turn, head.began)));
            let lives = real.iter().position(|part| part == "[").unwrap_or(0) + 7;
            let end = real.len() - 2;
            if real[1] == "ok" {
                real[lives..end].sort();
            }
        }
        let place = |word: &str, place: crate::server::Place| {
            let (turn, clean) = (place.turn.to_string(), u8::from(place.clean).to_string());
            vec![word.to_owned(), turn, text(place.last), text(place.base), clean]
        };
        let said = match self.sim.head(G, (one, applied), own, (beside == "beat").then_some(now)) {
            HeadReply::Unknown => vec!["unknown".to_owned()],
            HeadReply::Other => vec!["other".to_owned()],
            HeadReply::Stranger(at) => [place("stranger", at), vec![fresh]].concat(),
            HeadReply::Ok(at, lives) => {
                let lives = lives.iter().filter(|_| !beside.is_empty()).map(|one| life(*one));
                let lives = ["[".to_owned()].into_iter().chain(lives).chain(["]".to_owned()]);
                [place("ok", at), lives.collect()].concat()
            }
        };
        assert_eq!(real[1..real.len() - 1], said, "head");
    }

    /// `adopt.lua`.
    pub(crate) fn adopt(&mut self, seen: (u64, Number, Turn), known: &[u64]) {
        let keys = ["head", "log", "fences", "members", "expect", "runs", "done"];
        let call = Call::order(&self.names, &keys).with(seen.0.to_string()).with(text(seen.1));
        let call = call.with(seen.2.0.to_string()).with(self.began(seen.2));
        let call = call.and(known.iter().map(|one| life(*one)));
        let before = self.now();
        let real = call.run(scripts::ADOPT.text(), &mut self.at).unwrap();
        let after = self.now();
        // The wall clock counts: it may have moved on within the call.
        let turn: u64 = real.get(2).and_then(|turn| turn.parse().ok()).unwrap_or_default();
        let range = before - EPOCH..=after - EPOCH;
        let clock = if range.contains(&turn) { turn } else { before - EPOCH };
        let said = match self.sim.adopt(G, seen, known, (before, clock)) {
            None => vec!["known".to_owned()],
            Some((turn, base)) => vec!["adopted".to_owned(), turn.to_string(), text(base)],
        };
        assert_eq!(real[1..real.len() - 1], said, "adopt");
        if said[0] == "adopted" {
            self.note_beginning();
        }
    }

    /// `check_in.lua`.
    pub(crate) fn check_in(&mut self, one: u64, turn: Turn, applied: Number, known: &[u64]) {
        let now = self.now();
        let call = Call::order(&self.names, &["head", "log", "fences", "members", "expect"]);
        let call = call.with(life(one)).with(turn.0.to_string()).with(text(applied));
        let call = call.with(self.began(turn));
        let call = call.and(known.iter().map(|one| life(*one)));
        let real = call.run(scripts::CHECK_IN.text(), &mut self.at).unwrap();
        let lives = self.sim.check_in(G, (one, turn, applied), known, now);
        let missed = lives.as_ref().err().map(|why| format!("{why:?}").to_lowercase());
        let word = matches!(real[1].as_str(), "again" | "lost").then(|| real[1].clone());
        assert_eq!(word, missed, "check_in");
        if let Ok(lives) = lives {
            let mut heard = real[3..real.len() - 2].to_vec();
            heard.sort();
            assert_eq!(heard, lives.iter().map(|one| life(*one)).collect::<Vec<_>>());
            let all = self.sim.data.expect.iter().all(|one| self.sim.has_checked_in(G, *one, turn));
            assert_eq!(real[1], if all { "clean" } else { "waits" });
        }
    }

    /// `settle.lua`, with no patience or with too much.
    pub(crate) fn settle(&mut self, turn: Turn, patience: u64) {
        let now = self.now();
        let call = Call::order(&self.names, &["head", "log", "fences", "members", "expect"]);
        let call = call.with(life(1)).with(turn.0.to_string()).with(patience.to_string());
        let call = call.with(self.began(turn));
        let real = call.run(scripts::SETTLE.text(), &mut self.at).unwrap();
        assert_eq!(real[1] == "clean", self.sim.settle(G, turn, patience, now), "{real:?}");
    }

    /// `leave.lua`: of one, or of all that are silent.
    pub(crate) fn leave(&mut self, one: u64, silent: u64) {
        let now = self.now();
        let keys = ["head", "log", "fences", "members", "expect", "done"];
        let call = Call::order(&self.names, &keys);
        let call = call.with(silent.to_string()).with(life(one));
        let real = call.run(scripts::LEAVE.text(), &mut self.at).unwrap();
        let gone = match silent {
            0 => usize::from(self.sim.leave(G, one)),
            silent => self.sim.reap(G, silent, one, now),
        };
        assert_eq!(real, [gone.to_string()], "leave");
    }

    /// `order.lua`.
    pub(crate) fn order(
        &mut self,
        one: (u64, Number),
        turn: Turn,
        is_member: bool,
        orders: &[Submitted],
    ) {
        let (one, applied) = one;
        let keys = ["head", "log", "fences", "done", "open", "members"];
        let mut call = Call::order(&self.names, &keys).with(life(one)).with(turn.0.to_string());
        call = call.with(if is_member { "1" } else { "0" });
        call = call.with(self.names.channel("orders")).with("1000").with("1000000");
        call = call.with(text(applied)).with(self.began(turn));
        for order in orders {
            let OrderId { life: giver, count } = order.id;
            call = call.with(life(giver)).with(count.to_string()).with(order.event.clone());
            call = call.with(order.order.clone()).with(if order.finishes { "1" } else { "0" });
            call = call.with(order.fences.len().to_string()).and(order.fences.clone());
        }
        let real = call.run(scripts::ORDER.text(), &mut self.at).unwrap();
        let (said, messages) = match self.sim.order(G, ((one, applied), turn, is_member), orders) {
            Err(why) => (vec![format!("{why:?}").to_lowercase()], Vec::new()),
            Ok((numbers, messages)) => {
                let numbers = numbers.into_iter().map(text);
                (["ok".to_owned()].into_iter().chain(numbers).collect(), messages)
            }
        };
        assert_eq!(real[1..real.len() - 1], said, "order");
        assert_eq!(self.published(), messages);
    }

    /// `retire.lua`, for one fence.
    pub(crate) fn retire(&mut self, turn: Turn, fence: &[u8], number: Number) {
        let call = Call::order(&self.names, &["head", "log", "fences"]).with(turn.0.to_string());
        let call = call.with(self.began(turn)).with(fence).with(text(number));
        let before = self.sim.data.fences.len();
        let is_same = self.sim.retire(G, turn, fence, number);
        let gone = before - self.sim.data.fences.len();
        let real = call.run(scripts::RETIRE.text(), &mut self.at).unwrap();
        assert_eq!(real, [if is_same { gone.to_string() } else { "-1".to_owned() }], "retire");
    }
}

/// Bytes as replies are shown.
pub(crate) fn escaped(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}
