//! Answers of an API as one might cache them.

use std::fmt::Write as _;

use cistern::base::clock::Timestamp;
use cistern::base::ids::Tick;
use cistern::base::units::Span;
use cistern::entry::{Body, Entry, Head, Key, Labels};
use cistern::policy::Selecting;
use cistern::policy::stamp::{Stamp, StampFlags};
use http::{HeaderMap, StatusCode};

/// How long they are kept, in seconds: longer than a bench runs.
pub(crate) const KEPT_SECS: u64 = 86_400;

/// The key of the n-th answer.
pub(crate) fn key(n: u64) -> Key {
    let half = if n.is_multiple_of(2) { "list" } else { "detail" };
    Key::new(&format!("item:{n}:{half}"), "", "*")
}

/// An answer with a usual head and this body. A variant by language, if wanted.
pub(crate) fn entry(key: &Key, body: String, now: Timestamp, varies: bool) -> Entry {
    let end = now.plus(Span::from_secs(KEPT_SECS));
    let stamp = Stamp {
        stored_at: now,
        age_at_store: Span::ZERO,
        date: now,
        fresh_until: end,
        revalidate_until: end,
        error_until: end,
        born: Tick(1),
        flags: StampFlags::HAS_VALIDATOR,
    };
    let lines = [
        ("date", "Mon, 05 Jan 2026 10:00:00 GMT"),
        ("content-type", "application/json; charset=utf-8"),
        ("etag", "\"0123456789abcdef\""),
        ("cache-control", "public, max-age=86400"),
        ("x-request-id", "7b3e1a52-90cd-4f1e-8a67-2f54c1d0e9ab"),
    ];
    let mut head = HeaderMap::new();
    for (name, value) in lines {
        head.insert(name, value.parse().unwrap());
    }
    let mut selecting = Selecting::default();
    if varies {
        head.insert("vary", "Accept-Language".parse().unwrap());
        selecting = Selecting::of(&["accept-language".parse().unwrap()], &HeaderMap::new());
    }
    let labels = Labels::new(std::sync::Arc::default(), &[], key.text(), key);
    let body = Body::from_chunks(vec![body.into()]);
    Entry::new(Head::new(StatusCode::OK, &head), body, stamp, selecting, labels)
}

/// Items with ids, names, prices and times, cut to a length; no two of different `n` are the same.
pub(crate) fn json(n: u64, len: usize) -> String {
    const NAMES: [&str; 6] = ["tea cup", "oak table", "lamp", "wool blanket", "kettle", "mirror"];
    let mut text = String::with_capacity(len + 250);
    let mut seed = n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    while text.len() < len {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        let name = NAMES[(seed >> 32) as usize % NAMES.len()];
        let (id, price, stock) = (seed % 1_000_000, seed >> 20 & 0xffff, seed >> 40 & 0xff);
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "{{\"id\":{id},\"sku\":\"{:08x}\",\"name\":\"{name}\",\"price\":{price},\
             \"currency\":\"CLP\",\"stock\":{stock},\"updated_at\":\"2026-01-05T10:{:02}:{:02}Z\"}},",
            seed as u32,
            seed % 60,
            seed >> 8 & 31,
        );
    }
    text.truncate(len);
    text
}
