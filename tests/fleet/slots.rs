//! The slot of one key in a simulated server: frames, variants, tombstone, lease, registry.

use std::collections::BTreeMap;

use cistern::base::ids::Number;

use crate::guards::{Guard, Guards};
use crate::server::Server;

/// How old the question of a put may be.
pub(crate) const FLY: u64 = 2;
/// How long tombstones are kept: longer than any put may fly.
pub(crate) const TOMBSTONE: u64 = 4;

/// A frame: the number it was fetched under, and what it says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Frame {
    pub(crate) number: Number,
    pub(crate) version: u64,
}

/// What stands under one identity.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Standing {
    pub(crate) frame: Option<Frame>,
    /// Variants that the directory knows: names, and the frame.
    pub(crate) variants: BTreeMap<String, (String, Option<Frame>)>,
    /// The lease's token, and whether somebody waits for it.
    pub(crate) lease: Option<(String, bool)>,
}

impl Standing {
    /// Takes the lease, unless the question comes too late, or tells who holds it, as it stood
    /// before this call.
    fn take_lease(&mut self, token: &str, in_time: bool) -> String {
        let Some((held, waits)) = &mut self.lease else {
            if !in_time {
                return String::new();
            }
            self.lease = Some((token.to_owned(), false));
            return token.to_owned();
        };
        let before = if *waits { format!("{held}w") } else { held.clone() };
        *waits = true;
        before
    }
}

/// Everything of one key text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Slot {
    /// The last order on it, and until when that is kept.
    pub(crate) tombstone: Option<(Number, u64)>,
    pub(crate) standing: BTreeMap<String, Standing>,
    pub(crate) registry: BTreeMap<String, u64>,
}

/// What `look.lua` answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Looked {
    /// What it tells the length of.
    pub(crate) frame: Option<Frame>,
    pub(crate) variants: Vec<(String, String)>,
    pub(crate) tombstone: Option<Number>,
    pub(crate) lease: String,
    pub(crate) millis: u64,
    pub(crate) run: u64,
}

/// A put under way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Put {
    pub(crate) key: String,
    pub(crate) identity: String,
    pub(crate) frame: Frame,
    /// Variant and its names; both empty without.
    pub(crate) variant: (String, String),
    pub(crate) keep: u64,
    pub(crate) run: u64,
    pub(crate) looked: u64,
    pub(crate) late: u64,
    pub(crate) token: String,
}

impl Server {
    fn slot(&mut self, key: &str) -> &mut Slot {
        self.data.slots.entry(key.to_owned()).or_default()
    }

    /// The tombstone of a key, while it is kept.
    fn tombstone(&mut self, key: &str, now: u64) -> Option<Number> {
        let slot = self.slot(key);
        slot.tombstone.take_if(|(_, until)| *until <= now);
        slot.tombstone.map(|(number, _)| number)
    }

    /// The frame of an identity, read by a plain command.
    pub(crate) fn frame(&self, key: &str, identity: &str) -> Option<Frame> {
        self.data.slots.get(key)?.standing.get(identity)?.frame.clone()
    }

    /// `look.lua`; no token: no lease is wanted.
    pub(crate) fn look(
        &mut self,
        (key, identity): (&str, &str),
        (token, in_time): (&str, bool),
        now: u64,
    ) -> Looked {
        let (run, tombstone) = (self.run, self.tombstone(key, now));
        let standing = self.slot(key).standing.entry(identity.to_owned()).or_default();
        let mut lease = String::new();
        if standing.frame.is_none() && standing.variants.is_empty() && !token.is_empty() {
            lease = standing.take_lease(token, in_time);
        }
        let variants = standing.variants.iter().map(|(id, (names, _))| (id.clone(), names.clone()));
        let (frame, variants) = (standing.frame.clone(), variants.collect());
        Looked { frame, variants, tombstone, lease, millis: now, run }
    }

    /// `put.lua`: what came of it, and whether somebody who waits was told. `is_sent`: the frame
    /// has come, with the call or before it.
    pub(crate) fn put(&mut self, g: Guards, put: &Put, is_sent: bool, now: u64) -> (String, bool) {
        let number = put.frame.number;
        let moved = self.run != put.run;
        let late = now - put.looked > put.late && g.has(Guard::Late);
        let tombstone = self.tombstone(&put.key, now).filter(|_| g.has(Guard::Tombstone));
        let slot = self.slot(&put.key);
        let standing = slot.standing.entry(put.identity.clone()).or_default();
        let (variant, names) = &put.variant;
        let stands = if variant.is_empty() {
            standing.frame.as_ref()
        } else {
            standing.variants.get(variant).and_then(|(_, frame)| frame.as_ref())
        };
        let why = if moved {
            "moved"
        } else if late {
            "late"
        } else if tombstone.is_some_and(|tombstone| tombstone > number) {
            "purged"
        } else if !is_sent {
            "lost"
        } else if stands.is_some_and(|stands| stands.number > number) {
            "older"
        } else {
            "stored"
        };
        if why == "stored" {
            let frame = Some(put.frame.clone());
            if variant.is_empty() {
                standing.frame = frame;
            } else {
                standing.variants.insert(variant.clone(), (names.clone(), frame));
            }
            if !put.identity.is_empty() {
                slot.registry.retain(|_, until| *until > now);
                let until = slot.registry.entry(put.identity.clone()).or_default();
                *until = (*until).max(now + put.keep);
            }
        }
        (why.to_owned(), self.release(&put.key, &put.identity, &put.token).unwrap_or(false))
    }

    /// `lease.lua`.
    pub(crate) fn lease(&mut self, key: &str, identity: &str, token: &str, late: bool) -> String {
        let standing = self.slot(key).standing.entry(identity.to_owned()).or_default();
        standing.take_lease(token, !late)
    }

    /// `renew.lua`: whether the lease is still held.
    pub(crate) fn renew(&mut self, key: &str, identity: &str, token: &str) -> bool {
        let standing = self.slot(key).standing.get(identity);
        standing.and_then(|one| one.lease.as_ref()).is_some_and(|(held, _)| held == token)
    }

    /// `release.lua`: none, if the lease is another's; else whether somebody was told.
    pub(crate) fn release(&mut self, key: &str, identity: &str, token: &str) -> Option<bool> {
        let standing = self.slot(key).standing.get_mut(identity)?;
        let lease = standing.lease.take_if(|(held, _)| held == token);
        lease.map(|(_, waits)| waits)
    }

    /// `erase.lua`: how many frames went.
    pub(crate) fn erase(
        &mut self,
        (key, identities): (&str, &[&str]),
        number: Number,
        keep: u64,
        now: u64,
    ) -> usize {
        let before = self.tombstone(key, now);
        let slot = self.slot(key);
        if before.is_none_or(|before| before < number) {
            slot.tombstone = Some((number, now + keep));
        }
        let listed = identities.iter().map(|one| (*one).to_owned());
        let all: Vec<String> = listed.chain(slot.registry.keys().cloned()).collect();
        slot.registry.clear();
        let mut gone = 0;
        for identity in all {
            let Some(standing) = slot.standing.remove(&identity) else { continue };
            gone += usize::from(standing.frame.is_some());
            gone += standing.variants.values().filter(|(_, frame)| frame.is_some()).count();
        }
        gone
    }

    /// `unlink.lua`, where the frame that was looked at is told by its number and version.
    pub(crate) fn unlink(&mut self, key: &str, identity: &str, looked: &Frame) -> bool {
        let standing = self.slot(key).standing.get_mut(identity);
        standing.is_some_and(|one| one.frame.take_if(|frame| frame == looked).is_some())
    }
}
