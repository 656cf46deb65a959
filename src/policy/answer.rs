//! Heads of answers that are made from stored ones: whole, not modified, partial, unsatisfiable.
//! Stored fields go out as they are, in order and with every line; what is added says where the
//! answer comes from. Nothing here is ever stored.

mod cache_status;
mod multipart;
mod number;
#[cfg(test)]
mod tests;

use std::ops::Range;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use crate::base::limits::DELTA_SECONDS_MAX;
use crate::base::names;
use crate::base::units::Span;

pub use cache_status::{CacheStatus, Fwd};
pub use multipart::Multipart;
pub use number::{Digits, number};

/// The value of `Age`, in whole seconds (RFC 9111, 5.1).
pub fn age_value(age: Span) -> HeaderValue {
    number(age.as_secs().min(DELTA_SECONDS_MAX))
}

/// What a 304 carries of the stored fields (RFC 9110, 15.4.5): those that guide the update of the
/// client's copy, and those by which a browser decides whether a script may see it.
const IN_NOT_MODIFIED: [HeaderName; 7] = [
    header::CACHE_CONTROL,
    header::CONTENT_LOCATION,
    header::DATE,
    header::ETAG,
    header::EXPIRES,
    header::VARY,
    names::CDN_CACHE_CONTROL,
];

/// The head of a 304. `Last-Modified` goes along where no tag does.
pub fn not_modified(stored: &HeaderMap) -> HeaderMap {
    let has_tag = stored.contains_key(header::ETAG);
    select(stored, |name| {
        IN_NOT_MODIFIED.contains(name)
            || is_cors(name)
            || (!has_tag && *name == header::LAST_MODIFIED)
    })
}

/// The head of a 206 with one part: the stored fields, with length and place of the part
/// (RFC 9110, 15.3.7.1). Digests of the whole content do not speak of a part.
pub fn partial_head(stored: &HeaderMap, range: &Range<u64>, len: u64) -> HeaderMap {
    let mut fields = without_whole(stored);
    fields.insert(header::CONTENT_RANGE, content_range(range, len));
    fields.insert(header::CONTENT_LENGTH, HeaderValue::from(range.end - range.start));
    fields
}

/// The head of a 416 (RFC 9110, 15.5.17): the length there is, and who may see this answer.
pub fn unsatisfiable(stored: &HeaderMap, len: u64) -> HeaderMap {
    let mut fields =
        select(stored, |name| *name == header::VARY || *name == header::DATE || is_cors(name));
    fields.insert(header::CONTENT_RANGE, value(&format!("bytes */{len}")));
    fields.insert(header::CONTENT_LENGTH, HeaderValue::from(0_u64));
    fields
}

/// Fields that are true of the whole content only.
const OF_WHOLE: [HeaderName; 4] = [
    header::CONTENT_LENGTH,
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("digest"),
];

fn without_whole(stored: &HeaderMap) -> HeaderMap {
    select(stored, |name| !OF_WHOLE.contains(name))
}

fn is_cors(name: &HeaderName) -> bool {
    name.as_str().starts_with("access-control-")
}

fn select(stored: &HeaderMap, takes: impl Fn(&HeaderName) -> bool) -> HeaderMap {
    let mut fields = HeaderMap::new();
    for (name, value) in stored.iter().filter(|(name, _)| takes(name)) {
        fields.append(name, value.clone());
    }
    fields
}

fn content_range(range: &Range<u64>, len: u64) -> HeaderValue {
    value(&format!("bytes {}-{}/{len}", range.start, range.end.saturating_sub(1)))
}

/// Text that this module made of digits and letters: always a value.
fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""))
}
