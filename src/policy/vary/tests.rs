use http::HeaderValue;
use proptest::prelude::*;

use super::*;
use crate::policy::law::Overrides;
use crate::policy::testing::map;

fn names(response: &[(&str, &str)]) -> Result<Vec<String>, Reason> {
    names_under(response, &[], &Law::default())
}

fn names_under(
    response: &[(&str, &str)],
    request: &[(&str, &str)],
    law: &Law,
) -> Result<Vec<String>, Reason> {
    let found = vary_names(&map(response), &map(request), law)?;
    Ok(found.iter().map(|name| name.as_str().to_owned()).collect())
}

#[test]
fn names_are_collected_over_lines_in_any_case() {
    assert_eq!(names(&[]), Ok(vec![]));
    let found = names(&[("vary", "Foo, BAR"), ("vary", ", foo ,Baz,")]).unwrap();
    assert_eq!(found, ["foo", "bar", "baz"]);
}

#[test]
fn a_star_anywhere_forbids_reuse() {
    for value in ["*", "*, *", ", *", "*, Foo", "Foo, *", "Foo,*,Bar", "\"a, *"] {
        assert_eq!(names(&[("vary", value)]), Err(Reason::VaryStar), "{value}");
    }
    assert_eq!(names(&[("vary", ""), ("vary", "*")]), Err(Reason::VaryStar));
    assert_eq!(names(&[("vary", "Foo"), ("vary", "*")]), Err(Reason::VaryStar));
}

#[test]
fn what_is_no_name_and_what_is_too_much_forbid_it_too() {
    assert_eq!(names(&[("vary", "foo bar")]), Err(Reason::VaryStar));
    assert_eq!(names(&[("vary", "ü")]), Err(Reason::VaryStar));
    let many = |count: usize| {
        let all: Vec<_> = (0..count).map(|at| format!("x-{at}")).collect();
        names(&[("vary", &all.join(","))])
    };
    assert_eq!(many(VARY_NAMES_MAX).unwrap().len(), VARY_NAMES_MAX);
    assert_eq!(many(VARY_NAMES_MAX + 1), Err(Reason::VaryStar));
}

#[test]
fn a_rule_may_reach_over_vary_but_not_over_what_is_implied() {
    let overrides = Overrides { vary: true, ..Overrides::default() };
    let law = Law { overrides, ..Law::default() };
    assert_eq!(names_under(&[("vary", "*")], &[], &law), Ok(vec![]));
    assert_eq!(names_under(&[("vary", "cookie")], &[], &law), Ok(vec![]));
    let coded = [("vary", "*"), ("content-encoding", "gzip")];
    assert_eq!(names_under(&coded, &[], &law).unwrap(), ["accept-encoding"]);
}

#[test]
fn a_coded_body_varies_without_saying_so() {
    assert_eq!(names(&[("content-encoding", "br")]).unwrap(), ["accept-encoding"]);
    assert_eq!(names(&[("content-encoding", "identity")]), Ok(vec![]));
    let both = [("content-encoding", "br"), ("vary", "Origin")];
    assert_eq!(names(&both).unwrap(), ["origin", "accept-encoding"]);
}

#[test]
fn an_allowed_origin_that_repeats_the_request_varies_too() {
    let law = Law::default();
    let allowed = [("access-control-allow-origin", "https://a.example")];
    let from_a = [("origin", "https://a.example")];
    assert_eq!(names_under(&allowed, &from_a, &law).unwrap(), ["origin"]);
    let from_b = [("origin", "https://b.example")];
    assert_eq!(names_under(&allowed, &from_b, &law), Ok(vec![]));
    assert_eq!(names_under(&allowed, &[], &law), Ok(vec![]));
    let any = [("access-control-allow-origin", "*")];
    assert_eq!(names_under(&any, &from_a, &law), Ok(vec![]));
}

fn same(name: &str, one: &[&str], other: &[&str]) -> bool {
    let fields = |values: &[&str]| {
        let lines: Vec<_> = values.iter().map(|value| (name, *value)).collect();
        map(&lines)
    };
    let name = [HeaderName::from_bytes(name.as_bytes()).unwrap()];
    let (one, other) = (fields(one), fields(other));
    let (first, second) = (Selecting::of(&name, &one), Selecting::of(&name, &other));
    let same = first.matches(&other);
    assert!(first.matches(&one) && second.matches(&other));
    assert_eq!(same, second.matches(&one));
    assert_eq!(same, first == second);
    same
}

#[test]
fn lines_and_white_space_do_not_matter() {
    assert!(same("foo", &["1, 2"], &["1", "2"]));
    assert!(same("foo", &["1,2"], &[" 1,\t2 "]));
    assert!(same("foo", &["1 , 2"], &["1", " 2"]));
    assert!(!same("foo", &["1", "2"], &["1", "3"]));
    assert!(!same("foo", &["1", "2"], &["2", "1"]));
    assert!(!same("foo", &["a"], &["A"]));
    assert!(!same("foo", &["a b"], &["ab"]));
    assert!(!same("foo", &["a  b"], &["a b"]));
    assert!(!same("foo", &["\"a, b\""], &["\"a,b\""]));
    assert!(!same("foo", &["a,"], &["a"]));
    assert!(!same("foo", &["a"], &[]));
    assert!(!same("foo", &[""], &[]));
    assert!(same("foo", &[], &[]));
}

#[test]
fn preferences_have_neither_case_nor_order() {
    for name in ["accept-language", "accept-encoding", "accept-charset"] {
        assert!(same(name, &["en, de"], &["de, en"]), "{name}");
        assert!(same(name, &["en, de"], &["eN, De"]));
        assert!(same(name, &["en, de"], &["", " en ,,   de"]));
        assert!(same(name, &["en;q=1, de; q=0.50"], &["de;Q=0.5", "en"]));
        assert!(same(name, &["en;q=1.000, de;q=0.0"], &["en, de;q=0"]));
        assert!(!same(name, &["en, de"], &["en"]));
        assert!(!same(name, &["en, de;q=0.5"], &["en;q=0.5, de"]));
        assert!(!same(name, &["en;q=0.1"], &["en;q=0.10 1"]));
        assert!(!same(name, &["e n"], &["en"]));
        assert!(!same(name, &["en;q=10"], &["en"]));
        assert!(!same(name, &["gzip;q=0"], &["gzip"]));
    }
    assert!(!same("accept", &["a/b, c/d"], &["c/d, a/b"]));
}

#[test]
fn secrets_and_long_values_are_kept_as_digests() {
    let name = |text: &str| [HeaderName::from_bytes(text.as_bytes()).unwrap()];
    let request = map(&[("cookie", "session=secret"), ("long", &"x".repeat(5_000))]);
    let cookie = Selecting::of(&name("cookie"), &request);
    assert!(!format!("{cookie:?}").contains("secret"));
    assert!(cookie.matches(&request));
    assert!(!cookie.matches(&map(&[("cookie", "session=other")])));
    let long = Selecting::of(&name("long"), &request);
    assert!(long.bytes() < 256);
    assert!(long.matches(&request) && !long.matches(&map(&[("long", "x")])));
}

#[test]
fn without_vary_everything_matches_and_nothing_is_kept() {
    let none = Selecting::of(&[], &map(&[("cookie", "a=b")]));
    assert!(none.matches(&HeaderMap::new()) && none.names().is_empty());
    assert_eq!(none.bytes(), 0);
    assert_eq!(none, Selecting::default());
}

fn field(value: &[u8]) -> HeaderMap {
    let mut fields = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_bytes(value) {
        fields.insert("x", value.clone());
        fields.insert(header::ACCEPT_LANGUAGE, value.clone());
        fields.insert(header::VARY, value);
    }
    fields
}

proptest! {
    #[test]
    fn a_normal_form_is_its_own(value in proptest::collection::vec(prop_oneof![
        Just(b','), Just(b' '), Just(b'"'), Just(b'\\'), Just(b';'), Just(b'='), Just(b'q'),
        Just(b'0'), Just(b'1'), Just(b'.'), any::<u8>(),
    ], 0..24)) {
        let request = field(&value);
        let names = [HeaderName::from_static("x"), header::ACCEPT_LANGUAGE];
        prop_assert!(Selecting::of(&names, &request).matches(&request));
        if let Some(once) = normal(&names[0], &request) {
            prop_assert_eq!(normal(&names[0], &field(&once)), Some(once));
        }
        if let Ok(found) = vary_names(&request, &request, &Law::default()) {
            prop_assert!(found.len() <= VARY_NAMES_MAX && !found.iter().any(|name| name == "*"));
        }
    }

    #[test]
    fn a_star_is_never_overlooked(before in "[a-z,\" ]{0,8}", after in "[a-z,\" ]{0,8}") {
        let fields = field(format!("{before},*,{after}").as_bytes());
        let names = vary_names(&fields, &HeaderMap::new(), &Law::default());
        prop_assert_eq!(names, Err(Reason::VaryStar));
    }
}

#[test]
fn what_was_taken_apart_goes_together_again() {
    let long = "x".repeat(TEXT_BYTES_MAX + 1);
    let said = map(&[("accept", "a/b"), ("x-long", &long), ("cookie", "a=1"), ("x-empty", "")]);
    let names = ["accept", "x-long", "cookie", "x-empty", "x-absent"];
    let selecting = Selecting::of(&names.map(HeaderName::from_static), &said);
    let parts = || selecting.parts().map(|(name, said)| (name.clone(), said));
    assert_eq!(Selecting::of_parts(parts()), Some(selecting.clone()));
    assert!(Selecting::of_parts(parts()).unwrap().matches(&said));
    assert_eq!(Selecting::of_parts([]), Some(Selecting::default()));
}

#[test]
fn parts_that_no_request_makes_are_refused() {
    let accept = header::ACCEPT;
    let long = [b'x'; TEXT_BYTES_MAX + 1];
    let of = |name: &HeaderName, said| Selecting::of_parts([(name.clone(), said)]);
    assert!(of(&accept, Said::Text(&long[1..])).is_some());
    assert!(of(&accept, Said::Text(&long)).is_none());
    assert!(of(&header::COOKIE, Said::Text(b"a=1")).is_none());
    assert!(of(&HeaderName::from_static("*"), Said::Absent).is_none());
    let absent = |name: &HeaderName| (name.clone(), Said::Absent);
    assert!(Selecting::of_parts([absent(&accept), absent(&accept)]).is_none());
    let many = (0..=VARY_NAMES_MAX).map(|at| format!("x-{at}").parse().unwrap());
    let many: Vec<HeaderName> = many.collect();
    assert!(Selecting::of_parts(many.iter().skip(1).map(absent)).is_some());
    assert!(Selecting::of_parts(many.iter().map(absent)).is_none());
}

#[test]
fn only_said_secrets_are_secrets() {
    let holds = |name: &'static str, said: &[(&str, &str)]| {
        Selecting::of(&[HeaderName::from_static(name)], &map(said)).holds_secret()
    };
    for name in ["cookie", "authorization", "x-api-key", "x-amz-security-token"] {
        assert!(holds(name, &[(name, "1")]) && !holds(name, &[]), "{name}");
    }
    assert!(!holds("accept", &[("accept", &"x".repeat(500))]));
}

#[test]
fn a_variant_has_one_name_and_no_other_has_it() {
    let id = |names: &[&'static str], said: &[(&str, &str)]| {
        let names: Vec<_> = names.iter().map(|name| HeaderName::from_static(name)).collect();
        Selecting::of(&names, &map(said)).id()
    };
    assert_eq!(id(&[], &[("accept", "a")]), None);
    let one = id(&["accept-language"], &[("accept-language", "es, en;q=0.5")]).unwrap();
    assert!(one.len() == 16 && one.bytes().all(|byte| byte.is_ascii_hexdigit()), "{one}");
    // It is written into Redis: another program must find it under the same name.
    assert_eq!(one, "a6f86c40a646ed98");
    assert_eq!(id(&["accept-language"], &[("accept-language", "EN;q=0.50,es")]).unwrap(), one);
    let both = [("x-a", "1"), ("x-b", "2")];
    assert_eq!(id(&["x-a", "x-b"], &both), id(&["x-b", "x-a"], &both));
    let all = [
        id(&["x-a"], &both),
        id(&["x-b"], &both),
        id(&["x-a", "x-b"], &both),
        id(&["x-a", "x-b"], &both[..1]),
        id(&["x-a", "x-b"], &both[1..]),
        id(&["x-a", "x-b"], &[("x-a", "2"), ("x-b", "1")]),
        id(&["x-a"], &[("x-a", "")]),
        id(&["x-a"], &[]),
    ];
    let distinct: std::collections::HashSet<_> = all.iter().collect();
    assert_eq!(distinct.len(), all.len());
}
