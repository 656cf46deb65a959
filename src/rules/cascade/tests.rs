use proptest::prelude::*;

use super::*;
use crate::rules::samples::{book, findings};

fn cascades(blocks: &[(&str, &str)]) -> Cascades {
    let block =
        |(when, then): &(&str, &str)| format!("[[cascade]]\nwhen = '{when}'\nthen = {then}\n");
    let text = blocks.iter().map(block).collect::<Vec<_>>().concat();
    book(&text).cascades
}

fn order(selectors: &[&str]) -> Order {
    Order::of(selectors.iter().map(|text| Selector::parse(text).unwrap()))
}

fn follows(cascades: &Cascades, selectors: &[&str]) -> Vec<String> {
    let all = cascades.follow(&order(selectors)).unwrap_or_default();
    let mut all: Vec<_> = all.selectors.iter().map(ToString::to_string).collect();
    all.sort();
    all
}

#[test]
fn parts_are_repeated() {
    let all = cascades(&[("tag:doc:*:*", "['tag:emb:{1}:{2}', 'prefix:list:{1}:']")]);
    let seen = |named: &str| follows(&all, &[named]);
    assert_eq!(seen("tag:doc:acme:7"), ["prefix:list:acme:", "tag:emb:acme:7"]);
    assert_eq!(seen("tag:doc:acme:"), ["prefix:list:acme:", "tag:emb:acme:"]);
    for other in ["tag:doc:acme", "tag:doc:acme:7:x", "key:doc:acme:7", "tag:docs:a:b", "all"] {
        assert_eq!(seen(other), [] as [&str; 0], "{other}");
    }
}

#[test]
fn what_names_more_than_one_thing_makes_all_follow_that_could() {
    let all = cascades(&[
        ("tag:doc:*:*", "['tag:emb:{1}:{2}']"),
        ("key:product_*", "['key:page:{1}', 'prefix:list:{1}']"),
    ]);
    for (named, then) in [
        ("tag:doc:acme:*", &["tag:emb:acme:*"][..]),
        ("tag:doc:*", &["tag:emb:*:*"]),
        ("tag:*", &["tag:emb:*:*"]),
        ("tag:*:7", &["tag:emb:*:*"]),
        ("tag:emb:*", &[]),
        ("prefix:product_", &["pattern:page:*", "prefix:list:"]),
        ("prefix:product_7", &["pattern:page:7*", "prefix:list:7"]),
        ("pattern:*_7", &["pattern:page:*", "prefix:list:"]),
        ("product_7", &["key:page:7", "prefix:list:7"]),
        ("prefix:user_", &[]),
        ("type:product", &[]),
    ] {
        assert_eq!(follows(&all, &[named]), then, "{named}");
    }
}

/// Where literals are no colons, a pattern may be read in more than one way.
#[test]
fn parts_of_a_pattern_are_told_only_where_they_are_certain() {
    let all = cascades(&[("tag:a-*-*", "['tag:b:{1}:{2}']")]);
    assert_eq!(follows(&all, &["tag:a-p-q-x"]), ["tag:b:p:q-x"]);
    assert_eq!(follows(&all, &["tag:a-*-x"]), ["tag:b:*:*"]);
}

#[test]
fn one_may_make_another_follow_and_each_goes_once() {
    let text = "[[cascade]]\nwhen = 'tag:a:*'\nthen = ['tag:b:{1}', 'tag:c:{1}']\n\
                [[cascade]]\nwhen = 'tag:b:*'\nthen = ['tag:c:{1}', 'key:k:{1}']\n\
                [[cascade]]\nwhen = 'tag:c:*'\nthen = 'type:page'\n\
                [[cascade]]\nwhen = 'type:page'\nthen = 'rule:list'\n\
                [type.page]\n[[route]]\nname = 'list'\nmatch = 'GET /list'\n";
    let all = book(text).cascades;
    assert_eq!(
        follows(&all, &["tag:a:1", "tag:c:1"]),
        ["key:k:1", "rule:list", "tag:b:1", "type:page"]
    );
    // What is in the order already needs no word.
    let named = ["tag:a:1", "tag:b:1", "tag:c:1", "key:k:1", "type:page", "rule:list"];
    assert_eq!(all.follow(&order(&named)), None);
}

#[test]
fn what_is_beyond_the_bounds_is_everything() {
    let all = cascades(&[("tag:a:*", "['tag:b:{1}']")]);
    let many = |count: usize| Order::of((0..count).map(|n| Selector::Tag(format!("a:{n}"))));
    let few = all.follow(&many(CASCADE_SELECTORS_MAX)).unwrap();
    assert_eq!(few.selectors.len(), CASCADE_SELECTORS_MAX);
    let everything = Some(Order::of([Selector::All]));
    assert_eq!(all.follow(&many(CASCADE_SELECTORS_MAX + 1)), everything);
    let chain: Vec<_> =
        (0..8).map(|n| (format!("tag:a{n}:*"), format!("['tag:a{}:{{1}}']", n + 1))).collect();
    let chain: Vec<_> = chain.iter().map(|(when, then)| (&**when, &**then)).collect();
    assert_eq!(follows(&cascades(&chain), &["tag:a0:x"]).len(), 8);
}

#[test]
fn what_cannot_be_followed_is_refused() {
    for (when, then, told) in [
        ("tag:a:*", "['tag:a:{1}']", "could follow from itself"),
        ("tag:a:*", "['tag:{1}:a']", "no text stands before"),
        ("tag:a:*", "['tag:*']", "no text stands before"),
        ("tag:a:*", "['prefix:k:']\n[[cascade]]\nwhen='k:*:x'\nthen=['tag:a:b']", "from itself"),
        ("tag:a:*", "['tag:b:{2}']", "there is no part {2}: `when` has one `*`"),
        ("tag:a", "['tag:b:{1}']", "`when` has no `*`"),
        ("tag:a:*", "['tag:b:{x}']", "there is no part {x}"),
        ("tag:a:*", "['tag:b:{1']", "not closed"),
        ("tag:a:*", "['tag:b:1}']", "closing brace"),
        ("tag:a:*", "['url:/a/{1}']", "no url:"),
        ("tag:a:*", "['type:{1}']", "without parts"),
        ("tag:a:*", "['type:nobody']", "no type is called"),
        ("rule:nobody", "['tag:b']", "no route is called"),
        ("prefix:a:", "['tag:b']", "takes key:, tag:, type: or rule:"),
        ("tag:*", "['key:b']", "no text stands before the first `*`"),
        ("tag:a**", "['key:b']", "between two `*`"),
        ("all", "['key:b']", "nothing is left"),
        ("tag:a b", "['key:b']", "printable"),
        ("tag:a", "[]", "is empty"),
    ] {
        let all = findings(&format!("[[cascade]]\nwhen = '{when}'\nthen = {then}\n"));
        assert!(all.iter().any(|one| one.contains(told)), "{when} {then}: {all:#?}");
        assert!(all.iter().all(|one| one.starts_with("error C0")), "{all:#?}");
    }
    let link = |n: u8| format!("[[cascade]]\nwhen = 'tag:a{n}:*'\nthen = 'tag:a{}:{{1}}'\n", n + 1);
    let long = (0..9).map(link).collect::<Vec<_>>().concat();
    assert!(findings(&long)[0].contains("9 cascades follow one another"), "{:?}", findings(&long));
    assert!(findings("[[cascade]]\nwhen = 'tag:a'\n")[0].contains("has no `then`"));
}

proptest! {
    /// What a pattern makes follow holds all that its members make follow.
    #[test]
    fn a_pattern_makes_no_less_follow_than_what_fits_it(
        when in "a(:|-|b)?\\*[:-b]{1,2}\\*?[b:]?",
        tag in "[ab:-]{0,8}",
        cut in prop::collection::vec((0_usize..9, 0_usize..9), 0..3),
    ) {
        prop_assume!(!when.contains("**"));
        let parts = when.matches('*').count();
        let then = if parts == 2 { "['tag:z:{1}:{2}']" } else { "['tag:z:{1}']" };
        let text = format!("[[cascade]]\nwhen = 'tag:{when}'\nthen = {then}\n");
        prop_assume!(findings(&text).iter().all(|one| !one.starts_with("error")));
        let all = book(&text).cascades;
        let mut glob = tag.clone();
        for (from, to) in cut {
            if from <= to && to <= glob.len() {
                glob.replace_range(from..to, "*");
            }
        }
        let exact = all.follow(&Order::of([Selector::Tag(tag.clone())])).unwrap_or_default();
        let glob = Glob::new(&glob);
        prop_assume!(glob.matches(&tag));
        let wide = all.follow(&Order::of([Selector::Tags(glob.clone())])).unwrap_or_default();
        for one in &exact.selectors {
            let Selector::Tag(text) = one else { panic!("{one}") };
            let held = [std::sync::Arc::from(text.as_str())];
            let told = format!("{when} {tag} {glob}: {one} not in {wide:?}");
            prop_assert!(wide.covers("", &held, "", ""), "{}", told);
        }
    }
}
