//! Groups of answers (RFC 9875): an answer says which it belongs to, the answer to a write says
//! which it has changed, and only those of the same origin go.

use crate::support::cistern::{Cistern, in_front_of};
use crate::support::client::{Ask, ask, get};
use crate::support::fleet::{Fleet, stored};
use crate::support::redis::Server;
use crate::support::stage::{Stage, message};

const MINUTE: &str = "Cache-Control: max-age=60";

fn grouped(what: &str) -> Option<String> {
    let line = match what {
        "GET /a" => "Cache-Groups: \"news\", \"day one\";x=1",
        "GET /b" => "Cache-Groups: \"sport\"",
        "GET /tag" => "Surrogate-Key: news \"news\"@shop.example",
        "GET /broken" => "Cache-Groups: news",
        _ => return what.starts_with("GET ").then(|| message(200, &[MINUTE], what)),
    };
    Some(message(200, &[MINUTE, line], what))
}

fn write(cistern: &Cistern, stage: &Stage, ask: &Ask, status: u16, line: &str) {
    let writer = cistern.begin(ask);
    stage.next().answers(message(status, &[line], ""));
    let told = writer.finish().with_status(status);
    assert!(told.get("cache-group-invalidation").is_some(), "not for caches alone");
}

fn shop(ask: Ask) -> Ask {
    ask.host("shop.example")
}

#[test]
fn the_answer_to_a_write_names_groups_that_go() {
    let stage = Stage::with(grouped);
    let cistern = in_front_of(stage.address()).start();
    for (line, gone) in [
        ("Cache-Group-Invalidation: \"news\"", &["/a"][..]),
        ("Cache-Group-Invalidation: \"day one\", \"nobody's\"", &["/a"]),
        ("Cache-Group-Invalidation: \"sport\";why=x, \"news\"", &["/a", "/b"]),
        ("Cache-Group-Invalidation: \"NEWS\"", &[]),
        // Not a list of strings: as if it were not there.
        ("Cache-Group-Invalidation: news, \"sport\"", &[]),
        ("Cache-Group-Invalidation: (\"news\")", &[]),
    ] {
        for target in ["/a", "/b", "/tag", "/broken"] {
            cistern.send(&shop(get(target)));
            let held = cistern.send(&shop(get(target))).served_from_store();
            // Other caches are to see them.
            assert_eq!(held.get("cache-groups").is_some(), target != "/tag", "{target}");
        }
        write(&cistern, &stage, &shop(ask("POST", "/events")), 204, line);
        for target in ["/a", "/b", "/tag", "/broken"] {
            let answer = cistern.send(&shop(get(target)));
            assert_eq!(answer.is_hit(), !gone.contains(&target), "{line}: {target}");
        }
    }
    let log = cistern.log();
    assert!(log.contains(" IGNORED field=cache-groups target=http://shop.example/broken"), "{log}");
    assert!(log.contains(" IGNORED field=cache-group-invalidation "), "{log}");
}

#[test]
fn groups_belong_to_an_origin() {
    let stage = Stage::with(grouped);
    let cistern = in_front_of(stage.address()).start();
    let other = |ask: Ask| ask.host("other.example");
    for _ in 0..2 {
        cistern.send(&shop(get("/a")));
        cistern.send(&other(get("/a")));
    }
    let line = "Cache-Group-Invalidation: \"news\"";
    write(&cistern, &stage, &other(ask("DELETE", "/events")), 200, line);
    cistern.send(&other(get("/a"))).served_by_origin();
    cistern.send(&shop(get("/a"))).served_from_store();
    // Nor does what has no effect there, or failed, invalidate anything.
    write(&cistern, &stage, &shop(ask("OPTIONS", "/events")), 200, line);
    write(&cistern, &stage, &shop(ask("POST", "/events")), 422, line);
    cistern.send(&shop(get("/a"))).served_from_store();
}

/// Where the rules give one entry to all authorities, the groups are the application's.
#[test]
fn an_answer_for_all_authorities_has_groups_of_its_application() {
    let stage = Stage::with(grouped);
    let rules = format!(
        "version = 1\n[origin.o]\nurl = 'http://{}'\nhost = 'fixed.example'\n[[route]]\n\
         match = 'GET /a'\nkey = 'a'\n",
        stage.address()
    );
    let cistern = in_front_of(stage.address()).rules(&rules).without("--origin").start();
    cistern.send(&shop(get("/a")));
    cistern.send(&get("/a").host("other.example")).served_from_store();
    let line = "Cache-Group-Invalidation: \"news\"";
    write(&cistern, &stage, &ask("PUT", "/events").host("third.example"), 200, line);
    cistern.send(&shop(get("/a"))).served_by_origin();
}

#[test]
fn more_groups_than_can_be_named_are_all_of_the_origin() {
    let stage = Stage::with(grouped);
    let cistern = in_front_of(stage.address()).start();
    for target in ["/a", "/b", "/tag"] {
        cistern.send(&shop(get(target)));
        cistern.send(&shop(get(target))).served_from_store();
    }
    let many: Vec<_> = (0..=256).map(|number| format!("\"{number}\"")).collect();
    let line = format!("Cache-Group-Invalidation: {}", many.join(", "));
    write(&cistern, &stage, &shop(ask("POST", "/events")), 200, &line);
    cistern.send(&shop(get("/a"))).served_by_origin();
    cistern.send(&shop(get("/b"))).served_by_origin();
    cistern.send(&shop(get("/tag"))).served_from_store();
}

#[test]
fn a_fetch_that_began_before_does_not_keep_the_group() {
    let stage = Stage::start();
    let cistern = in_front_of(stage.address()).start();
    let reader = cistern.begin(&shop(get("/a")));
    let slow = stage.expects("GET /a");
    let line = "Cache-Group-Invalidation: \"news\"";
    write(&cistern, &stage, &shop(ask("POST", "/events")), 200, line);
    slow.answers(message(200, &[MINUTE, "Cache-Groups: \"news\""], "old"));
    reader.finish().passed_because("purged-during-fetch");
}

#[test]
fn groups_live_in_the_shared_level_and_in_renewed_answers() {
    let redis = Server::start();
    let stage = Stage::with(|what| match what {
        "GET /a" => None,
        other => grouped(other),
    });
    let fleet = Fleet::of(2, stage.address(), &redis.url());
    let asked = |answer: String| {
        let reader = fleet.nodes[0].begin(&shop(get("/a")));
        stage.expects("GET /a").answers(answer);
        reader.finish()
    };
    let tag = "ETag: \"1\"";
    asked(message(200, &["Cache-Control: max-age=0", tag, "Cache-Groups: \"news\""], "x"));
    asked(message(304, &[MINUTE, tag, "Cache-Groups: \"day\""], "")).with_status(200);
    stored(&redis, "shop.example/a", 1);
    fleet.nodes[1].send(&shop(get("/a"))).served_from_store();
    for group in ["day", "news"] {
        let line = format!("Cache-Group-Invalidation: \"{group}\"");
        write(&fleet.nodes[1], &stage, &shop(ask("POST", "/events")), 200, &line);
        asked(message(200, &[MINUTE, "Cache-Groups: \"news\""], "x")).served_by_origin();
    }
}
