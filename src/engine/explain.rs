//! The same decisions as in serving, told instead of done: which rule, which key and where each
//! part of it came from, how credentials stand, what stands in the cache, and what would happen.

mod level;
mod told;

use std::net::{IpAddr, SocketAddr};

use http::{HeaderName, HeaderValue, Method, Request, Uri, header};

use crate::base::fault::Fault;
use crate::base::reason::Reason;
use crate::base::{limits, names};
use crate::engine::Engine;
use crate::engine::admit::{self, Admission, Plan, Routed};
use crate::engine::lookup::{self, Look};
use crate::engine::purge;
use crate::engine::serve::imagine;
use crate::engine::transit::{Caller, Transit};
use crate::entry::order::Order;
use crate::entry::{Body, resource};
use crate::policy::{Credentials, Ttl, TtlMode, Why};
use crate::rules::RequestBody;

pub use told::{Level, Part, Stored, Told};

/// A request to explain.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The method.
    pub method: &'a str,
    /// The URL, or a path.
    pub url: &'a str,
    /// Field lines.
    pub headers: &'a [(String, String)],
    /// The request body.
    pub body: &'a [u8],
    /// Where the node listens: the authority of a question that names none.
    pub node: Option<SocketAddr>,
    /// Who asks: the address of the connection, which decides whose words are believed.
    pub from: IpAddr,
}

/// Who asks, where nobody says.
pub const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

/// A question that makes no request.
#[derive(Debug, thiserror::Error)]
pub enum NoQuestion {
    /// Not a method.
    #[error("`{0}` is not a method")]
    Method(String),
    /// Not a URL.
    #[error("`{0}` is neither a URL nor a path")]
    Url(String),
    /// Another protocol's URL.
    #[error("`{0}` is no request of HTTP; write http://, https://, or a path such as /a?b=1")]
    Scheme(String),
    /// Not a header field.
    #[error("`{0}` is not a header field")]
    Header(String),
}

/// Why a GET of a URL is not looked up.
#[derive(Debug, thiserror::Error)]
pub enum NoRead {
    /// It is no request.
    #[error(transparent)]
    NoQuestion(#[from] NoQuestion),
    /// It goes past the cache.
    #[error("a GET of this URL is not looked up: {0}")]
    Passes(String),
}

/// How a GET of a URL, without credentials, is looked up.
pub(super) fn plan_of(
    engine: &Engine,
    url: &str,
    node: Option<SocketAddr>,
) -> Result<(Transit, Plan), NoRead> {
    let question = Question { method: "GET", url, headers: &[], body: &[], node, from: LOOPBACK };
    let local = node.unwrap_or_else(|| SocketAddr::from((LOOPBACK, 0)));
    let secure = is_secure(engine, &question);
    let caller = Caller { peer: SocketAddr::from((LOOPBACK, 0)), local, secure };
    let transit = imagine(engine, request(&question)?, caller);
    let why = match admit::admit(engine, &transit, false) {
        Admission::Read(plan) => return Ok((transit, plan)),
        Admission::Pass(_, reason) => reason.text().to_owned(),
        Admission::Refuse(fault) => fault.to_string(),
        _ => "it is no plain read".to_owned(),
    };
    Err(NoRead::Passes(why))
}

/// Whether a question makes a request at all.
pub fn check(question: &Question<'_>) -> Result<(), NoQuestion> {
    request(question).map(drop)
}

/// Explains a request. With `contents` it tells what stands in the cache too.
pub fn explain(
    engine: &Engine,
    question: &Question<'_>,
    contents: bool,
) -> Result<Told, NoQuestion> {
    let local = question.node.unwrap_or_else(|| SocketAddr::from((LOOPBACK, 0)));
    let peer = SocketAddr::from((question.from, 0));
    let secure = is_secure(engine, question);
    let transit = imagine(engine, request(question)?, Caller { peer, local, secure });
    let mut told = Told {
        request: format!("{} {}", transit.parts.method, transit.absolute()),
        ..Told::default()
    };
    let reads_body = !question.body.is_empty();
    match admit::admit(engine, &transit, reads_body) {
        Admission::Read(plan) => read(engine, &transit, &plan, contents, &mut told),
        Admission::BodyRead(routed) => {
            body_read(engine, &transit, routed, question.body, contents, &mut told);
        }
        Admission::Write(routed) => writes(engine, &transit, &routed, question.body, &mut told),
        Admission::Purge if !purge::allowed(engine, &transit) => {
            refused(&purge::FORBIDDEN, &mut told);
        }
        Admission::Purge => match purge::named(&transit) {
            Ok(named) => {
                "purge".clone_into(&mut told.outcome);
                let order = Order::of(named.selectors);
                told.purges = order.said();
                follows(engine, &order, &mut told);
            }
            Err(fault) => refused(&fault, &mut told),
        },
        Admission::Pass(routed, reason) => passes(&routed, reason, &mut told),
        Admission::Refuse(fault) => refused(&fault, &mut told),
    }
    Ok(told)
}

/// What goes as well, by the cascades.
fn follows(engine: &Engine, order: &Order, told: &mut Told) {
    let then = purge::follows(engine, order).unwrap_or_default();
    told.purges.extend(then.selectors.iter().map(|one| format!("{one}  (by a cascade)")));
}

fn refused(fault: &Fault, told: &mut Told) {
    "refused".clone_into(&mut told.outcome);
    told.reason = Some(fault.code().to_owned());
    told.because = Some(fault.to_string());
    told.help = Reason::of(fault).map(|reason| reason.remedy().to_owned());
}

/// A read whose key comes from its body, as it would be with this one.
fn body_read(
    engine: &Engine,
    transit: &Transit,
    routed: Routed,
    body: &[u8],
    contents: bool,
    told: &mut Told,
) {
    let limit = routed.route.as_ref().map_or(limits::JSON_BYTES_MAX, |route| route.json_max);
    if body.len() as u64 > limit {
        let routed = Routed { note: "the body is longer than json_max".into(), ..routed };
        return passes(&routed, Reason::KeyPartMissing, told);
    }
    let body = bytes::Bytes::copy_from_slice(body);
    match admit::read(engine, transit, routed, Some(&RequestBody::new(body.clone()))) {
        Admission::Read(plan) => read(engine, transit, &Plan { body, ..plan }, contents, told),
        Admission::Pass(routed, reason) => passes(&routed, reason, told),
        _ => {}
    }
}

/// Whether a request for this URL may come under TLS to this node itself.
fn is_secure(engine: &Engine, question: &Question<'_>) -> bool {
    let scheme = question.url.split_once("://").map(|(scheme, _)| scheme);
    engine.options.speaks_tls && scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("https"))
}

fn request(question: &Question<'_>) -> Result<Request<()>, NoQuestion> {
    let method = Method::from_bytes(question.method.as_bytes())
        .map_err(|_| NoQuestion::Method(question.method.to_owned()))?;
    let wrong = || NoQuestion::Url(question.url.to_owned());
    let uri: Uri = question.url.parse().map_err(|_| wrong())?;
    match uri.scheme_str() {
        // Bare words are an authority to the parser, which no request of ours has alone.
        None if !matches!(uri.path().as_bytes().first(), Some(b'/' | b'*')) => return Err(wrong()),
        None | Some("http" | "https") => {}
        Some(_) => return Err(NoQuestion::Scheme(question.url.to_owned())),
    }
    let mut request = Request::new(());
    if uri.scheme_str() == Some("https") {
        // It comes under TLS, or through a peer that ends it, if that is trusted to say so.
        let https = HeaderValue::from_static("https");
        request.headers_mut().insert(names::X_FORWARDED_PROTO, https);
    }
    for (name, value) in question.headers {
        let wrong = || NoQuestion::Header(name.clone());
        let value = HeaderValue::from_str(value).map_err(|_| wrong())?;
        let name: HeaderName = name.parse().map_err(|_| wrong())?;
        request.headers_mut().append(name, value);
    }
    if uri.authority().is_none() && !request.headers().contains_key(header::HOST) {
        let host = question.node.map_or_else(|| "localhost".to_owned(), |node| node.to_string());
        let host = HeaderValue::from_str(&host).map_err(|_| NoQuestion::Url(host))?;
        request.headers_mut().insert(header::HOST, host);
    }
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    Ok(request)
}

fn routed(routed: &Routed, told: &mut Told) {
    told.rule = routed.route.as_ref().map(|route| route.name.to_string());
    told.origin = Some(routed.origin.spec.target.authority().to_owned());
}

fn passes(past: &Routed, reason: Reason, told: &mut Told) {
    routed(past, told);
    "pass".clone_into(&mut told.outcome);
    told.reason = Some(reason.as_str().to_owned());
    let note = if past.note.is_empty() { String::new() } else { format!(" ({})", past.note) };
    told.because = Some(format!("{}{note}", reason.text()));
    told.help = Some(reason.remedy().to_owned());
}

fn writes(engine: &Engine, transit: &Transit, write: &Routed, body: &[u8], told: &mut Told) {
    routed(write, told);
    "write".clone_into(&mut told.outcome);
    let asked = transit.asked();
    let own = purge::target_selectors(&transit.book, &asked);
    let own = Order::of(own);
    told.purges = own.said();
    let mut all = own.selectors;
    if let Some(route) = &write.route {
        let body = RequestBody::new(bytes::Bytes::copy_from_slice(body));
        let identity = admit::identity(engine, transit, Some(route));
        let veil = engine.veil(identity.as_deref());
        let planned = route.write_selectors(&asked, &write.captures, Some(&body), veil, None);
        for planned in planned {
            let widened = if !planned.widened {
                ""
            } else if veil.is_apart {
                "  (widened: a part is missing, or a digest that other nodes cannot make)"
            } else {
                "  (widened: a part is missing)"
            };
            let selector = format!("{}{widened}", planned.selector);
            if !told.purges.contains(&selector) {
                told.purges.push(selector);
            }
            all.push(planned.selector);
        }
    }
    follows(engine, &Order::of(purge::on_this_site(&transit.book, &asked, all)), told);
    told.because = Some("when the origin answers with success, these go first".to_owned());
}

fn read(engine: &Engine, transit: &Transit, plan: &Plan, contents: bool, told: &mut Told) {
    routed(&plan.routed, told);
    told.key = Some(plan.key.text().to_owned());
    if let Some(route) = &plan.routed.route {
        let identity = admit::identity(engine, transit, Some(route));
        let body = RequestBody::new(plan.body.clone());
        let (asked, captures) = (transit.asked(), &plan.routed.captures);
        let veil = engine.veil(identity.as_deref());
        let notes = route.key_parts(&asked, captures, Some(&body), veil);
        told.tags = route.tags(&asked, captures, Some(&body), veil, None).tags;
        told.parts = notes
            .into_iter()
            .map(|note| Part { text: note.text, value: note.value, from: note.from })
            .collect();
    }
    told.sharing = Some(sharing(plan));
    told.ttl = Some(ttl(engine, plan));
    let level = level::level(engine, plan, contents);
    let shared = level.used;
    told.l2 = Some(level);
    "miss".clone_into(&mut told.outcome);
    if !contents {
        told.because = Some("from the rules alone: what is stored is not known".to_owned());
        return;
    }
    let (verdict, entry) = match lookup::peek(engine, transit, plan) {
        Look::Fresh(entry) => ("fresh", entry),
        Look::Behind(entry) => ("stale, served while it is renewed", entry),
        Look::Stale(entry, why) => {
            let who = if shared { "the shared level and then the origin" } else { "the origin" };
            told.because = Some(format!("{who} is asked first: {}", why.as_str()));
            if why == Why::Gap {
                distrusted(engine, transit, told);
            }
            ("stale", entry)
        }
        Look::OtherVariant(_) => {
            told.because = Some("another variant stands there; Vary tells them apart".to_owned());
            return;
        }
        Look::Absent => {
            let then =
                if shared { " here; the shared level is asked before the origin" } else { "" };
            told.because = Some(format!("nothing stands under this key{then}"));
            if engine.unshareable.is_marked(&plan.key, engine.clock.now()) {
                let reason = Reason::UncacheableLately;
                told.reason = Some(reason.as_str().to_owned());
                told.because = Some(reason.text().to_owned());
                told.help = Some(reason.remedy().to_owned());
            }
            return;
        }
    };
    if verdict != "stale" {
        "hit".clone_into(&mut told.outcome);
    }
    let now = engine.clock.now();
    told.stored = Some(Stored {
        verdict: verdict.to_owned(),
        status: entry.head.status().as_u16(),
        age: entry.stamp.age(now).as_secs(),
        ttl: entry.stamp.left(now),
        bytes: entry.body.len(),
        zstd: lookup::coded(transit, plan, &entry).map(Body::len),
        tags: resource::given(&entry.labels.tags).map(ToString::to_string).collect(),
        variants: engine.l1.peek(plan.key.identity()).map_or(0, |all| all.variants().len()),
    });
}

/// Orders of other nodes may name what stands there: none are heard, or some were missed.
fn distrusted(engine: &Engine, transit: &Transit, told: &mut Told) {
    let reason = Reason::CoherenceGap;
    told.reason = Some(reason.as_str().to_owned());
    let heard = engine.trust.is_current(engine.trust.at(transit.looks_at()));
    let why = if heard {
        "orders of other nodes may have been missed since it was stored"
    } else {
        reason.text()
    };
    told.because = Some(format!("{}: {why}", told.because.take().unwrap_or_default()));
    told.help = Some(reason.remedy().to_owned());
}

fn sharing(plan: &Plan) -> String {
    let word = plan.routed.route.as_ref().map_or("auto", |route| route.share.as_str());
    let credentials = match plan.credentials {
        Credentials::Absent => "no credentials",
        Credentials::Allowed => "credentials are separated by the key, or the rule shares",
        Credentials::ByAnswer => "credentials: shared only if the answer allows it (RFC 9111 3.5)",
    };
    let site = if plan.key.site().is_empty() { "any site" } else { plan.key.site() };
    let shared = matches!(plan.key.caller(), "" | "*");
    let caller = if shared { "all callers" } else { "this caller only" };
    format!("share = {word}; {credentials}; {site}; {caller}")
}

fn ttl(engine: &Engine, plan: &Plan) -> String {
    let law = plan.law(engine);
    let mode = match law.ttl_mode {
        TtlMode::Replace => "in place of the origin's",
        TtlMode::Silent => "where the origin gives none",
        TtlMode::AtMost => "at most",
        TtlMode::AtLeast => "at least",
    };
    match law.ttl {
        Ttl::Origin => "as the origin says".to_owned(),
        Ttl::For(span) => format!("{span}, {mode}, by the rule"),
        Ttl::Forever => format!("forever, {mode}, by the rule"),
    }
}

#[cfg(test)]
mod tests;
