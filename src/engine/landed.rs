//! What a landing means for one who waited for it: the bytes as they come, what was confirmed, its
//! own answer, a stale copy in place of an error, or a reason to look again or to ask alone.

use std::sync::Arc;

use http::{StatusCode, header};
use tokio::time::Instant;

use crate::base::reason::Reason;
use crate::engine::Worker;
use crate::engine::admit::Plan;
use crate::engine::flight::{Flight, Landing, Own, SharedHead};
use crate::engine::inject;
use crate::engine::lookup;
use crate::engine::pass;
use crate::engine::reply::Reply;
use crate::engine::respond;
use crate::engine::stream::Reader;
use crate::engine::transit::{Account, Answer, Level, Outcome, Transit, Waited};
use crate::entry::Entry;
use crate::origin::OriginFault;
use crate::policy::{self, Fwd, Selecting, Verdict};

/// What a request knows when it takes its seat.
pub(super) struct Seated {
    pub(super) stale: Option<Arc<Entry>>,
    pub(super) fwd: Fwd,
    pub(super) leads: bool,
    pub(super) lately: bool,
    /// Its place in the body, if the flight's body can still be read from its first byte.
    pub(super) reader: Option<Reader>,
    /// Orders may have been missed that name what stood there.
    pub(super) gap: bool,
}

impl Seated {
    /// Why what stood there was not served.
    fn reason(&self) -> Option<Reason> {
        match self.fwd {
            Fwd::Request => Some(Reason::ClientNoCache),
            _ => self.gap.then_some(Reason::CoherenceGap),
        }
    }
}

/// What comes of a landing for one request.
pub(super) enum Next {
    Answer(Box<Answer>),
    Look(Selecting),
    Again,
    Alone,
}

impl From<Answer> for Next {
    fn from(answer: Answer) -> Self {
        Self::Answer(Box::new(answer))
    }
}

/// Waits for a landing. What it means for this request, with how long it waited for others.
pub(super) async fn served(
    worker: &Worker,
    transit: &Transit,
    plan: &Plan,
    flight: &Arc<Flight>,
    seat: Seated,
) -> Next {
    let (began, leads) = (Instant::now(), seat.leads);
    let landing = flight.landing().await;
    let micros = began.elapsed().as_micros() as u64;
    let elsewhere = matches!(landing, Landing::Found { waited: true, .. });
    // What its own look into the shared level took is nobody else's time.
    let own_look = leads && matches!(landing, Landing::Found { waited: false, .. });
    let mut next = means(worker, transit, plan, flight, seat, landing).await;
    if let Next::Answer(answer) = &mut next {
        answer.account.waited = (!own_look).then_some(Waited { micros, elsewhere });
    }
    next
}

/// What a landing means for one who waited for it.
async fn means(
    worker: &Worker,
    transit: &Transit,
    plan: &Plan,
    flight: &Arc<Flight>,
    seat: Seated,
    landing: Landing,
) -> Next {
    let outcome = if seat.leads { Outcome::Miss } else { Outcome::Coalesced };
    let account = Account {
        fwd: Some(seat.fwd),
        collapsed: !seat.leads,
        reason: seat.reason(),
        ..plan.account(outcome)
    };
    match landing {
        Landing::Shared(head) => {
            if !seat.leads && !head.selecting.matches(&transit.parts.headers) {
                let names = head.selecting.names();
                return Next::Look(Selecting::of(names, &transit.parts.headers));
            }
            let account = Account {
                origin_micros: Some(head.origin_micros),
                phrase: head.phrase.clone(),
                fate: Some(flight.fate.clone()),
                ..account
            };
            let Some(reader) = seat.reader else {
                // It came too late for the bytes: they are stored by now, or were only streamed.
                return if flight.stream.is_complete() { Next::Again } else { Next::Alone };
            };
            shared(worker, transit, reader, &head, account, seat.leads).await.into()
        }
        Landing::Renewed(entry) => {
            if !entry.selecting.matches(&transit.parts.headers) {
                let names = entry.selecting.names();
                return Next::Look(Selecting::of(names, &transit.parts.headers));
            }
            let answer = renewed(worker, transit, plan, &entry, account);
            Answer { account: answer.account.refused(flight.fate.refusal()), ..answer }.into()
        }
        Landing::Found { entry, waited } => found(worker, transit, plan, &entry, waited, account),
        Landing::Alone(why) => {
            let stale = stale_of(&seat, flight).filter(|_| policy::is_error_for_stale(why.status));
            if let Some(answer) = on_error(worker, transit, plan, stale, Some(why.status)) {
                return answer.into();
            }
            // The reason is this answer's own; that nobody waited is worth a word of its own.
            let note = if seat.lately { Reason::UncacheableLately.as_str() } else { "" };
            let account = Account {
                reason: Some(why.reason),
                note: note.into(),
                origin_micros: Some(why.origin_micros),
                ..account
            };
            let own = if seat.leads { flight.take_own() } else { None };
            match own {
                Some(own) => own_answer(worker, transit, plan, own, account).await.into(),
                None => Next::Alone,
            }
        }
        Landing::Failed(failed) => {
            failure(worker, transit, plan, stale_of(&seat, flight), &failed, account).into()
        }
        Landing::Stored => Next::Again,
        Landing::Abandoned => Next::Alone,
    }
}

/// The stale copy that may stand in where the origin fails: what stood here, or what stood in the
/// shared level.
fn stale_of<'a>(seat: &'a Seated, flight: &'a Flight) -> Option<&'a Entry> {
    seat.stale.as_deref().or_else(|| flight.fallback())
}

/// What came whole from the shared level, if it answers this request as well.
fn found(
    worker: &Worker,
    transit: &Transit,
    plan: &Plan,
    entry: &Entry,
    waited: bool,
    account: Account,
) -> Next {
    let engine = &worker.engine;
    if !entry.selecting.matches(&transit.parts.headers) {
        let names = entry.selecting.names();
        return Next::Look(Selecting::of(names, &transit.parts.headers));
    }
    if policy::judge(&entry.stamp, &plan.wishes, engine.clock.now()) != Verdict::Fresh {
        return Next::Alone;
    }
    let collapsed = waited || account.collapsed;
    let outcome = if collapsed { Outcome::Coalesced } else { Outcome::Hit };
    let here = lookup::account(engine, plan, entry, outcome);
    let fwd = if collapsed { account.fwd } else { None };
    let account = Account { level: Level::Two, fwd, collapsed, reason: account.reason, ..here };
    lookup::from_entry(engine, transit, plan, entry, account).into()
}

/// An answer that may be kept: its bytes follow as they come.
async fn shared(
    worker: &Worker,
    transit: &Transit,
    reader: Reader,
    head: &Arc<SharedHead>,
    account: Account,
    leads: bool,
) -> Answer {
    let engine = &worker.engine;
    let now = engine.clock.now();
    let stamp = &head.keep.stamp;
    // The leader's answer is as old as its head; those who join later count from then.
    let at = if leads { stamp.stored_at } else { now };
    let (age, ttl) = (stamp.age(at), stamp.left(at));
    let from = head.keep.ttl_by.as_str();
    let fate = account.fate.clone().unwrap_or_default();
    // Of a body whose length nobody has told yet it cannot be said that it was stored (RFC 9211,
    // 2.5): it may outgrow the store.
    let stored = head.len.is_some() || fate.is_decided();
    let proviso = if stored { "" } else { "; stored if it fits" };
    let account = Account {
        stored,
        ttl: Some(ttl),
        age: (!leads).then_some(age.as_secs()),
        note: format!("ttl from {from}{proviso}").into(),
        ..account
    };
    let account = account.refused(fate.refusal());
    let mut fields = if leads { head.own_fields.clone() } else { head.fields.clone() };
    if let Some(trailer) = head.trailer.as_ref().filter(|_| !leads) {
        fields.insert(header::TRAILER, trailer.clone());
    }
    if let Some(name) = account.route.as_ref().and_then(|route| route.inject.clone()) {
        let answer = inject::streamed(&name, head, fields, reader, account).await;
        // The body may have ended while it was held back: then there is no doubt left.
        let account = match (fate.is_decided(), fate.refusal()) {
            (true, None) => {
                let note = format!("ttl from {from}").into();
                Account { stored: true, note, ..answer.account }
            }
            (_, refusal) => answer.account.refused(refusal),
        };
        let reply = answer.reply.counted(&engine.transit);
        let answer = Answer { reply, account, ..answer };
        return lookup::conditional(transit, answer, stamp.date);
    }
    let reply = Reply::Shared { reader, len: head.len };
    let answer = Answer { status: head.status, fields, reply, account };
    lookup::conditional(transit, answer, stamp.date)
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
        reason: account.reason,
        ..here
    };
    lookup::from_entry(engine, transit, plan, entry, account)
}

/// What the leader alone gets.
async fn own_answer(
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
            let answer = pass::answer_of(transit, *response, account).await;
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
    // What may have been purged stands in for nothing: that bound holds when all else fails.
    let entry = stale.filter(|entry| engine.is_trusted(entry, transit.looks_at()))?;
    if !policy::serves_on_error(&entry.stamp, &plan.wishes, engine.clock.now()) {
        return None;
    }
    let note = match status {
        Some(status) => format!("stale-if-error; origin {}", status.as_u16()),
        None => "stale-if-error; origin failed".to_owned(),
    };
    let account =
        Account { note: note.into(), ..lookup::account(engine, plan, entry, Outcome::Stale) };
    Some(lookup::from_entry(engine, transit, plan, entry, account))
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
