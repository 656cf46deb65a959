//! What may be kept by the origin's word alone.

use http::Method;

use super::super::*;
use crate::policy::testing::*;

const FRESH: &[(&str, &str)] = &[("cache-control", "max-age=60")];

#[test]
fn any_final_status_with_explicit_freshness_is_kept() {
    for status in (200..600).filter(|status| ![206, 304, 407, 412, 416, 417].contains(status)) {
        assert_eq!(Scene::with(FRESH).status(status).ttl(), Some(60), "{status}");
    }
    for status in [100, 101, 103, 199, 304, 407, 412, 417] {
        assert_eq!(Scene::with(FRESH).status(status).refusal(), Some(Reason::Status), "{status}");
    }
    assert_eq!(Scene::with(FRESH).status(206).refusal(), Some(Reason::Range));
    assert_eq!(Scene::with(FRESH).status(416).refusal(), Some(Reason::Range));
}

#[test]
fn no_lifetime_and_no_permission_to_guess() {
    assert_eq!(Scene::with(&[]).refusal(), Some(Reason::NoLifetime));
    assert_eq!(Scene::with(&[]).status(302).refusal(), Some(Reason::Status));
    assert_eq!(Scene::with(&[("etag", "\"a\"")]).refusal(), Some(Reason::NoLifetime));
    let modified = date(-36_000);
    let lines = [("last-modified", modified.as_str())];
    assert_eq!(Scene::with(&lines).ttl(), Some(3_600));
    assert_eq!(Scene::with(&lines).safe().refusal(), Some(Reason::NoLifetime));
    for status in [201, 202, 302, 400, 403, 429, 500, 502, 503, 504, 599] {
        assert_eq!(Scene::with(&lines).status(status).refusal(), Some(Reason::Status), "{status}");
    }
    let public = [("last-modified", modified.as_str()), ("cache-control", "public")];
    assert_eq!(Scene::with(&public).status(599).ttl(), Some(3_600));
    assert_eq!(Scene::with(&public).keep().ttl_by, TtlBy::Heuristic);
}

#[test]
fn what_the_origin_forbids() {
    for (cache_control, reason) in [
        ("no-store, max-age=60", Reason::NoStore),
        ("No-StOrE, max-age=60", Reason::NoStore),
        ("private, max-age=60", Reason::Private),
        ("PRIVATE=\"\", max-age=60", Reason::Private),
        ("no-cache, max-age=60", Reason::NoCache),
        ("max-age=0", Reason::NoLifetime),
        ("max-age=x", Reason::NoLifetime),
        ("max-age=60, s-maxage=0", Reason::NoLifetime),
    ] {
        assert_eq!(Scene::cached(cache_control).refusal(), Some(reason), "{cache_control}");
        assert_eq!(Scene::cached(cache_control).safe().refusal(), Some(reason));
    }
    assert_eq!(Scene::with(&[("vary", "x, *"), FRESH[0]]).refusal(), Some(Reason::VaryStar));
    // Pragma in an answer says nothing (RFC 9111, 5.4).
    assert_eq!(Scene::with(&[("pragma", "no-cache"), FRESH[0]]).ttl(), Some(60));
}

#[test]
fn must_understand_lifts_no_store_for_known_statuses_only() {
    let said = "max-age=60, no-store, must-understand";
    for status in [200, 204, 301, 404, 500] {
        assert_eq!(Scene::cached(said).status(status).ttl(), Some(60), "{status}");
    }
    for status in [299, 418, 499, 599] {
        assert_eq!(Scene::cached(said).status(status).refusal(), Some(Reason::Status));
        let alone = Scene::cached("max-age=60, must-understand").status(status);
        assert_eq!(alone.refusal(), Some(Reason::Status), "{status}");
    }
}

#[test]
fn no_cache_is_kept_to_be_asked_about_each_time() {
    for cache_control in ["no-cache", "no-cache, max-age=60", "no-cache, s-maxage=60"] {
        let lines = [("cache-control", cache_control), ("etag", "\"a\"")];
        let keep = Scene::with(&lines).keep();
        assert!(
            keep.stamp.flags.has(StampFlags::ALWAYS_VALIDATE.with(StampFlags::NEVER_STALE, true))
        );
        assert_eq!((keep.ttl, keep.ttl_by), (Span::ZERO, TtlBy::None));
        assert!(keep.stamp.useful_until() > NOW);
    }
}

#[test]
fn what_arrives_stale_is_kept_where_it_can_still_be_of_use() {
    let tagged = |cache_control| {
        Scene::with(&[("cache-control", cache_control), ("etag", "\"a\"")]).storable()
    };
    assert_eq!(tagged("max-age=0").unwrap().ttl, Span::ZERO);
    assert_eq!(tagged("max-age=0").unwrap().ttl_by, TtlBy::MaxAge);
    assert!(tagged("max-age=x").is_ok());
    let expired = [("expires", "0"), ("last-modified", &*date(-60))];
    assert_eq!(Scene::with(&expired).keep().ttl_by, TtlBy::Expires);
    assert!(Scene::cached("max-age=0, stale-while-revalidate=60").storable().is_ok());
    assert!(Scene::cached("max-age=0, stale-if-error=60").storable().is_ok());
    let shut = Scene::cached("max-age=0, stale-if-error=60, must-revalidate");
    assert_eq!(shut.refusal(), Some(Reason::NoLifetime));
    let aged = [("cache-control", "max-age=60"), ("age", "100")];
    assert_eq!(Scene::with(&aged).refusal(), Some(Reason::NoLifetime));
}

#[test]
fn age_shortens_what_is_left() {
    let aged = Scene::with(&[("cache-control", "max-age=60"), ("age", "20")]);
    let keep = aged.keep();
    assert_eq!(keep.ttl, Span::from_secs(40));
    assert_eq!(keep.stamp.age(NOW), Span::from_secs(20));
    let slow = Scene { delay: Span::from_secs(15), ..aged };
    assert_eq!(slow.keep().ttl, Span::from_secs(25));
    assert_eq!(slow.keep().stamp.born, crate::base::ids::Tick(7));
}

#[test]
fn windows_open_after_the_lifetime_and_four_directives_shut_them() {
    let window = |cache_control: &str| {
        let stamp = Scene::cached(cache_control).keep().stamp;
        let after = |until: crate::base::clock::Timestamp| until.since(stamp.fresh_until).as_secs();
        (after(stamp.revalidate_until), after(stamp.error_until))
    };
    let both = "stale-while-revalidate=5, stale-if-error=9";
    assert_eq!(window(&format!("max-age=60, {both}")), (5, 9));
    assert_eq!(window("max-age=60"), (0, 0));
    for closing in ["must-revalidate", "proxy-revalidate", "s-maxage=60"] {
        let text = format!("max-age=60, {both}, {closing}");
        assert_eq!(window(&text), (0, 0), "{closing}");
        assert!(Scene::cached(&text).keep().stamp.flags.has(StampFlags::NEVER_STALE));
    }
}

#[test]
fn credentials_are_shared_only_when_the_answer_says_so() {
    let with = |cache_control: &str, credentials| Scene {
        credentials,
        ..Scene::cached(cache_control).request(&[("authorization", "Bearer x")])
    };
    for credentials in [Credentials::ByAnswer, Credentials::Absent] {
        assert_eq!(with("max-age=60", credentials).refusal(), Some(Reason::Credentials));
        for said in ["public, max-age=60", "must-revalidate, max-age=60", "s-maxage=60"] {
            assert_eq!(with(said, credentials).ttl(), Some(60), "{said}");
        }
        let private = with("private, s-maxage=60", credentials);
        assert_eq!(private.refusal(), Some(Reason::Private));
        let proxy = with("proxy-revalidate, max-age=60", credentials);
        assert_eq!(proxy.refusal(), Some(Reason::Credentials));
    }
    assert_eq!(with("max-age=60", Credentials::Allowed).ttl(), Some(60));
    // Cookies and keys are the caller's to weigh: it says so, or the field is not looked at.
    let cookie = Scene::cached("max-age=60").request(&[("cookie", "a=b")]);
    assert_eq!(cookie.ttl(), Some(60));
    let weighed = Scene { credentials: Credentials::ByAnswer, ..cookie };
    assert_eq!(weighed.refusal(), Some(Reason::Credentials));
}

#[test]
fn clients_may_forbid_storing() {
    let mut scene = Scene::cached("max-age=60");
    scene.wishes.no_store = true;
    assert_eq!(scene.refusal(), Some(Reason::NoStore));
    scene.wishes = RequestDirectives { no_cache: true, ..RequestDirectives::default() };
    assert_eq!(scene.ttl(), Some(60));
}

use crate::policy::directives::RequestDirectives;

#[test]
fn cookies_by_manner() {
    let lines = [("cache-control", "max-age=60"), ("set-cookie", "a=1")];
    assert_eq!(Scene::with(&lines).ttl(), Some(60));
    assert_eq!(Scene::with(&lines).safe().refusal(), Some(Reason::SetCookie));
    // A cookie that the origin itself excludes from reuse is no obstacle.
    let lines = [("cache-control", "max-age=60, no-cache=\"set-cookie\""), ("set-cookie", "a=1")];
    assert_eq!(Scene::with(&lines).safe().ttl(), Some(60));
}

#[test]
fn endless_streams_are_not_kept() {
    for media_type in [
        "text/event-stream",
        "Text/Event-Stream; charset=utf-8",
        "multipart/x-mixed-replace;boundary=x",
    ] {
        let lines = [("cache-control", "max-age=60"), ("content-type", media_type)];
        assert_eq!(Scene::with(&lines).refusal(), Some(Reason::Streaming), "{media_type}");
    }
}

fn post(lines: &[(&str, &str)]) -> Scene {
    Scene { method: Method::POST, ..Scene::with(lines) }
}

#[test]
fn an_answer_to_post_is_kept_when_it_stands_for_the_target() {
    let here = ("content-location", "/goods?page=1");
    assert_eq!(post(&[here, FRESH[0]]).ttl(), Some(60));
    assert_eq!(post(&[("content-location", Scene::TARGET), FRESH[0]]).ttl(), Some(60));
    assert_eq!(post(&[here, FRESH[0]]).safe().refusal(), Some(Reason::Method));
    let expires = date(60);
    assert_eq!(post(&[here, ("expires", &expires)]).ttl(), Some(60));
    for lines in [
        vec![FRESH[0]],
        vec![here],
        vec![here, ("cache-control", "max-age=0"), ("etag", "\"a\"")],
        vec![("content-location", "/goods"), FRESH[0]],
        vec![("content-location", "/goods?page=1"), ("content-location", "/x"), FRESH[0]],
        vec![here, ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT")],
    ] {
        assert_eq!(post(&lines).refusal(), Some(Reason::Method), "{lines:?}");
    }
}

#[test]
fn other_methods_are_never_kept() {
    for method in ["HEAD", "PUT", "DELETE", "OPTIONS", "M-SEARCH", "QUERY", "get"] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let scene = Scene { method, ..Scene::with(FRESH) };
        assert_eq!(scene.refusal(), Some(Reason::Method));
    }
}

#[test]
fn every_source_of_a_lifetime_has_its_word() {
    let expires = date(60);
    let modified = date(-600);
    for (lines, by) in [
        ([("cache-control", "max-age=60"), ("x", "y")], TtlBy::MaxAge),
        ([("cache-control", "s-maxage=60"), ("x", "y")], TtlBy::SMaxage),
        ([("cdn-cache-control", "max-age=60"), ("cache-control", "no-store")], TtlBy::Targeted),
        ([("expires", &*expires), ("x", "y")], TtlBy::Expires),
        ([("last-modified", &*modified), ("x", "y")], TtlBy::Heuristic),
    ] {
        let keep = Scene::with(&lines).keep();
        assert_eq!((keep.ttl_by, keep.ttl.as_secs()), (by, 60));
        assert_eq!(keep.stamp.flags.has(StampFlags::HEURISTIC), by == TtlBy::Heuristic);
    }
    let all = [
        TtlBy::Rule,
        TtlBy::Targeted,
        TtlBy::SMaxage,
        TtlBy::MaxAge,
        TtlBy::Expires,
        TtlBy::Heuristic,
        TtlBy::None,
    ];
    let words = all.map(TtlBy::as_str).join(" ");
    assert_eq!(words, "rule targeted-field s-maxage max-age expires heuristic none");
}
