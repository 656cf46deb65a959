//! Floor 4: the only place where order is decided. One request is one story ([`serve`]): it is
//! admitted, looked up, joined to a fetch or written through, and answered. All shared state is a
//! field of [`Engine`]; what a request owns is its [`transit::Transit`].

pub mod admit;
pub mod ahead;
pub mod anew;
mod at_hand;
mod book;
pub mod bypass;
pub mod compare;
pub mod entries;
mod errand;
pub mod explain;
pub mod fate;
mod fetch;
mod fill;
pub mod fleet;
pub mod flight;
pub mod hot;
mod inject;
mod json;
mod labels;
mod landed;
mod lookup;
mod marks;
mod metering;
mod miss;
pub mod news;
pub mod options;
pub mod ordering;
mod outbound;
mod pace;
mod pass;
mod posted;
pub mod purge;
pub mod reclaim;
pub mod refresh;
pub mod reply;
mod respond;
#[cfg(test)]
mod samples;
pub mod senders;
mod serve;
pub mod settle;
pub mod soft;
pub mod stream;
mod targets;
mod tee;
pub mod transit;
pub mod tried;
mod write;

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;
use http::Request;
use tokio::time::Instant;

use crate::base::budget::Budget;
use crate::base::clock::Clock;
use crate::base::limits;
use crate::base::units::Span;
use crate::entry::{Entry, Key, Labels};
use crate::origin::{AskOptions, Inbound, OriginFault, PhaseLimits, Upstreams};
use crate::policy::Keep;
use crate::rules::Rulebook;
use crate::store::coherence::{Softs, Trust};
use crate::store::fence::{Birth, Facts, Fences};
use crate::store::l1::{Eviction, KindSpec, L1, Landed};
use crate::store::redis::fleet::Fleet;
use crate::store::unshareable::Unshareable;
use crate::telemetry::Telemetry;
use crate::telemetry::event::Event;
use admit::{Plan, Routed};
use anew::Anew;
use bypass::Bypass;
use flight::Flights;
use hot::Hot;
use options::Options;
use refresh::Refreshing;
use senders::Senders;
use settle::Settling;

pub use book::{Book, BookError, Upstream};
pub use pass::OutBody;
pub use reply::Pieces;
pub use respond::Sent;
pub use serve::{Asking, Begun, at_once, go_on, imagine, serve};
pub use transit::Caller;

/// Everything that requests share.
#[derive(Debug)]
pub struct Engine {
    /// The rules in force. A request loads them once and is served by them to its end.
    pub book: ArcSwap<Book>,
    /// Settings that hold until a restart.
    pub options: Options,
    /// The first level.
    pub l1: L1,
    /// The order of fetches and invalidations.
    pub fences: Fences,
    /// This node in its fleet, where there is a shared level.
    pub fleet: Option<Arc<Fleet>>,
    /// How long it may go on without news of the fleet.
    pub trust: Arc<Trust>,
    /// Whether nodes of the fleet know the key of identities, so that they find each other's.
    pub shares_identities: bool,
    /// Writes whose outcome nobody knows, until they have settled.
    pub settling: Settling,
    /// Soft orders that can be undone, where no fleet knows them.
    pub softs: Mutex<Softs>,
    /// What writes have fetched anew.
    pub refreshing: Refreshing,
    /// What operators and programs have fetched anew.
    pub anew: Anew,
    /// Fetches under way.
    pub flights: Flights,
    /// Bytes of answers that are on their way and in no level.
    pub transit: Arc<Budget>,
    /// Large bodies on their way to clients.
    pub senders: Senders,
    /// Keys whose answers could not be shared a moment ago.
    pub unshareable: Unshareable,
    /// The emergency switch.
    pub bypass: Bypass,
    /// The hottest keys.
    pub hot: Hot,
    /// What happened.
    pub telemetry: Telemetry,
    /// The time.
    pub clock: Clock,
    /// The key of every digest that stands for a credential. It lives and dies with the process,
    /// unless a fleet shares one.
    pub identity_key: [u8; 32],
    /// Requests so far.
    pub requests: AtomicU64,
    l1_size: u64,
}

/// What an engine is made from.
#[derive(Debug)]
pub struct Parts {
    /// The first rules.
    pub book: Book,
    /// Settings.
    pub options: Options,
    /// Bytes of L1.
    pub l1_size: u64,
    /// Who leaves L1 first.
    pub l1_policy: Eviction,
    /// Bytes of answers on their way before large ones are no longer kept.
    pub transit_size: u64,
    /// This node in its fleet.
    pub fleet: Option<Arc<Fleet>>,
    /// Whether all nodes of the fleet have the same `identity_key`.
    pub shares_identities: bool,
    /// Where happenings go.
    pub telemetry: Telemetry,
    /// The time.
    pub clock: Clock,
    /// Thirty-two bytes that nobody can guess.
    pub identity_key: [u8; 32],
}

impl Engine {
    /// An engine with empty levels. Start and reload take the same path: the first book is applied
    /// to an empty one.
    pub fn new(parts: Parts) -> Self {
        let Parts { book, options, l1_size, l1_policy, transit_size, .. } = parts;
        let Parts { telemetry, clock, identity_key, fleet, shares_identities, .. } = parts;
        let trust = fleet.as_ref().map_or_else(Arc::default, |fleet| Arc::clone(fleet.trust()));
        let engine = Self {
            book: ArcSwap::from_pointee(Book::empty()),
            options,
            l1: L1::new(&kinds(&Book::empty().rules), l1_size, l1_policy),
            fences: Fences::default(),
            settling: Settling::default(),
            softs: Mutex::default(),
            refreshing: Refreshing::default(),
            anew: Anew::default(),
            flights: Flights::under(Arc::clone(&trust)),
            fleet,
            trust,
            shares_identities,
            transit: Budget::new(transit_size),
            senders: Senders::default(),
            unshareable: Unshareable::default(),
            bypass: Bypass::default(),
            hot: Hot::default(),
            telemetry,
            clock,
            identity_key,
            requests: AtomicU64::new(1),
            l1_size,
        };
        engine.apply(book);
        engine
    }

    /// Puts rules in force. Entries, connections and running requests stay as they are.
    pub fn apply(&self, book: Book) {
        let book = book.metered(&self.telemetry.ledger).after(&self.book.load());
        self.l1.reshape(&kinds(&book.rules), self.l1_size);
        if let Some(fleet) = &self.fleet {
            let events = book.rules.events.as_ref().map(|events| events.channel.clone());
            let sharded = book.rules.routes.iter().any(|route| route.has_shard());
            fleet.follow_rules(sharded, book.keeps_apart, events);
        }
        self.book.store(Arc::new(book));
    }

    /// How an answer is kept that was fetched under these labels: while a write whose outcome is
    /// unknown could change it, for [`limits::LAG_MAX`] and no longer.
    pub(crate) fn kept(&self, plan: &Plan, labels: &Labels, keep: Keep) -> Keep {
        if self.settling.doubts(&Facts::of(&plan.key, labels)) {
            keep.within(limits::LAG_MAX)
        } else {
            keep
        }
    }

    /// Stores an answer in L1, if no order and no operator forbids it.
    pub(crate) fn store(&self, birth: &Birth, key: Key, entry: Arc<Entry>) -> Landed {
        if self.bypass.is_on(Instant::now()) {
            return Landed::Off;
        }
        self.l1.land(birth, key, entry)
    }

    /// Puts a fetched answer into the store, if no order forbids it, and says so. Gives the entry
    /// back as it was kept.
    pub(crate) fn land(
        &self,
        plan: &Plan,
        birth: &Birth,
        mut entry: Entry,
        keep: Keep,
    ) -> (Landed, Arc<Entry>) {
        // Doubt is asked about before the fences are: what is in doubt later, they refuse.
        let keep = self.kept(plan, &entry.labels, keep);
        entry.stamp = keep.stamp;
        entry.known_ms = self.trust.at(birth.began());
        let entry = Arc::new(entry);
        let bytes = entry.cost();
        let landed = if plan.keeping.l1 {
            self.store(birth, plan.key.clone(), Arc::clone(&entry))
        } else if self.bypass.is_on(Instant::now()) {
            Landed::Off
        } else if birth.admits(&Facts::of(&plan.key, &entry.labels)) {
            Landed::Stored
        } else {
            Landed::Refused
        };
        if landed == Landed::Stored {
            let rule = plan.routed.route.as_ref().map(|route| &*route.name);
            let event = Event::Store { key: plan.key.text(), rule, ttl: keep.ttl.as_secs(), bytes };
            self.telemetry.tell(self.clock.now(), &event);
        }
        (landed, entry)
    }
}

fn kinds(rules: &Rulebook) -> Vec<KindSpec> {
    let spec = |kind: &crate::rules::Kind| KindSpec {
        name: kind.name.to_string(),
        max_bytes: kind.max_bytes,
        max_entries: kind.max_entries,
    };
    rules.kinds.iter().map(spec).collect()
}

/// What one worker thread works with: the shared engine and its own connections to the origins.
#[derive(Clone, Debug)]
pub struct Worker {
    /// What all workers share.
    pub engine: Arc<Engine>,
    /// What this one has for itself.
    pub upstreams: Arc<Upstreams>,
}

impl Worker {
    /// Asks the origin for something that is only passed on: its body may take as long as it keeps
    /// coming.
    pub(crate) async fn ask(
        &self,
        routed: &Routed,
        request: Request<OutBody>,
    ) -> Result<Inbound, OriginFault> {
        let limits = patient(&request, routed.origin.spec.limits);
        let options = AskOptions {
            limits: Some(limits),
            once: !routed.origin.repeats,
            ..AskOptions::default()
        };
        self.counted(routed, request, options).await
    }

    /// Asks, if there is memory for the answer, whose bytes count from the first one to the last
    /// that is sent.
    async fn counted(
        &self,
        routed: &Routed,
        request: Request<OutBody>,
        options: AskOptions,
    ) -> Result<Inbound, OriginFault> {
        if self.engine.transit.is_exhausted() {
            return Err(OriginFault::Memory);
        }
        let began = Instant::now();
        let answer = self.upstreams.ask(&routed.origin.spec, request, options).await;
        let status = answer.as_ref().ok().map(|inbound| inbound.head.status.as_u16());
        routed.origin.meter.answered(status, began.elapsed().as_micros() as u64);
        let mut inbound = answer?;
        inbound.body.count_in(&self.engine.transit);
        Ok(inbound)
    }

    /// The same for a write: it is sent once, whatever happens.
    pub(crate) async fn ask_once(
        &self,
        routed: &Routed,
        request: Request<OutBody>,
    ) -> Result<Inbound, OriginFault> {
        let options = AskOptions { once: true, ..AskOptions::default() };
        self.counted(routed, request, options).await
    }

    /// Asks the origin for the cache: others wait for it, so the whole has its limit.
    pub(crate) async fn ask_for_cache(
        &self,
        routed: &Routed,
        request: Request<OutBody>,
    ) -> Result<Inbound, OriginFault> {
        let limits = patient(&request, routed.origin.spec.limits);
        let limits = PhaseLimits { total: Some(routed.timeout()), ..limits };
        let once = !routed.origin.repeats;
        let options = AskOptions { limits: Some(limits), once, ..AskOptions::default() };
        self.counted(routed, request, options).await
    }
}

/// Server-sent events may be silent for long: who asks for them waits as long as a tunnel would.
fn patient(request: &Request<OutBody>, limits: PhaseLimits) -> PhaseLimits {
    let accepts = request.headers().get(http::header::ACCEPT);
    let events = accepts.is_some_and(|value| {
        memchr::memmem::find(value.as_bytes(), b"text/event-stream").is_some()
    });
    let between_bytes = if events { limits::TUNNEL_IDLE } else { limits.between_bytes };
    PhaseLimits { between_bytes, ..limits }
}

impl Routed {
    /// How long the origin may take for the whole of an answer.
    pub fn timeout(&self) -> Span {
        self.origin.timeout
    }
}
