//! Validation: what to ask the origin, what its 304 speaks of and changes (RFC 9111, 4.3), and
//! which condition of a client the stored answer meets (RFC 9110, 13). A condition of the client is
//! never sent on in place of ours: the origin's answer would be about the client's copy.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};

use super::date;
use super::manner::Manner;
use crate::base::clock::Timestamp;
use crate::base::fields;
use crate::base::names;

#[cfg(test)]
mod tests;

/// An entity tag as it stands in a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tag<'a> {
    opaque: &'a [u8],
    weak: bool,
}

impl<'a> Tag<'a> {
    /// Reads one tag. One without quotes is taken as it stands and counts as weak: its origin means
    /// something by it, but nobody can say what.
    pub(crate) fn of(value: &'a [u8]) -> Self {
        let value = value.trim_ascii();
        let (opaque, weak) = value.strip_prefix(b"W/").map_or((value, false), |rest| (rest, true));
        Self { opaque, weak: weak || !is_quoted(opaque) }
    }

    pub(crate) fn stored(fields: &'a HeaderMap) -> Option<Self> {
        fields.get(header::ETAG).map(|tag| Self::of(tag.as_bytes()))
    }

    /// RFC 9110, 8.8.3.2.
    pub(crate) fn equals_strongly(self, other: Self) -> bool {
        !self.weak && !other.weak && self.opaque == other.opaque
    }

    /// RFC 9110, 8.8.3.2.
    pub(crate) fn equals_weakly(self, other: Self) -> bool {
        self.opaque == other.opaque
    }
}

fn is_quoted(opaque: &[u8]) -> bool {
    let inside = opaque.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
    inside.is_some_and(|inside| !inside.contains(&b'"'))
}

/// The conditions that ask the origin whether this stored answer still holds: `If-None-Match` and
/// `If-Modified-Since`, as far as the answer has the validators (RFC 9111, 4.3.1).
pub fn conditions(stored: &HeaderMap) -> Vec<(HeaderName, HeaderValue)> {
    let tag = sendable_tag(stored).map(|tag| (header::IF_NONE_MATCH, tag.clone()));
    let modified = stored.get(header::LAST_MODIFIED).filter(|_| has_date(stored));
    let modified = modified.map(|date| (header::IF_MODIFIED_SINCE, date.clone()));
    tag.into_iter().chain(modified).collect()
}

/// The condition on which an answer may be renewed that a soft order made stale: a strong tag,
/// which no two representations share. A weak one or a time says too little of an answer of which
/// somebody knows that it is outdated.
pub fn strong_condition(stored: &HeaderMap) -> Vec<(HeaderName, HeaderValue)> {
    let tag = sendable_tag(stored).filter(|tag| !Tag::of(tag.as_bytes()).weak);
    tag.map(|tag| (header::IF_NONE_MATCH, tag.clone())).into_iter().collect()
}

/// Whether the origin has said, by a strong tag, that it still has the stored answer. `told`: only
/// a tag of its own counts, not that it names none.
pub fn is_proven(stored: &HeaderMap, answer: &HeaderMap, told: bool) -> bool {
    let Some(ours) = Tag::stored(stored).filter(|ours| !ours.weak) else { return false };
    Tag::stored(answer).map_or(!told, |theirs| theirs.equals_strongly(ours))
}

/// `If-None-Match` with the tags of several variants, so that the origin can say which of them
/// answers the request (RFC 9111, 4.3.1). Nothing when none has one.
pub fn tags_of<'a>(variants: impl Iterator<Item = &'a HeaderMap>) -> Option<HeaderValue> {
    let mut tags: Vec<&[u8]> = Vec::new();
    for tag in variants.filter_map(sendable_tag) {
        if !tags.contains(&tag.as_bytes()) {
            tags.push(tag.as_bytes());
        }
    }
    if tags.is_empty() { None } else { HeaderValue::from_bytes(&tags.join(&b", "[..])).ok() }
}

/// Whether an answer can be validated.
pub fn has_validator(fields: &HeaderMap) -> bool {
    sendable_tag(fields).is_some() || has_date(fields)
}

/// A tag that can stand in a list without being taken for two, or for `*`.
fn sendable_tag(stored: &HeaderMap) -> Option<&HeaderValue> {
    let tag = stored.get(header::ETAG)?;
    let bare = tag.as_bytes();
    let is_plain =
        !bare.is_empty() && bare != b"*" && !bare.iter().any(|byte| b"\", \t".contains(byte));
    (is_quoted(Tag::of(bare).opaque) || is_plain).then_some(tag)
}

fn has_date(stored: &HeaderMap) -> bool {
    date::field(stored, &header::LAST_MODIFIED, Timestamp::default()).is_some()
}

/// Takes a client's own conditions and ranges off a request that will validate or fill. `If-Match`
/// and `If-Unmodified-Since` are for the origin and stay.
pub fn strip_conditions(request: &mut HeaderMap) {
    let names = [header::IF_NONE_MATCH, header::IF_MODIFIED_SINCE, header::IF_RANGE, header::RANGE];
    for name in names {
        request.remove(name);
    }
}

/// Whether a request carries a precondition that only the origin can judge.
pub fn has_preconditions(request: &HeaderMap) -> bool {
    request.contains_key(header::IF_MATCH) || request.contains_key(header::IF_UNMODIFIED_SINCE)
}

/// Whether a 304 may answer a request (RFC 9110, 13.1.2 and 13.1.3).
pub fn asks_if_changed(request: &HeaderMap) -> bool {
    request.contains_key(header::IF_NONE_MATCH) || request.contains_key(header::IF_MODIFIED_SINCE)
}

/// What a 304 to our condition speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// The stored answer: merge, and use it again.
    Renewed,
    /// Something else: fetch again without a condition.
    Other,
}

/// Compares the validators of a 304 with the stored ones (RFC 9111, 4.3.4). A 304 without any is
/// about what we asked.
pub fn renewal(stored: &HeaderMap, answer: &HeaderMap) -> Renewal {
    let same = match (Tag::stored(answer), Tag::stored(stored)) {
        (Some(theirs), Some(ours)) if theirs.weak => theirs.equals_weakly(ours),
        (Some(theirs), Some(ours)) => theirs.equals_strongly(ours),
        (Some(_), None) => false,
        (None, _) => {
            let name = header::LAST_MODIFIED;
            match (answer.get(&name), stored.get(&name)) {
                (Some(theirs), Some(ours)) => is_same_moment(theirs, ours),
                _ => true,
            }
        }
    };
    if same { Renewal::Renewed } else { Renewal::Other }
}

fn is_same_moment(one: &HeaderValue, other: &HeaderValue) -> bool {
    let read = |value: &HeaderValue| date::parse(value.as_bytes(), Timestamp::default());
    one == other || (read(one).is_some() && read(one) == read(other))
}

/// Fields that describe the stored bytes, or this hop: a 304 does not change them.
const KEPT_IN_RENEWAL: [HeaderName; 10] = [
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::CONTENT_RANGE,
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("digest"),
    header::TRAILER,
    header::ETAG,
    names::CACHE_STATUS,
];

/// The stored fields as a 304, or the answer to a HEAD, renews them: it adds fields as well as
/// replacing them, all lines of each (RFC 9111, 3.2). Judge the result anew with `storable`, with
/// the times of this exchange. `Set-Cookie` of a renewal is its own client's alone where the manner
/// keeps no cookies.
pub fn merge(stored: &HeaderMap, answer: &HeaderMap, manner: &Manner) -> HeaderMap {
    let mut news = answer.clone();
    fields::strip_hop_by_hop(&mut news);
    for name in &KEPT_IN_RENEWAL {
        // A validator that was missing so far is news.
        if *name != header::ETAG || stored.contains_key(name) {
            news.remove(name);
        }
    }
    if !manner.store_set_cookie {
        news.remove(header::SET_COOKIE);
    }
    // The age restarts with this exchange: an old `Date` would make it look as old as the first.
    let outlives = |name: &HeaderName| *name != header::DATE && *name != header::AGE;
    let mut merged = HeaderMap::with_capacity(stored.keys_len() + news.keys_len());
    for name in stored.keys().filter(|name| outlives(name) || news.contains_key(*name)) {
        let source = if news.contains_key(name) { &news } else { stored };
        append_all(&mut merged, name, source);
    }
    for name in news.keys().filter(|name| !stored.contains_key(*name)) {
        append_all(&mut merged, name, &news);
    }
    merged
}

/// Takes over all lines of one field, in order.
pub(super) fn append_all(fields: &mut HeaderMap, name: &HeaderName, source: &HeaderMap) {
    for value in source.get_all(name) {
        fields.append(name, value.clone());
    }
}

/// How a client's condition stands to the stored answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// There is none that counts.
    Absent,
    /// The client has it already: 304.
    Unmodified,
    /// The client has something else: the whole answer.
    Modified,
}

/// Evaluates `If-None-Match`, and only without it `If-Modified-Since` (RFC 9110, 13.2.2; RFC 9111,
/// 4.3.2). `date` stands in for a missing `Last-Modified`. Conditions count only where the
/// answer without them would be a success.
pub fn condition(
    request: &HeaderMap,
    method: &Method,
    status: StatusCode,
    stored: &HeaderMap,
    date: Timestamp,
) -> Condition {
    if !(status.is_success() && matches!(*method, Method::GET | Method::HEAD)) {
        return Condition::Absent;
    }
    let is_unmodified = if request.contains_key(header::IF_NONE_MATCH) {
        let ours = Tag::stored(stored);
        fields::members(request, &header::IF_NONE_MATCH).any(|theirs| {
            theirs == b"*" || ours.is_some_and(|ours| ours.equals_weakly(Tag::of(theirs)))
        })
    } else {
        let Some(since) = date::field(request, &header::IF_MODIFIED_SINCE, date) else {
            return Condition::Absent;
        };
        let modified = date::field(stored, &header::LAST_MODIFIED, date).unwrap_or(date);
        modified.as_secs() <= since.as_secs()
    };
    if is_unmodified { Condition::Unmodified } else { Condition::Modified }
}

/// What an answer to HEAD does to a stored answer to GET.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadEffect {
    /// They speak of the same thing: merge its fields.
    Update,
    /// They do not: the stored one is stale.
    Outdated,
    /// It says nothing about it.
    Nothing,
}

/// Compares validators and length (RFC 9111, 4.3.5). `stored_len` is the length of the stored body
/// in bytes.
pub fn head_effect(
    stored: &HeaderMap,
    stored_len: u64,
    status: StatusCode,
    answer: &HeaderMap,
) -> HeadEffect {
    if status != StatusCode::OK {
        return HeadEffect::Nothing;
    }
    let same_tag = Tag::stored(answer)
        .is_none_or(|theirs| Tag::stored(stored).is_some_and(|ours| ours == theirs));
    let same_date = answer.get(header::LAST_MODIFIED).is_none_or(|theirs| {
        stored.get(header::LAST_MODIFIED).is_some_and(|ours| is_same_moment(theirs, ours))
    });
    let length = answer.get(header::CONTENT_LENGTH).map(|value| value.to_str().ok());
    let same_length = length
        .is_none_or(|length| length.and_then(|length| length.parse().ok()) == Some(stored_len));
    let coding = answer.get(header::CONTENT_ENCODING);
    let same_coding = coding.is_none() || coding == stored.get(header::CONTENT_ENCODING);
    if same_tag && same_date && same_length && same_coding {
        HeadEffect::Update
    } else {
        HeadEffect::Outdated
    }
}
