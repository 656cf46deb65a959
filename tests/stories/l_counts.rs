//! What a purge says that it took: a representation that stood in L1 of three nodes and in the
//! shared level is one, and what is not known is said to be so.

use serde_json::{Value, json};

use crate::support::cistern::{Cistern, in_front_of};
use crate::support::client::{ask, get};
use crate::support::fleet::{Fleet, settings};
use crate::support::redis::{Server, until};
use crate::support::versions::Versions;
use cistern::admin::tokens::Role;

/// Three nodes, and a token for the first.
fn three() -> (Server, Versions, Fleet, String) {
    let redis = Server::start();
    let origin = Versions::start();
    let setup = || in_front_of(origin.address()).config(&settings(&redis.url()));
    let (first, token) = setup().token(Role::Operate);
    let fleet = Fleet::start([first, setup(), setup()]);
    (redis, origin, fleet, token)
}

/// Every node has this in its L1, and the shared level has it.
fn everywhere(fleet: &Fleet, path: &str, language: &str) {
    let wanted = get(path).header("Accept-Language", language);
    for node in &fleet.nodes {
        until("it stands in L1", || {
            let told = node.send(&wanted);
            told.is_hit() && told.cache_status().contains("L1")
        });
    }
}

fn purge(node: &Cistern, token: &str, selector: &str) -> Value {
    let asked = json!({ "selectors": [selector], "wait": "20s" });
    let call = ask("POST", "/api/v1/admin/purge").host(&node.admin()).json(&asked).bearer(token);
    call.to(&node.admin()).with_status(200).json()
}

/// What a purge of a path took, where all were heard in time: on a machine that does other things
/// as well somebody may be late, and then the answer says that it is not exact.
#[track_caller]
fn purge_exactly(fleet: &Fleet, token: &str, path: &str, languages: &[&str]) -> Value {
    let mut told = Value::Null;
    until("all were heard in time", || {
        for language in languages {
            everywhere(fleet, path, language);
        }
        told = purge(&fleet.nodes[0], token, &format!("url:http://api.example{path}"));
        told["exact"] == true
    });
    told
}

#[test]
fn what_stood_on_all_levels_of_all_nodes_is_counted_once() {
    let (_redis, _origin, fleet, token) = three();
    let told = purge_exactly(&fleet, &token, "/one", &["en"]);
    assert_eq!(told["purged"], json!({ "entries": 1, "l1": 3, "l2": 1 }), "{told}");
    assert_eq!(told["level"], "nodes", "{told}");
    assert_eq!(told["nodes"], json!({ "asked": 2, "confirmed": 2 }), "{told}");
    // Nothing is left, and everybody knows.
    let told = purge_exactly(&fleet, &token, "/one", &[]);
    assert_eq!(told["purged"], json!({ "entries": 0, "l1": 0, "l2": 0 }), "{told}");
    // Each variant counts.
    let told = purge_exactly(&fleet, &token, "/vary/two", &["en", "de"]);
    assert_eq!(told["purged"], json!({ "entries": 2, "l1": 6, "l2": 2 }), "{told}");
}

#[test]
fn a_confirmation_that_is_lost_does_not_cost_the_whole_wait() {
    let (redis, origin) = (Server::start(), Versions::start());
    // The second node may say everything but that it has done what it was told.
    let channels = ["&cistern:{c}:orders*", "&cistern:{c}:wake*"];
    redis.cli(&[&["ACL", "SETUSER", "mute", "on", ">pw", "~*", "+@all"], &channels[..]].concat());
    let mute = redis.url().replacen("redis://", "redis://mute:pw@", 1);
    let setup = |url: &str| in_front_of(origin.address()).config(&settings(url));
    let (first, token) = setup(&redis.url()).token(Role::Operate);
    let fleet = Fleet::start([first, setup(&mute)]);
    everywhere(&fleet, "/a", "en");
    let began = std::time::Instant::now();
    let told = purge(&fleet.nodes[0], &token, "url:http://api.example/a");
    assert_eq!(told["nodes"], json!({ "asked": 1, "confirmed": 1 }), "{told}");
    assert_eq!((&told["level"], &told["exact"]), (&json!("nodes"), &json!(false)), "{told}");
    assert!(began.elapsed() < std::time::Duration::from_secs(15), "{:?}", began.elapsed());
}

#[test]
fn what_is_taken_out_later_is_not_called_exact() {
    let (_redis, _origin, fleet, token) = three();
    everywhere(&fleet, "/wide/1", "en");
    everywhere(&fleet, "/wide/2", "en");
    let told = purge(&fleet.nodes[0], &token, "prefix:http://api.example/wide/");
    assert_eq!((&told["purged"]["l2"], &told["purged"]["l1"]), (&Value::Null, &json!(6)), "{told}");
    assert_eq!(told["exact"], false, "{told}");
}

const BY_DEVICE: &str = r#"
version = 1
[[route]]
name = "mobile"
match = "GET /things/{id}"
when = "header.x-mobile == '1'"
key = "mobile:{id}"
ttl = "5m"
[[route]]
name = "desk"
match = "GET /things/{id}"
key = "desk:{id}"
ttl = "5m"
"#;

/// A write names its target, which leads to the key of a plain GET alone. A node that starts when
/// the log has been cut must not use what stands under another key.
#[test]
fn what_its_target_does_not_lead_to_is_refused_by_who_comes_later() {
    let (redis, origin) = (Server::start(), Versions::start());
    let fleet = Fleet::ruled(2, origin.address(), &redis.url(), BY_DEVICE);
    let mobile = get("/things/1").header("X-Mobile", "1");
    fleet.nodes[0].send(&mobile).with_status(200);
    until("it is shared", || fleet.nodes[1].send(&mobile).cache_status().contains("L2"));
    fleet.nodes[0].send(&ask("PUT", "/things/1")).with_status(200);
    redis.cli(&["XTRIM", "cistern:{c}:log", "MAXLEN", "1"]);
    let later = in_front_of(origin.address()).config(&settings(&redis.url())).rules(BY_DEVICE);
    let later = later.start();
    let mut others = 0;
    until("it shares", || {
        // What it fetched before it had joined stays in its L1.
        others += 1;
        let plain = get(&format!("/things/other-{others}"));
        fleet.nodes[0].send(&plain);
        later.send(&plain).cache_status().contains("L2")
    });
    let told = later.send(&mobile).with_status(200);
    assert_eq!(told.json()["version"], 2, "{}", told.cache_status());
}
