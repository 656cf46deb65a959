//! One fetch per key, however many wait. A flight is listed under what identifies its answer; the
//! first to ask leads it, in a task of its own that no client's leaving can stop, all others
//! follow. A flight that an order has overtaken serves those who wait (they began before), but
//! nobody joins it any more: the fences decide that at each seat, so there is no list of flights to
//! tell.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use http::{HeaderMap, HeaderValue, StatusCode};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::base::reason::Reason;
use crate::engine::fate::Fate;
use crate::engine::fleet::Holding;
use crate::engine::stream::Stream;
use crate::entry::{Entry, Key, Labels};
use crate::origin::{InBody, OriginFault};
use crate::policy::{Keep, Selecting};
use crate::store::coherence::Trust;
use crate::store::fence::{Birth, Facts};

/// What a flight is listed under: the key, and the selecting values where they are known already.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FlightKey {
    /// The entry's identity.
    pub key: Key,
    /// The variant, once an earlier answer has told what selects it.
    pub selecting: Option<Selecting>,
}

/// What the head of the answer meant for those who wait.
#[derive(Clone, Debug)]
pub enum Landing {
    /// It may be kept, so it may be shared: the body follows in the stream.
    Shared(Arc<SharedHead>),
    /// What stood there was confirmed, or replaced, as a whole entry.
    Renewed(Arc<Entry>),
    /// It belongs to the leader alone; everybody else asks for himself, at once.
    Alone(Alone),
    /// Another node had fetched it: it came whole from the shared level.
    Found {
        /// What was found.
        entry: Arc<Entry>,
        /// Another node's fetch was waited for.
        waited: bool,
    },
    /// There is no answer.
    Failed(Arc<OriginFault>),
    /// What it would have brought stands in the store already: look again.
    Stored,
    /// The fetch was given up without an answer.
    Abandoned,
}

/// An answer that may be shared.
#[derive(Debug)]
pub struct SharedHead {
    /// Its status.
    pub status: StatusCode,
    /// The fields as they are stored.
    pub fields: HeaderMap,
    /// The origin's fields before storing took some away; the leader's own client gets these.
    pub own_fields: HeaderMap,
    /// What policy decided.
    pub keep: Keep,
    /// Which requests it answers.
    pub selecting: Selecting,
    /// The body's length, if the origin told it.
    pub len: Option<u64>,
    /// The announced trailers that everybody who reads along may see.
    pub trailer: Option<HeaderValue>,
    /// Microseconds until this head came.
    pub origin_micros: u64,
    /// The origin's reason phrase, where it is not the usual one.
    pub phrase: Option<hyper::ext::ReasonPhrase>,
}

/// Why an answer is not shared.
#[derive(Clone, Copy, Debug)]
pub struct Alone {
    /// The reason.
    pub reason: Reason,
    /// The origin's status.
    pub status: StatusCode,
    /// Microseconds until its head came.
    pub origin_micros: u64,
}

/// What the leader alone may take when the answer is not shared.
#[derive(Debug)]
pub enum Own {
    /// The origin's answer, as it comes.
    Stream(Box<http::Response<InBody>>),
    /// What stood there, confirmed, but not to be kept any longer.
    Entry(Arc<Entry>),
}

/// A running fetch.
#[derive(Debug)]
pub struct Flight {
    /// What it is listed under.
    pub listed: FlightKey,
    /// Its body.
    pub stream: Stream,
    /// Whether the store takes what it brings.
    pub fate: Fate,
    /// When it began in the order of things; what it brings is stored only if no order since then
    /// names it, and joined only by who could be given what it stores.
    pub birth: Birth,
    labels: Labels,
    landing: watch::Sender<Option<Landing>>,
    own: Mutex<Option<Own>>,
    holding: Mutex<Option<Holding>>,
    fallback: OnceLock<Arc<Entry>>,
}

impl Flight {
    /// A flight that is not listed yet. `labels` are what the request alone tells of its answer.
    pub fn new(listed: FlightKey, labels: Labels, birth: Birth) -> Arc<Self> {
        Arc::new(Self {
            listed,
            stream: Stream::default(),
            fate: Fate::default(),
            birth,
            labels,
            landing: watch::Sender::new(None),
            own: Mutex::new(None),
            holding: Mutex::new(None),
            fallback: OnceLock::new(),
        })
    }

    /// Tells everybody what the head meant.
    pub fn land(&self, landing: Landing) {
        self.landing.send_replace(Some(landing));
    }

    /// Leaves something for the leader's own client.
    pub fn leave(&self, own: Own) {
        *self.own.lock().unwrap_or_else(PoisonError::into_inner) = Some(own);
    }

    /// Takes what was left for the leader.
    pub fn take_own(&self) -> Option<Own> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Keeps what the fetch holds in the shared level, until it is put there or given back.
    pub(super) fn hold(&self, holding: Holding) {
        *self.holding.lock().unwrap_or_else(PoisonError::into_inner) = Some(holding);
    }

    /// Takes what the fetch holds in the shared level.
    pub(super) fn take_holding(&self) -> Option<Holding> {
        self.holding.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// A stale copy came from the shared level, which may stand in for an origin that fails.
    pub(super) fn fall_back_on(&self, entry: Arc<Entry>) {
        // The first one is as good as any later one.
        let _ = self.fallback.set(entry);
    }

    /// The stale copy that came from the shared level.
    pub fn fallback(&self) -> Option<&Entry> {
        self.fallback.get().map(Arc::as_ref)
    }

    /// Waits for the head. A fetch that is given up lands [`Landing::Abandoned`] on its way out.
    pub async fn landing(&self) -> Landing {
        let mut seen = self.landing.subscribe();
        match seen.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(landing)) => landing.clone(),
            _ => Landing::Abandoned,
        }
    }

    /// Whether its head has come.
    pub fn has_landed(&self) -> bool {
        self.landing.borrow().is_some()
    }

    /// Whether a request that begins now may have what this fetch brings: no order since its birth
    /// names it, and none was missed.
    fn may_be_joined(&self, trust: &Trust) -> bool {
        let (known, now) = (trust.at(self.birth.began()), trust.at(Instant::now()));
        if !trust.holds(self.birth.tick(), known, now) {
            return false;
        }
        // The answer may bring tags of its own: until it is here, any order on a tag concerns it.
        self.birth.admits(&Facts { is_open: true, ..Facts::of(&self.listed.key, &self.labels) })
    }
}

/// Where a request stands towards a key that is not in the cache.
#[derive(Debug)]
pub enum Seat {
    /// It leads: the caller starts the fetch.
    Leader(Arc<Flight>),
    /// Another fetch is under way.
    Follower(Arc<Flight>),
}

const SHARDS: usize = 16;

type Shard = HashMap<FlightKey, Arc<Flight>, foldhash::fast::RandomState>;

/// All flights that may be joined.
#[derive(Debug, Default)]
pub struct Flights {
    shards: [Mutex<Shard>; SHARDS],
    hasher: foldhash::fast::RandomState,
    trust: Arc<Trust>,
}

impl Flights {
    /// None yet, of a node that trusts what it knows as long as this says.
    pub fn under(trust: Arc<Trust>) -> Self {
        Self { trust, ..Self::default() }
    }

    fn shard(&self, key: &Key) -> MutexGuard<'_, Shard> {
        let [first, ..] = &self.shards;
        let at = self.hasher.hash_one(key) as usize % SHARDS;
        self.shards.get(at).unwrap_or(first).lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Joins the flight that is listed where `flight` would be, or lists `flight` there. One that
    /// an order has overtaken is joined no more: it serves those who wait and is forgotten.
    pub fn seat(&self, flight: Arc<Flight>) -> Seat {
        let mut shard = self.shard(&flight.listed.key);
        if let Some(running) = shard.get(&flight.listed)
            && running.may_be_joined(&self.trust)
        {
            return Seat::Follower(Arc::clone(running));
        }
        shard.insert(flight.listed.clone(), Arc::clone(&flight));
        Seat::Leader(flight)
    }

    /// The flight of `listed`, if one may be joined.
    pub fn running(&self, listed: &FlightKey) -> Option<Arc<Flight>> {
        let shard = self.shard(&listed.key);
        shard.get(listed).filter(|flight| flight.may_be_joined(&self.trust)).cloned()
    }

    /// Takes a flight off the list: it has ended, or may not be joined any longer.
    pub fn unlist(&self, flight: &Arc<Flight>) {
        let mut shard = self.shard(&flight.listed.key);
        if shard.get(&flight.listed).is_some_and(|listed| Arc::ptr_eq(listed, flight)) {
            shard.remove(&flight.listed);
        }
    }

    /// How many fetches may be joined now.
    pub fn len(&self) -> usize {
        let held =
            |shard: &Mutex<Shard>| shard.lock().unwrap_or_else(PoisonError::into_inner).len();
        self.shards.iter().map(held).sum()
    }

    /// Whether nothing is being fetched for others to join.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests;
