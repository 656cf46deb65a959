//! Scripts that work in the slot of one key, in a real server and in its simulation.

use cistern::base::ids::Number;
use cistern::entry::Key;
use cistern::store::redis::keys::Place;
use cistern::store::redis::scripts;

use crate::pair::{G, KEPT, Pair, Sent, bytes, hex};
use crate::real::Call;
use crate::slots::{Frame, Put};

/// Where a frame carries its number.
const OFFSET: usize = 2;
/// A moment that is over.
const LATE: &str = "1";
/// Later than any question comes.
const IN_TIME: &str = "9999999999999";

impl Pair {
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
        assert_eq!(real, [why.as_str()], "put");
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
            .and(["16".to_owned(), "0".to_owned(), self.run.clone()])
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
