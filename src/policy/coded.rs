//! Which stored answers may go out in the `zstd` coding though their origin sent them plain, who
//! gets them so, and what their heads say then. To its clients a reverse proxy is the origin (RFC
//! 9110, 3.7), so the coded body is another representation of the same resource, chosen by
//! `Accept-Encoding`.
//!
//! What speaks of exact bytes forbids it. A strong `ETag` would need another value, and one made
//! weak would fail the client's own `If-Match`; digests and signatures would be false.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};

use crate::base::fields;
use crate::base::names;

#[cfg(test)]
mod tests;

/// The coding, as fields name it (RFC 8878, 3.1).
pub const CODING: &str = "zstd";

/// The name of `Accept-Encoding`, as `Vary` gets it.
pub const VARIES_BY: &str = "Accept-Encoding";

/// A member of a list with a weight of one (RFC 9110, 12.4.2), in thousandths.
const WEIGHT_MAX: u16 = 1_000;

/// Fields that are true of the stored bytes alone.
const OF_THE_BYTES: [HeaderName; 7] = [
    header::CONTENT_ENCODING,
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("signature"),
    HeaderName::from_static("signature-input"),
];

/// Fields in which an origin may forbid transformations (RFC 9110, 7.7; RFC 9213).
const DIRECTIVES: [HeaderName; 3] =
    [header::CACHE_CONTROL, names::CDN_CACHE_CONTROL, names::SURROGATE_CONTROL];

/// Whether a stored answer with this head may go out coded.
pub fn may_be_coded<'a>(
    status: StatusCode,
    lines: impl IntoIterator<Item = (&'a HeaderName, &'a [u8])>,
) -> bool {
    status == StatusCode::OK && !lines.into_iter().any(|(name, value)| forbids(name, value))
}

fn forbids(name: &HeaderName, value: &[u8]) -> bool {
    if *name == header::ETAG {
        !is_weak(value)
    } else if DIRECTIVES.contains(name) {
        forbids_transforming(value)
    } else {
        OF_THE_BYTES.contains(name)
    }
}

/// Only what is surely a weak tag (RFC 9110, 8.8.3): what clients make of any other is not known.
fn is_weak(tag: &[u8]) -> bool {
    let inside = tag.trim_ascii().strip_prefix(b"W/\"").and_then(|rest| rest.strip_suffix(b"\""));
    inside.is_some_and(|inside| !inside.contains(&b'"'))
}

/// Whether a line of directives has `no-transform` (RFC 9111, 5.2.1.6 and 5.2.2.6). A quotation
/// hides it from nobody.
fn forbids_transforming(line: &[u8]) -> bool {
    line.split(|byte| *byte == b',').any(|member| {
        let name = member.split(|byte| *byte == b'=').next().unwrap_or_default().trim_ascii();
        let name = name.strip_prefix(b"\"").unwrap_or(name);
        let name = name.strip_suffix(b"\"").unwrap_or(name);
        name.eq_ignore_ascii_case(b"no-transform")
    })
}

/// What a request gets of an answer that stands in both forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The plain one, whatever `Accept-Encoding` says.
    Plain,
    /// The plain one because a part of it is wanted; without `Range` it would be the coded one.
    Part,
    /// The coded one.
    Coded,
}

/// The form that a request with these fields gets. Read on every hit that has both: it allocates
/// nothing.
pub fn form(request: &HeaderMap) -> Form {
    let forbidden = || {
        let mut lines = request.get_all(header::CACHE_CONTROL).into_iter();
        lines.any(|line| forbids_transforming(line.as_bytes()))
    };
    if !accepts(request) || forbidden() {
        Form::Plain
    } else if request.contains_key(header::RANGE) {
        Form::Part
    } else {
        Form::Coded
    }
}

/// Whether the coding is named, and wanted no less than the plain form where that is named too (RFC
/// 9110, 12.5.3). Of two words on one coding the worse counts for this one and the better for the
/// plain one; a list that cannot be read asks for nothing.
fn accepts(request: &HeaderMap) -> bool {
    let (mut coded, mut plain) = (None::<u16>, None::<u16>);
    for member in fields::members(request, &header::ACCEPT_ENCODING) {
        let Some((coding, weight)) = preference(member) else { return false };
        if coding.eq_ignore_ascii_case(CODING.as_bytes()) {
            coded = Some(coded.map_or(weight, |known| known.min(weight)));
        } else if coding.eq_ignore_ascii_case(b"identity") {
            plain = Some(plain.map_or(weight, |known| known.max(weight)));
        }
    }
    coded.is_some_and(|coded| coded > 0 && plain.is_none_or(|plain| coded >= plain))
}

/// A coding and its weight in thousandths; nothing for what the grammar does not know.
fn preference(member: &[u8]) -> Option<(&[u8], u16)> {
    let Some(at) = member.iter().position(|byte| *byte == b';') else {
        return is_token(member).then_some((member, WEIGHT_MAX));
    };
    let (coding, weight) = (member.get(..at)?.trim_ascii(), member.get(at + 1..)?.trim_ascii());
    let digits = weight.strip_prefix(b"q=").or_else(|| weight.strip_prefix(b"Q="))?;
    if is_token(coding) { Some((coding, thousandths(digits)?)) } else { None }
}

/// A weight: 0 to 1 with three digits behind the point at most (RFC 9110, 12.4.2).
fn thousandths(digits: &[u8]) -> Option<u16> {
    let (whole, behind) = match digits {
        [whole] => (whole, &b""[..]),
        [whole, b'.', behind @ ..] if behind.len() <= 3 => (whole, behind),
        _ => return None,
    };
    let mut sum = match whole {
        b'0' => 0,
        b'1' => WEIGHT_MAX,
        _ => return None,
    };
    for (digit, worth) in behind.iter().zip([100, 10, 1]) {
        sum += digit.is_ascii_digit().then(|| u16::from(digit - b'0') * worth)?;
    }
    (sum <= WEIGHT_MAX).then_some(sum)
}

/// RFC 9110, 5.6.2.
fn is_token(text: &[u8]) -> bool {
    let in_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !text.is_empty() && text.iter().all(in_token)
}

/// Whether this value of `Vary` says already that answers differ by `Accept-Encoding`.
pub fn tells_coding(vary: &[u8]) -> bool {
    let mut members = vary.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    members.any(|name| name == b"*" || name.eq_ignore_ascii_case(VARIES_BY.as_bytes()))
}

/// Says in `Vary` that the answer would be another one for another `Accept-Encoding` (RFC 9110,
/// 12.5.5). What any client may get, because it is plain for one that did not ask for more, need
/// not say so.
pub fn vary(fields: &mut HeaderMap) {
    if !fields.get_all(header::VARY).iter().any(|line| tells_coding(line.as_bytes())) {
        fields.append(header::VARY, HeaderValue::from_static(VARIES_BY));
    }
}

/// Whether a field of the stored head is untrue of the coded form, beside its length: parts are cut
/// from the plain one.
pub fn is_of_plain(name: &HeaderName) -> bool {
    *name == header::ACCEPT_RANGES
}

/// Makes the fields of an answer, which [`vary`] has seen, those of its coded form; its length is
/// for whoever has the body.
pub fn mark(fields: &mut HeaderMap) {
    fields.remove(header::ACCEPT_RANGES);
    fields.insert(header::CONTENT_ENCODING, HeaderValue::from_static(CODING));
}

/// Whether a part must not be cut from an answer that others get coded. `If-Range` asks whether the
/// part that the client has is of these bytes. Such an answer has no strong tag to tell, and its
/// `Last-Modified` is that of both forms, which makes it a weak validator (RFC 9110, 8.8.1), and a
/// weak one is not met (13.1.5): the client may hold the beginning of the coded form.
pub fn spoils_parts(request: &HeaderMap, method: &Method) -> bool {
    *method == Method::GET && request.contains_key(header::IF_RANGE)
}
