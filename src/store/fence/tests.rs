use super::*;
use crate::entry::order::Glob;

fn facts<'a>(key: &'a str, tags: &'a [Arc<str>]) -> Facts<'a> {
    Facts { key, target: "http://h/t", tags, is_open: false, kind: "kind", rule: "rule" }
}

fn tags(names: &[&str]) -> Vec<Arc<str>> {
    names.iter().map(|name| Arc::from(*name)).collect()
}

fn raised(selector: Selector) -> (Birth, Fences) {
    let fences = Fences::default();
    let birth = fences.begin();
    fences.raise(&Order::of(vec![selector]));
    (birth, fences)
}

#[test]
fn each_selector_refuses_what_it_names_and_nothing_else() {
    let tagged = tags(&["t:1", "u"]);
    let ours = facts("k:1", &tagged);
    let named = [
        Selector::Key("k:1".into()),
        Selector::Prefix("k:".into()),
        Selector::Pattern(Glob::new("*:1")),
        Selector::Tag("u".into()),
        Selector::Tags(Glob::new("t:*")),
        Selector::Type("kind".into()),
        Selector::Rule("rule".into()),
        Selector::Url("http://h/t".into()),
        Selector::Url("k:1".into()),
        Selector::All,
    ];
    for selector in named {
        let (birth, fences) = raised(selector.clone());
        assert!(!birth.admits(&ours), "{selector}");
        assert!(fences.begin().admits(&ours), "{selector}: born later");
    }
    let others = [
        Selector::Key("k:".into()),
        Selector::Key("k:12".into()),
        Selector::Prefix("k:12".into()),
        Selector::Pattern(Glob::new("*:2")),
        Selector::Tag("t".into()),
        Selector::Tags(Glob::new("v*")),
        Selector::Type("rule".into()),
        Selector::Rule("kind".into()),
        Selector::Url("http://h/".into()),
    ];
    for selector in others {
        assert!(raised(selector.clone()).0.admits(&ours), "{selector}");
    }
}

#[test]
fn unknown_tags_are_named_by_every_order_on_a_tag() {
    let unknown = Facts { is_open: true, ..facts("k", &[]) };
    assert!(!raised(Selector::Tag("x".into())).0.admits(&unknown));
    assert!(!raised(Selector::Tags(Glob::new("x*"))).0.admits(&unknown));
    assert!(raised(Selector::Key("x".into())).0.admits(&unknown));
}

#[test]
fn orders_without_a_running_fetch_are_not_remembered() {
    let fences = Fences::default();
    let order = Order::of(vec![Selector::Key("k".into()), Selector::All]);
    assert_eq!(fences.raise(&order), Tick(1));
    assert_eq!(fences.remembered(), 0);
    let birth = fences.begin();
    assert_eq!((birth.tick(), fences.tick()), (Tick(1), Tick(1)));
    assert!(birth.admits(&facts("k", &[])));
}

#[test]
fn orders_are_forgotten_with_the_last_fetch_that_is_older() {
    let fences = Fences::default();
    let key = |text: &str| Order::of(vec![Selector::Key(text.into())]);
    let first = fences.begin();
    let twin = fences.begin();
    fences.raise(&key("a"));
    let second = fences.begin();
    fences.raise(&key("b"));
    fences.raise(&key("a"));
    assert_eq!(fences.remembered(), 3);
    drop(first);
    assert_eq!(fences.remembered(), 3);
    drop(twin);
    assert_eq!(fences.remembered(), 2, "only the first order is older than all that run");
    assert!(!second.admits(&facts("a", &[])) && !second.admits(&facts("b", &[])));
    drop(second);
    assert_eq!(fences.remembered(), 0);
    assert_eq!(fences.log().text_bytes, 0);
    assert!(fences.log().keys.is_empty());
}

#[test]
fn overflow_refuses_the_old_and_never_admits_the_stale() {
    let fences = Fences::default();
    let old = fences.begin();
    fences.raise(&Order::of(vec![Selector::Key("first".into())]));
    let middle = fences.begin();
    for i in 0..limits::ORDERS_REMEMBERED_MAX {
        fences.raise(&Order::of(vec![Selector::Key(format!("k{i}"))]));
    }
    assert_eq!(fences.remembered(), limits::ORDERS_REMEMBERED_MAX);
    assert!(!old.admits(&facts("innocent", &[])), "the order it may need is forgotten");
    assert!(middle.admits(&facts("innocent", &[])));
    assert!(!middle.admits(&facts("k0", &[])));
}

#[test]
fn patterns_and_long_texts_are_bounded_too() {
    let fences = Fences::default();
    let old = fences.begin();
    for i in 0..=limits::WIDE_ORDERS_REMEMBERED_MAX {
        fences.raise(&Order::of(vec![Selector::Prefix(format!("p{i}:"))]));
    }
    assert_eq!(fences.log().wide.len(), limits::WIDE_ORDERS_REMEMBERED_MAX);
    assert!(!old.admits(&facts("innocent", &[])));

    let fences = Fences::default();
    let old = fences.begin();
    let long = "x".repeat(limits::KEY_BYTES_MAX);
    let selectors = (0..=limits::ORDERS_REMEMBERED_BYTES_MAX / limits::KEY_BYTES_MAX)
        .map(|_| Selector::Tag(long.clone()));
    fences.raise(&Order { selectors: selectors.collect(), ..Order::default() });
    assert!(fences.log().text_bytes <= limits::ORDERS_REMEMBERED_BYTES_MAX);
    assert!(!old.admits(&facts("innocent", &[])));
    assert!(fences.begin().admits(&facts("innocent", &[])));
}
