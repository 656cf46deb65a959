//! The look into the cache, and answers made from what stands there. No step of a hit awaits.

use std::sync::Arc;

use http::{HeaderMap, Method, StatusCode, header};

use crate::base::clock::Timestamp;
use crate::engine::Engine;
use crate::engine::admit::Plan;
use crate::engine::inject;
use crate::engine::reply::{Pieces, Reply};
use crate::engine::transit::{Account, Answer, Outcome, Transit};
use crate::entry::{Body, Bundle, Entry, pack};
use crate::policy::answer::{Multipart, number};
use crate::policy::{self, Condition, Form, Ranges, Selecting, Verdict};

/// What the cache says about a read.
#[derive(Debug)]
pub(super) enum Look {
    /// It may be served as it is.
    Fresh(Arc<Entry>),
    /// It may be served now, and is to be renewed behind.
    Behind(Arc<Entry>),
    /// It stands there, and the origin must be asked first.
    Stale(Arc<Entry>, policy::Why),
    /// Other variants stand there; this is the one the request asks for.
    OtherVariant(Selecting),
    /// Nothing.
    Absent,
}

/// Looks a plan up.
pub(super) fn look(engine: &Engine, transit: &Transit, plan: &Plan) -> Look {
    look_at(engine, transit, plan, engine.clock.now())
}

/// The same, at a moment that the caller has read already.
pub(super) fn look_at(engine: &Engine, transit: &Transit, plan: &Plan, now: Timestamp) -> Look {
    if !plan.keeping.l1 {
        return Look::Absent;
    }
    let Some(bundle) = engine.l1.find(plan.kind, plan.key.identity()) else { return Look::Absent };
    let chosen = bundle.choose(&transit.parts.headers, now);
    judged(engine, transit, plan, &bundle, chosen, now)
}

/// What [`look`] would find, without counting as a use of it.
pub(super) fn peek(engine: &Engine, transit: &Transit, plan: &Plan) -> Look {
    let place = transit.book.place(plan.routed.route.as_deref());
    let found = engine.l1.peek(plan.key.identity()).filter(|found| *found.kind() == *place.kind);
    let Some(bundle) = found else { return Look::Absent };
    let chosen = bundle.peek(&transit.parts.headers);
    judged(engine, transit, plan, &bundle, chosen, engine.clock.now())
}

fn judged(
    engine: &Engine,
    transit: &Transit,
    plan: &Plan,
    bundle: &Bundle,
    chosen: Option<&Arc<Entry>>,
    now: Timestamp,
) -> Look {
    let Some(entry) = chosen else {
        let fields = &transit.parts.headers;
        return match bundle.variants().last() {
            Some(other) => Look::OtherVariant(Selecting::of(other.selecting.names(), fields)),
            None => Look::Absent,
        };
    };
    let entry = Arc::clone(entry);
    if !engine.is_trusted(&entry, transit.looks_at()) {
        return Look::Stale(entry, policy::Why::Gap);
    }
    match policy::judge(&entry.stamp, &plan.wishes, now) {
        Verdict::Fresh => Look::Fresh(entry),
        Verdict::WhileRevalidate => Look::Behind(entry),
        Verdict::Validate(why) => Look::Stale(entry, why),
    }
}

/// What is said about an answer from `entry`.
pub(super) fn account(engine: &Engine, plan: &Plan, entry: &Entry, outcome: Outcome) -> Account {
    account_at(plan, entry, outcome, engine.clock.now())
}

/// The same, at a moment that the caller has read already.
pub(super) fn account_at(plan: &Plan, entry: &Entry, outcome: Outcome, now: Timestamp) -> Account {
    Account {
        ttl: Some(entry.stamp.left(now)),
        age: Some(entry.stamp.age(now).as_secs()),
        ..plan.account(outcome)
    }
}

/// The answer of a stored entry to this request: whole, a part, or only that nothing has changed.
pub(super) fn from_entry(
    engine: &Engine,
    transit: &Transit,
    plan: &Plan,
    entry: &Entry,
    account: Account,
) -> Answer {
    let mut fields = entry.head.to_header_map();
    let status = entry.head.status();
    let date = entry.stamp.date;
    if let Some(name) = account.route.as_ref().and_then(|route| route.inject.as_deref())
        && let Some(answer) = inject::stored(name, entry, &fields, &account)
    {
        let answer = Answer { reply: answer.reply.counted(&engine.transit), ..answer };
        return conditional(transit, answer, date);
    }
    let form = form(transit, plan, entry);
    if form != Form::Plain {
        policy::coded::vary(&mut fields);
    }
    let whole = Answer { status, fields, reply: Reply::empty(), account };
    let mut answer = conditional(transit, whole, date);
    if answer.status != status {
        return answer;
    }
    if let (Form::Coded, Some(coded)) = (form, entry.body.coded()) {
        policy::coded::mark(&mut answer.fields);
        return with_body(engine, answer, coded);
    }
    let len = entry.body.len();
    let parts = &transit.parts;
    let spoilt = || policy::coded::spoils_parts(&parts.headers, &parts.method);
    if !parts.headers.contains_key(header::RANGE)
        || (spoilt() && others_get_coded(engine, plan, entry))
    {
        return with_body(engine, answer, &entry.body);
    }
    let wanted = policy::ranges(&parts.headers, &parts.method, status, &answer.fields, date, len);
    let seed = multipart_seed(engine, transit);
    ranged(engine, answer, &entry.body, wanted, seed)
}

/// The form of a stored answer that a request gets.
fn form(transit: &Transit, plan: &Plan, entry: &Entry) -> Form {
    match entry.body.coded() {
        Some(_) if plan.serves_packed() => policy::form(&transit.parts.headers),
        _ => Form::Plain,
    }
}

/// The coded body of a stored answer, where this request gets it.
pub(super) fn coded<'a>(transit: &Transit, plan: &Plan, entry: &'a Entry) -> Option<&'a Body> {
    entry.body.coded().filter(|_| form(transit, plan, entry) == Form::Coded)
}

/// Whether a client may have got this answer coded, here a moment ago or from another node.
fn others_get_coded(engine: &Engine, plan: &Plan, entry: &Entry) -> bool {
    plan.serves_packed()
        && engine.shares(plan).is_some()
        && pack::is_one_frame(entry.body.len())
        && policy::may_be_coded(entry.head.status(), entry.head.lines())
}

/// 304 where the client's own condition says that it has this already.
pub(super) fn conditional(transit: &Transit, answer: Answer, date: Timestamp) -> Answer {
    let parts = &transit.parts;
    let held =
        policy::condition(&parts.headers, &parts.method, answer.status, &answer.fields, date);
    if !matches!(held, Condition::Unmodified) {
        return answer;
    }
    Answer {
        status: StatusCode::NOT_MODIFIED,
        fields: policy::answer::not_modified(&answer.fields),
        reply: Reply::empty(),
        // This 304 is ours; the origin's words were about another status.
        account: Account { phrase: None, ..answer.account },
    }
}

/// The same, for an answer that is not stored.
pub(super) fn conditional_own(engine: &Engine, transit: &Transit, answer: Answer) -> Answer {
    conditional(transit, answer, engine.clock.now())
}

fn with_body(engine: &Engine, mut answer: Answer, body: &Body) -> Answer {
    let length = number(body.len());
    // As a rule the origin said so itself, once.
    let told = answer.fields.get_all(header::CONTENT_LENGTH).iter().eq([&length]);
    if !told && answer.status != StatusCode::NO_CONTENT {
        answer.fields.insert(header::CONTENT_LENGTH, length);
    }
    answer.reply = match body.segments() {
        [one] => Reply::Whole(Pieces::one(one.clone())),
        many => engine.senders.send(body, many.to_vec()),
    };
    answer
}

fn ranged(engine: &Engine, answer: Answer, body: &Body, wanted: Ranges, seed: u128) -> Answer {
    match wanted {
        Ranges::Whole => with_body(engine, answer, body),
        Ranges::Unsatisfiable => Answer {
            status: StatusCode::RANGE_NOT_SATISFIABLE,
            fields: policy::answer::unsatisfiable(&answer.fields, body.len()),
            reply: Reply::empty(),
            ..answer
        },
        Ranges::One(range) => {
            let fields = policy::answer::partial_head(&answer.fields, &range, body.len());
            let reply = engine.senders.send(body, body.slice(range).segments().to_vec());
            Answer { status: StatusCode::PARTIAL_CONTENT, fields, reply, ..answer }
        }
        Ranges::Many(ranges) => {
            let multipart = Multipart::new(&answer.fields, &ranges, body.len(), seed);
            let mut all = Vec::new();
            for range in multipart.ranges() {
                all.push(multipart.opening(range));
                all.extend(body.slice(range.clone()).segments().iter().cloned());
            }
            all.push(multipart.closing());
            let fields = multipart.head(&answer.fields);
            let reply = engine.senders.send(body, all);
            Answer { status: StatusCode::PARTIAL_CONTENT, fields, reply, ..answer }
        }
    }
}

/// A boundary that nobody can place into a body beforehand: keyed by the process' own secret.
fn multipart_seed(engine: &Engine, transit: &Transit) -> u128 {
    let digest = blake3::keyed_hash(&engine.identity_key, &transit.id.to_le_bytes());
    let half = digest.as_bytes().first_chunk::<16>().copied().unwrap_or_default();
    u128::from_le_bytes(half)
}

/// Whether the client wants a part only.
pub(super) fn wants_part(fields: &HeaderMap, method: &Method) -> bool {
    *method == Method::GET && fields.contains_key(header::RANGE)
}
