//! One entry asked about anew, fresh or not. What the origin confirms lives on, what it says
//! otherwise takes the entry's place on all nodes, what it has no longer goes, and where it says
//! nothing the entry stays. It is a fetch like any other: it has a seat, so that nobody else asks
//! for the same meanwhile, and a birth, so that an order which comes in between is obeyed.

mod asking;
mod follow;

use std::borrow::Cow;
use std::sync::Arc;

use super::{Brought, Target, asking as asking_for, nobody, planned};
use crate::engine::admit::Plan;
use crate::engine::errand::Errand;
use crate::engine::fetch::Ending;
use crate::engine::flight::{Flight, FlightKey, Landing, Seat};
use crate::engine::transit::Transit;
use crate::engine::{Engine, Worker};
use crate::entry::Entry;
use crate::rules::Keeping;
use asking::Asking;

/// What came of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Synced {
    /// The origin says what is stored; its time begins anew.
    Unchanged,
    /// It says something else, under these pointers of the rule or somewhere in the whole. The
    /// entry is gone on all nodes, and the answer stands in its place unless an order came between.
    Changed(Vec<Box<str>>),
    /// It has nothing there any more; the entry is gone on all nodes.
    Gone,
    /// It says something else that is older than what is stored. The entry stays.
    Older,
    /// What it says now may not be kept. The entry is gone on all nodes.
    NotCacheable(&'static str),
    /// The entry is for who shows a credential that is not at hand.
    NoCredentials,
    /// Nothing was done.
    Skipped(Cow<'static, str>),
    /// The origin gave no answer that counts. The entry stays.
    Failed(String),
}

impl Synced {
    /// Its word.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Changed(_) => "changed",
            Self::Gone => "gone",
            Self::Older => "older",
            Self::NotCacheable(_) => "not-cacheable",
            Self::NoCredentials => "no-credentials",
            Self::Skipped(_) => "skipped",
            Self::Failed(_) => "failed",
        }
    }
}

/// An entry, and the request that asks about it.
#[derive(Debug)]
pub struct Question {
    target: Target,
    planned: Result<(Transit, Plan), Synced>,
}

impl Question {
    /// About a target.
    pub fn of(engine: &Engine, target: Target) -> Self {
        let planned = planned(engine, &nobody(engine), &target).map_err(|why| match why {
            Brought::NotCacheable(reason) => Synced::NotCacheable(reason),
            Brought::Failed(why) => Synced::Skipped(why.into()),
            _ => Synced::NoCredentials,
        });
        Self { target, planned }
    }

    /// What it is about.
    pub const fn target(&self) -> &Target {
        &self.target
    }

    /// The name of the origin that it asks; empty where it asks none.
    pub fn origin(&self) -> Arc<str> {
        let planned = self.planned.as_ref().ok();
        planned.map_or_else(Arc::default, |(_, plan)| Arc::clone(&plan.routed.origin.name))
    }

    /// Whether no other node finds what stands here of it.
    pub fn is_kept_alone(&self, engine: &Engine) -> bool {
        self.planned.as_ref().is_ok_and(|(_, plan)| engine.shares(plan).is_none())
    }

    /// Counts what came of it for the rule of its entry.
    pub fn count(&self, engine: &Engine, synced: &Synced) {
        let book = engine.book.load();
        let known = self.planned.as_ref().ok().and_then(|(_, plan)| plan.routed.route.clone());
        let route = known.or_else(|| {
            let Target { uri, selecting, .. } = &self.target;
            let transit = asking_for(engine, &nobody(engine), uri, selecting)?;
            book.route(&transit.asked()).map(|(route, _)| Arc::clone(route))
        });
        book.meter(route.as_deref()).synced.count(synced.as_str());
    }

    /// Asks the origin, and does what follows from its answer.
    pub async fn ask(&self, worker: &Worker) -> Synced {
        let engine = &worker.engine;
        let (transit, plan) = match &self.planned {
            Ok((transit, plan)) => (transit, plan),
            Err(synced) => return synced.clone(),
        };
        // Before anything is looked at: what comes in between is seen by one of them.
        let birth = engine.fences.begin();
        let held = held(engine, plan, &self.target);
        // What does not stand here need not come here to be asked about.
        let l1 = plan.keeping.l1 && held.is_some();
        let plan = &Plan { keeping: Keeping { l1, ..plan.keeping }, ..plan.clone() };
        let selecting = Some(self.target.selecting.clone());
        let listed = FlightKey { key: plan.key.clone(), selecting };
        let flight = match engine.flights.seat(Flight::new(listed, plan.labels(transit), birth)) {
            Seat::Leader(flight) => flight,
            Seat::Follower(flight) => {
                flight.landing().await;
                return Synced::Skipped("it was being fetched for a client".into());
            }
        };
        // Whatever ends this, nobody may wait for ever.
        let ending = Ending { engine: Arc::clone(engine), flight };
        let errand = Errand::confirming(worker, transit, plan, held.clone());
        let target = &self.target;
        let asking = Asking { worker, target, transit, plan, held, flight: &ending.flight };
        let synced = asking.carry_out(errand).await;
        // Who waits finds what stands now.
        if !ending.flight.has_landed() {
            engine.flights.unlist(&ending.flight);
            ending.flight.land(Landing::Stored);
        }
        synced
    }
}

/// Whether something stands in L1 under the key of a target.
pub fn stands(engine: &Engine, target: &Target) -> bool {
    target.key().is_some_and(|key| engine.l1.peek(key.identity()).is_some())
}

/// What stands here of a target.
fn held(engine: &Engine, plan: &Plan, target: &Target) -> Option<Arc<Entry>> {
    let bundle = engine.l1.peek(plan.key.identity())?;
    bundle.variants().iter().find(|entry| entry.selecting == target.selecting).cloned()
}

fn overtaken() -> Synced {
    Synced::Skipped("it was purged or replaced meanwhile".into())
}
