//! The calls of replaced systems on the proxy's own port: programs that make them need no change,
//! not even of the address. Nothing of them is forwarded or kept, and nothing else is taken for
//! one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cistern::admin::tokens::Role;
use serde_json::{Value, json};

use crate::support::cistern::{Cistern, example, in_front_of};
use crate::support::client::{Answer, ask, get};
use crate::support::stage::{Stage, message};
use crate::support::system::System;
use crate::support::wire::Wire;

const ON: &str = "[compat]\naliases = \"proxy\"\ngad = { type = \"doc\" }\n";

/// The rules would keep every GET, those of the calls' own paths among them.
const RULES: &str = r#"
version = 1
[type.doc]
prefix = "doc:"
ttl = "5m"
[type.rest]
prefix = "rest:"
ttl = "5m"
[[route]]
name = "doc"
match = "GET /doc/{id}"
type = "doc"
key = "{id}"
[[route]]
name = "rest"
match = "GET /{rest...}"
type = "rest"
key = "{rest}"
"#;

/// An origin that answers everything, and how often it was asked.
struct Origin {
    stage: Stage,
    asked: Arc<AtomicUsize>,
}

impl Origin {
    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn origin() -> Origin {
    let asked = Arc::<AtomicUsize>::default();
    let count = Arc::clone(&asked);
    let stage = Stage::with(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        Some(message(200, &["Cache-Control: max-age=60"], "of the origin"))
    });
    Origin { stage, asked }
}

fn started(origin: &Origin, role: Role) -> (Cistern, String) {
    let setup = in_front_of(origin.stage.address()).config(ON).rules(RULES);
    let (setup, token) = setup.token(role);
    (setup.start(), token)
}

fn post(node: &Cistern, token: &str, path: &str) -> Answer {
    node.send(&ask("POST", path).bearer(token))
}

#[test]
fn gads_calls_are_answered_on_its_own_port() {
    let origin = origin();
    let (node, token) = started(&origin, Role::Operate);
    for root in ["", "/api/v1"] {
        node.get("/doc/1").with_status(200);
        node.get("/doc/2").with_status(200);
        let asked = origin.asked();
        let gone = post(&node, &token, &format!("{root}/cache/invalidate/1")).with_status(200);
        assert_eq!(gone.json(), json!({ "key": "1", "deleted": true }));
        assert_eq!(gone.get("cache-control").as_deref(), Some("no-store"));
        let stats = node.send(&get(&format!("{root}/cache/stats")).bearer(&token));
        assert_eq!(stats.with_status(200).json()["keys_count"], 1);
        let gone = post(&node, &token, &format!("{root}/cache/invalidate-pattern/*"));
        assert_eq!(gone.with_status(200).json()["deleted_keys"], 1);
        post(&node, &token, &format!("{root}/cache/clear")).with_status(200);
        assert_eq!(origin.asked(), asked, "the origin heard of a call");
        node.get("/doc/1").served_by_origin();
    }
    // The same calls on the admin listener.
    let admin = node.admin();
    ask("POST", "/cache/clear").host(&admin).bearer(&token).to(&admin).with_status(200);
}

#[test]
fn the_example_of_gad_is_a_drop_in() {
    let gad = System::start("gad");
    let setup = example("gad", gad.address()).setting("CISTERN_COMPAT__ALIASES", "proxy");
    let (setup, token) = setup.setting("CISTERN_COMPAT__GAD__TYPE", "stats").token(Role::Purge);
    let node = setup.start();
    let mine = get("/api/v1/stats/user/2").bearer("admin");
    node.send(&mine).served_by_origin();
    node.send(&mine).served_from_store();
    let gone = post(&node, &token, "/api/v1/stats/invalidate/user/2").with_status(200).json();
    assert_eq!(gone["deleted_keys"], 1);
    node.send(&mine).served_by_origin();
}

#[test]
fn fmgos_calls_are_answered_on_its_own_port() {
    let origin = origin();
    let (node, token) = started(&origin, Role::Operate);
    node.get("/doc/76-1").with_status(200);
    let invalidate = |body: &Value| {
        let call = ask("POST", "/api/v1/admin/cache/invalidate").bearer(&token).json(body);
        node.send(&call)
    };
    let told = invalidate(&json!({ "tipo": "doc", "patron": "doc:76*" })).with_status(200).json();
    assert_eq!(told["purged"]["entries"], 1, "{told}");
    invalidate(&json!({ "tipo": "doc", "more": 1 })).with_status(400);
    let long = json!({ "tipo": "x".repeat(3 << 20) });
    let told = invalidate(&long).with_status(400).json();
    assert!(told["detail"].as_str().is_some_and(|text| text.contains("length limit")), "{told}");
}

#[test]
fn nobody_gets_in_without_a_token_and_nothing_is_kept() {
    let origin = origin();
    let (node, token) = started(&origin, Role::Read);
    for _ in 0..2 {
        let refused = node.get("/cache/stats").with_status(401);
        assert_eq!(refused.get("cache-status"), None, "no level had a part in it");
        assert!(refused.get("www-authenticate").is_some());
        let shown = node.send(&get("/cache/stats").bearer(&token)).with_status(200).json();
        assert_eq!(shown["db_size"], 0);
    }
    node.get("/doc/1").with_status(200);
    for path in ["/cache/clear", "/cache/invalidate/1", "/api/v1/admin/cache/invalidate"] {
        post(&node, "cst_wrong", path).with_status(401);
        post(&node, &token, path).with_status(403);
    }
    node.get("/doc/1").served_from_store();
    assert_eq!(origin.asked(), 1, "the origin heard of a call");
}

#[test]
fn the_admin_listener_need_not_be_there() {
    let origin = origin();
    let setup = in_front_of(origin.stage.address()).config(ON).rules(RULES);
    let (setup, token) = setup.setting("CISTERN_ADMIN__LISTEN", "off").token(Role::Operate);
    let node = setup.start();
    node.get("/doc/1").with_status(200);
    assert_eq!(post(&node, &token, "/cache/clear").with_status(200).json()["cleared"], true);
    node.get("/cache/stats").with_status(401);
}

/// Only the exact path of a call is one. All else is the origin's, as ever.
#[test]
fn what_is_not_exactly_a_call_is_the_origins() {
    let origin = origin();
    let (node, token) = started(&origin, Role::Admin);
    node.get("/doc/1").with_status(200);
    for (method, path) in [
        ("POST", "/cache/clear/"),
        ("POST", "/cache%2Fclear"),
        ("POST", "/Cache/clear"),
        ("POST", "/cache/invalidate/"),
        ("POST", "/stats/invalidate/user/1/2"),
        ("DELETE", "/cache/clear"),
        ("OPTIONS", "/cache/clear"),
        ("GET", "/cache/clear"),
        ("GET", "/api/v1/admin/stats"),
        ("GET", "/api/v1/admin/openapi.json"),
        ("GET", "/metrics"),
        ("GET", "/livez"),
    ] {
        let answer = node.send(&ask(method, path).bearer(&token)).with_status(200);
        assert_eq!(answer.text(), "of the origin", "{method} {path}");
    }
    node.get("/doc/1").served_from_store();
    // An absolute target names the same path.
    let target = format!("http://{}/cache/clear", node.address());
    let gone = node.send(&ask("POST", &target).host(node.address()).bearer(&token));
    assert_eq!(gone.with_status(200).json()["cleared"], true);
}

/// What follows a call on its connection is a request of its own, whatever the call's body was.
#[test]
fn a_call_leaves_its_connection_in_order() {
    let origin = origin();
    let (node, token) = started(&origin, Role::Operate);
    node.get("/doc/1").with_status(200);
    node.send(&get("/doc/2").host("api.example")).with_status(200);
    let mut wire = Wire::open(node.address());
    let hidden = "POST /cache/clear HTTP/1.1\r\nHost: a\r\n\r\n";
    let call = format!(
        "POST /cache/invalidate/1 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\
         Content-Length: {}\r\n\r\n{hidden}",
        hidden.len()
    );
    wire.sends(call.as_bytes());
    let (head, told) = wire.answer();
    assert!(head.status == 200 && told.contains("\"deleted\":true"), "{told}");
    // What stood in the body was no call, and the next request is the next answer.
    wire.asks("GET /doc/2", &[]);
    let (head, _) = wire.answer();
    assert!(head.field("cache-status").is_some_and(|status| status.contains("; hit")), "{head:?}");
    let twice = format!(
        "POST /cache/clear HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\
         Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    );
    let mut wire = Wire::open(node.address());
    wire.sends(twice.as_bytes());
    assert_eq!(wire.head().status, 400);
}
