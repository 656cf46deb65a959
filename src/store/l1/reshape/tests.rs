use super::super::tests::{MIB, found, key, kind, store};
use super::*;
use crate::base::clock::Timestamp;
use crate::entry::{Labels, samples};

#[test]
fn budgets_share_the_size_and_never_pass_it() {
    let kinds = [kind("", Some(9), None), kind("a", Some(30), None), kind("b", None, None)];
    assert_eq!(budgets(&kinds, 100), (vec![None, Some(30), None], 70));
    let greedy = [kind("", None, None), kind("a", Some(300), None), kind("b", Some(100), None)];
    let (own, shared) = budgets(&greedy, 100);
    assert_eq!(own, [None, Some(67), Some(22)]);
    assert_eq!(shared, 11);
    let absurd = [kind("", None, None), kind("a", Some(u64::MAX), None)];
    assert_eq!(budgets(&absurd, 100), (vec![None, Some(90)], 10));
    assert_eq!(budgets(&[], 5), (vec![], 5));
}

fn filled() -> L1 {
    let kinds = [kind("", None, None), kind("a", Some(MIB), None), kind("b", None, None)];
    let level = L1::new(&kinds, 4 * MIB, Eviction::TinyLfu);
    for i in 0..100 {
        for name in ["", "a", "b"] {
            let entry = samples::placed(name, &[], samples::place(name, ""));
            store(&level, &key(&format!("{name}:{i}")), entry);
        }
    }
    level
}

fn counts(level: &L1) -> Vec<u64> {
    level.stats().iter().map(|kind| kind.entries).collect()
}

#[test]
fn types_keep_their_entries_by_name() {
    let level = filled();
    level.reshape(
        &[kind("", None, None), kind("b", None, None), kind("a", Some(MIB), None)],
        4 * MIB,
    );
    assert_eq!(counts(&level), [100, 100, 100]);
    assert_eq!(found(&level, 1, "b:7").as_deref(), Some("b"));
    assert_eq!(found(&level, 2, "a:7").as_deref(), Some("a"));
    level.audit();
}

#[test]
fn the_same_layout_moves_nothing() {
    let level = filled();
    let before: Vec<_> = level.layout.load().homes.iter().map(|h| Arc::clone(&h.pool)).collect();
    let kinds = [kind("", None, None), kind("a", Some(MIB), None), kind("b", None, None)];
    level.reshape(&kinds, 4 * MIB);
    let after = level.layout.load_full();
    assert!(before.iter().zip(&after.homes).all(|(pool, home)| Arc::ptr_eq(pool, &home.pool)));
    assert_eq!(counts(&level), [100, 100, 100]);
}

#[test]
fn types_that_are_no_more_go_and_budgets_move() {
    let level = filled();
    level.reshape(&[kind("", None, None), kind("b", Some(2 * MIB), None)], 5 * MIB);
    assert_eq!(counts(&level), [100, 100]);
    assert_eq!(found(&level, 1, "b:99").as_deref(), Some("b"));
    assert!(level.peek(key("a:1").identity()).is_none());
    assert_eq!(level.page("", 1_000).len(), 200);
    level.audit();
    level.reshape(&[kind("", None, None), kind("b", None, None)], 5 * MIB);
    assert_eq!(counts(&level), [100, 100]);
    level.audit();
}

#[test]
fn a_smaller_budget_keeps_what_is_used() {
    let level = L1::new(&[kind("", None, None)], 4 * MIB, Eviction::TinyLfu);
    for i in 0..1_000_u64 {
        let stamp = samples::stamp(Timestamp::from_secs(1_000 + i), 360_000);
        let entry = samples::full("x", Labels::default(), &[], stamp);
        store(&level, &key(&format!("k{i}")), entry);
    }
    let each = level.stats()[0].bytes / 1_000;
    level.reshape(&[kind("", None, None)], each * 300);
    let stats = &level.stats()[0];
    assert!((250..=300).contains(&stats.entries), "{stats:?}");
    assert!(stats.bytes <= stats.budget);
    assert!(found(&level, 0, "k999").is_some() && found(&level, 0, "k100").is_none());
    assert_eq!(stats.entries + stats.evictions_by_size, 1_000);
    level.audit();
}

#[test]
fn a_new_bound_on_entries_holds_at_once() {
    let level = filled();
    level.reshape(&[kind("", None, Some(10)), kind("a", None, None)], 4 * MIB);
    assert_eq!(counts(&level), [10, 100]);
    level.audit();
}
