//! The story of one request, top to bottom.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use http::request::Parts;
use http::{Request, Response, header};
use http_body::Body as _;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;

use crate::base::fault::Fault;
use crate::base::fields;
use crate::base::limits;
use crate::base::names;
use crate::base::reason::Reason;
use crate::engine::admit::{self, Admission, Plan, Routed};
use crate::engine::fetch;
use crate::engine::lookup::{self, Look};
use crate::engine::pass::OutBody;
use crate::engine::respond::Sent;
use crate::engine::transit::{Account, Answer, Caller, Outcome, Transit};
use crate::engine::{Engine, Worker};
use crate::engine::{miss, pass, purge, respond, write};
use crate::origin::Whole;
use crate::policy;
use crate::rules::RequestBody;

/// Answers one request.
pub async fn serve(
    worker: &Worker,
    mut request: Request<Incoming>,
    caller: Caller,
) -> Response<Sent> {
    let upgrade =
        request.headers().contains_key(header::UPGRADE).then(|| hyper::upgrade::on(&mut request));
    let (transit, body) = begin(worker, request, caller);
    let engine = &worker.engine;
    let answer = match admit::admit(engine, &transit, !body.is_end_stream()) {
        Admission::Read(plan) => read(worker, &transit, &plan).await,
        // What leaves the process is boxed: the future of a hit would have room for it too, and is
        // moved more than once for each request.
        Admission::BodyRead(routed) => Box::pin(body_read(worker, &transit, routed, body)).await,
        Admission::Write(routed) => {
            Box::pin(write::write(worker, &transit, &routed, outgoing(body))).await
        }
        Admission::Purge => purge::purge(engine, &transit),
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

/// What a trusted peer says that the client used; nothing comes here over TLS itself.
fn asked_scheme(engine: &Engine, parts: &Parts, caller: Caller) -> &'static str {
    let trusted = engine.options.trusts_peer(caller.peer.ip());
    let told = parts.headers.get(names::X_FORWARDED_PROTO).filter(|_| trusted);
    match told.map(http::HeaderValue::as_bytes) {
        Some(proto) if proto.eq_ignore_ascii_case(b"https") => "https",
        _ => "http",
    }
}

fn begin(worker: &Worker, request: Request<Incoming>, caller: Caller) -> (Transit, Incoming) {
    let engine = &worker.engine;
    let (mut parts, body) = request.into_parts();
    fields::strip_named_by_connection(&mut parts.headers);
    let authority = asked_authority(&parts);
    let scheme = asked_scheme(engine, &parts, caller);
    let began = tokio::time::Instant::now();
    let transit = Transit {
        began,
        at: engine.clock.at(began),
        id: engine.requests.fetch_add(1, Ordering::Relaxed),
        caller,
        authority: canonical(authority, scheme),
        scheme,
        parts,
        book: engine.book.load_full(),
    };
    (transit, body)
}

/// `Shop.example:80` and `shop.example` are one authority (RFC 9110, 4.2.3).
fn canonical(authority: &str, scheme: &str) -> Box<str> {
    let port = if scheme == "https" { ":443" } else { ":80" };
    let mut one = Box::<str>::from(authority.strip_suffix(port).unwrap_or(authority));
    one.make_ascii_lowercase();
    one
}

fn outgoing(body: Incoming) -> OutBody {
    body.map_err(Into::into).boxed_unsync()
}

async fn read(worker: &Worker, transit: &Transit, plan: &Plan) -> Answer {
    let engine = &worker.engine;
    let now = engine.clock.now();
    // What only the origin may judge goes to it, whatever stands here (RFC 9110, 13.1.1).
    if policy::validate::has_preconditions(&transit.parts.headers) {
        return Box::pin(miss::miss(worker, transit, plan)).await;
    }
    match lookup::look_at(engine, transit, plan, now) {
        Look::Fresh(entry) => {
            let account = lookup::account_at(plan, &entry, Outcome::Hit, now);
            lookup::from_entry(engine, transit, &entry, account)
        }
        Look::Behind(entry) => {
            fetch::refresh_behind(worker, transit, plan, &entry);
            let account = Account {
                note: "stale-while-revalidate".into(),
                ..lookup::account_at(plan, &entry, Outcome::Stale, now)
            };
            lookup::from_entry(engine, transit, &entry, account)
        }
        Look::Stale(..) | Look::OtherVariant(_) | Look::Absent => {
            Box::pin(miss::miss(worker, transit, plan)).await
        }
    }
}

/// A read whose key comes from its body: the body is read first, up to the rule's limit.
async fn body_read(worker: &Worker, transit: &Transit, routed: Routed, body: Incoming) -> Answer {
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
    fields::strip_named_by_connection(&mut parts.headers);
    let authority = asked_authority(&parts);
    let scheme = asked_scheme(worker, &parts, caller);
    Transit {
        began: tokio::time::Instant::now(),
        at: worker.clock.now(),
        id: 0,
        caller,
        authority: canonical(authority, scheme),
        scheme,
        parts,
        book: Arc::clone(&worker.book.load_full()),
    }
}
