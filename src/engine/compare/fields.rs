//! What of a body counts: the values that the rule's `compare` points to, where both bodies are
//! JSON that rules may read, else every byte.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};

use crate::base::limits;
use crate::engine::json;
use crate::entry::Entry;
use crate::rules::{Json, Route};

/// A body against the one that is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Against {
    /// What counts is the same.
    Same,
    /// It is not: under these pointers, the first few of them; without any, somewhere in the whole.
    Differs(Vec<Box<str>>),
    /// Its bytes are coded in another way, so that they say nothing.
    Coded,
}

/// The longest body that need be read to tell.
pub(in crate::engine) fn longest(rule: Option<&Route>, entry: &Entry) -> u64 {
    let pointed = rule.filter(|rule| !rule.compare.is_whole());
    pointed.map_or(0, |rule| rule.json_max).max(entry.body.len())
}

/// Compares the body of an answer with these fields.
pub(in crate::engine) fn against(
    rule: Option<&Route>,
    fields: &HeaderMap,
    chunks: &[Bytes],
    entry: &Entry,
) -> Against {
    if let Some(rule) = rule.filter(|rule| !rule.compare.is_whole())
        && let Some(theirs) = json::read(fields, &chunks.concat(), rule.json_max)
        && let Some(ours) = stored(rule, entry)
    {
        let mut pointers = rule.compare.differing(&ours, &theirs);
        pointers.truncate(limits::DIFFERENCES_TOLD_MAX);
        return match pointers.as_slice() {
            [] => Against::Same,
            some => Against::Differs(some.iter().map(|text| (*text).into()).collect()),
        };
    }
    let coding = fields.get(header::CONTENT_ENCODING).map(HeaderValue::as_bytes);
    if coding != entry.head.get(&header::CONTENT_ENCODING) {
        return Against::Coded;
    }
    let same = digest(chunks) == digest(entry.body.segments());
    if same { Against::Same } else { Against::Differs(Vec::new()) }
}

fn stored(rule: &Route, entry: &Entry) -> Option<Json> {
    json::read(&entry.head.to_header_map(), &entry.body.to_bytes(), rule.json_max)
}

/// What stands for bytes when they are compared.
pub(super) fn digest(parts: &[Bytes]) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize()
}
