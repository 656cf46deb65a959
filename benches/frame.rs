//! Entries on their way to the shared level and back: frames written and read, plain, packed and
//! sealed. The first case of each table is a plain frame written. Run: `cargo bench --bench frame`.

#![expect(clippy::unwrap_used, reason = "a bench that cannot go on ends")]

mod measure;

use std::fmt::Write as _;

use bytes::Bytes;
use cistern::base::clock::Timestamp;
use cistern::base::ids::{Number, Tick};
use cistern::base::units::Span;
use cistern::entry::frame::{Skew, Treatment, decode, encode, outline};
use cistern::entry::pack::Packing;
use cistern::entry::seal::KeyRing;
use cistern::entry::{Body, Entry, Head, Key, Labels, Shapes};
use cistern::policy::Selecting;
use cistern::policy::stamp::{Stamp, StampFlags};
use http::{HeaderMap, StatusCode};
use measure::{case, table};

const RING: &str = "1:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

fn main() {
    measured("a frame of 1 KiB of JSON", 1_024);
    measured("a frame of 64 KiB of JSON", 64 * 1_024);
}

fn measured(title: &str, len: usize) {
    let (key, ring, shapes) =
        (Key::new("item:7", "", ""), KeyRing::parse(RING).unwrap(), Shapes::default());
    let entry = entry(&key, json(len));
    let (skew, number) = (Skew::from_millis(25), Number::new(1, 7));
    let packing = Some(Packing::default());
    let ways = [
        Treatment::default(),
        Treatment { packing, seal: None },
        Treatment { packing: None, seal: Some(&ring) },
        Treatment { packing, seal: Some(&ring) },
    ];
    let write = |how: &Treatment<'_>| encode(&key, &entry, number, skew, how).unwrap().bytes;
    let read = |frame| decode(&key, frame, skew, Some(&ring), Tick(1), &shapes).unwrap();
    let frames = ways.map(|how| write(&how));
    let [plain, packed, sealed, both] = &ways;
    let lengths = frames.each_ref().map(Bytes::len);
    table(
        title,
        vec![
            case("write, plain", || write(plain)),
            case("write, packed", || write(packed)),
            case("write, sealed", || write(sealed)),
            case("write, packed and sealed", || write(both)),
            case("read, plain", || read(&frames[0])),
            case("read, packed", || read(&frames[1])),
            case("read, sealed", || read(&frames[2])),
            case("read, packed and sealed", || read(&frames[3])),
            case("outline", || outline(&frames[0]).map(|outline| outline.tags.len())),
        ],
    );
    println!("  bytes of the frames, in this order: {lengths:?}");
}

fn entry(key: &Key, body: String) -> Entry {
    let at = Timestamp::from_secs(1_767_607_200);
    let end = at.plus(Span::from_secs(300));
    let stamp = Stamp {
        stored_at: at,
        age_at_store: Span::ZERO,
        date: at,
        fresh_until: end,
        revalidate_until: end,
        error_until: end,
        born: Tick(1),
        flags: StampFlags::HAS_VALIDATOR,
    };
    let head = map(&[
        ("server", "origin"),
        ("date", "Mon, 05 Jan 2026 10:00:00 GMT"),
        ("content-type", "application/json; charset=utf-8"),
        ("last-modified", "Mon, 05 Jan 2026 09:00:00 GMT"),
        ("etag", "\"0123456789abcdef\""),
        ("vary", "Accept-Language"),
        ("cache-control", "public, max-age=300"),
        ("x-request-id", "7b3e1a52-90cd-4f1e-8a67-2f54c1d0e9ab"),
    ]);
    let request = map(&[("accept-language", "es-CL, es;q=0.9")]);
    let tags = ["item:7".into(), "customer:11222333-4".into()];
    Entry::new(
        Head::new(StatusCode::OK, &head),
        Body::from_chunks(vec![body.into()]),
        stamp,
        Selecting::of(&["accept-language".parse().unwrap()], &request),
        Labels::new(std::sync::Arc::default(), &tags, "http://shop.example/items/7", key),
    )
}

/// Items with ids and prices that look like any, cut to a length.
fn json(len: usize) -> String {
    let mut text = String::with_capacity(len + 200);
    let mut seed = 88_172_645_463_325_252_u64;
    while text.len() < len {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        let (id, price, stock) = (seed % 1_000_000, seed >> 20 & 0xffff, seed >> 40 & 0xff);
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "{{\"id\":{id},\"sku\":\"{:08x}\",\"price\":{price},\"currency\":\"CLP\",\
             \"stock\":{stock},\"updated_at\":\"2026-01-05T10:{:02}:{:02}Z\"}},",
            seed as u32,
            seed % 60,
            seed >> 8 & 31,
        );
    }
    text.truncate(len);
    text
}

fn map(lines: &[(&str, &str)]) -> HeaderMap {
    lines.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
}
