//! What identifies the answer of a read: its key, the site, the caller, the tenant.

use crate::base::limits::KEY_BYTES_MAX;
use crate::engine::Engine;
use crate::engine::admit::Routed;
use crate::engine::book::Upstream;
use crate::engine::transit::Transit;
use crate::entry::Key;
use crate::rules::{Route, Share};

/// The identity of a read's entry. `text` is the key that its rule makes, without which it is the
/// target; `identity` the digest of its credentials. Nothing where the target is longer than a key.
pub(super) fn key(
    transit: &Transit,
    routed: &Routed,
    text: Option<&str>,
    identity: Option<&str>,
) -> Option<Key> {
    // What was stored for all may not be found by a rule that no longer shares with all.
    let caller = match routed.route.as_ref().map(|route| route.share) {
        Some(Share::Identity) => identity.unwrap_or_default(),
        Some(Share::Public) => "*",
        _ => "",
    };
    let key = match text {
        Some(text) => Key::new(text, &site(transit, &routed.origin), caller),
        None if url_bytes(transit) > KEY_BYTES_MAX => return None,
        None => Key::of_target(transit.scheme, &transit.authority, transit.target(), caller),
    };
    Some(match routed.captures.tenant.name() {
        Some(tenant) => key.of_tenant(tenant),
        None => key,
    })
}

/// Scheme and authority, unless they cannot matter: the origin gets a fixed host, or the authority
/// is the very address the connection arrived at, which names the node and no site.
fn site(transit: &Transit, origin: &Upstream) -> String {
    let node = || {
        let local = transit.caller.local;
        transit.authority.parse().is_ok_and(|named: std::net::SocketAddr| named == local)
    };
    if origin.fixed_host.is_some() || node() {
        String::new()
    } else {
        format!("{}://{}", transit.scheme, transit.authority)
    }
}

/// The length of the key of a target that no rule makes another key for.
fn url_bytes(transit: &Transit) -> usize {
    transit.scheme.len() + "://".len() + transit.authority.len() + transit.target().len()
}

/// The keyed digest of all credentials of a request, where the rule needs one.
pub(in crate::engine) fn digest(
    engine: &Engine,
    transit: &Transit,
    route: Option<&Route>,
) -> Option<String> {
    let route = route?;
    if route.share != Share::Identity && !route.needs_identity() {
        return None;
    }
    let fields = &transit.parts.headers;
    let credentials = &transit.book.rules.credentials;
    if !credentials.seen(fields) {
        return None;
    }
    let input = credentials.identity_digest_input(fields);
    let digest = blake3::keyed_hash(&engine.identity_key, &input).to_hex();
    Some(digest.get(..32).unwrap_or_default().to_owned())
}
