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

#[test]
fn what_stood_on_all_levels_of_all_nodes_is_counted_once() {
    let (_redis, _origin, fleet, token) = three();
    let own = |path: &str| format!("url:http://api.example{path}");
    everywhere(&fleet, "/one", "en");
    let told = purge(&fleet.nodes[0], &token, &own("/one"));
    assert_eq!(told["purged"], json!({ "entries": 1, "l1": 3, "l2": 1 }), "{told}");
    assert_eq!((&told["exact"], &told["level"]), (&json!(true), &json!("nodes")), "{told}");
    assert_eq!(told["nodes"], json!({ "asked": 2, "confirmed": 2 }), "{told}");
    // Nothing is left, and everybody knows.
    let told = purge(&fleet.nodes[0], &token, &own("/one"));
    assert_eq!(told["purged"], json!({ "entries": 0, "l1": 0, "l2": 0 }), "{told}");
    assert_eq!(told["exact"], true, "{told}");
    // Each variant counts.
    everywhere(&fleet, "/vary/two", "en");
    everywhere(&fleet, "/vary/two", "de");
    let told = purge(&fleet.nodes[0], &token, &own("/vary/two"));
    assert_eq!(told["purged"], json!({ "entries": 2, "l1": 6, "l2": 2 }), "{told}");
    assert_eq!(told["exact"], true, "{told}");
}

#[test]
fn what_is_taken_out_later_is_not_called_exact() {
    let (_redis, _origin, fleet, token) = three();
    everywhere(&fleet, "/wide/1", "en");
    everywhere(&fleet, "/wide/2", "en");
    let told = purge(&fleet.nodes[0], &token, "prefix:http://api.example/wide/");
    assert_eq!(told["purged"], json!({ "entries": 2, "l1": 6, "l2": null }), "{told}");
    assert_eq!((&told["exact"], &told["level"]), (&json!(false), &json!("nodes")), "{told}");
}
