//! The request as the origin gets it: rebuilt from what was understood. The target goes byte for
//! byte; what belonged to the client's hop stays behind; forwarding fields are ours unless the peer
//! is trusted.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Uri, Version};

use crate::base::forwarded::{self, Hop, Sent};
use crate::base::{fields, names};
use crate::engine::Engine;
use crate::engine::admit::Routed;
use crate::engine::options::Forwarding;
use crate::engine::transit::Transit;

/// How the host of a request is spelled to the origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spelling {
    /// As the client wrote it: the answer goes to this client alone.
    Client,
    /// In lower case and without the default port, as keys have it: an origin that repeats its Host
    /// would otherwise show one client's spelling to all who share the answer.
    Key,
}

impl Spelling {
    fn host(self, transit: &Transit) -> Option<HeaderValue> {
        let parts = &transit.parts;
        let written = forwarded::asked_host(&parts.uri, &parts.headers);
        let canonical = || HeaderValue::from_str(&transit.authority).ok();
        written.filter(|_| self == Self::Client).or_else(canonical)
    }
}

/// Builds the head of the origin's request. `target` replaces path and query where a rule strips
/// parameters.
pub(super) fn head(
    engine: &Engine,
    transit: &Transit,
    routed: &Routed,
    target: Option<&str>,
    spelling: Spelling,
) -> Parts {
    let came = &transit.parts;
    let mut fields = came.headers.clone();
    let trailers = accepts_trailers(&fields);
    let upgrade = fields.get(header::UPGRADE).filter(|_| asks_for_tunnel(came)).cloned();
    fields::strip_hop_by_hop(&mut fields);
    if trailers {
        fields.insert(header::TE, HeaderValue::from_static("trailers"));
        fields.insert(header::CONNECTION, HeaderValue::from_static("te"));
    }
    if let Some(upgrade) = upgrade {
        fields.insert(header::UPGRADE, upgrade);
        fields.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    }
    // With a fixed host the authority is in no key, so the origin may not learn it either.
    let fixed = routed.origin.fixed_host.as_deref();
    let asked = spelling.host(transit).filter(|_| fixed.is_none());
    let host = fixed.and_then(|fixed| HeaderValue::from_str(fixed).ok());
    if let Some(host) = host.or_else(|| asked.clone()) {
        fields.insert(header::HOST, host);
    }
    if spelling == Spelling::Key && fields.remove(names::X_FORWARDED_HOST).is_some() {
        // A trusted peer may have told the host too, in a spelling of its own.
        fields.extend(asked.clone().map(|host| (names::X_FORWARDED_HOST, host)));
    }
    forward(engine, transit, asked.as_ref(), &mut fields);
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.method = came.method.clone();
    parts.uri = origin_form(came, target);
    parts.version = Version::HTTP_11;
    parts.headers = fields;
    parts
}

/// Whether a request asks to change protocol in a way that is passed on: a GET, as WebSocket has
/// it.
/// `h2c` speaks to the next hop, which is us, and is not taken up (RFC 9110, 7.8).
pub(super) fn asks_for_tunnel(came: &Parts) -> bool {
    let names = |name: &HeaderName, wanted: &[u8]| {
        fields::members(&came.headers, name).any(|member| member.eq_ignore_ascii_case(wanted))
    };
    came.method == Method::GET
        && came.headers.contains_key(header::UPGRADE)
        && names(&header::CONNECTION, b"upgrade")
        && !names(&header::UPGRADE, b"h2c")
}

/// What other proxies call the client's address, and what CGI takes for a setting: from a stranger
/// they are lies, and no key holds them.
const ADDRESSES: [&str; 8] = [
    "cf-connecting-ip",
    "client-ip",
    "proxy",
    "true-client-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-originating-ip",
    "x-proxyuser-ip",
];

fn forward(engine: &Engine, transit: &Transit, host: Option<&HeaderValue>, fields: &mut HeaderMap) {
    let options = &engine.options;
    if !options.trusts_peer(transit.caller.peer.ip()) {
        for name in ADDRESSES {
            fields.remove(name);
        }
    }
    let hop = Hop { client: transit.caller.peer.ip(), scheme: transit.scheme, host };
    let Forwarding { x_forwarded, forwarded } = options.forwarding;
    forwarded::record(fields, &hop, &options.trust_peers, Sent { x_forwarded, forwarded });
    if options.via {
        forwarded::add_via(fields, transit.parts.version);
    }
}

fn accepts_trailers(fields: &HeaderMap) -> bool {
    fields::members(fields, &header::TE).any(|member| member.eq_ignore_ascii_case(b"trailers"))
}

/// Path and query as they were sent; `*` for the whole server.
fn origin_form(came: &Parts, target: Option<&str>) -> Uri {
    if let Some(uri) = target.and_then(|target| target.parse().ok()) {
        return uri;
    }
    let mut parts = http::uri::Parts::default();
    parts.path_and_query = came.uri.path_and_query().cloned();
    match Uri::from_parts(parts) {
        Ok(uri) => uri,
        Err(_) => Uri::from_static("/"),
    }
}

/// Changes a head into that of a fetch for the cache: a plain GET of the whole, with our own
/// conditions where something stands there already.
pub(super) fn for_cache(mut head: Parts, conditions: Vec<(HeaderName, HeaderValue)>) -> Parts {
    if head.method == Method::HEAD {
        head.method = Method::GET;
    }
    crate::policy::validate::strip_conditions(&mut head.headers);
    for (name, value) in conditions {
        head.headers.insert(name, value);
    }
    head
}
