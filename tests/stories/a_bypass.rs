//! The emergency switch: everything passes and nothing is kept while it is on, and what stood
//! before is as good as ever when it ends, since writes and purges counted all the while.

use cistern::admin::tokens::Role;
use serde_json::{Value, json};

use crate::support::cistern::{Cistern, in_front_of};
use crate::support::client::{Answer, ask, get};
use crate::support::fleet::{Fleet, settings, stored};
use crate::support::operator;
use crate::support::origin::{Origin, text};
use crate::support::redis::{Server, until};
use crate::support::stage::{Stage, message};
use crate::support::versions::Versions;

const RULES: &str = r#"
version = 1
[type.doc]
prefix = "doc:"
ttl = "5m"
[[route]]
name = "docs"
match = "GET /docs/{id}"
type = "doc"
key = "{id}"
[[route]]
name = "doc-saved"
match = "PUT /docs/{id}"
on_write.purge = ["key:doc:{id}"]
"#;

fn call(node: &Cistern, token: &str, method: &str, path: &str, body: &Value) -> Answer {
    operator::call(node, Some(token), method, path, (method != "GET").then_some(body))
}

fn turn(node: &Cistern, token: &str, body: &Value) -> Value {
    call(node, token, "POST", "bypass", body).with_status(200).json()
}

fn verb(node: &Cistern, token: &str, words: &[&str]) -> (i32, String) {
    let output = operator::verb(node, Some(token), words).output().expect("the binary");
    let (code, told, wrong) = operator::said(&output);
    (code, told + &wrong)
}

#[test]
fn everything_passes_and_nothing_is_kept_while_it_is_on() {
    let origin = Origin::start();
    for path in ["/docs/1", "/docs/2", "/plain"] {
        origin.answers(&format!("GET {path}"), text("old").for_a_minute());
    }
    origin.answers("PUT /docs/1", text("saved"));
    let (setup, token) = in_front_of(origin.address()).rules(RULES).token(Role::Operate);
    let node = setup.start();
    for path in ["/docs/1", "/docs/2", "/plain"] {
        node.get(path);
        node.get(path).served_from_store();
    }
    let on = turn(&node, &token, &json!({ "on": true, "for": "10m" }));
    assert_eq!((&on["on"], &on["by"]), (&json!(true), &json!("story")), "{on}");
    assert!(on["left"].as_u64().is_some_and(|left| (590..=600).contains(&left)), "{on}");
    for path in ["/docs/1", "/docs/2", "/plain", "/docs/3"] {
        let told = node.get(path).passed_because("bypass-switch");
        assert!(told.get("cache-status").unwrap().contains("fwd=bypass"), "{path}");
    }
    assert_eq!(origin.asked("GET /docs/1"), 2);
    // A write still purges what stands, and a purge too.
    node.send(&ask("PUT", "/docs/1").json(&json!(1))).with_status(200);
    let purged = call(
        &node,
        &token,
        "POST",
        "purge",
        &json!({ "selectors": ["url:http://api.example/plain"] }),
    );
    assert_eq!(purged.with_status(200).json()["purged"]["entries"], 1);
    let refused = call(&node, &token, "PUT", "entry?key=doc:1&type=doc", &json!(1));
    assert_eq!(refused.with_status(409).json()["code"], "bypass-switch");
    // It outlives a reload, and is told wherever one looks.
    call(&node, &token, "POST", "rules/reload", &Value::Null).with_status(200);
    node.get("/docs/2").passed_because("bypass-switch");
    assert_eq!(call(&node, &token, "GET", "stats", &Value::Null).json()["bypass"]["on"], true);
    let asked = json!({ "method": "GET", "url": "http://api.example/docs/2" });
    let told = call(&node, &token, "POST", "explain", &asked).json();
    assert_eq!((&told["outcome"], &told["reason"]), (&json!("pass"), &json!("bypass-switch")));
    assert_eq!(turn(&node, &token, &json!({ "on": false })), json!({ "on": false }));
    node.get("/docs/2").served_from_store();
    node.get("/docs/1").served_by_origin();
    node.get("/plain").served_by_origin();
    node.get("/docs/3").served_by_origin();
    let log = node.log();
    assert!(log.contains(" BYPASS on detail=\"for 10m by story\""), "{log}");
    assert!(log.contains(" BYPASS off detail=\"by story\""), "{log}");
}

#[test]
fn what_was_being_fetched_is_not_kept_either() {
    let stage = Stage::start();
    let (setup, token) = in_front_of(stage.address()).rules(RULES).token(Role::Operate);
    let node = setup.start();
    let reader = node.begin(&get("/docs/1"));
    let slow = stage.expects("GET /docs/1");
    turn(&node, &token, &json!({ "on": true }));
    slow.answers(message(200, &[], "x"));
    reader.finish().passed_because("bypass-switch");
    turn(&node, &token, &json!({ "on": false }));
    let again = node.begin(&get("/docs/1"));
    stage.expects("GET /docs/1").answers(message(200, &[], "y"));
    again.finish().with_status(200);
}

#[test]
fn it_ends_by_itself() {
    let stage = Stage::with(|_| Some(message(200, &[], "x")));
    let (setup, token) = in_front_of(stage.address()).rules(RULES).token(Role::Operate);
    let node = setup.start();
    node.get("/docs/1");
    turn(&node, &token, &json!({ "on": true, "for": "300ms" }));
    node.get("/docs/1").passed_because("bypass-switch");
    until("the switch is off", || node.get("/docs/1").is_hit());
    until("that is told", || node.log_so_far().contains(" BYPASS off detail=\"its time is over"));
    assert_eq!(call(&node, &token, "GET", "bypass", &Value::Null).json(), json!({ "on": false }));
}

#[test]
fn it_is_turned_by_a_verb_and_wrong_words_are_refused() {
    let stage = Stage::with(|_| Some(message(200, &[], "x")));
    let (setup, token) = in_front_of(stage.address()).rules(RULES).token(Role::Operate);
    let node = setup.start();
    assert_eq!(verb(&node, &token, &["bypass"]), (0, "off\n".to_owned()));
    let (code, said) = verb(&node, &token, &["bypass", "on", "--for", "2h"]);
    assert_eq!(code, 0);
    assert!(said.starts_with("on for ") && said.trim_end().ends_with("by story"), "{said}");
    node.get("/docs/1").passed_because("bypass-switch");
    assert_eq!(verb(&node, &token, &["bypass", "off"]), (0, "off\n".to_owned()));
    for (body, why) in [
        (json!({}), "missing field `on`"),
        (json!({ "on": true, "for": "2d" }), "at most"),
        (json!({ "on": true, "for": "0s" }), "at most"),
        (json!({ "on": false, "for": "1m" }), "goes with"),
        (json!({ "on": true, "until": "1m" }), "unknown field"),
    ] {
        let told = call(&node, &token, "POST", "bypass", &body).with_status(400).json();
        assert!(told["detail"].as_str().unwrap().contains(why), "{body}: {told}");
    }
}

#[test]
fn purges_reach_the_shared_level_while_it_is_on() {
    let (redis, origin) = (Server::start(), Versions::start());
    let node = || in_front_of(origin.address()).config(&settings(&redis.url())).rules(RULES);
    let (first, token) = node().token(Role::Operate);
    let fleet = Fleet::start([first, node()]);
    for node in &fleet.nodes {
        node.get("/docs/1").with_status(200);
    }
    stored(&redis, "doc:1", 1);
    turn(&fleet.nodes[0], &token, &json!({ "on": true }));
    let version = origin.commit("/docs/1");
    let order = json!({ "selectors": ["key:doc:1"], "confirm": "nodes", "wait": "5s" });
    let told = call(&fleet.nodes[0], &token, "POST", "purge", &order).with_status(200).json();
    assert_eq!(told["level"], "nodes", "{told}");
    stored(&redis, "doc:1", 0);
    fleet.nodes[0].get("/docs/1").passed_because("bypass-switch");
    stored(&redis, "doc:1", 0);
    // The switch is this node's own.
    assert_eq!(fleet.nodes[1].get("/docs/1").json()["version"], version);
    stored(&redis, "doc:1", 1);
}
