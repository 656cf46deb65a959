//! Pages of what stands: all of it once, whatever comes and goes meanwhile, at a bounded cost.

use std::collections::BTreeSet;

use super::*;
use crate::base::limits;
use crate::entry::order::Selector;

/// All pages of a selector, each of at most `most`.
fn all(level: &L1, selector: &str, most: usize) -> Vec<String> {
    let selectors = [Selector::parse(selector).unwrap()];
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = level.list(&selectors, after.as_ref(), most);
        assert!(page.found.len() <= most);
        found.extend(page.found.iter().map(|one| one.key.text().to_owned()));
        let Some(next) = page.next else { return found };
        after = Some(next.to_string().parse().expect("a place reads back"));
    }
}

fn filled() -> L1 {
    let level = L1::new(&[kind("", None, None), kind("a", None, None)], 64 * MIB, Eviction::Lru);
    for i in 0..1_000 {
        let (kind, tag) = (if i % 4 == 0 { "a" } else { "" }, format!("n:{}", i % 10));
        let entry = samples::placed("x", &["all", &tag], samples::place(kind, "r"));
        store(&level, &key(&format!("k{i:04}")), entry);
    }
    level
}

#[test]
fn pages_of_any_selector_hold_everything_once() {
    let level = filled();
    for (selector, count) in [
        ("all", 1_000),
        ("prefix:k00", 100),
        ("pattern:k*7", 100),
        ("key:k0007", 1),
        ("tag:all", 1_000),
        ("tag:n:3", 100),
        ("tag:n:*", 1_000),
        ("type:a", 250),
        ("rule:r", 1_000),
        ("rule:other", 0),
        ("url:http://h/none", 0),
    ] {
        for most in [1, 7, 100, 5_000] {
            let found = all(&level, selector, most);
            let once: BTreeSet<&String> = found.iter().collect();
            assert_eq!((found.len(), once.len()), (count, count), "{selector} by {most}");
        }
    }
    assert!(all(&level, "all", 33).is_sorted(), "in the order of keys");
}

#[test]
fn what_stands_all_the_while_is_met_though_others_come_and_go() {
    for selector in ["all", "tag:all"] {
        let level = filled();
        let selectors = [Selector::parse(selector).unwrap()];
        let mut found = BTreeSet::new();
        let mut after = None;
        for round in 0.. {
            let page = level.list(&selectors, after.as_ref(), 50);
            found.extend(page.found.iter().map(|one| one.key.text().to_owned()));
            level.remove_key(&format!("k{:04}", 10 * round));
            store(&level, &key(&format!("new{round}")), samples::entry("x", &["all"]));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        for i in (0..1_000).filter(|i| i % 10 != 0) {
            assert!(found.contains(&format!("k{i:04}")), "{selector} has not k{i:04}");
        }
    }
}

#[test]
fn a_page_that_finds_nothing_ends_all_the_same() {
    let level = level(512 * MIB);
    for i in 0..(limits::LISTED_LOOKS_MAX + 4_000) {
        store(&level, &key(&format!("k{i}")), samples::entry("", &[]));
    }
    let selectors = [Selector::parse("pattern:k*x").unwrap()];
    let page = level.list(&selectors, None, 10);
    assert!(page.found.is_empty() && page.next.is_some(), "{page:?}");
    let page = level.list(&selectors, page.next.as_ref(), 10);
    assert!(page.found.is_empty() && page.next.is_none(), "{page:?}");
}

#[test]
fn places_read_back_and_others_do_not() {
    let places = [After::Identity("a\u{1}ñ".to_owned()), After::Slot { shard: 3, number: 70_000 }];
    for place in places {
        assert_eq!(place.to_string().parse(), Ok(place));
    }
    for text in ["", "k0", "kzz", "kff", "s1", "s-1-2", "x"] {
        assert_eq!(text.parse::<After>(), Err(()), "{text}");
    }
}
