//! Writes whose answer never comes, with paused time and an origin that says nothing to them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::*;
use crate::engine::samples::{Origin, message, read, send, worker};
use crate::entry::{Key, Labels};

const RULES: &str = "
[[route]]
name = 'read'
match = 'GET /items/{id}'
key = 'item:{id}'
ttl = '10m'
stale_while_revalidate = '10m'
stale_if_error = '10m'
tags = ['items', 'of:{json:/owner}']
[[route]]
name = 'write'
match = 'PUT /items/{id}'
on_write.purge = ['tag:of:ann']
";

/// An origin with one version of everything, that never answers a write.
async fn stalled(version: &Arc<AtomicU64>, rules: &str) -> (Origin, crate::engine::Worker) {
    let now = Arc::clone(version);
    let origin = Origin::start(move |what| {
        let owner = if what.ends_with("/2") { "bob" } else { "ann" };
        let body = format!("{{\"owner\":\"{owner}\",\"version\":{}}}", now.load(Ordering::Relaxed));
        let lines = ["Content-Type: application/json", "Cache-Control: max-age=600", "ETag: \"e\""];
        what.starts_with("GET").then(|| message(200, &lines, &body))
    })
    .await;
    let worker = worker(origin.address, rules);
    (origin, worker)
}

fn waiting(engine: &Engine) -> usize {
    engine.settling.queue().due.len()
}

async fn later(millis: u64) {
    tokio::time::sleep(Duration::from_millis(millis)).await;
}

fn is_version(seen: &crate::engine::samples::Seen, version: u64) -> bool {
    seen.text.contains(&format!("\"version\":{version}"))
}

#[tokio::test(start_paused = true)]
async fn what_is_fetched_in_doubt_is_kept_for_a_moment() {
    for rules in ["", RULES] {
        let version = Arc::new(AtomicU64::new(1));
        let (origin, worker) = stalled(&version, rules).await;
        read(&worker, "GET /items/1", &[]).await;
        assert!(read(&worker, "GET /items/1", &[]).await.is_hit());
        assert_eq!(send(&worker, "PUT /items/1").await.status, 504);
        // Not committed yet: the origin still has the old data, and gives it out.
        let seen = read(&worker, "GET /items/1", &[]).await;
        assert!(!seen.is_hit() && is_version(&seen, 1));
        assert!(seen.account.ttl.unwrap() <= 1, "announced for longer: {:?}", seen.account.ttl);
        let hit = read(&worker, "GET /items/1", &[]).await;
        assert!(hit.is_hit() && hit.account.ttl.unwrap() <= 1, "{:?}", hit.account.ttl);
        version.store(2, Ordering::Relaxed);
        // Beyond the moment nothing serves it: not as stale, nor after a 304.
        later(limits::LAG_MAX.as_millis()).await;
        let seen = read(&worker, "GET /items/1", &[]).await;
        assert!(!seen.is_hit() && is_version(&seen, 2), "{}", seen.text);
        // The last purge is at 10 s; until then every fetch is in doubt, afterwards none is.
        later(3_000).await;
        assert!(read(&worker, "GET /items/1", &[]).await.account.ttl.unwrap() <= 1);
        later(10_000).await;
        assert!(worker.engine.settling.is_settled());
        assert_eq!(waiting(&worker.engine), 0);
        let before = origin.asked("GET /items/1");
        assert!(read(&worker, "GET /items/1", &[]).await.account.ttl.unwrap() > 500);
        later(60_000).await;
        assert!(read(&worker, "GET /items/1", &[]).await.is_hit());
        assert_eq!(origin.asked("GET /items/1"), before + 1);
    }
}

#[tokio::test(start_paused = true)]
async fn doubt_is_of_what_the_write_names_and_nothing_else() {
    let version = Arc::new(AtomicU64::new(1));
    let (_origin, worker) = stalled(&version, RULES).await;
    assert_eq!(send(&worker, "PUT /items/9").await.status, 504);
    // Only the body tells the tag, so the head promised more than was kept.
    let tagged = read(&worker, "GET /items/1", &[]).await;
    assert!(!tagged.is_hit() && is_version(&tagged, 1));
    assert!(read(&worker, "GET /items/1", &[]).await.account.ttl.unwrap() <= 1);
    assert!(read(&worker, "GET /items/2", &[]).await.account.ttl.unwrap() > 500);
    later(1_500).await;
    assert!(!read(&worker, "GET /items/1", &[]).await.is_hit());
    assert!(read(&worker, "GET /items/2", &[]).await.is_hit());
}

#[tokio::test(start_paused = true)]
async fn a_late_commit_is_seen_at_the_latest_with_the_last_purge() {
    let version = Arc::new(AtomicU64::new(1));
    let (_origin, worker) = stalled(&version, RULES).await;
    send(&worker, "PUT /items/1").await;
    // A fetch that began in doubt and stores after it: the last purge refuses it.
    let transit = crate::engine::samples::transit(&worker, "GET /items/1", &[]);
    let engine = &worker.engine;
    let crate::engine::admit::Admission::Read(plan) =
        crate::engine::admit::admit(engine, &transit, false)
    else {
        panic!("no read")
    };
    let birth = engine.fences.begin();
    later(11_000).await;
    version.store(2, Ordering::Relaxed);
    assert!(engine.settling.is_settled());
    let labels = plan.labels(&transit);
    assert!(!birth.admits(&Facts::of(&plan.key, &labels)));
    assert!(is_version(&read(&worker, "GET /items/1", &[]).await, 2));
}

fn order(text: &str) -> Order {
    Order::of([Selector::Key(text.to_owned())])
}

fn doubted(engine: &Engine, text: &str) -> bool {
    let key = Key::new(text, "", "");
    engine.settling.doubts(&Facts::of(&key, &Labels::default()))
}

#[tokio::test(start_paused = true)]
async fn shorter_doubts_end_first_and_longer_ones_stay() {
    let (_origin, worker) = stalled(&Arc::default(), "").await;
    let engine = &worker.engine;
    unknown(engine, order("long"), None, false, Span::from_secs(60)).await;
    later(1_000).await;
    unknown(engine, order("none"), None, false, Span::ZERO).await;
    assert_eq!(waiting(engine), 4);
    assert!(doubted(engine, "long") && doubted(engine, "none") && !doubted(engine, "other"));
    later(2_500).await;
    assert_eq!(waiting(engine), 1);
    assert!(doubted(engine, "long"));
    later(60_000).await;
    assert!(!doubted(engine, "long") && engine.settling.is_settled());
    // And the next begins anew.
    unknown(engine, order("next"), None, false, Span::FOREVER).await;
    assert!(doubted(engine, "next"));
    later(limits::SETTLE_LAST_MAX.as_millis() + 10).await;
    assert!(engine.settling.is_settled());
}

#[tokio::test(start_paused = true)]
async fn beyond_the_bounds_everything_is_purged_instead() {
    let (_origin, worker) = stalled(&Arc::default(), "").await;
    let engine = &worker.engine;
    let long = "x".repeat(limits::KEY_BYTES_MAX - 8);
    let by_bytes = limits::UNSETTLED_BYTES_MAX / limits::KEY_BYTES_MAX;
    for (count, pad) in [(limits::UNSETTLED_MAX, ""), (by_bytes, long.as_str())] {
        for number in 0..count {
            unknown(engine, order(&format!("{number}{pad}")), None, false, Span::from_secs(60))
                .await;
            assert!(waiting(engine) <= limits::UNSETTLED_MAX);
            assert!(engine.settling.queue().text_bytes <= limits::UNSETTLED_BYTES_MAX);
        }
        for number in [0, count / 2, count - 1] {
            assert!(doubted(engine, &format!("{number}{pad}")), "{number}");
        }
        read(&worker, "GET /a", &[]).await;
        later(500).await;
        assert!(read(&worker, "GET /a", &[]).await.is_hit());
        later(60_000).await;
        assert!(engine.settling.is_settled());
        assert!(!read(&worker, "GET /a", &[]).await.is_hit(), "an order on everything came");
        read(&worker, "GET /b", &[]).await;
        later(60_000).await;
        assert!(read(&worker, "GET /b", &[]).await.is_hit());
    }
}

/// A write at a random moment that commits at another, and readers all the time: who begins after
/// the writer was told, and a moment after the commit, sees it.
async fn scheduled(seed: u64) -> Result<(), String> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut below = |bound: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % bound
    };
    let version = Arc::new(AtomicU64::new(1));
    let (_origin, worker) =
        stalled(&version, if seed.is_multiple_of(2) { RULES } else { "" }).await;
    let (told, is_told) = tokio::sync::oneshot::channel();
    let (starts, writer) = (below(4_000), worker.clone());
    tasks::tend(async move {
        later(starts).await;
        send(&writer, "PUT /items/1").await;
        told.send(Instant::now()).ok();
    });
    // The origin may commit until its time limit is over: 10 s after the writer gave up at 3 s.
    let commits = Instant::now() + Duration::from_millis(starts + below(12_900));
    let commit = Arc::clone(&version);
    tasks::tend(async move {
        tokio::time::sleep_until(commits).await;
        commit.store(2, Ordering::Relaxed);
    });
    let (mut is_told, mut told_at) = (is_told, None);
    for _ in 0..60 {
        later(1 + below(600)).await;
        told_at = told_at.or_else(|| is_told.try_recv().ok());
        let began = Instant::now();
        let seen = read(&worker, "GET /items/1", &[]).await;
        let settled = commits + limits::LAG_MAX.to_duration();
        let promised = told_at.is_some_and(|at| began > at && began > settled);
        if promised && is_version(&seen, 1) {
            let after = began - commits;
            return Err(format!("seed {seed}: old data {after:?} after the commit"));
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn no_read_a_moment_after_a_late_commit_returns_older_data() {
    for seed in 1..120 {
        assert_eq!(scheduled(seed).await, Ok(()));
    }
}
