//! Soft purges: what they name is stale, used as the rules allow, fetched anew, and given back when
//! the purge is undone.

use cistern::admin::tokens::Role;
use serde_json::{Value, json};

use crate::support::cistern::{Cistern, Setup, in_front_of};
use crate::support::client::{Answer, ask};
use crate::support::operator::{self, said};
use crate::support::redis::until;
use crate::support::stage::{Stage, message};
use crate::support::versions::Versions;

const RULES: &str = r#"
version = 1
[[route]]
name = "doc"
match = "GET /docs/{id}"
key = "doc:{id}"
tags = ["doc:{id}"]
ttl = "5m"
stale_while_revalidate = "1m"
[[route]]
name = "strict"
match = "GET /strict/{id}"
key = "strict:{id}"
tags = ["embedding:{id}"]
ttl = "5m"
[[route]]
name = "write"
match = "PUT /docs/{id}"
on_write = { purge = ["tag:doc:{id}"], soft = true }
[[cascade]]
when = "tag:doc:*"
then = ["tag:embedding:{1}"]
"#;

fn setup(stage: &Stage) -> (Setup, String) {
    let config = "[purge]\nnetworks = [\"127.0.0.0/8\"]\n";
    in_front_of(stage.address()).rules(RULES).config(config).token(Role::Purge)
}

/// An answer of the origin with this text.
fn whole(text: &str) -> String {
    message(200, &[], text)
}

/// Has a target stored with this text.
fn store(node: &Cistern, stage: &Stage, target: &str, answer: &str) {
    let asked = node.begin(&ask("GET", target));
    stage.expects(&format!("GET {target}")).answers(answer);
    asked.finish().with_status(200);
    node.get(target).served_from_store();
}

fn call(node: &Cistern, token: &str, name: &str, body: Value) -> Answer {
    operator::call(node, Some(token), "POST", name, Some(&body))
}

fn soften(node: &Cistern, token: &str, selector: &str) -> Value {
    let told = call(node, token, "purge", json!({ "selectors": [selector], "soft": true }));
    let told = told.with_status(200).json();
    assert_eq!((&told["mode"], &told["exact"]), (&json!("soft"), &json!(true)), "{told}");
    told
}

#[test]
fn what_a_soft_purge_names_is_served_once_more_and_fetched_anew() {
    let stage = Stage::start();
    let (setup, token) = setup(&stage);
    let node = setup.start();
    store(&node, &stage, "/docs/1", &whole("old"));
    store(&node, &stage, "/strict/1", &whole("old"));
    let told = soften(&node, &token, "tag:doc:1");
    assert_eq!(told["purged"], json!({ "entries": 2, "l1": 2 }), "the cascade follows: {told}");
    let stale = node.get("/docs/1");
    assert_eq!(stale.text(), "old");
    assert!(stale.cache_status().contains("stale-while-revalidate"), "{}", stale.cache_status());
    // One fetch runs behind, whatever is asked meanwhile.
    let behind = stage.expects("GET /docs/1");
    assert_eq!(behind.field("if-none-match"), None);
    assert_eq!(node.get("/docs/1").text(), "old");
    behind.answers(whole("new"));
    until("the new one stands", || node.get("/docs/1").text() == "new");
    node.get("/docs/1").served_from_store();
    // Without a window nothing stale is served.
    let asked = node.begin(&ask("GET", "/strict/1"));
    stage.expects("GET /strict/1").answers(whole("new"));
    assert_eq!(asked.finish().text(), "new");
    stage.was_asked_no_more();
    let again = soften(&node, &token, "tag:doc:2");
    assert_eq!(again["purged"]["entries"], 0, "{again}");
    let told = "PURGE selector=tag:doc:1 count=1 by=admin mode=soft";
    until("the order is in the log", || node.log_so_far().contains(told));
}

#[test]
fn undoing_gives_back_what_has_not_been_fetched_anew() {
    let stage = Stage::start();
    let (setup, token) = setup(&stage);
    let node = setup.start();
    for target in ["/strict/1", "/strict/2"] {
        store(&node, &stage, target, &whole("old"));
    }
    let first = soften(&node, &token, "strict:*");
    let second = soften(&node, &token, "key:strict:2");
    assert_ne!(first["undo"], second["undo"]);
    let told = call(&node, &token, "undo", json!({ "id": first["undo"] })).with_status(200).json();
    assert_eq!(told["restored"], json!({ "entries": 2, "l1": 2 }), "{told}");
    let back = node.get("/strict/1").served_from_store();
    assert_eq!((back.text().as_str(), back.ttl() > 200), ("old", true));
    // The second order still holds.
    let asked = node.begin(&ask("GET", "/strict/2"));
    stage.expects("GET /strict/2").answers(whole("new"));
    assert_eq!(asked.finish().text(), "new");
    // What has been fetched anew stays, and nothing is undone twice.
    let id = json!({ "id": second["undo"] });
    let told = call(&node, &token, "undo", id.clone()).with_status(200).json();
    assert_eq!(told["restored"]["entries"], 0, "{told}");
    assert_eq!(node.get("/strict/2").served_from_store().text(), "new");
    assert_eq!(call(&node, &token, "undo", id).with_status(404).json()["code"], "not-found");
    for wrong in [json!({ "id": "7" }), json!({}), json!({ "id": "x".repeat(16) })] {
        assert!(matches!(call(&node, &token, "undo", wrong).status, 400 | 422));
    }
    stage.was_asked_no_more();
}

#[test]
fn only_a_strong_tag_renews_what_was_made_stale() {
    let stage = Stage::start();
    let (setup, token) = setup(&stage);
    let node = setup.start();
    let modified = "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT";
    let strong = message(200, &["ETag: \"1\"", modified], "old");
    store(&node, &stage, "/strict/1", &strong);
    store(&node, &stage, "/strict/2", &message(200, &["ETag: W/\"1\"", modified], "old"));
    soften(&node, &token, "strict:*");
    let asked = node.begin(&ask("GET", "/strict/1"));
    let scene = stage.expects("GET /strict/1");
    assert_eq!(scene.field("if-none-match"), Some("\"1\""));
    assert_eq!(scene.field("if-modified-since"), None);
    scene.answers(message(304, &["ETag: \"1\""], ""));
    assert_eq!(asked.finish().text(), "old");
    node.get("/strict/1").served_from_store();
    let asked = node.begin(&ask("GET", "/strict/2"));
    let scene = stage.expects("GET /strict/2");
    assert_eq!((scene.field("if-none-match"), scene.field("if-modified-since")), (None, None));
    scene.answers(whole("new"));
    assert_eq!(asked.finish().text(), "new");
}

#[test]
fn a_head_renews_nothing_that_it_does_not_prove() {
    let stage = Stage::start();
    let (setup, token) = setup(&stage);
    let node = setup.start();
    store(&node, &stage, "/strict/1", &message(200, &["ETag: W/\"1\""], "old"));
    soften(&node, &token, "strict:*");
    let asked = node.begin(&ask("HEAD", "/strict/1"));
    stage
        .expects("HEAD /strict/1")
        .answers("HTTP/1.1 200 OK\r\nETag: W/\"1\"\r\nContent-Length: 3\r\n\r\n");
    asked.finish().with_status(200);
    let asked = node.begin(&ask("GET", "/strict/1"));
    stage.expects("GET /strict/1").answers(whole("new"));
    assert_eq!(asked.finish().text(), "new");
}

#[test]
fn stale_use_that_is_forbidden_stays_so_and_errors_may_be_covered() {
    let stage = Stage::start();
    let (setup, token) = setup(&stage);
    let node = setup.start();
    let strict = message(200, &["Cache-Control: must-revalidate"], "old");
    store(&node, &stage, "/docs/1", &strict);
    store(&node, &stage, "/docs/2", &whole("old"));
    soften(&node, &token, "doc:*");
    let asked = node.begin(&ask("GET", "/docs/1"));
    stage.expects("GET /docs/1").answers(message(503, &[], "down"));
    assert_eq!(asked.finish().status, 503, "an answer that must be validated is no substitute");
    let asked = node.begin(&ask("GET", "/docs/2").header("cache-control", "max-age=600"));
    stage.expects("GET /docs/2").answers(message(503, &[], "down"));
    assert_eq!(asked.finish().text(), "old", "the rule covers errors");
}

#[test]
fn a_purge_by_field_and_a_write_are_soft_where_they_say_so() {
    let stage = Stage::start();
    let (setup, _) = setup(&stage);
    let node = setup.start();
    store(&node, &stage, "/docs/1", &whole("old"));
    let purge = |mode: &str| node.send(&ask("PURGE", "/docs/1").header("x-purge", mode));
    let told = purge("soft").with_status(200).json();
    assert_eq!((&told["purged"]["entries"], &told["mode"]), (&json!(1), &json!("soft")), "{told}");
    assert_eq!(node.get("/docs/1").text(), "old");
    stage.expects("GET /docs/1").answers(whole("new"));
    until("the new one stands", || node.get("/docs/1").text() == "new");
    let asked = node.begin(&ask("PUT", "/docs/1").json(&json!({})));
    stage.expects("PUT /docs/1").answers(message(204, &[], ""));
    asked.finish().with_status(204);
    let stale = node.get("/docs/1");
    assert!(stale.cache_status().contains("stale-while-revalidate"), "{}", stale.cache_status());
    stage.expects("GET /docs/1").answers(whole("newer"));
    until("the newer one stands", || node.get("/docs/1").text() == "newer");
    assert!(purge("hard").with_status(400).text().contains("X-Purge"));
    purge("delete").with_status(200);
    let asked = node.begin(&ask("GET", "/docs/1"));
    stage.expects("GET /docs/1").answers(whole("last"));
    assert_eq!(asked.finish().text(), "last");
}

#[test]
fn the_verbs_make_stale_and_take_back() {
    let stage = Stage::start();
    let (setup, token) = setup(&stage);
    let node = setup.start();
    store(&node, &stage, "/strict/1", &whole("old"));
    let verb = |words: &[&str]| {
        said(&operator::verb(&node, Some(&token), words).output().expect("the binary"))
    };
    let (code, text, _) = verb(&["purge", "key:strict:1", "--soft"]);
    assert!(code == 0 && text.starts_with("made stale 1 entries"), "{text}");
    let id = text.trim().rsplit(' ').next().unwrap().to_owned();
    let (code, text, _) = verb(&["undo", &id]);
    assert!(code == 0 && text.starts_with("restored 1 entries"), "{text}");
    node.get("/strict/1").served_from_store();
    let (code, _, wrong) = verb(&["undo", &id]);
    assert!(code == 1 && wrong.contains("can be undone"), "{code} {wrong}");
}

#[test]
fn a_bound_token_takes_back_what_it_could_have_given() {
    let stage = Stage::start();
    let (setup, _) = setup(&stage);
    let node = setup.start();
    let made = |name: &str, selector: &str| {
        let mut make = std::process::Command::new(env!("CARGO_BIN_EXE_cistern"));
        make.args(["tokens", "create", name, "--role", "purge", "--selector", selector, "--file"]);
        let (code, text, wrong) = said(&make.arg(node.file("tokens.toml")).output().unwrap());
        assert_eq!(code, 0, "{wrong}");
        text.trim().to_owned()
    };
    let (docs, other) = (made("docs", "tag:doc:*"), made("other", "prefix:other:"));
    store(&node, &stage, "/strict/1", &whole("old"));
    let told = soften(&node, &docs, "tag:doc:1");
    assert_eq!(told["purged"]["entries"], 1, "{told}");
    let id = json!({ "id": told["undo"] });
    call(&node, &other, "undo", id.clone()).with_status(403);
    let told = call(&node, &docs, "undo", id).with_status(200).json();
    assert_eq!(told["restored"]["entries"], 1, "what followed is taken back too: {told}");
}

#[test]
fn a_soft_purge_of_many_is_done_at_once_and_its_undoing_too() {
    const MANY: u64 = 1_500;
    let origin = Versions::start();
    let (setup, token) = in_front_of(origin.address()).rules(RULES).token(Role::Purge);
    let node = setup.start();
    let target = |id: u64| format!("/strict/{id}");
    for id in 0..MANY {
        node.get(&target(id)).with_status(200);
    }
    let told = soften(&node, &token, "rule:strict");
    assert_eq!(told["purged"]["entries"], MANY, "{told}");
    let fetched = [0, MANY / 2, MANY - 1];
    for id in fetched {
        let version = origin.commit(&target(id));
        assert_eq!(node.get(&target(id)).json()["version"], version, "{id}");
    }
    let back = call(&node, &token, "undo", json!({ "id": told["undo"] })).with_status(200).json();
    assert_eq!(back["exact"], false, "it is counted behind: {back}");
    for id in [1, MANY / 2 + 1, MANY - 2] {
        node.get(&target(id)).served_from_store();
        assert_eq!(origin.asked(&format!("GET {}", target(id))), 1);
    }
    let count = format!("count={}", MANY - fetched.len() as u64);
    until("it is counted", || {
        let log = node.log_so_far();
        log.lines().any(|line| line.contains("by=sweep mode=undo") && line.contains(&count))
    });
}
