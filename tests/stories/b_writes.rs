//! Writes whose end is not simple: an answer that never comes, a client that leaves, places that
//! only the answer names, an answer that stands for a later read.

use crate::support::cistern::in_front_of;
use crate::support::client::{Ask, ask, get};
use crate::support::patience::Patience;
use crate::support::stage::{Stage, head_of, message};
use crate::support::wire::Wire;

const MINUTE: &str = "Cache-Control: max-age=60";

fn kept(body: &str) -> String {
    message(200, &[MINUTE], body)
}

#[test]
fn a_write_counts_though_its_client_has_left() {
    let stage = Stage::with(|what| (what == "GET /a").then(|| kept("x")));
    let cistern = in_front_of(stage.address()).setting("CISTERN_LOG__EVENTS", "stdout").start();
    cistern.get("/a");
    cistern.get("/a").served_from_store();
    let writer = cistern.begin(&ask("PUT", "/a"));
    let write = stage.expects("PUT /a");
    drop(writer);
    write.answers(message(204, &[], ""));
    cistern.says("PURGE");
    cistern.get("/a").served_by_origin();
}

#[test]
fn a_write_without_an_answer_counts_now_and_again_later() {
    let stage = Stage::start();
    let cistern = in_front_of(stage.address()).start();
    let reader = cistern.begin(&get("/a"));
    stage.expects("GET /a").answers(kept("old"));
    reader.finish();
    let writer = cistern.begin(&ask("PUT", "/a"));
    stage.expects("PUT /a").hangs_up();
    writer.finish().with_status(502);
    stage.was_asked_no_more();
    // The origin has not committed yet, and is asked in between.
    let reader = cistern.begin(&get("/a"));
    stage.expects("GET /a").answers(kept("old"));
    let old = reader.finish().served_by_origin();
    assert_eq!((old.text().as_str(), old.is_stored()), ("old", true));
    assert!(old.ttl() <= 1, "a late commit would wait for {} s", old.ttl());
    // It has now. Nobody purges, and still the new answer comes.
    std::thread::scope(|scope| {
        scope.spawn(|| stage.expects("GET /a").answers(kept("new")));
        let patience = Patience::begins();
        while cistern.get("/a").text() != "new" {
            assert!(patience.lasts(), "the late commit was never seen");
        }
    });
}

#[test]
fn gateways_that_do_not_know_count_as_done() {
    let stage = Stage::with(|what| match what {
        "PUT /502" => Some(message(502, &[], "?")),
        "PUT /504" => Some(message(504, &[], "?")),
        _ => Some(kept("x")),
    });
    let cistern = in_front_of(stage.address()).start();
    for code in [502, 504] {
        let target = format!("/{code}");
        cistern.get(&target);
        cistern.get(&target).served_from_store();
        cistern.send(&ask("PUT", &target)).with_status(code);
        cistern.get(&target).served_by_origin();
    }
}

/// An untrusted balancer takes the TLS off: clients and the origin say `https` where we see `http`.
#[test]
fn places_named_by_the_scheme_of_a_balancer_are_purged() {
    let stage = Stage::with(|what| what.starts_with("GET ").then(|| kept("x")));
    let cistern = in_front_of(stage.address()).start();
    let write = |line: &str| {
        let writer = cistern.begin(&ask("POST", "/new"));
        stage.expects("POST /new").answers(message(201, &[line], ""));
        writer.finish().with_status(201);
    };
    for line in [
        "Location: https://api.example/a",
        "Content-Location: https://API.example:443/a",
        "Location: http://api.example:80/a",
    ] {
        cistern.get("/a");
        cistern.get("/a").served_from_store();
        write(line);
        cistern.get("/a").served_by_origin();
    }
    for line in ["Location: https://evil.example/a", "Location: https://api.example:8443/a"] {
        write(line);
        cistern.get("/a").served_from_store();
    }
}

/// A trusted balancer tells the scheme, so that both schemes have entries.
#[test]
fn places_that_the_answer_names_go_under_both_schemes() {
    let stage = Stage::with(|what| what.starts_with("GET ").then(|| kept("x")));
    let config = "[trust]\npeers = [\"127.0.0.0/8\"]\n";
    let cistern = in_front_of(stage.address()).config(config).start();
    let secure = |ask: Ask| ask.header("X-Forwarded-Proto", "https");
    for ask in [get("/a"), secure(get("/a"))] {
        cistern.send(&ask);
        cistern.send(&ask).served_from_store();
    }
    let writer = cistern.begin(&secure(ask("POST", "/new")));
    stage.expects("POST /new").answers(message(201, &["Location: /a"], ""));
    writer.finish().with_status(201);
    for ask in [get("/a"), secure(get("/a"))] {
        cistern.send(&ask).served_by_origin();
    }
}

#[test]
fn places_that_the_answer_names_are_fenced_too() {
    let stage = Stage::start();
    let cistern = in_front_of(stage.address()).start();
    for (number, line) in [
        "Location: /things/0",
        "Content-Location: http://api.example/things/1",
        "Location: ../things/2#part",
    ]
    .into_iter()
    .enumerate()
    {
        let what = format!("GET /things/{number}");
        let before = cistern.begin(&get(&format!("/things/{number}")));
        let slow = stage.expects(&what);
        let writer = cistern.begin(&ask("POST", "/new/thing"));
        stage.expects("POST /new/thing").answers(message(201, &[line], ""));
        writer.finish().with_status(201);
        let after = cistern.begin(&get(&format!("/things/{number}")));
        stage.expects(&what).answers(kept("new"));
        assert_eq!(after.finish().text(), "new", "{line}");
        slow.answers(kept("old"));
        assert_eq!(before.finish().text(), "old", "{line}");
        let later = cistern.get(&format!("/things/{number}")).served_from_store();
        assert_eq!(later.text(), "new", "{line}");
    }
    // Another site's things are not this one's to drop (RFC 9111, 4.4).
    let before = cistern.begin(&get("/things/0?other"));
    let slow = stage.expects("GET /things/0?other");
    let writer = cistern.begin(&ask("POST", "/new"));
    let elsewhere = "Location: http://evil.example/things/0?other";
    stage.expects("POST /new").answers(message(201, &[elsewhere], ""));
    writer.finish().with_status(201);
    slow.answers(kept("one"));
    assert_eq!(before.finish().text(), "one");
    cistern.get("/things/0?other").served_from_store();
    stage.was_asked_no_more();
}

const BY_ANSWER: &str = r#"
version = 1
[[route]]
name = "read"
match = "GET /items/{id}"
key = "item:{id}"
ttl = "5m"
[[route]]
name = "write"
match = "POST /items"
on_write.purge = ["key:item:{json:/id}"]
"#;

#[test]
fn the_writer_waits_for_the_purge_that_the_body_names() {
    let stage = Stage::with(|what| what.starts_with("GET ").then(|| kept("x")));
    let cistern = in_front_of(stage.address()).rules(BY_ANSWER).start();
    for target in ["/items/1", "/items/2"] {
        cistern.get(target);
        cistern.get(target).served_from_store();
    }
    let mut writer = Wire::asking(cistern.address(), "POST /items", &["Content-Length: 0"]);
    let mut write = stage.expects("POST /items");
    let lines = ["Content-Type: application/json", "Content-Length: 8"];
    write.says(format!("{}{{\"id\"", head_of(201, &lines)));
    cistern.get("/items/1").served_from_store();
    write.answers(":1}");
    assert_eq!(writer.answer().1, "{\"id\":1}");
    cistern.get("/items/1").served_by_origin();
    cistern.get("/items/2").served_from_store();
}

#[test]
fn a_write_whose_answer_breaks_off_shows_its_writer_what_came() {
    let stage = Stage::with(|what| what.starts_with("GET ").then(|| kept("x")));
    let cistern = in_front_of(stage.address()).rules(BY_ANSWER).start();
    let json = "Content-Type: application/json";
    for (framing, came) in [
        ("Content-Length: 8", "{\"id\""),
        ("Content-Length: 8", ""),
        ("Transfer-Encoding: chunked", "5\r\n{\"id\"\r\n"),
        ("Transfer-Encoding: chunked", ""),
    ] {
        for target in ["/items/1", "/items/2"] {
            cistern.get(target);
            cistern.get(target).served_from_store();
        }
        let mut writer = Wire::asking(cistern.address(), "POST /items", &["Content-Length: 0"]);
        let mut write = stage.expects("POST /items");
        write.says(format!("{}{came}", head_of(201, &[json, framing, "X-Seen: yes"])));
        write.hangs_up();
        let head = writer.head();
        assert_eq!((head.status, head.field("x-seen")), (201, Some("yes")), "{framing}");
        let cut = writer.rest(&head, 0).cut();
        assert_eq!(cut, if came.is_empty() { "" } else { "{\"id\"" }.as_bytes(), "{framing}");
        // An answer that breaks off names nothing, so everything it could have named goes.
        cistern.get("/items/1").served_by_origin();
        cistern.get("/items/2").served_by_origin();
    }
}

#[test]
fn trailers_of_an_answer_that_was_held_back_pass() {
    let stage = Stage::start();
    let cistern = in_front_of(stage.address()).rules(BY_ANSWER).start();
    let lines = ["Content-Length: 0", "TE: trailers"];
    let mut writer = Wire::asking(cistern.address(), "POST /items", &lines);
    let mut write = stage.expects("POST /items");
    let lines = ["Content-Type: application/json", "Transfer-Encoding: chunked", "Trailer: X-Sum"];
    write.says(head_of(201, &lines)).says("8\r\n{\"id\":1}\r\n");
    write.answers("0\r\nX-Sum: 7\r\n\r\n");
    assert_eq!(writer.head().field("trailer"), Some("X-Sum"));
    assert_eq!(writer.chunk().as_deref(), Some(&b"{\"id\":1}"[..]));
    assert_eq!(writer.chunk(), Some(Vec::new()));
    assert_eq!(writer.trailers(), Some(vec!["x-sum: 7".to_owned()]));
}

#[test]
fn an_answer_to_post_stands_only_if_nothing_came_between() {
    let stage = Stage::start();
    let cistern = in_front_of(stage.address()).profile("rfc").start();
    let posted = message(200, &[MINUTE, "Content-Location: /a"], "posted");
    let writer = cistern.begin(&ask("POST", "/a"));
    stage.expects("POST /a").answers(posted.as_str());
    assert_eq!(writer.finish().with_status(200).text(), "posted");
    assert_eq!(cistern.get("/a").served_from_store().text(), "posted");

    let writer = cistern.begin(&ask("POST", "/a"));
    let slow = stage.expects("POST /a");
    let other = cistern.begin(&ask("PUT", "/a"));
    stage.expects("PUT /a").answers(message(204, &[], ""));
    other.finish().with_status(204);
    slow.answers(posted.as_str());
    assert_eq!(writer.finish().with_status(200).text(), "posted");
    let after = cistern.begin(&get("/a"));
    stage.expects("GET /a").answers(kept("put"));
    assert_eq!(after.finish().served_by_origin().text(), "put");
}

#[test]
fn an_answer_to_post_overtaken_within_its_body_is_not_kept() {
    let stage = Stage::start();
    let cistern = in_front_of(stage.address()).profile("rfc").start();
    let mut writer = Wire::asking(cistern.address(), "POST /a", &["Content-Length: 0"]);
    let mut slow = stage.expects("POST /a");
    let lines = [MINUTE, "Content-Location: /a", "Content-Length: 6"];
    slow.says(format!("{}pos", head_of(200, &lines)));
    assert_eq!(writer.head().status, 200);
    assert_eq!(writer.bytes(3), b"pos");
    let other = cistern.begin(&ask("PUT", "/a"));
    stage.expects("PUT /a").answers(message(204, &[], ""));
    other.finish().with_status(204);
    slow.answers("ted");
    assert_eq!(writer.bytes(3), b"ted");
    let after = cistern.begin(&get("/a"));
    stage.expects("GET /a").answers(kept("put"));
    assert_eq!(after.finish().served_by_origin().text(), "put");
}
