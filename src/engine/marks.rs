//! Which kinds of fields a request has, found in one pass over their names. Requests have few
//! fields and decisions ask for many: what is not there need not be looked up by each of them.

use http::{HeaderMap, HeaderName};

/// Kinds of fields that a request has at least one of. A kind that is not marked is not there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks(u8);

impl Marks {
    /// `Connection`.
    pub const CONNECTION: Self = Self(1);
    /// `Upgrade`.
    pub const UPGRADE: Self = Self(1 << 1);
    /// `Via`.
    pub const VIA: Self = Self(1 << 2);
    /// `Cache-Control` or `Pragma`.
    pub const DIRECTIVES: Self = Self(1 << 3);
    /// Conditions and ranges.
    pub const CONDITIONS: Self = Self(1 << 4);
    /// What frameworks let override the method.
    pub const METHOD_OVERRIDE: Self = Self(1 << 5);
    /// What frameworks and proxies let decide the target, the scheme or what is behind.
    pub const OVERRIDE: Self = Self(1 << 6);
    /// `X-Forwarded-For`, `-Proto` and `-Host`.
    pub const FORWARDED: Self = Self(1 << 7);

    const NONE: Self = Self(0);

    /// The kinds of fields in `fields`.
    pub fn of(fields: &HeaderMap) -> Self {
        fields.keys().fold(Self::NONE, |marks, name| Self(marks.0 | kind(name).0))
    }

    /// Whether there is a field of this kind.
    pub const fn has(self, kind: Self) -> bool {
        self.0 & kind.0 != 0
    }
}

/// In no key, so from an untrusted peer they keep a request out of the cache; besides the families
/// in [`kind`].
const OVERRIDES: [&str; 15] = [
    "base-url",
    "forwarded-proto",
    "front-end-https",
    "x-forwarded",
    "x-forwarder-for",
    "x-host",
    "x-http-destinationurl",
    "x-http-host-override",
    "x-matched-path",
    "x-real-host",
    "x-rewrite-url",
    "x-scheme",
    "x-uri",
    "x-url-scheme",
    "x-wap-profile",
];

/// Families of the same kind; the last three are what Next.js tells itself, and believes.
const OVERRIDE_FAMILIES: [&str; 7] = [
    "x-forwarded-",
    "x-original-",
    "x-rewrite-",
    "x-envoy-",
    "x-invoke-",
    "x-middleware-",
    "x-now-",
];

/// Whether what this field says could change the answer, though no key holds it.
pub(super) fn overrides(name: &HeaderName) -> bool {
    kind(name) == Marks::OVERRIDE
}

fn kind(name: &HeaderName) -> Marks {
    let name = name.as_str();
    match name.as_bytes().first() {
        Some(b'c') if name == "connection" => Marks::CONNECTION,
        Some(b'c') if name == "cache-control" => Marks::DIRECTIVES,
        Some(b'p') if name == "pragma" => Marks::DIRECTIVES,
        Some(b'u') if name == "upgrade" => Marks::UPGRADE,
        Some(b'v') if name == "via" => Marks::VIA,
        Some(b'r') if name == "range" => Marks::CONDITIONS,
        Some(b'i') if name.starts_with("if-") => Marks::CONDITIONS,
        Some(b'b' | b'f') if OVERRIDES.contains(&name) => Marks::OVERRIDE,
        // Many applications read `_` in a name as `-`.
        Some(b'x') if name.contains('_') => match extension(&name.replace('_', "-")) {
            Marks::NONE => Marks::NONE,
            Marks::METHOD_OVERRIDE => Marks::METHOD_OVERRIDE,
            _ => Marks::OVERRIDE,
        },
        Some(b'x') => extension(name),
        _ => Marks::NONE,
    }
}

fn extension(name: &str) -> Marks {
    match name {
        "x-http-method-override" | "x-http-method" | "x-method-override" => Marks::METHOD_OVERRIDE,
        "x-forwarded-for" | "x-forwarded-proto" | "x-forwarded-host" => Marks::FORWARDED,
        _ if OVERRIDES.contains(&name) => Marks::OVERRIDE,
        _ if OVERRIDE_FAMILIES.iter().any(|family| name.starts_with(family)) => Marks::OVERRIDE,
        _ => Marks::NONE,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn of(names: &[&str]) -> Marks {
        let value = || HeaderValue::from_static("x");
        Marks::of(&names.iter().map(|name| (name.parse().unwrap(), value())).collect())
    }

    #[test]
    fn each_name_has_its_kind_and_most_have_none() {
        for (names, kind) in [
            (&["connection"][..], Marks::CONNECTION),
            (&["x_original_url"], Marks::OVERRIDE),
            (&["x_forwarded_host"], Marks::OVERRIDE),
            (&["x_request_id"], Marks::NONE),
            (&["upgrade"], Marks::UPGRADE),
            (&["via"], Marks::VIA),
            (&["cache-control", "pragma"], Marks::DIRECTIVES),
            (
                &["if-match", "if-none-match", "if-range", "if-modified-since", "range"],
                Marks::CONDITIONS,
            ),
            (&["if-unmodified-since"], Marks::CONDITIONS),
            (&["x-http-method-override", "x-method-override"], Marks::METHOD_OVERRIDE),
            (&["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"], Marks::FORWARDED),
            (&["x-forwarded-port", "x-original-url", "x-envoy-a", "x-rewrite-b"], Marks::OVERRIDE),
            (&["x-middleware-subrequest", "x-now-route-matches"], Marks::OVERRIDE),
            (&OVERRIDES, Marks::OVERRIDE),
        ] {
            for name in names {
                assert_eq!(of(&[name]), kind, "{name}");
            }
        }
        let plain = ["host", "user-agent", "accept", "cookie", "x-request-id", "referer", "xx"];
        assert_eq!(of(&plain), Marks::NONE);
    }

    #[test]
    fn kinds_add_up() {
        let both = of(&["via", "host", "range"]);
        assert!(both.has(Marks::VIA) && both.has(Marks::CONDITIONS) && !both.has(Marks::UPGRADE));
    }
}
