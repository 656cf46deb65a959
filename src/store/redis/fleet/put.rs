//! Into the shared level: a frame under the number that was known before its origin was asked, with
//! its expiry in the same command, on the very server that was asked then. Nobody waits for it.

use std::sync::Arc;

use bytes::Bytes;
use tokio::time::Instant;

use super::reply::{array, bytes, hex, text};
use super::{Effects, Fleet, Lease, News, Standing};
use crate::base::clock::Timestamp;
use crate::base::limits;
use crate::base::tasks;
use crate::base::units::Span;
use crate::entry::frame::{self, FrameError, Framed, NUMBER_AT, Treatment};
use crate::entry::pack::Packing;
use crate::entry::seal::KeyRing;
use crate::entry::{Body, Entry, Key};
use crate::policy::Selecting;
use crate::store::redis::fault::TierFault;
use crate::store::redis::keys::Place;
use crate::store::redis::script::{ScriptCall, Step};
use crate::store::redis::scripts;
use crate::store::redis::slot::Slot;

/// How a rule wants its entries kept here.
#[derive(Clone, Debug, Default)]
pub struct Keeping {
    /// What the rule's `shard` gave.
    pub shard: Option<String>,
    /// How bodies are packed.
    pub packing: Option<Packing>,
    /// Whether frames are sealed.
    pub sealed: bool,
    /// Whether the packed body is wanted back.
    pub wanted: bool,
}

/// What came of a put.
#[derive(Debug, Default)]
pub struct Put {
    /// Whether it stands there.
    pub stands: bool,
    /// The body as it was packed, where that is wanted and it was, whatever Redis says.
    pub packed: Option<Body>,
}

impl Fleet {
    /// Puts an entry that stands in L1, or that no order forbade to stand there. Ends the lease
    /// that it was fetched under, whatever comes of it.
    pub async fn put(
        &self,
        key: &Key,
        entry: &Arc<Entry>,
        keeping: &Keeping,
        standing: &Standing,
        lease: &Lease,
        effects: &dyn Effects,
    ) -> Put {
        let place = Place::of(key, keeping.shard.as_deref());
        let kept = kept_for(entry, effects.now());
        let framed = match kept {
            Some(_) => self.frame(key, entry, keeping, standing).await,
            None => Err(FrameError::TooLong),
        };
        let (Ok((frame, packed)), Some(kept)) = (framed, kept) else {
            self.stats.unframed.count();
            self.release(&place, lease, false);
            return Put::default();
        };
        let mut put = Put { packed, ..Put::default() };
        let began = Instant::now();
        let said = self.send(entry, &place, standing, lease, &frame, kept).await;
        let micros = began.elapsed().as_micros() as u64;
        let result = match said {
            Ok(Said { word, over }) if word == "stored" => {
                put.stands = true;
                self.stats.puts.count();
                self.credit_replaced(key, &over).await;
                0
            }
            Ok(_) => {
                self.stats.puts_refused.count();
                1
            }
            Err(fault) => {
                self.stats.put_faults.count();
                if let TierFault::Refused(why) = fault {
                    self.stats.tell_refusal(&why, self.steady_ms(), |why| {
                        effects.tell(&News::Refused { why });
                    });
                }
                self.release(&place, lease, false);
                2
            }
        };
        self.stats.putting.record(result, micros);
        put
    }

    /// A newer answer than what stands there may not be kept: the older one must not be served in
    /// its stead. Nobody waits for that.
    pub fn forget(&self, key: &Key, shard: Option<&str>, selecting: &Selecting) {
        let place = Place::of(key, shard);
        let name = self.names.frame(&place, &selecting.id().unwrap_or_default());
        let Ok(server) = self.servers.master(Slot::of(&name)) else { return };
        let mut unlink = redis::cmd("UNLINK");
        unlink.arg(&name);
        tasks::tend(async move {
            // What stays is as old as it was, and ends with its lifetime.
            let _ = server.call::<redis::Value>(&unlink, limits::L2_BACKGROUND_DEADLINE).await;
        });
    }

    /// The bytes, and the packed body in them, where that is wanted; those of a large body are made
    /// beside the requests of this thread.
    async fn frame(
        &self,
        key: &Key,
        entry: &Arc<Entry>,
        keeping: &Keeping,
        standing: &Standing,
    ) -> Result<(Bytes, Option<Body>), FrameError> {
        if entry.body.len() > self.config.max_object {
            return Err(FrameError::TooLong);
        }
        let seal: Option<Arc<KeyRing>> = if keeping.sealed {
            // Without a key nothing that must be sealed leaves the process.
            Some(self.ring.clone().ok_or(FrameError::Sealed)?)
        } else {
            None
        };
        let (packing, skew, number) = (keeping.packing, self.skew(), standing.number);
        let wanted = keeping.wanted;
        let make = move |key: &Key, entry: &Entry| {
            let how = Treatment { packing, seal: seal.as_deref() };
            let Framed { bytes, packed } = frame::encode(key, entry, number, skew, &how)?;
            let packed = packed.filter(|_| wanted);
            Ok((bytes, packed.map(|packed| Body::from_chunks(vec![packed.into()]))))
        };
        let (frame, packed) = if entry.body.len() < limits::FRAMED_AT_ONCE_BYTES {
            make(key, entry)?
        } else {
            let (key, entry) = (key.clone(), Arc::clone(entry));
            tasks::aside(move || make(&key, &entry)).await.unwrap_or(Err(FrameError::TooLong))?
        };
        let fits = frame.len() as u64 <= self.config.max_object.saturating_add(FRAME_SPARE);
        if fits { Ok((frame, packed)) } else { Err(FrameError::TooLong) }
    }

    async fn send(
        &self,
        entry: &Entry,
        place: &Place<'_>,
        standing: &Standing,
        lease: &Lease,
        frame: &[u8],
        kept: Span,
    ) -> Result<Said, TierFault> {
        let variant = entry.selecting.id().unwrap_or_default();
        let names: Vec<&str> =
            entry.selecting.names().iter().map(http::HeaderName::as_str).collect();
        let lease_name = self.names.lease(place);
        let frame_name = self.names.frame(place, &variant);
        let keys = [
            frame_name.clone(),
            self.names.directory(place),
            self.names.tombstone(place),
            lease_name.clone(),
            self.names.registry(place),
        ];
        let keys: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
        let usual = keys_usual(place);
        let rest = if usual { "" } else { place.rest() };
        let token = if let Lease::Ours(token) = lease { token.as_str() } else { "" };
        let number = |value: u64| value.to_string().into_bytes();
        let args: [Vec<u8>; 14] = [
            hex(standing.number).into_bytes(),
            number(kept.as_millis()),
            standing.run.clone(),
            number(standing.at_ms),
            number(limits::ORDER_MEMORY.as_millis()),
            variant.into_bytes(),
            names.join(",").into_bytes(),
            rest.as_bytes().to_vec(),
            token.as_bytes().to_vec(),
            self.names.channel("wake").into_bytes(),
            self.wake_word(&lease_name).into_bytes(),
            number(NUMBER_AT.start as u64),
            number(limits::VARIANTS_PER_KEY_MAX as u64),
            // What it replaces is of interest only where orders count what went for them.
            number(if self.reclaiming().is_idle(self.steady_ms()) { 0 } else { OVER as u64 }),
        ];
        let mut args: Vec<&[u8]> = args.iter().map(Vec::as_slice).collect();
        let server = self.servers.master(Slot::of(&frame_name))?;
        let deadline = limits::L2_BACKGROUND_DEADLINE;
        if frame.len() <= limits::BULKY_BYTES {
            args.insert(1, frame);
            let said = server.script(&scripts::PUT, &keys, &args, deadline).await?;
            return Said::read(&said);
        }
        // What passes through a script is hashed and copied.
        let sent = self.names.sent(place, &self.token());
        let mut keys = keys;
        keys.push(&sent);
        args.insert(1, b"");
        let mut set = redis::cmd("SET");
        set.arg(&sent).arg(frame).arg("PX").arg(limits::L2_SENT_FOR.as_millis());
        let put = ScriptCall { script: &scripts::PUT, keys: &keys, args: &args };
        let said = server.steps(&[Step::Command(set), Step::Script(put)], deadline).await?;
        // If it was not sent, that is why it was not put.
        let said = said.into_iter().collect::<Result<Vec<_>, _>>()?;
        Said::read(said.get(1).unwrap_or(&redis::Value::Nil))
    }
}

/// What of a replaced frame is told: enough for its labels, as a rule.
const OVER: usize = 1_024;

/// What Redis says of a put.
struct Said {
    word: String,
    /// The beginning of what it replaced.
    over: Vec<u8>,
}

impl Said {
    fn read(reply: &redis::Value) -> Result<Self, TierFault> {
        let parts = array(reply).unwrap_or_default();
        let word = parts.first().map_or_else(|| text(reply), text).map(str::to_owned);
        let over = parts.get(1).and_then(bytes).unwrap_or_default().to_vec();
        let word = word.ok_or_else(|| TierFault::Garbage("no word of a put".to_owned()))?;
        Ok(Self { word, over })
    }
}

/// What a frame may have beside its body.
const FRAME_SPARE: u64 = 1 << 20;

/// Whether an order on the key's text finds this identity without asking the registry.
fn keys_usual(place: &Place<'_>) -> bool {
    place.usual_rests().iter().any(|usual| usual == place.rest())
}

/// How long Redis keeps it: its lifetime and the windows after it, and never for ever. `None`: it
/// is of no use to others.
fn kept_for(entry: &Entry, now: Timestamp) -> Option<Span> {
    let stamp = &entry.stamp;
    let until = stamp.fresh_until.max(stamp.revalidate_until).max(stamp.error_until);
    let left = until.since(now).min(limits::L2_KEPT_MAX);
    (left > Span::default()).then_some(left)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::samples;

    #[test]
    fn nothing_is_kept_for_ever_and_nothing_useless_at_all() {
        let at = Timestamp::from_secs(1_000);
        let entry = |stamp| samples::full("x", crate::entry::Labels::default(), &[], stamp);
        let hour = entry(samples::stamp(at, 3_600));
        let kept = kept_for(&hour, at.plus(Span::from_secs(600)));
        assert_eq!(kept, Some(Span::from_secs(3_000)));
        assert_eq!(kept_for(&hour, at.plus(Span::from_secs(3_600))), None);
        let mut forever = samples::stamp(at, 1);
        forever.fresh_until = Timestamp::NEVER;
        assert_eq!(kept_for(&entry(forever), at), Some(limits::L2_KEPT_MAX));
    }
}
