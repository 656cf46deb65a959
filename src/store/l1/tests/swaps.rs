//! A coded form joins the entry that it belongs to, and no other.

use bytes::Bytes;

use super::*;
use crate::entry::order::{Order, Selector};
use crate::entry::{Body, Labels};

fn coded(len: usize) -> Body {
    Body::from_chunks(vec![Bytes::from(vec![7; len])])
}

/// The length of the coded form of the first variant that stands there.
fn standing(level: &L1, text: &str) -> Option<u64> {
    let bundle = level.find(KindId(0), key(text).identity())?;
    bundle.variants().iter().find_map(|entry| Some(entry.body.coded()?.len()))
}

#[test]
fn that_very_entry_gets_it_and_its_cost_is_counted() {
    let level = level(MIB);
    let entry = samples::entry("text", &["t"]);
    store(&level, &key("k"), Arc::clone(&entry));
    store(&level, &key("other"), samples::entry("text", &["t"]));
    let before = level.stats()[0].bytes;
    assert!(level.add_coded(&key("k"), &entry, coded(500)));
    assert_eq!((standing(&level, "k"), standing(&level, "other")), (Some(500), None));
    let stats = &level.stats()[0];
    assert!(stats.entries == 2 && stats.bytes >= before + 500, "{stats:?} after {before}");
    assert!(!level.add_coded(&key("k"), &entry, coded(500)), "the plain one stands no more");
    level.audit();
    level.removed(&Order::of([Selector::Tag("t".into())]));
    assert_eq!((level.stats()[0].entries, level.stats()[0].bytes), (0, 0));
    level.audit();
}

#[test]
fn what_is_gone_or_replaced_gets_nothing() {
    let level = level(MIB);
    let (old, new) = (samples::entry("old", &[]), samples::entry("new", &[]));
    assert!(!level.add_coded(&key("k"), &old, coded(9)));
    store(&level, &key("k"), Arc::clone(&old));
    store(&level, &key("k"), Arc::clone(&new));
    assert!(!level.add_coded(&key("k"), &old, coded(9)));
    assert_eq!(found(&level, 0, "k").as_deref(), Some("new"));
    level.remove_key("k");
    assert!(!level.add_coded(&key("k"), &new, coded(9)));
    assert_eq!(found(&level, 0, "k"), None);
    level.audit();
}

#[test]
fn one_of_several_variants_gets_its_own() {
    let level = level(MIB);
    let stamp = samples::stamp(samples::STORED_AT, 3_600);
    let variant = |text| samples::full(text, Labels::default(), &[text], stamp);
    let (a, b) = (variant("a"), variant("b"));
    for entry in [&a, &b] {
        store(&level, &key("k"), Arc::clone(entry));
    }
    assert!(level.add_coded(&key("k"), &a, coded(9)));
    let bundle = level.find(KindId(0), key("k").identity()).unwrap();
    let has = |text: &str| {
        let mut variants = bundle.variants().iter();
        let one = variants.find(|one| samples::text_of(one) == text).unwrap();
        one.body.coded().is_some()
    };
    assert!(has("a") && !has("b"));
    level.audit();
}

/// Who found it plain drops it, whatever has joined it since: else an outdated answer would stay.
#[test]
fn who_holds_the_plain_entry_drops_the_one_with_both() {
    let level = level(MIB);
    let entry = samples::entry("text", &[]);
    store(&level, &key("k"), Arc::clone(&entry));
    assert!(level.add_coded(&key("k"), &entry, coded(9)));
    assert!(level.drop_entry(&key("k"), &entry));
    assert_eq!(found(&level, 0, "k"), None);
    let (one, other) = (samples::entry("text", &[]), samples::entry("text", &[]));
    store(&level, &key("k"), Arc::clone(&one));
    assert!(level.add_coded(&key("k"), &one, coded(9)));
    assert!(!level.drop_entry(&key("k"), &other), "an equal one is not that one");
    level.audit();
}

#[test]
fn a_coded_form_that_has_no_room_is_left_off() {
    let level = level(64 * 1_024);
    let entry = samples::entry(&"x".repeat(40_000), &[]);
    store(&level, &key("k"), Arc::clone(&entry));
    assert!(!level.add_coded(&key("k"), &entry, coded(30_000)));
    assert!(level.add_coded(&key("k"), &entry, coded(9)));
    let both = Arc::new(entry.with_coded(coded(30_000)).unwrap());
    assert_eq!(store(&level, &key("k"), both), Landed::Stored);
    assert_eq!(found(&level, 0, "k").map(|text| text.len()), Some(40_000));
    assert_eq!(standing(&level, "k"), None);
    level.audit();
}

#[test]
fn what_may_not_go_out_so_gets_nothing() {
    let level = level(MIB);
    let fields = samples::fields(&[("etag", "\"1\"")]);
    let head = crate::entry::Head::new(http::StatusCode::OK, &fields);
    let entry = Arc::new(samples::entry_of(head, coded(50)));
    store(&level, &key("k"), Arc::clone(&entry));
    assert!(!level.add_coded(&key("k"), &entry, coded(9)));
    assert_eq!(standing(&level, "k"), None);
}
