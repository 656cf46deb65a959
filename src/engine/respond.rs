//! The last step: fields that belong to this hop, and the access line. The only place that turns a
//! fault into a status.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use http_body::{Body, Frame, SizeHint};
use hyper::ext::ReasonPhrase;
use smallvec::SmallVec;

use crate::base::clock::Timestamp;
use crate::base::fault::{Culprit, Fault};
use crate::base::names;
use crate::base::reason::Reason;
use crate::engine::Engine;
use crate::engine::labels;
use crate::engine::metering;
use crate::engine::options::{KeyShown, Told};
use crate::engine::reply::Reply;
use crate::engine::transit::{Account, Answer, Level, Outcome, Transit};
use crate::origin::BoxError;
use crate::policy::CacheStatus;
use crate::policy::answer::number;
use crate::policy::date;
use crate::telemetry::access::Access;
use crate::telemetry::event::Event;

/// Puts the last fields on an answer and accounts for it.
pub(super) fn finish(engine: &Arc<Engine>, transit: Transit, answer: Answer) -> Response<Sent> {
    let Answer { status, mut fields, reply, account } = answer;
    let account = account.with_fate_known();
    dress(engine, &transit, &account, status, &mut fields);
    metering::ready(engine, &account, transit.micros());
    if account.fate.is_none() {
        tell(engine, &account, engine.clock.now());
    }
    engine.hot.note(transit.id, &account);
    let bodiless = transit.parts.method == Method::HEAD
        || status == StatusCode::NO_CONTENT
        || status == StatusCode::NOT_MODIFIED;
    let emptied = bodiless && !matches!(reply, Reply::Origin(_));
    let reply = if emptied { Reply::empty() } else { reply };
    // A status without a name has no phrase; the library would invent one.
    let nameless = || status.canonical_reason().is_none().then_some(ReasonPhrase::from_static(b""));
    let phrase = account.phrase.clone().or_else(nameless);
    let sent = account_for(engine, transit, account, status, reply);
    let mut response = Response::new(sent);
    if let Some(phrase) = phrase {
        response.extensions_mut().insert(phrase);
    }
    *response.status_mut() = status;
    *response.headers_mut() = fields;
    response
}

fn dress(
    engine: &Engine,
    transit: &Transit,
    account: &Account,
    status: StatusCode,
    fields: &mut HeaderMap,
) {
    labels::strip(engine, fields);
    if let Some(age) = account.age {
        fields.insert(header::AGE, number(age));
    }
    if !fields.contains_key(header::DATE) && !status.is_informational() {
        fields.insert(header::DATE, date::write(engine.clock.now()));
    }
    let options = &engine.options;
    if tells_status(engine, transit) {
        fields.append(names::CACHE_STATUS, cache_status(engine, account, value));
    }
    if options.x_cache {
        let word = HeaderValue::from_static(account.outcome.as_x_cache());
        fields.insert(names::X_CACHE, word);
    }
    if options.via {
        fields.append(header::VIA, HeaderValue::from_static(OUR_VIA));
    }
}

/// What we add to `Via` (RFC 9110, 7.6.3).
pub(super) const OUR_VIA: &str = "1.1 cistern";

/// Whether this client gets `Cache-Status`.
pub(super) fn tells_status(engine: &Engine, transit: &Transit) -> bool {
    let options = &engine.options;
    match options.cache_status {
        Told::All => true,
        Told::Trusted => options.is_trusted(transit.caller.peer.ip()),
        Told::Nobody => false,
    }
}

fn value(status: &CacheStatus<'_>) -> HeaderValue {
    status.value()
}

/// This cache's member of `Cache-Status`, handed to `take` while its parts are at hand.
pub(super) fn cache_status<R>(
    engine: &Engine,
    account: &Account,
    take: impl FnOnce(&CacheStatus<'_>) -> R,
) -> R {
    let hashed;
    let key = account.key.as_ref().map(crate::entry::Key::text);
    let key = match engine.options.key_shown {
        KeyShown::Plain => key,
        KeyShown::Off => None,
        KeyShown::Hash => {
            hashed = key.map(|key| blake3::hash(key.as_bytes()).to_hex());
            hashed.as_ref().map(|hash| hash.get(..16).unwrap_or_default())
        }
    };
    take(&CacheStatus {
        hit: account.outcome.is_hit(),
        fwd: account.fwd,
        fwd_status: account.fwd_status.map(|status| status.as_u16()),
        stored: account.stored,
        collapsed: account.collapsed,
        ttl: account.ttl,
        key,
        detail: &details(account),
    })
}

/// Level, reason, more words and rule, as far as there are any.
fn details(account: &Account) -> SmallVec<[[&str; 2]; 4]> {
    let mut details = SmallVec::new();
    if account.outcome.is_hit() || account.stored || account.level == Level::Two {
        details.push([account.level.as_str(), ""]);
    }
    if let Some(reason) = account.reason {
        details.push([reason.as_str(), ""]);
    }
    if !account.note.is_empty() {
        details.push([&*account.note, ""]);
    }
    if let Some(route) = &account.route {
        details.push(["rule=", &*route.name]);
    }
    details
}

pub(super) fn tell(engine: &Engine, account: &Account, now: Timestamp) {
    let key = account.key.as_ref().map_or("", crate::entry::Key::text);
    let rule = account.route.as_ref().map(|route| &*route.name);
    let event = match account.outcome {
        Outcome::Hit | Outcome::Stale => Event::Hit { key, rule, ttl: account.ttl.unwrap_or(0) },
        Outcome::Error | Outcome::Bypass => return,
        _ => Event::Miss {
            key,
            rule,
            reason: account.reason.map(super::super::base::reason::Reason::as_str),
        },
    };
    engine.telemetry.tell(now, &event);
}

/// The answer to a fault: a problem document (RFC 9457) that nobody may store.
pub(super) fn fault(engine: &Engine, transit: &Transit, fault: &Fault, account: Account) -> Answer {
    let status = fault.status();
    let problem = serde_json::json!({
        "type": "about:blank",
        "title": status.canonical_reason().unwrap_or("error"),
        "status": status.as_u16(),
        "detail": fault.to_string(),
        "code": fault.code(),
    });
    let mut fields = HeaderMap::new();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(names::PROBLEM_JSON));
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if status == StatusCode::SERVICE_UNAVAILABLE {
        fields.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    let body = problem.to_string();
    fields.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    if fault.culprit() != Culprit::Client {
        let detail = format!("{} {}: {fault}", transit.parts.method, transit.parts.uri.path());
        let event = Event::Fault { code: fault.code(), detail: &detail };
        engine.telemetry.tell(engine.clock.now(), &event);
    }
    let unserved = Reason::of(fault);
    // The reason says the same as the code.
    let note = match unserved {
        None if account.note.is_empty() => fault.code().into(),
        _ => account.note,
    };
    let reason = account.reason.or(unserved);
    let account = Account { outcome: Outcome::Error, note, reason, ..account };
    Answer { status, fields, reply: Reply::text(body), account }
}

/// The body as it goes out, and what is said about it when it has gone.
#[derive(Debug)]
pub struct Sent {
    reply: Reply,
    line: Option<Box<Line>>,
}

#[derive(Debug)]
struct Line {
    engine: Arc<Engine>,
    transit: Transit,
    account: Account,
    status: StatusCode,
    bytes: u64,
    complete: bool,
}

/// What is at hand is accounted for at once; what streams, when it ends; and what the store has not
/// taken yet, when its fate is known.
fn account_for(
    engine: &Arc<Engine>,
    transit: Transit,
    account: Account,
    status: StatusCode,
    reply: Reply,
) -> Sent {
    let at_hand = match &reply {
        Reply::Whole(pieces) => Some(pieces.left()),
        // Nobody will ask for a body that is empty from the start.
        other => other.is_end_stream().then_some(0),
    };
    if let (Some(bytes), None) = (at_hand, &account.fate) {
        sent_whole(engine, &transit, &account, status, (transit.micros(), bytes));
        return Sent { reply, line: None };
    }
    let (engine, bytes) = (Arc::clone(engine), at_hand.unwrap_or(0));
    let complete = at_hand.is_some();
    let line = Box::new(Line { engine, transit, account, status, bytes, complete });
    if complete {
        line.end();
        return Sent { reply, line: None };
    }
    Sent { reply, line: Some(line) }
}

/// What is at hand counts as sent with its head; `sent` is after how many microseconds, and how
/// many bytes.
pub(super) fn sent_whole(
    engine: &Engine,
    transit: &Transit,
    account: &Account,
    status: StatusCode,
    sent: (u64, u64),
) {
    metering::done(transit, account, sent.0, sent.1);
    if engine.telemetry.access.is_on() {
        write_line(engine, transit, account, status, sent, true);
    }
}

fn write_line(
    engine: &Engine,
    transit: &Transit,
    account: &Account,
    status: StatusCode,
    (micros, bytes): (u64, u64),
    complete: bool,
) {
    let client: IpAddr = transit.caller.peer.ip();
    let kind = account.route.as_deref().map(|route| &*transit.book.place(Some(route)).kind);
    let kind = kind.filter(|kind| !kind.is_empty());
    engine.telemetry.served(&Access {
        at: transit.at,
        id: transit.id,
        client,
        http: match transit.parts.version {
            http::Version::HTTP_2 => "2",
            http::Version::HTTP_10 => "1.0",
            _ => "1.1",
        },
        method: transit.parts.method.as_str(),
        host: &transit.authority,
        path: transit.parts.uri.path(),
        status: status.as_u16(),
        bytes,
        micros,
        cache: account.outcome.as_str(),
        level: (account.outcome.is_hit() || account.level == Level::Two)
            .then_some(account.level.as_word()),
        rule: account.route.as_ref().map(|route| &*route.name),
        kind,
        tenant: account.tenant.as_deref(),
        key: account.key.as_ref().map(crate::entry::Key::text),
        age: account.age,
        ttl: account.ttl,
        origin_micros: account.origin_micros,
        reason: account.reason.map(super::super::base::reason::Reason::as_str),
        complete,
    });
}

impl Line {
    /// The answer has gone, or its client has.
    fn end(mut self: Box<Self>) {
        match self.account.fate.take() {
            None => self.write(),
            // All has gone out, perhaps a moment before the store has taken it.
            Some(fate) if self.complete => {
                fate.when_decided(move |refusal| self.write_with(refusal));
            }
            Some(fate) => self.write_with(fate.refusal()),
        }
    }

    /// Its event waited for the same.
    fn write_with(mut self: Box<Self>, refusal: Option<Reason>) {
        self.account.reason = self.account.reason.or(refusal);
        tell(&self.engine, &self.account, self.engine.clock.now());
        self.write();
    }

    fn write(&self) {
        let Self { engine, transit, account, status, bytes, complete } = self;
        let micros = transit.micros();
        metering::done(transit, account, micros, *bytes);
        if engine.telemetry.access.is_on() {
            write_line(engine, transit, account, *status, (micros, *bytes), *complete);
        }
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        if let Some(line) = self.line.take() {
            line.end();
        }
    }
}

impl Body for Sent {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = std::task::ready!(Pin::new(&mut self.reply).poll_frame(context));
        if let Some(line) = &mut self.line {
            match &frame {
                Some(Ok(frame)) => {
                    line.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
                }
                Some(Err(_)) => line.account.reason = Some(Reason::Incomplete),
                None => line.complete = true,
            }
        }
        if (matches!(frame, None | Some(Err(_))) || self.reply.is_end_stream())
            && let Some(mut line) = self.line.take()
        {
            line.complete |= matches!(frame, None | Some(Ok(_)));
            line.end();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.reply.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.reply.size_hint()
    }
}
