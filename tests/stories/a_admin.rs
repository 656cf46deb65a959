//! The admin calls that change something, and the verbs that make them: who may, what they say, and
//! what stands in the audit log.

use std::io::Write;
use std::process::{Command, Output};

use cistern::admin::tokens::Role;
use serde_json::{Value, json};

use crate::support::cistern::{Cistern, Setup, in_front_of};
use crate::support::client::{Answer, ask};
use crate::support::fleet::{Fleet, settings, stored};
use crate::support::operator::{self, said};
use crate::support::redis::Server;
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
tags = ["docs", "one-{id}"]
"#;

fn origin() -> Stage {
    Stage::with(|_| Some(message(200, &["Cache-Control: max-age=60"], "x")))
}

fn verb(node: &Cistern, token: Option<&str>, words: &[&str]) -> Output {
    operator::verb(node, token, words).output().expect("the binary")
}

fn call(node: &Cistern, token: Option<&str>, method: &str, path: &str, body: &Value) -> Answer {
    operator::call(node, token, method, path, (method == "POST").then_some(body))
}

#[test]
fn without_tokens_the_node_only_tells() {
    let stage = origin();
    let node = in_front_of(stage.address()).rules(RULES).start();
    for path in ["stats", "rules", "rules/status", "health"] {
        call(&node, None, "GET", path, &Value::Null).with_status(200);
    }
    for path in ["purge", "rules/reload"] {
        let told = call(&node, None, "POST", path, &json!({ "selectors": ["all"] }));
        let told = told.with_status(403).json();
        assert_eq!(told["code"], "no-tokens", "{told}");
    }
    node.get("/docs/1");
    let (code, _, wrong) = said(&verb(&node, None, &["purge", "key:doc:1"]));
    assert_eq!(code, 5, "{wrong}");
    assert!(wrong.contains("cistern tokens create"), "{wrong}");
    node.get("/docs/1").served_from_store();
}

#[test]
fn tokens_are_made_listed_and_revoked_while_the_node_runs() {
    let stage = origin();
    let (setup, _) = in_front_of(stage.address()).rules(RULES).token(Role::Admin);
    let node = setup.start();
    let file = node.file("tokens.toml");
    let tokens = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cistern"));
        command.arg("tokens").args(words).arg("--file").arg(&file);
        said(&command.env_clear().output().expect("the binary"))
    };
    let (code, text, _) = tokens(&["create", "ci", "--role", "purge", "--selector", "prefix:doc:"]);
    let ci = text.trim();
    assert_eq!(code, 0);
    assert!(ci.starts_with("cst_") && ci.len() == 68, "{ci}");
    assert!(!std::fs::read_to_string(&file).unwrap().contains(ci), "the file holds the token");
    for (words, code, why) in [
        (&["create", "ci", "--role", "read"][..], 2, "revoke it first"),
        (&["create", "x", "--role", "root"], 2, "the roles are read, purge, operate, admin"),
        (&["create", "x", "--role", "read", "--selector", "tag:"], 2, "names nothing"),
        (&["revoke", "nobody"], 1, "no token of nobody"),
    ] {
        let (was, _, wrong) = tokens(words);
        assert_eq!(was, code, "{words:?}: {wrong}");
        assert!(wrong.contains(why), "{wrong}");
    }
    let (_, listed, _) = tokens(&["list"]);
    assert!(listed.contains("story") && listed.contains("ci") && listed.contains("prefix:doc:"));
    // Within its bounds, and not beyond them.
    let purge = |selector: &str| {
        call(&node, Some(ci), "POST", "purge", &json!({ "selectors": [selector] }))
    };
    node.get("/docs/1");
    let told = purge("key:doc:1").with_status(200).json();
    assert_eq!(told["purged"]["entries"], 1, "{told}");
    let told = purge("tag:docs").with_status(403).json();
    assert_eq!(told["code"], "not-allowed", "{told}");
    call(&node, Some(ci), "POST", "rules/reload", &Value::Null).with_status(403);
    assert_eq!(tokens(&["revoke", "ci"]).0, 0);
    let refused = purge("key:doc:1").with_status(401);
    assert!(refused.get("www-authenticate").is_some_and(|field| field.starts_with("Bearer")));
    let (code, _, _) = said(&verb(&node, Some(ci), &["stats"]));
    assert_eq!(code, 5);
}

#[test]
fn verbs_purge_count_and_leave_their_trace() {
    let stage = origin();
    let (setup, token) = in_front_of(stage.address()).rules(RULES).token(Role::Operate);
    let node = setup.start();
    let token = Some(token.as_str());
    for id in 0..5 {
        node.get(&format!("/docs/{id}"));
    }
    node.get("/plain");
    let (code, text, _) = said(&verb(&node, token, &["purge", "tag:docs", "--dry-run"]));
    assert_eq!(code, 0);
    assert!(text.starts_with("would purge 5 entries") && text.contains("doc:3"), "{text}");
    node.get("/docs/3").served_from_store();
    let (code, text, _) = said(&verb(&node, token, &["purge", "key:doc:1", "tag:one-2", "--json"]));
    let told: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, &told["purged"]["entries"], &told["exact"]), (0, &json!(2), &json!(true)));
    // A target is what a GET of it finds.
    let own = format!("url:http://api.example{}", "/docs/3");
    let (_, text, _) = said(&verb(&node, token, &["purge", &own]));
    assert!(text.starts_with("purged 1 entries"), "{text}");
    // What takes everything is asked for twice.
    for words in [&["flush"][..], &["flush", "doc"], &["purge", "all"]] {
        let (code, _, wrong) = said(&verb(&node, token, words));
        assert_eq!(code, 2, "{words:?}");
        assert!(wrong.contains("--yes"), "{wrong}");
    }
    let (code, text, _) = said(&verb(&node, token, &["flush", "doc", "--yes"]));
    assert_eq!(code, 0);
    assert!(text.starts_with("purged 2 entries"), "{text}");
    node.get("/plain").served_from_store();
    let (code, _, wrong) = said(&verb(&node, token, &["purge", "tag:"]));
    assert_eq!(code, 1);
    assert!(wrong.contains("names nothing"), "{wrong}");
    let (code, _, wrong) = said(&verb(&node, token, &["purge", "url:/docs/1"]));
    assert_eq!(code, 1);
    assert!(wrong.contains("names no site"), "{wrong}");
    let (code, text, _) = said(&verb(&node, token, &["stats"]));
    assert_eq!(code, 0);
    assert!(text.contains("requests") && text.contains("doc"), "{text}");
    let (_, text, _) = said(&verb(&node, token, &["audit"]));
    let newest = text.lines().next().unwrap();
    assert!(newest.contains("story") && newest.contains("type:doc -> purged 2"), "{text}");
    assert_eq!(text.lines().count(), 3, "{text}");
    assert!(node.log_so_far().contains(" AUDIT who=story call=purge what=type:doc "));
}

#[test]
fn a_call_that_comes_again_is_answered_again() {
    let stage = origin();
    let (setup, token) = in_front_of(stage.address()).rules(RULES).token(Role::Purge);
    let node = setup.start();
    let admin = node.admin();
    let purge = |key: &str, selector: &str| {
        let body = json!({ "selectors": [selector] });
        let call = ask("POST", "/api/v1/admin/purge").host(&admin).bearer(&token).json(&body);
        call.header("Idempotency-Key", key).to(&admin)
    };
    node.get("/docs/1");
    let first = purge("a", "key:doc:1").with_status(200).json();
    assert_eq!((&first["purged"]["entries"], &first["repeated"]), (&json!(1), &Value::Null));
    node.get("/docs/1");
    let again = purge("a", "key:doc:1").with_status(200).json();
    assert_eq!((&again["purged"]["entries"], &again["repeated"]), (&json!(1), &json!(true)));
    node.get("/docs/1").served_from_store();
    let other = purge("a", "key:doc:2").with_status(422).json();
    assert_eq!(other["code"], "key-reused");
    assert_eq!(purge("b", "key:doc:1").with_status(200).json()["purged"]["entries"], 1);
}

#[test]
fn a_call_to_one_node_purges_on_all() {
    let (redis, origin) = (Server::start(), Versions::start());
    let node = || in_front_of(origin.address()).config(&settings(&redis.url())).rules(RULES);
    let mut token = String::new();
    let with_token = |setup: Setup, token: &mut String| {
        let (setup, text) = setup.token(Role::Purge);
        *token = text;
        setup
    };
    let fleet = Fleet::start([with_token(node(), &mut token), node(), node()]);
    for selector in ["key:doc:1", "tag:docs", "type:doc", "rule:docs", "all"] {
        for node in &fleet.nodes {
            node.get("/docs/1").with_status(200);
        }
        stored(&redis, "doc:1", 1);
        let version = origin.commit("/docs/1");
        let body = json!({ "selectors": [selector], "confirm": "nodes", "wait": "5s" });
        let told = call(&fleet.nodes[0], Some(&token), "POST", "purge", &body);
        let told = told.with_status(200).json();
        assert_eq!(told["level"], "nodes", "{told}");
        assert_eq!(told["nodes"], json!({ "asked": 2, "confirmed": 2 }), "{told}");
        // All have confirmed, so there is nothing to wait for.
        for node in &fleet.nodes {
            assert_eq!(node.get("/docs/1").json()["version"], version, "{selector}");
        }
    }
}

#[test]
fn wrong_calls_are_told_what_is_wrong() {
    let stage = origin();
    let (setup, token) = in_front_of(stage.address()).rules(RULES).token(Role::Admin);
    let node = setup.start();
    let many: Vec<String> = (0..1_001).map(|number| format!("key:{number}")).collect();
    for (body, why) in [
        (json!({}), "selectors"),
        (json!({ "selectors": [] }), "names nothing"),
        (json!({ "selectors": ["a b"] }), "printable"),
        (json!({ "selectors": ["tenant:x*"] }), "takes one name"),
        (json!({ "selectors": ["all"], "softly": true }), "unknown field `softly`"),
        (json!({ "selectors": ["all"], "wait": "1h" }), "at most 30s"),
        (json!({ "selectors": ["all"], "confirm": "soon" }), "unknown variant"),
        (json!({ "selectors": many }), "at most 1000"),
    ] {
        let told = call(&node, Some(&token), "POST", "purge", &body);
        assert!(matches!(told.status, 400 | 422), "{body}: {}", told.status);
        let told = told.json();
        assert!(told["detail"].as_str().is_some_and(|detail| detail.contains(why)), "{told}");
    }
    let file = node.file("tokens.toml");
    let good = std::fs::read(&file).unwrap();
    let mut broken = std::fs::OpenOptions::new().append(true).open(&file).unwrap();
    broken.write_all(b"[[token]]\nname = 1\n").unwrap();
    let told = call(&node, Some(&token), "GET", "tokens", &Value::Null).with_status(200).json();
    assert!(told["error"].as_str().is_some_and(|error| error.contains("tokens.toml")), "{told}");
    std::fs::write(&file, good).unwrap();
    let told = call(&node, Some(&token), "GET", "tokens", &Value::Null).with_status(200).json();
    assert_eq!(told["error"], Value::Null);
    let stranger = ask("GET", "/api/v1/admin/stats").host("evil.example").bearer(&token);
    stranger.to(&node.admin()).with_status(421);
}
