//! The story of one request, top to bottom.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Request, Response, header};
use http_body::Body;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use tokio::time::Instant;

use crate::base::fault::Fault;
use crate::base::fields;
use crate::base::limits;
use crate::base::names;
use crate::base::reason::Reason;
use crate::engine::admit::{self, Admission, Plan, Routed};
use crate::engine::fetch;
use crate::engine::lookup::{self, Look};
use crate::engine::marks::Marks;
use crate::engine::pass::OutBody;
use crate::engine::reply::Pieces;
use crate::engine::respond::Sent;
use crate::engine::transit::{Account, Answer, Caller, Outcome, Transit, canonical};
use crate::engine::{Engine, Worker, at_hand, miss, pass, purge, respond, write};
use crate::origin::{BoxError, Whole};
use crate::policy;
use crate::policy::validate::has_preconditions;
use crate::rules::RequestBody;

/// Answers one request.
pub async fn serve(
    worker: &Worker,
    mut request: Request<Incoming>,
    caller: Caller,
) -> Response<Sent> {
    let upgrade =
        request.headers().contains_key(header::UPGRADE).then(|| hyper::upgrade::on(&mut request));
    let (parts, body) = request.into_parts();
    let engine = &worker.engine;
    let transit = begin(engine, parts, caller, Instant::now());
    let admission = admit::admit(engine, &transit, !body.is_end_stream());
    answer(worker, Begun { transit, admission }, body, upgrade).await
}

/// A request that has been admitted and could not be answered at once.
#[derive(Debug)]
pub struct Begun {
    transit: Transit,
    admission: Admission,
}

/// A request without content, as the edge offers it.
#[derive(Debug)]
pub struct Asking {
    /// The request.
    pub request: Request<()>,
    /// Who asks.
    pub caller: Caller,
    /// When it came.
    pub arrived: Instant,
    /// The connection ends behind the answer.
    pub closes: bool,
}

/// Answers a request without content, if what stands in the cache may be sent as it is: the head is
/// appended to `out`, the body is given back. Nothing here awaits.
///
/// # Errors
/// What is known of a request that needs more, for [`go_on`]; then `out` is as it was.
pub fn at_once(
    engine: &Arc<Engine>,
    asking: Asking,
    out: &mut Vec<u8>,
) -> Result<Pieces, Box<Begun>> {
    let Asking { request, caller, arrived, closes } = asking;
    let transit = begin(engine, request.into_parts().0, caller, arrived);
    let admission = admit::admit(engine, &transit, false);
    let answered = match &admission {
        Admission::Read(plan) => at_hand::answer(engine, &transit, plan, closes, out),
        _ => None,
    };
    answered.ok_or_else(|| Box::new(Begun { transit, admission }))
}

/// Answers a request that [`at_once`] could not.
pub async fn go_on(worker: &Worker, begun: Begun) -> Response<Sent> {
    answer(worker, begun, Empty::<Bytes>::new(), None).await
}

async fn answer<B>(
    worker: &Worker,
    begun: Begun,
    body: B,
    upgrade: Option<OnUpgrade>,
) -> Response<Sent>
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin + Send + 'static,
{
    let Begun { transit, admission } = begun;
    let engine = &worker.engine;
    let answer = match admission {
        Admission::Read(plan) => read(worker, &transit, &plan).await,
        // What leaves the process is boxed: the future of a hit would have room for it too, and is
        // moved more than once for each request.
        Admission::BodyRead(routed) => Box::pin(body_read(worker, &transit, routed, body)).await,
        Admission::Write(routed) => {
            Box::pin(write::write(worker, &transit, &routed, outgoing(body))).await
        }
        Admission::Purge => Box::pin(purge::purge(engine, &transit)).await,
        Admission::Pass(routed, reason) => {
            Box::pin(past(worker, &transit, &routed, reason, outgoing(body), upgrade)).await
        }
        Admission::Refuse(fault) => respond::fault(engine, &transit, &fault, Account::default()),
    };
    respond::finish(engine, transit, answer)
}

/// The authority of an absolute target, else that of Host (RFC 9112, 3.2.2).
fn asked_authority(parts: &Parts) -> &str {
    let host = || parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let named = parts.uri.authority().map(http::uri::Authority::as_str);
    named.or_else(host).unwrap_or_default()
}

/// The kinds of fields that are left when those which `Connection` names are gone.
fn marked(headers: &mut HeaderMap) -> Marks {
    let marks = Marks::of(headers);
    if !marks.has(Marks::CONNECTION) {
        return marks;
    }
    fields::strip_named_by_connection(headers);
    Marks::of(headers)
}

/// What a trusted peer says that the client used, else what it used with us.
fn asked_scheme(engine: &Engine, parts: &Parts, marks: Marks, caller: Caller) -> &'static str {
    let trusted = marks.has(Marks::FORWARDED) && engine.options.trusts_peer(caller.peer.ip());
    let told = if trusted { parts.headers.get(names::X_FORWARDED_PROTO) } else { None };
    match told.map(http::HeaderValue::as_bytes) {
        Some(proto) if proto.eq_ignore_ascii_case(b"https") => "https",
        None if caller.secure => "https",
        _ => "http",
    }
}

fn begin(engine: &Engine, mut parts: Parts, caller: Caller, began: Instant) -> Transit {
    let marks = marked(&mut parts.headers);
    let authority = asked_authority(&parts);
    let scheme = asked_scheme(engine, &parts, marks, caller);
    Transit {
        began,
        at: engine.clock.at(began),
        id: engine.requests.fetch_add(1, Ordering::Relaxed),
        caller,
        authority: canonical(authority, scheme),
        scheme,
        trusted: engine.options.trusts_peer(caller.peer.ip()),
        parts,
        marks,
        book: engine.book.load_full(),
    }
}

fn outgoing<B>(body: B) -> OutBody
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    body.map_err(Into::into).boxed_unsync()
}

async fn read(worker: &Worker, transit: &Transit, plan: &Plan) -> Answer {
    let engine = &worker.engine;
    let now = engine.clock.now();
    // What only the origin may judge goes to it, whatever stands here (RFC 9110, 13.1.1).
    if transit.marks.has(Marks::CONDITIONS) && has_preconditions(&transit.parts.headers) {
        return Box::pin(miss::miss(worker, transit, plan)).await;
    }
    match lookup::look_at(engine, transit, plan, now) {
        Look::Fresh(entry) => {
            let account = lookup::account_at(plan, &entry, Outcome::Hit, now);
            lookup::from_entry(engine, transit, plan, &entry, account)
        }
        Look::Behind(entry) => fetch::behind(worker, transit, plan, &entry),
        Look::Stale(..) | Look::OtherVariant(_) | Look::Absent => {
            Box::pin(miss::miss(worker, transit, plan)).await
        }
    }
}

/// A read whose key comes from its body: the body is read first, up to the rule's limit.
async fn body_read<B>(worker: &Worker, transit: &Transit, routed: Routed, body: B) -> Answer
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin + Send + 'static,
{
    let engine = &worker.engine;
    let limit = routed.route.as_ref().map_or(limits::JSON_BYTES_MAX, |route| route.json_max);
    let body = match crate::origin::whole(body, limit).await {
        Ok(Whole::TooLong(rest)) => {
            let routed = Routed { note: "the body is longer than json_max".into(), ..routed };
            let body = rest.map_err(Into::into).boxed_unsync();
            return past(worker, transit, &routed, Reason::KeyPartMissing, body, None).await;
        }
        Ok(whole) => whole.bytes().unwrap_or_default(),
        Err(broken) => {
            let broken: BoxError = broken.cause.into();
            let fault = Fault::BadRequest(format!("the body broke off: {broken}"));
            return respond::fault(engine, transit, &fault, Account::default());
        }
    };
    let plain = crate::engine::json::decoded(&transit.parts.headers, &body, limit);
    let given = RequestBody::new(plain.map(|plain| plain.into_owned().into()).unwrap_or_default());
    match admit::read(engine, transit, routed, Some(&given)) {
        Admission::Read(plan) => read(worker, transit, &Plan { body, ..plan }).await,
        Admission::Pass(routed, reason) => {
            let body = Full::new(body).map_err(|never| match never {}).boxed_unsync();
            past(worker, transit, &routed, reason, body, None).await
        }
        _ => respond::fault(engine, transit, &Fault::NoOrigin, Account::default()),
    }
}

async fn past(
    worker: &Worker,
    transit: &Transit,
    routed: &Routed,
    reason: Reason,
    body: OutBody,
    upgrade: Option<OnUpgrade>,
) -> Answer {
    let account = routed.account(reason);
    let is_read = matches!(transit.parts.method, http::Method::GET | http::Method::HEAD);
    if is_read && policy::RequestDirectives::of(&transit.parts.headers, false).only_if_cached {
        return respond::fault(&worker.engine, transit, &Fault::OnlyIfCached, account);
    }
    pass::pass(worker, transit, routed, body, upgrade, account).await
}

/// A request that is only looked at: its head as `explain` sees it.
pub fn imagine(worker: &Engine, request: Request<()>, caller: Caller) -> Transit {
    let (mut parts, ()) = request.into_parts();
    let marks = marked(&mut parts.headers);
    let authority = asked_authority(&parts);
    let scheme = asked_scheme(worker, &parts, marks, caller);
    Transit {
        began: Instant::now(),
        at: worker.clock.now(),
        id: 0,
        caller,
        authority: canonical(authority, scheme),
        scheme,
        trusted: worker.options.trusts_peer(caller.peer.ip()),
        parts,
        marks,
        book: Arc::clone(&worker.book.load_full()),
    }
}
