//! Whether the accounted cost is the truth: a fresh process fills a level and compares its growth
//! with what the level says.

use std::process::Command;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use super::*;
use crate::entry::{Body, Head, Labels};
use crate::policy::vary::Selecting;

const COUNT: u64 = 20_000;
const PAYLOAD: usize = 1_024;

#[test]
fn the_accounted_cost_is_what_the_process_grows_by() {
    alone("in_a_process_of_its_own");
}

#[test]
fn a_process_under_hostile_variety_stays_near_its_budget() {
    alone("ever_new_keys_and_large_bodies");
}

fn alone(name: &str) {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "--test-threads=1"])
        .arg(format!("store::l1::tests::memory::{name}"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout).into_owned();
    assert!(child.status.success(), "{said}\n{}", String::from_utf8_lossy(&child.stderr));
    assert!(said.contains("1 passed"), "{said}");
}

/// Bytes of this process in memory.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4_096
}

fn filled(level: &L1, from: u64, tags: usize) {
    let fields = samples::fields(&[
        ("content-type", "application/json; charset=utf-8"),
        ("cache-control", "public, max-age=3600"),
        ("date", "Fri, 20 Nov 2026 14:00:00 GMT"),
        ("etag", "\"5f3c9a-1a2b3c4d5e6f\""),
        ("last-modified", "Fri, 20 Nov 2026 13:00:00 GMT"),
        ("server", "uvicorn"),
        ("vary", "Accept-Encoding"),
        ("x-request-id", "7f3b6a52-9f0e-4b11-a2f7-3a0f5f1f9c11"),
    ]);
    let place = samples::place("", "stats");
    for i in from..from + COUNT {
        let at = Key::new(&format!("https://shop.example/api/v1/stats/{i}?days=30"), "", "");
        let tags: Vec<Arc<str>> = (0..tags).map(|t| format!("stats:{t}:{i}").into()).collect();
        let labels = Labels::new(Arc::clone(&place), &tags, at.text(), &at);
        let head = Head::shaped(StatusCode::OK, &fields, level.shapes());
        let body = Body::from_chunks(vec![Bytes::from(vec![b'x'; PAYLOAD])]);
        let stamp = samples::stamp(samples::STORED_AT, 3_600);
        let selecting = Selecting::of(&[], &HeaderMap::new());
        let entry = Entry::new(head, body, stamp, selecting, labels);
        assert_eq!(store(level, &at, Arc::new(entry)), Landed::Stored);
    }
    level.tend();
}

#[test]
#[ignore = "run by its sibling in a process of its own, where nothing else grows"]
fn in_a_process_of_its_own() {
    for tags in [0, 2] {
        let level = level(1_024 * MIB);
        // The first fill warms the allocator and the tables of the index.
        filled(&level, 0, tags);
        let (resident_before, said_before) = (resident(), level.stats()[0].bytes);
        filled(&level, COUNT, tags);
        let grown = resident() - resident_before;
        let said = level.stats()[0].bytes - said_before;
        let each = |bytes: u64| bytes / COUNT - PAYLOAD as u64;
        println!("{tags} tags, beyond payload: said {}, grown {}", each(said), each(grown));
        let ratio = said as f64 / grown as f64;
        assert!((0.85..1.5).contains(&ratio), "{tags} tags: said {said}, grown {grown}");
        assert_eq!(level.stats()[0].entries, 2 * COUNT);
        std::mem::forget(level);
    }
}

#[test]
#[ignore = "run by its sibling in a process of its own, where nothing else grows"]
fn ever_new_keys_and_large_bodies() {
    let level = level(32 * MIB);
    let before = resident();
    let large = "x".repeat(1_000_000);
    for i in 0..60_000_u64 {
        let body = if i % 300 == 0 { large.as_str() } else { "small" };
        let tag = format!("tag:{i}");
        store(&level, &key(&format!("https://h/?nonsense={i}")), samples::entry(body, &[&tag]));
        if i % 1_000 == 0 {
            let grown = resident().saturating_sub(before);
            assert!(grown < 48 * MIB, "{grown} bytes for a budget of {} after {i}", 32 * MIB);
        }
    }
    let grown = resident().saturating_sub(before);
    println!("budget {}, said {}, grown {grown}", 32 * MIB, level.stats()[0].bytes);
}
