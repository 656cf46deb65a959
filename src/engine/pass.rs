//! Everything that goes past the cache, untouched and streamed: other methods, parts that are not
//! held, upgrades, and requests that a rule or their credentials keep out.

use http::request::Parts;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::upgrade::OnUpgrade;

use crate::base::reason::Reason;
use crate::base::{fields, limits, tasks};
use crate::engine::Worker;
use crate::engine::admit::{Plan, Routed};
use crate::engine::fleet;
use crate::engine::inject;
use crate::engine::labels;
use crate::engine::landed;
use crate::engine::lookup::{self, Look};
use crate::engine::outbound::{self, Spelling};
use crate::engine::reply::Reply;
use crate::engine::respond;
use crate::engine::transit::{Account, Answer, Outcome, Transit, Waited};
use crate::entry::Entry;
use crate::origin::{self, BoxError, InBody, Inbound};
use crate::policy::{self, Fwd, HeadEffect, Selecting};

/// A body on its way to the origin.
pub type OutBody = http_body_util::combinators::UnsyncBoxBody<bytes::Bytes, BoxError>;

/// Passes a request as it is.
pub(super) async fn pass(
    worker: &Worker,
    transit: &Transit,
    routed: &Routed,
    body: OutBody,
    upgrade: Option<OnUpgrade>,
    account: Account,
) -> Answer {
    let engine = &worker.engine;
    if let Some(answer) = max_forwards(transit, &account) {
        return answer;
    }
    let mut head = outbound::head(engine, transit, routed, None, Spelling::Client);
    lower_max_forwards(&mut head);
    let began = tokio::time::Instant::now();
    let request = Request::from_parts(head, body);
    match worker.ask(routed, request).await {
        Ok(inbound) => {
            let micros = began.elapsed().as_micros() as u64;
            let account = Account { origin_micros: Some(micros), ..account };
            if inbound.head.status == StatusCode::SWITCHING_PROTOCOLS {
                return switch(inbound, upgrade, account);
            }
            answer_of(transit, inbound.into_response(), account).await
        }
        Err(failed) => respond::fault(engine, transit, &failed.fault(), account),
    }
}

/// The origin's answer as the client that asked gets it.
pub(super) async fn answer_of(
    transit: &Transit,
    response: Response<InBody>,
    account: Account,
) -> Answer {
    let (mut head, body) = response.into_parts();
    fields::strip_hop_by_hop(&mut head.headers);
    let account = Account { phrase: head.extensions.get().cloned(), ..account };
    inject::passed(&transit.parts.method, head, body, account).await
}

/// 101: both connections become a tunnel. The head keeps what names the new protocol.
fn switch(inbound: Inbound, client: Option<OnUpgrade>, account: Account) -> Answer {
    let Inbound { head, body, upgrade, .. } = inbound;
    let mut fields = head.headers;
    let protocol = fields.get(header::UPGRADE).cloned();
    fields::strip_hop_by_hop(&mut fields);
    if let Some(protocol) = protocol {
        fields.insert(header::UPGRADE, protocol);
        fields.insert(header::CONNECTION, http::HeaderValue::from_static("upgrade"));
    }
    if let (Some(client), Some(origin)) = (client, upgrade) {
        // A drain knows tunnels by their connections.
        tasks::tend(async move {
            let (Ok(client), Ok(origin)) = (client.await, origin.complete().await) else { return };
            // How a tunnel ends is the two ends' affair.
            drop(origin::tunnel(client, origin, limits::TUNNEL_IDLE).await);
        });
    }
    drop(body);
    Answer { status: head.status, fields, reply: Reply::empty(), account }
}

/// RFC 9110, 7.6.2: at zero this hop is the recipient.
fn max_forwards(transit: &Transit, account: &Account) -> Option<Answer> {
    let parts = &transit.parts;
    if parts.method != Method::OPTIONS && parts.method != Method::TRACE {
        return None;
    }
    if hops_left(&parts.headers)? > 0 {
        return None;
    }
    let status = if parts.method == Method::OPTIONS {
        StatusCode::OK
    } else {
        StatusCode::METHOD_NOT_ALLOWED
    };
    let mut fields = HeaderMap::new();
    fields.insert(header::CONTENT_LENGTH, 0.into());
    let account = Account { outcome: Outcome::Bypass, ..account.clone() };
    Some(Answer { status, fields, reply: Reply::empty(), account })
}

fn hops_left(fields: &HeaderMap) -> Option<u64> {
    fields.get(header::MAX_FORWARDS)?.to_str().ok()?.parse().ok()
}

fn lower_max_forwards(head: &mut Parts) {
    if head.method != Method::OPTIONS && head.method != Method::TRACE {
        return;
    }
    if let Some(left) = hops_left(&head.headers).filter(|left| *left > 0) {
        head.headers.insert(header::MAX_FORWARDS, (left - 1).into());
    }
}

/// A read that leads no fetch for others: HEAD, a part, or one with preconditions of its own.
pub(super) async fn read(
    worker: &Worker,
    transit: &Transit,
    plan: &Plan,
    stale: Option<std::sync::Arc<Entry>>,
) -> Answer {
    let engine = &worker.engine;
    let is_head = transit.parts.method == Method::HEAD;
    let fwd = if stale.is_some() { Fwd::Stale } else { Fwd::UriMiss };
    let reason = match &transit.parts.headers {
        _ if is_head => Reason::HeadOnly,
        fields if policy::validate::has_preconditions(fields) => Reason::Precondition,
        _ => Reason::Range,
    };
    let account = Account { fwd: Some(fwd), reason: Some(reason), ..plan.account(Outcome::Miss) };
    let birth = engine.fences.begin();
    let target = plan.send_target.as_deref();
    let head = outbound::head(engine, transit, &plan.routed, target, Spelling::Key);
    let began = tokio::time::Instant::now();
    let body = Full::new(plan.body.clone()).map_err(|never| match never {}).boxed_unsync();
    match worker.ask(&plan.routed, Request::from_parts(head, body)).await {
        Ok(inbound) => {
            if is_head {
                after_head(worker, transit, plan, &birth, &inbound.head);
            }
            let micros = began.elapsed().as_micros() as u64;
            let account = Account { origin_micros: Some(micros), ..account };
            let failed = policy::is_error_for_stale(inbound.head.status);
            if let Some(answer) = stale
                .as_deref()
                .filter(|_| failed)
                .and_then(|entry| landed::on_error(worker, transit, plan, Some(entry), None))
            {
                let waited = Some(Waited { micros, elsewhere: false });
                return Answer { account: Account { waited, ..answer.account }, ..answer };
            }
            answer_of(transit, inbound.into_response(), account).await
        }
        Err(failed) => {
            let micros = began.elapsed().as_micros() as u64;
            let mut answer =
                landed::failure(worker, transit, plan, stale.as_deref(), &failed, account);
            answer.account.waited = Some(Waited { micros, elsewhere: false });
            answer
        }
    }
}

/// What a HEAD answer says about the stored GET (RFC 9111, 4.3.5).
fn after_head(
    worker: &Worker,
    transit: &Transit,
    plan: &Plan,
    birth: &crate::store::fence::Birth,
    answer: &http::response::Parts,
) {
    let engine = &worker.engine;
    let entry = match lookup::look(engine, transit, plan) {
        Look::Fresh(entry) | Look::Behind(entry) | Look::Stale(entry, _) => entry,
        Look::OtherVariant(_) | Look::Absent => return,
    };
    let stored = entry.head.to_header_map();
    match policy::head_effect(&stored, entry.body.len(), answer.status, &answer.headers) {
        HeadEffect::Nothing => {}
        // What an order named or may have named is not current because nothing speaks against it.
        HeadEffect::Update
            if (entry.is_soft() || !engine.is_trusted(&entry, transit.looks_at()))
                && !policy::is_proven(&stored, &answer.headers, true) => {}
        HeadEffect::Outdated => {
            fleet::outdate(engine, plan, &entry);
        }
        HeadEffect::Update => {
            let merged = policy::merge(&stored, &answer.headers, &engine.options.manner);
            let now = engine.clock.now();
            let exchange = policy::Exchange {
                method: &Method::GET,
                target: &transit.absolute(),
                request: &transit.parts.headers,
                credentials: plan.credentials,
                status: entry.head.status(),
                response: &merged,
                asked_at: now,
                answered_at: now,
                born: birth.tick(),
                directives: plan.wishes,
            };
            let (law, manner) = (plan.law(engine), &engine.options.manner);
            let labels = labels::renewed(plan, &transit.authority, &entry, &answer.headers);
            let judged = policy::storable(&exchange, law, manner).ok().zip(labels);
            let Some((keep, labels)) = judged else {
                fleet::outdate(engine, plan, &entry);
                return;
            };
            labels::tell_ignored(engine, &transit.absolute(), &answer.headers);
            let fields = policy::stored_fields(&exchange, &keep, law, manner);
            let renewed = Entry::new(
                labels::head(engine, entry.head.status(), &fields),
                entry.body.clone(),
                keep.stamp,
                Selecting::of(&keep.vary, &transit.parts.headers),
                labels,
            );
            engine.land(plan, birth, renewed, keep);
        }
    }
}
