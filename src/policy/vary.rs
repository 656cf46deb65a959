//! Which fields of a request select among stored answers, and what they said (RFC 9111, 4.1). Two
//! values are the same when the field's own definition says so, never because they look alike. Only
//! values that `Vary` names are kept, and those that could be secrets only as digests.

use http::header::{self, HeaderMap, HeaderName};
use smallvec::SmallVec;

use super::law::Law;
use crate::base::fields;
use crate::base::limits::VARY_NAMES_MAX;
use crate::base::reason::Reason;

#[cfg(test)]
mod tests;

/// Longer values are kept as digests: 32 bytes stand for any number.
const TEXT_BYTES_MAX: usize = 128;

/// Hex digits of a variant's name: 64 bits tell a handful of variants apart.
const ID_DIGITS: usize = 16;

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

    /// Names and what was said, in the order of [`Selecting::names`].
    pub fn parts(&self) -> impl Iterator<Item = (&HeaderName, Said<'_>)> {
        self.names.iter().zip(self.values.iter().map(Value::said))
    }

    /// Puts together what [`Selecting::parts`] took apart; `None` when no request makes such parts:
    /// too many, a name twice, a long text, or a secret that is not a digest.
    pub fn of_parts<'a>(parts: impl IntoIterator<Item = (HeaderName, Said<'a>)>) -> Option<Self> {
        let (mut names, mut values) = (Vec::new(), Vec::new());
        for (name, said) in parts {
            let text_allowed = !is_secret(&name);
            let value = match said {
                Said::Absent => Value::Absent,
                Said::Text(text) if text_allowed && text.len() <= TEXT_BYTES_MAX => {
                    Value::Text(text.into())
                }
                Said::Text(_) => return None,
                Said::Digest(digest) => Value::Digest(*digest),
            };
            if names.len() == VARY_NAMES_MAX || names.contains(&name) || name.as_str() == "*" {
                return None;
            }
            names.push(name);
            values.push(value);
        }
        Some(Self { names: names.into(), values: values.into() })
    }

    /// Whether a value is the digest of what could be a secret. Such a digest must not leave the
    /// process: who reads it could try weak secrets against it.
    pub fn holds_secret(&self) -> bool {
        self.parts().any(|(name, said)| said != Said::Absent && is_secret(name))
    }

    /// A short stable name of this variant: 16 hex digits from names and values, whatever the order
    /// in which an answer names its fields. `None` when nothing selects. It is a digest of the
    /// values, so [`Selecting::holds_secret`] goes for it as well.
    pub fn id(&self) -> Option<String> {
        if self.names.is_empty() {
            return None;
        }
        let mut parts: SmallVec<[(&HeaderName, Said<'_>); 4]> = self.parts().collect();
        parts.sort_unstable_by_key(|(name, _)| name.as_str());
        let mut hasher = blake3::Hasher::new();
        for (name, said) in parts {
            let (mark, value): (u8, &[u8]) = match said {
                Said::Absent => (0, &[]),
                Said::Text(text) => (1, text),
                Said::Digest(digest) => (2, digest),
            };
            // Each part tells its length, so that no two lists of parts read the same.
            for part in [name.as_str().as_bytes(), &[mark], value] {
                hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
            }
        }
        Some(hasher.finalize().to_hex().get(..ID_DIGITS)?.to_owned())
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

/// What the request of a variant said in one field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said<'a> {
    /// Nothing: it did not have the field.
    Absent,
    /// This, in the form that is compared.
    Text(&'a [u8]),
    /// Something long or secret with this BLAKE3 digest.
    Digest(&'a [u8; 32]),
}

impl Value {
    const fn said(&self) -> Said<'_> {
        match self {
            Self::Absent => Said::Absent,
            Self::Text(text) => Said::Text(text),
            Self::Digest(digest) => Said::Digest(digest),
        }
    }

    fn of(name: &HeaderName, request: &HeaderMap) -> Self {
        let Some(text) = normal(name, request) else { return Self::Absent };
        if is_secret(name) || text.len() > TEXT_BYTES_MAX {
            Self::Digest(*blake3::hash(&text).as_bytes())
        } else {
            Self::Text(text.as_slice().into())
        }
    }

    fn is_said(&self, name: &HeaderName, request: &HeaderMap) -> bool {
        match self {
            Self::Absent => !request.contains_key(name),
            Self::Digest(digest) => {
                normal(name, request).is_some_and(|text| blake3::hash(&text) == *digest)
            }
            Self::Text(known) => normal(name, request).is_some_and(|text| *text == **known),
        }
    }
}

fn is_secret(name: &HeaderName) -> bool {
    [header::COOKIE, header::AUTHORIZATION].contains(name)
        || fields::IDENTITY_FIELDS.contains(&name.as_str())
}

/// Every hit on an answer that varies compares: usual values stay off the heap.
type Text = SmallVec<[u8; TEXT_BYTES_MAX]>;

/// The value in the form that is compared; a normal form is its own normal form.
fn normal(name: &HeaderName, request: &HeaderMap) -> Option<Text> {
    if is_preference(name) {
        return request.contains_key(name).then(|| preferences(name, request));
    }
    fields::combined(request, name).map(|value| squeezed(&value, b","))
}

/// The value without white space at its ends and beside bytes of `around` that are not quoted.
/// White space beside a comma means nothing in any field, nor does the division into lines (RFC
/// 9110, 5.3 and 5.6.1). Empty members stay, for not every field is a list.
fn squeezed<const N: usize>(value: &[u8], around: &[u8]) -> SmallVec<[u8; N]> {
    let mut text = SmallVec::new();
    let (mut quoted, mut escaped, mut after) = (false, false, false);
    for &byte in value.trim_ascii() {
        if after && is_space(byte) {
            continue;
        }
        after = !quoted && around.contains(&byte);
        while after && text.last().is_some_and(|last| is_space(*last)) {
            text.pop();
        }
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ => {}
        }
        text.push(byte);
    }
    text
}

const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// Lists of alternatives with weights, where neither case nor order says anything (RFC 9110,
/// 12.4.2, 12.5.2, 12.5.3 and 12.5.4).
fn is_preference(name: &HeaderName) -> bool {
    [header::ACCEPT_ENCODING, header::ACCEPT_LANGUAGE, header::ACCEPT_CHARSET].contains(name)
}

fn preferences(name: &HeaderName, request: &HeaderMap) -> Text {
    let mut all: SmallVec<[SmallVec<[u8; 24]>; 8]> =
        fields::members(request, name).map(preference).collect();
    all.sort_unstable();
    let mut text = Text::new();
    for (at, one) in all.iter().enumerate() {
        if at > 0 {
            text.push(b',');
        }
        text.extend_from_slice(one);
    }
    text
}

/// One alternative in lower case, its weight without white space and idle digits.
fn preference(member: &[u8]) -> SmallVec<[u8; 24]> {
    let mut text: SmallVec<[u8; 24]> = squeezed(member, b";=");
    text.make_ascii_lowercase();
    let Some(at) = text.windows(3).position(|part| part == b";q=") else { return text };
    let weight = text.get(at + 3..).unwrap_or_default();
    let digits = weight.strip_prefix(b"0.").or_else(|| weight.strip_prefix(b"1."));
    if let Some(digits) = digits.filter(|digits| digits.iter().all(u8::is_ascii_digit)) {
        // Idle zeros go, and then the point when nothing follows it.
        let idle = digits.iter().rev().take_while(|digit| **digit == b'0').count();
        let point = usize::from(idle == digits.len());
        text.truncate(text.len() - idle - point);
    }
    if text.ends_with(b";q=1") {
        text.truncate(text.len() - 4);
    }
    text
}
