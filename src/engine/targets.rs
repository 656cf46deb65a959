//! Which targets a write invalidates by itself (RFC 9111, 4.4): its own, and those of the same site
//! that `Location` and `Content-Location` of its answer name.

use http::{HeaderMap, Uri, header};

use crate::engine::purge;
use crate::engine::transit::Gist;
use crate::entry::order::Selector;
use crate::policy::reference;
use crate::rules::Asked;

/// The selectors of those targets: the URI that entries remember, and the key a GET of it uses
/// here.
pub(super) fn of(written: &Gist, answer: Option<&HeaderMap>) -> Vec<Selector> {
    let mut targets = vec![written.target.clone()];
    for name in [header::LOCATION, header::CONTENT_LOCATION] {
        let named = answer.and_then(|fields| fields.get(&name));
        let target = named.and_then(|value| same_site(&written.absolute(), value.as_bytes()));
        targets.extend(target.filter(|target| !targets.contains(target)));
    }
    let selectors = |target: &String| {
        purge::target_selectors(&written.book, &Asked { target, ..written.asked() })
    };
    targets.iter().flat_map(selectors).collect()
}

/// Path and query of a reference, if it stays on the site of `base`.
fn same_site(base: &str, named: &[u8]) -> Option<String> {
    let (base, resolved) = (base.parse::<Uri>().ok()?, reference::resolve(base, named)?);
    let resolved: Uri = resolved.parse().ok()?;
    let same = base.scheme_str() == resolved.scheme_str()
        && base.authority().map(|one| one.as_str().to_ascii_lowercase())
            == resolved.authority().map(|one| one.as_str().to_ascii_lowercase());
    let target = || resolved.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    same.then(|| target().to_owned())
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
    }
}
