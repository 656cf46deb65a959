//! The scripts of the shared level in a real server, held against the simulation that the model
//! runs on: the same random calls must give the same replies and leave the same behind.

use cistern::base::ids::Number;
use cistern::entry::order::{Order, Selector};
use cistern::store::coherence::{OrderId, encode_order, fence_texts};
use cistern::store::redis::keys::Place;
use cistern::store::redis::scripts;
use redis::{FromRedisValue, Value};

use crate::data::Turn;
use crate::dice::Dice;
use crate::pair::{KEPT, Pair, Sent, escaped, key};
use crate::real::Call;
use crate::server::Submitted;
use crate::slots::{Frame, Put};

pub(crate) const TEXTS: [&str; 2] = ["a", "b:{1}"];
pub(crate) const CALLERS: [&str; 2] = ["", "*"];
const LIVES: [u64; 3] = [1, 2, 3];
const TOKENS: [&str; 3] = ["", "one", "two"];

impl Pair {
    pub(crate) fn ask<T: FromRedisValue>(&mut self, command: &[&[u8]]) -> T {
        let (name, rest) = command.split_first().unwrap();
        let mut cmd = redis::cmd(std::str::from_utf8(name).unwrap());
        cmd.arg(rest).query(&mut self.at).unwrap()
    }

    fn turn(&self) -> Turn {
        self.sim.data.head.as_ref().map_or((0, 0), |head| (head.turn, head.began))
    }

    /// The present turn, the next one, or one that began before it.
    fn some_turn(&self, dice: &mut Dice) -> Turn {
        let (turn, began) = self.turn();
        match dice.below(16) {
            0 => (turn + 1, began),
            1 => (turn, began.saturating_sub(1)),
            2 => (turn.saturating_sub(1), began.saturating_sub(1)),
            _ => (turn, began),
        }
    }

    /// One random call.
    fn step(&mut self, dice: &mut Dice) {
        let one = dice.pick(&LIVES);
        let turn = self.some_turn(dice);
        let known: Vec<u64> = LIVES.into_iter().filter(|_| dice.below(3) == 0).collect();
        let number = Number::new(self.turn().0, dice.below(6) as u32);
        match dice.below(24) {
            0 | 1 => self.head(one, number, turn, dice.pick(&["", "members", "beat"])),
            2 => {
                let seen = self.turn().0 + u64::from(dice.below(4) == 0);
                self.adopt((seen, number, turn), &known);
            }
            3..=5 => self.check_in(one, turn, number, &known),
            6 => self.settle(turn, dice.pick(&[0, KEPT * 1_000])),
            7 if dice.below(2) == 0 => self.leave(one, 0),
            7 => {
                self.silence();
                self.leave(one, KEPT);
            }
            8..=11 => {
                let orders: Vec<_> = (0..=dice.below(2)).map(|_| submitted(dice)).collect();
                let applied = if dice.below(4) == 0 { number } else { Number::default() };
                self.order((one, applied), turn, dice.below(3) > 0, &orders);
            }
            12 => {
                let fences: Vec<_> = self.sim.data.fences.clone().into_iter().collect();
                if let Some((fence, at)) = fences.get(dice.below(3) as usize) {
                    let at = if dice.below(4) == 0 { number } else { *at };
                    self.retire(turn, fence, at);
                }
            }
            13..=22 => self.step_in_slot(dice, number),
            _ => self.befall(dice),
        }
    }

    fn step_in_slot(&mut self, dice: &mut Dice, number: Number) {
        let key = key(dice.pick(&TEXTS), dice.pick(&CALLERS));
        let token = dice.pick(&TOKENS);
        let frame = Frame { number, version: dice.below(2) };
        match dice.below(12) {
            11 if !token.is_empty() => self.lease(&key, token, dice.below(4) == 0),
            0..=2 => self.look(&key, token, dice.below(4) == 0),
            3..=6 => {
                let place = Place::of(&key, None);
                let variant = dice.pick(&[("", ""), ("v1", "accept"), ("v2", "accept")]);
                let put = Put {
                    key: key.text().to_owned(),
                    identity: place.rest().to_owned(),
                    frame,
                    variant: (variant.0.to_owned(), variant.1.to_owned()),
                    keep: KEPT,
                    run: 1 + u64::from(dice.below(8) == 0),
                    looked: if dice.below(8) == 0 { 0 } else { self.now() },
                    late: KEPT,
                    token: token.to_owned(),
                };
                let ways = [Sent::Along, Sent::Along, Sent::Before, Sent::Before, Sent::Lost];
                self.put(&key, &put, dice.pick(&ways));
            }
            7 if !token.is_empty() => self.release(&key, token),
            8 => self.unlink(&key, &frame),
            _ => {
                let place = Place::of_text(key.text());
                let [one, two] = place.usual_rests();
                let named: &[&str] = if dice.below(2) == 0 { &[] } else { &[&one, &two] };
                self.erase(key.text(), number, named);
            }
        }
    }

    /// Something that servers do to their data.
    fn befall(&mut self, dice: &mut Dice) {
        let order = |what: &str| self.names.order(what);
        let (head, log, fences) = (order("head"), order("log"), order("fences"));
        match dice.below(9) {
            7 => {
                let _: Value = self.ask(&[b"DEL", &order("members")]);
                self.sim.data.let_go("members");
            }
            8 => {
                let _: Value = self.ask(&[b"DEL", &order("expect")]);
                self.sim.data.let_go("expect");
            }
            6 => {
                let _: Value = self.ask(&[b"DEL", &head]);
                self.sim.data.let_go("head");
            }
            3 if self.sim.data.head.is_some() => {
                // Whatever waits has waited for long.
                let _: Value = self.ask(&[b"HSET", &head, b"at", b"1"]);
                self.sim.data.head.iter_mut().for_each(|head| head.at = 1);
            }
            0 => {
                let _: Value = self.ask(&[b"FLUSHALL"]);
                self.sim.data = crate::data::Data::default();
            }
            1 => {
                let _: Value = self.ask(&[b"DEL", &fences]);
                self.sim.data.fences.clear();
            }
            2 => {
                let _: Value = self.ask(&[b"DEL", &log]);
                self.sim.data.log.clear();
            }
            _ if self.sim.data.head.is_some() => {
                let _: Value = self.ask(&[b"HSET", &head, b"run", b"another"]);
                self.sim.data.head.iter_mut().for_each(|head| head.run = 9);
            }
            _ => {}
        }
    }
}

fn submitted(dice: &mut Dice) -> Submitted {
    let texts = ["key:a", "tag:t", "prefix:a", "all"];
    let order = Order::of([Selector::parse(dice.pick(&texts)).unwrap()]);
    let id = OrderId { life: dice.pick(&LIVES), count: 1 + dice.below(12) };
    let event = dice.pick(&["-", "digest"]).to_owned();
    let fences = fence_texts(&order, |_| true);
    Submitted { id, event, order: encode_order(&order), finishes: fences.is_empty(), fences }
}

fn same(is_cluster: bool, seed: u64) {
    let mut pair = Pair::start(is_cluster);
    let mut dice = Dice::seeded(seed);
    for step in 0..700 {
        pair.step(&mut dice);
        if step % 5 == 0 {
            pair.compare();
        }
    }
    pair.compare();
}

#[test]
fn scripts_do_what_the_simulation_does() {
    same(false, 1);
}

#[test]
fn scripts_do_the_same_in_a_cluster_and_stay_in_one_slot() {
    same(true, 2);
}

#[test]
fn only_puts_fail_when_memory_is_full() {
    let mut pair = Pair::start(false);
    pair.adopt((0, Number::default(), (0, 0)), &[1]);
    let turn = pair.turn();
    let _: Value = pair.ask(&[b"CONFIG", b"SET", b"maxmemory", b"1"]);
    let (key, number) = (key("a", "*"), Number::new(turn.0, 1));
    pair.check_in(1, turn, Number::default(), &[1]);
    pair.head(1, Number::default(), turn, "beat");
    let mut dice = Dice::seeded(3);
    let orders: Vec<_> = (0..20).map(|_| submitted(&mut dice)).collect();
    pair.order((1, Number::default()), turn, true, &orders);
    pair.look(&key, "one", false);
    let put = Put {
        key: "a".to_owned(),
        identity: Place::of(&key, None).rest().to_owned(),
        frame: Frame { number, version: 1 },
        variant: (String::new(), String::new()),
        keep: KEPT,
        run: 1,
        looked: pair.now(),
        late: KEPT,
        token: "one".to_owned(),
    };
    let call = pair.put_call(&key, &put);
    let failed = call.run(scripts::PUT.text(), &mut pair.at).unwrap_err();
    assert_eq!(failed.code(), Some("OOM"), "{failed}");
    pair.erase("a", number, &[]);
    pair.look(&key, "two", false);
    pair.release(&key, "two");
    pair.unlink(&key, &put.frame);
    pair.settle(turn, 0);
    pair.adopt((turn.0 + 1, Number::default(), turn), &[2]);
    pair.leave(1, KEPT);
    pair.compare();
    let _: Value = pair.ask(&[b"CONFIG", b"SET", b"maxmemory", b"0"]);
    pair.put(&key, &put, Sent::Before);
    pair.compare();
}

#[test]
fn a_script_that_reaches_into_another_slot_is_stopped_in_a_cluster() {
    let mut pair = Pair::start(true);
    let stray = "#!lua flags=allow-oom\nreturn redis.call('GET', 'another')";
    let failed = Call::keys(vec![b"p:{c}:head".to_vec()]).run(stray, &mut pair.at).unwrap_err();
    assert!(failed.to_string().contains("do not hash to the same slot"), "{failed}");
}

#[test]
fn values_of_other_kinds_stop_no_order() {
    let mut pair = Pair::start(false);
    let key = key("a", "*");
    let place = Place::of(&key, None);
    let names = [
        pair.names.tombstone(&place),
        pair.names.registry(&place),
        pair.names.directory(&place),
        pair.names.frame(&place, ""),
    ];
    for (name, command) in names.iter().zip([&b"LPUSH"[..], b"LPUSH", b"LPUSH", b"SADD"]) {
        let _: Value = pair.ask(&[command, name, b"foreign"]);
    }
    let call = pair.erase_call("a", Number::new(1, 1), &[place.rest()]);
    assert_eq!(call.run(scripts::ERASE.text(), &mut pair.at).unwrap()[1..3], ["1", "0"]);
    let left: Vec<String> = pair.ask(&[b"KEYS", b"*"]);
    assert_eq!(left, [escaped(&names[0])], "only the tombstone is left");
    let tombstone: String = pair.ask(&[b"GET", &names[0]]);
    assert_eq!(tombstone, format!("{:016x}", Number::new(1, 1).0));
}

#[test]
fn values_of_other_kinds_are_a_miss_and_give_way() {
    let mut pair = Pair::start(false);
    let key = key("a", "x");
    let place = Place::of(&key, None);
    let names = [
        pair.names.frame(&place, ""),
        pair.names.directory(&place),
        pair.names.tombstone(&place),
        pair.names.lease(&place),
        pair.names.registry(&place),
        pair.names.frame(&place, "v1"),
    ];
    let spoil = |pair: &mut Pair| {
        pair.sim.data.slots.clear();
        for name in &names {
            let _: Value = pair.ask(&[b"DEL", name]);
            let _: Value = pair.ask(&[b"LPUSH", name, b"foreign"]);
        }
    };
    spoil(&mut pair);
    pair.look(&key, "one", false);
    spoil(&mut pair);
    pair.release(&key, "one");
    let renew = Call::keys(vec![names[3].clone()]).with("one").with("9");
    assert_eq!(renew.run(scripts::RENEW.text(), &mut pair.at).unwrap(), ["0"]);
    let now = pair.now();
    for variant in ["", "v1"] {
        spoil(&mut pair);
        let put = Put {
            key: key.text().to_owned(),
            identity: place.rest().to_owned(),
            frame: Frame { number: Number::new(1, 1), version: 1 },
            variant: (variant.to_owned(), "accept".to_owned()),
            keep: KEPT,
            run: 1,
            looked: now,
            late: KEPT,
            token: "one".to_owned(),
        };
        pair.put(&key, &put, Sent::Along);
    }
    let _: Value = pair.ask(&[b"LPUSH", &names[3], b"foreign"]);
    pair.lease(&key, "two", false);
    let kinds: Vec<String> = names.iter().map(|name| pair.ask(&[b"TYPE", name])).collect();
    assert_eq!(kinds, ["list", "hash", "none", "string", "zset", "string"]);
}
