use proptest::prelude::*;

use super::*;
use crate::policy::manner::Profile;
use crate::policy::testing::{NOW, date, lines, map};

fn condition_lines(stored: &[(&str, &str)]) -> Vec<(String, String)> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let found = conditions(&map(stored));
    found.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect()
}

#[test]
fn both_validators_are_asked_about_as_they_were_given() {
    let modified = date(-50);
    let asked = condition_lines(&[("etag", "W/\"a\""), ("last-modified", &modified)]);
    let expected =
        [("if-none-match", "W/\"a\"".to_owned()), ("if-modified-since", modified.clone())];
    assert_eq!(asked, expected.map(|(name, value)| (name.to_owned(), value)));
    assert_eq!(condition_lines(&[("date", &modified)]), []);
    assert_eq!(condition_lines(&[("last-modified", "yesterday")]), []);
    assert!(has_validator(&map(&[("etag", "\"a\"")])));
    assert!(has_validator(&map(&[("last-modified", &modified)])));
    assert!(!has_validator(&map(&[("date", &modified)])));
}

#[test]
fn a_tag_that_could_be_taken_for_several_is_not_sent() {
    for tag in ["*", "", "a, b", "\"a", "\"a\", \"b\"", "a b", "a\"b\""] {
        assert_eq!(condition_lines(&[("etag", tag)]), [], "{tag}");
    }
    for tag in ["abcdef", "\"\"", "\"a, b\"", "W/\"x\"", "\"ü\""] {
        assert_eq!(condition_lines(&[("etag", tag)]).len(), 1, "{tag}");
    }
}

#[test]
fn several_variants_are_asked_about_at_once() {
    let variants = [map(&[("etag", "\"a\"")]), map(&[]), map(&[("etag", "W/\"b\"")])];
    assert_eq!(tags_of(variants.iter().chain(&variants)).unwrap(), "\"a\", W/\"b\"");
    assert_eq!(tags_of(std::iter::empty()), None);
}

#[test]
fn only_the_conditions_that_a_cache_answers_are_taken_off() {
    let mut request = map(&[
        ("if-none-match", "\"a\""),
        ("if-modified-since", "x"),
        ("if-range", "\"a\""),
        ("range", "bytes=0-1"),
        ("if-match", "\"a\""),
        ("accept", "*/*"),
    ]);
    strip_conditions(&mut request);
    let mut left: Vec<_> = request.keys().map(HeaderName::as_str).collect();
    left.sort_unstable();
    assert_eq!(left, ["accept", "if-match"]);
    assert!(has_preconditions(&request));
    assert!(has_preconditions(&map(&[("if-unmodified-since", "x")])));
    assert!(!has_preconditions(&map(&[("if-none-match", "x")])));
}

#[test]
fn a_304_renews_what_it_speaks_of() {
    let (old, new) = (date(-500), date(-5));
    let speaks = |stored: &[(&str, &str)], answer: &[(&str, &str)]| {
        renewal(&map(stored), &map(answer)) == Renewal::Renewed
    };
    let strong = [("etag", "\"a\"")];
    let weak = [("etag", "W/\"a\"")];
    // Without a validator it is about what was asked.
    assert!(speaks(&strong, &[]));
    assert!(speaks(&[("last-modified", &old)], &[]));
    assert!(speaks(&strong, &strong));
    assert!(speaks(&strong, &weak));
    assert!(speaks(&weak, &weak));
    // A strong tag must be the same strong tag (RFC 9111, 4.3.4).
    assert!(!speaks(&weak, &strong));
    assert!(!speaks(&strong, &[("etag", "\"b\"")]));
    assert!(!speaks(&strong, &[("etag", "W/\"b\"")]));
    assert!(!speaks(&[("last-modified", &old)], &strong));
    // A tag decides before a date.
    assert!(speaks(
        &[("etag", "\"a\""), ("last-modified", &old)],
        &[("etag", "\"a\""), ("last-modified", &new)],
    ));
    assert!(speaks(&[("last-modified", &old)], &[("last-modified", &old)]));
    assert!(!speaks(&[("last-modified", &old)], &[("last-modified", &new)]));
    assert!(speaks(&strong, &[("last-modified", &new)]));
    // An odd tag that comes back byte for byte is the one we asked about.
    assert!(speaks(&[("etag", "abc")], &[("etag", "abc")]));
}

#[test]
fn a_304_adds_and_replaces_with_all_lines() {
    let stored = map(&[
        ("etag", "\"a\""),
        ("date", "old"),
        ("link", "one"),
        ("link", "two"),
        ("kept", "as it was"),
        ("cache-control", "max-age=1"),
        ("content-length", "5"),
        ("content-encoding", "gzip"),
        ("content-type", "text/plain"),
    ]);
    let answer = map(&[
        ("date", "new"),
        ("link", "three"),
        ("link", "four"),
        ("added", "x"),
        ("cache-control", "max-age=9"),
        ("content-length", "0"),
        ("content-encoding", "br"),
        ("content-range", "bytes 0-1/2"),
        ("content-md5", "x"),
        ("content-type", "text/html"),
        ("etag", "W/\"a\""),
        ("connection", "hop, keep-alive"),
        ("hop", "1"),
        ("keep-alive", "5"),
        ("cache-status", "behind; hit"),
        ("age", "7"),
    ]);
    let merged = merge(&stored, &answer, &Manner::of(Profile::Rfc));
    for (name, expected) in [
        ("date", vec!["new"]),
        ("link", vec!["three", "four"]),
        ("kept", vec!["as it was"]),
        ("added", vec!["x"]),
        ("cache-control", vec!["max-age=9"]),
        ("content-length", vec!["5"]),
        ("content-encoding", vec!["gzip"]),
        ("content-range", vec![]),
        ("content-md5", vec![]),
        ("content-type", vec!["text/html"]),
        ("etag", vec!["\"a\""]),
        ("hop", vec![]),
        ("keep-alive", vec![]),
        ("connection", vec![]),
        ("cache-status", vec![]),
        ("age", vec!["7"]),
    ] {
        assert_eq!(lines(&merged, name), expected, "{name}");
    }
}

#[test]
fn fields_keep_their_places() {
    let stored = map(&[("a", "1"), ("date", "old"), ("b", "1"), ("c", "1"), ("b", "2")]);
    let answer = map(&[("d", "2"), ("c", "2"), ("date", "new")]);
    let merged = merge(&stored, &answer, &Manner::default());
    let names: Vec<_> = merged.keys().map(HeaderName::as_str).collect();
    assert_eq!(names, ["a", "date", "b", "c", "d"]);
}

#[test]
fn an_old_date_does_not_survive_a_304_without_one() {
    let merged = merge(&map(&[("date", "old"), ("age", "99")]), &map(&[]), &Manner::default());
    assert!(merged.is_empty());
}

#[test]
fn cookies_of_a_304_are_its_own_clients_where_none_are_kept() {
    let stored = map(&[("etag", "\"a\"")]);
    let answer = map(&[("set-cookie", "a=1"), ("set-cookie", "b=2")]);
    let merged = |profile| lines(&merge(&stored, &answer, &Manner::of(profile)), "set-cookie");
    assert!(merged(Profile::Safe).is_empty());
    assert_eq!(merged(Profile::Rfc), ["a=1", "b=2"]);
}

fn meets(request: &[(&str, &str)], stored: &[(&str, &str)]) -> Condition {
    condition(&map(request), &Method::GET, StatusCode::OK, &map(stored), NOW)
}

#[test]
fn tags_of_clients_compare_weakly() {
    use Condition::{Modified, Unmodified};
    for (asked, tag, expected) in [
        ("\"a\"", "\"a\"", Unmodified),
        ("W/\"a\"", "\"a\"", Unmodified),
        ("\"a\"", "W/\"a\"", Unmodified),
        ("\"x\", \"a\", \"y\"", "\"a\"", Unmodified),
        ("\"x, \\\", \"a\"", "\"a\"", Modified),
        ("*", "\"a\"", Unmodified),
        ("\"b\"", "\"a\"", Modified),
        ("\"*\"", "\"a\"", Modified),
        ("\"A\"", "\"a\"", Modified),
        ("a", "\"a\"", Modified),
        ("\"a, b\"", "\"a, b\"", Unmodified),
        ("\"ü\"", "\"ü\"", Unmodified),
        ("abc", "abc", Unmodified),
        ("w/\"a\"", "w/\"a\"", Unmodified),
        ("", "\"a\"", Modified),
    ] {
        assert_eq!(meets(&[("if-none-match", asked)], &[("etag", tag)]), expected, "{asked}");
    }
    let lines = [("if-none-match", "\"x\""), ("if-none-match", "\"a\"")];
    assert_eq!(meets(&lines, &[("etag", "\"a\"")]), Unmodified);
    assert_eq!(meets(&[("if-none-match", "\"a\"")], &[]), Modified);
    assert_eq!(meets(&[("if-none-match", "*")], &[]), Unmodified);
}

#[test]
fn a_tag_overrides_a_date() {
    let (old, new) = (date(-5_000), date(-1));
    let stored = [("etag", "\"a\""), ("last-modified", &*old)];
    let both = |tag| [("if-none-match", tag), ("if-modified-since", &*new)];
    assert_eq!(meets(&both("\"b\""), &stored), Condition::Modified);
    let early = date(-9_000);
    let request = [("if-none-match", "\"a\""), ("if-modified-since", early.as_str())];
    assert_eq!(meets(&request, &stored), Condition::Unmodified);
}

#[test]
fn dates_compare_with_the_last_change_and_otherwise_with_date() {
    use Condition::{Absent, Modified, Unmodified};
    let modified = date(-3_000);
    let stored = [("last-modified", modified.as_str())];
    for (since, expected) in
        [(-3_000, Unmodified), (-2_000, Unmodified), (-3_001, Modified), (60, Unmodified)]
    {
        assert_eq!(meets(&[("if-modified-since", &date(since))], &stored), expected, "{since}");
    }
    // RFC 9111, 4.3.2: without Last-Modified the Date of the stored answer is compared.
    assert_eq!(meets(&[("if-modified-since", &date(0))], &[]), Unmodified);
    assert_eq!(meets(&[("if-modified-since", &date(-3_000))], &[]), Modified);
    let rfc850 = "Friday, 20-Nov-26 11:10:00 GMT";
    assert_eq!(meets(&[("if-modified-since", rfc850)], &stored), Unmodified);
    assert_eq!(meets(&[("if-modified-since", "soon")], &stored), Absent);
    let twice = date(0);
    let lines = [("if-modified-since", &*twice), ("if-modified-since", &*twice)];
    assert_eq!(meets(&lines, &stored), Absent);
    assert_eq!(meets(&[], &stored), Absent);
}

#[test]
fn conditions_count_for_reads_of_successes() {
    let request = map(&[("if-none-match", "*")]);
    let stored = map(&[("etag", "\"a\"")]);
    let check = |method, status| condition(&request, &method, status, &stored, NOW);
    assert_eq!(check(Method::HEAD, StatusCode::OK), Condition::Unmodified);
    assert_eq!(check(Method::GET, StatusCode::NO_CONTENT), Condition::Unmodified);
    assert_eq!(check(Method::POST, StatusCode::OK), Condition::Absent);
    assert_eq!(check(Method::GET, StatusCode::NOT_FOUND), Condition::Absent);
    assert_eq!(check(Method::GET, StatusCode::MOVED_PERMANENTLY), Condition::Absent);
}

#[test]
fn a_head_updates_or_outdates() {
    use HeadEffect::{Nothing, Outdated, Update};
    let (old, new) = (date(-500), date(-5));
    let stored = map(&[("etag", "\"a\""), ("last-modified", &old), ("content-encoding", "gzip")]);
    for (answer, expected) in [
        (vec![], Update),
        (vec![("etag", "\"a\""), ("last-modified", &*old), ("content-length", "11")], Update),
        (vec![("etag", "\"b\"")], Outdated),
        (vec![("etag", "W/\"a\"")], Outdated),
        (vec![("last-modified", &*new)], Outdated),
        (vec![("content-length", "12")], Outdated),
        (vec![("content-length", "x")], Outdated),
        (vec![("content-encoding", "gzip")], Update),
        (vec![("content-encoding", "br")], Outdated),
    ] {
        let effect = head_effect(&stored, 11, StatusCode::OK, &map(&answer));
        assert_eq!(effect, expected, "{answer:?}");
    }
    for status in [StatusCode::NOT_MODIFIED, StatusCode::GONE, StatusCode::BAD_GATEWAY] {
        assert_eq!(head_effect(&stored, 11, status, &map(&[("etag", "\"b\"")])), Nothing);
    }
    assert_eq!(head_effect(&map(&[]), 1, StatusCode::OK, &map(&[("etag", "\"b\"")])), Outdated);
}

proptest! {
    #[test]
    fn any_bytes_are_compared(
        one in proptest::collection::vec(32_u8..=255, 0..24),
        other in proptest::collection::vec(32_u8..=255, 0..24),
    ) {
        let fields = |name: &HeaderName, value: &[u8]| {
            let value = HeaderValue::from_bytes(value);
            value.map(|value| HeaderMap::from_iter([(name.clone(), value)])).unwrap_or_default()
        };
        let stored = fields(&header::ETAG, &one);
        prop_assert_eq!(renewal(&stored, &stored), Renewal::Renewed);
        let _ = renewal(&stored, &fields(&header::ETAG, &other));
        let _ = conditions(&stored);
        for name in [header::IF_NONE_MATCH, header::IF_MODIFIED_SINCE] {
            let _ = condition(&fields(&name, &other), &Method::GET, StatusCode::OK, &stored, NOW);
        }
    }

    #[test]
    fn merging_twice_changes_nothing(names in proptest::collection::vec("[a-e]", 0..8)) {
        let stored: Vec<_> = names.iter().map(|name| (name.as_str(), "old")).collect();
        let answer: Vec<_> = names.iter().skip(2).map(|name| (name.as_str(), "new")).collect();
        let (stored, answer) = (map(&stored), map(&answer));
        let once = merge(&stored, &answer, &Manner::default());
        prop_assert_eq!(merge(&once, &answer, &Manner::default()), once);
    }
}
