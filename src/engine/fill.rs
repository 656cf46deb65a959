//! From a head that may be kept to an entry: the body streams to all who wait and, when it is
//! whole, into the store. One that breaks off is never stored and never looks complete; one that
//! grows past what the level keeps, or for which there is no memory, goes on as a stream.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::BodyExt;
use tokio::time::Instant;

use crate::base::reason::Reason;
use crate::base::tasks;
use crate::engine::errand::Errand;
use crate::engine::fetch::{Ending, Times, declared_len, mark};
use crate::engine::fleet;
use crate::engine::flight::{Flight, Landing, SharedHead};
use crate::engine::labels;
use crate::engine::senders::{Room, SMALL_BYTES};
use crate::engine::stream::Broken;
use crate::engine::{Engine, Worker};
use crate::entry::{Body, Entry};
use crate::origin::InBody;
use crate::policy::{Keep, Selecting};
use crate::store::fence::Facts;

/// Stores the answer of a write that stands for later reads, and streams it on meanwhile.
pub(super) fn posted(
    worker: &Worker,
    flight: Arc<Flight>,
    errand: Errand,
    answer: Response<InBody>,
    keep: Keep,
    fields: HeaderMap,
) {
    let worker = worker.clone();
    // A drain waits for those who wait for this, not for the copy that L1 would lose with the
    // process.
    tasks::tend(async move {
        let ending = Ending { engine: Arc::clone(&worker.engine), flight };
        let now = worker.engine.clock.now();
        let times = Times { asked_at: now, answered_at: now, origin_micros: 0 };
        let limit = worker.engine.options.max_object;
        let filling = Filling { keep, fields, limit, times };
        fill(&worker, &ending.flight, &errand, answer, filling).await;
        drop(ending);
    });
}

/// A head that may be kept, on its way into the store.
pub(super) struct Filling {
    /// What policy decided.
    pub(super) keep: Keep,
    /// The fields as they are stored.
    pub(super) fields: HeaderMap,
    /// The longest body that is kept.
    pub(super) limit: u64,
    /// When it was asked for, and when it came.
    pub(super) times: Times,
}

/// Streams the body to all who wait and into the store.
pub(super) async fn fill(
    worker: &Worker,
    flight: &Arc<Flight>,
    errand: &Errand,
    answer: Response<InBody>,
    filling: Filling,
) {
    let engine = &worker.engine;
    let Filling { keep, fields, limit, times } = filling;
    let selecting = Selecting::of(&keep.vary, &errand.gist.fields);
    let (head, mut body) = answer.into_parts();
    let mut own_fields = head.headers;
    crate::base::fields::strip_hop_by_hop(&mut own_fields);
    let len = declared_len(&own_fields);
    let trailer = announced(&own_fields, &keep);
    let (keep, refusal) = foretold(engine, flight, errand, keep, &fields);
    if refusal.is_some() {
        flight.fate.decide(refusal);
    }
    let mut kept = true;
    match engine.room_for(len) {
        Room::Open => {}
        Room::Reserved(charge) => body.count_against(charge),
        Room::None => {
            kept = false;
            flight.fate.decide(Some(Reason::Memory));
        }
    }
    flight.land(Landing::Shared(Arc::new(SharedHead {
        status: head.status,
        fields: fields.clone(),
        own_fields,
        keep: keep.clone(),
        selecting: selecting.clone(),
        len,
        trailer,
        origin_micros: times.origin_micros,
        phrase: head.extensions.get().cloned(),
    })));
    if !kept {
        only_stream(engine, flight, errand, &mut body);
    }
    match pour(engine, flight, errand, &mut body, limit, !kept).await {
        Poured::Whole => {}
        Poured::Streamed => return flight.stream.finish(Ok(())),
        Poured::Broken(broken) => {
            engine.flights.unlist(flight);
            flight.fate.decide(Some(Reason::Incomplete));
            return flight.stream.finish(Err(broken));
        }
        Poured::Unwanted => return flight.fate.decide(Some(Reason::TooLarge)),
    }
    let body = Body::in_transit(flight.stream.take(), &engine.transit);
    flight.stream.put_back(&body);
    let filling = Filling { keep, fields, limit, times };
    let refusal = self::keep(engine, flight, errand, head.status, body, filling);
    // Before the end is told: who hears of it may ask what became of the answer.
    flight.fate.decide(refusal);
    engine.flights.unlist(flight);
    flight.stream.finish(Ok(()));
}

/// Makes the entry of a whole answer and puts it into the levels. Tells why it does not stand here,
/// if it does not.
pub(super) fn keep(
    engine: &Arc<Engine>,
    flight: &Flight,
    errand: &Errand,
    status: StatusCode,
    body: Body,
    filling: Filling,
) -> Option<Reason> {
    let Filling { keep, fields, .. } = filling;
    labels::tell_ignored(engine, &errand.target, &fields);
    let Some(labels) = labels::of(engine, errand, &body, &fields) else {
        return Some(Reason::TooManyTags);
    };
    let head = labels::head(engine, status, &fields);
    let selecting = Selecting::of(&keep.vary, &errand.gist.fields);
    let entry = Entry::new(head, body, keep.stamp, selecting, labels);
    fleet::keep(engine, flight, &errand.plan, entry, keep).0.refusal()
}

/// The `Trailer` of those who share the answer: what only its first client may see is left out, and
/// what is not announced is not sent.
fn announced(own_fields: &HeaderMap, keep: &Keep) -> Option<HeaderValue> {
    let omitted =
        |name: &&[u8]| HeaderName::from_bytes(name).is_ok_and(|name| keep.omit.contains(&name));
    let names: Vec<&[u8]> = crate::base::fields::members(own_fields, &header::TRAILER)
        .filter(|name| !omitted(name))
        .collect();
    let names = HeaderValue::from_bytes(&names.join(&b", "[..])).ok()?;
    (!names.is_empty()).then_some(names)
}

/// Whether the store has room for an answer with this head and a body of this length. Tags that the
/// body brings may still make it too large: its fate tells.
pub(super) fn fits(
    engine: &Engine,
    errand: &Errand,
    status: StatusCode,
    keep: &Keep,
    fields: &HeaderMap,
    len: u64,
) -> bool {
    let labels = labels::of(engine, errand, &Body::empty(), fields);
    let labels = labels.unwrap_or_else(|| errand.labels.clone());
    let selecting = Selecting::of(&keep.vary, &errand.gist.fields);
    let head = labels::head(engine, status, fields);
    let entry = Entry::new(head, Body::empty(), keep.stamp, selecting, labels);
    engine.l1.has_room(&errand.plan.key, &entry, len)
}

/// What its head tells of how the answer will be kept, and why it will not be; tags that its body
/// brings come with its end.
fn foretold(
    engine: &Engine,
    flight: &Flight,
    errand: &Errand,
    keep: Keep,
    fields: &HeaderMap,
) -> (Keep, Option<Reason>) {
    if engine.bypass.is_on(Instant::now()) {
        return (keep, Some(Reason::BypassSwitch));
    }
    let overtaken = engine.fences.tick() > flight.birth.tick();
    if engine.settling.is_settled() && !overtaken {
        return (keep, None);
    }
    let Some(labels) = labels::of(engine, errand, &Body::empty(), fields) else {
        return (keep, Some(Reason::TooManyTags));
    };
    let admitted = flight.birth.admits(&Facts::of(&errand.plan.key, &labels));
    let refusal = (!admitted).then_some(Reason::PurgedDuringFetch);
    (engine.kept(&errand.plan, &labels, keep), refusal)
}

enum Poured {
    Whole,
    Streamed,
    Broken(Broken),
    Unwanted,
}

/// Waits until the fetch may read on; `false` when nobody wants it any more. A reader that stands
/// still wakes nobody, so the question is asked again now and then.
async fn room(engine: &Engine, flight: &Flight) -> bool {
    const AGAIN: Duration = Duration::from_secs(1);
    loop {
        let tight = engine.transit.is_spent();
        let room = std::future::poll_fn(|context| flight.stream.poll_room(context, tight));
        if let Ok(wanted) = tokio::time::timeout(AGAIN, room).await {
            return wanted;
        }
    }
}

async fn pour(
    engine: &Engine,
    flight: &Arc<Flight>,
    errand: &Errand,
    body: &mut InBody,
    limit: u64,
    mut streaming: bool,
) -> Poured {
    let (mut watched, reserved) = (false, body.has_reserve());
    loop {
        if !room(engine, flight).await {
            return Poured::Unwanted;
        }
        match body.frame().await {
            None => return if streaming { Poured::Streamed } else { Poured::Whole },
            Some(Err(error)) => return Poured::Broken(Broken::Origin(error.to_string().into())),
            Some(Ok(frame)) => {
                match frame.into_data() {
                    Ok(data) => flight.stream.push(data),
                    // For all who read along, and not for the entry: merged into its head they
                    // would take on another meaning (RFC 9110, 6.5.1).
                    Err(frame) => {
                        if let Ok(trailers) = frame.into_trailers() {
                            flight.stream.trail(trailers);
                        }
                    }
                }
            }
        }
        let len = flight.stream.len();
        if !watched && len > SMALL_BYTES {
            watched = true;
            engine.senders.watch(&flight.stream);
        }
        if streaming {
            continue;
        }
        if len > limit {
            mark(engine, errand);
        }
        // Of what has its memory reserved only the bookkeeping can be too much; what comes without
        // a length stops being kept where memory does.
        let spent = engine.transit.is_overdrawn() || (engine.transit.is_spent() && !reserved);
        let starved = len > SMALL_BYTES && spent;
        if len > limit || starved {
            streaming = true;
            flight.fate.decide(Some(if starved { Reason::Memory } else { Reason::TooLarge }));
            only_stream(engine, flight, errand, body);
        }
    }
}

/// From here on the answer is not to be kept. What stood there before it is outdated.
fn only_stream(engine: &Engine, flight: &Arc<Flight>, errand: &Errand, body: &mut InBody) {
    engine.flights.unlist(flight);
    if let Some(stale) = &errand.stale {
        fleet::outdate(engine, &errand.plan, stale);
    }
    if let Some(mut holding) = flight.take_holding() {
        // Other nodes need not wait for what they will not get.
        holding.is_alone();
    }
    body.free_reserve();
    body.lift_total();
    flight.stream.only_stream();
}
