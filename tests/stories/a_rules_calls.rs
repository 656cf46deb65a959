//! Rules through the admin API: their text, what the files say beside it, what was in force before,
//! and going back.

use std::fs;

use cistern::admin::tokens::Role;
use serde_json::{Value, json};

use crate::support::cistern::{Cistern, in_front_of};
use crate::support::client::Answer;
use crate::support::operator;
use crate::support::redis::until;
use crate::support::stage::{Stage, message};

fn rules(ttl: &str) -> String {
    format!(
        "version = 1\n\n[[route]]\nname = \"docs\"\nmatch = \"GET /docs/{{id}}\"\n\
         key = \"doc:{{id}}\"\nttl = \"{ttl}\"\n"
    )
}

fn call(node: &Cistern, token: &str, method: &str, path: &str, body: &Value) -> Answer {
    operator::call(node, Some(token), method, path, (method != "GET").then_some(body))
}

fn verb(node: &Cistern, token: &str, words: &[&str]) -> (i32, String, String) {
    operator::said(&operator::verb(node, Some(token), words).output().expect("the binary"))
}

/// The lifetime that the rules in force give.
fn ttl(node: &Cistern, token: &str) -> String {
    let asked = json!({ "method": "GET", "url": "/docs/1" });
    let told = call(node, token, "POST", "explain", &asked).with_status(200).json();
    told["ttl"].as_str().unwrap().split(',').next().unwrap().to_owned()
}

fn generation(node: &Cistern, token: &str) -> u64 {
    let status = call(node, token, "GET", "rules/status", &Value::Null).json();
    status["generation"].as_u64().unwrap()
}

#[test]
fn rules_are_shown_compared_and_taken_back() {
    let stage = Stage::with(|_| Some(message(200, &[], "x")));
    let (setup, token) = in_front_of(stage.address()).rules(&rules("1m")).token(Role::Operate);
    let node = setup.start();
    let file = node.file("rules.toml");
    let (code, text, _) = verb(&node, &token, &["rules", "show"]);
    assert_eq!((code, text), (0, rules("1m")));
    let (code, text, _) = verb(&node, &token, &["rules", "list"]);
    assert!(code == 0 && text.starts_with("docs "), "{text}");
    let (code, text, _) = verb(&node, &token, &["rules", "diff"]);
    assert_eq!((code, text.as_str()), (0, ""));
    // A file with a fault is told beside what is in force, and changes nothing.
    fs::write(&file, "version = 1\nnonsense = 2\n").unwrap();
    let told = call(&node, &token, "GET", "rules/diff", &Value::Null).with_status(200).json();
    assert_eq!(told["same"], false);
    assert!(told["errors"][0].as_str().unwrap().contains("nonsense"), "{told}");
    assert_eq!(verb(&node, &token, &["rules", "diff"]).0, 3);
    fs::write(&file, rules("2m")).unwrap();
    let (_, text, _) = verb(&node, &token, &["rules", "diff"]);
    // It may be in force by now: the file is watched.
    assert!(text.is_empty() || text.contains("-ttl = \"1m\"\n+ttl = \"2m\""), "{text}");
    until("the new rules are in force", || ttl(&node, &token) == "2m");
    let versions = call(&node, &token, "GET", "rules/history", &Value::Null).json();
    let versions = versions["versions"].as_array().unwrap().clone();
    assert_eq!((&versions[0]["in_force"], &versions[0]["version"]), (&json!(true), &json!(2)));
    assert_eq!((&versions[1]["in_force"], &versions[1]["version"]), (&json!(false), &json!(1)));
    let (_, text, _) = verb(&node, &token, &["rules", "show", "1"]);
    assert_eq!(text, rules("1m"));
    // Back, for as long as nobody reads the files again.
    let (code, text, _) = verb(&node, &token, &["rules", "rollback", "1"]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("back to version 1") && text.contains("the files stay as they were"));
    assert_eq!((ttl(&node, &token).as_str(), generation(&node, &token)), ("1m", 3));
    let (code, text, _) = verb(&node, &token, &["rules", "diff"]);
    assert!(code == 3 && text.contains("-ttl = \"1m\"\n+ttl = \"2m\""), "{text}");
    let (code, text, _) = verb(&node, &token, &["rules", "history"]);
    assert!(code == 0 && text.starts_with("*    3 "), "{text}");
    call(&node, &token, "POST", "rules/reload", &Value::Null).with_status(200);
    assert_eq!((ttl(&node, &token).as_str(), generation(&node, &token)), ("2m", 4));
    let (code, _, wrong) = verb(&node, &token, &["rules", "rollback", "77"]);
    assert!(code == 1 && wrong.contains("no version 77"), "{wrong}");
    for (method, path, body, status) in [
        ("GET", "rules/text?version=77", Value::Null, 404),
        ("GET", "rules/text?version=x", Value::Null, 400),
        ("POST", "rules/rollback", json!({}), 400),
    ] {
        call(&node, &token, method, path, &body).with_status(status);
    }
    let audit = call(&node, &token, "GET", "audit", &Value::Null).json();
    let back = |one: &Value| one["call"] == "rules rollback" && one["what"] == "version 1";
    assert!(audit["changes"].as_array().unwrap().iter().any(back), "{audit}");
}

#[test]
fn only_the_last_texts_are_kept() {
    let stage = Stage::with(|_| Some(message(200, &[], "x")));
    let (setup, token) = in_front_of(stage.address()).rules(&rules("1m")).token(Role::Operate);
    let node = setup.start();
    for _ in 0..12 {
        call(&node, &token, "POST", "rules/reload", &Value::Null).with_status(200);
    }
    let told = call(&node, &token, "GET", "rules/history", &Value::Null).json();
    let versions = told["versions"].as_array().unwrap();
    assert_eq!((versions.len(), &versions[0]["version"]), (10, &json!(13)), "{told}");
    call(&node, &token, "POST", "rules/rollback", &json!({ "version": 1 })).with_status(404);
}

#[test]
fn a_node_without_rules_says_so() {
    let stage = Stage::with(|_| Some(message(200, &[], "x")));
    let (setup, token) = in_front_of(stage.address()).token(Role::Read);
    let node = setup.start();
    let told = call(&node, &token, "GET", "rules/text", &Value::Null).with_status(404).json();
    assert_eq!(told["code"], "no-rules");
    let told = call(&node, &token, "GET", "rules/diff", &Value::Null).with_status(200).json();
    assert_eq!(told["same"], true, "{told}");
}
