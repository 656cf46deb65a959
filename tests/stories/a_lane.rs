//! A hit takes a short way that knows no HTTP library, and a long one where the request is not
//! plain. Nobody may see which.

use serde_json::Value;

use crate::support::cistern::{Cistern, Setup, in_front_of};
use crate::support::patience::Patience;
use crate::support::stage::{Stage, chunk, head_of, message};
use crate::support::wire::Wire;

const MINUTE: &str = "Cache-Control: max-age=60";

/// What a client sees of a hit: status, sorted fields but for those of this second, body.
fn seen(wire: &mut Wire, what: &str, lines: &[&str]) -> (u16, Vec<(String, String)>, Vec<u8>) {
    wire.asks(what, lines);
    let head = wire.head();
    let of_now = |name: &str| matches!(name, "age" | "date" | "cache-status" | "connection");
    let mut fields = head.lines();
    let status = fields.iter().find(|(name, value)| name == "cache-status" && value != "them");
    if let Some((_, status)) = status {
        assert!(status.contains("; hit; ttl="), "{what} {lines:?}: {status}");
    }
    fields.iter_mut().filter(|(name, _)| of_now(name)).for_each(|(_, value)| value.clear());
    fields.retain(|(name, _)| name != "connection");
    let length = head.field("content-length").map_or(0, |length| length.parse().unwrap());
    let body = if what.starts_with("HEAD") { Vec::new() } else { wire.bytes(length) };
    (head.status, fields, body)
}

fn both_ways_agree(setup: impl Fn(&str) -> Setup) {
    let large = "x".repeat(300_000);
    let chunked = {
        let head = head_of(200, &[MINUTE, "Transfer-Encoding: chunked"]).into_bytes();
        [head, chunk(b"in "), chunk(b"parts"), chunk(b"")].concat()
    };
    let answers: Vec<Vec<u8>> = vec![
        message(200, &[MINUTE, "ETag: \"1\"", "X-Odd: \u{e9}"], "one").into(),
        message(200, &[MINUTE, "Age: 7"], "two").into(),
        message(200, &[MINUTE, "Link: <a>", "Content-Type: a/b", "Link: <b>"], "three").into(),
        message(200, &[MINUTE, "X-Cache: theirs", "Via: 1.1 them", "Cache-Status: them"], "")
            .into(),
        message(404, &[MINUTE], "gone").into(),
        message(299, &[MINUTE], "nameless").into(),
        message(301, &[MINUTE, "Location: /b"], "").into(),
        message(200, &[MINUTE, "Set-Cookie: a=b"], "for all").into(),
        message(200, &[MINUTE], &large).into(),
        chunked,
    ];
    for answer in answers {
        let stage = Stage::start();
        let told = ("CISTERN_LOG__EVENTS", "events.log");
        let cistern = setup(stage.address()).setting(told.0, told.1).start();
        let mut first = Wire::asking(cistern.address(), "GET /a?b", &[]);
        stage.expects("GET /a?b").answers(&answer);
        drop(first.head());
        // Its bytes are read while they come; what is stored is told a moment later.
        let patience = Patience::begins();
        while !read(&cistern, "events.log").contains("STORE") {
            assert!(patience.lasts(), "it was stored");
        }
        let mut wire = Wire::open(cistern.address());
        for method in ["GET", "HEAD"] {
            let plain = seen(&mut wire, &format!("{method} /a?b"), &[]);
            // The library is asked where the target is absolute.
            let absolute = format!("{method} http://api.example/a?b");
            assert_eq!(seen(&mut wire, &absolute, &[]), plain);
            let mut closing = Wire::open(cistern.address());
            let closed = seen(&mut closing, &format!("{method} /a?b"), &["Connection: close"]);
            assert_eq!(closed, plain);
            closing.hears_nothing();
        }
        stage.was_asked_no_more();
    }
}

#[test]
fn both_ways_of_a_hit_give_the_same_answer() {
    both_ways_agree(|origin| in_front_of(origin).profile("rfc"));
}

#[test]
fn both_ways_obey_the_settings() {
    both_ways_agree(|origin| {
        let settings = "[compat]\nx_cache = true\n[headers]\nvia = \"off\"\nkey = \"hash\"\n";
        in_front_of(origin).profile("rfc").config(settings)
    });
    both_ways_agree(|origin| {
        in_front_of(origin).profile("rfc").config("[headers]\ncache_status = \"off\"\n")
    });
}

fn read(cistern: &Cistern, log: &str) -> String {
    std::fs::read_to_string(cistern.file(log)).unwrap_or_default()
}

/// The lines of the access log, without what differs from request to request.
fn logged(cistern: &Cistern, count: usize) -> Vec<Value> {
    let patience = Patience::begins();
    loop {
        let text = read(cistern, "access.log");
        if text.matches('\n').count() >= count {
            let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
            return lines
                .map(|mut line: Value| {
                    for name in ["ts", "id", "ms", "age", "ttl"] {
                        assert!(line.as_object_mut().unwrap().remove(name).is_some());
                    }
                    line
                })
                .collect();
        }
        assert!(patience.lasts(), "only these lines came: {text}");
        std::thread::yield_now();
    }
}

#[test]
fn both_ways_write_the_same_line() {
    let stage = Stage::start();
    let cistern = in_front_of(stage.address()).setting("CISTERN_LOG__ACCESS", "access.log").start();
    let mut wire = Wire::asking(cistern.address(), "GET /a?b", &[]);
    stage.expects("GET /a?b").answers(message(200, &[MINUTE], "kept"));
    assert_eq!(wire.head().status, 200);
    assert_eq!(wire.bytes(4), b"kept");
    for target in ["/a?b", "http://api.example/a?b"] {
        seen(&mut wire, &format!("GET {target}"), &[]);
    }
    let lines = logged(&cistern, 3);
    assert_eq!(lines[1], lines[2]);
    assert_eq!((&lines[1]["cache"], &lines[1]["bytes"]), (&"hit".into(), &4.into()));
}

#[test]
fn what_is_not_plain_is_asked_for_anew_or_cut() {
    let stage = Stage::start();
    let cistern = in_front_of(stage.address()).start();
    let mut wire = Wire::asking(cistern.address(), "GET /a", &[]);
    stage.expects("GET /a").answers(message(200, &[MINUTE, "ETag: \"1\""], "kept"));
    assert_eq!(wire.head().status, 200);
    assert_eq!(wire.bytes(4), b"kept");
    wire.asks("GET /a", &["If-None-Match: \"1\""]);
    assert_eq!(wire.head().status, 304);
    wire.asks("GET /a", &["Range: bytes=1-2"]);
    assert_eq!(wire.head().status, 206);
    assert_eq!(wire.bytes(2), b"ep");
    wire.asks("GET /a", &["If-Match: \"1\""]);
    stage.expects("GET /a").answers(message(412, &[], ""));
    assert_eq!(wire.head().status, 412);
    wire.asks("GET /a", &[]);
    assert_eq!(wire.head().status, 200);
    assert_eq!(wire.bytes(4), b"kept");
    stage.was_asked_no_more();
}
