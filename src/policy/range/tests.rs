use proptest::prelude::*;

use super::*;
use crate::policy::testing::{NOW, date, map};

fn asked(lines: &[(&str, &str)]) -> Ranges {
    let stored = map(&[("etag", "\"v1\""), ("last-modified", &date(-600))]);
    ranges(&map(lines), &Method::GET, StatusCode::OK, &stored, NOW, 11)
}

fn range(value: &str) -> Ranges {
    asked(&[("range", value)])
}

#[test]
fn single_ranges_in_all_three_forms() {
    for (value, expected) in [
        ("bytes=0-1", 0..2),
        ("bytes=1-", 1..11),
        ("bytes=-1", 10..11),
        ("bytes=-99", 0..11),
        ("bytes=5-99", 5..11),
        ("bytes=10-10", 10..11),
        ("bytes=0-", 0..11),
        ("BYTES=0-0", 0..1),
        ("bytes= 0-0 , ", 0..1),
        ("bytes=3-18446744073709551615", 3..11),
        ("bytes=3-99999999999999999999999", 3..11),
        ("bytes=0-1, 50-60", 0..2),
    ] {
        assert_eq!(range(value), Ranges::One(expected), "{value}");
    }
}

#[test]
fn what_does_not_exist_is_unsatisfiable() {
    for value in
        ["bytes=11-", "bytes=11-20", "bytes=-0", "bytes=20-30, 40-", "bytes=99999999999999999999-"]
    {
        assert_eq!(range(value), Ranges::Unsatisfiable, "{value}");
    }
}

#[test]
fn what_is_malformed_or_of_another_unit_is_ignored() {
    for value in [
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=a-b",
        "bytes=2-1",
        "bytes=0-1,x",
        "bytes=0 - 1",
        "bytes=--1",
        "bytes=+1-2",
        "bytes 0-1",
        "bytes =0-1",
        "lines=0-1",
        "0-1",
    ] {
        assert_eq!(range(value), Ranges::Whole, "{value}");
    }
    assert_eq!(asked(&[("range", "bytes=0-1"), ("range", "bytes=0-1")]), Ranges::Whole);
    assert_eq!(asked(&[]), Ranges::Whole);
}

#[test]
fn several_ranges_keep_their_order_and_excess_gets_the_whole() {
    let many = |all: &[Range<u64>]| Ranges::Many(all.iter().cloned().collect());
    assert_eq!(range("bytes=5-6, 0-1"), many(&[5..7, 0..2]));
    assert_eq!(range("bytes=0-0,-1"), many(&[0..1, 10..11]));
    assert_eq!(range("bytes=0-1,2-3"), many(&[0..2, 2..4]));
    assert_eq!(range("bytes=0-5, 3-6"), Ranges::Whole);
    assert_eq!(range("bytes=0-1, 0-1"), Ranges::Whole);
    assert_eq!(range("bytes=0-5, 6-"), Ranges::Whole);
    let too_many = format!("bytes={}", ["0-0"; RANGES_MAX + 1].join(","));
    assert_eq!(range(&too_many), Ranges::Whole);
}

#[test]
fn only_get_and_only_200_are_cut() {
    let request = map(&[("range", "bytes=0-1")]);
    let stored = map(&[]);
    let cut = |method, status| ranges(&request, &method, status, &stored, NOW, 11);
    assert_eq!(cut(Method::GET, StatusCode::OK), Ranges::One(0..2));
    assert_eq!(cut(Method::HEAD, StatusCode::OK), Ranges::Whole);
    assert_eq!(cut(Method::POST, StatusCode::OK), Ranges::Whole);
    assert_eq!(cut(Method::GET, StatusCode::NOT_FOUND), Ranges::Whole);
    assert_eq!(ranges(&request, &Method::GET, StatusCode::OK, &stored, NOW, 0), Ranges::Whole);
}

#[test]
fn if_range_compares_strongly() {
    let with = |value: &str| asked(&[("range", "bytes=0-1"), ("if-range", value)]);
    let (met, unmet) = (Ranges::One(0..2), Ranges::Whole);
    assert_eq!(with("\"v1\""), met);
    assert_eq!(with(&date(-600)), met);
    for value in
        ["\"v2\"", "W/\"v1\"", "v1", "", &date(-601), &date(-599), &date(0), "\"v1\", \"v2\""]
    {
        assert_eq!(with(value), unmet, "{value}");
    }
    let twice = [("range", "bytes=0-1"), ("if-range", "\"v1\""), ("if-range", "\"v1\"")];
    assert_eq!(asked(&twice), unmet);
    let request = map(&[("range", "bytes=99-"), ("if-range", "\"v2\"")]);
    let stored = map(&[("etag", "\"v1\"")]);
    assert_eq!(ranges(&request, &Method::GET, StatusCode::OK, &stored, NOW, 11), unmet);
}

#[test]
fn weak_tags_and_recent_dates_do_not_tell_versions_apart() {
    let one = |stored: &[(&str, &str)], if_range: &str| {
        let request = map(&[("range", "bytes=0-1"), ("if-range", if_range)]);
        ranges(&request, &Method::GET, StatusCode::OK, &map(stored), NOW, 11)
    };
    assert_eq!(one(&[("etag", "W/\"v1\"")], "W/\"v1\""), Ranges::Whole);
    assert_eq!(one(&[("etag", "v1")], "v1"), Ranges::Whole);
    assert_eq!(one(&[("last-modified", &date(-59))], &date(-59)), Ranges::Whole);
    assert_eq!(one(&[("last-modified", &date(-60))], &date(-60)), Ranges::One(0..2));
    assert_eq!(one(&[], "\"v1\""), Ranges::Whole);
}

proptest! {
    #[test]
    fn any_bytes_give_ranges_within_the_body(
        value in proptest::collection::vec(32_u8..=255, 0..40), len: u64,
    ) {
        check(&value, len)?;
    }

    #[test]
    fn nearly_ranges_too(value in "bytes=([0-9]{0,3}-[0-9]{0,3},?){1,20}", len in 0_u64..50) {
        check(value.as_bytes(), len)?;
    }
}

fn check(value: &[u8], len: u64) -> Result<(), TestCaseError> {
    let mut request = HeaderMap::new();
    if let Ok(value) = http::HeaderValue::from_bytes(value) {
        request.insert(header::RANGE, value);
    }
    let all = match ranges(&request, &Method::GET, StatusCode::OK, &HeaderMap::new(), NOW, len) {
        Ranges::Whole | Ranges::Unsatisfiable => SmallVec::new(),
        Ranges::One(range) => SmallVec::from_iter([range]),
        Ranges::Many(ranges) => {
            prop_assert!(ranges.len() > 1);
            ranges
        }
    };
    prop_assert!(all.iter().all(|range| range.start < range.end && range.end <= len));
    let total: u64 = all.iter().map(|range| range.end - range.start).sum();
    prop_assert!(all.len() < 2 || total < len);
    Ok(())
}
