//! One behaviour at a time, with no rules: what the origin's own words make of a cache.

use serde_json::json;

use crate::support::cistern::in_front_of;
use crate::support::client::{ask, get};
use crate::support::origin::{Origin, status, text};

#[test]
fn an_answer_with_a_lifetime_is_asked_for_once() {
    let origin = Origin::start();
    origin.answers("GET /a", text("one").for_a_minute());
    let cistern = in_front_of(origin.address()).start();
    let first = cistern.get("/a").with_status(200).served_by_origin();
    assert!(first.is_stored());
    let second = cistern.get("/a").with_status(200).served_from_store();
    assert_eq!(second.text(), "one");
    assert!(second.get("age").is_some());
    assert_eq!(origin.asked("GET /a"), 1);
}

#[test]
fn an_answer_without_a_lifetime_is_asked_for_each_time() {
    let origin = Origin::start();
    origin.answers("GET /a", text("one"));
    let cistern = in_front_of(origin.address()).start();
    cistern.get("/a").with_status(200).passed_because("no-lifetime");
    for _ in 0..2 {
        assert!(!cistern.get("/a").with_status(200).served_by_origin().is_stored());
    }
    assert_eq!(origin.asked("GET /a"), 3);
}

#[test]
fn what_must_not_be_stored_says_why() {
    let origin = Origin::start();
    for (target, line, reason) in [
        ("/no-store", "Cache-Control: no-store, max-age=60", "no-store"),
        ("/private", "Cache-Control: private, max-age=60", "private"),
        ("/vary", "Vary: *", "vary-star"),
        ("/cookie", "Set-Cookie: a=b", "set-cookie"),
    ] {
        origin.answers(&format!("GET {target}"), text("x").for_a_minute().field(line));
        let cistern = in_front_of(origin.address()).start();
        cistern.get(target).with_status(200).passed_because(reason);
        cistern.get(target).with_status(200).served_by_origin();
        assert_eq!(origin.asked(&format!("GET {target}")), 2);
    }
}

#[test]
fn the_query_and_the_host_belong_to_the_key() {
    let origin = Origin::start();
    origin.answers("GET /a?x=1", text("one").for_a_minute());
    origin.answers("GET /a?x=2", text("two").for_a_minute());
    let cistern = in_front_of(origin.address()).start();
    assert_eq!(cistern.get("/a?x=1").text(), "one");
    assert_eq!(cistern.get("/a?x=2").served_by_origin().text(), "two");
    assert_eq!(cistern.get("/a?x=1").served_from_store().text(), "one");
    cistern.send(&get("/a?x=1").host("other.example")).served_by_origin();
    assert_eq!(origin.asked("GET /a?x=1"), 2);
}

#[test]
fn credentials_are_never_shared() {
    let origin = Origin::start();
    origin.answers("GET /mine", text("of the first").for_a_minute());
    let cistern = in_front_of(origin.address()).start();
    for ask in [
        get("/mine").bearer("one"),
        get("/mine").cookie("session=1"),
        get("/mine").header("X-Api-Key", "k"),
    ] {
        cistern.send(&ask).with_status(200).served_by_origin();
        assert!(!cistern.send(&ask).served_by_origin().is_stored());
    }
    assert_eq!(origin.asked("GET /mine"), 6);
}

#[test]
fn variants_stand_side_by_side() {
    let origin = Origin::start();
    let cistern = in_front_of(origin.address()).start();
    let words = |language: &str| get("/v").header("Accept-Language", language);
    for (language, body) in [("es", "hola"), ("en", "hello")] {
        origin.answers("GET /v", text(body).for_a_minute().field("Vary: Accept-Language"));
        assert_eq!(cistern.send(&words(language)).served_by_origin().text(), body);
    }
    assert_eq!(cistern.send(&words("es")).served_from_store().text(), "hola");
    assert_eq!(cistern.send(&words("en")).served_from_store().text(), "hello");
    assert_eq!(origin.asked("GET /v"), 2);
}

#[test]
fn a_write_drops_its_own_target() {
    let origin = Origin::start();
    origin.answers("GET /a", text("old").for_a_minute());
    origin.answers("GET /b", text("other").for_a_minute());
    origin.answers("PUT /a", status(204));
    let cistern = in_front_of(origin.address()).start();
    for target in ["/a", "/b"] {
        cistern.get(target);
        cistern.get(target).served_from_store();
    }
    origin.answers("GET /a", text("new").for_a_minute());
    cistern.send(&ask("PUT", "/a").json(&json!({}))).with_status(204);
    assert_eq!(cistern.get("/a").served_by_origin().text(), "new");
    cistern.get("/b").served_from_store();
}

#[test]
fn a_failed_write_drops_nothing() {
    let origin = Origin::start();
    origin.answers("GET /a", text("kept").for_a_minute());
    let cistern = in_front_of(origin.address()).start();
    cistern.get("/a");
    for code in [400, 403, 404, 409, 500] {
        origin.answers("POST /a", status(code));
        cistern.send(&ask("POST", "/a")).with_status(code);
        cistern.get("/a").served_from_store();
    }
}

#[test]
fn purge_is_for_nobody_unless_somebody_is_named() {
    let origin = Origin::start();
    origin.answers("GET /a", text("kept").for_a_minute());
    origin.answers("PURGE /a", text("the origin's own"));
    let cistern = in_front_of(origin.address()).start();
    cistern.get("/a");
    cistern.send(&ask("PURGE", "/a")).with_status(403);
    assert_eq!(origin.asked("PURGE /a"), 0);
    cistern.get("/a").served_from_store();
}

#[test]
fn purge_counts_what_went() {
    let origin = Origin::start();
    origin.answers("GET /a", text("x").for_a_minute());
    let cistern =
        in_front_of(origin.address()).config("[purge]\nnetworks = [\"127.0.0.0/8\"]\n").start();
    cistern.get("/a");
    let purged = cistern.send(&ask("PURGE", "/a")).with_status(200).json();
    assert_eq!(purged["purged"]["entries"], json!(1), "{purged}");
    cistern.get("/a").served_by_origin();
    cistern.send(&ask("PURGE", "/nothing")).with_status(404);
    assert_eq!(origin.asked("PURGE /a"), 0);
}

#[test]
fn an_origin_in_trouble_is_covered_by_its_own_word() {
    let origin = Origin::start();
    let kept = text("kept").field("Cache-Control: max-age=0, stale-if-error=60");
    origin.answers("GET /a", kept.field("ETag: \"1\""));
    let cistern = in_front_of(origin.address()).start();
    cistern.get("/a").with_status(200);
    for code in [500, 502, 503, 504] {
        origin.answers("GET /a", status(code));
        assert_eq!(cistern.get("/a").with_status(200).served_from_store().text(), "kept");
    }
    origin.answers("GET /a", status(404));
    cistern.get("/a").with_status(404);
}

#[test]
fn a_condition_is_answered_from_the_store() {
    let origin = Origin::start();
    origin.answers("GET /a", text("x").for_a_minute().field("ETag: \"1\""));
    let cistern = in_front_of(origin.address()).start();
    cistern.get("/a");
    let same = cistern.send(&get("/a").header("If-None-Match", "W/\"1\", \"2\""));
    assert_eq!(same.with_status(304).get("etag").as_deref(), Some("\"1\""));
    cistern.send(&get("/a").header("If-None-Match", "\"2\"")).with_status(200).served_from_store();
    let part = cistern.send(&get("/a").header("Range", "bytes=0-0")).with_status(206);
    assert_eq!(part.get("content-range").as_deref(), Some("bytes 0-0/1"));
    assert_eq!(origin.asked("GET /a"), 1);
}

#[test]
fn only_if_cached_never_asks() {
    let origin = Origin::start();
    let cistern = in_front_of(origin.address()).start();
    let answer = cistern.send(&get("/a").header("Cache-Control", "only-if-cached"));
    assert_eq!(
        answer.with_status(504).get("content-type").as_deref(),
        Some("application/problem+json")
    );
    assert_eq!(origin.asked("GET /a"), 0);
}
