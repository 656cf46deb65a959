//! Which bytes of a stored answer a request wants (RFC 9110, 14). Only whole, stored 200 answers
//! to GET are cut. Whatever is malformed, excessive or conditional on another version gets the
//! whole: a range is a wish, never a duty.

use std::ops::Range;

use http::header::{self, HeaderMap};
use http::{Method, StatusCode};
use smallvec::SmallVec;

use super::date;
use super::validate::Tag;
use crate::base::clock::Timestamp;
use crate::base::limits::RANGES_MAX;
use crate::base::units::Span;

#[cfg(test)]
mod tests;

/// How long a `Last-Modified` must lie before `Date` to tell versions apart (RFC 9110, 8.8.2.2):
/// two changes within a minute, or clocks that far apart, are not to be excluded.
const STRONG_DATE_GAP: Span = Span::from_secs(60);

/// What to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ranges {
    /// 200: everything.
    Whole,
    /// 206 with one part.
    One(Range<u64>),
    /// 206 with several, as `multipart/byteranges`, in the order they were asked for.
    Many(SmallVec<[Range<u64>; 4]>),
    /// 416: nothing of what was asked for exists.
    Unsatisfiable,
}

/// Reads `Range` and `If-Range` of a request for a stored answer with a body of `len` bytes.
pub fn ranges(
    request: &HeaderMap,
    method: &Method,
    status: StatusCode,
    stored: &HeaderMap,
    date: Timestamp,
    len: u64,
) -> Ranges {
    if method != Method::GET || status != StatusCode::OK {
        return Ranges::Whole;
    }
    let mut lines = request.get_all(header::RANGE).into_iter();
    let Some(line) = lines.next().filter(|_| lines.next().is_none()) else { return Ranges::Whole };
    let Some(asked) = parse(line.as_bytes()) else { return Ranges::Whole };
    if !is_same_version(request, stored, date) {
        return Ranges::Whole;
    }
    let wanted: SmallVec<[Range<u64>; 4]> =
        asked.iter().filter_map(|spec| spec.within(len)).collect();
    match wanted.as_slice() {
        [] if len == 0 => Ranges::Whole,
        [] => Ranges::Unsatisfiable,
        [one] => Ranges::One(one.clone()),
        many if is_excessive(many, len) => Ranges::Whole,
        _ => Ranges::Many(wanted),
    }
}

/// `If-Range` compares strongly, or a date exactly; one that cannot do either is not met
/// (RFC 9110, 13.1.5).
fn is_same_version(request: &HeaderMap, stored: &HeaderMap, date: Timestamp) -> bool {
    let mut lines = request.get_all(header::IF_RANGE).into_iter();
    let Some(line) = lines.next() else { return true };
    if lines.next().is_some() {
        return false;
    }
    let value = line.as_bytes().trim_ascii();
    if let Some(asked) = date::parse(value, date) {
        let modified = date::field(stored, &header::LAST_MODIFIED, date);
        return modified == Some(asked) && date.since(asked) >= STRONG_DATE_GAP;
    }
    Tag::stored(stored).is_some_and(|ours| ours.equals_strongly(Tag::of(value)))
}

/// One member of a range set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spec {
    /// `first-last`, `last` included.
    Closed(u64, u64),
    /// `first-`
    From(u64),
    /// `-count`: the last bytes.
    Last(u64),
}

impl Spec {
    /// The bytes that exist, if any do.
    fn within(self, len: u64) -> Option<Range<u64>> {
        let range = match self {
            Self::Closed(first, last) => first..last.saturating_add(1).min(len),
            Self::From(first) => first..len,
            Self::Last(count) => len.saturating_sub(count)..len,
        };
        (!range.is_empty()).then_some(range)
    }

    fn parse(text: &[u8]) -> Option<Self> {
        let dash = text.iter().position(|byte| *byte == b'-')?;
        let (first, last) = (text.get(..dash)?, text.get(dash + 1..)?);
        match (first.is_empty(), last.is_empty()) {
            (true, false) => Some(Self::Last(number(last)?)),
            (false, true) => Some(Self::From(number(first)?)),
            (false, false) => {
                let (first, last) = (number(first)?, number(last)?);
                (first <= last).then_some(Self::Closed(first, last))
            }
            (true, true) => None,
        }
    }
}

/// The range set of `bytes=…`; nothing for another unit, for bad syntax, or for more members than
/// are honoured.
fn parse(value: &[u8]) -> Option<SmallVec<[Spec; 4]>> {
    let equals = value.iter().position(|byte| *byte == b'=')?;
    let (unit, set) = (value.get(..equals)?, value.get(equals + 1..)?);
    if !unit.eq_ignore_ascii_case(b"bytes") {
        return None;
    }
    let mut asked = SmallVec::new();
    for member in set.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
        if member.is_empty() {
            continue;
        }
        if asked.len() == RANGES_MAX {
            return None;
        }
        asked.push(Spec::parse(member)?);
    }
    (!asked.is_empty()).then_some(asked)
}

/// A number that no body reaches stands for all larger ones.
fn number(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0_u64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        Some(number.saturating_mul(10).saturating_add(digit))
    })
}

/// Parts that overlap, or that together are no less than the whole, cost more than it (RFC 9110,
/// 14.2 and 17.15).
fn is_excessive(ranges: &[Range<u64>], len: u64) -> bool {
    let mut sorted: SmallVec<[&Range<u64>; 4]> = ranges.iter().collect();
    sorted.sort_unstable_by_key(|range| range.start);
    let overlap = sorted.windows(2).any(|pair| match pair {
        [one, next] => one.end > next.start,
        _ => false,
    });
    let total: u64 = ranges.iter().map(|range| range.end - range.start).sum();
    overlap || total >= len
}
