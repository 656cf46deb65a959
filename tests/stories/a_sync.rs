//! Entries follow their origin although nothing tells the cache of a change: what is confirmed
//! lives on, what changed or went is so on all nodes, and an origin that fails costs nothing.

use std::sync::atomic::{AtomicUsize, Ordering};

use cistern::admin::tokens::Role;
use serde_json::{Value, json};

use crate::support::cistern::{Cistern, in_front_of};
use crate::support::client::get;
use crate::support::fleet::{Fleet, settings, stored};
use crate::support::operator::{self, counts, end_of, ended, said, told};
use crate::support::redis::{Server, until};
use crate::support::stage::{Stage, message};
use crate::support::versions::Versions;

const RULES: &str = r#"
version = 1
[type.doc]
prefix = "doc:"
[[route]]
name = "docs"
match = "GET /docs/{id}"
type = "doc"
key = "{id}"
[[route]]
name = "near"
match = "GET /near/{id}"
l2 = false
[[route]]
name = "rest"
match = "GET /{rest...}"
"#;

const FAST: u64 = 1_000;

fn of_versions() -> (Versions, Cistern, String) {
    let origin = Versions::start();
    let setup = in_front_of(origin.address()).rules(RULES);
    let (setup, token) = setup.token(Role::Operate);
    (origin, setup.start(), token)
}

/// A node in front of an origin that says one after the other, and then always the last.
fn of_answers(rules: &str, answers: Vec<String>) -> (Stage, Cistern, String) {
    let at = AtomicUsize::new(0);
    let stage = Stage::with(move |_| {
        let at = at.fetch_add(1, Ordering::Relaxed).min(answers.len() - 1);
        Some(answers[at].clone())
    });
    let (setup, token) = in_front_of(stage.address()).rules(rules).token(Role::Operate);
    let node = setup.start();
    (stage, node, token)
}

fn sync(node: &Cistern, token: &str) -> Value {
    ended(node, token, "sync", &json!({ "rate": FAST }))
}

#[test]
fn what_is_confirmed_lives_on_and_what_changed_takes_its_place() {
    let (origin, node, token) = of_versions();
    for path in ["/docs/1", "/docs/2", "/other"] {
        node.get(path).with_status(200);
    }
    origin.commit("/docs/2");
    origin.lives_for(600);
    let job = ended(&node, &token, "sync", &json!({ "selectors": ["type:doc"], "rate": FAST }));
    assert_eq!(job["state"], "done", "{job}");
    assert_eq!(counts(&job), json!({ "unchanged": 1, "changed": 1 }), "{job}");
    assert!(job["examples"][0]["what"].as_str().unwrap().ends_with("/docs/2"), "{job}");
    assert!(node.get("/docs/1").served_from_store().ttl() > 60, "its time began anew");
    assert!(node.get("/other").served_from_store().ttl() <= 60, "nobody asked about it");
    // One question was enough, and nobody waited for it.
    assert_eq!(node.get("/docs/2").served_from_store().json()["version"], 2);
    assert_eq!(origin.asked("GET /docs/2"), 2);
    assert_eq!(origin.served().iter().filter(|one| one.conditional).count(), 2);
    let stats = told(&node, &token, "GET", "stats", &Value::Null);
    let last = &stats["last_sync"];
    assert_eq!(
        (&last["entries"], &last["changed"], &last["failed"]),
        (&json!(2), &json!(1), &json!(0))
    );
    assert!(last["at_ms"].as_u64().is_some() && last["seconds"].as_f64().is_some(), "{last}");
    let metrics =
        get("/metrics").host(&node.admin()).bearer(&token).to(&node.admin()).with_status(200);
    let line = r#"cistern_sync_total{rule="docs",result="changed"} 1"#;
    assert!(metrics.text().contains(line), "{}", metrics.text());
    let log = node.log();
    assert!(log.contains(" SYNC done entries=2 changed=1 failed=0 ms="), "{log}");
    assert!(log.contains("PURGE selector=key:doc:2 count=1 by=sync"), "{log}");
}

#[test]
fn only_what_counts_makes_a_difference() {
    let rules = "version = 1\n[[route]]\nname = 'all'\nmatch = 'GET /{rest...}'\nttl = '60s'\n\
                 compare = ['/estado']\n";
    let says =
        |estado: &str, at: u32| message(200, &[], &format!(r#"{{"estado":"{estado}","at":{at}}}"#));
    let answers = vec![says("ok", 1), says("ok", 2), says("no", 3)];
    let (_stage, node, token) = of_answers(rules, answers);
    node.get("/a").with_status(200);
    assert_eq!(counts(&sync(&node, &token)), json!({ "unchanged": 1 }));
    assert_eq!(node.get("/a").served_from_store().json()["at"], 2, "the newer one is as good");
    let job = sync(&node, &token);
    assert_eq!(counts(&job), json!({ "changed": 1 }), "{job}");
    let why = job["examples"][0]["why"].as_str().unwrap();
    assert!(why.ends_with(": /estado") && !why.contains("no\""), "{why}");
    assert_eq!(node.get("/a").served_from_store().json()["estado"], "no");
}

#[test]
fn what_the_origin_has_no_longer_goes() {
    let (origin, node, token) = of_versions();
    node.get("/docs/1").with_status(200);
    origin.fails_with(404);
    let job = sync(&node, &token);
    assert_eq!(counts(&job), json!({ "gone": 1 }), "{job}");
    node.get("/docs/1").with_status(404);
    assert_eq!(counts(&sync(&node, &token)), json!({}), "nothing is left of it");
}

#[test]
fn what_may_not_be_kept_any_more_goes() {
    let answers = vec![
        message(200, &["Cache-Control: max-age=60"], "one"),
        message(200, &["Cache-Control: no-store"], "two"),
    ];
    let (_stage, node, token) = of_answers("version = 1\n", answers);
    node.get("/a").with_status(200);
    let job = sync(&node, &token);
    assert_eq!(counts(&job), json!({ "not-cacheable": 1 }), "{job}");
    assert_eq!(node.get("/a").served_by_origin().text(), "two");
}

#[test]
fn an_answer_from_before_what_is_stored_does_not_replace_it() {
    let day = |day: u32| format!("Last-Modified: Fri, {day} Nov 2020 12:00:00 GMT");
    let says =
        |day_of: u32, body: &str| message(200, &["Cache-Control: max-age=60", &day(day_of)], body);
    let dated = message(
        200,
        &["Cache-Control: max-age=60", &day(20), "Date: Fri, 20 Nov 2020 12:00:00 GMT"],
        "as made long ago",
    );
    let answers = vec![says(20, "new"), says(13, "old"), dated, says(27, "newer")];
    let (_stage, node, token) = of_answers("version = 1\n", answers);
    node.get("/a").with_status(200);
    for reason in ["Last-Modified", "Date"] {
        let job = sync(&node, &token);
        assert_eq!(counts(&job), json!({ "older": 1 }), "by {reason}: {job}");
        assert_eq!(node.get("/a").served_from_store().text(), "new");
    }
    assert_eq!(counts(&sync(&node, &token)), json!({ "changed": 1 }));
    assert_eq!(node.get("/a").served_from_store().text(), "newer");
}

#[test]
fn an_origin_that_fails_is_waited_for_and_costs_nothing() {
    let (origin, node, token) = of_versions();
    node.get("/docs/1").with_status(200);
    origin.commit("/docs/1");
    origin.fails_with(503);
    let asked = origin.asked("GET /docs/1");
    let begun = told(&node, &token, "POST", "sync", &json!({ "rate": FAST }));
    until("it was asked in vain", || origin.asked("GET /docs/1") > asked);
    node.get("/docs/1").served_from_store();
    origin.recovers();
    let job = end_of(&node, &token, begun["id"].as_str().unwrap());
    assert_eq!(counts(&job), json!({ "changed": 1 }), "{job}");
    assert_eq!(node.get("/docs/1").served_from_store().json()["version"], 2);
    // One that does not come back is reported, and what stands here stays.
    origin.fails_with(500);
    let asked = origin.asked("GET /docs/1");
    let words = ["sync", "type:doc", "--wait", "--rate", "1000"];
    let (code, out, err) = said(&operator::verb(&node, Some(&token), &words).output().unwrap());
    assert_eq!(code, 1, "{out} {err}");
    assert!(out.contains("failed 1") && out.contains("the origin answered 500"), "{out}");
    assert_eq!(origin.asked("GET /docs/1") - asked, 3, "it was tried again, and not for ever");
    node.get("/docs/1").served_from_store();
    let (code, ..) =
        said(&operator::verb(&node, Some(&token), &["verify", "--wait"]).output().unwrap());
    assert_eq!(code, 1, "nothing could be compared");
}

#[test]
fn what_needs_a_credential_is_left_alone_or_gets_that_of_its_origin() {
    let stage = Stage::start();
    let rules = format!(
        "version = 1\n[origin.o]\nurl = 'http://{}'\njob_headers = {{ Authorization = 'Bearer \
         ours' }}\n[[route]]\nname = 'own'\nmatch = 'GET /own'\norigin = 'o'\n\
         share = 'identity'\nttl = '60s'\n[[route]]\nname = 'all'\nmatch = 'GET /{{rest...}}'\n\
         origin = 'o'\nshare = 'public'\nttl = '60s'\n",
        stage.address()
    );
    let setup = in_front_of(stage.address()).without("--origin").rules(&rules);
    let (setup, token) = setup.token(Role::Operate);
    let node = setup.start();
    for path in ["/own", "/shared"] {
        let asked = node.begin(&get(path).bearer("ann"));
        stage.expects(&format!("GET {path}")).answers(message(200, &[], "ann's"));
        asked.finish().with_status(200);
    }
    let begun = told(&node, &token, "POST", "sync", &json!({ "rate": FAST }));
    let scene = stage.expects("GET /shared");
    assert_eq!(scene.field("authorization"), Some("Bearer ours"));
    scene.answers(message(200, &[], "ann's"));
    let job = end_of(&node, &token, begun["id"].as_str().unwrap());
    assert_eq!(counts(&job), json!({ "unchanged": 1, "no-credentials": 1 }), "{job}");
    stage.was_asked_no_more();
}

#[test]
fn a_purge_in_the_middle_counts() {
    let stage = Stage::start();
    let (setup, token) = in_front_of(stage.address()).token(Role::Operate);
    let node = setup.start();
    let fresh = |body: &str| message(200, &["Cache-Control: max-age=60", "ETag: \"1\""], body);
    for answer in [fresh("changed"), message(304, &["ETag: \"1\""], "")] {
        let asked = node.begin(&get("/a"));
        stage.expects("GET /a").answers(fresh("first"));
        asked.finish().with_status(200);
        let begun = told(&node, &token, "POST", "sync", &json!({ "rate": FAST }));
        let scene = stage.expects("GET /a");
        assert_eq!(scene.field("if-none-match"), Some("\"1\""));
        let purge = json!({ "selectors": ["url:http://api.example/a"] });
        told(&node, &token, "POST", "purge", &purge);
        scene.answers(answer);
        let job = end_of(&node, &token, begun["id"].as_str().unwrap());
        assert_eq!(counts(&job), json!({ "skipped": 1 }), "{job}");
        let asked = node.begin(&get("/a"));
        stage.expects("GET /a").answers(fresh("after"));
        assert_eq!(asked.finish().text(), "after");
        told(&node, &token, "POST", "purge", &purge);
    }
}

#[test]
fn a_job_stands_still_until_it_is_resumed() {
    let (origin, node, token) = of_versions();
    for id in 1..=30 {
        node.get(&format!("/docs/{id}")).with_status(200);
    }
    let begun = told(&node, &token, "POST", "sync", &json!({ "rate": 5, "at_once": 1 }));
    let id = begun["id"].as_str().unwrap();
    let job = || told(&node, &token, "GET", &format!("jobs/{id}"), &Value::Null);
    until("it has begun", || job()["done"].as_u64() > Some(0));
    let verb = |word: &str| {
        said(&operator::verb(&node, Some(&token), &["jobs", word, id]).output().unwrap())
    };
    let (code, out, err) = verb("pause");
    assert!(code == 0 && out.contains("paused"), "{out} {err}");
    // What it had asked for still comes; after that nothing does.
    let mut done = (0, 0);
    until("nothing more comes", || {
        done = (done.1, job()["done"].as_u64().unwrap());
        done.0 == done.1
    });
    let asked = origin.asked_in_all();
    let fast = json!({ "selectors": ["key:doc:1"], "rate": FAST });
    assert_eq!(counts(&ended(&node, &token, "sync", &fast)), json!({ "unchanged": 1 }));
    assert_eq!(origin.asked_in_all(), asked + 1, "another one runs meanwhile, and it alone");
    assert_eq!(job()["state"], "paused");
    let (code, out, err) = verb("resume");
    assert!(code == 0 && out.contains("running"), "{out} {err}");
    until("it goes on", || job()["done"].as_u64() > Some(done.1));
    told(&node, &token, "DELETE", &format!("jobs/{id}"), &Value::Null);
    let again = operator::call(&node, Some(&token), "POST", &format!("jobs/{id}/pause"), None);
    assert_eq!(again.with_status(409).json()["code"], "job-ended");
}

#[test]
fn at_an_interval_it_happens_by_itself() {
    let origin = Versions::start();
    let setup = in_front_of(origin.address()).rules(RULES).setting("REDIS_SYNC_INTERVAL", "1");
    let (setup, token) = setup.token(Role::Operate);
    let node = setup.start();
    node.get("/docs/1").with_status(200);
    origin.commit("/docs/1");
    until("the change is here", || node.get("/docs/1").json()["version"] == 2);
    node.get("/docs/1").served_from_store();
    let stats = || told(&node, &token, "GET", "stats", &Value::Null)["last_sync"].clone();
    until("it was the last time", || stats()["entries"] == 1);
    let first = stats()["at_ms"].as_u64();
    until("it comes again", || stats()["at_ms"].as_u64() > first);
    let jobs = told(&node, &token, "GET", "jobs", &Value::Null);
    let jobs = jobs["jobs"].as_array().unwrap();
    assert!(jobs.iter().all(|job| job["by"] == "the interval"), "{jobs:?}");
    assert!(jobs.len() <= 2, "they push no other job out: {jobs:?}");
    assert!(!node.log().contains("REDIS_SYNC_INTERVAL"), "it has its effect");
}

#[test]
fn all_nodes_follow_and_one_of_them_asks() {
    let (redis, origin) = (Server::start(), Versions::start());
    let made = (0..2).map(|_| {
        let setup = in_front_of(origin.address()).config(&settings(&redis.url()));
        setup.rules(RULES).token(Role::Operate)
    });
    let (setups, tokens): (Vec<_>, Vec<_>) = made.unzip();
    let fleet = Fleet::start(setups);
    for answer in fleet.each(&get("/docs/1")) {
        answer.with_status(200);
    }
    fleet.nodes[1].get("/docs/2").with_status(200);
    stored(&redis, "doc:", 2);
    for path in ["/docs/1", "/docs/2"] {
        origin.commit(path);
    }
    // The first node holds one of them, and finds the other one where all nodes look.
    let of = json!({ "selectors": ["type:doc"], "rate": FAST });
    let job = ended(&fleet.nodes[0], &tokens[0], "sync", &of);
    assert_eq!(counts(&job), json!({ "changed": 2 }), "{job}");
    fleet.all_tell("/docs/1", 2);
    fleet.all_tell("/docs/2", 2);
    for path in ["GET /docs/1", "GET /docs/2"] {
        assert_eq!(origin.asked(path), 2, "{path}: once at first, and once by the job");
    }
    let job = ended(&fleet.nodes[1], &tokens[1], "sync", &of);
    assert_eq!(counts(&job), json!({ "unchanged": 2 }), "{job}");
}

#[test]
fn at_an_interval_one_node_has_the_turn() {
    let (redis, origin) = (Server::start(), Versions::start());
    let made = (0..2).map(|_| {
        let setup = in_front_of(origin.address()).config(&settings(&redis.url()));
        setup.rules(RULES).setting("CISTERN_SYNC__INTERVAL", "1s").token(Role::Read)
    });
    let (setups, tokens): (Vec<_>, Vec<_>) = made.unzip();
    let fleet = Fleet::start(setups);
    for path in ["/docs/1", "/near/1"] {
        fleet.each(&get(path));
        origin.commit(path);
        // What a node keeps alone it asks about by itself.
        let is_new = |node: &Cistern| node.get(path).json()["version"] == 2;
        until("both tell the change", || fleet.nodes.iter().all(is_new));
    }
    let whats = |at: usize| -> Vec<String> {
        let told = told(&fleet.nodes[at], &tokens[at], "GET", "jobs", &Value::Null);
        let jobs = told["jobs"].as_array().unwrap().iter();
        jobs.map(|job| job["what"].as_str().unwrap().to_owned()).collect()
    };
    let says = |word: &str| (0..2).any(|at| whats(at).iter().any(|what| what.contains(word)));
    until("one has the turn", || says("for all nodes"));
    until("the other one leaves it to that", || says("another one has the rest"));
    assert!(redis.keys("cistern:{c}:sync").len() <= 1);
}
