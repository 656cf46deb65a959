//! Why something was not stored, where that is known only when the head has gone, or almost: in
//! `Cache-Status` while it can still be said there, and in the logs in any case.

use serde_json::Value;

use crate::support::cistern::{Cistern, Setup, in_front_of};
use crate::support::client::{ask, get};
use crate::support::patience::Patience;
use crate::support::stage::{Scene, Stage, head_of, message};
use crate::support::versions::Versions;
use crate::support::wire::{Head, Wire};

const MINUTE: &str = "Cache-Control: max-age=60";

fn logged(setup: Setup) -> Cistern {
    setup.setting("CISTERN_LOG__ACCESS", "access.log").start()
}

/// The last line of the access log about a GET of this path, once there are so many.
fn line(cistern: &Cistern, path: &str, count: usize) -> Value {
    let file = cistern.file("access.log");
    let patience = Patience::begins();
    loop {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let lines = whole.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let about = |line: &Value| line["path"] == path && line["method"] == "GET";
        let found: Vec<Value> = lines.filter(about).collect();
        if found.len() >= count {
            return found.last().unwrap().clone();
        }
        assert!(patience.lasts(), "only these lines came: {text}");
        std::thread::yield_now();
    }
}

fn written(cistern: &Cistern, stage: &Stage, target: &str) {
    let writer = cistern.begin(&ask("PUT", target));
    stage.expects(&format!("PUT {target}")).answers(message(204, &[], ""));
    writer.finish().with_status(204);
}

/// An answer to `GET /a` of three bytes of which one has been sent.
fn begun(cistern: &Cistern, stage: &Stage) -> (Wire, Head, Scene) {
    let mut reader = Wire::asking(cistern.address(), "GET /a", &[]);
    let mut slow = stage.expects("GET /a");
    slow.says(format!("{}o", head_of(200, &[MINUTE, "Content-Length: 3"])));
    let head = reader.head();
    (reader, head, slow)
}

#[test]
fn a_purge_before_the_head_is_told_in_the_answer() {
    let stage = Stage::start();
    let cistern = logged(in_front_of(stage.address()));
    let reader = cistern.begin(&get("/a"));
    let slow = stage.expects("GET /a");
    written(&cistern, &stage, "/a");
    slow.answers(message(200, &[MINUTE], "old"));
    reader.finish().passed_because("purged-during-fetch");
    assert_eq!(line(&cistern, "/a", 1)["reason"], "purged-during-fetch");
    let log = cistern.log();
    assert!(!log.contains(" STORE "), "{log}");
    assert_eq!(log.matches(" MISS ").count(), 1, "{log}");
    assert!(log.contains("reason=purged-during-fetch"), "{log}");
}

#[test]
fn a_purge_within_the_body_is_told_in_the_logs() {
    let stage = Stage::start();
    let cistern = logged(in_front_of(stage.address()));
    let (mut reader, head, slow) = begun(&cistern, &stage);
    assert!(head.field("cache-status").unwrap().contains("stored"), "nothing has come yet");
    assert_eq!(reader.bytes(1), b"o");
    written(&cistern, &stage, "/a");
    slow.answers("ld");
    assert_eq!(reader.bytes(2), b"ld");
    let told = line(&cistern, "/a", 1);
    assert_eq!((&told["reason"], &told["cache"]), (&"purged-during-fetch".into(), &"miss".into()));
    // The same without a purge says nothing of it.
    let reader = cistern.begin(&get("/b"));
    stage.expects("GET /b").answers(message(200, &[MINUTE], "new"));
    reader.finish();
    assert_eq!(line(&cistern, "/b", 1)["reason"], Value::Null);
    let log = cistern.log();
    let misses: Vec<_> = log.lines().filter(|line| line.contains(" MISS ")).collect();
    assert_eq!(misses.len(), 2, "{log}");
    assert!(misses[0].contains("/a") && misses[0].contains("reason=purged-during-fetch"), "{log}");
    assert!(misses[1].contains("/b") && !misses[1].contains("reason="), "{log}");
    assert_eq!(log.matches(" STORE ").count(), 1, "{log}");
}

#[test]
fn a_confirmation_that_was_overtaken_says_so() {
    let stage = Stage::start();
    let cistern = logged(in_front_of(stage.address()));
    let reader = cistern.begin(&get("/a"));
    let stale = ["Cache-Control: max-age=0", "ETag: \"1\""];
    stage.expects("GET /a").answers(message(200, &stale, "old"));
    reader.finish();
    for (overtaken, count) in [(false, 2), (true, 3)] {
        let reader = cistern.begin(&get("/a"));
        let slow = stage.expects("GET /a");
        assert_eq!(slow.field("if-none-match"), Some("\"1\""));
        if overtaken {
            written(&cistern, &stage, "/a");
        }
        slow.answers(message(304, &["Cache-Control: max-age=0", "ETag: \"1\""], ""));
        let seen = reader.finish().with_status(200);
        assert_eq!((seen.text().as_str(), seen.is_stored()), ("old", !overtaken));
        let reason = if overtaken { "purged-during-fetch".into() } else { Value::Null };
        assert_eq!(seen.cache_status().contains("purged-during-fetch"), overtaken);
        assert_eq!(line(&cistern, "/a", count)["reason"], reason);
    }
}

#[test]
fn a_body_that_breaks_off_is_told_in_the_log() {
    let stage = Stage::start();
    let cistern = logged(in_front_of(stage.address()));
    let (mut reader, head, slow) = begun(&cistern, &stage);
    assert_eq!(reader.bytes(1), b"o");
    slow.hangs_up();
    reader.rest(&head, 1).cut();
    let told = line(&cistern, "/a", 1);
    assert_eq!((&told["reason"], &told["complete"]), (&"incomplete".into(), &false.into()));
}

#[test]
fn a_request_that_no_origin_serves_says_so() {
    let stage = Stage::start();
    let rules = format!(
        "version = 1\n[origin.o]\nurl = 'http://{}'\nhosts = ['shop.example']\n\
         [origin.p]\nurl = 'http://{0}'\nhosts = ['other.example']\n",
        stage.address()
    );
    let setup = in_front_of(stage.address()).rules(&rules).without("--origin");
    let cistern = logged(setup);
    let seen = cistern.send(&get("/a").host("nobody.example")).with_status(404);
    assert_eq!(seen.json()["code"], "no-origin");
    let status = seen.cache_status();
    assert_eq!(status.matches("no-origin").count(), 1, "{status}");
    assert_eq!(line(&cistern, "/a", 1)["reason"], "no-origin");
}

#[test]
fn a_client_that_wants_the_origin_is_told_that_it_did() {
    let stage = Stage::with(|_| Some(message(200, &[MINUTE], "x")));
    let cistern = logged(in_front_of(stage.address()).profile("rfc"));
    cistern.get("/a");
    let seen = cistern.send(&get("/a").header("Cache-Control", "no-cache")).served_by_origin();
    assert!(seen.is_stored() && seen.cache_status().contains("client-no-cache"));
    assert_eq!(line(&cistern, "/a", 2)["reason"], "client-no-cache");
}

#[test]
fn an_answer_with_too_many_tags_is_not_kept_and_says_so() {
    let tags = |count: usize| {
        let names: Vec<_> = (0..count).map(|number| format!("t{number}")).collect();
        format!("Surrogate-Key: {}", names.join(" "))
    };
    let stage = Stage::with(move |what| {
        let count = if what == "GET /many" { 65 } else { 64 };
        Some(message(200, &[MINUTE, &tags(count)], "x"))
    });
    let rules = "version = 1\n[[route]]\nmatch = 'GET /one-more'\nkey = 'k'\ntags = ['extra']\n";
    let cistern = logged(in_front_of(stage.address()).rules(rules));
    cistern.get("/as-many-as-may-be");
    cistern.get("/as-many-as-may-be").served_from_store();
    cistern.get("/many").passed_because("too-many-tags");
    cistern.get("/one-more");
    assert_eq!(line(&cistern, "/one-more", 1)["reason"], "too-many-tags");
    cistern.get("/one-more").served_by_origin();
}

const SMALL: &str = "version = 1\n[type.small]\nmax_size = '8KB'\n[[route]]\n\
                     match = 'GET /small/{id}'\ntype = 'small'\nkey = 'small:{id}'\n";

fn chunked(length: usize) -> String {
    let head = head_of(200, &[MINUTE, "Transfer-Encoding: chunked"]);
    format!("{head}{length:x}\r\n{}\r\n0\r\n\r\n", "x".repeat(length))
}

#[test]
fn what_its_type_has_no_room_for_is_never_called_stored() {
    let stage = Stage::start();
    let cistern = logged(in_front_of(stage.address()).rules(SMALL));
    let asked = |target: &str, answer: &str| {
        let reader = cistern.begin(&get(target));
        stage.expects(&format!("GET {target}")).answers(answer);
        reader.finish().with_status(200)
    };
    // The head tells the length: it is known beforehand, to the byte.
    asked("/small/1", &message(200, &[MINUTE], &"x".repeat(9_000))).passed_because("too-large");
    assert_eq!(line(&cistern, "/small/1", 1)["reason"], "too-large");
    let mut largest = 0;
    for length in (4_000..8_000).rev().step_by(100) {
        let target = format!("/small/of-{length}");
        let seen = asked(&target, &message(200, &[MINUTE], &"x".repeat(length)));
        let reason = line(&cistern, &target, 1)["reason"].clone();
        assert_eq!(seen.is_stored(), reason == Value::Null, "{length}: {reason}");
        largest = largest.max(if seen.is_stored() { length } else { 0 });
    }
    assert!((4_000..7_900).contains(&largest), "the edge lies elsewhere: {largest}");
    // It does not: nobody can promise, and the log tells what came of it.
    let seen = asked("/small/2", &chunked(9_000));
    assert!(!seen.is_stored(), "{}", seen.cache_status());
    assert!(seen.cache_status().contains("stored if it fits"));
    assert_eq!(line(&cistern, "/small/2", 1)["reason"], "too-large");
    let seen = asked("/small/2", &chunked(5_000));
    assert!(!seen.is_stored() && seen.cache_status().contains("stored if it fits"));
    assert_eq!(line(&cistern, "/small/2", 2)["reason"], Value::Null);
    cistern.get("/small/2").served_from_store();
    stage.was_asked_no_more();
}

#[test]
fn what_outgrows_the_longest_body_is_told_at_its_end() {
    let stage = Stage::with(|what| {
        Some(if what.ends_with("known") {
            message(200, &[MINUTE], &"x".repeat(2_000))
        } else {
            chunked(2_000)
        })
    });
    let setup = in_front_of(stage.address()).setting("CISTERN_L1__MAX_OBJECT", "1KB");
    let cistern = logged(setup);
    cistern.get("/known").passed_because("too-large");
    assert!(!cistern.get("/unknown").is_stored());
    for path in ["/known", "/unknown"] {
        assert_eq!(line(&cistern, path, 1)["reason"], "too-large");
        cistern.get(path).served_by_origin();
    }
    let log = cistern.log();
    assert!(!log.contains(" STORE "), "{log}");
}

#[test]
fn a_body_that_was_held_back_is_known_to_be_stored_or_not() {
    let rules = format!("{SMALL}inject = '_cache'\n");
    let stage = Stage::with(|what| {
        let lines = [MINUTE, "Content-Type: application/json", "Transfer-Encoding: chunked"];
        let length = if what.ends_with("long") { 9_000 } else { 10 };
        let body = format!("{{\"x\":\"{}\"}}", "x".repeat(length));
        Some(format!("{}{:x}\r\n{body}\r\n0\r\n\r\n", head_of(200, &lines), body.len()))
    });
    let cistern = logged(in_front_of(stage.address()).rules(&rules));
    let seen = cistern.get("/small/short");
    assert!(seen.is_stored() && seen.json()["_cache"]["hit"] == false, "{}", seen.cache_status());
    assert!(!seen.cache_status().contains("if it fits"), "{}", seen.cache_status());
    cistern.get("/small/short").served_from_store();
    cistern.get("/small/long").passed_because("too-large");
}

#[test]
fn a_url_that_is_longer_than_any_key_passes_and_others_can_be_named() {
    const PURGE: &str = "[purge]\nnetworks = [\"127.0.0.0/8\"]\n";
    let origin = Versions::start();
    let cistern = in_front_of(origin.address()).config(PURGE).start();
    let target = |bytes: usize| format!("/{}", "y".repeat(bytes - "http://api.example/".len()));
    let longest = target(8_192);
    let url = format!("url:http://api.example{longest}");
    let purges = [
        ask("PURGE", &longest),
        ask("PURGE", "/").header("X-Purge-Selector", &url),
        ask("PURGE", "/").header("X-Purge-Selector", &format!("key:http://api.example{longest}")),
    ];
    for purge in purges {
        cistern.get(&longest).with_status(200).served_by_origin();
        cistern.get(&longest).with_status(200).served_from_store();
        assert_eq!(cistern.send(&purge).with_status(200).json()["purged"]["entries"], 1);
    }
    for _ in 0..2 {
        cistern.get(&target(8_193)).with_status(200).passed_because("too-large");
    }
    cistern
        .send(&ask("PURGE", "/").header("X-Purge-Selector", &format!("{url}y")))
        .with_status(400);
}
