//! Entries for tests of this floor and the ones above.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::{Body, Entry, Head, Labels, Place};
use crate::base::clock::Timestamp;
use crate::base::ids::Tick;
use crate::base::units::Span;
use crate::policy::stamp::{Stamp, StampFlags};
use crate::policy::vary::Selecting;

/// When samples are stored.
pub(crate) const STORED_AT: Timestamp = Timestamp::from_secs(1_000);

pub(crate) fn fields(lines: &[(&str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in lines {
        let name: HeaderName = name.parse().unwrap();
        map.append(name, HeaderValue::from_str(value).unwrap());
    }
    map
}

/// Stored at `at`, dated so, and useful for `secs`.
pub(crate) fn stamp(at: Timestamp, secs: u64) -> Stamp {
    let end = at.plus(Span::from_secs(secs));
    Stamp {
        stored_at: at,
        age_at_store: Span::ZERO,
        date: at,
        fresh_until: end,
        revalidate_until: end,
        error_until: end,
        born: Tick(0),
        flags: StampFlags::default(),
    }
}

pub(crate) fn place(kind: &str, rule: &str) -> Arc<Place> {
    let rule = (!rule.is_empty()).then(|| Arc::from(rule));
    Arc::new(Place { rule, kind: kind.into() })
}

pub(crate) fn entry_of(head: Head, body: Body) -> Entry {
    Entry::new(
        head,
        body,
        stamp(STORED_AT, 3_600),
        Selecting::of(&[], &HeaderMap::new()),
        Labels::default(),
    )
}

/// A small entry whose body is `text`, with tags, of the nameless kind and no rule.
pub(crate) fn entry(text: &str, tags: &[&str]) -> Arc<Entry> {
    placed(text, tags, place("", ""))
}

pub(crate) fn placed(text: &str, tags: &[&str], place: Arc<Place>) -> Arc<Entry> {
    let tags = tags.iter().map(|tag| Arc::from(*tag)).collect();
    full(text, Labels { place, tags, target: None }, &[], stamp(STORED_AT, 3_600))
}

/// An entry whose variant is selected by `x-v` when `vary` names a value.
pub(crate) fn full(text: &str, labels: Labels, vary: &[&str], stamp: Stamp) -> Arc<Entry> {
    let head = Head::new(StatusCode::OK, &fields(&[("content-type", "text/plain")]));
    let body = Body::from_chunks(vec![Bytes::copy_from_slice(text.as_bytes())]);
    let name = HeaderName::from_static("x-v");
    let names = if vary.is_empty() { vec![] } else { vec![name] };
    let asked: Vec<_> = vary.iter().map(|value| ("x-v", *value)).collect();
    Arc::new(Entry::new(head, body, stamp, Selecting::of(&names, &fields(&asked)), labels))
}

pub(crate) fn text_of(entry: &Entry) -> String {
    String::from_utf8(entry.body.to_bytes().to_vec()).unwrap()
}
