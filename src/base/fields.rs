//! Field lines as lists, and the lines that belong to one hop only. Values are bytes: an answer
//! with one stray byte keeps its other directives.

use std::borrow::Cow;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

/// The members of a comma-separated field over all its lines, trimmed, empty ones left out. Commas
/// inside quoted strings do not separate (RFC 9110, 5.6.1).
pub fn members<'a>(fields: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> {
    fields.get_all(name).into_iter().flat_map(|line| split(line.as_bytes()))
}

/// The members of one line; see [`members`].
pub fn split(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(line);
    std::iter::from_fn(move || {
        let line = rest?;
        let end = unquoted_comma(line);
        let (member, after) = match end {
            Some(at) => (line.get(..at)?, line.get(at + 1..)),
            None => (line, None),
        };
        rest = after;
        Some(member.trim_ascii())
    })
    .filter(|member| !member.is_empty())
}

fn unquoted_comma(line: &[u8]) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    line.iter().position(|&byte| {
        if quoted {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => quoted = false,
                _ => {}
            }
            return false;
        }
        quoted = byte == b'"';
        byte == b','
    })
}

/// All lines of a field as one value, joined as RFC 9110, 5.3 allows. Borrowed when there is one.
pub fn combined<'a>(fields: &'a HeaderMap, name: &HeaderName) -> Option<Cow<'a, [u8]>> {
    let mut lines = fields.get_all(name).into_iter();
    let first = lines.next()?;
    let Some(second) = lines.next() else { return Some(Cow::Borrowed(first.as_bytes())) };
    let mut all = first.as_bytes().to_vec();
    for line in std::iter::once(second).chain(lines) {
        all.extend_from_slice(b", ");
        all.extend_from_slice(line.as_bytes());
    }
    Some(Cow::Owned(all))
}

/// Fields that carry the caller's identity in most APIs, besides `Authorization`.
pub const IDENTITY_FIELDS: [&str; 22] = [
    "proxy-authorization",
    "x-authorization",
    "x-api-key",
    "api-key",
    "apikey",
    "x-apikey",
    "x-auth-token",
    "x-auth-key",
    "x-auth",
    "x-access-token",
    "x-session-token",
    "x-session-id",
    "x-user-token",
    "x-token",
    "x-jwt",
    "x-id-token",
    "private-token",
    "x-goog-api-key",
    "x-goog-iap-jwt-assertion",
    "x-amz-security-token",
    "remote-user",
    "x-remote-user",
];

/// Parameters whose values are usually secrets.
const SECRET_PARAMETERS: [&str; 20] = [
    "token",
    "access_token",
    "auth_token",
    "id_token",
    "refresh_token",
    "private_token",
    "jwt",
    "api_key",
    "apikey",
    "key",
    "password",
    "passwd",
    "secret",
    "client_secret",
    "signature",
    "sig",
    "x-amz-signature",
    "x-amz-security-token",
    "x-goog-signature",
    "code",
];

/// Whether values of a parameter of this name are usually secrets.
pub fn is_secret_parameter(name: &str) -> bool {
    SECRET_PARAMETERS.iter().any(|secret| secret.eq_ignore_ascii_case(name))
}

/// The names of such parameters in a target, as they stand there.
pub fn secret_parameters(target: &str) -> impl Iterator<Item = &str> {
    let query = memchr::memchr(b'?', target.as_bytes()).and_then(|at| target.get(at + 1..));
    let names = query.into_iter().flat_map(|query| query.split('&'));
    let names = names.map(|pair| pair.split('=').next().unwrap_or_default());
    names.filter(|name| is_secret_parameter(name))
}

/// Fields that are meant for one hop (RFC 9110, 7.6.1), besides those that `Connection` names.
pub const HOP_BY_HOP: [HeaderName; 9] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    HeaderName::from_static("proxy-authentication-info"),
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Fields that `Connection` may never remove: a client could otherwise unframe a message, hide who
/// it is, or take away what the proxy itself says.
const KEPT_AGAINST_CONNECTION: [HeaderName; 13] = [
    header::HOST,
    header::AUTHORIZATION,
    header::COOKIE,
    header::SET_COOKIE,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::CONTENT_ENCODING,
    header::CACHE_CONTROL,
    header::VARY,
    header::VIA,
    HeaderName::from_static("forwarded"),
    header::ETAG,
    header::DATE,
];

/// Removes the fields that `Connection` names, in a request or an answer. What one hop says to the
/// next may be no part of a key, of a variant or of a credential.
pub fn strip_named_by_connection(fields: &mut HeaderMap) {
    if fields.contains_key(header::CONNECTION) {
        let named: Vec<HeaderName> = members(fields, &header::CONNECTION)
            .filter_map(|name| HeaderName::from_bytes(name).ok())
            .filter(|name| {
                !KEPT_AGAINST_CONNECTION.contains(name)
                    && !HOP_BY_HOP.contains(name)
                    && !name.as_str().starts_with("x-forwarded-")
            })
            .collect();
        for name in named {
            fields.remove(name);
        }
    }
}

/// Whether a field is meant for one hop only, whatever a message says of it.
pub fn is_hop_by_hop(name: &HeaderName) -> bool {
    HOP_BY_HOP.contains(name)
}

/// Removes what is meant for this hop only, in a request or an answer.
pub fn strip_hop_by_hop(fields: &mut HeaderMap) {
    strip_named_by_connection(fields);
    for name in HOP_BY_HOP {
        fields.remove(name);
    }
}

/// Appends one member to a list-valued field as a line of its own, so that earlier lines stay as
/// they came.
pub fn append(fields: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        fields.append(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(lines: &[(&str, &str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(n, v)| {
                (n.parse::<HeaderName>().unwrap(), HeaderValue::from_bytes(v.as_bytes()).unwrap())
            })
            .fold(HeaderMap::new(), |mut all, (n, v)| {
                all.append(n, v);
                all
            })
    }

    #[test]
    fn commas_inside_quotes_do_not_separate() {
        let fields = map(&[("x", r#"a="1, 2", b"#), ("x", r#"c="\", d""#), ("x", " , ,e")]);
        let name = HeaderName::from_static("x");
        let seen: Vec<_> = members(&fields, &name).collect();
        assert_eq!(seen, [&br#"a="1, 2""#[..], b"b", br#"c="\", d""#, b"e"]);
    }

    #[test]
    fn connection_removes_what_it_names_but_not_what_must_stay() {
        let mut fields = map(&[
            ("connection", "a, Host, authorization, content-length"),
            ("connection", "x-forwarded-for, b"),
            ("a", "1"),
            ("b", "1"),
            ("host", "h"),
            ("authorization", "s"),
            ("content-length", "0"),
            ("x-forwarded-for", "me"),
            ("proxy-connection", "x"),
        ]);
        strip_hop_by_hop(&mut fields);
        let mut left: Vec<_> = fields.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["authorization", "content-length", "host", "x-forwarded-for"]);
    }

    #[test]
    fn several_lines_combine_in_order() {
        let fields = map(&[("x", "1"), ("x", "2, 3")]);
        let name = HeaderName::from_static("x");
        assert_eq!(combined(&fields, &name).unwrap().as_ref(), b"1, 2, 3");
        assert!(combined(&fields, &header::AGE).is_none());
    }
}
