//! Each selector drops what it names, all of it, and counts it exactly.

use super::*;
use crate::entry::Labels;
use crate::entry::order::{Glob, Order, Selector};

/// Forty keys of two types and rules, with tags, two sites, and two variants of one key.
fn filled() -> L1 {
    let level = L1::new(&[kind("", None, None), kind("doc", None, None)], MIB, Eviction::TinyLfu);
    for i in 0..20 {
        let parity = format!("parity:{}", i % 2);
        let entry = samples::placed("x", &["doc", &parity], samples::place("doc", "docs"));
        store(&level, &key(&format!("doc:{i:02}")), entry);
        let entry = samples::placed("x", &[], samples::place("", "lists"));
        store(&level, &Key::new(&format!("list:{i:02}"), "http://a", "me"), entry);
    }
    store(
        &level,
        &Key::new("list:00", "http://b", ""),
        samples::placed("x", &[], samples::place("", "lists")),
    );
    let labels = Labels::new(samples::place("", ""), &[], "http://h/t?q", &key("named"));
    let stamp = samples::stamp(samples::STORED_AT, 3_600);
    store(&level, &key("named"), samples::full("1", labels.clone(), &["1"], stamp));
    store(&level, &key("named"), samples::full("2", labels, &["2"], stamp));
    store(&level, &key("http://h/bare"), samples::entry("x", &[]));
    level
}

const ALL: u64 = 44;

#[test]
fn selectors_drop_what_they_name_and_count_it() {
    let cases = [
        (Selector::Key("doc:01".into()), 1),
        (Selector::Key("list:00".into()), 2),
        (Selector::Key("named".into()), 2),
        (Selector::Key("doc:".into()), 0),
        (Selector::Prefix("doc:0".into()), 10),
        (Selector::Prefix("doc:01".into()), 1),
        (Selector::Prefix("list:00".into()), 2),
        (Selector::Prefix(String::new()), ALL),
        (Selector::Pattern(Glob::new("*:03")), 2),
        (Selector::Pattern(Glob::new("list:*5")), 2),
        (Selector::Pattern(Glob::new("doc:03")), 1),
        (Selector::Tag("doc".into()), 20),
        (Selector::Tag("parity:1".into()), 10),
        (Selector::Tag("parity".into()), 0),
        (Selector::Tags(Glob::new("parity:*")), 20),
        (Selector::Tags(Glob::new("*")), 20),
        (Selector::Type("doc".into()), 20),
        (Selector::Type("none".into()), 0),
        (Selector::Rule("lists".into()), 21),
        (Selector::Url("http://h/t?q".into()), 2),
        (Selector::Url("http://h/bare".into()), 1),
        (Selector::Url("http://h/".into()), 0),
        (Selector::All, ALL),
    ];
    for (selector, count) in cases {
        let level = filled();
        let before = level.page("", usize::MAX).len();
        let counted = level.count(&Order::of([selector.clone()]), 3);
        assert_eq!(counted.entries, count, "{selector}");
        assert_eq!(counted.sample.is_empty(), count == 0, "{selector}");
        let swept = level.removed(&Order::of([selector.clone()]));
        assert_eq!(swept.gone.entries, count, "{selector}");
        let left = level.page("", usize::MAX);
        assert_eq!(before - left.len(), swept.keys.len(), "{selector}");
        assert!(left.iter().all(|(key, _)| !swept.keys.contains(key)), "{selector}");
        assert_eq!(level.stats().iter().map(|k| k.entries).sum::<u64>(), ALL - count);
        level.audit();
        assert_eq!(
            level.removed(&Order::of([selector.clone()])).gone.entries,
            0,
            "{selector}: twice"
        );
    }
}

#[test]
fn an_order_of_overlapping_selectors_counts_each_once() {
    let level = filled();
    let order = Order::of([
        Selector::Tag("doc".into()),
        Selector::Prefix("doc:".into()),
        Selector::Key("named".into()),
    ]);
    assert_eq!(level.count(&order, 0).entries, 22);
    let swept = level.removed(&order);
    assert_eq!((swept.gone.entries, swept.keys.len()), (22, 21));
}

#[test]
fn one_identity_or_key_can_be_dropped_alone() {
    let level = filled();
    let identity = Key::new("list:00", "http://b", "");
    assert_eq!(level.remove_identity(identity.identity()).gone.entries, 1);
    assert_eq!(level.remove_identity(identity.identity()).gone.entries, 0);
    level.remove_key("list:00");
    assert_eq!(level.count(&Order::of([Selector::Key("list:00".into())]), 0).entries, 0);
    level.audit();
}

#[test]
fn a_tag_of_one_variant_leaves_the_others() {
    let level = level(MIB);
    let stamp = samples::stamp(samples::STORED_AT, 3_600);
    let variant = |text, tag: &str| {
        let labels = Labels::new(samples::place("", ""), &[tag.into()], "k", &key("k"));
        samples::full(text, labels, &[text], stamp)
    };
    store(&level, &key("k"), variant("1", "one"));
    store(&level, &key("k"), variant("2", "two"));
    let swept = level.removed(&Order::of([Selector::Tag("one".into())]));
    assert_eq!(swept.gone.entries, 1);
    assert_eq!(found(&level, 0, "k").as_deref(), Some("2"));
    assert_eq!(level.removed(&Order::of([Selector::Tag("two".into())])).gone.entries, 1);
    assert_eq!(found(&level, 0, "k"), None);
    level.audit();
}
