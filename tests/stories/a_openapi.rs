//! The API describes itself: every call is in the document that the node serves, and what a node
//! answers has the form that the document tells.

use std::net::TcpStream;

use cistern::admin::calls::{ALIASES, CALLS};
use cistern::admin::tokens::Role;
use serde_json::{Value, json};

use crate::support::cistern::{Cistern, in_front_of};
use crate::support::client::{Answer, Ask, ask};
use crate::support::fleet::settings;
use crate::support::redis::{Server, until};
use crate::support::schema::misfits;
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
tags = ["docs"]
"#;

const ALIASED: &str = "[compat]\naliases = \"admin\"\ngad = { type = \"doc\" }\n";

struct Described {
    node: Cistern,
    token: String,
    document: Value,
}

impl Described {
    fn start(stage: &Stage, config: &str) -> Self {
        let setup = in_front_of(stage.address()).rules(RULES).config(config);
        let (setup, token) = setup.token(Role::Admin);
        let node = setup.start();
        let admin = node.admin();
        let told = ask("GET", "/api/v1/admin/openapi.json").host(&admin).to(&admin);
        assert_eq!(told.get("content-type").as_deref(), Some("application/json"));
        let document = told.with_status(200).json();
        Self { node, token, document }
    }

    /// Makes a call; its answer must be what the document tells of `path`.
    fn call(&self, path: &str, asked: Ask) -> Answer {
        let admin = self.node.admin();
        let answer = asked.host(&admin).bearer(&self.token).to(&admin);
        self.held(path, &answer);
        answer
    }

    fn held(&self, path: &str, answer: &Answer) {
        let operation = &self.document["paths"][path][answer.method().to_lowercase()];
        assert!(operation.is_object(), "{path} is not told");
        let told = &operation["responses"][answer.status.to_string()];
        let kind = answer.get("content-type").unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default();
        let shape = &told["content"][kind]["schema"];
        assert!(shape.is_object(), "{path}: {} {kind} is not told", answer.status);
        if kind.ends_with("json") {
            let wrong = misfits(&self.document, shape, &answer.json());
            assert!(wrong.is_empty(), "{path}: {wrong:#?}\n{}", answer.text());
        }
    }
}

fn origin() -> Stage {
    Stage::with(|_| Some(message(200, &["Cache-Control: max-age=60"], "x")))
}

#[test]
fn every_call_is_in_the_document() {
    let stage = origin();
    let told = |config: &str| {
        let document = Described::start(&stage, config).document;
        assert_eq!(document["openapi"], "3.1.0");
        let paths = document["paths"].as_object().expect("paths").clone();
        paths.into_iter().flat_map(|(path, item)| {
            let methods = item.as_object().expect("methods").keys().cloned().collect::<Vec<_>>();
            methods.into_iter().map(move |method| format!("{} {path}", method.to_uppercase()))
        })
    };
    let mut plain: Vec<String> = told("").collect();
    let mut known: Vec<_> =
        CALLS.iter().map(|call| format!("{} {}", call.method, call.path())).collect();
    plain.sort();
    known.sort();
    assert_eq!(plain, known);
    let aliases = ALIASES.iter().map(|call| call.paths().len()).sum::<usize>();
    assert_eq!(told(ALIASED).count(), CALLS.len() + aliases);
}

#[test]
fn answers_have_the_form_that_is_told() {
    let stage = origin();
    calls(&Described::start(&stage, ALIASED));
}

#[test]
fn answers_of_a_node_with_a_shared_level_have_it_too() {
    let (stage, redis) = (origin(), Server::start());
    calls(&Described::start(&stage, &format!("{ALIASED}{}", settings(&redis.url()))));
}

fn calls(told: &Described) {
    for id in ["1", "1", "2", "3"] {
        told.node.get(&format!("/doc/{id}")).with_status(200);
    }
    let root = "/api/v1/admin";
    let get = |name: &str, query: &str, status: u16| {
        let path = if name.starts_with('/') { name.to_owned() } else { format!("{root}/{name}") };
        told.call(&path, ask("GET", &format!("{path}{query}"))).with_status(status)
    };
    for name in ["/livez", "/readyz", "/startupz", "/metrics", "health", "openapi.json", "stats"] {
        get(name, "", 200);
    }
    for name in ["alerts", "top", "keys", "bypass", "rules", "audit", "tokens", "cache/stats"] {
        get(name, "", 200);
    }
    for name in ["rules/status", "rules/text", "rules/history", "rules/diff", "/cache/stats"] {
        get(name, "", 200);
    }
    get("top", "?by=expensive", 200);
    get("top", "?by=loudest", 400);
    get("keys", "?limit=1", 200);
    get("rules/text", "?version=99", 404);
    get("entry", "?key=doc:1", 200);
    get("entry", "?key=doc:1&body=1", 200);
    get("entry", "?key=doc:none", 404);
    let post = |name: &str, body: &Value, status: u16| {
        let path = format!("{root}/{name}");
        told.call(&path, ask("POST", &path).json(body)).with_status(status)
    };
    post("explain", &json!({ "method": "GET", "url": "/doc/1" }), 200);
    post("explain", &json!({ "method": "GET", "url": "/doc/1", "more": 1 }), 400);
    post("purge", &json!({ "selectors": ["tag:docs"], "dry_run": true }), 200);
    post("purge", &json!({ "selectors": ["key:doc:2"] }), 200);
    post("purge", &json!({ "selectors": [] }), 400);
    post("bypass", &json!({ "on": true, "for": "1m" }), 200);
    get("bypass", "", 200);
    post("bypass", &json!({ "on": false }), 200);
    post("rules/reload", &json!(null), 200);
    post("rules/rollback", &json!({ "version": 99 }), 404);
    post("cache/invalidate", &json!({ "tipo": "doc", "patron": "doc:3" }), 200);
    post("cache/invalidate", &json!({ "tipo": "none" }), 400);
    let entry = format!("{root}/entry");
    let put = ask("PUT", &format!("{entry}?key=doc:7&type=doc&tag=t")).json(&json!({}));
    told.call(&entry, put).with_status(200);
    told.call(&entry, ask("DELETE", &format!("{entry}?key=doc:7"))).with_status(200);
    for (path, target) in [
        ("/cache/invalidate/{key}", "/cache/invalidate/1"),
        ("/api/v1/cache/invalidate-pattern/{pattern}", "/api/v1/cache/invalidate-pattern/*"),
        ("/stats/invalidate/user/{id}", "/stats/invalidate/user/1"),
        ("/cache/clear", "/cache/clear"),
    ] {
        told.call(path, ask("POST", target)).with_status(200);
    }
    get("audit", "", 200);
    // Whoever shows nothing is told so in the form that is told.
    let admin = told.node.admin();
    let answer = ask("POST", "/cache/clear").host(&admin).to(&admin).with_status(401);
    told.held("/cache/clear", &answer);
    let answer = ask("GET", "/livez").host("other.example").to(&admin).with_status(421);
    told.held("/livez", &answer);
}

#[test]
fn another_method_is_told_which_there_is() {
    let stage = origin();
    let told = Described::start(&stage, "");
    let admin = told.node.admin();
    let answer = ask("PATCH", "/api/v1/admin/entry").host(&admin).to(&admin).with_status(405);
    let allowed = answer.get("allow").expect("the methods that there are");
    for method in ["GET", "PUT", "DELETE"] {
        assert!(allowed.contains(method), "{allowed}");
    }
    assert_eq!(answer.json()["code"], "other-method");
    assert_eq!(answer.get("content-type").as_deref(), Some("application/problem+json"));
}

/// Nobody can take all places for good: one that is given back is free again.
#[test]
fn connections_have_a_bound() {
    let stage = origin();
    let told = Described::start(&stage, "");
    let admin = told.node.admin();
    let mut held: Vec<TcpStream> =
        (0..256).map(|_| TcpStream::connect(&admin).expect("a place")).collect();
    until("no place is left", || {
        let health = ask("GET", "/livez").host(&admin).to(&admin);
        assert!(matches!(health.status, 200 | 503), "{}", health.status);
        if health.status == 200 {
            // The call had the place of one that was not accepted yet.
            held.push(TcpStream::connect(&admin).expect("a place"));
        }
        health.status == 503 && health.json()["code"] == "overload"
    });
    drop(held);
    until("places are free", || ask("GET", "/livez").host(&admin).to(&admin).status == 200);
    told.node.get("/doc/1").with_status(200);
}

/// What holds for clients of the proxy holds for operators.
#[test]
fn the_listener_is_guarded_as_the_proxy_is() {
    let stage = origin();
    let told = Described::start(&stage, "");
    let admin = told.node.admin();
    let answer = ask("GET", "/livez").host(&admin).header("Content-Length", "1").to(&admin);
    // A second length: two readers could differ on where the next call begins.
    let twice = ask("POST", "/api/v1/admin/purge").host(&admin).json(&json!({}));
    let twice = twice.header("Content-Length", "7").to(&admin).with_status(400);
    assert_eq!(twice.json()["code"], "bad-request");
    assert!(answer.status == 200 || answer.status == 400, "{}", answer.status);
    let health = ask("GET", "/api/v1/admin/health").host(&admin).to(&admin).with_status(200);
    assert_eq!(health.get("cache-control").as_deref(), Some("no-store"));
    assert!(health.get("date").is_some(), "an answer has a date");
}
