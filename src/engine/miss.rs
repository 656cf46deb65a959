//! A read that the cache cannot answer by itself: join the fetch that is under way, or lead one,
//! and serve what its head means for this request. A waiter shares only what may be stored and
//! matches its own selecting fields; otherwise it asks the origin itself, at once.

use std::sync::Arc;

use http::{HeaderName, HeaderValue, Method, header};
use tokio::time::Instant;

use crate::base::fault::Fault;
use crate::engine::admit::Plan;
use crate::engine::errand::Errand;
use crate::engine::fetch;
use crate::engine::fleet;
use crate::engine::flight::{Flight, FlightKey, Landing, Seat};
use crate::engine::inject;
use crate::engine::landed::{Next, Seated, served};
use crate::engine::lookup::{self, Look};
use crate::engine::outbound::{self, Spelling};
use crate::engine::pass;
use crate::engine::reply::Reply;
use crate::engine::respond;
use crate::engine::transit::{Account, Answer, Outcome, Transit, Waited};
use crate::engine::{Engine, Worker};
use crate::policy::{self, Fwd, Selecting};
use crate::store::fence::Birth;

/// How often a request looks again because an order or another variant came between.
const ATTEMPTS: usize = 8;

/// Answers a read whose first look found nothing to serve.
pub(super) async fn miss(worker: &Worker, transit: &Transit, plan: &Plan) -> Answer {
    let engine = &worker.engine;
    if plan.wishes.only_if_cached {
        let account = plan.account(Outcome::Error);
        return respond::fault(engine, transit, &Fault::OnlyIfCached, account);
    }
    let parts = &transit.parts;
    if policy::validate::has_preconditions(&parts.headers) {
        return pass::read(worker, transit, plan, None).await;
    }
    let joins_only =
        parts.method == Method::HEAD || lookup::wants_part(&parts.headers, &parts.method);
    let mut variant: Option<Selecting> = None;
    for _ in 0..ATTEMPTS {
        let birth = engine.fences.begin();
        let mut gap = false;
        let (stale, fwd) = match lookup::look(engine, transit, plan) {
            Look::Fresh(entry) => {
                let account = lookup::account(engine, plan, &entry, Outcome::Hit);
                return lookup::from_entry(engine, transit, plan, &entry, account);
            }
            Look::Behind(entry) => return fetch::behind(worker, transit, plan, &entry),
            Look::Stale(entry, why) => {
                variant = Some(entry.selecting.clone());
                gap = why == policy::Why::Gap;
                (Some(entry), why.fwd())
            }
            Look::OtherVariant(selecting) => {
                variant = Some(selecting);
                (None, Fwd::VaryMiss)
            }
            Look::Absent => (None, Fwd::UriMiss),
        };
        let listed = FlightKey { key: plan.key.clone(), selecting: variant.clone() };
        if joins_only && stale.is_none() {
            match beside(worker, transit, plan, &listed, &birth).await {
                Some(answer) => return answer,
                None => continue,
            }
        }
        if parts.method == Method::HEAD {
            return pass::read(worker, transit, plan, stale).await;
        }
        let flight = Flight::new(listed, plan.labels(transit), birth);
        let Some(taken) = take_seat(engine, transit, plan, flight, stale.is_some()) else {
            continue;
        };
        let Taken { flight, leads, lately, own } = taken;
        // Taken before the fetch runs: it may outgrow the store before its waiters wake.
        let reader = flight.stream.reader();
        if leads {
            let mut errand = Errand::new(worker, transit, plan, stale.clone(), own);
            errand.gap = gap;
            fetch::lead(worker, Arc::clone(&flight), errand);
        }
        let seat = Seated { stale, fwd, leads, lately, reader, gap };
        match served(worker, transit, plan, &flight, seat).await {
            Next::Answer(answer) => return *answer,
            Next::Look(selecting) => variant = Some(selecting),
            Next::Again => {}
            Next::Alone => return alone(worker, transit, plan, fwd).await,
        }
    }
    alone(worker, transit, plan, Fwd::Miss).await
}

struct Taken {
    flight: Arc<Flight>,
    leads: bool,
    lately: bool,
    own: bool,
}

/// Joins the fetch that runs, or leads one: for all, or for this request alone where nobody should
/// wait for it. `None`: look again.
fn take_seat(
    engine: &Engine,
    transit: &Transit,
    plan: &Plan,
    flight: Arc<Flight>,
    has_stale: bool,
) -> Option<Taken> {
    let lately = engine.unshareable.is_marked(&plan.key, engine.clock.now());
    let own = !has_stale
        && own_conditions(transit, plan)
        && engine.flights.running(&flight.listed).is_none();
    if own || (lately && !has_stale) {
        return Some(Taken { flight, leads: true, lately, own });
    }
    match engine.flights.seat(flight) {
        Seat::Leader(flight) if came_between(engine, transit, plan, &flight) => {
            engine.flights.unlist(&flight);
            flight.land(Landing::Stored);
            None
        }
        Seat::Leader(flight) => Some(Taken { flight, leads: true, lately, own }),
        Seat::Follower(flight) => Some(Taken { flight, leads: false, lately, own }),
    }
}

/// Without a rule the client's own conditions go to the origin when nothing stands here: its 304 is
/// worth more than a whole answer that may turn out not to be kept. On a route the whole is
/// fetched.
fn own_conditions(transit: &Transit, plan: &Plan) -> bool {
    plan.routed.route.is_none() && policy::validate::asks_if_changed(&transit.parts.headers)
}

/// Whether a fetch has ended between our look and our seat: it stored first and left its seat then,
/// so one more look sees what it brought, or by which fields the seat should have been taken.
fn came_between(engine: &Engine, transit: &Transit, plan: &Plan, seated: &Flight) -> bool {
    match lookup::look(engine, transit, plan) {
        Look::Fresh(_) | Look::Behind(_) => true,
        Look::OtherVariant(selecting) => seated.listed.selecting.as_ref() != Some(&selecting),
        Look::Stale(..) | Look::Absent => false,
    }
}

/// HEAD and parts lead no fetch: they take what a running one brings, or what stands in the shared
/// level. `None`: look again.
async fn beside(
    worker: &Worker,
    transit: &Transit,
    plan: &Plan,
    listed: &FlightKey,
    birth: &Birth,
) -> Option<Answer> {
    let engine = &worker.engine;
    if let Some(running) = engine.flights.running(listed) {
        return joined(worker, transit, plan, &running).await;
    }
    if fleet::bring(engine, plan, &transit.parts.headers, birth).await {
        return None;
    }
    Some(pass::read(worker, transit, plan, None).await)
}

/// HEAD and parts lead no fetch, but take what a running one brings. `None`: look again.
async fn joined(
    worker: &Worker,
    transit: &Transit,
    plan: &Plan,
    running: &Arc<Flight>,
) -> Option<Answer> {
    let began = Instant::now();
    let landing = running.landing().await;
    let micros = began.elapsed().as_micros() as u64;
    let head = match landing {
        Landing::Shared(head) => head,
        Landing::Renewed(_) | Landing::Stored | Landing::Found { .. } => return None,
        _ => return Some(pass::read(worker, transit, plan, None).await),
    };
    if !head.selecting.matches(&transit.parts.headers) {
        return Some(pass::read(worker, transit, plan, None).await);
    }
    if transit.parts.method == Method::HEAD {
        let account = Account { fwd: Some(Fwd::UriMiss), ..plan.account(Outcome::Coalesced) };
        let waited = Some(Waited { micros, elsewhere: false });
        let account = Account { collapsed: true, waited, ..account };
        let mut fields = head.fields.clone();
        if let Some(len) = head.len {
            fields.insert(header::CONTENT_LENGTH, len.into());
        }
        inject::head(head.status, &mut fields, &account);
        let (status, reply) = (head.status, Reply::empty());
        return Some(Answer { status, fields, reply, account });
    }
    // A part is cut from the whole, so the whole must be there first.
    running.stream.settled().await;
    match lookup::look(&worker.engine, transit, plan) {
        Look::Fresh(_) | Look::Behind(_) => None,
        _ => Some(pass::read(worker, transit, plan, None).await),
    }
}

/// Asks the origin for this request alone; what comes may still be stored.
async fn alone(worker: &Worker, transit: &Transit, plan: &Plan, fwd: Fwd) -> Answer {
    let engine = &worker.engine;
    let birth = engine.fences.begin();
    let listed = FlightKey { key: plan.key.clone(), selecting: None };
    let flight = Flight::new(listed, plan.labels(transit), birth);
    let errand = Errand::new(worker, transit, plan, None, false);
    let reader = flight.stream.reader();
    fetch::lead(worker, Arc::clone(&flight), errand);
    let seat = Seated { stale: None, fwd, leads: true, lately: false, reader, gap: false };
    match served(worker, transit, plan, &flight, seat).await {
        Next::Answer(answer) => *answer,
        // It stands in L1 by now, to be renewed behind.
        Next::Again => pass::read(worker, transit, plan, None).await,
        Next::Look(_) | Next::Alone => {
            let fault = Fault::Overload("the fetch ended without an answer");
            respond::fault(engine, transit, &fault, plan.account(Outcome::Error))
        }
    }
}

/// The origin's request of a fetch for the cache.
pub(super) fn head_for_cache(
    worker: &Worker,
    transit: &Transit,
    plan: &Plan,
    conditions: Vec<(HeaderName, HeaderValue)>,
    own_conditions: bool,
) -> http::request::Parts {
    let target = plan.send_target.as_deref();
    let mut head = outbound::head(&worker.engine, transit, &plan.routed, target, Spelling::Key);
    // In no key, and an origin may refuse the whole for it: its refusal would stand for the key. A
    // request without content asks for no 100 at all (RFC 9110, 10.1.1).
    head.headers.remove(header::EXPECT);
    if own_conditions {
        return head;
    }
    outbound::for_cache(head, conditions)
}
