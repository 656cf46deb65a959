//! The same call to a script in a real server and to its simulation, and what came of both.

use cistern::base::ids::Number;
use cistern::entry::Key;
use cistern::store::coherence::OrderId;
use cistern::store::redis::keys::{Names, Place};
use cistern::store::redis::scripts;
use redis::{Connection, PubSub};

use crate::guards::Guards;
use crate::real::{Call, Redis};
use crate::server::{Data, HeadReply, Server, Submitted, text};
use crate::slots::{Frame, Put};

/// Later than any question comes.
const IN_TIME: &str = "9999999999999";
/// A moment that is over.
const LATE: &str = "1";

/// How long everything is kept that must outlive the test, in milliseconds.
pub(crate) const KEPT: u64 = 60_000;
/// Where a frame carries its number.
const OFFSET: usize = 2;
const G: Guards = Guards::SOUND;

/// A server and its simulation.
pub(crate) struct Pair {
    pub(crate) sim: Server,
    pub(crate) at: Connection,
    pub(crate) names: Names,
    heard: PubSub<'static>,
    pub(crate) run: String,
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

fn hex(number: Number) -> String {
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
        let sim = Server { run: 1, data: Data::default() };
        Self { sim, at, names, heard, run, _server: server }
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

    /// When the present turn began, in the server's words.
    fn began(&mut self) -> String {
        let mut ask = redis::cmd("HGET");
        let began: Option<String> =
            ask.arg(self.names.order("head")).arg("began").query(&mut self.at).unwrap();
        began.unwrap_or_default()
    }

    /// `head.lua`, with one of the words that say what is asked beside it.
    pub(crate) fn head(&mut self, one: u64, applied: Number, beside: &str) {
        let now = self.now();
        let call = Call::order(&self.names, &["head", "log", "fences", "members"]);
        let call = call.with(life(one)).with(text(applied)).with(beside);
        let call = call.with("0").with("").with(self.run.clone());
        let fresh = u8::from(!self.sim.data.members.contains_key(&one)).to_string();
        let mut real = call.run(scripts::HEAD.text(), &mut self.at).unwrap();
        if real.len() > 6 {
            real.remove(6); // the time
            real.remove(real.len() - 2); // when the turn began
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
        let said = match self.sim.head(G, (one, applied), (beside == "beat").then_some(now)) {
            HeadReply::Unknown => vec!["unknown".to_owned()],
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
    pub(crate) fn adopt(&mut self, seen: (u32, Number), known: &[u64]) {
        let keys = ["head", "log", "fences", "members", "expect", "runs", "done"];
        let call = Call::order(&self.names, &keys).with(seen.0.to_string()).with(text(seen.1));
        let call = call.with("0").with("");
        let call = call.and(known.iter().map(|one| life(*one)));
        let before = self.now();
        let real = call.run(scripts::ADOPT.text(), &mut self.at).unwrap();
        let after = self.now();
        // The wall clock counts: it may have moved on by a second within the call.
        let turn: u32 = real.get(2).and_then(|turn| turn.parse().ok()).unwrap_or_default();
        let second = |millis: u64| (millis / 1_000) as u32;
        let range = second(before)..=second(after);
        let seconds = if range.contains(&turn) { turn } else { second(before) };
        let said = match self.sim.adopt(G, seen, known, (before, seconds)) {
            None => vec!["known".to_owned()],
            Some((turn, base)) => vec!["adopted".to_owned(), turn.to_string(), text(base)],
        };
        assert_eq!(real[1..real.len() - 1], said, "adopt");
    }

    /// `check_in.lua`.
    pub(crate) fn check_in(&mut self, one: u64, turn: u32, applied: Number, known: &[u64]) {
        let now = self.now();
        let call = Call::order(&self.names, &["head", "log", "fences", "members", "expect"]);
        let call = call.with(life(one)).with(turn.to_string()).with(text(applied));
        let call = call.with(self.began());
        let call = call.and(known.iter().map(|one| life(*one)));
        let real = call.run(scripts::CHECK_IN.text(), &mut self.at).unwrap();
        let lives = self.sim.check_in(G, (one, turn, applied), known, now);
        assert_eq!(real[1] != "again", lives.is_some(), "check_in: {real:?}");
        if let Some(lives) = lives {
            let mut heard = real[3..real.len() - 2].to_vec();
            heard.sort();
            assert_eq!(heard, lives.iter().map(|one| life(*one)).collect::<Vec<_>>());
            let all = self.sim.data.expect.iter().all(|one| self.sim.has_checked_in(*one, turn));
            assert_eq!(real[1], if all { "clean" } else { "waits" });
        }
    }

    /// `settle.lua`, with no patience or with too much.
    pub(crate) fn settle(&mut self, turn: u32, patience: u64) {
        let now = self.now();
        let call = Call::order(&self.names, &["head", "log", "fences", "members", "expect"]);
        let call = call.with(life(1)).with(turn.to_string()).with(patience.to_string());
        let call = call.with(self.began());
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
        turn: u32,
        is_member: bool,
        orders: &[Submitted],
    ) {
        let (one, applied) = one;
        let keys = ["head", "log", "fences", "done", "open", "members"];
        let mut call = Call::order(&self.names, &keys).with(life(one)).with(turn.to_string());
        call = call.with(if is_member { "1" } else { "0" });
        call = call.with(self.names.channel("orders")).with("1000").with("1000000");
        call = call.with(text(applied)).with(self.began());
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
    pub(crate) fn retire(&mut self, turn: u32, fence: &[u8], number: Number) {
        let call = Call::order(&self.names, &["head", "log", "fences"]).with(turn.to_string());
        let call = call.with(fence).with(text(number));
        let before = self.sim.data.fences.len();
        let is_same = self.sim.retire(G, turn, fence, number);
        let gone = before - self.sim.data.fences.len();
        let real = call.run(scripts::RETIRE.text(), &mut self.at).unwrap();
        assert_eq!(real, [if is_same { gone.to_string() } else { "-1".to_owned() }], "retire");
    }

    /// `look.lua`; without a token no lease is wanted.
    pub(crate) fn look(&mut self, key: &Key, token: &str, late: bool) {
        let now = self.now();
        let place = Place::of(key, None);
        let names = &self.names;
        let keys = vec![
            names.frame(&place, ""),
            names.directory(&place),
            names.tombstone(&place),
            names.lease(&place),
        ];
        let keep = if token.is_empty() { 0 } else { KEPT };
        let call = Call::keys(keys).with(token).with(keep.to_string()).with(asked(late));
        let call = call.with(self.run.clone());
        let real = call.run(scripts::LOOK.text(), &mut self.at).unwrap();
        let said = self.sim.look((key.text(), place.rest()), (token, !late), now);
        let nil = || "nil".to_owned();
        let size = said.frame.as_ref().map_or(0, |frame| bytes(frame).len());
        assert_eq!(real[1], size.to_string());
        let end = real.iter().position(|part| part == "]").unwrap();
        let mut variants: Vec<_> =
            real[3..end].chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect();
        variants.sort();
        assert_eq!(variants, said.variants);
        assert_eq!(real[end + 1], said.tombstone.map_or_else(nil, hex));
        assert_eq!(real[end + 2], said.lease);
        assert_eq!(real[end + 5], self.run);
        assert!(real[end + 4].parse::<u64>().unwrap() >= said.millis);
    }

    /// `put.lua`; `run` 1 is the server's own.
    /// Where it was sent before, it is renamed or goes; where that was lost, nothing is stored.
    pub(crate) fn put(&mut self, key: &Key, put: &Put, sent: Sent) {
        let now = self.now();
        let name = self.names.sent(&Place::of(key, None), "00a1");
        if sent == Sent::Before {
            let mut set = redis::cmd("SET");
            set.arg(&name).arg(bytes(&put.frame)).arg("PX").arg(KEPT / 6);
            set.exec(&mut self.at).unwrap();
        }
        let mut call = self.put_call(key, put);
        if sent != Sent::Along {
            call = call.on(name.clone());
        }
        let message = put.token.clone().into_bytes();
        let real = call.run(scripts::PUT.text(), &mut self.at).unwrap();
        let (why, told) = self.sim.put(G, put, sent != Sent::Lost, now);
        assert_eq!(real, [why], "put");
        let left: bool = redis::cmd("EXISTS").arg(&name).query(&mut self.at).unwrap();
        assert!(!left, "what was sent is left");
        if why == "stored" {
            let frame = self.names.frame(&Place::of(key, None), &put.variant.0);
            let left: u64 = redis::cmd("PTTL").arg(&frame).query(&mut self.at).unwrap();
            assert!(left > KEPT / 2, "it is kept for {left} ms");
        }
        assert_eq!(self.published(), if told { vec![message] } else { Vec::new() });
    }

    /// A put as it is called.
    pub(crate) fn put_call(&self, key: &Key, put: &Put) -> Call {
        let place = Place::of(key, None);
        let names = &self.names;
        let (variant, selects) = &put.variant;
        let keys = vec![
            names.frame(&place, variant),
            names.directory(&place),
            names.tombstone(&place),
            names.lease(&place),
            names.registry(&place),
        ];
        let run = if put.run == 1 { self.run.clone() } else { "another".to_owned() };
        Call::keys(keys)
            .with(hex(put.frame.number))
            .with(bytes(&put.frame))
            .and([put.keep.to_string(), run, put.looked.to_string(), put.late.to_string()])
            .and([variant.clone(), selects.clone(), place.rest().to_owned(), put.token.clone()])
            .and([self.names.channel("leases"), put.token.clone(), OFFSET.to_string()])
            .and(["16".to_owned(), self.run.clone()])
    }

    /// `lease.lua`, then `renew.lua`.
    pub(crate) fn lease(&mut self, key: &Key, token: &str, late: bool) {
        let place = Place::of(key, None);
        let call = || Call::keys(vec![self.names.lease(&place)]).with(token).with(KEPT.to_string());
        let taken = call().with(asked(late)).run(scripts::LEASE.text(), &mut self.at).unwrap();
        assert_eq!(taken[1], self.sim.lease(key.text(), place.rest(), token, late), "lease");
        let renewed = call().run(scripts::RENEW.text(), &mut self.at).unwrap();
        let held = self.sim.renew(key.text(), place.rest(), token);
        assert_eq!(renewed, [u8::from(held).to_string()], "renew");
    }

    /// `release.lua`.
    pub(crate) fn release(&mut self, key: &Key, token: &str) {
        let place = Place::of(key, None);
        let call = Call::keys(vec![self.names.lease(&place)]);
        let call = call.and([token, &self.names.channel("leases"), token]);
        let real = call.run(scripts::RELEASE.text(), &mut self.at).unwrap();
        let told = self.sim.release(key.text(), place.rest(), token);
        assert_eq!(real, [u8::from(told.is_some()).to_string()], "release");
        let message = told.filter(|told| *told).map(|_| token.as_bytes().to_vec());
        assert_eq!(self.published(), Vec::from_iter(message));
    }

    /// `erase.lua`.
    pub(crate) fn erase(&mut self, key_text: &str, number: Number, identities: &[&str]) {
        let now = self.now();
        let call = self.erase_call(key_text, number, identities);
        let real = call.run(scripts::ERASE.text(), &mut self.at).unwrap();
        let gone = self.sim.erase((key_text, identities), number, KEPT, now);
        assert_eq!(real[1..3], [gone.to_string(), "0".to_owned()], "erase");
    }

    /// An order on a key as it is called.
    pub(crate) fn erase_call(&self, key: &str, number: Number, identities: &[&str]) -> Call {
        let place = Place::of_text(key);
        let keys = vec![self.names.tombstone(&place), self.names.registry(&place)];
        let beginnings = ['e', 'd', 'l'].map(|letter| self.names.beginning(letter, &place));
        let call = Call::keys(keys).with(hex(number)).with(KEPT.to_string());
        call.and(beginnings).and(identities.iter().copied())
    }

    /// `unlink.lua`.
    pub(crate) fn unlink(&mut self, key: &Key, looked: &Frame) {
        let place = Place::of(key, None);
        let call = Call::keys(vec![self.names.frame(&place, "")]).with(bytes(looked));
        let real = call.run(scripts::UNLINK.text(), &mut self.at).unwrap();
        let gone = self.sim.unlink(key.text(), place.rest(), looked);
        assert_eq!(real, [u8::from(gone).to_string()], "unlink");
    }
}

fn asked(late: bool) -> &'static str {
    if late { LATE } else { IN_TIME }
}

/// Bytes as replies are shown.
pub(crate) fn escaped(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}
