//! Which targets a write invalidates by itself (RFC 9111, 4.4): its own, and those of the same site
//! that `Location` and `Content-Location` of its answer name.

use std::borrow::Cow;

use http::{HeaderMap, Uri, header};

use crate::engine::purge;
use crate::engine::transit::Gist;
use crate::entry::order::Selector;
use crate::policy::reference;
use crate::rules::Asked;

/// The selectors of those targets: the URI that entries remember, and the key a GET of it uses
/// here. What the answer names goes under both schemes: where TLS ends before us, a client's
/// `https` is our `http`, and on one's own site too much purged is no harm.
pub(super) fn of(written: &Gist, answer: Option<&HeaderMap>) -> Vec<Selector> {
    let own = written.asked();
    let mut selectors = purge::target_selectors(&written.book, &own);
    let Some(fields) = answer else { return selectors };
    let (scheme, authority) = on_other_scheme(own.scheme, own.authority);
    for value in [header::LOCATION, header::CONTENT_LOCATION].iter().filter_map(|n| fields.get(n)) {
        let Some(target) = same_site(&written.absolute(), value.as_bytes()) else { continue };
        let here = Asked { target: &target, ..own };
        selectors.extend(purge::target_selectors(&written.book, &here));
        let there = Asked { scheme, authority: &authority, ..here };
        selectors.extend(purge::target_selectors(&written.book, &there));
    }
    selectors
}

/// The same site by the other scheme, whose default port is left out.
fn on_other_scheme<'a>(scheme: &str, authority: &'a str) -> (&'static str, Cow<'a, str>) {
    let (other, port) = if scheme == "https" { ("http", ":80") } else { ("https", ":443") };
    (other, authority.strip_suffix(port).unwrap_or(authority).into())
}

/// Path and query of a reference, if it stays on the site of `base`.
fn same_site(base: &str, named: &[u8]) -> Option<String> {
    let (base, resolved) = (base.parse::<Uri>().ok()?, reference::resolve(base, named)?);
    let resolved: Uri = resolved.parse().ok()?;
    let same = web(&resolved) && place(&base)? == place(&resolved)?;
    let target = || resolved.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    same.then(|| target().to_owned())
}

fn web(uri: &Uri) -> bool {
    matches!(uri.scheme_str(), Some("http" | "https"))
}

/// Host and port of a site. The two schemes' default ports are one place.
fn place(uri: &Uri) -> Option<(String, Option<u16>)> {
    let port = uri.port_u16().filter(|port| !matches!(port, 80 | 443));
    Some((uri.host()?.to_ascii_lowercase(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_of_the_same_site_resolve() {
        let at = |named: &str| same_site("http://shop:81/a/b?x=1", named.as_bytes());
        assert_eq!(at("/c/../d").as_deref(), Some("/d"));
        assert_eq!(at("c#f").as_deref(), Some("/a/c"));
        assert_eq!(at("../c?y").as_deref(), Some("/c?y"));
        assert_eq!(at("?y=2").as_deref(), Some("/a/b?y=2"));
        assert_eq!(at("http://Shop:81/z").as_deref(), Some("/z"));
        assert_eq!(at("//shop:81/z").as_deref(), Some("/z"));
        assert_eq!(at("http://other/z"), None);
        assert_eq!(at("http://shop/z"), None);
        assert_eq!(at("").as_deref(), Some("/a/b?x=1"));
        assert_eq!(at("https://shop:81/z").as_deref(), Some("/z"));
        assert_eq!(at("https://shop/z"), None);
        assert_eq!(at("ftp://shop:81/z"), None);
    }

    #[test]
    fn default_ports_are_one_place_whatever_the_scheme() {
        for base in ["http://shop/a", "https://shop/a", "http://shop:443/a", "https://shop:80/a"] {
            let at = |named: &str| same_site(base, named.as_bytes());
            for named in ["http://shop/z", "https://SHOP/z", "http://shop:80/z", "//shop:443/z"] {
                assert_eq!(at(named).as_deref(), Some("/z"), "{base} {named}");
            }
            for named in ["https://shop:8443/z", "https://other/z", "http://shop.evil/z"] {
                assert_eq!(at(named), None, "{base} {named}");
            }
        }
    }

    #[test]
    fn the_other_scheme_has_its_own_default_port() {
        for (scheme, authority, other) in [
            ("http", "shop", ("https", "shop")),
            ("http", "shop:443", ("https", "shop")),
            ("http", "shop:81", ("https", "shop:81")),
            ("https", "shop:80", ("http", "shop")),
        ] {
            let (there, site) = on_other_scheme(scheme, authority);
            assert_eq!((there, &*site), other);
        }
    }
}
