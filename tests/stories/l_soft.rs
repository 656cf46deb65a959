//! Soft purges of several nodes: one gives them, all have them, another takes them back; and who
//! comes later, or was away, is no exception.

use cistern::admin::tokens::Role;
use serde_json::{Value, json};

use crate::support::cistern::{Cistern, Setup, in_front_of};
use crate::support::client::ask;
use crate::support::fleet::{Fleet, entries, settings, stored};
use crate::support::operator;
use crate::support::redis::{Server, until};
use crate::support::relay::{Relay, Way};
use crate::support::versions::Versions;

const RULES: &str = r#"
version = 1
[events]
channel = "changes"
[[route]]
name = "loose"
match = "GET /loose/{id}"
key = "loose:{id}"
ttl = "5m"
stale_while_revalidate = "10m"
[[route]]
name = "strict"
match = "GET /strict/{id}"
key = "strict:{id}"
tags = ["strict"]
ttl = "5m"
[[route]]
name = "rest"
match = "GET /{rest...}"
ttl = "1m"
"#;

fn setup(origin: &Versions, redis: &Server, more: &str) -> (Setup, String) {
    let config = format!("{}{more}", settings(&redis.url()));
    in_front_of(origin.address()).rules(RULES).config(&config).token(Role::Purge)
}

fn fleet(count: usize, origin: &Versions, redis: &Server, more: &str) -> (Fleet, Vec<String>) {
    let (setups, tokens): (Vec<_>, Vec<_>) = (0..count).map(|_| setup(origin, redis, more)).unzip();
    (Fleet::start(setups), tokens)
}

fn call(node: &Cistern, token: &str, name: &str, body: &Value) -> Value {
    operator::call(node, Some(token), "POST", name, Some(body)).json()
}

fn soften(node: &Cistern, token: &str, selector: &str) -> Value {
    let body = json!({ "selectors": [selector], "soft": true, "wait": "5s" });
    call(node, token, "purge", &body)
}

/// What an order did on all nodes. Each has confirmed it, or has had more than the time for it.
#[track_caller]
fn went(told: &Value, what: &str, count: u64) {
    assert_ne!(told["level"], "local", "{told}");
    if told["level"] == "nodes" {
        assert_eq!(told[what]["l1"], count, "{told}");
    }
}

/// Has every node hold a target, and the shared level.
fn hold(fleet: &Fleet, redis: &Server, target: &str, key: &str) {
    for node in &fleet.nodes {
        node.get(target).with_status(200);
        stored(redis, key, 1);
    }
    for node in &fleet.nodes {
        assert_eq!(node.get(target).served_from_store().json()["version"], 1);
    }
}

/// Whether a node answers with a stale copy of the first version.
fn is_stale(node: &Cistern, target: &str) -> bool {
    let answer = node.get(target).with_status(200);
    answer.json()["version"] == 1 && answer.cache_status().contains("stale-while-revalidate")
}

/// A node that starts now, when it shares what others put.
fn later(fleet: &Fleet, origin: &Versions, redis: &Server) -> (Cistern, String) {
    let (setup, token) = setup(origin, redis, "");
    let node = setup.start();
    let mut others = 0;
    until("it shares", || {
        others += 1;
        let target = format!("/others/{others}");
        fleet.nodes[0].get(&target);
        node.get(&target).cache_status().contains("L2")
    });
    (node, token)
}

#[test]
fn what_one_makes_stale_is_stale_on_all_and_another_takes_it_back() {
    let (redis, origin) = (Server::start(), Versions::start());
    let (fleet, tokens) = fleet(3, &origin, &redis, "");
    for (target, key) in [("/strict/1", "strict:1}"), ("/strict/2", "strict:2}")] {
        hold(&fleet, &redis, target, key);
    }
    hold(&fleet, &redis, "/loose/1", "loose:1}");
    let told = soften(&fleet.nodes[0], &tokens[0], "tag:strict");
    went(&told, "purged", 6);
    // Before anybody has asked, another node takes it back.
    let back =
        call(&fleet.nodes[1], &tokens[1], "undo", &json!({ "id": told["undo"], "wait": "5s" }));
    went(&back, "restored", 6);
    origin.commit("/strict/1");
    for node in &fleet.nodes {
        assert_eq!(node.get("/strict/1").served_from_store().json()["version"], 1);
    }
    // Once more, and now it is asked for.
    went(&soften(&fleet.nodes[2], &tokens[2], "key:strict:1"), "purged", 3);
    for node in &fleet.nodes {
        assert_eq!(node.get("/strict/1").json()["version"], 2);
        node.get("/strict/2").served_from_store();
    }
    // What may be used stale is, on every node, while one fetch runs.
    let gate = origin.holds("GET /loose/1");
    origin.commit("/loose/1");
    went(&soften(&fleet.nodes[1], &tokens[1], "key:loose:1"), "purged", 3);
    assert!(is_stale(&fleet.nodes[0], "/loose/1"));
    gate.reached();
    assert!(fleet.nodes.iter().all(|node| is_stale(node, "/loose/1")));
    assert_eq!(entries(&redis).iter().filter(|key| key.contains("loose:1}")).count(), 1);
    gate.open();
    for node in &fleet.nodes {
        until("it is new", || node.get("/loose/1").json()["version"] != 1);
    }
}

#[test]
fn who_comes_when_the_log_was_cut_knows_what_is_stale_and_can_take_it_back() {
    let (redis, origin) = (Server::start(), Versions::start());
    let (fleet, tokens) = fleet(2, &origin, &redis, "");
    for (target, key) in
        [("/strict/1", "strict:1}"), ("/strict/2", "strict:2}"), ("/loose/1", "loose:1}")]
    {
        fleet.nodes[0].get(target).with_status(200);
        stored(&redis, key, 1);
    }
    let strict = soften(&fleet.nodes[0], &tokens[0], "strict:*");
    soften(&fleet.nodes[0], &tokens[0], "key:loose:1");
    origin.commit("/strict/1");
    let cut = || redis.cli(&["XTRIM", "cistern:{c}:log", "MAXLEN", "1"]);
    fleet.nodes[0].send(&ask("PURGE", "/nothing"));
    cut();
    let (new, token) = later(&fleet, &origin, &redis);
    let gate = origin.holds("GET /loose/1");
    until("the stale one is used", || is_stale(&new, "/loose/1"));
    gate.open();
    assert_eq!(new.get("/strict/1").json()["version"], 2);
    // It may take back what it has never heard of but by its fence.
    let back = call(&new, &token, "undo", &json!({ "id": strict["undo"], "wait": "5s" }));
    assert_ne!(back["level"], "local", "{back}");
    fleet.nodes[0].get("/strict/2").served_from_store();
    let asked = origin.asked("GET /strict/2");
    assert!(new.get("/strict/2").cache_status().contains("L2"));
    // And who comes after that knows that too.
    fleet.nodes[0].send(&ask("PURGE", "/nothing"));
    cut();
    let (last, _) = later(&fleet, &origin, &redis);
    assert!(last.get("/strict/2").cache_status().contains("L2"));
    assert_eq!(origin.asked("GET /strict/2"), asked);
}

#[test]
fn a_journal_keeps_what_is_soft_and_what_was_undone() {
    let (redis, origin) = (Server::start(), Versions::start());
    let relay = Relay::to(&redis.address());
    let config = format!("{}journal = \"journal\"\n", settings(&relay.url()));
    let setup = in_front_of(origin.address()).rules(RULES).config(&config);
    let (setup, token) = setup.token(Role::Purge);
    let mut fleet = Fleet::start([setup, self::setup(&origin, &redis, "").0]);
    for name in ["strict:1", "loose:1", "loose:2"] {
        fleet.nodes[1].get(&format!("/{}", name.replace(':', "/"))).with_status(200);
        stored(&redis, &format!("{name}}}"), 1);
    }
    relay.becomes(Way::Refuse);
    let node = &fleet.nodes[0];
    let give = |selector: &str| {
        let told = soften(node, &token, selector);
        assert_eq!((&told["level"], &told["journaled"]), (&json!("local"), &json!(true)), "{told}");
        told["undo"].clone()
    };
    give("key:strict:1");
    give("key:loose:1");
    let back = call(node, &token, "undo", &json!({ "id": give("key:loose:2") }));
    assert_eq!((&back["level"], &back["journaled"]), (&json!("local"), &json!(true)), "{back}");
    for target in ["/strict/1", "/loose/1", "/loose/2"] {
        origin.commit(target);
    }
    // The one that knows dies, and another life of it says what it knew.
    let dead = fleet.nodes.remove(0).crashes();
    relay.passes();
    fleet.nodes.push(dead.start());
    fleet.is_one();
    let gate = origin.holds("GET /loose/1");
    let (other, later) = (&fleet.nodes[0], later(&fleet, &origin, &redis).0);
    for node in [other, &later] {
        assert!(is_stale(node, "/loose/1"), "it was kept, and not as a purge");
        assert_eq!(node.get("/loose/2").json()["version"], 1, "its purge was undone");
    }
    gate.open();
    assert_eq!(other.get("/strict/1").json()["version"], 2);
    assert_eq!(later.get("/strict/1").json()["version"], 2);
}

#[test]
fn what_a_program_publishes_is_soft_or_fetched_anew_where_it_says_so() {
    let (redis, origin) = (Server::start(), Versions::start());
    let (fleet, _) = fleet(2, &origin, &redis, "");
    hold(&fleet, &redis, "/loose/1", "loose:1}");
    hold(&fleet, &redis, "/strict/1", "strict:1}");
    let publish = |said: &str| drop(redis.cli(&["PUBLISH", "changes", said]));
    let gate = origin.holds("GET /loose/1");
    publish(r#"{"purge":["key:loose:1"],"soft":true}"#);
    for node in &fleet.nodes {
        until("it is stale", || is_stale(node, "/loose/1"));
    }
    gate.open();
    let version = origin.commit("/strict/1");
    publish(r#"{"refresh":["key:strict:1"]}"#);
    // Nobody asks for it.
    until("it is asked for", || origin.asked("GET /strict/1") > 1);
    for node in &fleet.nodes {
        until("it is told", || node.log_so_far().contains("REFRESH count=1 left_out=0"));
        assert_eq!(node.get("/strict/1").served_from_store().json()["version"], version);
    }
    assert!(origin.asked("GET /strict/1") <= 3, "once for each node at most");
}

#[test]
fn a_purge_that_is_tried_counts_what_all_nodes_and_redis_hold_and_says_who_did_not_tell() {
    let (redis, origin) = (Server::start(), Versions::start());
    let (mut fleet, tokens) = fleet(2, &origin, &redis, "");
    for (node, id) in [(0, 1), (1, 2), (0, 3), (1, 3)] {
        fleet.nodes[node].get(&format!("/strict/{id}")).with_status(200);
        stored(&redis, &format!("strict:{id}}}"), 1);
    }
    // What only the other one's memory holds is counted too.
    redis
        .cli(&["DEL", &entries(&redis).into_iter().find(|key| key.contains("strict:2}")).unwrap()]);
    let try_it = |node: &Cistern, selector: &str| {
        let body = json!({ "selectors": [selector], "dry_run": true });
        let mut told = call(node, &tokens[0], "purge", &body);
        told["would_purge"].as_object_mut().expect("counts").remove("bytes");
        told
    };
    let told = try_it(&fleet.nodes[0], "tag:strict");
    assert_eq!(told["would_purge"], json!({ "entries": 3, "l1": 4, "l2": 2 }), "{told}");
    assert_eq!((&told["exact"], &told["nodes"]["asked"]), (&json!(true), &json!(1)), "{told}");
    assert_eq!(told["nodes"]["silent"], json!([]), "{told}");
    let one = try_it(&fleet.nodes[0], "key:strict:2");
    assert_eq!(one["would_purge"], json!({ "entries": 1, "l1": 1, "l2": 0 }), "{one}");
    // One that has died and is still a member does not tell.
    drop(fleet.nodes.pop().map(Cistern::crashes));
    let told = try_it(&fleet.nodes[0], "tag:strict");
    assert_eq!((&told["exact"], &told["would_purge"]["l1"]), (&json!(false), &json!(2)), "{told}");
    assert_eq!(told["nodes"]["silent"].as_array().map(Vec::len), Some(1), "{told}");
    for id in [1, 3] {
        fleet.nodes[0].get(&format!("/strict/{id}")).with_status(200);
        assert_eq!(origin.asked(&format!("GET /strict/{id}")), 1, "nothing has gone");
    }
}

#[test]
fn what_only_redis_holds_is_fetched_anew_as_well_and_stands_there_for_all() {
    let (redis, origin) = (Server::start(), Versions::start());
    let (fleet, tokens) = fleet(2, &origin, &redis, "");
    for (confirm, first) in [("nodes", 1), ("local", 3)] {
        for (id, selector) in
            [(first, format!("key:strict:{first}")), (first + 1, format!("strict:{}*", first + 1))]
        {
            let (target, key) = (format!("/strict/{id}"), format!("strict:{id}}}"));
            fleet.nodes[0].get(&target).with_status(200);
            stored(&redis, &key, 1);
            let version = origin.commit(&target);
            let asked = origin.asked(&format!("GET {target}"));
            let body = json!({ "selectors": [selector], "refresh": true, "confirm": confirm });
            let told = call(&fleet.nodes[1], &tokens[1], "purge", &body);
            assert!(told["refresh"]["l2"] == 1, "{confirm} {selector}: {told}");
            assert_eq!(
                (&told["refresh"]["whole"], &told["mode"]),
                (&json!(true), &json!("refresh"))
            );
            let fresh =
                || fleet.nodes[1].get(&target).served_from_store().json()["version"] == version;
            until("it is fetched", || origin.asked(&format!("GET {target}")) > asked);
            until("it is there", || {
                fleet.nodes[1].get(&target).cache_status().contains("hit") && fresh()
            });
            stored(&redis, &key, 1);
            // The other one finds it in Redis, where no order names it. By a pattern the old frame
            // may stand beside that question for a while.
            until("it is new", || fleet.nodes[0].get(&target).json()["version"] == version);
            if selector.starts_with("key:") {
                assert_eq!(origin.asked(&format!("GET {target}")), asked + 1, "{confirm}");
            }
        }
    }
}

#[test]
fn what_a_program_publishes_again_after_it_was_undone_is_soft_again() {
    let (redis, origin) = (Server::start(), Versions::start());
    let (fleet, tokens) = fleet(2, &origin, &redis, "");
    hold(&fleet, &redis, "/strict/1", "strict:1}");
    // Only one node has the second in its memory.
    fleet.nodes[0].get("/strict/2").with_status(200);
    stored(&redis, "strict:2}", 1);
    let said = r#"{"purge":["strict:*"],"soft":true}"#;
    redis.cli(&["PUBLISH", "changes", said]);
    // A program's order is called by the digest of its bytes.
    let digest = blake3::hash(said.as_bytes());
    let id = digest.as_bytes().first_chunk().map(|first| u64::from_le_bytes(*first));
    let undo = json!({ "id": format!("{:016x}", id.expect("long")), "wait": "5s" });
    until("it is undone", || {
        call(&fleet.nodes[1], &tokens[1], "undo", &undo)["restored"].is_object()
    });
    for node in &fleet.nodes {
        node.get("/strict/1").served_from_store();
    }
    assert_eq!(origin.asked("GET /strict/1"), 1);
    let versions = ["/strict/1", "/strict/2"].map(|target| origin.commit(target));
    redis.cli(&["PUBLISH", "changes", said]);
    for node in &fleet.nodes {
        for (target, version) in ["/strict/1", "/strict/2"].into_iter().zip(&versions) {
            until("it is new", || node.get(target).json()["version"] == *version);
        }
    }
    until("it is undone again", || {
        call(&fleet.nodes[0], &tokens[0], "undo", &undo)["restored"].is_object()
    });
}
