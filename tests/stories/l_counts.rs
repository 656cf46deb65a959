//! What a purge says that it took: a representation that stood in L1 of three nodes and in the
//! shared level is one, and what is not known is said to be so.

use serde_json::{Value, json};

use crate::support::cistern::{Cistern, in_front_of};
use crate::support::client::{ask, get};
use crate::support::fleet::{Fleet, settings};
use crate::support::operator;
use crate::support::redis::cluster::Cluster;
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

/// What a job came to.
fn ended(node: &Cistern, job: &Value) -> Value {
    let path = format!("jobs/{}", job.as_str().expect("the name of a job"));
    let mut told = Value::Null;
    until("the job has ended", || {
        told = operator::call(node, None, "GET", &path, None).with_status(200).json();
        matches!(told["state"].as_str(), Some("done" | "failed"))
    });
    told
}

/// The shared level has so many frames of these.
fn stands(redis: &Server, word: &str, count: usize) {
    let frames = || redis.keys("cistern:e:{*").iter().filter(|key| key.contains(word)).count();
    until("all are shared", || frames() == count);
}

#[test]
fn what_is_taken_out_later_is_counted_by_a_job() {
    let (redis, origin) = (Server::start(), Versions::start());
    let fleet = Fleet::of(2, origin.address(), &redis.url());
    fleet.nodes[0].get("/other/1").with_status(200);
    let wide = ask("PURGE", "/").header("X-Purge-Selector", "prefix:http://api.example/wide/");
    let wide = wide.header("X-Purge-Selector", "key:http://api.example/wide/1");
    let (mut told, mut job) = (Value::Null, Value::Null);
    // A key that is not reached in time is taken out later, and the count says that it lacks it.
    until("all were reached in time", || {
        for id in 1..=7 {
            fleet.nodes[0].get(&format!("/wide/{id}")).with_status(200);
        }
        stands(&redis, "/wide/", 7);
        told = fleet.nodes[1].send(&wide).json();
        job = ended(&fleet.nodes[1], &told["job"]);
        job["exact"] == true
    });
    assert_eq!(told["purged"]["l2"], Value::Null, "{told}");
    // What is taken by its key and what a sweep takes are one count.
    assert_eq!(job["counts"], json!({ "l2": 7 }), "{job}");
    assert_eq!(job["kind"], "reclaim", "{job}");
    stands(&redis, "/wide/", 0);
    let all = operator::call(&fleet.nodes[1], None, "GET", "jobs", None).json();
    assert_eq!(all["jobs"][0]["id"], told["job"], "{all}");
    // What is known at once needs no job.
    let one = ask("PURGE", "/").header("X-Purge-Selector", "key:http://api.example/other/1");
    let told = fleet.nodes[1].send(&one).json();
    assert_eq!(told["job"], Value::Null, "{told}");
    let none = ask("PURGE", "/").header("X-Purge-Selector", "tag:nothing");
    let told = fleet.nodes[1].send(&none).json();
    assert_eq!(ended(&fleet.nodes[1], &told["job"])["counts"], json!({ "l2": 0 }));
}

/// One node sweeps for all, so what it takes out for the orders of others must be told to them.
#[test]
fn each_order_is_told_its_own_count_whoever_sweeps() {
    let (redis, origin) = (Server::start(), Versions::start());
    let fleet = Fleet::of(3, origin.address(), &redis.url());
    for id in 1..=20 {
        fleet.nodes[id % 3].get(&format!("/apples/{id}")).with_status(200);
        fleet.nodes[id % 3].get(&format!("/pears/{id}")).with_status(200);
    }
    stands(&redis, "/apples/", 20);
    stands(&redis, "/pears/", 20);
    // Nobody sweeps until all of them have ordered.
    redis.cli(&["SET", "cistern:{c}:broom", "the story's", "PX", "60000"]);
    let orders = [
        ("prefix:http://api.example/apples/", 20),
        ("prefix:http://api.example/pears/", 20),
        // Of those of another order, what begins with a one.
        ("pattern:http://api.example/*ears/1*", 11),
    ];
    let jobs: Vec<Value> = orders
        .iter()
        .zip(&fleet.nodes)
        .map(|((selector, _), node)| {
            let told = node.send(&ask("PURGE", "/").header("X-Purge-Selector", selector)).json();
            assert_ne!(told["level"], "local", "{told}");
            told["job"].clone()
        })
        .collect();
    for (job, node) in jobs.iter().zip(&fleet.nodes) {
        let path = format!("jobs/{}", job.as_str().unwrap());
        let told = operator::call(node, None, "GET", &path, None).with_status(200).json();
        assert_eq!((&told["state"], &told["exact"]), (&json!("queued"), &json!(false)), "{told}");
    }
    // What a newer answer takes the place of has gone for the order as well.
    fleet.nodes[2].get("/apples/2").with_status(200);
    // So has what an order on its key takes out of memory, which counts it for nothing of its own.
    let key = ask("PURGE", "/").header("X-Purge-Selector", "key:http://api.example/apples/3");
    until("it is taken in time", || fleet.nodes[1].send(&key).json()["purged"]["l2"] == 0);
    until("both are told", || {
        let told = redis.keys("cistern:{c}:swept:*");
        told.len() == 1 && redis.cli(&["GET", &told[0]]).trim() == "2"
    });
    redis.cli(&["DEL", "cistern:{c}:broom"]);
    for ((job, node), (selector, count)) in jobs.iter().zip(&fleet.nodes).zip(orders) {
        let told = ended(node, job);
        let (counts, exact) = (json!({ "l2": count }), json!(true));
        assert_eq!((&told["counts"], &told["exact"]), (&counts, &exact), "{selector}: {told}");
    }
    assert!(redis.keys("cistern:{c}:swept:*").is_empty(), "what was told is not kept");
    let cancel = format!("jobs/{}", jobs[0].as_str().unwrap());
    operator::call(&fleet.nodes[0], None, "DELETE", &cancel, None).with_status(403);
}

#[test]
fn frames_are_counted_on_every_master_of_a_cluster() {
    let (cluster, origin) = (Cluster::start(), Versions::start());
    let fleet = Fleet::of(2, origin.address(), &cluster.url());
    fleet.is_one_on_all_servers();
    for id in 1..=30 {
        fleet.nodes[0].get(&format!("/wide/{id}")).with_status(200);
    }
    let frames = || cluster.keys("cistern:e:{*").into_iter().filter(|key| key.contains("/wide/"));
    until("all are shared", || frames().count() == 30);
    let mut masters: Vec<usize> =
        frames().map(|key| cluster.owner_of(cluster.slot_of(&key))).collect();
    masters.sort_unstable();
    masters.dedup();
    assert!(masters.len() > 1, "they lie on one server");
    let wide = ask("PURGE", "/").header("X-Purge-Selector", "prefix:http://api.example/wide/");
    let told = fleet.nodes[1].send(&wide).json();
    let job = ended(&fleet.nodes[1], &told["job"]);
    assert_eq!((&job["counts"], &job["exact"]), (&json!({ "l2": 30 }), &json!(true)), "{job}");
    assert_eq!(frames().count(), 0);
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
