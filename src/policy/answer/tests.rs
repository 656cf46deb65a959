use http::StatusCode;
use proptest::prelude::*;
use sfv::{Item, List, ListEntry, Parser};

use super::*;
use crate::policy::range::{Ranges, ranges};
use crate::policy::testing::{NOW, lines, map};

#[test]
fn age_is_whole_seconds_and_bounded() {
    assert_eq!(age_value(Span::ZERO), "0");
    assert_eq!(age_value(Span::from_millis(1_999)), "1");
    assert_eq!(age_value(Span::FOREVER), "2147483648");
}

fn stored() -> HeaderMap {
    map(&[
        ("content-type", "text/plain"),
        ("content-length", "11"),
        ("etag", "\"a\""),
        ("last-modified", "then"),
        ("date", "now"),
        ("vary", "Foo"),
        ("vary", "Bar"),
        ("cache-control", "max-age=60"),
        ("expires", "later"),
        ("content-location", "/x"),
        ("access-control-allow-origin", "*"),
        ("set-cookie", "a=1"),
        ("content-digest", "sha-256=:x:"),
        ("repr-digest", "sha-256=:y:"),
        ("link", "one"),
        ("link", "two"),
    ])
}

#[test]
fn a_304_guides_the_update_of_the_clients_copy() {
    let head = not_modified(&stored());
    let mut names: Vec<_> = head.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    let expected = [
        "access-control-allow-origin",
        "cache-control",
        "content-location",
        "date",
        "etag",
        "expires",
        "vary",
    ];
    assert_eq!(names, expected);
    assert_eq!(lines(&head, "vary"), ["Foo", "Bar"]);
    let untagged = not_modified(&map(&[("last-modified", "then"), ("content-type", "x")]));
    assert_eq!(lines(&untagged, "last-modified"), ["then"]);
    assert_eq!(untagged.len(), 1);
}

#[test]
fn a_206_says_which_part_it_is() {
    let head = partial_head(&stored(), &(2..5), 11);
    assert_eq!(lines(&head, "content-range"), ["bytes 2-4/11"]);
    assert_eq!(lines(&head, "content-length"), ["3"]);
    assert_eq!(lines(&head, "link"), ["one", "two"]);
    assert_eq!(lines(&head, "repr-digest").len(), 1);
    assert!(lines(&head, "content-digest").is_empty());
    // A stray Content-Range of a stored 200 does not stay beside ours.
    let odd = partial_head(&map(&[("content-range", "nonsense")]), &(0..1), 2);
    assert_eq!(lines(&odd, "content-range"), ["bytes 0-0/2"]);
}

#[test]
fn a_416_says_how_long_it_is() {
    let head = unsatisfiable(&stored(), 11);
    assert_eq!(lines(&head, "content-range"), ["bytes */11"]);
    assert_eq!(lines(&head, "content-length"), ["0"]);
    assert!(!head.contains_key("etag") && !head.contains_key("cache-control"));
}

#[test]
fn a_multipart_body_is_as_long_as_its_head_says() {
    let body = b"hello world";
    let request = map(&[("range", "bytes=6-, 0-1")]);
    let method = http::Method::GET;
    let Ranges::Many(parts) = ranges(&request, &method, StatusCode::OK, &stored(), NOW, 11) else {
        panic!("two ranges were asked for");
    };
    let multipart = Multipart::new(&stored(), &parts, 11, 0xabc);
    let mut sent = Vec::new();
    for range in multipart.ranges() {
        sent.extend_from_slice(&multipart.opening(range));
        sent.extend_from_slice(&body[range.start as usize..range.end as usize]);
    }
    sent.extend_from_slice(&multipart.closing());
    assert_eq!(sent.len() as u64, multipart.total_len());
    let head = multipart.head(&stored());
    assert_eq!(lines(&head, "content-length"), [sent.len().to_string()]);
    let boundary = "cistern-00000000000000000000000000000abc";
    let content_type = format!("multipart/byteranges; boundary={boundary}");
    assert_eq!(lines(&head, "content-type"), [content_type]);
    let part = |place: &str, bytes: &str| {
        format!(
            "\r\n--{boundary}\r\nContent-Type: text/plain\r\nContent-Range: {place}\r\n\r\n{bytes}"
        )
    };
    let expected = part("bytes 6-10/11", "world")
        + &part("bytes 0-1/11", "he")
        + &format!("\r\n--{boundary}--\r\n");
    assert_eq!(String::from_utf8(sent).unwrap(), expected);
}

#[test]
fn a_hit_and_a_miss_as_the_rfc_writes_them() {
    let hit = CacheStatus {
        hit: true,
        fwd: Some(Fwd::Miss),
        ttl: Some(284),
        key: Some("gad:stats:user:2:days:30"),
        detail: &[["L1", ""], ["rule=", "user-stats"]],
        ..CacheStatus::default()
    };
    assert_eq!(
        hit.to_string(),
        "cistern; hit; ttl=284; key=\"gad:stats:user:2:days:30\"; detail=\"L1; rule=user-stats\""
    );
    let miss = CacheStatus {
        fwd: Some(Fwd::UriMiss),
        fwd_status: Some(304),
        stored: true,
        collapsed: true,
        ttl: Some(-12),
        ..CacheStatus::default()
    };
    let text = "cistern; fwd=uri-miss; fwd-status=304; collapsed; stored; ttl=-12";
    assert_eq!(miss.value(), text);
    assert_eq!(CacheStatus::default().to_string(), "cistern");
}

#[test]
fn keys_of_any_bytes_stay_strings() {
    let status = CacheStatus { key: Some("a\"b\\c\n\0ñ~ \u{7f}"), ..CacheStatus::default() };
    assert_eq!(status.to_string(), r#"cistern; key="a\"b\\c%0A%00%C3%B1~ %7F""#);
}

#[test]
fn all_tokens_are_those_of_the_rfc() {
    let all = [
        Fwd::Bypass,
        Fwd::Method,
        Fwd::UriMiss,
        Fwd::VaryMiss,
        Fwd::Miss,
        Fwd::Request,
        Fwd::Stale,
        Fwd::Partial,
    ];
    let words = all.map(Fwd::as_str).join(" ");
    assert_eq!(words, "bypass method uri-miss vary-miss miss request stale partial");
}

proptest! {
    #[test]
    fn whatever_is_said_is_a_structured_field(
        key in any::<String>(), detail in any::<String>(), ttl: i64, hit: bool,
    ) {
        let status = CacheStatus {
            hit,
            fwd: Some(Fwd::Stale),
            ttl: Some(ttl),
            key: Some(&key),
            detail: &[[&detail, ""], ["rule=", &detail]],
            ..CacheStatus::default()
        };
        let list: List = Parser::new(status.value().as_bytes()).parse().unwrap();
        let Some(ListEntry::Item(Item { bare_item, params })) = list.first() else {
            panic!("not an item");
        };
        prop_assert_eq!(list.len(), 1);
        prop_assert_eq!(bare_item.as_token().map(sfv::TokenRef::as_str), Some("cistern"));
        prop_assert_eq!(params.contains_key("hit"), hit);
        prop_assert_eq!(params.contains_key("fwd"), !hit);
        prop_assert!(params.contains_key("key") && params.contains_key("ttl"));
    }
}
