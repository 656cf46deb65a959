//! The identity of an entry as one text: key, site, caller and tenant, in that order. The key comes
//! first so that an ordered index finds all identities of a key, prefix or pattern side by side.
//! Two that differ in any of the four never give the same text.

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::sync::Arc;

/// Stands between the parts. A site or a caller never holds it; a key may, because the parts are
/// taken off from the end.
const SEPARATOR: char = '\u{1}';

/// Stands before the tenant, behind the caller, which never holds it. Identities without a tenant
/// are the same whether there are tenants or not.
const OF_TENANT: char = '\u{3}';

/// What an entry is found by: shared text, cheap to clone, equal and ordered by its bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Arc<str>);

impl Key {
    /// From the key as rules and people name it, the site (scheme and authority; empty where they
    /// do not count) and the caller (empty where all callers share).
    pub fn new(text: &str, site: &str, caller: &str) -> Self {
        Self::of_parts([text, "", "", ""], site, caller)
    }

    /// The key of a target without a rule: its absolute URI is the text, and names the site.
    pub fn of_target(scheme: &str, authority: &str, target: &str, caller: &str) -> Self {
        Self::of_parts([scheme, "://", authority, target], "", caller)
    }

    /// The same key, site and caller within a tenant (its name as keys have it).
    #[must_use]
    pub fn of_tenant(&self, tenant: &str) -> Self {
        let of_another = self.tenant().map_or(0, |other| other.len() + 1);
        let whole = self.0.get(..self.0.len() - of_another).unwrap_or_default();
        let mut own = String::with_capacity(whole.len() + 1 + tenant.len());
        own.push_str(whole);
        own.push(OF_TENANT);
        own.push_str(&plain(tenant));
        Self(own.into())
    }

    /// From a whole identity that was read back.
    pub fn of_identity(identity: &str) -> Self {
        Self(identity.into())
    }

    fn of_parts(text: [&str; 4], site: &str, caller: &str) -> Self {
        let (site, caller) = (plain(site), plain(caller));
        let text_len: usize = text.iter().map(|part| part.len()).sum();
        let mut whole = String::with_capacity(text_len + site.len() + caller.len() + 2);
        whole.extend(text);
        whole.push(SEPARATOR);
        whole.push_str(&site);
        whole.push(SEPARATOR);
        whole.push_str(&caller);
        Self(whole.into())
    }

    /// The whole identity.
    pub fn identity(&self) -> &str {
        &self.0
    }

    /// The key as rules and people name it.
    pub fn text(&self) -> &str {
        self.parts().0
    }

    /// The same, of a whole identity.
    pub fn text_of(identity: &str) -> &str {
        // The tenant stands behind the last separator.
        cut(cut(identity).0).0
    }

    /// Scheme and authority, where they count.
    pub fn site(&self) -> &str {
        self.parts().1
    }

    /// The caller, where callers do not share.
    pub fn caller(&self) -> &str {
        self.parts().2
    }

    /// The tenant whose it is, where it is one's.
    pub fn tenant(&self) -> Option<&str> {
        cut_tenant(cut(&self.0).1).1
    }

    /// With what every identity of the key `text` begins, and some of a longer key perhaps.
    pub fn beginning(text: &str) -> String {
        let mut beginning = String::with_capacity(text.len() + 1);
        beginning.push_str(text);
        beginning.push(SEPARATOR);
        beginning
    }

    fn parts(&self) -> (&str, &str, &str) {
        let (rest, behind) = cut(&self.0);
        let (text, site) = cut(rest);
        (text, site, cut_tenant(behind).0)
    }
}

/// What stands before and behind the last separator. As a rule that is the last byte.
fn cut(whole: &str) -> (&str, &str) {
    let at = whole.bytes().rposition(|byte| byte == SEPARATOR as u8).unwrap_or_default();
    (whole.get(..at).unwrap_or_default(), whole.get(at + 1..).unwrap_or_default())
}

/// The caller and the tenant, of what stands behind the last separator.
fn cut_tenant(behind: &str) -> (&str, Option<&str>) {
    match behind.split_once(OF_TENANT) {
        Some((caller, tenant)) => (caller, Some(tenant)),
        None => (behind, None),
    }
}

fn plain(part: &str) -> Cow<'_, str> {
    if memchr::memchr2(SEPARATOR as u8, OF_TENANT as u8, part.as_bytes()).is_some() {
        // Neither an authority nor a digest holds a control character; should one come all the
        // same, it must not forge another identity.
        let part = part.replace('%', "%25").replace(SEPARATOR, "%01");
        return Cow::Owned(part.replace(OF_TENANT, "%03"));
    }
    Cow::Borrowed(part)
}

impl Borrow<str> for Key {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut told = f.debug_tuple("Key");
        told.field(&self.text()).field(&self.site()).field(&self.caller());
        self.tenant().map(|tenant| told.field(&tenant));
        told.finish()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn parts_come_back() {
        for (text, site, caller) in [
            ("k", "", ""),
            ("", "", ""),
            ("https://shop.example/a?b=1", "https://shop.example", "c0ffee"),
            ("año\u{1}x", "s", ""),
        ] {
            let key = Key::new(text, site, caller);
            assert_eq!((key.text(), key.site(), key.caller()), (text, site, caller));
        }
    }

    #[test]
    fn a_target_is_its_absolute_uri() {
        let key = Key::of_target("http", "shop.example", "/a?b", "c");
        assert_eq!(key, Key::new("http://shop.example/a?b", "", "c"));
    }

    #[test]
    fn no_part_can_forge_another() {
        let plain = Key::new("a", "b", "c");
        for (text, site, caller) in [
            ("a\u{1}b", "c", ""),
            ("a\u{1}b", "", "c"),
            ("a", "b\u{1}c", ""),
            ("a", "", "b\u{1}c"),
            ("", "a\u{1}b", "c"),
        ] {
            assert_ne!(Key::new(text, site, caller), plain, "{text:?} {site:?} {caller:?}");
        }
        assert_ne!(Key::new("a", "b\u{1}c", ""), Key::new("a\u{1}b", "c", ""));
    }

    #[test]
    fn a_tenant_is_a_part_of_its_own() {
        for (text, site, caller) in
            [("k", "", ""), ("a\u{3}b\u{1}", "http://h", "*"), ("", "", "x")]
        {
            let shared = Key::new(text, site, caller);
            let (one, other) = (shared.of_tenant("acme"), shared.of_tenant("b"));
            assert_eq!(shared.tenant(), None);
            for (key, tenant) in [(&one, "acme"), (&other, "b"), (&one.of_tenant("b"), "b")] {
                assert_eq!(key.tenant(), Some(tenant));
                assert_eq!((key.text(), key.site(), key.caller()), (text, site, caller));
                assert_eq!(Key::text_of(key.identity()), text);
            }
            assert!(one != other && one != shared && other == one.of_tenant("b"));
        }
        let forged = Key::new("k", "", "\u{3}acme");
        assert_eq!(forged.tenant(), None);
        assert_ne!(forged, Key::new("k", "", "").of_tenant("acme"));
        assert_eq!(Key::new("k", "", "").of_tenant("a\u{1}b").tenant(), Some("a%01b"));
    }

    #[test]
    fn identities_of_a_key_stand_side_by_side_and_are_found_by_text() {
        let mut keys = [
            Key::new("ab", "", ""),
            Key::new("a", "s", "2"),
            Key::new("a", "", "1"),
            Key::new("b", "", ""),
        ];
        keys.sort();
        let texts: Vec<_> = keys.iter().map(Key::text).collect();
        assert_eq!(texts, ["a", "a", "ab", "b"]);
        let all: HashMap<Key, u8> = keys.iter().cloned().zip(0..).collect();
        assert_eq!(all.get("a\u{1}s\u{1}2"), Some(&1));
        assert!(keys[0].identity().starts_with(&Key::beginning("a")));
    }
}
