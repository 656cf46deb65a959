//! The hottest keys, by call and by verb.

use std::process::{Command, Stdio};

use cistern::admin::tokens::Role;
use serde_json::{Value, json};

use crate::support::cistern::{Cistern, in_front_of};
use crate::support::client::ask;
use crate::support::operator;
use crate::support::stage::{Stage, message};

fn top(node: &Cistern, token: &str, query: &str) -> Value {
    let path = format!("top{query}");
    operator::call(node, Some(token), "GET", &path, None).with_status(200).json()
}

fn verb(node: &Cistern, token: &str, words: &[&str]) -> Command {
    operator::verb(node, Some(token), words)
}

#[test]
fn the_hottest_keys_are_told() {
    let stage = Stage::with(|what| {
        let lines: &[&str] =
            if what.contains("never") { &[] } else { &["Cache-Control: max-age=60"] };
        Some(message(200, lines, "x"))
    });
    let (setup, token) = in_front_of(stage.address()).token(Role::Read);
    let node = setup.start();
    for _ in 0..5 {
        node.get("/never?token=hush");
    }
    node.get("/once");
    let missed = top(&node, &token, "?by=missed");
    assert_eq!((&missed["sampled"], &missed["not_counted"]), (&json!(1), &json!(0)), "{missed}");
    let keys = missed["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 2, "{missed}");
    assert_eq!((&keys[0]["count"], &keys[0]["at_most_over"]), (&json!(5), &json!(0)), "{missed}");
    assert!(keys[0]["key"].as_str().unwrap().ends_with("/never?token=***"), "{missed}");
    let expensive = top(&node, &token, "?by=expensive&limit=1");
    assert_eq!(expensive["keys"].as_array().unwrap().len(), 1, "{expensive}");
    assert!(expensive["keys"][0]["origin_ms"].is_u64(), "{expensive}");
    // Of what is only asked for one of sixty-four requests is counted, so many must be made.
    for _ in 0..1_000 {
        node.get("/once");
    }
    let asked = top(&node, &token, "");
    assert_eq!(asked["sampled"], 64, "{asked}");
    assert!(asked["keys"][0]["key"].as_str().unwrap().ends_with("/once"), "{asked}");
    let count = asked["keys"][0]["count"].as_u64().unwrap();
    assert!((300..=3_000).contains(&count), "{asked}");
    let shown = verb(&node, &token, &["top", "--by", "missed", "--once"]).output().unwrap();
    let text = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(text.starts_with("most missed, last ") && text.contains("/never?token=***"), "{text}");
    assert!(!text.contains('\u{1b}'), "only a terminal is cleared: {text}");
    for (query, why) in [("by=hits", "asked, missed or expensive"), ("limit=x", "1 to 1000")] {
        let call = ask("GET", &format!("/api/v1/admin/top?{query}")).host(&node.admin());
        let told = call.bearer(&token).to(&node.admin()).with_status(400).json();
        assert!(told["detail"].as_str().unwrap().contains(why), "{told}");
    }
}

#[test]
fn programs_get_an_object_for_each_look() {
    use std::io::{BufRead, BufReader};
    let stage = Stage::with(|_| Some(message(200, &[], "x")));
    let (setup, token) = in_front_of(stage.address()).token(Role::Read);
    let node = setup.start();
    node.get("/a");
    let mut command = verb(&node, &token, &["top", "--by", "missed", "--json"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for _ in 0..2 {
        let line: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        assert_eq!(line["keys"][0]["count"], 1, "{line}");
    }
    child.kill().unwrap();
    child.wait().unwrap();
}
