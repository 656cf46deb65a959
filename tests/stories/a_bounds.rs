//! Tokens that are bound to a part of what is stored: they see and change nothing beyond it, and
//! what cannot be kept within it they do not get at all.

use cistern::admin::calls::{Bound, CALLS};
use cistern::admin::tokens::{Role, Token};
use serde_json::json;

use crate::support::cistern::{Cistern, in_front_of};
use crate::support::client::{Answer, ask, get};
use crate::support::operator::call;
use crate::support::redis::until;
use crate::support::stage::{Stage, message};

const RULES: &str = r#"
version = 1
[tenant]
from = "header.x-tenant"
[[route]]
match = "GET /things/{id}"
key = "thing:{id}"
ttl = "5m"
[[route]]
match = "GET /system/{id}"
key = "system:{id}"
ttl = "5m"
tenant = "none"
"#;

/// A node with an entry of each tenant and one of nobody, and the texts of its tokens: one without
/// bounds, and those that are named with their bounds.
fn started<const N: usize>(
    stage: &Stage,
    bound: [(&str, Role, &[&str]); N],
) -> (Cistern, String, [String; N]) {
    let config = "[trust]\npeers = [\"127.0.0.0/8\"]\n";
    let (setup, all) = in_front_of(stage.address()).config(config).rules(RULES).token(Role::Admin);
    let node = setup.start();
    let file = node.file("tokens.toml");
    let mut tokens: Vec<Token> = cistern::node::tokens::read(&file).expect("the tokens");
    let texts = bound.map(|(name, role, selectors)| {
        let parse = |text: &&str| text.parse().expect("a selector");
        let selectors = selectors.iter().map(parse).collect();
        let (text, token) = cistern::node::tokens::create(name, role, selectors).expect("a token");
        tokens.push(token);
        text
    });
    cistern::node::tokens::write(&file, &tokens).expect("a file");
    for tenant in ["acme", "b"] {
        node.send(&get("/things/1").header("X-Tenant", tenant)).served_by_origin();
    }
    node.get("/system/1").served_by_origin();
    (node, all, texts)
}

fn origin() -> Stage {
    Stage::with(|_| Some(message(200, &[], "x")))
}

#[track_caller]
fn refused(answer: Answer) -> String {
    let told = answer.with_status(403).json();
    assert_eq!(told["code"], "not-allowed", "{told}");
    let detail = told["detail"].as_str().expect("a detail").to_owned();
    assert!(detail.contains("bound to"), "no remedy: {detail}");
    detail
}

#[test]
fn what_nothing_bounds_is_refused_whatever_the_role() {
    let stage = origin();
    let (node, _, [bound]) = started(&stage, [("acme", Role::Admin, &["tenant:acme"])]);
    for one in CALLS {
        let asked = ask(one.method, &one.path()).host(&node.admin()).bearer(&bound);
        let answer = asked.to(&node.admin());
        match one.bound {
            Bound::Nothing => drop(refused(answer)),
            Bound::Whole => assert_ne!(answer.status, 403, "{one:?}"),
            Bound::Within => {}
        }
    }
}

#[test]
fn a_tenants_token_reaches_its_tenant_and_nothing_else() {
    let stage = origin();
    let (node, all, [acme]) = started(&stage, [("acme", Role::Operate, &["tenant:acme"])]);
    let purge = |selector: &str| {
        call(&node, Some(&acme), "POST", "purge", Some(&json!({ "selectors": [selector] })))
    };
    // The key is another tenant's as well.
    for beyond in ["tenant:b", "key:thing:1", "prefix:thing:", "tag:*", "url:http://h/x", "all"] {
        refused(purge(beyond));
    }
    for beyond in ["keys", "keys?selector=tenant:b", "entry?key=thing:1"] {
        refused(call(&node, Some(&acme), "GET", beyond, None));
    }
    refused(call(&node, Some(&acme), "DELETE", "entry?key=thing:1", None));
    refused(call(&node, Some(&acme), "POST", "verify", Some(&json!({}))));
    refused(call(&node, Some(&acme), "POST", "warm", Some(&json!({ "hot": true }))));
    for tenant in ["acme", "b"] {
        node.send(&get("/things/1").header("X-Tenant", tenant)).served_from_store();
    }
    let seen = call(&node, Some(&acme), "GET", "keys?selector=tenant:acme", None);
    let seen = seen.with_status(200).json();
    let rows = seen["entries"].as_array().expect("rows");
    assert!(rows.len() == 1 && rows[0]["tenant"] == "acme", "{seen}");
    assert_eq!(purge("tenant:acme").with_status(200).json()["purged"]["entries"], 1);
    node.send(&get("/things/1").header("X-Tenant", "b")).served_from_store();
    node.get("/system/1").served_from_store();
    let left = call(&node, Some(&all), "GET", "keys", None).with_status(200).json();
    assert_eq!(left["entries"].as_array().map(Vec::len), Some(2), "{left}");
}

#[test]
fn jobs_of_others_are_neither_seen_nor_ended() {
    let stage = origin();
    let bound =
        [("acme", Role::Operate, &["tenant:acme"][..]), ("b", Role::Operate, &["tenant:b"])];
    let (node, all, [acme, b]) = started(&stage, bound);
    let verify = |token: &str, selector: &str| {
        let asked = json!({ "selectors": [selector] });
        call(&node, Some(token), "POST", "verify", Some(&asked))
    };
    let job = verify(&acme, "tenant:acme").with_status(202).json();
    let path = format!("jobs/{}", job["id"].as_str().expect("a name"));
    refused(verify(&acme, "tenant:b"));
    let jobs = |token: &str| {
        let told = call(&node, Some(token), "GET", "jobs", None).with_status(200).json();
        told["jobs"].as_array().map(Vec::len)
    };
    assert_eq!((jobs(&acme), jobs(&b), jobs(&all)), (Some(1), Some(0), Some(1)));
    let state = |token: &str| call(&node, Some(token), "GET", &path, None);
    assert!(state(&b).with_status(403).text().contains("none of them"));
    let ended = || state(&acme).with_status(200).json()["state"] != "running";
    until("it has ended", ended);
    call(&node, Some(&b), "DELETE", &path, None).with_status(403);
    // It has ended, and it was its own.
    call(&node, Some(&acme), "DELETE", &path, None).with_status(409);
    call(&node, Some(&b), "DELETE", "jobs/none-1", None).with_status(403);
}

#[test]
fn who_loses_the_token_hears_no_more() {
    let stage = origin();
    let (node, all, [other]) = started(&stage, [("reader", Role::Read, &[])]);
    let follow = |token: &str| {
        let admin = node.admin();
        ask("GET", "/api/v1/admin/events?follow=1").host(&admin).bearer(token).begin(&admin)
    };
    let (lost, kept) = (follow(&other), follow(&all));
    until("both follow", || lost.has_come() && kept.has_come());
    let file = node.file("tokens.toml");
    let tokens = cistern::node::tokens::read(&file).expect("the tokens");
    let revoke = |name: &str| {
        let left: Vec<Token> = tokens.iter().filter(|token| token.name != name).cloned().collect();
        cistern::node::tokens::write(&file, &left).expect("a file");
    };
    revoke("reader");
    let purge = json!({ "selectors": ["key:none"] });
    call(&node, Some(&all), "POST", "purge", Some(&purge)).with_status(200);
    let heard = lost.finish().with_status(200).text();
    assert!(heard.contains("START") && !heard.contains("key:none"), "{heard}");
    call(&node, Some(&other), "GET", "stats", None).with_status(401);
    // Who keeps the token goes on; and without a word of events it ends as well.
    call(&node, Some(&all), "GET", "stats", None).with_status(200);
    revoke("story");
    let heard = kept.finish().with_status(200).text();
    assert!(heard.contains("key:none"), "{heard}");
}
