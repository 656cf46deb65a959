//! Several hosts lead to one answer where the origin is told one host whatever the client asks for.
//! An order through any of them must find it, also where no key made of the target leads to it.

use serde_json::json;

use crate::support::cistern::{Cistern, in_front_of};
use crate::support::client::{Ask, ask, get};
use crate::support::fleet::{Fleet, settings};
use crate::support::operator;
use crate::support::redis::{Server, until};
use crate::support::stage::{Stage, message};
use crate::support::versions::Versions;
use cistern::admin::tokens::Role;

fn rules(origin: &str) -> String {
    format!(
        r#"
version = 1
[origin.app]
url = "http://{origin}"
host = "app.internal"
[[route]]
name = "mobile"
match = "GET /things/{{id}}"
when = "header.x-mobile == '1'"
key = "mobile:{{id}}"
tags = ["thing"]
ttl = "5m"
origin = "app"
[[route]]
name = "desk"
match = "GET /things/{{id}}"
key = "desk:{{id}}"
ttl = "5m"
origin = "app"
[[route]]
name = "writes"
match = "PUT /things/{{id}}"
origin = "app"
"#
    )
}

const PURGE: &str = "[purge]\nnetworks = [\"127.0.0.0/8\"]\n";

fn mobile(path: &str, host: &str) -> Ask {
    get(path).host(host).header("X-Mobile", "1")
}

fn version(node: &Cistern, host: &str) -> u64 {
    let told = node.send(&mobile("/things/1", host)).with_status(200).json();
    told["version"].as_u64().expect("a version")
}

/// What an order through another host than the first reader's may be.
fn orders(node: &Cistern, token: &str, way: &str) {
    let url = |url: &str| {
        let body = json!({ "selectors": [format!("url:{url}")] });
        operator::call(node, Some(token), "POST", "purge", Some(&body)).with_status(200);
    };
    match way {
        "write" => {
            node.send(&ask("PUT", "/things/1").host("b.example").json(&json!({}))).with_status(200);
        }
        "PURGE" => {
            node.send(&ask("PURGE", "/things/1").host("b.example")).with_status(200);
        }
        "call" => url("http://b.example/things/1"),
        "odd" => url("HTTP://A.Example:80/things/1"),
        other => panic!("{other}"),
    }
}

const WAYS: [&str; 4] = ["write", "PURGE", "call", "odd"];

#[test]
fn an_order_through_one_host_takes_what_all_hosts_share() {
    let origin = Versions::start();
    let (setup, token) =
        in_front_of(origin.address()).rules(&rules(origin.address())).token(Role::Operate);
    let node = setup.config(PURGE).start();
    for way in WAYS {
        let first = version(&node, "a.example");
        assert_eq!(version(&node, "b.example"), first, "one entry for all hosts");
        origin.commit("/things/1");
        orders(&node, &token, way);
        for host in ["a.example", "b.example", "c.example"] {
            assert!(version(&node, host) > first, "{host} after {way}");
        }
    }
    // Nobody sees by what.
    let told = operator::call(&node, Some(&token), "GET", "entry?key=mobile:1", None).json();
    assert_eq!(told["variants"][0]["tags"], json!(["thing"]), "{told}");
}

#[test]
fn what_another_route_made_of_the_path_goes_too() {
    let origin = Versions::start();
    let plain = "[[route]]\nname = \"plain\"\nmatch = \"GET /plain/{id}\"\norigin = \"app\"\n";
    let rules = rules(origin.address()) + plain + "ttl = \"5m\"\n";
    let (setup, token) = in_front_of(origin.address()).rules(&rules).token(Role::Operate);
    let node = setup.config(PURGE).start();
    for path in ["/things/1", "/plain/1"] {
        let version = |host: &str| {
            let told = node.send(&get(path).host(host)).with_status(200).json();
            told["version"].as_u64().expect("a version")
        };
        let first = version("a.example");
        assert_eq!(version("b.example"), first, "one entry for all hosts");
        origin.commit(path);
        // These fields lead to the key of the first route.
        let how = ask("PURGE", path).host("b.example").header("X-Mobile", "1");
        node.send(&how).with_status(200);
        assert!(version("a.example") > first, "{path} after PURGE");
        let first = version("a.example");
        origin.commit(path);
        let body = json!({ "selectors": [format!("url:http://b.example{path}")] });
        operator::call(&node, Some(&token), "POST", "purge", Some(&body)).with_status(200);
        assert!(version("a.example") > first, "{path} after the call");
    }
}

#[test]
fn so_it_does_on_every_node() {
    let (redis, origin) = (Server::start(), Versions::start());
    let node = || {
        in_front_of(origin.address())
            .config(&settings(&redis.url()))
            .rules(&rules(origin.address()))
    };
    let (first, token) = node().token(Role::Operate);
    let fleet = Fleet::start([first, node()]);
    for way in WAYS {
        let first = version(&fleet.nodes[1], "a.example");
        version(&fleet.nodes[0], "a.example");
        origin.commit("/things/1");
        orders(&fleet.nodes[0], &token, way);
        for node in &fleet.nodes {
            assert!(version(node, "c.example") > first, "after {way}");
        }
    }
}

#[test]
fn a_fetch_from_before_it_is_neither_kept_nor_joined() {
    let stage = Stage::start();
    let (setup, _) =
        in_front_of(stage.address()).rules(&rules(stage.address())).token(Role::Operate);
    let node = setup.config(PURGE).start();
    let early = node.begin(&mobile("/things/1", "a.example"));
    let slow = stage.expects("GET /things/1");
    node.send(&ask("PURGE", "/things/1").host("b.example"));
    // It asks for itself.
    let late = node.begin(&mobile("/things/1", "a.example"));
    let fresh = stage.expects("GET /things/1");
    slow.answers(message(200, &[], "old"));
    assert_eq!(early.finish().text(), "old");
    fresh.answers(message(200, &[], "new"));
    assert_eq!(late.finish().text(), "new");
    assert_eq!(node.send(&mobile("/things/1", "b.example")).served_from_store().text(), "new");
    // A purge of something else does not part those who ask.
    let leads = node.begin(&mobile("/things/2", "a.example"));
    let running = stage.expects("GET /things/2");
    node.send(&ask("PURGE", "/things/3").host("b.example"));
    let follows = node.begin(&mobile("/things/2", "b.example"));
    running.answers(message(200, &[], "two"));
    assert_eq!((leads.finish().text(), follows.finish().text()), ("two".into(), "two".into()));
    stage.was_asked_no_more();
}

#[test]
fn a_message_takes_what_a_call_takes() {
    let (redis, origin) = (Server::start(), Versions::start());
    let rules = rules(origin.address()) + "[events]\nchannel = \"cistern:events\"\n";
    let node = || in_front_of(origin.address()).config(&settings(&redis.url())).rules(&rules);
    let fleet = Fleet::start([node(), node()]);
    for url in ["http://b.example/things/1", "HTTP://A.Example:80/things/1"] {
        let first = version(&fleet.nodes[1], "a.example");
        version(&fleet.nodes[0], "a.example");
        origin.commit("/things/1");
        redis.cli(&["PUBLISH", "cistern:events", &format!(r#"{{"purge":["url:{url}"]}}"#)]);
        for node in &fleet.nodes {
            until("it is gone", || version(node, "c.example") > first);
        }
    }
}
