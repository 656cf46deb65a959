use http::HeaderValue;
use proptest::prelude::*;

use super::*;
use crate::base::names::CDN_CACHE_CONTROL;

fn lines(name: HeaderName, values: &[&[u8]]) -> HeaderMap {
    let mut fields = HeaderMap::new();
    for value in values {
        fields.append(name.clone(), HeaderValue::from_bytes(value).unwrap());
    }
    fields
}

fn said(values: &[&str]) -> ResponseDirectives {
    let values: Vec<_> = values.iter().map(|value| value.as_bytes()).collect();
    ResponseDirectives::of(&lines(header::CACHE_CONTROL, &values), &[])
}

fn max_age(value: &str) -> Seconds {
    said(&[value]).max_age
}

const fn given(secs: u64) -> Seconds {
    Seconds::Given(Span::from_secs(secs))
}

#[test]
fn names_are_known_in_any_case() {
    let directives = said(&["No-StOrE, MaX-aGe=100, PUBLIC, Must-Revalidate"]);
    assert!(directives.no_store && directives.public && directives.must_revalidate);
    assert_eq!(directives.max_age, given(100));
}

#[test]
fn quoted_commas_and_names_are_text() {
    let directives = said(&[r#"x="a, max-age=9, no-store", max-age=1"#]);
    assert_eq!(directives.max_age, given(1));
    assert!(!directives.no_store);
    assert_eq!(max_age(r#"max-age=1, extension="max-age=3600""#), given(1));
    assert_eq!(max_age(r#"extension="max-age=3600", max-age="1""#), given(1));
    assert_eq!(max_age(r#"x="\", max-age=7", max-age=3"#), given(3));
}

#[test]
fn a_stray_byte_drops_nothing() {
    let directives = said(&["private, x=\"ü\"", "max-age=5"]);
    assert_eq!(directives.private, Extent::Whole);
    let fields = lines(header::CACHE_CONTROL, &[b"no-store, x=\xff\xfe, max-age=5"]);
    let directives = ResponseDirectives::of(&fields, &[]);
    assert!(directives.no_store);
    assert_eq!(directives.max_age, given(5));
}

#[test]
fn of_several_values_the_first_counts_on_one_line_or_on_two() {
    assert_eq!(max_age("max-age=1800, max-age=1"), given(1800));
    assert_eq!(max_age("max-age=1, max-age=1800"), given(1));
    assert_eq!(said(&["max-age=1800", "max-age=1"]).max_age, given(1800));
    assert_eq!(said(&["max-age=1", "max-age=1800"]).max_age, given(1));
    assert_eq!(max_age("max-age=x, max-age=1800"), Seconds::Malformed);
}

#[test]
fn numbers_saturate() {
    for (value, secs) in [
        ("max-age=2147483647", 2_147_483_647),
        ("max-age=2147483648", 1 << 31),
        ("max-age=2147483649", 1 << 31),
        ("max-age=99999999999", 1 << 31),
        ("max-age=99999999999999999999999999999999999999", 1 << 31),
        ("max-age=003600", 3_600),
        ("max-age=\"3600\"", 3_600),
        ("max-age=\"\\3\\600\"", 3_600),
    ] {
        assert_eq!(max_age(value), given(secs), "{value}");
    }
}

#[test]
fn malformed_values_are_not_absent() {
    for value in [
        "max-age",
        "max-age=",
        "max-age=''",
        "max-age='3600'",
        "max-age=-1",
        "max-age=+1",
        "max-age=3600.0",
        "max-age=3600.5",
        "max-age=a3600",
        "max-age=3600a",
        "max-age= 3600",
        "max-age =3600",
        "max-age\t=3600",
        "max-age =  3600",
        "max-age=\"3600",
        "max-age=\"3600\"x",
        "max-age=36 00",
        "max-age=\" 3600\"",
    ] {
        assert_eq!(max_age(value), Seconds::Malformed, "{value}");
    }
}

#[test]
fn a_broken_quotation_hides_nothing_that_forbids() {
    for value in [
        "x=\"a, no-store",
        "no-store=\"x",
        "private\", no-store",
        "x=\"a\"b, no-store",
        "x=\"\\, no-store",
        "no-store =x",
        "no-store\t= \"x\"",
    ] {
        assert!(said(&[value]).no_store, "{value}");
    }
    let directives = said(&["x=\"a, max-age=60, public"]);
    assert_eq!(directives.max_age, Seconds::Malformed);
    assert!(!directives.public);
}

#[test]
fn qualified_forms_name_fields_and_unclear_ones_mean_all() {
    let names = |value: &str| said(&[value]).no_cache.fields().to_vec();
    assert_eq!(names("no-cache=\"a\""), ["a"]);
    assert_eq!(names("no-cache=\"a, B\", max-age=5"), ["a", "b"]);
    assert_eq!(names("no-cache=Set-Cookie"), ["set-cookie"]);
    assert_eq!(said(&["no-cache=\"a\"", "no-cache=\"b\""]).no_cache.fields().len(), 2);
    for value in [
        "no-cache",
        "no-cache=\"\"",
        "no-cache=",
        "no-cache=\"ü\"",
        "no-cache=\"a b\"",
        "no-cache=\"a\", no-cache",
        "no-cache, no-cache=\"a\"",
        "no-cache=\"vary\"",
        "no-cache=\"a, Content-Type\"",
        "no-cache=\"a",
    ] {
        assert_eq!(said(&[value]).no_cache, Extent::Whole, "{value}");
    }
    assert_eq!(said(&["private=\"x\""]).private.fields(), ["x"]);
}

#[test]
fn stale_use_is_forbidden_by_four_directives() {
    for value in ["must-revalidate", "proxy-revalidate", "s-maxage=5", "s-maxage=x"] {
        assert!(said(&[value]).forbids_stale(), "{value}");
    }
    assert!(!said(&["max-age=5, public"]).forbids_stale());
}

#[test]
fn windows_are_read_and_malformed_ones_are_shut() {
    let directives = said(&["stale-while-revalidate=60, stale-if-error=\"90\""]);
    assert_eq!(directives.stale_while_revalidate, Some(Span::from_secs(60)));
    assert_eq!(directives.stale_if_error, Some(Span::from_secs(90)));
    let directives = said(&["stale-if-error=x, stale-if-error=60"]);
    assert_eq!(directives.stale_if_error, Some(Span::ZERO));
    assert_eq!(said(&["max-age=1"]).stale_if_error, None);
}

fn targeted(lines_of_cdn: &[&str], cache_control: &str) -> ResponseDirectives {
    let values: Vec<_> = lines_of_cdn.iter().map(|line| line.as_bytes()).collect();
    let mut fields = lines(CDN_CACHE_CONTROL, &values);
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_str(cache_control).unwrap());
    ResponseDirectives::of(&fields, &[CDN_CACHE_CONTROL])
}

#[test]
fn a_targeted_field_replaces_cache_control_in_both_directions() {
    let directives = targeted(&["max-age=10000"], "no-store, private");
    assert!(directives.by_targeted_field && !directives.no_store);
    assert_eq!(directives.private, Extent::Absent);
    assert_eq!(directives.max_age, given(10_000));
    for (line, cache_control) in
        [("no-store", "max-age=10000"), ("private", "max-age=10000"), ("no-cache", "max-age=10000")]
    {
        let directives = targeted(&[line], cache_control);
        assert_eq!(directives.max_age, Seconds::Absent, "{line}");
        assert!(
            directives.no_store
                || directives.private == Extent::Whole
                || directives.no_cache == Extent::Whole
        );
    }
    assert_eq!(targeted(&["foobar", "max-age=3600"], "max-age=1").max_age, given(3_600));
    assert_eq!(targeted(&["max-age=99999999999"], "x").max_age, given(1 << 31));
    assert_eq!(targeted(&["no-cache=\"a, b\""], "x").no_cache.fields(), ["a", "b"]);
    assert!(!targeted(&["no-store=?0, max-age=5"], "x").no_store);
}

#[test]
fn a_targeted_field_that_is_no_dictionary_is_not_there() {
    for line in
        ["max-age=10000, &&&&&", "MaX-aGe=3600", "max-age= 100", "max-age =100", "", "\"x\""]
    {
        let directives = targeted(&[line], "no-store");
        assert!(directives.no_store && !directives.by_targeted_field, "{line}");
    }
}

#[test]
fn a_targeted_number_of_the_wrong_type_is_no_lifetime() {
    for line in ["max-age=\"10000\"", "max-age=1.5", "max-age=-1", "max-age", "max-age=(1 2)"] {
        let directives = targeted(&[line], "max-age=60");
        assert_eq!(directives.max_age, Seconds::Malformed, "{line}");
    }
}

#[test]
fn the_first_valid_targeted_field_wins() {
    let ours = HeaderName::from_static("cistern-cache-control");
    let mut fields = lines(CDN_CACHE_CONTROL, &[b"max-age=1"]);
    fields.insert(&ours, HeaderValue::from_static("max-age=2"));
    let list = [ours.clone(), CDN_CACHE_CONTROL];
    assert_eq!(ResponseDirectives::of(&fields, &list).max_age, given(2));
    fields.insert(&ours, HeaderValue::from_static("max-age=2,"));
    assert_eq!(ResponseDirectives::of(&fields, &list).max_age, given(1));
}

fn wishes(values: &[&str], obey: bool) -> RequestDirectives {
    let values: Vec<_> = values.iter().map(|value| value.as_bytes()).collect();
    RequestDirectives::of(&lines(header::CACHE_CONTROL, &values), obey)
}

#[test]
fn clients_are_heard() {
    let all = wishes(&["No-Cache, no-store, max-age=\"5\"", "min-fresh=6,max-stale=7"], true);
    assert!(all.no_cache && all.no_store && !all.only_if_cached);
    assert_eq!(all.max_age, Some(Span::from_secs(5)));
    assert_eq!(all.min_fresh, Some(Span::from_secs(6)));
    assert_eq!(all.max_stale, Some(Span::from_secs(7)));
    assert_eq!(wishes(&["max-stale"], true).max_stale, Some(Span::FOREVER));
    assert_eq!(wishes(&["max-stale=x, max-age=y"], true), RequestDirectives::default());
    assert_eq!(wishes(&["nothing-to-see-here"], true), RequestDirectives::default());
}

#[test]
fn clients_that_are_not_obeyed_may_still_forbid_a_fetch() {
    let heard = wishes(&["no-cache, no-store, max-age=0, only-if-cached, max-stale"], false);
    assert_eq!(heard, RequestDirectives { only_if_cached: true, ..Default::default() });
}

#[test]
fn pragma_counts_only_where_cache_control_is_missing() {
    let mut fields = lines(header::PRAGMA, &[b"x, No-Cache"]);
    assert!(RequestDirectives::of(&fields, true).no_cache);
    assert!(!RequestDirectives::of(&fields, false).no_cache);
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("max-stale=1"));
    assert!(!RequestDirectives::of(&fields, true).no_cache);
    assert!(!RequestDirectives::of(&lines(header::PRAGMA, &[b"xno-cachex"]), true).no_cache);
    assert_eq!(ResponseDirectives::of(&lines(header::PRAGMA, &[b"no-cache"]), &[]), said(&[]));
}

/// What a reader without any notion of quotes finds in the lower-cased, joined line.
fn plainly_forbids(values: &[Vec<u8>]) -> bool {
    let joined = values.join(&b","[..]).to_ascii_lowercase();
    joined.split(|byte| *byte == b',').any(|member| member.trim_ascii() == b"no-store")
}

fn field_value() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"No-Store".to_vec()),
        Just(b"max-age=60".to_vec()),
        Just(b"private=\"a\"".to_vec()),
        Just(b",".to_vec()),
        Just(b" ".to_vec()),
        Just(b"=".to_vec()),
        Just(b"\\".to_vec()),
        Just(b"\"".to_vec()),
        proptest::collection::vec(128_u8..=255, 0..3),
        "[a-z-]{0,6}".prop_map(String::into_bytes),
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_bytes_are_read(value in proptest::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(value) = HeaderValue::from_bytes(&value) {
            for name in [header::CACHE_CONTROL, CDN_CACHE_CONTROL, header::PRAGMA] {
                let fields = lines(name, &[value.as_bytes()]);
                let _ = ResponseDirectives::of(&fields, &[CDN_CACHE_CONTROL]);
                let _ = RequestDirectives::of(&fields, true);
            }
        }
    }

    /// Only a whole, well-formed quotation takes `no-store` its force.
    #[test]
    fn what_forbids_is_heard(values in proptest::collection::vec(field_value(), 1..4)) {
        let refs: Vec<_> = values.iter().map(Vec::as_slice).collect();
        let directives = ResponseDirectives::of(&lines(header::CACHE_CONTROL, &refs), &[]);
        let quoted = values.iter().any(|value| value.contains(&b'"'));
        if plainly_forbids(&values) && !quoted {
            prop_assert!(directives.no_store);
        }
        let unclosed = values.iter().all(|value| value.split(|byte| *byte == b'"').count() <= 2);
        if plainly_forbids(&values) && unclosed {
            prop_assert!(directives.no_store);
        }
    }
}
