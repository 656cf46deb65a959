//! A read that the cache cannot answer by itself: join the fetch that is under way, or lead one,
//! and serve what its head means for this request. A waiter shares only what may be stored and
//! matches its own selecting fields; otherwise it asks the origin itself, at once.

use std::sync::Arc;

use http::{HeaderMap, Method, StatusCode, header};

use crate::base::fault::Fault;
use crate::base::reason::Reason;
use crate::engine::Worker;
use crate::engine::admit::Plan;
use crate::engine::fetch::{self, Errand};
use crate::engine::flight::{Flight, FlightKey, Landing, Own, Seat, SharedHead};
use crate::engine::inject;
use crate::engine::lookup::{self, Look};
use crate::engine::outbound;
use crate::engine::pass;
use crate::engine::reply::Reply;
use crate::engine::respond;
use crate::engine::stream::Reader;
use crate::engine::transit::{Account, Answer, Outcome, Transit};
use crate::entry::Entry;
use crate::origin::OriginFault;
use crate::policy::{self, Condition, Fwd, Selecting};

/// How often a request looks again because an order or another variant came between.
const ATTEMPTS: usize = 4;

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
        let (stale, fwd) = match lookup::look(engine, transit, plan) {
            Look::Fresh(entry) | Look::Behind(entry) => {
                let account = lookup::account(engine, plan, &entry, Outcome::Hit);
                return lookup::from_entry(engine, transit, &entry, account);
            }
            Look::Stale(entry, why) => {
                variant = Some(entry.selecting.clone());
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
            let Some(running) = engine.flights.running(&listed) else {
                return pass::read(worker, transit, plan, None).await;
            };
            match joined(worker, transit, plan, &running).await {
                Some(answer) => return answer,
                None => continue,
            }
        }
        if parts.method == Method::HEAD {
            return pass::read(worker, transit, plan, stale).await;
        }
        let own = stale.is_none()
            && own_conditions(transit, plan)
            && engine.flights.running(&listed).is_none();
        let flight = Flight::new(listed, plan.labels(transit), birth);
        let identity = plan.key.identity();
        let lately = engine.unshareable.is_marked(identity, engine.clock.now());
        let (flight, leads) = if own || (lately && stale.is_none()) {
            (flight, true)
        } else {
            match engine.flights.seat(flight) {
                Seat::Leader(flight) => (flight, true),
                Seat::Follower(running) => (running, false),
            }
        };
        // Taken before the fetch runs: it may outgrow the store before its waiters wake.
        let reader = flight.stream.reader();
        if leads {
            let errand = Errand::new(worker, transit, plan, stale.clone(), own);
            fetch::lead(worker, Arc::clone(&flight), errand);
        }
        let seat = Seated { stale, fwd, leads, lately, reader };
        match served(worker, transit, plan, &flight, seat).await {
            Next::Answer(answer) => return *answer,
            Next::Look(selecting) => variant = Some(selecting),
            Next::Alone => return alone(worker, transit, plan, fwd).await,
        }
    }
    alone(worker, transit, plan, Fwd::Miss).await
}

/// Without a rule the client's own conditions go to the origin when nothing stands here: its 304 is
/// worth more than a whole answer that may turn out not to be kept. On a route the whole is
/// fetched.
fn own_conditions(transit: &Transit, plan: &Plan) -> bool {
    let fields = &transit.parts.headers;
    plan.routed.route.is_none()
        && (fields.contains_key(header::IF_NONE_MATCH)
            || fields.contains_key(header::IF_MODIFIED_SINCE))
}

/// What a request knows when it takes its seat.
struct Seated {
    stale: Option<Arc<Entry>>,
    fwd: Fwd,
    leads: bool,
    lately: bool,
    /// Its place in the body, if the flight's body can still be read from its first byte.
    reader: Option<Reader>,
}

enum Next {
    Answer(Box<Answer>),
    Look(Selecting),
    Alone,
}

impl From<Answer> for Next {
    fn from(answer: Answer) -> Self {
        Self::Answer(Box::new(answer))
    }
}

async fn served(
    worker: &Worker,
    transit: &Transit,
    plan: &Plan,
    flight: &Arc<Flight>,
    seat: Seated,
) -> Next {
    let outcome = if seat.leads { Outcome::Miss } else { Outcome::Coalesced };
    let account = Account { fwd: Some(seat.fwd), collapsed: !seat.leads, ..plan.account(outcome) };
    match flight.landing().await {
        Landing::Shared(head) => {
            if !seat.leads && !head.selecting.matches(&transit.parts.headers) {
                let names = head.selecting.names();
                return Next::Look(Selecting::of(names, &transit.parts.headers));
            }
            let account = Account {
                origin_micros: Some(head.origin_micros),
                phrase: head.phrase.clone(),
                ..account
            };
            let Some(reader) = seat.reader else { return Next::Alone };
            match shared(worker, transit, reader, &head, account, seat.leads).await {
                Some(answer) => answer.into(),
                None => Next::Alone,
            }
        }
        Landing::Renewed(entry) => {
            if !entry.selecting.matches(&transit.parts.headers) {
                let names = entry.selecting.names();
                return Next::Look(Selecting::of(names, &transit.parts.headers));
            }
            renewed(worker, transit, plan, &entry, account).into()
        }
        Landing::Alone(why) => {
            if policy::is_error_for_stale(why.status)
                && let Some(answer) =
                    on_error(worker, transit, plan, seat.stale.as_deref(), Some(why.status))
            {
                return answer.into();
            }
            if !seat.leads {
                return Next::Alone;
            }
            // The reason is this answer's own; that nobody waited is worth a word of its own.
            let note = if seat.lately { Reason::UncacheableLately.as_str() } else { "" };
            let account = Account {
                reason: Some(why.reason),
                note: note.into(),
                origin_micros: Some(why.origin_micros),
                ..account
            };
            match flight.take_own() {
                Some(own) => own_answer(worker, transit, plan, own, account).into(),
                None => Next::Alone,
            }
        }
        Landing::Failed(failed) => {
            failure(worker, transit, plan, seat.stale.as_deref(), &failed, account).into()
        }
        Landing::Abandoned => Next::Alone,
    }
}

/// An answer that may be kept: its bytes follow as they come.
async fn shared(
    worker: &Worker,
    transit: &Transit,
    reader: Reader,
    head: &Arc<SharedHead>,
    account: Account,
    leads: bool,
) -> Option<Answer> {
    let engine = &worker.engine;
    let now = engine.clock.now();
    let stamp = &head.keep.stamp;
    // The leader's answer is as old as its head; those who join later count from then.
    let at = if leads { stamp.stored_at } else { now };
    let (age, ttl) = (stamp.age(at), stamp.left(at));
    let from = head.keep.ttl_by.as_str();
    let account = Account {
        stored: true,
        ttl: Some(ttl),
        age: (!leads).then_some(age.as_secs()),
        note: format!("ttl from {from}").into(),
        ..account
    };
    let fields = if leads { head.own_fields.clone() } else { head.fields.clone() };
    if let Some(name) = account.route.as_ref().and_then(|route| route.inject.clone()) {
        let answer = inject::streamed(&name, transit, head, fields, reader, account).await?;
        return Some(lookup::conditional_own(engine, transit, answer));
    }
    let reply = Reply::Shared { reader, len: head.len };
    let answer = Answer { status: head.status, fields, reply, account };
    let parts = &transit.parts;
    let held = policy::condition(
        &parts.headers,
        &parts.method,
        head.status,
        &head.fields,
        head.keep.stamp.date,
    );
    if matches!(held, Condition::Unmodified) {
        return Some(Answer {
            status: StatusCode::NOT_MODIFIED,
            fields: policy::answer::not_modified(&answer.fields),
            reply: Reply::empty(),
            ..answer
        });
    }
    Some(answer)
}

fn renewed(
    worker: &Worker,
    transit: &Transit,
    plan: &Plan,
    entry: &Entry,
    account: Account,
) -> Answer {
    let engine = &worker.engine;
    let here = lookup::account(engine, plan, entry, Outcome::Revalidated);
    let account = Account {
        fwd: account.fwd,
        fwd_status: Some(StatusCode::NOT_MODIFIED),
        collapsed: account.collapsed,
        stored: true,
        ..here
    };
    lookup::from_entry(engine, transit, entry, account)
}

/// What the leader alone gets.
fn own_answer(
    worker: &Worker,
    transit: &Transit,
    plan: &Plan,
    own: Own,
    account: Account,
) -> Answer {
    let engine = &worker.engine;
    match own {
        Own::Entry(entry) => {
            let answer = renewed(worker, transit, plan, &entry, account.clone());
            let account = Account { stored: false, reason: account.reason, ..answer.account };
            Answer { account, ..answer }
        }
        Own::Stream(response) => {
            let answer = pass::answer_of(*response, account);
            lookup::conditional_own(engine, transit, answer)
        }
    }
}

/// The stale copy, where it may stand in for an origin that failed.
pub(super) fn on_error(
    worker: &Worker,
    transit: &Transit,
    plan: &Plan,
    stale: Option<&Entry>,
    status: Option<StatusCode>,
) -> Option<Answer> {
    let engine = &worker.engine;
    let entry = stale?;
    if !policy::serves_on_error(&entry.stamp, &plan.wishes, engine.clock.now()) {
        return None;
    }
    let note = match status {
        Some(status) => format!("stale-if-error; origin {}", status.as_u16()),
        None => "stale-if-error; origin failed".to_owned(),
    };
    let account =
        Account { note: note.into(), ..lookup::account(engine, plan, entry, Outcome::Stale) };
    Some(lookup::from_entry(engine, transit, entry, account))
}

/// The answer when the origin gave none: the stale copy, or the fault.
pub(super) fn failure(
    worker: &Worker,
    transit: &Transit,
    plan: &Plan,
    stale: Option<&Entry>,
    failed: &OriginFault,
    account: Account,
) -> Answer {
    match on_error(worker, transit, plan, stale, None) {
        Some(answer) => answer,
        None => respond::fault(&worker.engine, transit, &failed.fault(), account),
    }
}

/// HEAD and parts lead no fetch, but take what a running one brings. `None`: look again.
async fn joined(
    worker: &Worker,
    transit: &Transit,
    plan: &Plan,
    running: &Arc<Flight>,
) -> Option<Answer> {
    let head = match running.landing().await {
        Landing::Shared(head) => head,
        Landing::Renewed(_) => return None,
        _ => return Some(pass::read(worker, transit, plan, None).await),
    };
    if !head.selecting.matches(&transit.parts.headers) {
        return Some(pass::read(worker, transit, plan, None).await);
    }
    if transit.parts.method == Method::HEAD {
        let account = Account { fwd: Some(Fwd::UriMiss), ..plan.account(Outcome::Coalesced) };
        let account = Account { collapsed: true, ..account };
        let mut fields = head.fields.clone();
        if let Some(len) = head.len {
            fields.insert(header::CONTENT_LENGTH, len.into());
        }
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
    let seat = Seated { stale: None, fwd, leads: true, lately: false, reader };
    match served(worker, transit, plan, &flight, seat).await {
        Next::Answer(answer) => *answer,
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
    stale: Option<&HeaderMap>,
    own_conditions: bool,
) -> http::request::Parts {
    let target = plan.send_target.as_deref();
    let head = outbound::head(&worker.engine, transit, &plan.routed, target);
    if own_conditions {
        return head;
    }
    outbound::for_cache(head, stale.map(policy::conditions).unwrap_or_default())
}
