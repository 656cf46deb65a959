//! What counts as a credential, and whether a request carries one. The answer decides whether an
//! entry may be shared, so in doubt something counts: every cookie that no glob lets go, and every
//! field that APIs use for keys and tokens.

use http::header::{AUTHORIZATION, COOKIE, HeaderMap, HeaderName};

use crate::base::fields::IDENTITY_FIELDS;
use crate::entry::order::Glob;
use crate::policy::vary::{Said, Selecting};

/// Cookies of analytics, which say nothing about what an API answers.
const COOKIES_IGNORED: [&str; 6] = ["_ga", "_ga_*", "_gid", "_fbp", "_gcl_*", "_pk_*"];

/// What counts as a credential.
#[derive(Clone, Debug)]
pub struct CredentialNames {
    headers: Vec<HeaderName>,
    /// `None`: cookies do not count.
    cookies_ignored: Option<Vec<Glob>>,
}

impl Default for CredentialNames {
    fn default() -> Self {
        let fields = IDENTITY_FIELDS.into_iter().map(HeaderName::from_static);
        Self {
            headers: std::iter::once(AUTHORIZATION).chain(fields).collect(),
            cookies_ignored: Some(COOKIES_IGNORED.into_iter().map(Glob::new).collect()),
        }
    }
}

impl CredentialNames {
    /// Only `Authorization`, as RFC 9111, 3.5 has it.
    pub fn authorization_only() -> Self {
        Self { headers: vec![AUTHORIZATION], cookies_ignored: None }
    }

    /// Replaces the list of fields. `Authorization` always counts: no list may make it shared.
    pub(super) fn set_headers(&mut self, headers: Vec<HeaderName>) {
        self.headers = headers;
        if !self.headers.contains(&AUTHORIZATION) {
            self.headers.push(AUTHORIZATION);
        }
    }

    /// Replaces the list of cookies that do not count; all others do from now on.
    pub(super) fn set_cookies_ignored(&mut self, globs: Vec<Glob>) {
        self.cookies_ignored = Some(globs);
    }

    /// Whether a request with these fields carries a credential.
    pub fn seen(&self, fields: &HeaderMap) -> bool {
        // Requests have few fields and this list is long: going through them is cheaper than to
        // look up each of these, and every read asks.
        fields.keys().any(|name| self.headers.contains(name)) || self.cookies_seen(fields)
    }

    /// The fields that carry one here: `cookie` stands for all cookies that count.
    pub fn fields_seen<'a>(
        &'a self,
        fields: &'a HeaderMap,
    ) -> impl Iterator<Item = &'a HeaderName> {
        let counted = self.headers.iter().filter(|name| fields.contains_key(*name));
        counted.chain(self.cookies_seen(fields).then_some(&COOKIE))
    }

    /// Whether cookies carry one here, where the list of fields does not name them as a whole.
    fn cookies_seen(&self, fields: &HeaderMap) -> bool {
        cookies(fields).any(|(name, _)| self.counts_cookie(name)) && !self.headers.contains(&COOKIE)
    }

    /// Whether this field is a credential wherever it appears.
    pub(super) fn counts_header(&self, name: &HeaderName) -> bool {
        self.headers.contains(name) || (*name == COOKIE && self.cookies_ignored.is_some())
    }

    /// Whether this field is one by these rules or by everybody's.
    pub(super) fn hides_header(&self, name: &HeaderName) -> bool {
        self.counts_header(name) || *name == COOKIE || IDENTITY_FIELDS.contains(&name.as_str())
    }

    /// Whether this cookie is one, also where the profile does not count cookies.
    pub(super) fn hides_cookie(&self, name: &[u8]) -> bool {
        let name = String::from_utf8_lossy(name);
        match &self.cookies_ignored {
            Some(ignored) => !ignored.iter().any(|glob| glob.matches(&name)),
            None => !COOKIES_IGNORED.iter().any(|glob| Glob::new(glob).matches(&name)),
        }
    }

    /// Whether a credential that its request carried selects a variant. Neither it nor a digest of
    /// it may leave the process: who reads that could try weak ones.
    pub fn select(&self, selecting: &Selecting) -> bool {
        let mut said = selecting.parts().filter(|(_, said)| *said != Said::Absent);
        selecting.holds_secret() || said.any(|(name, _)| self.counts_header(name))
    }

    /// Whether a cookie of this name is a credential.
    pub(super) fn counts_cookie(&self, name: &[u8]) -> bool {
        let Some(ignored) = &self.cookies_ignored else { return false };
        let name = String::from_utf8_lossy(name);
        !ignored.iter().any(|glob| glob.matches(&name))
    }

    /// All credentials of a request as bytes that differ whenever they do: what a keyed digest of
    /// the caller is made of. Empty when there are none. The order of cookies does not matter, the
    /// order of repeated fields does.
    pub fn identity_digest_input(&self, fields: &HeaderMap) -> Vec<u8> {
        let mut out = Vec::new();
        let mut line = |kind: &[u8], name: &[u8], value: &[u8]| {
            // A field's value holds no newline (RFC 9110, 5.5) and the name of a field or cookie
            // no `=`, so lines cannot be forged.
            for part in [kind, name, b"=", value, b"\n"] {
                out.extend_from_slice(part);
            }
        };
        for name in &self.headers {
            for value in fields.get_all(name) {
                line(b"h ", name.as_str().as_bytes(), value.as_bytes());
            }
        }
        if !self.headers.contains(&COOKIE) {
            let mut counted: Vec<_> =
                cookies(fields).filter(|(name, _)| self.counts_cookie(name)).collect();
            counted.sort_by_key(|(name, _)| *name);
            for (name, value) in counted {
                line(b"c ", name, value);
            }
        }
        out
    }
}

/// All cookies of a request, name and value as sent (RFC 6265, 4.2.1). One without `=` has no name.
pub(super) fn cookies(fields: &HeaderMap) -> impl Iterator<Item = (&[u8], &[u8])> {
    let lines = fields.get_all(COOKIE).into_iter();
    let pairs = lines.flat_map(|line| line.as_bytes().split(|b| *b == b';'));
    pairs.map(<[u8]>::trim_ascii).filter(|pair| !pair.is_empty()).map(|pair| {
        match memchr::memchr(b'=', pair) {
            Some(at) => {
                let (name, rest) = pair.split_at(at);
                (name.trim_ascii(), rest.get(1..).unwrap_or_default().trim_ascii())
            }
            None => (&b""[..], pair),
        }
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn fields(lines: &[(&str, &str)]) -> HeaderMap {
        let mut all = HeaderMap::new();
        for (name, value) in lines {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            all.append(name, HeaderValue::from_str(value).unwrap());
        }
        all
    }

    #[test]
    fn tokens_keys_and_cookies_count() {
        let names = CredentialNames::default();
        for line in [("authorization", "Bearer a"), ("x-api-key", ""), ("cookie", "sid=1")] {
            assert!(names.seen(&fields(&[line])), "{line:?}");
        }
        for line in
            [("accept", "*/*"), ("cookie", "_ga_X=1; _gid=2"), ("cookie", ""), ("cookie", ";")]
        {
            assert!(!names.seen(&fields(&[line])), "{line:?}");
        }
        assert!(names.seen(&fields(&[("cookie", "_ga=1; sid")])));
        assert!(names.seen(&fields(&[("cookie", "_ga=1"), ("cookie", "sid=2")])));
    }

    #[test]
    fn what_a_credential_selects_is_known_by_its_name() {
        let mut names = CredentialNames::default();
        let of = |names: &CredentialNames, line: (&str, &str), said: &[(&str, &str)]| {
            let name = HeaderName::from_bytes(line.0.as_bytes()).unwrap();
            names.select(&Selecting::of(&[name], &fields(said)))
        };
        let selects = |names: &CredentialNames, line| of(names, line, &[line]);
        let own = ("x-store-pass", "a");
        assert!(!selects(&names, own) && selects(&names, ("x-api-key", "a")));
        names.set_headers(vec![HeaderName::from_static("x-store-pass")]);
        assert!(selects(&names, own) && !selects(&names, ("accept", "a")));
        // A request without it gave nothing away.
        assert!(!of(&names, own, &[]));
        // What everybody knows for one stays one, whatever list the rules have.
        assert!(selects(&names, ("x-api-key", "a")) && selects(&names, ("cookie", "_ga=1")));
    }

    #[test]
    fn the_plain_reading_counts_authorization_alone() {
        let names = CredentialNames::authorization_only();
        assert!(names.seen(&fields(&[("authorization", "a")])));
        assert!(!names.seen(&fields(&[("cookie", "sid=1"), ("x-api-key", "k")])));
        assert!(names.identity_digest_input(&fields(&[("cookie", "sid=1")])).is_empty());
    }

    #[test]
    fn the_digest_is_made_of_what_counts() {
        let names = CredentialNames::default();
        let digest = |lines: &[(&str, &str)]| names.identity_digest_input(&fields(lines));
        assert!(digest(&[("accept", "a"), ("cookie", "_ga=1")]).is_empty());
        assert_eq!(digest(&[("cookie", "a=1; b=2")]), digest(&[("cookie", "b=2; _ga=9; a=1")]));
        assert_ne!(digest(&[("cookie", "a=1; a=2")]), digest(&[("cookie", "a=2; a=1")]));
        assert_ne!(digest(&[("x-api-key", "a")]), digest(&[("api-key", "a")]));
        assert_ne!(digest(&[("x-api-key", "a")]), digest(&[("x-api-key", "a"), ("x-api-key", "")]));
    }

    proptest! {
        #[test]
        fn different_callers_have_different_digests(
            a in ("[a-c=:; ]{0,6}", "[a-c=:; ]{0,6}"),
            b in ("[a-c=:; ]{0,6}", "[a-c=:; ]{0,6}"),
        ) {
            let names = CredentialNames::default();
            let of = |(key, token): &(String, String)| {
                fields(&[("x-api-key", key.trim()), ("authorization", token.trim())])
            };
            let same = names.identity_digest_input(&of(&a)) == names.identity_digest_input(&of(&b));
            prop_assert_eq!(same, a.0.trim() == b.0.trim() && a.1.trim() == b.1.trim());
        }
    }
}
