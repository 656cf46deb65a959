//! A look into the shared level: the frame, judged against everything that was ordered until now.
//! The head is asked together with the frame, so whatever was acknowledged before the look began is
//! known before the frame is judged, whatever messages were lost.

use bytes::Bytes;
use http::{HeaderMap, HeaderName};
use tokio::time::{Instant, timeout_at};

use super::aside::Long;
use super::ask::Asked;
use super::lease::{Lease, lease_of};
use super::reclaim::each;
use super::reply::{Heading, Stood};
use super::{Effects, Fleet, News};
use crate::base::clock::Timestamp;
use crate::base::ids::{Number, Tick};
use crate::base::limits;
use crate::base::tasks;
use crate::base::units::Span;
use crate::entry::frame::{self, FrameError};
use crate::entry::order::Soft;
use crate::entry::{Entry, Key, Shapes};
use crate::policy::Selecting;
use crate::store::coherence::{OrderId, Verdict};
use crate::store::fence::Facts;
use crate::store::redis::fault::TierFault;
use crate::store::redis::keys::Place;
use crate::store::redis::scripts;
use crate::store::redis::slot::Slot;

/// What is looked for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The identity.
    pub key: &'a Key,
    /// What the rule's `shard` gave.
    pub shard: Option<&'a str>,
    /// The request's fields, which select a variant.
    pub fields: &'a HeaderMap,
    /// The type that the route stores under.
    pub kind: &'a str,
    /// Whether only sealed frames count.
    pub sealed: bool,
    /// Whether a replica may answer.
    pub replica: bool,
    /// For how long the fetch is to be this node's if nothing stands there.
    pub lease: Option<Span>,
    /// The tick under which the look begins.
    pub birth: Tick,
    /// Lists of names to share.
    pub shapes: &'a Shapes,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    /// Variants that answer the request and that no order names. Fresh or not.
    pub entries: Vec<Entry>,
    /// Whether other variants are listed there, of use or not.
    pub has_more: bool,
    /// Under what an answer of the origin may be put there.
    pub standing: Option<Standing>,
    /// Who fetches.
    pub lease: Lease,
    /// Frames stand there that did not come along.
    pub(super) long: Option<Long>,
}

/// What was known when the look was taken; a put is bound to it.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Every order up to this number was known.
    pub(super) number: Number,
    /// When, by the server's clock.
    pub(super) at_ms: u64,
    /// The server that was asked.
    pub(super) run: Vec<u8>,
}

/// A look on its way.
pub(super) struct Looking<'a> {
    pub(super) wanted: &'a Wanted<'a>,
    pub(super) effects: &'a dyn Effects,
    /// Whether all members had reported when the head was asked.
    pub(super) clean: bool,
    pub(super) entries: Vec<Entry>,
}

impl Fleet {
    /// Looks.
    ///
    /// # Errors
    /// Why the level has no answer. The request goes on without it.
    pub async fn find(
        &self,
        wanted: &Wanted<'_>,
        effects: &dyn Effects,
    ) -> Result<Found, TierFault> {
        let place = Place::of(wanted.key, wanted.shard);
        // All of it together takes little longer than one call may; a call ends by its own deadline
        // first, so that its server's breaker hears of it.
        let until = Instant::now() + self.config.budget.to_duration().mul_f32(1.25);
        if wanted.replica
            && let Ok(Some(found)) =
                timeout_at(until, self.find_on_replica(wanted, &place, effects)).await
        {
            return Ok(found);
        }
        let token = wanted.lease.map(|_| self.token()).unwrap_or_default();
        let found = timeout_at(until, self.find_on_master(wanted, &place, &token, effects)).await;
        let mut found = found.unwrap_or(Err(TierFault::Deadline));
        if let Ok(Found { long: Some(long), entries, .. }) = &mut found {
            entries.extend(self.find_long(wanted, &place, long, effects).await);
        }
        match &found {
            Ok(_) | Err(TierFault::Open | TierFault::Busy) => {}
            // Whether a lease was taken, nobody may know; it would be waited for in vain.
            Err(_) if wanted.lease.is_some() => self.release(&place, &Lease::Ours(token), false),
            Err(_) => {}
        }
        found
    }

    async fn find_on_master(
        &self,
        wanted: &Wanted<'_>,
        place: &Place<'_>,
        token: &str,
        effects: &dyn Effects,
    ) -> Result<Found, TierFault> {
        let epoch = self.servers_seen().epoch;
        let name = self.names.frame(place, "");
        let (heading, found) = self.ask_both(wanted, place, token, &name, effects).await?;
        let number = self.known_up_to(&heading, effects).await?;
        let mut looking = Looking { wanted, effects, clean: heading.clean, entries: Vec::new() };
        let mut long = Long { names: Vec::new(), bytes: 0, clean: heading.clean, epoch };
        self.open_asked(&mut looking, name, &found, &mut long).await;
        let looked = found.1;
        if !looked.variants.is_empty() {
            let names = self.asked_variants(wanted, place, &looked.variants);
            self.find_variants(&mut looking, place, names, &mut long).await?;
        }
        let long = (!long.names.is_empty()).then_some(long);
        let entries = looking.entries;
        let mut lease = lease_of(&looked.lease, looked.left_ms, token);
        let stands = looked.bytes > 0 || !looked.variants.is_empty();
        let fresh = entries.iter().any(|entry| entry.stamp.is_fresh(effects.now()));
        if let Some(span) = wanted.lease.filter(|_| stands && !fresh && long.is_none()) {
            lease = self.take_lease(place, token, span, effects).await;
        }
        let standing = Some(Standing { number, at_ms: looked.now_ms, run: looked.run });
        let has_more = !looked.variants.is_empty();
        Ok(Found { entries, has_more, standing, lease, long })
    }

    /// The life and the last applied order, as the head hears them.
    pub(super) fn said(&self) -> (String, String) {
        let member = self.member();
        (format!("{:016x}", member.life()), member.applied().to_string())
    }

    /// The turn that this node has checked in to, and when that began.
    pub(super) fn history(&self) -> (String, String) {
        let member = self.member();
        (member.turn().to_string(), member.began().to_owned())
    }

    /// Applies what the head knows, and says how far this node's knowledge reaches.
    pub(super) async fn known_up_to(
        &self,
        heading: &Heading,
        effects: &dyn Effects,
    ) -> Result<Number, TierFault> {
        self.catch_up(heading.last, self.config.budget, effects).await?;
        let member = self.member();
        if !member.has_reached(heading.turn, heading.last) {
            // The head was another server's than the log, or this node must check in first.
            drop(member);
            self.mend.notify_one();
            return Err(TierFault::Unserved);
        }
        Ok(member.applied())
    }

    async fn find_variants(
        &self,
        looking: &mut Looking<'_>,
        place: &Place<'_>,
        names: Vec<Vec<u8>>,
        long: &mut Long,
    ) -> Result<(), TierFault> {
        let Some(first) = names.first() else { return Ok(()) };
        let server = self.servers.master(Slot::of(first))?;
        // Each says itself which server it is of.
        let found = self.ask_frames(&server, place, &names, false).await?;
        for (name, found) in names.into_iter().zip(found) {
            self.open_asked(looking, name, &found, long).await;
        }
        Ok(())
    }

    /// Reads and judges a frame that came along, and notes the name of one that did not.
    pub(super) async fn open_asked(
        &self,
        looking: &mut Looking<'_>,
        name: Vec<u8>,
        (stood, looked): &Asked,
        long: &mut Long,
    ) {
        match stood {
            Some(Stood::Whole(bytes)) => {
                let floor = self.floor_of(&looked.run, long.epoch).await;
                self.open(looking, &name, bytes, looked.tombstone, floor);
            }
            Some(Stood::Long(bytes)) => {
                long.bytes = long.bytes.saturating_add(*bytes);
                long.names.push(name);
            }
            None => {}
        }
    }

    /// The names of those variants that a request with these fields selects.
    fn asked_variants(
        &self,
        wanted: &Wanted<'_>,
        place: &Place<'_>,
        variants: &[(String, String)],
    ) -> Vec<Vec<u8>> {
        let mut lists: Vec<&str> = variants.iter().map(|(_, names)| names.as_str()).collect();
        lists.sort_unstable();
        lists.dedup();
        let mut asked = Vec::new();
        for names in lists.into_iter().take(limits::VARIANTS_PER_KEY_MAX) {
            let names: Option<Vec<HeaderName>> =
                names.split(',').map(|name| name.parse().ok()).collect();
            let Some(names) = names else { continue };
            let selecting = Selecting::of(&names, wanted.fields);
            // Nothing that a credential selects is ever put here.
            let id = selecting.id().filter(|_| !selecting.holds_secret());
            if let Some(id) = id.filter(|id| variants.iter().any(|(known, _)| known == id)) {
                asked.push(self.names.frame(place, &id));
            }
        }
        asked
    }

    /// Reads a frame and judges it. One that cannot be read, or that an order names, goes. `floor`:
    /// the least number that is used of its server.
    pub(super) fn open(
        &self,
        looking: &mut Looking<'_>,
        name: &[u8],
        bytes: &Bytes,
        tombstone: Number,
        floor: Option<Number>,
    ) {
        let (wanted, ring) = (looking.wanted, self.ring.as_deref());
        let opened =
            frame::decode(wanted.key, bytes, self.skew(), ring, wanted.birth, wanted.shapes);
        let opened = match opened {
            Ok(opened) if wanted.sealed && !opened.sealed => Err(FrameError::Sealed),
            other => other,
        };
        let opened = match opened {
            Ok(opened) => opened,
            Err(error) => {
                self.stats.bad_frame(error.as_str());
                let (why, key) = (error.as_str(), wanted.key.text());
                self.stats.tell_now_and_then(why, self.steady_ms(), || {
                    looking.effects.tell(&News::BadFrame { why, key: key.to_owned() });
                });
                // Its key may be on its way to this node.
                if !matches!(error, FrameError::NoKey(_)) {
                    self.take_out(name, bytes, Vec::new());
                }
                return;
            }
        };
        let facts = Facts::of(wanted.key, &opened.entry.labels);
        let member = self.member();
        let verdict = member.judge(&facts, opened.number, looking.clean);
        let softs = member.softs_on(&facts, opened.number);
        drop(member);
        if tombstone > opened.number || verdict == Verdict::Purged {
            self.stats.refused.count();
            return self.take_out(name, bytes, self.claims(&facts, opened.number));
        }
        let is_sound = floor.is_some_and(|floor| opened.number >= floor);
        let of_kind = *opened.entry.labels.place.kind == *wanted.kind;
        let selects = opened.entry.selecting.matches(wanted.fields);
        if is_sound && verdict == Verdict::Current && of_kind && selects {
            if opened.entry.stamp.fresh_until == Timestamp::NEVER {
                self.renew(name, looking);
            }
            let skew = self.skew();
            let softs = softs.into_iter().map(|soft| Soft { at: skew.to_own(soft.at), ..soft });
            let softs: Vec<Soft> = softs.collect();
            looking.entries.extend(opened.entry.softly(&softs));
        }
    }

    /// What is kept for ever is kept for as long as it is used, with all by which orders find it;
    /// nobody waits for that.
    fn renew(&self, name: &[u8], looking: &Looking<'_>) {
        let wanted = looking.wanted;
        let Ok(server) = self.servers.master(Slot::of(name)) else { return };
        let place = Place::of(wanted.key, wanted.shard);
        let (registry, ms) = (self.names.registry(&place), limits::L2_KEPT_MAX.as_millis());
        let until = self.redis_now_ms(looking.effects).saturating_add(ms);
        let mut keep = redis::pipe();
        keep.cmd("PEXPIRE").arg(name).arg(ms);
        keep.cmd("PEXPIRE").arg(self.names.directory(&place)).arg(ms);
        keep.cmd("ZADD").arg(&registry).arg("XX").arg("GT").arg(until).arg(place.rest());
        keep.cmd("PEXPIRE").arg(&registry).arg(ms);
        tasks::tend(async move {
            // Another use will do as well.
            let _ = server.pipe::<redis::Value>(&keep, limits::L2_BACKGROUND_DEADLINE).await;
        });
    }

    /// Deletes a frame that is of no use, if it still stands, and books it for the orders that it
    /// goes for; nobody waits for that.
    fn take_out(&self, name: &[u8], bytes: &Bytes, claims: Vec<OrderId>) {
        let Ok(server) = self.servers.master(Slot::of(name)) else { return };
        let (name, beginning) = (name.to_vec(), bytes.slice(..bytes.len().min(24)));
        let booking = (!claims.is_empty()).then(|| self.booking());
        tasks::tend(async move {
            let patience = limits::L2_BACKGROUND_DEADLINE;
            // What stays is refused again, or expires.
            let gone = server
                .script::<redis::Value>(&scripts::UNLINK, &[&name], &[&beginning], patience)
                .await;
            if let Some(booking) = booking {
                // What was asked for and not answered may have been done all the same.
                let went = gone.ok().map(|said| said == redis::Value::Int(1));
                booking.book(each(claims, went)).await;
            }
        });
    }

    /// The least number of a frame that may be used of a server: it has been with the fleet all
    /// along, or somebody has repeated to it what it may have lost, and knew so much. What was
    /// learned only after a look was sent (`epoch`) does not count for it: the frame may have been
    /// erased in between.
    pub(super) async fn floor_of(&self, run: &[u8], epoch: u64) -> Option<Number> {
        if let Some((floor, since)) = self.servers_seen().sound.get(run) {
            return (*since <= epoch).then_some(*floor);
        }
        let mut ask = redis::cmd("HGET");
        ask.arg(self.names.order("runs")).arg(run);
        let server = self.head_server().ok()?;
        let floor: Option<String> = server.call(&ask, self.config.budget).await.ok()?;
        let floor = floor.and_then(|floor| floor.parse().ok());
        let mut seen = self.servers_seen();
        if let Some(floor) = floor {
            seen.learn(run, floor);
        } else {
            seen.unsound.insert(run.to_vec());
            drop(seen);
            self.mend.notify_one();
        }
        None
    }
}
