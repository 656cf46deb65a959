//! An entry that an operator puts into the levels. It is ordered against everything else as if it
//! were a write and the fetch behind it in one: first an order on its key goes to all nodes, so
//! that nothing older stands or may still be stored; then, under a birth and a number from after
//! that order, it is stored. A purge that comes later names it like any other entry.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use tokio::time::Instant;

use super::spot::{Named, NoSpot, Spot};
use crate::base::ids::Tick;
use crate::base::limits;
use crate::base::reason::Reason;
use crate::base::units::Span;
use crate::engine::ordering::{self, Carried, Patience};
use crate::engine::{Engine, labels};
use crate::entry::order::{Order, Selector};
use crate::entry::pack::Packing;
use crate::entry::{Body, Entry, Head, Key, Labels, resource};
use crate::policy::stamp::{Stamp, StampFlags};
use crate::policy::{Selecting, date};
use crate::store::fence::{Birth, Facts};
use crate::store::l1::Landed;
use crate::store::redis::fleet::{Fleet, Keeping, Lease, Level, Standing, Wanted};
use crate::telemetry::event::Event;

/// What is put.
#[derive(Clone, Debug)]
pub struct Content {
    /// Its bytes, counted while they are on their way.
    pub body: Bytes,
    /// Its `Content-Type`.
    pub content_type: HeaderValue,
    /// How long it is fresh; as the rule says where nothing is said.
    pub ttl: Option<Span>,
    /// Its tags.
    pub tags: Vec<String>,
}

impl Content {
    fn fields(&self) -> HeaderMap {
        HeaderMap::from_iter([(header::CONTENT_TYPE, self.content_type.clone())])
    }
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Placed {
    /// The key that it stands under.
    pub key: String,
    /// Identities of that key that it was put under: sites, and the words that rules share by.
    pub identities: usize,
    /// Why it does not stand in L1, if it does not.
    pub l1: Result<(), Reason>,
    /// Whether it stands in the shared level; nothing where it does not belong there.
    pub l2: Option<bool>,
    /// How long it is fresh.
    pub ttl: Span,
    /// What became of the order that made room for it.
    pub carried: Carried,
}

/// Why nothing was put.
#[derive(Debug, thiserror::Error)]
pub enum NotPut {
    /// Nobody knows where it belongs.
    #[error(transparent)]
    NoSpot(#[from] NoSpot),
    /// Neither call nor rule says how long it is fresh.
    #[error("say ttl=TIME: the rule gives none")]
    NoTtl,
    /// More than an entry may have, or a text that no tag can be.
    #[error(
        "an entry has at most {} tags, each 1 to {} bytes of printable ASCII without `*`, \
         and none begins with `>`",
        limits::TAGS_PER_ENTRY_MAX,
        limits::KEY_BYTES_MAX
    )]
    Tags,
    /// Longer than the rule keeps.
    #[error("the body is longer than {0} bytes, which is the most that is kept (max_object)")]
    TooLong(u64),
    /// Nothing is stored now.
    #[error("the bypass is on, and nothing is stored; `cistern bypass off` ends it")]
    Off,
    /// A purge that names it came at the same moment.
    #[error("a purge of this entry came while it was put; nothing was stored")]
    Purged,
    /// Another node stores something there, again and again.
    #[error("other nodes are putting or fetching this key; nothing was stored; repeat the call")]
    Busy,
    /// Nobody knows what other nodes put there.
    #[error("the shared level did not answer; the key was purged, nothing was stored; repeat it")]
    Away,
}

/// An identity that an entry is put under, and under what it may be put into the shared level.
struct Held {
    key: Key,
    standing: Option<Standing>,
    lease: Lease,
    /// Nothing stands there, and nobody fetches it.
    free: bool,
}

impl Held {
    /// Without a shared level.
    fn locally(key: &Key) -> Self {
        Self { key: key.clone(), standing: None, lease: Lease::None, free: true }
    }
}

/// Puts an entry where a GET that is looked up under its key finds it, in place of what stands.
///
/// # Errors
/// When it cannot be said where that is, it may not stand there, or a purge came in between.
pub async fn put(
    engine: &Arc<Engine>,
    named: &Named<'_>,
    content: Content,
) -> Result<Placed, NotPut> {
    let spot = Spot::of(engine, named, !content.tags.is_empty())?;
    let ttl = content.ttl.or(spot.ttl).ok_or(NotPut::NoTtl)?;
    let most = spot.max_object.unwrap_or(engine.options.max_object);
    if content.body.len() as u64 > most {
        return Err(NotPut::TooLong(most));
    }
    if engine.bypass.is_on(Instant::now()) {
        return Err(NotPut::Off);
    }
    let labels = labels(engine, &spot, &content)?;
    let order = Order::of([Selector::Key(spot.text.clone())]);
    let (birth, carried, held) = cleared(engine, &spot, &order).await?;
    let admitted = spot.keys.iter().all(|key| birth.admits(&Facts::of(key, &labels)));
    // What was fetched until now is older than this, and must not be stored over it; nor what is
    // fetched until it stands.
    engine.fences.raise(&order);
    let own = engine.fences.begin();
    drop(birth);
    let made = Made { spot: &spot, content: &content, labels: &labels, ttl };
    let (l1, landed) = if admitted {
        made.land(engine, &own, &held)
    } else {
        (Err(Reason::PurgedDuringFetch), Vec::new())
    };
    engine.fences.raise(&order);
    let late = engine.fences.begin();
    drop(own);
    if l1 == Err(Reason::PurgedDuringFetch) {
        give_back(engine, &spot, held);
        return Err(NotPut::Purged);
    }
    let l2 = share(engine, &spot, held, &landed, &late).await;
    let identities = spot.keys.len();
    Ok(Placed { key: spot.text, identities, l1, l2, ttl, carried })
}

/// As a fetch of it would have them, beside those that the call gave.
fn labels(engine: &Engine, spot: &Spot, content: &Content) -> Result<Labels, NotPut> {
    let fits = |tag: &String| {
        let plain = tag.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'*');
        plain && !resource::is_tag(tag) && !tag.is_empty() && tag.len() <= limits::KEY_BYTES_MAX
    };
    if !content.tags.iter().all(fits) {
        return Err(NotPut::Tags);
    }
    let (labels, ruled) = match &spot.read {
        None => (Labels { place: Arc::clone(&spot.place), ..Labels::default() }, Vec::new()),
        Some(read) => {
            let (transit, plan) = &**read;
            let body = Body::from_chunks(vec![content.body.clone()]);
            let fields = content.fields();
            let asked = transit.asked();
            (plan.labels(transit), labels::by_rule(engine, plan, &asked, &body, &fields))
        }
    };
    let mut tags = labels.tags.to_vec();
    for tag in content.tags.iter().chain(&ruled) {
        if !tags.iter().any(|one| **one == **tag) {
            tags.push(tag.as_str().into());
        }
    }
    let few = resource::given(&tags).count() <= limits::TAGS_PER_ENTRY_MAX;
    few.then(|| Labels { tags: tags.into(), ..labels }).ok_or(NotPut::Tags)
}

/// Makes room on all nodes. Who asks from then on waits for this, or is told to anew: what another
/// node fetched or put after the order, or is fetching, would stand beside this entry. Where the
/// shared level is away the entry stands on this node alone; but where the order has reached it,
/// nothing is put that others might put too.
async fn cleared(
    engine: &Engine,
    spot: &Spot,
    order: &Order,
) -> Result<(Birth, Carried, Vec<Held>), NotPut> {
    let mut tries = 0;
    loop {
        tries += 1;
        let patience = Patience::Nodes(limits::CONFIRM_WAIT.to_duration());
        let carried = ordering::order_all(engine, order, "admin", None, false, patience).await;
        let birth = engine.fences.begin();
        let fleet = engine.fleet.as_ref().filter(|_| {
            // What is not numbered yet would come after what is put now.
            spot.shared && carried.receipt.level != Level::Local
        });
        let mut held = Vec::with_capacity(spot.keys.len());
        for key in &spot.keys {
            held.push(match fleet {
                None => Some(Held::locally(key)),
                Some(fleet) => hold(engine, fleet, spot, key, birth.tick()).await,
            });
        }
        let heard = held.iter().all(Option::is_some);
        let held: Vec<Held> = held.into_iter().flatten().collect();
        if heard && held.iter().all(|one| one.free) {
            return Ok((birth, carried, held));
        }
        give_back(engine, spot, held);
        if !heard {
            return Err(NotPut::Away);
        }
        if tries == limits::PUT_TRIES_MAX {
            return Err(NotPut::Busy);
        }
    }
}

/// Nothing where the shared level does not answer.
async fn hold(engine: &Engine, fleet: &Fleet, spot: &Spot, key: &Key, birth: Tick) -> Option<Held> {
    let fields = HeaderMap::new();
    let wanted = Wanted {
        key,
        shard: spot.shard.as_deref(),
        fields: &fields,
        kind: &spot.place.kind,
        sealed: spot.keeping.encrypt,
        replica: false,
        lease: Some(limits::LEASE_FOR),
        birth,
        shapes: engine.l1.shapes(),
    };
    let found = fleet.find(&wanted, engine).await.ok()?;
    // Where a shard is, variants of before the order may be listed until they are swept.
    let more = found.has_more && spot.shard.is_none();
    let free = found.entries.is_empty() && !more && !matches!(found.lease, Lease::Theirs(_));
    Some(Held { key: key.clone(), standing: found.standing, lease: found.lease, free })
}

fn give_back(engine: &Engine, spot: &Spot, held: Vec<Held>) {
    let Some(fleet) = &engine.fleet else { return };
    for one in held {
        fleet.give_back(&one.key, spot.shard.as_deref(), &one.lease, false);
    }
}

/// What entries are made from.
struct Made<'a> {
    spot: &'a Spot,
    content: &'a Content,
    labels: &'a Labels,
    ttl: Span,
}

impl Made<'_> {
    /// Stores it under each identity, in place of all that stands.
    fn land(
        &self,
        engine: &Engine,
        birth: &Birth,
        held: &[Held],
    ) -> (Result<(), Reason>, Vec<Arc<Entry>>) {
        let body = Body::in_transit(vec![self.content.body.clone()], &engine.transit);
        engine.l1.remove_key(&self.spot.text);
        let mut outcome = Ok(());
        let mut entries = Vec::with_capacity(held.len());
        for one in held {
            let entry = Arc::new(self.entry(engine, birth, &one.key, body.clone()));
            let landed = if self.spot.keeping.l1 {
                engine.store(birth, one.key.clone(), Arc::clone(&entry))
            } else if birth.admits(&Facts::of(&one.key, &entry.labels)) {
                Landed::Stored
            } else {
                Landed::Refused
            };
            outcome = outcome.and(landed.refusal().map_or(Ok(()), Err));
            if landed == Landed::Stored {
                let (key, rule) = (one.key.text(), self.spot.place.rule.as_deref());
                let ttl = self.ttl.as_secs();
                let event = Event::Store { key, rule, ttl, bytes: entry.cost() };
                engine.telemetry.tell(engine.clock.now(), &event);
            }
            entries.push(entry);
        }
        (outcome, entries)
    }

    fn entry(&self, engine: &Engine, birth: &Birth, key: &Key, body: Body) -> Entry {
        let now = engine.clock.now();
        let until = now.plus(self.ttl);
        let stamp = Stamp {
            stored_at: now,
            age_at_store: Span::ZERO,
            date: now,
            fresh_until: until,
            revalidate_until: until,
            error_until: until,
            born: birth.tick(),
            flags: StampFlags::BY_RULE,
        };
        let doubted = engine.settling.doubts(&Facts::of(key, self.labels));
        let stamp = if doubted { stamp.within(limits::LAG_MAX) } else { stamp };
        let mut fields = self.content.fields();
        fields.insert(header::DATE, date::write(now));
        let head = Head::shaped(StatusCode::OK, &fields, engine.l1.shapes());
        let selecting = Selecting::of(&[], &HeaderMap::new());
        let mut entry = Entry::new(head, body, stamp, selecting, self.labels.clone());
        entry.known_ms = engine.trust.at(birth.began());
        entry
    }
}

/// Puts what stands here where all nodes find it, unless it is in doubt or was named by now.
async fn share(
    engine: &Arc<Engine>,
    spot: &Spot,
    held: Vec<Held>,
    entries: &[Arc<Entry>],
    late: &Birth,
) -> Option<bool> {
    let fleet = engine.fleet.as_ref().filter(|_| spot.shared)?;
    let keeping = Keeping {
        shard: spot.shard.clone(),
        packing: spot.keeping.compress.map(|(level, min)| Packing { level, min }),
        sealed: spot.keeping.encrypt,
        wanted: false,
    };
    let mut all = true;
    for (Held { key, standing, lease, .. }, entry) in held.into_iter().zip(entries) {
        let facts = Facts::of(&key, &entry.labels);
        let may = late.admits(&facts) && !engine.settling.doubts(&facts);
        let Some(standing) = standing.filter(|_| may) else {
            fleet.give_back(&key, spot.shard.as_deref(), &lease, false);
            all = false;
            continue;
        };
        let put = fleet.put(&key, entry, &keeping, &standing, &lease, engine.as_ref()).await;
        all &= put.stands;
    }
    Some(all)
}
