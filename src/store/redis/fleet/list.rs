//! What stands in the shared level, for operators: a page of all of it, and all that stands under
//! one key. Redis is asked for a little at a time, and has four times as long for others in
//! between; of each frame only the beginning is read. Nothing of this is on the way of a request.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use redis::Value;
use tokio::time::{Instant, sleep};

use super::Fleet;
use super::erase::text_of;
use super::reply::{array, bytes, pairs};
use crate::base::ids::Number;
use crate::base::limits;
use crate::entry::Key;
use crate::entry::frame::{self, Glimpse};
use crate::entry::order::Selector;
use crate::policy::stamp::Stamp;
use crate::store::gone::Gone;
use crate::store::redis::fault::TierFault;
use crate::store::redis::keys::Place;
use crate::store::redis::script::Step;
use crate::store::redis::server::Server;
use crate::store::redis::slot::Slot;

/// What of each frame is read: enough for its labels, as a rule, and for its times.
const BEGINNING: usize = 2_048;

/// A frame that stands there and that no order names.
#[derive(Clone, Debug)]
pub struct Kept {
    /// The identity.
    pub key: Key,
    /// The id of what selects this variant; empty where nothing does.
    pub variant: String,
    /// The names of fields that select this variant; none where nothing does.
    pub selecting: Vec<String>,
    /// The number under which its origin was asked.
    pub number: Number,
    /// The type's name.
    pub kind: String,
    /// The rule's name.
    pub rule: Option<String>,
    /// The absolute URI it was stored for, where that is not its key.
    pub target: Option<String>,
    /// Its tags.
    pub tags: Vec<String>,
    /// Bytes of the frame.
    pub bytes: u64,
    /// Bytes of its body when it is not packed.
    pub body_bytes: u64,
    /// For how many more milliseconds Redis keeps it.
    pub kept_ms: u64,
    /// Whether it is sealed.
    pub sealed: bool,
    /// Times and status; nothing where they are sealed.
    pub stamp: Option<(Stamp, http::StatusCode)>,
}

/// A page of frames. It may hold a few more than were asked for, since Redis gives what it gives.
#[derive(Clone, Debug, Default)]
pub struct KeptPage {
    /// What it holds.
    pub found: Vec<Kept>,
    /// From where the next one goes on; nothing at the end.
    pub next: Option<String>,
}

/// What there is of some selectors.
#[derive(Clone, Debug, Default)]
pub struct Counted {
    /// The frames, each once.
    pub gone: Gone,
    /// Texts of some of their keys, each once.
    pub sample: Vec<String>,
    /// Whether all that Redis holds was looked through.
    pub whole: bool,
}

/// Why there is no page.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ListFault {
    /// The place is of no page of this level as it is now.
    #[error("`after` names a server that is no master any more; begin anew without it")]
    After,
    /// A server does not answer.
    #[error("{0}")]
    Tier(#[from] TierFault),
}

impl Fleet {
    /// Frames that any of these selectors names, about `most`, from where another page ended.
    ///
    /// # Errors
    /// When a server does not answer, or the place means nothing any more.
    pub async fn list(
        &self,
        selectors: &[Selector],
        after: Option<&str>,
        most: usize,
    ) -> Result<KeptPage, ListFault> {
        let mut masters = self.servers.masters();
        masters.sort_by_key(|server| server.address().to_string());
        let (mut at, mut cursor) = match after {
            None => (0, "0".to_owned()),
            Some(after) => place_of(&masters, after).ok_or(ListFault::After)?,
        };
        let until = Instant::now() + limits::LISTED_WITHIN.to_duration();
        let mut page = KeptPage::default();
        while let Some(server) = masters.get(at) {
            let began = Instant::now();
            let (next, names) = self.scan(server, &cursor).await?;
            let kept = self.kept(server, names).await?;
            page.found.extend(kept.into_iter().filter(|one| one.is_of(selectors)));
            let ended = next == "0";
            (at, cursor) = if ended { (at + 1, "0".to_owned()) } else { (at, next) };
            let Some(server) = masters.get(at) else { return Ok(page) };
            if page.found.len() >= most || Instant::now() >= until {
                page.next = Some(format!("{}/{cursor}", server.address()));
                return Ok(page);
            }
            sleep(began.elapsed() * 4).await;
        }
        Ok(page)
    }

    /// Counts the frames that any of these selectors names, as far as they are found in time, with
    /// the keys of some, at most `sample`. What comes or goes meanwhile may or may not be met.
    ///
    /// # Errors
    /// When a server does not answer.
    pub async fn count(&self, selectors: &[Selector], sample: usize) -> Result<Counted, ListFault> {
        let until = Instant::now() + limits::COUNTED_WITHIN.to_duration();
        let (mut counted, mut after) = (Counted::default(), None);
        // Redis may show a name more than once.
        let (hasher, mut seen) = (RandomState::new(), HashSet::new());
        loop {
            let page = self.list(selectors, after.as_deref(), limits::COUNTED_AT_ONCE).await?;
            for kept in page.found {
                if !seen.insert(hasher.hash_one((kept.key.identity(), &kept.variant))) {
                    continue;
                }
                counted.gone.count(kept.key.identity(), || &kept.variant);
                let text = kept.key.text();
                if counted.sample.len() < sample && !counted.sample.iter().any(|one| one == text) {
                    counted.sample.push(text.to_owned());
                }
            }
            counted.whole = page.next.is_none();
            after = page.next;
            let goes_on = Instant::now() < until && seen.len() < limits::COUNTED_MAX;
            if counted.whole || !goes_on {
                return Ok(counted);
            }
        }
    }

    /// Frames that any of these selectors names, as [`Fleet::list`] finds them. Where they name
    /// keys alone, and each stands where its text leads, nothing else is looked through.
    ///
    /// # Errors
    /// When a server does not answer, or the place means nothing any more.
    pub async fn named(
        &self,
        selectors: &[Selector],
        after: Option<&str>,
        most: usize,
    ) -> Result<KeptPage, ListFault> {
        let located = self.is_located() && !self.apart.load(Ordering::Relaxed);
        let texts: Option<Vec<&str>> = selectors.iter().map(text_of).collect();
        let Some(texts) = texts.filter(|_| located) else {
            return self.list(selectors, after, most).await;
        };
        let mut texts: Vec<&str> = texts.into_iter().take(most).collect();
        texts.sort_unstable();
        texts.dedup();
        let mut page = KeptPage::default();
        for text in texts {
            page.found.extend(self.kept_under(text, None).await?);
        }
        Ok(page)
    }

    /// All frames of a key's text, without a place that a rule gives it, or with `shard`.
    ///
    /// # Errors
    /// When their server does not answer.
    pub async fn kept_under(
        &self,
        text: &str,
        shard: Option<&str>,
    ) -> Result<Vec<Kept>, TierFault> {
        let usual = ["", "*"].map(|caller| Key::new(text, "", caller));
        let [first, _] = &usual;
        let registry = self.names.registry(&Place::of(first, shard));
        let server = self.servers.master(Slot::of(&registry))?;
        let mut ask = redis::cmd("ZRANGE");
        ask.arg(&registry).arg(0).arg(limits::IDENTITIES_TOLD_MAX - 1);
        let rests: Value = server.call(&ask, limits::L2_BACKGROUND_DEADLINE).await?;
        let own = Place::of(first, shard);
        let before = own.rest().strip_suffix("\u{1}\u{1}").unwrap_or_default();
        let others = array(&rests).unwrap_or_default().iter().filter_map(super::reply::text);
        let others = others.filter_map(|rest| {
            let behind = rest.strip_prefix(before)?;
            Some(Key::of_identity(&format!("{text}{behind}")))
        });
        let identities: Vec<Key> = usual.iter().cloned().chain(others).collect();
        let mut names = Vec::new();
        for key in &identities {
            let place = Place::of(key, shard);
            let mut ask = redis::cmd("HGETALL");
            ask.arg(self.names.directory(&place));
            let variants: Value = server.call(&ask, limits::L2_BACKGROUND_DEADLINE).await?;
            names.push((self.names.frame(&place, ""), Vec::new()));
            names.extend(pairs(&variants).into_iter().map(|(id, fields)| {
                let fields = fields.split(',').map(str::to_owned).collect();
                (self.names.frame(&place, &id), fields)
            }));
        }
        names.truncate(limits::IDENTITIES_TOLD_MAX);
        self.glimpses(&server, names).await
    }

    async fn kept(&self, server: &Server, names: Vec<Vec<u8>>) -> Result<Vec<Kept>, TierFault> {
        let names = names.into_iter().map(|name| (name, Vec::new())).collect();
        self.glimpses(server, names).await
    }

    /// What there is to frames of these names, in one round trip.
    async fn glimpses(
        &self,
        server: &Server,
        names: Vec<(Vec<u8>, Vec<String>)>,
    ) -> Result<Vec<Kept>, TierFault> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let mut asks = Vec::with_capacity(3 * names.len());
        for (name, _) in &names {
            let mut get = redis::cmd("GETRANGE");
            get.arg(name).arg(0).arg(BEGINNING - 1);
            let (mut length, mut left) = (redis::cmd("STRLEN"), redis::cmd("PTTL"));
            length.arg(name);
            left.arg(name);
            asks.extend([get, length, left].map(Step::Command));
        }
        // What stands there may be of another kind, which is that name's fault alone.
        let said = server.steps(&asks, limits::L2_BACKGROUND_DEADLINE).await?;
        let mut found = Vec::new();
        for ((name, selecting), three) in names.into_iter().zip(said.chunks(3)) {
            let [Ok(beginning), Ok(length), Ok(left)] = three else { continue };
            let Some(beginning) = bytes(beginning).filter(|bytes| !bytes.is_empty()) else {
                continue;
            };
            let Some((identity, variant)) = self.names.identity_and_variant(&name) else {
                continue;
            };
            let counts = (int(length), int(left));
            let key = Key::of_identity(&identity);
            let more;
            let beginning = match frame::outline_bytes(beginning) {
                Ok(needed) if needed > beginning.len() => {
                    let mut get = redis::cmd("GETRANGE");
                    get.arg(&name).arg(0).arg(needed + BEGINNING);
                    more = server.call::<Vec<u8>>(&get, limits::L2_BACKGROUND_DEADLINE).await?;
                    &more
                }
                _ => beginning,
            };
            // What is no frame, or a newer cistern's, cannot be told.
            let Ok(seen) = frame::glimpse(beginning, self.skew()) else { continue };
            let kept = self.standing(key, selecting, &seen, counts);
            found.extend(kept.map(|kept| Kept { variant: variant.to_owned(), ..kept }));
        }
        Ok(found)
    }

    /// Nothing where an order names it: it is not used any more, and goes.
    fn standing(
        &self,
        key: Key,
        selecting: Vec<String>,
        seen: &Glimpse<'_>,
        (bytes, kept_ms): (u64, u64),
    ) -> Option<Kept> {
        let outline = &seen.outline;
        if self.is_purged(&key, outline) {
            return None;
        }
        Some(Kept {
            variant: String::new(),
            selecting,
            number: outline.number,
            kind: outline.kind.to_owned(),
            rule: outline.rule.map(str::to_owned),
            target: outline.target.map(str::to_owned),
            tags: outline.tags.iter().map(|tag| (*tag).to_owned()).collect(),
            bytes,
            body_bytes: seen.body_bytes,
            kept_ms,
            sealed: seen.sealed,
            stamp: seen.stamp,
            key,
        })
    }
}

impl Kept {
    fn is_of(&self, selectors: &[Selector]) -> bool {
        let tags: Vec<Arc<str>> = self.tags.iter().map(|tag| Arc::from(tag.as_str())).collect();
        let rule = self.rule.as_deref().unwrap_or_default();
        selectors.iter().any(|one| {
            one.covers(self.key.text(), &tags, &self.kind, rule)
                || matches!(one, Selector::Url(url) if self.target.as_deref() == Some(url))
        })
    }
}

/// The master and the cursor that a page told.
fn place_of(masters: &[Arc<Server>], after: &str) -> Option<(usize, String)> {
    let (address, cursor) = after.rsplit_once('/')?;
    let is_cursor = !cursor.is_empty() && cursor.bytes().all(|byte| byte.is_ascii_digit());
    let at = masters.iter().position(|server| server.address().to_string() == address)?;
    is_cursor.then(|| (at, cursor.to_owned()))
}

fn int(value: &Value) -> u64 {
    super::reply::int(value).unwrap_or_default()
}
