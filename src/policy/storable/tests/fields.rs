//! What of an answer goes into the entry.

use http::HeaderName;

use crate::policy::law::{CookieStrip, Law};
use crate::policy::testing::*;

const FRESH: (&str, &str) = ("cache-control", "max-age=60");

#[test]
fn lines_stay_as_they_came() {
    let scene = Scene::with(&[
        ("z", "1"),
        FRESH,
        ("date", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ("connection", "close"),
        ("set-cookie", "a=1"),
        ("link", "one"),
        ("set-cookie", "b=2"),
        ("a", "1"),
        ("expires", &date(9_999_999)),
        ("link", "two"),
        ("warning", "199 - odd"),
    ]);
    let scene = Scene { response: long_lived(scene.response), ..scene };
    let stored = scene.stored();
    assert_eq!(lines(&stored, "set-cookie"), ["a=1", "b=2"]);
    assert_eq!(lines(&stored, "link"), ["one", "two"]);
    assert_eq!(lines(&stored, "warning"), ["199 - odd"]);
    let names: Vec<_> = stored.keys().map(HeaderName::as_str).collect();
    let expected = ["z", "cache-control", "date", "set-cookie", "link", "a", "expires", "warning"];
    assert_eq!(names, expected);
}

/// An answer of 1994 needs a long life to be kept today.
fn long_lived(mut response: http::HeaderMap) -> http::HeaderMap {
    response.insert("cache-control", "max-age=2147483647".parse().unwrap());
    response
}

#[test]
fn what_is_meant_for_one_hop_stays_behind() {
    let stored = Scene::with(&[
        FRESH,
        ("connection", "a, b, cache-control, content-length, vary"),
        ("a", "1"),
        ("b", "2"),
        ("c", "3"),
        ("keep-alive", "5"),
        ("proxy-authenticate", "x"),
        ("proxy-authentication-info", "x"),
        ("proxy-authorization", "x"),
        ("proxy-connection", "x"),
        ("te", "x"),
        ("trailer", "x"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "x"),
        ("age", "5"),
        ("content-length", "3"),
    ])
    .stored();
    let mut names: Vec<_> = stored.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["c", "cache-control", "content-length", "date"]);
}

#[test]
fn qualified_directives_take_their_fields_out() {
    let scene = Scene::with(&[
        ("cache-control", "no-cache=\"a, B\", private=c, max-age=60"),
        ("a", "1"),
        ("b", "2"),
        ("c", "3"),
        ("d", "4"),
    ]);
    assert_eq!(scene.keep().omit, ["a", "b", "c"]);
    let stored = scene.stored();
    assert!(["a", "b", "c"].iter().all(|name| !stored.contains_key(*name)));
    assert_eq!(lines(&stored, "d"), ["4"]);
}

#[test]
fn a_missing_or_invalid_date_becomes_the_receipt_and_stays_so() {
    assert_eq!(lines(&Scene::with(&[FRESH]).stored(), "date"), [date(0)]);
    assert_eq!(lines(&Scene::with(&[FRESH, ("date", "foo")]).stored(), "date"), [date(0)]);
    let given = date(-30);
    let scene = Scene::with(&[FRESH, ("date", &given)]);
    assert_eq!(lines(&scene.stored(), "date"), [given]);
    assert_eq!(scene.keep().stamp.date, at(-30));
}

#[test]
fn cookies_go_by_name_and_by_manner() {
    let response = [FRESH, ("set-cookie", "track=1; Path=/"), ("set-cookie", "session=2")];
    let strip = |names| Law { strip_cookies: names, ..Law::default() };
    let named = |name: &str| strip(CookieStrip::Named(vec![name.to_owned()]));
    let scene = Scene::with(&response).law(named("track"));
    assert_eq!(lines(&scene.stored(), "set-cookie"), ["session=2"]);
    assert!(scene.safe().refusal().is_some());
    let all = Scene::with(&response).safe().law(strip(CookieStrip::All));
    assert!(lines(&all.stored(), "set-cookie").is_empty());
    let only = Scene::with(&[FRESH, ("set-cookie", "track=1")]).safe().law(named("track"));
    assert!(lines(&only.stored(), "set-cookie").is_empty());
}

#[test]
fn our_own_word_in_cache_status_is_not_kept_and_that_of_others_is() {
    let stored = Scene::with(&[
        FRESH,
        ("cache-status", "behind; hit; key=\"a, b\""),
        ("cache-status", "cistern; fwd=miss, cisterna; hit"),
    ])
    .stored();
    assert_eq!(lines(&stored, "cache-status"), ["behind; hit; key=\"a, b\"", "cisterna; hit"]);
}
