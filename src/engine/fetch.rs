//! The fetch behind a flight, in a task of its own: asks the origin, lets policy judge the head,
//! tells the waiters, and puts what may be kept into the store. A client that leaves stops nothing;
//! a body that ends early is never stored and never looks complete.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use tokio::time::Instant;

use crate::base::clock::Timestamp;
use crate::base::limits;
use crate::base::names;
use crate::base::reason::Reason;
use crate::base::tasks;
use crate::engine::admit::Plan;
use crate::engine::errand::Errand;
use crate::engine::fill::{self, Filling};
use crate::engine::fleet::{self, Seen};
use crate::engine::flight::{Alone, Flight, FlightKey, Landing, Own, Seat};
use crate::engine::labels;
use crate::engine::lookup::{self, Look};
use crate::engine::pass::OutBody;
use crate::engine::stream::Broken;
use crate::engine::transit::{Account, Answer, Outcome, Transit};
use crate::engine::{Engine, Worker};
use crate::entry::{Body, Entry};
use crate::origin::{InBody, OriginFault};
use crate::policy::{self, Exchange, Renewal, Selecting};

/// Starts the fetch.
pub(super) fn lead(worker: &Worker, flight: Arc<Flight>, errand: Errand) {
    let worker = worker.clone();
    // A drain waits for those who wait for this, not for the copy that L1 would lose with the
    // process.
    tasks::tend(async move {
        // Whatever ends this task, nobody may wait for ever.
        let ending = Ending { engine: Arc::clone(&worker.engine), flight };
        fly(&worker, &ending.flight, errand).await;
        drop(ending);
    });
}

/// What must happen however a fetch ends.
pub(super) struct Ending {
    pub(super) engine: Arc<Engine>,
    pub(super) flight: Arc<Flight>,
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.engine.flights.unlist(&self.flight);
        // What was not put into the shared level by now will not be.
        drop(self.flight.take_holding());
        if !self.flight.has_landed() {
            self.flight.land(Landing::Abandoned);
        }
        self.flight.fate.decide(Some(Reason::Incomplete));
        self.flight.stream.finish(Err(Broken::Origin("the fetch was given up".into())));
    }
}

/// The answer of an entry past its lifetime that is renewed behind it (RFC 5861, 3).
pub(super) fn behind(
    worker: &Worker,
    transit: &Transit,
    plan: &Plan,
    entry: &Arc<Entry>,
) -> Answer {
    refresh_behind(worker, transit, plan, entry);
    let engine = &worker.engine;
    let account = lookup::account(engine, plan, entry, Outcome::Stale);
    let account = Account { note: "stale-while-revalidate".into(), ..account };
    lookup::from_entry(engine, transit, plan, entry, account)
}

/// Renews an entry behind an answer that has been served already.
pub(super) fn refresh_behind(worker: &Worker, transit: &Transit, plan: &Plan, entry: &Arc<Entry>) {
    let engine = &worker.engine;
    let birth = engine.fences.begin();
    let selecting = Some(entry.selecting.clone());
    let listed = FlightKey { key: plan.key.clone(), selecting };
    let flight = Flight::new(listed, plan.labels(transit), birth);
    if let Seat::Leader(flight) = engine.flights.seat(flight) {
        if let Look::Fresh(_) = lookup::look(engine, transit, plan) {
            // Another refresh has ended between the look that found it old and this seat.
            engine.flights.unlist(&flight);
            return flight.land(Landing::Stored);
        }
        let errand = Errand::new(worker, transit, plan, Some(Arc::clone(entry)), false);
        lead(worker, flight, errand);
    }
}

async fn fly(worker: &Worker, flight: &Arc<Flight>, mut errand: Errand) {
    let engine = &worker.engine;
    if let Seen::Landed = fleet::look(worker, flight, &mut errand).await {
        return;
    }
    let mut again = false;
    loop {
        let asked_at = engine.clock.now();
        let began = Instant::now();
        let head = errand.head.clone();
        let asked = policy::validate::asks_if_changed(&head.headers);
        let request = Request::from_parts(head, whole(errand.plan.body.clone()));
        let answer = match worker.ask_for_cache(&errand.plan.routed, request).await {
            Ok(answer) => answer.into_response(),
            Err(failed) => {
                engine.flights.unlist(flight);
                flight.land(Landing::Failed(Arc::new(failed)));
                return;
            }
        };
        let times = Times {
            asked_at,
            answered_at: engine.clock.now(),
            origin_micros: began.elapsed().as_micros() as u64,
        };
        let unmodified = answer.status() == StatusCode::NOT_MODIFIED;
        if unmodified && !asked && (again || errand.misleads()) {
            let why = "304 to a request without a condition".to_owned();
            engine.flights.unlist(flight);
            flight.land(Landing::Failed(Arc::new(OriginFault::BadAnswer(why))));
            return;
        }
        if unmodified && asked && errand.stale.is_some() {
            if renew(worker, flight, &errand, answer.headers(), times) {
                return;
            }
            // The 304 speaks of something else than what we hold: ask for the whole.
            if let Some(plain) = errand.plain_head.take() {
                errand.head = plain;
            }
            errand.stale = None;
            again = true;
            continue;
        }
        return judge(worker, flight, &errand, answer, times).await;
    }
}

fn whole(body: Bytes) -> OutBody {
    Full::new(body).map_err(|never| match never {}).boxed_unsync()
}

/// When an exchange with the origin happened.
#[derive(Clone, Copy)]
pub(super) struct Times {
    pub(super) asked_at: Timestamp,
    pub(super) answered_at: Timestamp,
    pub(super) origin_micros: u64,
}

fn exchange<'a>(
    flight: &Flight,
    errand: &'a Errand,
    status: StatusCode,
    response: &'a HeaderMap,
    times: Times,
) -> Exchange<'a> {
    Exchange {
        // A read by its body is a read: its key holds what the method would say.
        method: &Method::GET,
        target: &errand.target,
        request: &errand.head.headers,
        credentials: errand.plan.credentials,
        status,
        response,
        asked_at: times.asked_at,
        answered_at: times.answered_at,
        born: flight.birth.tick(),
        directives: errand.plan.wishes,
    }
}

/// The origin confirmed what we hold. `false`: it spoke of something else.
pub(super) fn renew(
    worker: &Worker,
    flight: &Arc<Flight>,
    errand: &Errand,
    answer: &HeaderMap,
    times: Times,
) -> bool {
    let engine = &worker.engine;
    let Some(stale) = &errand.stale else { return false };
    let stored = stale.head.to_header_map();
    let is_meant = matches!(policy::validate::renewal(&stored, answer), Renewal::Renewed)
        && (!errand.gap && !stale.is_soft() || policy::is_proven(&stored, answer, false));
    if !is_meant {
        return false;
    }
    let merged = policy::merge(&stored, answer, &engine.options.manner);
    let (law, manner) = (errand.plan.law(engine), &engine.options.manner);
    let exchange = exchange(flight, errand, stale.head.status(), &merged, times);
    let labels = labels::renewed(&errand.plan, &errand.gist.authority, stale, answer);
    let judged = policy::storable(&exchange, law, manner)
        .and_then(|keep| if labels.is_some() { Ok(keep) } else { Err(Reason::TooManyTags) });
    let (stamp, selecting, fields) = match &judged {
        Ok(keep) => {
            let fields = policy::stored_fields(&exchange, keep, law, manner);
            (keep.stamp, Selecting::of(&keep.vary, &errand.gist.fields), fields)
        }
        Err(_) => (stale.stamp, stale.selecting.clone(), merged.clone()),
    };
    let entry = Entry::new(
        labels::head(engine, stale.head.status(), &fields),
        stale.body.clone(),
        stamp,
        selecting,
        labels.unwrap_or_else(|| stale.labels.clone()),
    );
    labels::tell_ignored(engine, &errand.target, answer);
    match judged {
        Ok(keep) => {
            let (landed, entry) = fleet::keep(engine, flight, &errand.plan, entry, keep);
            flight.fate.decide(landed.refusal());
            engine.flights.unlist(flight);
            flight.land(Landing::Renewed(entry));
        }
        Err(reason) => {
            forget(engine, errand);
            engine.flights.unlist(flight);
            let status = stale.head.status();
            flight.leave(Own::Entry(Arc::new(entry)));
            flight.land(Landing::Alone(Alone {
                reason,
                status,
                origin_micros: times.origin_micros,
            }));
        }
    }
    true
}

/// How an answer with this head is kept; why it may not be.
pub(super) fn judged(
    engine: &Engine,
    flight: &Flight,
    errand: &Errand,
    status: StatusCode,
    fields: &HeaderMap,
    times: Times,
) -> Result<Filling, Reason> {
    let (law, manner) = (errand.plan.law(engine), &engine.options.manner);
    let exchange = exchange(flight, errand, status, fields, times);
    let keep = policy::storable(&exchange, law, manner)?;
    // What we write ourselves cannot be compared with what the next client sends.
    if keep.vary.iter().any(|name| WRITTEN_HERE.contains(name)) {
        return Err(Reason::VaryStar);
    }
    if labels::of(engine, errand, &Body::empty(), fields).is_none() {
        return Err(Reason::TooManyTags);
    }
    let limit = law.max_object.unwrap_or(engine.options.max_object);
    let stored = policy::stored_fields(&exchange, &keep, law, manner);
    let fits = |len| len <= limit && fill::fits(engine, errand, status, &keep, &stored, len);
    match declared_len(fields) {
        Some(len) if !fits(len) => Err(Reason::TooLarge),
        _ => Ok(Filling { keep, fields: stored, limit, times }),
    }
}

async fn judge(
    worker: &Worker,
    flight: &Arc<Flight>,
    errand: &Errand,
    mut answer: Response<InBody>,
    times: Times,
) {
    let engine = &worker.engine;
    let status = answer.status();
    match judged(engine, flight, errand, status, answer.headers(), times) {
        Ok(filling) => {
            engine.unshareable.clear(&errand.plan.key);
            fill::fill(worker, flight, errand, answer, filling).await;
        }
        Err(reason) => {
            // A 304 to the client's own condition says nothing of what could be kept.
            // One client's wish that this be kept nowhere says nothing of what stands here.
            let wish = errand.plan.wishes.no_store && reason == Reason::NoStore;
            let tells = !policy::is_error_for_stale(status) && status != StatusCode::NOT_MODIFIED;
            if tells && !wish {
                forget(engine, errand);
            }
            engine.flights.unlist(flight);
            if let Some(mut holding) = flight.take_holding() {
                holding.is_alone();
            }
            // Nobody waits for it but its own client, who may follow it as long as it goes on.
            answer.body_mut().lift_total();
            flight.leave(Own::Stream(Box::new(answer)));
            flight.land(Landing::Alone(Alone {
                reason,
                status,
                origin_micros: times.origin_micros,
            }));
        }
    }
}

/// Request fields whose values the origin gets from us, whatever the client sent.
const WRITTEN_HERE: [HeaderName; 4] =
    [names::X_FORWARDED_FOR, names::X_REAL_IP, HeaderName::from_static("forwarded"), header::VIA];

/// A newer answer that may not be kept: the older one must not be served in its stead, and the next
/// requests need not wait for each other.
fn forget(engine: &Engine, errand: &Errand) {
    if let Some(stale) = &errand.stale {
        fleet::outdate(engine, &errand.plan, stale);
    }
    mark(engine, errand);
}

/// Remembers that answers of this key are not to be waited for.
pub(super) fn mark(engine: &Engine, errand: &Errand) {
    let until = engine.clock.now().plus(limits::UNSHAREABLE_FOR);
    engine.unshareable.mark(&errand.plan.key, until);
}

pub(super) fn declared_len(fields: &HeaderMap) -> Option<u64> {
    fields.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
