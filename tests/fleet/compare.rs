//! Whether what stands in a real server is what stands in its simulation.

use std::collections::BTreeMap;

use cistern::base::ids::Number;
use cistern::store::redis::keys::Place;

use crate::data::{Head, Logged, Said, text};
use crate::pair::{Pair, bytes, escaped, key, life};
use crate::scripts::{CALLERS, TEXTS};

impl Pair {
    /// As after a start from a snapshot: who stands in it is silent.
    pub(crate) fn silence(&mut self) {
        let members = self.names.order("members");
        self.sim.data.members.values_mut().for_each(|said| said.2 = 1);
        for (one, said) in self.sim.data.members.clone() {
            let value = format!("{} 1", self.said(&said));
            let mut cmd = redis::cmd("HSET");
            cmd.arg(&members).arg(life(one)).arg(value).exec(&mut self.at).unwrap();
        }
    }

    /// What a member said, but for the time.
    fn said(&self, said: &Said) -> String {
        format!("{} {} {}", said.0.0, self.began(said.0), text(said.1))
    }

    /// What stands in the server is what stands in the simulation.
    pub(crate) fn compare(&mut self) {
        let hash = |pair: &mut Self, what: &str| -> BTreeMap<String, String> {
            let name = pair.names.order(what);
            let found: BTreeMap<Vec<u8>, Vec<u8>> = pair.ask(&[b"HGETALL", &name]);
            found.iter().map(|(field, value)| (escaped(field), escaped(value))).collect()
        };
        let head = hash(self, "head");
        let data = self.sim.data.clone();
        match &data.head {
            None => assert!(head.is_empty()),
            Some(said) => self.compare_head(&head, said),
        }
        let fences = data.fences.iter().map(|(name, number)| (escaped(name), text(*number)));
        assert_eq!(hash(self, "fences"), fences.collect(), "fences");
        let done = data.done.iter().map(|(one, count)| (life(*one), count.to_string()));
        assert_eq!(hash(self, "done"), done.collect(), "done");
        let open = data.open.iter().map(|(id, value)| (id.clone(), escaped(value)));
        assert_eq!(hash(self, "open"), open.collect(), "open");
        let members = hash(self, "members").into_iter();
        let members = members.map(|(one, said)| (one, said.rsplit_once(' ').unwrap().0.to_owned()));
        let expected = data.members.iter().map(|(one, all)| (life(*one), self.said(all)));
        assert_eq!(members.collect::<BTreeMap<_, _>>(), expected.collect(), "members");
        let run = self.run.clone();
        let runs = data.runs.values().map(|floor| (run.clone(), text(*floor)));
        assert_eq!(hash(self, "runs"), runs.collect(), "runs");
        let expect = self.names.order("expect");
        let mut expect: Vec<String> = self.ask(&[b"SMEMBERS", &expect]);
        expect.sort();
        assert_eq!(expect, data.expect.iter().map(|one| life(*one)).collect::<Vec<_>>());
        let log = self.names.order("log");
        let log: Vec<(String, Vec<Vec<u8>>)> = self.ask(&[b"XRANGE", &log, b"-", b"+"]);
        let logged = |one: &Logged| {
            let (previous, id) = (text(one.previous).into_bytes(), one.id.to_string().into_bytes());
            let event = one.event.clone().into_bytes();
            let fields = [b"p".to_vec(), previous, b"i".to_vec(), id, b"e".to_vec(), event];
            let fields = fields.into_iter().chain([b"s".to_vec(), one.order.clone()]);
            (text(one.number), fields.collect::<Vec<_>>())
        };
        assert_eq!(log, data.log.iter().map(logged).collect::<Vec<_>>(), "log");
        self.compare_slots();
    }

    fn compare_head(&self, real: &BTreeMap<String, String>, said: &Head) {
        let run = if said.run == 1 { self.run.as_str() } else { "another" };
        let flag = |is: bool| u8::from(is).to_string();
        assert_eq!(real["at"] == "1", said.at == 1, "since when the turn waits");
        let retired = self.sim.data.retired;
        let expected = (retired != Number::default()).then(|| text(retired));
        assert_eq!(real.get("retired"), expected.as_ref(), "retired");
        for (field, value) in [
            ("run", run.to_owned()),
            ("turn", said.turn.to_string()),
            ("last", text(said.last)),
            ("base", text(said.base)),
            ("clean", flag(said.clean)),
            ("fenced", flag(said.fenced)),
            ("crew", flag(said.crew)),
            ("began", self.began((said.turn, said.began))),
        ] {
            assert_eq!(real.get(field), Some(&value), "head: {field}");
        }
        let is_era = |(field, _): &(&String, &String)| {
            field.strip_prefix('e').is_some_and(|turn| turn.parse::<u64>().is_ok())
        };
        let eras = said.eras.iter().map(|(turn, at)| (format!("e{turn}"), self.began((0, *at))));
        let real = real.iter().filter(is_era).map(|(field, at)| (field.clone(), at.clone()));
        assert_eq!(real.collect::<Vec<_>>(), eras.collect::<Vec<_>>(), "when turns began");
    }

    fn compare_slots(&mut self) {
        for (text, caller) in TEXTS.iter().flat_map(|text| CALLERS.map(|caller| (*text, caller))) {
            let key = key(text, caller);
            let place = Place::of(&key, None);
            let slot = self.sim.data.slots.get(text).cloned().unwrap_or_default();
            let said = slot.standing.get(place.rest()).cloned().unwrap_or_default();
            for variant in ["", "v1", "v2"] {
                let frame = match variant {
                    "" => said.frame.as_ref(),
                    _ => said.variants.get(variant).and_then(|(_, frame)| frame.as_ref()),
                };
                let name = self.names.frame(&place, variant);
                let real: Option<Vec<u8>> = self.ask(&[b"GET", &name]);
                assert_eq!(real, frame.map(bytes), "{text} {caller} {variant}");
            }
            let name = self.names.lease(&place);
            let lease: Option<String> = self.ask(&[b"GET", &name]);
            let held = |(token, waits): (String, bool)| token + if waits { "w" } else { "" };
            assert_eq!(lease, said.lease.map(held));
            let name = self.names.registry(&place);
            let mut registry: Vec<String> = self.ask(&[b"ZRANGE", &name, b"0", b"-1"]);
            registry.sort();
            assert_eq!(registry, slot.registry.keys().cloned().collect::<Vec<_>>());
            let name = self.names.tombstone(&place);
            let tombstone: Option<String> = self.ask(&[b"GET", &name]);
            let number = slot.tombstone.map(|(number, _)| format!("{:016x}", number.0));
            assert_eq!(tombstone, number);
        }
    }
}
