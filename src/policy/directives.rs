//! Cache directives as bytes become facts: names in any case, values quoted or not, several lines,
//! repeated members, numbers of any size. A response that is hard to read is read strictly: a
//! malformed lifetime is no lifetime, a broken quotation hides nothing that forbids. Nothing here
//! looks at statuses or times.

mod request;
mod targeted;
#[cfg(test)]
mod tests;

use http::header::{self, HeaderMap, HeaderName};
use smallvec::SmallVec;

use crate::base::fields;
use crate::base::limits::DELTA_SECONDS_MAX;
use crate::base::units::Span;

pub use request::RequestDirectives;

/// A directive that gives a number of seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Seconds {
    /// Not there.
    #[default]
    Absent,
    /// There, and not a number: nothing may be concluded but that the answer is stale.
    Malformed,
    /// There; saturated at 2^31 seconds (RFC 9111, 1.2.2).
    Given(Span),
}

impl Seconds {
    /// The span, where there is a well-formed one.
    pub const fn span(self) -> Option<Span> {
        match self {
            Self::Given(span) => Some(span),
            Self::Absent | Self::Malformed => None,
        }
    }

    /// Keeps the first occurrence (RFC 9111, 4.2.1), so that lines and commas behave the same.
    fn first(&mut self, value: Option<&[u8]>) {
        if *self == Self::Absent {
            *self = value.and_then(delta_seconds).map_or(Self::Malformed, Self::Given);
        }
    }
}

/// `no-cache` or `private`: about the whole answer, or about some fields of it (RFC 9111, 5.2.2.4
/// and 5.2.2.7).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Extent {
    /// Not there.
    #[default]
    Absent,
    /// Only these fields; the rest may be used.
    Fields(SmallVec<[HeaderName; 2]>),
    /// The whole answer.
    Whole,
}

impl Extent {
    /// The fields that the stored copy must do without.
    pub fn fields(&self) -> &[HeaderName] {
        match self {
            Self::Fields(names) => names,
            Self::Absent | Self::Whole => &[],
        }
    }

    fn add(&mut self, value: Option<&[u8]>) {
        let Some(names) = value.and_then(dispensable_fields) else {
            *self = Self::Whole;
            return;
        };
        match self {
            Self::Whole => {}
            Self::Absent => *self = Self::Fields(names),
            Self::Fields(known) => known.extend(names),
        }
    }
}

/// Fields without which the stored bytes would be described wrongly or their age be unknown. An
/// answer that puts a qualified directive on one of them is taken at its strictest.
const INDISPENSABLE: [HeaderName; 10] = [
    header::CACHE_CONTROL,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::CONTENT_RANGE,
    header::CONTENT_TYPE,
    header::DATE,
    header::ETAG,
    header::EXPIRES,
    header::LAST_MODIFIED,
    header::VARY,
];

/// The field names of a qualified directive, or nothing when it is not clear which they are.
fn dispensable_fields(value: &[u8]) -> Option<SmallVec<[HeaderName; 2]>> {
    let names: SmallVec<[HeaderName; 2]> = value
        .split(|byte| *byte == b',')
        .map(<[u8]>::trim_ascii)
        .filter(|name| !name.is_empty())
        .map(|name| HeaderName::from_bytes(name).ok().filter(|name| !INDISPENSABLE.contains(name)))
        .collect::<Option<_>>()?;
    (!names.is_empty()).then_some(names)
}

/// What a response says to this cache.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResponseDirectives {
    /// RFC 9111, 5.2.2.5.
    pub no_store: bool,
    /// RFC 9111, 5.2.2.4.
    pub no_cache: Extent,
    /// RFC 9111, 5.2.2.7.
    pub private: Extent,
    /// RFC 9111, 5.2.2.9.
    pub public: bool,
    /// RFC 9111, 5.2.2.2.
    pub must_revalidate: bool,
    /// RFC 9111, 5.2.2.8.
    pub proxy_revalidate: bool,
    /// RFC 9111, 5.2.2.3.
    pub must_understand: bool,
    /// RFC 9111, 5.2.2.10.
    pub s_maxage: Seconds,
    /// RFC 9111, 5.2.2.1.
    pub max_age: Seconds,
    /// RFC 5861, 3.
    pub stale_while_revalidate: Option<Span>,
    /// RFC 5861, 4.
    pub stale_if_error: Option<Span>,
    /// A targeted field spoke: `Cache-Control` and `Expires` count for nothing (RFC 9213, 2.2).
    pub by_targeted_field: bool,
}

impl ResponseDirectives {
    /// Reads the first of `targeted` that is a valid and non-empty dictionary, else
    /// `Cache-Control`.
    pub fn of(fields: &HeaderMap, targeted: &[HeaderName]) -> Self {
        if let Some(directives) = targeted.iter().find_map(|name| targeted::read(fields, name)) {
            return directives;
        }
        let mut directives = Self::default();
        for line in fields.get_all(header::CACHE_CONTROL) {
            for member in fields::split(line.as_bytes()) {
                directives.add(member);
            }
        }
        directives
    }

    /// Whether stale use is forbidden to everybody (RFC 9111, 4.2.4). `s-maxage` carries the
    /// meaning of `proxy-revalidate` (5.2.2.10).
    pub fn forbids_stale(&self) -> bool {
        self.must_revalidate || self.proxy_revalidate || self.s_maxage != Seconds::Absent
    }

    /// Whether a shared cache may keep the answer to a request with credentials (RFC 9111, 3.5).
    pub fn shares_credentials(&self) -> bool {
        self.public || self.must_revalidate || self.s_maxage != Seconds::Absent
    }

    fn add(&mut self, member: &[u8]) {
        match Argument::of(member) {
            (name, Argument::None) => self.set(name, None),
            (name, Argument::Text(value)) => self.set(name, Some(value)),
            (name, Argument::Escaped(value)) => self.set(name, Some(&value)),
            (_, Argument::Broken) => self.add_broken(member),
        }
    }

    /// A quotation that never ends, or that something follows. Everything that forbids is heard,
    /// wherever a comma stands; everything that permits is not.
    fn add_broken(&mut self, member: &[u8]) {
        for part in member.split(|byte| *byte == b',') {
            let name = part.split(|byte| *byte == b'=').next().unwrap_or_default();
            let name = name.trim_ascii();
            let name = name.strip_prefix(b"\"").unwrap_or(name);
            let name = name.strip_suffix(b"\"").unwrap_or(name);
            if is_any(name, &["max-age", "s-maxage"]) {
                self.set(name, Some(b""));
            } else if is_any(name, &FORBIDDING) {
                self.set(name, None);
            }
        }
    }

    fn set(&mut self, name: &[u8], value: Option<&[u8]>) {
        let is = |directive: &str| name.eq_ignore_ascii_case(directive.as_bytes());
        if is("max-age") {
            self.max_age.first(value);
        } else if is("s-maxage") {
            self.s_maxage.first(value);
        } else if is("public") {
            self.public = true;
        } else if is("private") {
            self.private.add(value);
        } else if is("no-cache") {
            self.no_cache.add(value);
        } else if is("no-store") {
            self.no_store = true;
        } else if is("must-revalidate") {
            self.must_revalidate = true;
        } else if is("proxy-revalidate") {
            self.proxy_revalidate = true;
        } else if is("must-understand") {
            self.must_understand = true;
        } else if is("stale-while-revalidate") {
            first_window(&mut self.stale_while_revalidate, value);
        } else if is("stale-if-error") {
            first_window(&mut self.stale_if_error, value);
        }
    }
}

const FORBIDDING: [&str; 5] =
    ["no-store", "no-cache", "private", "must-revalidate", "proxy-revalidate"];

fn is_any(name: &[u8], directives: &[&str]) -> bool {
    directives.iter().any(|directive| name.eq_ignore_ascii_case(directive.as_bytes()))
}

/// A window that is malformed is closed, and a later one does not open it.
fn first_window(window: &mut Option<Span>, value: Option<&[u8]>) {
    window.get_or_insert(value.and_then(delta_seconds).unwrap_or(Span::ZERO));
}

/// Digits, and nothing else; saturated (RFC 9111, 1.2.2).
pub(crate) fn delta_seconds(value: &[u8]) -> Option<Span> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let secs = value.iter().fold(0_u64, |secs, digit| {
        secs.saturating_mul(10).saturating_add(u64::from(digit - b'0')).min(DELTA_SECONDS_MAX)
    });
    Some(Span::from_secs(secs))
}

/// What follows a directive's name.
#[derive(Debug, PartialEq, Eq)]
enum Argument<'a> {
    /// Nothing.
    None,
    /// A token, or a quoted string that needs no change.
    Text(&'a [u8]),
    /// A quoted string with its escapes taken out.
    Escaped(SmallVec<[u8; 64]>),
    /// A quotation without end, or with something after it.
    Broken,
}

impl<'a> Argument<'a> {
    /// Splits one member into its name and what follows. White space beside `=` is an error: it
    /// spoils the value, but hides nothing that forbids.
    fn of(member: &'a [u8]) -> (&'a [u8], Self) {
        let Some(equals) = member.iter().position(|byte| *byte == b'=') else {
            let argument = if member.contains(&b'"') { Self::Broken } else { Self::None };
            return (member, argument);
        };
        let (name, value) = member.split_at(equals);
        let value = value.get(1..).unwrap_or_default();
        let is_odd = |byte: &u8| matches!(byte, b'"' | b' ' | b'\t');
        let argument = match value.strip_prefix(b"\"") {
            _ if name.iter().any(is_odd) => Self::Broken,
            Some(inside) => Self::quoted(inside),
            None if value.contains(&b'"') => Self::Broken,
            None => Self::Text(value),
        };
        (name.trim_ascii_end(), argument)
    }

    fn quoted(inside: &'a [u8]) -> Self {
        let Some(stop) = inside.iter().position(|byte| matches!(byte, b'"' | b'\\')) else {
            return Self::Broken;
        };
        let (plain, rest) = inside.split_at(stop);
        if rest == b"\"" {
            return Self::Text(plain);
        }
        let mut text = SmallVec::from_slice(plain);
        let mut rest = rest.iter();
        while let Some(byte) = rest.next() {
            match byte {
                b'"' if rest.as_slice().is_empty() => return Self::Escaped(text),
                b'"' => return Self::Broken,
                b'\\' => match rest.next() {
                    Some(escaped) => text.push(*escaped),
                    None => return Self::Broken,
                },
                _ => text.push(*byte),
            }
        }
        Self::Broken
    }
}
