//! Purges that fetch anew: what stood there goes, and comes again before anybody asks for it.

use cistern::admin::tokens::Role;
use serde_json::{Value, json};

use crate::support::cistern::{Cistern, Setup, in_front_of};
use crate::support::client::ask;
use crate::support::operator::{self, said};
use crate::support::redis::until;
use crate::support::stage::{Stage, message};

const RULES: &str = r#"
version = 1
[[route]]
name = "doc"
match = "GET /docs/{id}"
key = "doc:{id}"
ttl = "5m"
"#;

fn setup(stage: &Stage) -> (Setup, String) {
    let config = "[purge]\nnetworks = [\"127.0.0.0/8\"]\n";
    in_front_of(stage.address()).rules(RULES).config(config).token(Role::Purge)
}

fn store(node: &Cistern, stage: &Stage, target: &str) {
    let asked = node.begin(&ask("GET", target));
    stage.expects(&format!("GET {target}")).answers(message(200, &[], "old"));
    asked.finish().with_status(200);
    node.get(target).served_from_store();
}

/// What is told of so many.
fn anew(noted: u64, left_out: u64, l2: &Value) -> Value {
    json!({ "noted": noted, "l2": l2, "left_out": left_out, "whole": true })
}

/// The new one comes, and stands there before anybody has asked for it.
fn comes(node: &Cistern, stage: &Stage, target: &str) {
    stage.expects(&format!("GET {target}")).answers(message(200, &[], "new"));
    let stored = format!("STORE ttl=300 key=doc:{}", target.trim_start_matches("/docs/"));
    until("it is stored", || node.log_so_far().matches(&stored).count() == 2);
    assert_eq!(node.get(target).served_from_store().text(), "new");
}

#[test]
fn what_stood_there_is_fetched_anew_the_hottest_first() {
    let stage = Stage::start();
    let (setup, token) = setup(&stage);
    let node = setup.start();
    for target in ["/docs/1", "/docs/2", "/docs/3"] {
        store(&node, &stage, target);
    }
    // One of 64 requests is counted.
    (0..1_000).for_each(|_| drop(node.get("/docs/3")));
    let body = json!({ "selectors": ["doc:*"], "refresh": true });
    let told = operator::call(&node, Some(&token), "POST", "purge", Some(&body)).json();
    assert_eq!(told["refresh"], anew(3, 0, &json!(null)), "{told}");
    assert_eq!((&told["purged"]["entries"], &told["mode"]), (&json!(3), &json!("refresh")));
    comes(&node, &stage, "/docs/3");
    for _ in 0..2 {
        stage.next().answers(message(200, &[], "new"));
    }
    until("it is told", || node.log_so_far().contains("REFRESH count=3 left_out=0"));
    stage.was_asked_no_more();
}

#[test]
fn by_field_and_by_verb_too_and_never_softly() {
    let stage = Stage::start();
    let (setup, token) = setup(&stage);
    let node = setup.start();
    store(&node, &stage, "/docs/1");
    let told = node.send(&ask("PURGE", "/docs/1").header("x-purge", "refresh"));
    assert_eq!(told.with_status(200).json()["refresh"]["noted"], 1);
    comes(&node, &stage, "/docs/1");
    store(&node, &stage, "/docs/2");
    let verb = |words: &[&str]| {
        said(&operator::verb(&node, Some(&token), words).output().expect("the binary"))
    };
    let (code, text, wrong) = verb(&["purge", "doc:2", "--refresh"]);
    assert!(code == 0 && text.contains("1 are fetched anew, 0 are left out"), "{text}{wrong}");
    comes(&node, &stage, "/docs/2");
    assert_eq!(verb(&["purge", "doc:2", "--refresh", "--soft"]).0, 2);
    let both = json!({ "selectors": ["doc:2"], "refresh": true, "soft": true });
    let told = operator::call(&node, Some(&token), "POST", "purge", Some(&both));
    assert!(told.with_status(400).text().contains("exclude"));
    stage.was_asked_no_more();
}
