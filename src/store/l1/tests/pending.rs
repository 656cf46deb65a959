//! Orders on more than is dropped at once: out of use from the acknowledgement on, gone from memory
//! later, and counted as one order's own.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::*;
use crate::entry::Labels;
use crate::entry::order::{Glob, Selector};
use crate::policy::stamp::Stamp;

pub(super) const MANY: usize = 3_000;

#[test]
fn a_pattern_that_begins_with_a_star_is_no_set() {
    let fences = Fences::default();
    let level = filled(&fences);
    let (_, swept) = level.sweep(&fences, &Order::of([Selector::Pattern(Glob::new("*:29"))]));
    assert!(swept.gone.is_open() || swept.gone.entries == 1, "{:?}", swept.gone);
    assert!(!stands(&level, "k:29") && stands(&level, "k:30"));
    while level.reclaim().more {}
    assert!(stands(&level, "k:2999") && stands(&level, "other"));
    level.audit();
}

#[test]
fn what_is_out_of_use_is_counted_by_one_order_alone() {
    let fences = Fences::default();
    let level = filled(&fences);
    assert_eq!(level.sweep(&fences, &Order::of([Selector::Tag("t".into())])).1.gone.entries, 3_001);
    let (_, swept) = level.sweep(&fences, &Order::of([Selector::Key("k:5".into())]));
    assert_eq!((swept.gone.entries, swept.gone.is_open()), (0, false));
    while level.reclaim().more {}
    level.audit();
}

fn tagged(born: Tick, tag: &str, vary: &[&str]) -> Arc<Entry> {
    let stamp = Stamp { born, ..samples::stamp(samples::STORED_AT, 3_600) };
    let labels = Labels { tags: [tag.into()].into(), ..Labels::default() };
    samples::full("x", labels, vary, stamp)
}

/// Many entries under one tag, one of them with two variants, and one that is another's.
pub(super) fn filled(fences: &Fences) -> L1 {
    let level = level(64 * MIB);
    for number in 0..MANY {
        let birth = fences.begin();
        level.land(&birth, key(&format!("k:{number}")), tagged(birth.tick(), "t", &["a"]));
    }
    let birth = fences.begin();
    level.land(&birth, key("k:0"), tagged(birth.tick(), "t", &["b"]));
    level.land(&birth, key("other"), tagged(birth.tick(), "u", &[]));
    level
}

fn stands(level: &L1, text: &str) -> bool {
    let at = key(text);
    let found = level.find(KindId(0), at.identity()).is_some();
    assert_eq!(level.peek(at.identity()).is_some(), found, "{text}");
    let order = Order::of([Selector::Key(text.to_owned())]);
    assert_eq!(level.count(&order, 1).entries > 0, found, "{text}");
    assert_eq!(level.list(&order.selectors, None, 1).found.len() == 1, found, "{text}");
    found
}

fn selectors() -> [(Selector, Option<u64>); 6] {
    let all = MANY as u64 + 1;
    [
        (Selector::Tag("t".into()), Some(all)),
        (Selector::Type(String::new()), Some(all + 1)),
        (Selector::All, Some(all + 1)),
        (Selector::Prefix("k:".into()), None),
        (Selector::Pattern(Glob::new("k*")), None),
        (Selector::Tags(Glob::new("t*")), Some(all)),
    ]
}

#[test]
fn what_is_named_is_out_of_use_at_once_and_leaves_memory_behind() {
    for (selector, count) in selectors() {
        let fences = Fences::default();
        let level = filled(&fences);
        let (_, swept) = level.sweep(&fences, &Order::of([selector.clone()]));
        let told = (swept.gone.entries, swept.gone.is_open());
        match count {
            Some(count) => assert_eq!(told, (count, false), "{selector}"),
            None => assert!(told.0 < MANY as u64 && told.1, "{selector}: {told:?}"),
        }
        assert!(!level.is_swept() && !stands(&level, "k:0") && !stands(&level, "k:2999"));
        let spares = !matches!(selector, Selector::All | Selector::Type(_));
        assert_eq!(stands(&level, "other"), spares, "{selector}");
        // What is fetched from now on stands beside what has yet to go.
        let birth = fences.begin();
        assert_eq!(
            level.land(&birth, key("k:7"), tagged(birth.tick(), "t", &["b"])),
            Landed::Stored
        );
        let bundle = level.find(KindId(0), key("k:7").identity()).unwrap();
        assert_eq!(bundle.variants().len(), 1, "{selector}: the old variant is gone");
        let mut steps = 0;
        let counted = loop {
            let step = level.reclaim();
            if !step.more {
                break step.counted;
            }
            steps += 1;
            assert!(stands(&level, "k:7") && !stands(&level, "k:8"), "{selector}");
        };
        assert!(steps >= 1 && level.is_swept(), "{selector}: {steps} steps");
        let all = MANY as u64 + 1 + u64::from(!spares);
        // Of what was counted at once nobody counts again.
        let behind = counted.map_or(0, |(_, count)| count);
        assert_eq!(told.0 + behind, all, "{selector}: also what was replaced");
        assert!(stands(&level, "k:7") && !stands(&level, "k:0"), "{selector}");
        level.audit();
    }
}

#[test]
fn few_go_before_the_acknowledgement() {
    let fences = Fences::default();
    let level = filled(&fences);
    let (_, swept) = level.sweep(&fences, &Order::of([Selector::Prefix("k:12".into())]));
    assert_eq!((swept.gone.entries, swept.gone.is_open()), (111, false));
    assert!(level.is_swept());
}

#[test]
fn what_overlaps_with_what_is_pending_is_not_counted_for_sure() {
    let fences = Fences::default();
    let level = filled(&fences);
    level.sweep(&fences, &Order::of([Selector::Tag("t".into())]));
    let (_, swept) = level.sweep(&fences, &Order::of([Selector::All]));
    assert!(swept.gone.is_open());
    let both = Order::of([Selector::Tag("t".into()), Selector::Prefix("k".into())]);
    assert!(level.sweep(&fences, &both).1.gone.is_open());
    while level.reclaim().more {}
    assert!(level.is_swept() && !stands(&level, "other"));
    level.audit();
}

#[test]
fn beyond_the_bound_all_goes_before_the_acknowledgement() {
    let fences = Fences::default();
    let level = filled(&fences);
    for _ in 0..limits::SWEEPS_PENDING_MAX {
        let birth = fences.begin();
        level.land(&birth, key("k:5"), tagged(birth.tick(), "t", &["a"]));
        level.sweep(&fences, &Order::of([Selector::Tag("t".into())]));
    }
    let birth = fences.begin();
    level.land(&birth, key("k:5"), tagged(birth.tick(), "t", &["a"]));
    let (_, swept) = level.sweep(&fences, &Order::of([Selector::Tag("t".into())]));
    assert!(swept.gone.entries > 0 && !stands(&level, "k:5"));
    assert_eq!(level.stats()[0].entries, 1, "the other one");
    while level.reclaim().more {}
    level.audit();
}

#[test]
fn a_reader_never_meets_what_is_dropped_while_it_looks() {
    let fences = Fences::default();
    for round in 0..40 {
        let mut level = level(16 * MIB);
        level.at_once = 1;
        let birth = fences.begin();
        for number in 0..200 {
            level.land(&birth, key(&format!("k:{number}")), tagged(birth.tick(), "t", &[]));
        }
        let (purged, ended) = (AtomicBool::new(false), AtomicBool::new(false));
        thread::scope(|scope| {
            scope.spawn(|| {
                level.sweep(&fences, &Order::of([Selector::Tag("t".into())]));
                purged.store(true, Ordering::SeqCst);
                while level.reclaim().more {}
                ended.store(true, Ordering::SeqCst);
            });
            scope.spawn(|| {
                let mut number = 0;
                while !ended.load(Ordering::SeqCst) {
                    number = (number + 7) % 200;
                    let was_purged = purged.load(Ordering::SeqCst);
                    let found = level.find(KindId(0), key(&format!("k:{number}")).identity());
                    assert!(!was_purged || found.is_none(), "round {round}: k:{number}");
                }
            });
        });
        level.audit();
    }
}
