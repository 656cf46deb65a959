//! Which fields of a request select among stored answers, and what they said (RFC 9111, 4.1). Two
//! values are the same when the field's own definition says so, never because they look alike. Only
//! values that `Vary` names are kept, and those that could be secrets only as digests.

use std::borrow::Cow;

use http::header::{self, HeaderMap, HeaderName};

use super::law::Law;
use crate::base::fields;
use crate::base::limits::VARY_NAMES_MAX;
use crate::base::reason::Reason;

#[cfg(test)]
mod tests;

/// Longer values are kept as digests: 32 bytes stand for any number.
const TEXT_BYTES_MAX: usize = 128;

/// The names that select this answer, lower case, in the order of their first mention. An answer
/// that varies on everything, on more names than are followed, or on something that is no name is
/// [`Reason::VaryStar`].
///
/// Two fields vary without saying so: a coded body depends on what the client accepts, and an
/// `Access-Control-Allow-Origin` that repeats the request's `Origin` depends on it.
pub fn vary_names(
    response: &HeaderMap,
    request: &HeaderMap,
    law: &Law,
) -> Result<Vec<HeaderName>, Reason> {
    let mut names = Vec::new();
    let mut add = |name: HeaderName| {
        if !names.contains(&name) {
            names.push(name);
        }
    };
    if !law.overrides.vary {
        for line in response.get_all(header::VARY) {
            // No quotation here: a stray quote must not hide a star.
            for name in line.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
                if !name.is_empty() {
                    add(parse_name(name)?);
                }
            }
        }
    }
    if fields::members(response, &header::CONTENT_ENCODING)
        .any(|coding| !coding.eq_ignore_ascii_case(b"identity"))
    {
        add(header::ACCEPT_ENCODING);
    }
    let allowed = response.get(header::ACCESS_CONTROL_ALLOW_ORIGIN);
    if allowed.is_some() && allowed == request.get(header::ORIGIN) {
        add(header::ORIGIN);
    }
    if names.len() > VARY_NAMES_MAX { Err(Reason::VaryStar) } else { Ok(names) }
}

fn parse_name(name: &[u8]) -> Result<HeaderName, Reason> {
    // `*` is a token too, and so a name by its letters.
    let name = HeaderName::from_bytes(name).map_err(|_| Reason::VaryStar)?;
    if name.as_str() == "*" { Err(Reason::VaryStar) } else { Ok(name) }
}

/// The names that select a variant and what its request said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Selecting {
    names: Box<[HeaderName]>,
    values: Box<[Value]>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Value {
    Absent,
    Text(Box<[u8]>),
    Digest([u8; 32]),
}

impl Selecting {
    /// What `request` says in the fields `names`.
    pub fn of(names: &[HeaderName], request: &HeaderMap) -> Self {
        Self {
            names: names.into(),
            values: names.iter().map(|name| Value::of(name, request)).collect(),
        }
    }

    /// Whether a request selects this variant.
    pub fn matches(&self, request: &HeaderMap) -> bool {
        self.names.iter().zip(&self.values).all(|(name, value)| value.is_said(name, request))
    }

    /// The names.
    pub fn names(&self) -> &[HeaderName] {
        &self.names
    }

    /// The bytes that this keeps in memory beside itself.
    pub fn bytes(&self) -> usize {
        let names = self.names.iter().map(|name| size_of::<HeaderName>() + name.as_str().len());
        let values = self.values.iter().map(|value| {
            size_of::<Value>() + if let Value::Text(text) = value { text.len() } else { 0 }
        });
        names.sum::<usize>() + values.sum::<usize>()
    }
}

impl Value {
    fn of(name: &HeaderName, request: &HeaderMap) -> Self {
        let Some(text) = normal(name, request) else { return Self::Absent };
        if is_secret(name) || text.len() > TEXT_BYTES_MAX {
            Self::Digest(*blake3::hash(&text).as_bytes())
        } else {
            Self::Text(text.into())
        }
    }

    fn is_said(&self, name: &HeaderName, request: &HeaderMap) -> bool {
        match self {
            Self::Absent => !request.contains_key(name),
            Self::Digest(digest) => {
                normal(name, request).is_some_and(|text| blake3::hash(&text) == *digest)
            }
            Self::Text(known) => {
                is_single(name, request, known)
                    || normal(name, request).is_some_and(|text| *text == **known)
            }
        }
    }
}

/// The common case of a hit: one line, already in its normal form.
fn is_single(name: &HeaderName, request: &HeaderMap, known: &[u8]) -> bool {
    let mut lines = request.get_all(name).into_iter();
    lines.next().is_some_and(|line| line.as_bytes() == known) && lines.next().is_none()
}

fn is_secret(name: &HeaderName) -> bool {
    [header::COOKIE, header::AUTHORIZATION].contains(name)
}

/// The value in the form that is compared; normal forms are their own normal form.
fn normal<'a>(name: &HeaderName, request: &'a HeaderMap) -> Option<Cow<'a, [u8]>> {
    if is_preference(name) {
        return request.contains_key(name).then(|| Cow::Owned(preferences(name, request)));
    }
    // White space around commas and the division into lines mean nothing in any field (RFC 9110,
    // 5.3 and 5.6.1). Empty members stay: not every field is a list.
    let value = fields::combined(request, name)?;
    Some(if value.contains(&b',') { Cow::Owned(squeezed(&value)) } else { trimmed(value) })
}

fn trimmed(value: Cow<'_, [u8]>) -> Cow<'_, [u8]> {
    match value {
        Cow::Borrowed(value) => Cow::Borrowed(value.trim_ascii()),
        Cow::Owned(value) => Cow::Owned(value.trim_ascii().to_vec()),
    }
}

/// The value without white space at its ends and around commas that are not quoted.
fn squeezed(value: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(value.len());
    let (mut quoted, mut escaped, mut after_comma) = (false, false, true);
    for &byte in value {
        let is_space = byte == b' ' || byte == b'\t';
        if !quoted && after_comma && is_space {
            continue;
        }
        if !quoted && byte == b',' {
            text.truncate(text.trim_ascii_end().len());
        }
        after_comma = !quoted && byte == b',';
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ => {}
        }
        text.push(byte);
    }
    text.truncate(text.trim_ascii_end().len());
    text
}

/// Lists of alternatives with weights, where neither case nor order says anything (RFC 9110,
/// 12.4.2, 12.5.3 and 12.5.4).
fn is_preference(name: &HeaderName) -> bool {
    [header::ACCEPT_ENCODING, header::ACCEPT_LANGUAGE, header::ACCEPT_CHARSET].contains(name)
}

fn preferences(name: &HeaderName, request: &HeaderMap) -> Vec<u8> {
    let mut all: Vec<Vec<u8>> = fields::members(request, name).map(preference).collect();
    all.sort_unstable();
    all.join(&b',')
}

/// One alternative in lower case without white space, its weight without idle digits.
fn preference(member: &[u8]) -> Vec<u8> {
    let mut text: Vec<u8> = member
        .iter()
        .filter(|byte| !byte.is_ascii_whitespace())
        .map(u8::to_ascii_lowercase)
        .collect();
    if let Some(at) = text.windows(3).position(|part| part == b";q=") {
        let weight = text.split_off(at);
        let digits = weight.get(3..).unwrap_or_default();
        let is_fraction = digits.starts_with(b"0.") || digits.starts_with(b"1.");
        let mut digits = digits.to_vec();
        if is_fraction && digits.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.') {
            digits
                .truncate(digits.iter().rposition(|byte| *byte != b'0').map_or(0, |last| last + 1));
            digits.truncate(digits.strip_suffix(b".").map_or(digits.len(), <[u8]>::len));
        }
        if digits != b"1" {
            text.extend_from_slice(b";q=");
            text.extend_from_slice(&digits);
        }
    }
    text
}
