//! One fetch per key, however many wait. A flight is listed under what identifies its answer; the
//! first to ask leads it, in a task of its own that no client's leaving can stop, all others follow.
//! An order that could concern a flight detaches it: those who wait are served (they began before),
//! nobody joins any more, and the next reader starts anew.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::{HeaderMap, StatusCode};
use tokio::sync::watch;

use crate::base::ids::Tick;
use crate::base::reason::Reason;
use crate::engine::stream::Stream;
use crate::entry::order::Order;
use crate::entry::{Entry, Key};
use crate::origin::OriginFault;
use crate::origin::body::InBody;
use crate::policy::{Keep, Selecting};
use crate::store::fence::{Facts, Fences};

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
    /// There is no answer.
    Failed(Arc<OriginFault>),
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
    /// Microseconds until this head came.
    pub origin_micros: u64,
}

/// Why an answer is not shared.
#[derive(Clone, Copy, Debug)]
pub struct Alone {
    /// The reason.
    pub reason: Reason,
    /// The origin's status.
    pub status: StatusCode,
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
    /// What it will store, as far as the request tells.
    pub facts: Facts,
    /// Whether its tags are known only when the answer is: any tag order detaches it then.
    pub more_tags: bool,
    /// Its body.
    pub stream: Stream,
    /// When it began, in the process' order of things.
    pub born: Tick,
    attached: AtomicBool,
    landing: watch::Sender<Option<Landing>>,
    own: Mutex<Option<Own>>,
}

impl Flight {
    /// A flight that is not listed: nobody joins it.
    pub fn solo(listed: FlightKey, facts: Facts, more_tags: bool, born: Tick) -> Arc<Self> {
        Arc::new(Self {
            listed,
            facts,
            more_tags,
            stream: Stream::default(),
            born,
            attached: AtomicBool::new(false),
            landing: watch::Sender::new(None),
            own: Mutex::new(None),
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

    /// Waits for the head. `None` means that the fetch ended without one: its task was dropped.
    pub async fn landing(self: &Arc<Self>) -> Option<Landing> {
        let mut seen = self.landing.subscribe();
        // The sender is ours as long as `self` is; a leader that dies lands `Failed` on its way out.
        let landing = seen.wait_for(Option::is_some).await.ok()?;
        landing.clone()
    }

    /// What the head meant, if it has come.
    pub fn landed(&self) -> Option<Landing> {
        self.landing.borrow().clone()
    }

    /// Whether others may still join.
    pub fn is_attached(&self) -> bool {
        self.attached.load(Ordering::Acquire)
    }

    fn concerned_by(&self, order: &Order) -> bool {
        self.facts.covered_by(order) || (self.more_tags && order.names_tags())
    }
}

/// Where a request stands towards a key that is not in the cache.
#[derive(Debug)]
pub enum Seat {
    /// It leads: the caller starts the fetch.
    Leader(Arc<Flight>),
    /// Another fetch is under way.
    Follower(Arc<Flight>),
    /// An order came between the look into the cache and the seat: look again.
    Again,
}

const SHARDS: usize = 16;

/// All flights that may be joined.
#[derive(Debug, Default)]
pub struct Flights {
    shards: [Mutex<HashMap<FlightKey, Arc<Flight>>>; SHARDS],
}

impl Flights {
    fn shard(&self, key: &Key) -> MutexGuard<'_, HashMap<FlightKey, Arc<Flight>>> {
        use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
        let hash = BuildHasherDefault::<DefaultHasher>::new().hash_one(key);
        let shard = self.shards.get(hash as usize % SHARDS).unwrap_or(&self.shards[0]);
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Joins the flight of `listed`, or lists `flight` there. The tick is compared under the lock
    /// that detaching takes too: either the order's detaching sees the flight, or we see the order.
    pub fn seat(&self, flight: Arc<Flight>, fences: &Fences) -> Seat {
        let mut shard = self.shard(&flight.listed.key);
        if let Some(running) = shard.get(&flight.listed)
            && running.is_attached()
        {
            return Seat::Follower(Arc::clone(running));
        }
        if fences.tick() != flight.born {
            return Seat::Again;
        }
        flight.attached.store(true, Ordering::Release);
        shard.insert(flight.listed.clone(), Arc::clone(&flight));
        Seat::Leader(flight)
    }

    /// The flight of `listed`, if one may be joined.
    pub fn running(&self, listed: &FlightKey) -> Option<Arc<Flight>> {
        let shard = self.shard(&listed.key);
        shard.get(listed).filter(|flight| flight.is_attached()).cloned()
    }

    /// Takes a flight off the list: it has ended, or may not be joined any longer.
    pub fn unlist(&self, flight: &Arc<Flight>) {
        flight.attached.store(false, Ordering::Release);
        let mut shard = self.shard(&flight.listed.key);
        if shard.get(&flight.listed).is_some_and(|listed| Arc::ptr_eq(listed, flight)) {
            shard.remove(&flight.listed);
        }
    }

    /// Detaches every flight that `order` names or could name.
    pub fn detach(&self, order: &Order) {
        for shard in &self.shards {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.retain(|_, flight| {
                let stays = !flight.concerned_by(order);
                flight.attached.store(stays, Ordering::Release);
                stays
            });
        }
    }

    /// How many fetches may be joined now.
    pub fn len(&self) -> usize {
        let held = |shard: &Mutex<HashMap<FlightKey, Arc<Flight>>>| {
            shard.lock().unwrap_or_else(PoisonError::into_inner).len()
        };
        self.shards.iter().map(held).sum()
    }

    /// Whether nothing is being fetched for others to join.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
