//! Frames written and read: what they share. `round_trips` with every kind of entry, `golden` with
//! files that every later program must read, `damage` with what was changed, forged or swapped.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, StatusCode};
use serde_json::{Value, json};

use super::*;
use crate::base::clock::Timestamp;
use crate::base::units::Span;
use crate::entry::samples::{fields, place};
use crate::entry::{Head, Labels};
use crate::policy::stamp::{Stamp, StampFlags};
use crate::policy::vary::{Said, Selecting};

mod damage;
mod golden;
mod round_trips;

const RING: &str = "1:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const NEWER_KEY: &str = "2:f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff000102030405060708090a0b0c0d0e0f";
const NO_SKEW: Skew = Skew::from_millis(0);
const NUMBER: Number = Number(0x3_0000_002a);

fn ring(text: &str) -> KeyRing {
    KeyRing::parse(text).unwrap()
}

fn key() -> Key {
    Key::new("item:7", "https://shop.example", "")
}

/// An entry with something in every part.
fn full(body: &str) -> Entry {
    let head = fields(&[
        ("content-type", "application/json"),
        ("etag", "\"abc\""),
        ("link", "</a>; rel=next"),
        ("link", "</b>; rel=prev"),
        ("x-empty", ""),
        ("x-latin", "caf\u{e9}"),
    ]);
    let stored_at = Timestamp::from_millis(1_795_176_000_123);
    let fresh_until = stored_at.plus(Span::from_secs(300));
    let stamp = Stamp {
        stored_at,
        age_at_store: Span::from_millis(7_001),
        date: Timestamp::from_secs(1_795_175_993),
        fresh_until,
        revalidate_until: fresh_until.plus(Span::from_secs(60)),
        error_until: Timestamp::NEVER,
        born: Tick(9),
        flags: StampFlags::HAS_VALIDATOR.with(StampFlags::BY_RULE, true),
    };
    let long = "x".repeat(200);
    let request = fields(&[("accept-language", "es-CL, es;q=0.9"), ("x-client", &long)]);
    let names = ["accept-language", "x-client", "x-other"].map(HeaderName::from_static);
    let tags: Vec<Arc<str>> = vec!["rut:7".into(), "año 2026".into()];
    let labels = Labels::new(place("item", "items"), &tags, "https://shop.example/a/7", &key());
    Entry::new(
        Head::new(StatusCode::OK, &head),
        Body::from_chunks(vec![Bytes::copy_from_slice(body.as_bytes())]),
        stamp,
        Selecting::of(&names, &request),
        labels,
    )
}

/// An entry with nothing that can be left out.
fn bare() -> Entry {
    Entry::new(
        Head::new(StatusCode::NOT_FOUND, &HeaderMap::new()),
        Body::empty(),
        crate::entry::samples::stamp(Timestamp::from_secs(1_000), 0),
        Selecting::default(),
        Labels::default(),
    )
}

/// JSON of that many items; it packs well.
fn json_of(items: usize) -> String {
    let items: Vec<_> = (0..items).map(|id| json!({ "id": id, "name": "item" })).collect();
    Value::from(items).to_string()
}

fn plain(entry: &Entry) -> Bytes {
    encode(&key(), entry, NUMBER, NO_SKEW, &Treatment::default()).unwrap().bytes
}

fn sealed(entry: &Entry, ring: &KeyRing) -> Bytes {
    let how = Treatment { packing: Some(Packing::default()), seal: Some(ring) };
    encode(&key(), entry, NUMBER, NO_SKEW, &how).unwrap().bytes
}

fn open_with(frame: &Bytes, ring: Option<&KeyRing>) -> Result<Opened, FrameError> {
    decode(&key(), frame, NO_SKEW, ring, Tick(9), &Shapes::default())
}

fn open(frame: &Bytes) -> Result<Opened, FrameError> {
    open_with(frame, None)
}

/// All that an opened frame says, as the files beside golden frames say it.
fn describe(opened: &Opened) -> Value {
    let Opened { number, sealed, entry } = opened;
    let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
    let lines: Vec<_> =
        entry.head.lines().map(|(name, value)| json!([name.as_str(), text(value)])).collect();
    let selecting = entry.selecting.parts().map(|(name, said)| match said {
        Said::Absent => json!([name.as_str()]),
        Said::Text(said) => json!([name.as_str(), text(said)]),
        Said::Digest(digest) => {
            json!([name.as_str(), { "blake3": blake3::Hash::from(*digest).to_hex().as_str() }])
        }
    });
    let body = entry.body.to_bytes();
    let stamp = entry.stamp;
    let moment = |at: Timestamp| (at != Timestamp::NEVER).then(|| at.as_millis());
    json!({
        "number": format!("{:016x}", number.0),
        "sealed": sealed,
        "status": entry.head.status().as_u16(),
        "fields": lines,
        "body": { "length": body.len(), "blake3": blake3::hash(&body).to_hex().as_str() },
        "stored_at": moment(stamp.stored_at),
        "age_at_store": stamp.age_at_store.as_millis(),
        "date": moment(stamp.date),
        "fresh_until": moment(stamp.fresh_until),
        "revalidate_until": moment(stamp.revalidate_until),
        "error_until": moment(stamp.error_until),
        "flags": stamp.flags.bits(),
        "selecting": selecting.collect::<Vec<_>>(),
        "type": &*entry.labels.place.kind,
        "rule": entry.labels.place.rule.as_deref(),
        "target": entry.labels.target.as_deref(),
        "tags": entry.labels.tags.iter().map(|tag| &**tag).collect::<Vec<_>>(),
    })
}
