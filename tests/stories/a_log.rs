//! What happened lately and what happens now, by call and by verb.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use cistern::admin::tokens::Role;
use serde_json::{Value, json};

use crate::support::cistern::{Cistern, in_front_of};
use crate::support::operator::{call, said, verb};
use crate::support::redis::until;
use crate::support::stage::{Stage, message};

const RULES: &str = r#"
version = 1
[type.doc]
prefix = "doc:"
ttl = "5m"
[[route]]
name = "doc"
match = "GET /doc/{id}"
type = "doc"
key = "{id}"
"#;

fn started(role: Role) -> (Stage, Cistern, String) {
    let stage = Stage::with(|_| Some(message(200, &["Cache-Control: max-age=60"], "x")));
    let (setup, token) = in_front_of(stage.address()).rules(RULES).token(role);
    let node = setup.start();
    (stage, node, token)
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect()
}

fn words(lines: &[Value]) -> Vec<&str> {
    lines.iter().filter_map(|line| line["event"].as_str()).collect()
}

fn recent(node: &Cistern, token: &str, query: &str) -> Vec<Value> {
    let answer = call(node, Some(token), "GET", &format!("events{query}"), None).with_status(200);
    assert_eq!(answer.get("content-type").as_deref(), Some("application/x-ndjson"));
    lines(&answer.text())
}

fn purge(node: &Cistern, token: &str, selector: &str) {
    let body = json!({ "selectors": [selector] });
    call(node, Some(token), "POST", "purge", Some(&body)).with_status(200);
}

#[test]
fn what_happened_lately_is_at_hand() {
    let (_stage, node, token) = started(Role::Purge);
    node.get("/doc/1").with_status(200);
    node.get("/doc/1").served_from_store();
    purge(&node, &token, "key:doc:1");
    purge(&node, &token, "key:doc:2");
    let all = recent(&node, &token, "");
    assert_eq!(words(&all), ["START", "PURGE", "PURGE"], "{all:?}");
    assert_eq!(all[1]["selector"], "key:doc:1", "{all:?}");
    assert_eq!((&all[1]["count"], &all[1]["by"]), (&json!(1), &json!("admin")), "{all:?}");
    assert_eq!(recent(&node, &token, "?limit=1")[0]["selector"], "key:doc:2");
    assert_eq!(words(&recent(&node, &token, "?kind=start,reload")), ["START"]);
    assert_eq!(recent(&node, &token, "?key=doc:1").len(), 1);
    assert_eq!(recent(&node, &token, "?kind=HIT"), Vec::<Value>::new());
    for (query, status) in [
        ("?kind=HITS", 400),
        ("?follow=2", 400),
        ("?limit=0", 400),
        ("?since=1", 400),
        ("?kind=AUDIT", 403),
    ] {
        call(&node, Some(&token), "GET", &format!("events{query}"), None).with_status(status);
    }
    let output = verb(&node, Some(&token), &["log", "--kind", "PURGE,HIT"]).output().unwrap();
    let (code, out, notes) = said(&output);
    assert_eq!((code, out.lines().count()), (0, 2), "{out}{notes}");
    assert!(out.contains(" PURGE selector=key:doc:1 count=1 by=admin\n"), "{out}");
    assert!(notes.contains("--follow"), "hits are not kept: {notes}");
    let output = verb(&node, None, &["log"]).output().unwrap();
    assert_eq!(said(&output).0, 5);
}

#[test]
fn who_changed_what_is_for_who_may_change() {
    let (_stage, node, token) = started(Role::Operate);
    purge(&node, &token, "all");
    let all = recent(&node, &token, "?kind=AUDIT");
    assert_eq!((words(&all), &all[0]["who"]), (vec!["AUDIT"], &json!("story")), "{all:?}");
    assert_eq!(words(&recent(&node, &token, "")), ["START", "PURGE", "AUDIT"]);
}

/// A verb that follows, and its lines.
struct Following {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Following {
    fn start(node: &Cistern, token: &str, words: &[&str]) -> Self {
        let all = [&["log", "--follow", "--json"], words].concat();
        let mut child = verb(node, Some(token), &all).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        Self { child, lines }
    }

    fn next(&mut self) -> Value {
        let line = self.lines.next().expect("a line").expect("a text");
        serde_json::from_str(&line).expect("an object")
    }

    fn stop(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[test]
fn who_follows_sees_what_is_wanted_as_it_comes() {
    let (_stage, node, token) = started(Role::Purge);
    purge(&node, &token, "key:doc:7");
    let mut all = Following::start(&node, &token, &["--key", "doc:*"]);
    // What happened before comes first: from then on it follows.
    assert_eq!(all.next()["selector"], "key:doc:7");
    let mut hits = Following::start(&node, &token, &["--kind", "PURGE,HIT", "--key", "doc:1"]);
    purge(&node, &token, "key:doc:1");
    assert_eq!(hits.next()["event"], "PURGE");
    assert_eq!(all.next()["selector"], "key:doc:1");
    node.get("/other").with_status(200);
    for id in ["1", "2", "1"] {
        node.get(&format!("/doc/{id}")).with_status(200);
    }
    let seen: Vec<Value> = (0..5).map(|_| all.next()).collect();
    let keys: Vec<_> = seen.iter().filter_map(|line| line["key"].as_str()).collect();
    assert_eq!(keys.len(), 5, "{seen:?}");
    assert!(keys.iter().all(|key| *key == "doc:1" || *key == "doc:2"), "{seen:?}");
    assert_eq!(words(&seen).iter().filter(|word| **word == "HIT").count(), 1, "{seen:?}");
    let hit = hits.next();
    assert_eq!((&hit["event"], &hit["key"]), (&json!("HIT"), &json!("doc:1")), "{hit}");
    all.stop();
    hits.stop();
}

#[test]
fn followers_have_a_bound_and_leave_their_place() {
    let (_stage, node, token) = started(Role::Purge);
    purge(&node, &token, "key:doc:7");
    let mut those: Vec<_> = (0..16).map(|_| Following::start(&node, &token, &[])).collect();
    for one in &mut those {
        assert_eq!(one.next()["event"], "START");
    }
    let one_more = || call(&node, Some(&token), "GET", "events?follow=1", None);
    assert_eq!(one_more().with_status(503).json()["code"], "too-many-followers");
    those.pop().expect("the last").stop();
    // The node notices when it next has something to say.
    until("a place is free", || {
        purge(&node, &token, "key:doc:7");
        let mut next = verb(&node, Some(&token), &["log", "--follow"]);
        let mut next = next.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let line = BufReader::new(next.stdout.take().expect("a pipe")).lines().next();
        next.kill().unwrap();
        next.wait().unwrap();
        line.is_some()
    });
    those.into_iter().for_each(Following::stop);
}
