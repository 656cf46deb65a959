//! Each selector drops what it names, all of it, and counts it exactly.

use super::*;
use crate::base::ids::SoftId;
use crate::entry::Labels;
use crate::entry::order::{Glob, Order, Selector, Soft};

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

#[test]
fn what_is_made_stale_stays_and_is_given_back_as_it_was() {
    let at = samples::STORED_AT.plus(Span::from_secs(60));
    let soft = |id| Soft { id: SoftId(id), at };
    let all: Vec<(Key, Arc<Bundle>)> = filled().page("", 100);
    for (text, count) in [
        ("doc:01", 1),
        ("named", 2),
        ("prefix:list:00", 2),
        ("*:03", 2),
        ("tag:parity:1", 10),
        ("tag:*", 20),
        ("type:doc", 20),
        ("rule:lists", 21),
        ("url:http://h/t?q", 2),
        ("url:http://h/bare", 1),
        ("key:nothing", 0),
        ("all", ALL),
    ] {
        let (level, order) = (filled(), Order::of([Selector::parse(text).unwrap()]));
        let bytes = |level: &L1| level.stats().iter().map(|kind| kind.bytes).sum::<u64>();
        let before = bytes(&level);
        assert_eq!(level.soften(&order, soft(1)).gone.entries, count, "{text}");
        assert_eq!(level.soften(&order, soft(1)).gone.entries, 0, "{text}: it is stale already");
        assert_eq!(level.soften(&order, soft(2)).gone.entries, count, "{text}");
        level.audit();
        let page = level.page("", 100);
        let variants = || page.iter().flat_map(|(_, bundle)| bundle.variants());
        let stale = variants().filter(|entry| entry.stamp.fresh_until == at).count() as u64;
        assert_eq!((stale, variants().count() as u64), (count, ALL), "{text}");
        assert_eq!(level.restore(&order, soft(1)).gone.entries, count, "{text}");
        assert_eq!(level.restore(&order, soft(1)).gone.entries, 0, "{text}");
        assert_eq!(level.restore(&Order::of([Selector::All]), soft(2)).gone.entries, count);
        level.audit();
        assert_eq!(bytes(&level), before, "{text}");
        for ((key, was), (same, is)) in all.iter().zip(level.page("", 100)) {
            assert_eq!((key, was.variants().len()), (&same, is.variants().len()));
            assert!(is.variants().iter().all(|entry| !entry.is_soft()));
        }
    }
}

#[test]
fn a_stale_copy_of_what_may_not_be_kept_goes_with_it() {
    let (level, at) = (level(MIB), samples::STORED_AT);
    let entry = samples::entry("text", &[]);
    store(&level, &key("a"), Arc::clone(&entry));
    let order = Order::of([Selector::All]);
    level.soften(&order, Soft { id: SoftId(1), at });
    assert!(level.drop_entry(&key("a"), &entry), "the fetch knew it before it was stale");
    level.audit();
}
