//! Many customers of one application: what is one tenant's is never another's, whatever the keys
//! hold and whoever asks.

use cistern::admin::tokens::Role;
use serde_json::{Value, json};

use crate::support::cistern::{Cistern, Setup, in_front_of};
use crate::support::client::{Answer, Ask, ask, get};
use crate::support::operator::call;
use crate::support::stage::{Stage, message};

/// Keys without the tenant, shared with everybody who may ask.
const RULES: &str = r#"
version = 1
[tenant]
from = ["org", "header.x-tenant"]
pattern = "[a-z0-9 ]{1,20}"
required = true
[defaults]
share = "public"
ttl = "5m"
[type.system]
prefix = "system:"
tenant = "none"
[[route]]
name = "thing"
match = "GET /things/{id}"
key = "thing:{id}"
tags = ["things", "of:{tenant}"]
[[route]]
name = "own"
match = "GET /o/{org}/{id}"
key = "own:{id}"
[[route]]
name = "system"
match = "GET /system/{name}"
type = "system"
key = "{name}"
[[route]]
name = "touch"
match = "PUT /touch/{id}"
on_write.purge = ["tag:of:{tenant}"]
[[route]]
name = "leave"
match = "DELETE /tenants/{id}"
on_write.purge = ["tenant:{tenant}"]
[[route]]
name = "write"
match = "PUT|POST /things/{id}"
"#;

fn setup(stage: &Stage, rules: &str, peers: &str) -> Setup {
    let config = format!("[trust]\npeers = [{peers}]\n[purge]\nnetworks = [\"127.0.0.0/8\"]\n");
    in_front_of(stage.address()).config(&config).rules(rules)
}

fn started(stage: &Stage) -> Cistern {
    setup(stage, RULES, "\"127.0.0.0/8\"").start()
}

fn of(tenant: &str, target: &str) -> Ask {
    get(target).header("X-Tenant", tenant)
}

/// Reads what the origin must be asked for, which tells whose it is.
#[track_caller]
fn fetches(node: &Cistern, stage: &Stage, ask: &Ask, body: &str) -> Answer {
    let asked = node.begin(ask);
    stage.next().answers(message(200, &[], body));
    let answer = asked.finish().with_status(200).served_by_origin();
    assert_eq!(answer.text(), body);
    answer
}

/// Reads what must stand in the store.
#[track_caller]
fn finds(node: &Cistern, ask: &Ask, body: &str) {
    assert_eq!(node.send(ask).with_status(200).served_from_store().text(), body);
}

#[test]
fn one_key_is_an_entry_for_each_tenant() {
    let stage = Stage::start();
    let node = started(&stage);
    for (tenant, body) in [("acme", "of acme"), ("b", "of b")] {
        let answer = fetches(&node, &stage, &of(tenant, "/things/1"), body);
        assert_eq!(answer.key().as_deref(), Some("thing:1"));
    }
    for _ in 0..3 {
        finds(&node, &of("acme", "/things/1"), "of acme");
        finds(&node, &of("b", "/things/1"), "of b");
    }
    // By the path, and without a rule.
    for target in ["/o/acme/1", "/o/b/1"] {
        fetches(&node, &stage, &get(target), target);
        finds(&node, &get(target), target);
    }
    let plain = |tenant: &str| of(tenant, "/no/rule");
    let asked = node.begin(&plain("acme"));
    stage.next().answers(message(200, &["Cache-Control: public, max-age=60"], "plain"));
    asked.finish().served_by_origin();
    finds(&node, &plain("acme"), "plain");
    fetches(&node, &stage, &plain("b"), "another");
    finds(&node, &plain("acme"), "plain");
    // What is everybody's is one.
    fetches(&node, &stage, &of("acme", "/system/x"), "all");
    finds(&node, &of("b", "/system/x"), "all");
    finds(&node, &get("/system/x"), "all");
}

#[test]
fn who_asks_at_once_for_another_tenant_waits_for_no_other() {
    let stage = Stage::start();
    let node = started(&stage);
    let (a, b) = (node.begin(&of("acme", "/things/1")), node.begin(&of("b", "/things/1")));
    for scene in stage.together(2) {
        let whose = scene.field("x-tenant").expect("whose").to_owned();
        scene.answers(message(200, &[], &whose));
    }
    assert_eq!((a.finish().text(), b.finish().text()), ("acme".to_owned(), "b".to_owned()));
    finds(&node, &of("acme", "/things/1"), "acme");
    finds(&node, &of("b", "/things/1"), "b");
}

#[test]
fn what_is_of_nobody_is_refused() {
    let stage = Stage::start();
    let node = started(&stage);
    for wrong in [
        get("/things/1"),
        of("Not-This", "/things/1"),
        of("", "/things/1"),
        of("acme", "/things/1").header("X-Tenant", "b"),
        of("b", "/o/acme/1"),
        ask("PUT", "/things/1"),
        get("/no/rule"),
    ] {
        let told = node.send(&wrong).with_status(400);
        assert_eq!(told.json()["code"], "tenant-missing", "{}", told.text());
        assert!(told.cache_status().contains("tenant-missing"), "{}", told.cache_status());
    }
    stage.was_asked_no_more();
    let asked = node.begin(&ask("OPTIONS", "/things/1"));
    stage.expects("OPTIONS /things/1").answers(message(200, &[], ""));
    asked.finish().with_status(200);
}

#[test]
fn a_field_of_a_stranger_chooses_no_tenant() {
    let stage = Stage::start();
    let rules = RULES.replace("required = true", "");
    let node = setup(&stage, &rules, "\"10.9.9.9/32\"").start();
    for ask in [of("acme", "/things/1"), of("b", "/o/acme/1")] {
        for _ in 0..2 {
            let asked = node.begin(&ask);
            stage.next().answers(message(200, &[], "x"));
            asked.finish().with_status(200).passed_because("tenant-missing");
        }
    }
    fetches(&node, &stage, &get("/o/acme/1"), "own");
    finds(&node, &of("acme", "/o/acme/1"), "own");
    let required = setup(&stage, RULES, "\"10.9.9.9/32\"").start();
    required.send(&of("acme", "/things/1")).with_status(400);
    stage.was_asked_no_more();
}

/// Fills the entry of both for a target.
fn both(node: &Cistern, stage: &Stage, target: &str) {
    for tenant in ["acme", "b"] {
        fetches(node, stage, &of(tenant, target), tenant);
    }
}

#[test]
fn what_a_write_names_goes_for_its_tenant_and_its_target_for_all() {
    let stage = Stage::start();
    let node = started(&stage);
    let writes = |ask: &Ask| {
        let asked = node.begin(ask);
        stage.next().answers(message(200, &[], ""));
        asked.finish().with_status(200);
    };
    both(&node, &stage, "/things/1");
    writes(&ask("PUT", "/touch/9").header("X-Tenant", "acme"));
    finds(&node, &of("b", "/things/1"), "b");
    fetches(&node, &stage, &of("acme", "/things/1"), "acme");
    writes(&ask("DELETE", "/tenants/9").header("X-Tenant", "b"));
    finds(&node, &of("acme", "/things/1"), "acme");
    fetches(&node, &stage, &of("b", "/things/1"), "b");
    writes(&ask("PUT", "/things/1").header("X-Tenant", "acme"));
    both(&node, &stage, "/things/1");
}

#[test]
fn a_tenant_is_named_wherever_selectors_are() {
    let stage = Stage::start();
    let (setup, token) = setup(&stage, RULES, "\"127.0.0.0/8\"").token(Role::Admin);
    let node = setup.start();
    let purge = |body: &Value| {
        call(&node, Some(&token), "POST", "purge", Some(body)).with_status(200).json()
    };
    both(&node, &stage, "/things/1");
    both(&node, &stage, "/things/2");
    fetches(&node, &stage, &of("acme", "/system/x"), "all");
    let tried = purge(&json!({ "selectors": ["tenant:acme"], "dry_run": true }));
    assert_eq!(tried["would_purge"]["entries"], 2, "{tried}");
    let listed = call(&node, Some(&token), "GET", "keys?selector=tenant:acme", None);
    assert_eq!(listed.with_status(200).json()["entries"].as_array().map(Vec::len), Some(2));
    let tags = purge(&json!({ "selectors": ["tag:*"], "dry_run": true }));
    assert_eq!(tags["would_purge"]["entries"], 4, "a tenant is no tag: {tags}");
    let done = purge(&json!({ "selectors": ["tenant:acme"] }));
    assert_eq!((&done["purged"]["entries"], &done["exact"]), (&json!(2), &json!(true)), "{done}");
    for target in ["/things/1", "/things/2"] {
        finds(&node, &of("b", target), "b");
        fetches(&node, &stage, &of("acme", target), "acme");
    }
    finds(&node, &get("/system/x"), "all");
    let by_field = ask("PURGE", "/things/1").header("X-Purge-Selector", "tenant:b");
    assert_eq!(node.send(&by_field).with_status(200).json()["purged"]["entries"], 2);
    finds(&node, &of("acme", "/things/1"), "acme");
    fetches(&node, &stage, &of("b", "/things/1"), "b");
    // A target is everybody's.
    let target = node.send(&ask("PURGE", "/things/1")).with_status(200).json();
    assert_eq!(target["purged"]["entries"], 2, "{target}");
    // A soft one marks the same, and gives it back.
    let soft = purge(&json!({ "selectors": ["tenant:acme"], "soft": true }));
    assert_eq!(soft["purged"]["entries"], 1, "{soft}");
    let undone = json!({ "id": soft["undo"] });
    call(&node, Some(&token), "POST", "undo", Some(&undone)).with_status(200);
    finds(&node, &of("acme", "/things/2"), "acme");
}
