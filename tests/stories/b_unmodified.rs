//! Answers 304 that the request did not ask for: whom they would mislead, and whom not.

use crate::support::cistern::{Cistern, in_front_of};
use crate::support::client::{Answer, Ask, get};
use crate::support::stage::{Stage, message};

const RULES: &str = r#"
version = 1
[[route]]
name = "a"
match = "GET /a"
key = "a"
ttl = "5m"
stale_if_error = "0s"
[[route]]
name = "kept"
match = "GET /kept"
key = "kept"
ttl = "0s"
stale_if_error = "1h"
"#;

/// Asks; the origin answers 304 to every request that comes of it, of which there are `times`.
fn unmodified(stage: &Stage, cistern: &Cistern, ask: &Ask, times: usize) -> Answer {
    let asked = cistern.begin(ask);
    for _ in 0..times {
        stage.next().answers(message(304, &["ETag: \"other\""], ""));
    }
    let answer = asked.finish();
    stage.was_asked_no_more();
    answer
}

#[test]
fn a_condition_that_stayed_here_is_not_answered_by_the_origin() {
    let stage = Stage::start();
    let cistern = in_front_of(stage.address()).rules(RULES).start();
    for (name, value) in
        [("If-None-Match", "\"mine\""), ("If-Modified-Since", "Fri, 20 Nov 2026 15:28:43 GMT")]
    {
        let asked = get("/a").header(name, value);
        let answer = unmodified(&stage, &cistern, &asked, 1).with_status(502);
        assert!(answer.text().contains("304 to a request without a condition"), "{name}");
    }
    // It was not kept, and the next one is served as ever.
    let asked = cistern.begin(&get("/a"));
    let scene = stage.expects("GET /a");
    assert_eq!(scene.field("if-none-match"), None);
    scene.answers(message(200, &[], "whole"));
    assert_eq!(asked.finish().with_status(200).text(), "whole");
}

#[test]
fn a_client_that_asks_plainly_gets_the_origins_word() {
    let stage = Stage::start();
    let cistern = in_front_of(stage.address()).rules(RULES).start();
    for target in ["/a", "/without/a/rule"] {
        unmodified(&stage, &cistern, &get(target), 1).with_status(304);
    }
    // So does one whose condition went out with the request.
    let own = get("/without/a/rule").header("If-None-Match", "\"mine\"");
    unmodified(&stage, &cistern, &own, 1).with_status(304);
}

#[test]
fn what_the_origin_denies_twice_is_its_fault() {
    let stage = Stage::start();
    let cistern = in_front_of(stage.address()).start();
    let asked = cistern.begin(&get("/a"));
    let stale = message(200, &["Cache-Control: max-age=0", "ETag: \"old\""], "old");
    stage.expects("GET /a").answers(stale);
    asked.finish().with_status(200);
    // Neither names what stands here: once with our condition, once without.
    unmodified(&stage, &cistern, &get("/a"), 2).with_status(502);
}

#[test]
fn what_has_no_validator_is_not_confirmed() {
    let stage = Stage::start();
    let cistern = in_front_of(stage.address()).rules(RULES).start();
    let asked = cistern.begin(&get("/kept"));
    stage.expects("GET /kept").answers(message(200, &[], "old"));
    asked.finish().with_status(200);
    let asked = cistern.begin(&get("/kept"));
    let scene = stage.expects("GET /kept");
    assert_eq!(scene.field("if-none-match"), None);
    scene.answers(message(304, &[], ""));
    // A fault, so the rule's word on faults holds: the old one, and said to be old.
    let answer = asked.finish().with_status(200);
    assert_eq!(answer.text(), "old");
    assert!(answer.cache_status().contains("stale-if-error"), "{}", answer.cache_status());
}
