use proptest::prelude::*;

use super::*;

fn tags(names: &[&str]) -> Vec<Arc<str>> {
    names.iter().map(|name| Arc::from(*name)).collect()
}

#[test]
fn every_kind_parses_and_prints_back() {
    let texts = [
        "key:gad:stats:user:2",
        "prefix:gad:",
        "pattern:producto_*",
        "tag:rut:1",
        "tag:doc:*:7",
        "type:dte",
        "rule:read-dte",
        "tenant:acme%20b",
        "url:/a?b=1",
        "url:https://shop.example/a?b=1",
        "all",
    ];
    for text in texts {
        assert_eq!(Selector::parse(text).unwrap().to_string(), text);
    }
}

#[test]
fn bare_text_is_a_key_and_with_a_star_a_pattern() {
    assert_eq!(Selector::parse("stats:user:2").unwrap(), Selector::Key("stats:user:2".into()));
    assert_eq!(Selector::parse("dte:76*").unwrap(), Selector::Pattern(Glob::new("dte:76*")));
    assert_eq!(Selector::parse("key:dte:76*").unwrap(), Selector::parse("dte:76*").unwrap());
    assert_eq!(Selector::parse("all:1").unwrap(), Selector::Key("all:1".into()));
}

#[test]
fn what_names_nothing_or_everything_by_accident_is_refused() {
    for text in ["", "key:", "prefix:", "pattern:", "tag:", "type:", "rule:", "url:", "tenant:"] {
        assert!(matches!(Selector::parse(text), Err(SelectorError::Empty(_))), "{text}");
    }
    assert_eq!(Selector::parse("key:a b"), Err(SelectorError::Unescaped));
    assert_eq!(Selector::parse("key:año"), Err(SelectorError::Unescaped));
    assert!(matches!(Selector::parse("url:a"), Err(SelectorError::NotATarget(_))));
    for (word, first) in [("", "a"), ("key:", "a"), ("tag:", "a"), ("url:", "/")] {
        let text = |bytes: usize| format!("{word}{first}{}", "a".repeat(bytes - 1));
        assert!(Selector::parse(&text(KEY_BYTES_MAX)).is_ok(), "{word}");
        let told = Selector::parse(&text(KEY_BYTES_MAX + 1));
        assert_eq!(told, Err(SelectorError::TooLong), "{word}");
    }
}

#[test]
fn selectors_cover_what_they_name_and_nothing_else() {
    let seen = tags(&["rut:1", "doc:a:7"]);
    let covers = |text: &str| Selector::parse(text).unwrap().covers("dte:7", &seen, "dte", "read");
    for text in
        ["key:dte:7", "prefix:dte:", "dte:*", "tag:rut:1", "tag:doc:*:7", "type:dte", "rule:read"]
    {
        assert!(covers(text), "{text}");
    }
    for text in ["key:dte:70", "prefix:dte:70", "dte:*0", "tag:rut:", "tag:doc:*:8", "type:d"] {
        assert!(!covers(text), "{text}");
    }
    assert!(covers("all"));
    assert!(Order::of([Selector::Key("x".into()), Selector::All]).covers("y", &[], "", ""));
    assert!(!Order::default().covers("y", &[], "", ""));
}

#[test]
fn a_tenant_is_named_by_itself_alone() {
    let own = tags(&["rut:1", ">@acme"]);
    let covers = |text: &str| Selector::parse(text).unwrap().covers("k", &own, "", "");
    assert!(covers("tenant:acme") && covers("tag:rut:1"));
    for text in ["tenant:acm", "tenant:acme-2", "tag:acme", "tag:*acme", "tag:>*"] {
        assert!(!covers(text), "{text}");
    }
    let named = Selector::parse("tenant:acme").unwrap();
    assert_eq!((named.tenant(), named.is_said()), (Some("acme"), true));
    assert!(!Selector::parse("tag:*").unwrap().holds(&named) && named.holds(&named));
    assert!(Selector::All.holds(&named) && !named.holds(&Selector::parse("tag:a").unwrap()));
    for wrong in ["tenant:a*", "tenant:a/b", "tenant:a:b"] {
        assert!(matches!(Selector::parse(wrong), Err(SelectorError::NoTenant(_))), "{wrong}");
    }
}

#[test]
fn the_escaped_star_is_a_star_and_no_wildcard() {
    let one = Selector::parse("key:producto_7%3A%2A").unwrap();
    assert!(one.covers("producto_7%3A%2A", &[], "", ""));
    assert!(!one.covers("producto_7%3Ax", &[], "", ""));
}

#[test]
fn globs_do_not_overlap_their_ends() {
    assert!(!Glob::new("ab*ba").matches("aba"));
    assert!(Glob::new("ab*ba").matches("abba"));
    assert!(Glob::new("*").matches(""));
    assert!(Glob::new("a**b").matches("ab"));
    assert!(!Glob::new("").matches("a"));
    assert_eq!(Glob::new("a:*b*").prefix(), "a:");
}

/// The plain definition, exponential and obviously right.
fn slow_match(pattern: &[u8], text: &[u8]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((b'*', rest)) => (0..=text.len()).any(|n| slow_match(rest, &text[n..])),
        Some((byte, rest)) => {
            text.split_first().is_some_and(|(b, t)| b == byte && slow_match(rest, t))
        }
    }
}

proptest! {
    #[test]
    fn globs_agree_with_their_definition(pattern in "[ab*]{0,8}", text in "[ab]{0,10}") {
        prop_assert_eq!(
            Glob::new(&pattern).matches(&text),
            slow_match(pattern.as_bytes(), text.as_bytes())
        );
    }

    #[test]
    fn any_selector_round_trips(
        text in "(key:|prefix:|pattern:|tag:|tag:>@|type:|rule:|tenant:|url:/|)[!-~]{1,24}",
    ) {
        if let Ok(one) = Selector::parse(&text) {
            prop_assert_eq!(Selector::parse(&one.to_string()).unwrap(), one);
        }
    }

    #[test]
    fn no_text_panics(text in any::<String>()) {
        drop(Selector::parse(&text));
    }
}
