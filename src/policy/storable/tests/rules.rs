//! What a rule changes, and what it cannot.

use super::super::*;
use crate::policy::directives::RequestDirectives;
use crate::policy::law::{Overrides, Ttl, TtlMode};
use crate::policy::testing::*;

fn minute() -> Law {
    Law { ttl: Ttl::For(Span::from_secs(60)), ..Law::default() }
}

fn over(overrides: Overrides) -> Law {
    Law { overrides, ..minute() }
}

const NONE: Overrides = Overrides {
    no_store: false,
    private: false,
    no_cache: false,
    must_revalidate: false,
    vary: false,
};

#[test]
fn a_rule_gives_a_lifetime_to_what_says_nothing() {
    for profile in [Scene::with(&[]).law(minute()), Scene::with(&[]).safe().law(minute())] {
        let keep = profile.keep();
        assert_eq!((keep.ttl, keep.ttl_by), (Span::from_secs(60), TtlBy::Rule));
        assert!(keep.stamp.flags.has(StampFlags::BY_RULE));
    }
}

#[test]
fn a_rule_replaces_lifetimes_and_takes_no_notice_of_age() {
    for lines in [
        [("cache-control", "max-age=5"), ("age", "5000")],
        [("cache-control", "max-age=0"), ("date", "Sun, 06 Nov 1994 08:49:37 GMT")],
        [("cache-control", "s-maxage=1"), ("expires", "0")],
        [("expires", "0"), ("age", "x")],
        [("cdn-cache-control", "max-age=1"), ("age", "3")],
    ] {
        assert_eq!(Scene::with(&lines).law(minute()).ttl(), Some(60), "{lines:?}");
    }
    // The age itself is told on as it is.
    let aged = Scene::with(&[("age", "30")]).law(minute()).keep();
    assert_eq!(aged.stamp.age(NOW), Span::from_secs(30));
}

#[test]
fn what_forbids_wins_over_a_rule_that_does_not_name_it() {
    for (lines, reason, overrides) in [
        (("cache-control", "no-store"), Reason::NoStore, Overrides { no_store: true, ..NONE }),
        (("cache-control", "private"), Reason::Private, Overrides { private: true, ..NONE }),
        (("cache-control", "no-cache"), Reason::NoCache, Overrides { no_cache: true, ..NONE }),
        (("vary", "*"), Reason::VaryStar, Overrides { vary: true, ..NONE }),
        (("cdn-cache-control", "private"), Reason::Private, Overrides { private: true, ..NONE }),
    ] {
        assert_eq!(Scene::with(&[lines]).law(minute()).refusal(), Some(reason), "{lines:?}");
        assert_eq!(Scene::with(&[lines]).law(over(overrides)).ttl(), Some(60), "{lines:?}");
    }
    // An override of one thing reaches over nothing else.
    let everything = [("cache-control", "no-store, private, no-cache"), ("vary", "*")];
    let but_one = Overrides { no_store: true, private: true, no_cache: true, ..NONE };
    assert_eq!(Scene::with(&everything).law(over(but_one)).refusal(), Some(Reason::VaryStar));
}

#[test]
fn overrides_without_a_lifetime_give_none() {
    let law = Law { overrides: Overrides { no_store: true, ..NONE }, ..Law::default() };
    assert_eq!(Scene::cached("no-store").law(law.clone()).refusal(), Some(Reason::NoLifetime));
    assert_eq!(Scene::cached("no-store, max-age=9").law(law).ttl(), Some(9));
}

#[test]
fn a_rule_does_not_override_the_client_nor_credentials() {
    let mut scene = Scene::with(&[]).law(over(Overrides { no_store: true, ..NONE }));
    scene.wishes = RequestDirectives { no_store: true, ..RequestDirectives::default() };
    assert_eq!(scene.refusal(), Some(Reason::NoStore));
    let scene = Scene { credentials: Credentials::ByAnswer, ..Scene::with(&[]).law(minute()) };
    assert_eq!(scene.refusal(), Some(Reason::Credentials));
}

#[test]
fn statuses_that_a_rule_does_not_list_need_the_origins_word() {
    let law = || Law { status_ttl: vec![(404, Span::from_secs(5))], ..minute() };
    assert_eq!(Scene::with(&[]).status(404).law(law()).ttl(), Some(5));
    assert_eq!(Scene::with(&[]).status(410).law(law()).refusal(), Some(Reason::NoLifetime));
    assert_eq!(Scene::cached("max-age=9").status(410).law(law()).ttl(), Some(9));
    let modified = [("last-modified", &*date(-600))];
    assert_eq!(Scene::with(&modified).status(410).law(law()).refusal(), Some(Reason::NoLifetime));
    for status in [401, 403, 429, 500, 503] {
        let listed = Law { statuses: vec![status], ..minute() };
        let scene = Scene::with(&[]).status(status).law(listed.clone());
        assert_eq!(scene.refusal(), Some(Reason::Status), "{status}");
        assert_eq!(Scene::cached("max-age=9").status(status).law(listed).ttl(), Some(9));
    }
}

#[test]
fn a_lifetime_of_nothing_is_kept_where_it_can_be_asked_about() {
    let never = Law { ttl: Ttl::For(Span::ZERO), ..Law::default() };
    assert_eq!(Scene::with(&[]).law(never.clone()).refusal(), Some(Reason::NoCache));
    let keep = Scene::with(&[("etag", "\"a\"")]).law(never.clone()).keep();
    assert_eq!((keep.ttl, keep.ttl_by), (Span::ZERO, TtlBy::Rule));
    // A window for errors is a use too.
    let window = Law { stale_if_error: Some(Span::from_secs(600)), ..never };
    assert!(Scene::with(&[]).law(window).storable().is_ok());
}

#[test]
fn the_rules_windows_stand_in_for_the_origins() {
    let law = || Law {
        stale_while_revalidate: Some(Span::from_secs(5)),
        stale_if_error: Some(Span::from_secs(600)),
        ..minute()
    };
    let windows = |lines: &[(&str, &str)], law| {
        let stamp = Scene::with(lines).law(law).keep().stamp;
        let after = |until: crate::base::clock::Timestamp| until.since(stamp.fresh_until).as_secs();
        (after(stamp.revalidate_until), after(stamp.error_until))
    };
    assert_eq!(windows(&[], law()), (5, 600));
    let own = [("cache-control", "stale-if-error=7, stale-while-revalidate=0")];
    assert_eq!(windows(&own, law()), (0, 7));
    for closing in ["must-revalidate", "proxy-revalidate", "s-maxage=9"] {
        let lines = [("cache-control", closing)];
        assert_eq!(windows(&lines, law()), (0, 0), "{closing}");
        let reaching = Law { overrides: Overrides { must_revalidate: true, ..NONE }, ..law() };
        assert_eq!(windows(&lines, reaching), (5, 600), "{closing}");
    }
    let always = [("cache-control", "no-cache"), ("etag", "\"a\"")];
    let reaching = Law { overrides: Overrides { must_revalidate: true, ..NONE }, ..law() };
    assert_eq!(windows(&always, reaching), (0, 0));
}

#[test]
fn modes_of_a_rule_reach_the_stamp() {
    let with = |ttl_mode, cache_control| {
        let keep = Scene::cached(cache_control).law(Law { ttl_mode, ..minute() }).keep();
        (keep.ttl.as_secs(), keep.ttl_by)
    };
    assert_eq!(with(TtlMode::Silent, "max-age=5"), (5, TtlBy::MaxAge));
    assert_eq!(with(TtlMode::Silent, "public"), (60, TtlBy::Rule));
    assert_eq!(with(TtlMode::AtMost, "s-maxage=500"), (60, TtlBy::Rule));
    assert_eq!(with(TtlMode::AtLeast, "max-age=500"), (500, TtlBy::MaxAge));
    let forever = Scene::with(&[]).law(Law { ttl: Ttl::Forever, ..Law::default() }).keep();
    assert_eq!(forever.stamp.fresh_until, crate::base::clock::Timestamp::NEVER);
}

#[test]
fn media_types_and_sizes() {
    let json = || Law { content_types: vec!["application/json".to_owned()], ..minute() };
    let typed = |media_type| Scene::with(&[("content-type", media_type)]).law(json());
    assert_eq!(typed("application/json").ttl(), Some(60));
    assert_eq!(typed("Application/JSON ; charset=utf-8").ttl(), Some(60));
    for media_type in ["text/html", "application/json2", "application/problem+json", ""] {
        assert_eq!(typed(media_type).refusal(), Some(Reason::ContentType), "{media_type}");
    }
    assert_eq!(Scene::with(&[]).law(json()).refusal(), Some(Reason::ContentType));
    let small = || Law { max_object: Some(100), ..minute() };
    let long = |length| Scene::with(&[("content-length", length)]).law(small());
    assert_eq!(long("100").ttl(), Some(60));
    assert_eq!(long("101").refusal(), Some(Reason::TooLarge));
    assert_eq!(Scene::with(&[]).law(small()).ttl(), Some(60));
}
