//! Budgets and counts hold, whatever is stored.

use super::*;
use crate::base::clock::Timestamp;
use crate::entry::Labels;

/// How far a store may pass the budget before it returns: what another thread adds meanwhile.
const SLACK: u64 = 64 * 1_024;

#[test]
fn hostile_variety_stays_within_the_budget() {
    for policy in [Eviction::TinyLfu, Eviction::Lru] {
        let level = L1::new(&[KindSpec::default()], 4 * MIB, policy);
        for i in 0..30_000 {
            let tag = format!("tag:{i}");
            let entry = samples::entry("a small body", &[&tag, "common"]);
            store(&level, &key(&format!("https://shop.example/?cachebuster={i}")), entry);
            let now = &level.layout.load().homes[0].pool;
            assert!(now.bytes() <= now.budget() + SLACK, "{} bytes", now.bytes());
        }
        level.audit();
        let stats = &level.stats()[0];
        assert!(stats.entries > 1_000 && stats.bytes > 3 * MIB, "{stats:?}");
        assert_eq!(stats.entries + stats.evictions_by_size, 30_000);
        assert_eq!(stats.evictions_by_ttl, 0);
        assert!(level.reports.lock().unwrap().capacity() < 4_096);
    }
}

#[test]
fn large_and_small_entries_mix_within_the_budget() {
    let level = level(8 * MIB);
    let large = "x".repeat(700_000);
    for i in 0..300 {
        let text = if i % 3 == 0 { large.as_str() } else { "small" };
        store(&level, &key(&format!("k{i}")), samples::entry(text, &[]));
        let pool = Arc::clone(&level.layout.load().homes[0].pool);
        assert!(pool.bytes() <= pool.budget() + SLACK, "{} bytes", pool.bytes());
    }
    level.audit();
}

#[test]
fn what_costs_more_than_the_budget_is_told_so() {
    let level = level(64 * 1_024);
    let entry = samples::entry(&"x".repeat(70_000), &[]);
    assert_eq!(store(&level, &key("k"), entry), Landed::TooLarge);
    assert_eq!(found(&level, 0, "k"), None);
    level.audit();
}

#[test]
fn variants_together_stay_within_the_budget() {
    let level = level(64 * 1_024);
    let stamp = samples::stamp(samples::STORED_AT, 3_600);
    for i in 0..10 {
        let value = i.to_string();
        let text = value.repeat(20_000);
        let entry = samples::full(&text, Labels::default(), &[&value], stamp);
        assert_eq!(store(&level, &key("k"), entry), Landed::Stored);
        level.audit();
    }
    assert!(level.find(KindId(0), key("k").identity()).is_some());
}

#[test]
fn a_type_keeps_at_most_its_entries_and_the_least_used_goes() {
    let kinds = [kind("", None, None), kind("few", None, Some(5))];
    let level = L1::new(&kinds, 10 * MIB, Eviction::TinyLfu);
    let few = samples::place("few", "");
    for i in 0..5 {
        store(&level, &key(&format!("k{i}")), samples::placed("x", &[], Arc::clone(&few)));
    }
    for i in [0, 1, 3, 4] {
        let bundle = level.find(KindId(1), key(&format!("k{i}")).identity()).unwrap();
        bundle.choose(&http::HeaderMap::new(), Timestamp::from_secs(2_000)).unwrap();
    }
    store(&level, &key("other"), samples::entry("x", &[]));
    let stamp = samples::stamp(Timestamp::from_secs(2_001), 3_600);
    let labels = Labels { place: few, ..Labels::default() };
    store(&level, &key("next"), samples::full("x", labels, &[], stamp));
    assert_eq!(found(&level, 1, "k2"), None);
    assert!(found(&level, 1, "next").is_some() && found(&level, 0, "other").is_some());
    let stats = level.stats();
    assert_eq!((stats[1].entries, stats[1].evictions_by_size), (5, 1));
    level.audit();
}

#[test]
fn own_budgets_keep_types_apart() {
    let kinds = [kind("", None, None), kind("own", Some(MIB), None)];
    let level = L1::new(&kinds, 4 * MIB, Eviction::TinyLfu);
    for i in 0..8_000 {
        let entry = samples::placed("x", &[], samples::place("own", ""));
        store(&level, &key(&format!("own{i}")), entry);
    }
    for i in 0..500 {
        store(&level, &key(&format!("k{i}")), samples::entry("x", &[]));
    }
    let stats = level.stats();
    assert_eq!((stats[0].budget, stats[1].budget), (3 * MIB, MIB));
    assert!(stats[1].bytes <= MIB && stats[1].evictions_by_size > 0, "{stats:?}");
    assert_eq!((stats[0].entries, stats[0].evictions_by_size), (500, 0));
    level.audit();
}

#[test]
fn what_is_of_no_more_use_is_not_found_and_goes() {
    let level = level(MIB);
    let spent = samples::stamp(samples::STORED_AT, 0);
    store(&level, &key("spent"), samples::full("x", Labels::default(), &[], spent));
    store(&level, &key("k"), samples::entry("x", &[]));
    assert_eq!(found(&level, 0, "spent"), None);
    assert!(level.peek(key("spent").identity()).is_none());
    // The cache drops it at the next turn of its timer, a second away; this is its report.
    let home = Arc::clone(&level.layout.load().homes[0]);
    let shard = level.shard(key("spent").identity());
    let bundle = Arc::clone(&shard.find(key("spent").identity()).unwrap().bundle);
    drop(shard);
    home.pool.remove(key("spent").identity());
    let report = pool::Evicted { key: Arc::new(key("spent")), bundle, by_ttl: true };
    lock(&level.reports).push(report);
    let stats = &level.stats()[0];
    assert_eq!((stats.entries, stats.evictions_by_ttl, stats.evictions_by_size), (1, 1, 0));
    level.audit();
}

#[test]
fn a_late_report_does_not_touch_what_stands_now() {
    let level = level(MIB);
    store(&level, &key("k"), samples::entry("old", &[]));
    let old = level.peek(key("k").identity()).unwrap();
    store(&level, &key("k"), samples::entry("new", &[]));
    let new = level.peek(key("k").identity()).unwrap();
    for bundle in [old, new] {
        let report = pool::Evicted { key: Arc::new(key("k")), bundle, by_ttl: false };
        lock(&level.reports).push(report);
    }
    assert_eq!(level.stats()[0].entries, 1);
    assert_eq!(found(&level, 0, "k").as_deref(), Some("new"));
    level.audit();
}

#[test]
fn endless_lifetimes_are_no_trouble() {
    let level = level(MIB);
    let mut stamp = samples::stamp(samples::STORED_AT, 1);
    stamp.fresh_until = Timestamp::NEVER;
    stamp.error_until = Timestamp::NEVER;
    store(&level, &key("k"), samples::full("x", Labels::default(), &[], stamp));
    level.tend();
    assert!(found(&level, 0, "k").is_some());
}
