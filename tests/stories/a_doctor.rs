//! `doctor`: what it finds on servers that are well and on servers that are not, what it says to
//! change, and how it ends.

use std::process::{Command, Output};

use serde_json::Value;

use crate::support::cistern::{Cistern, in_front_of};
use crate::support::client::ask;
use crate::support::fleet::{Fleet, entries};
use crate::support::redis::cluster::Cluster;
use crate::support::redis::sentinel::Trio;
use crate::support::redis::{Server, until};
use crate::support::relay::{Relay, Way};
use crate::support::versions::Versions;

/// Options of a server that nothing is to be said about.
const GOOD: [&str; 6] = [
    "--maxmemory",
    "256mb",
    "--maxmemory-policy",
    "volatile-lfu",
    "--notify-keyspace-events",
    "Exe",
];

/// What the binary says about the servers of a URL. The answer of a busy machine may take long.
fn says(url: &str, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cistern"))
        .arg("doctor")
        .args(words)
        .env_clear()
        .env("REDIS_URL", url)
        .env("CISTERN_L2__BUDGET", "1s")
        .output()
        .expect("the binary")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

/// Its exit code, and all it found.
#[track_caller]
fn findings(url: &str, words: &[&str]) -> (i32, Vec<Value>) {
    let output = says(url, &[&["--json"], words].concat());
    let document: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", text(&output.stderr)));
    let all = document["findings"].as_array().expect("findings").clone();
    (output.status.code().expect("an exit code"), all)
}

/// Those that are not well, as `severity what`.
fn grave(findings: &[Value]) -> Vec<String> {
    let grave = findings.iter().filter(|one| one["severity"] != "ok");
    let word = |one: &Value, name: &str| one[name].as_str().expect("a word").to_owned();
    let mut grave: Vec<_> =
        grave.map(|one| format!("{} {}", word(one, "severity"), word(one, "what"))).collect();
    grave.sort();
    grave.dedup();
    grave
}

#[track_caller]
fn found<'a>(findings: &'a [Value], what: &str) -> &'a str {
    let one = findings.iter().find(|one| one["what"] == what);
    one.and_then(|one| one["found"].as_str()).unwrap_or_else(|| panic!("no {what}: {findings:?}"))
}

#[test]
fn a_good_server_and_the_fleet_on_it() {
    let (redis, origin) = (Server::with(&GOOD), Versions::start());
    let (code, found_all) = findings(&redis.url(), &["--strict"]);
    assert_eq!((code, grave(&found_all)), (0, Vec::new()));
    assert_eq!(found(&found_all, "state"), "no node has joined yet");
    let fleet = Fleet::of(2, origin.address(), &redis.url());
    // Whoever has just joined may not have been told of yet.
    until("two members, all well", || {
        let (code, found_all) = findings(&redis.url(), &["--strict"]);
        code == 0 && found(&found_all, "members").starts_with("2, ")
    });
    drop(fleet);
}

/// An admin call.
fn call(node: &Cistern, method: &str, name: &str, body: Option<&Value>) -> Value {
    let admin = node.admin();
    let asked = ask(method, &format!("/api/v1/admin/{name}")).host(&admin);
    let asked = if let Some(body) = body { asked.json(body) } else { asked };
    asked.to(&admin).with_status(200).json()
}

#[test]
fn a_node_tells_how_it_stands_to_the_level() {
    let (redis, origin) = (Server::with(&GOOD), Versions::start());
    let alone = in_front_of(origin.address()).start();
    assert_eq!(call(&alone, "GET", "stats", None)["l2"], Value::Null);
    let fleet = Fleet::of(2, origin.address(), &redis.url());
    let stats = |at: usize| call(&fleet.nodes[at], "GET", "stats", None)["l2"].clone();
    until("both know each other", || {
        (0..2).all(|at| stats(at)["members"] == 2 && stats(at)["trusted"] == true)
    });
    let (first, second) = (stats(0), stats(1));
    let sum = |name: &str| first[name].as_u64().unwrap() + second[name].as_u64().unwrap();
    // They found in the level what the other put there: that is how the story knew that they run.
    assert!(sum("hits") > 0 && sum("puts") > 0, "{first} {second}");
    assert_eq!((sum("gaps"), sum("waiting")), (0, 0));
    let server = &first["servers"][0];
    assert_eq!(server["address"], redis.address().as_str());
    assert_eq!((&server["role"], &server["state"]), (&"master".into(), &"closed".into()));
    assert!(server["answered"].as_u64().unwrap() > 0 && server["faults"]["deadline"].is_u64());
    assert_eq!(first["turn"], second["turn"]);
    let url = "/items/told";
    let stored = || entries(&redis).into_iter().find(|key| key.contains(url));
    until("it is put there", || {
        fleet.nodes[0].get(url).with_status(200);
        stored().is_some()
    });
    // As the story's client calls every node.
    let question =
        serde_json::json!({ "method": "GET", "url": format!("http://api.example{url}") });
    let told = call(&fleet.nodes[1], "POST", "explain", Some(&question))["l2"].clone();
    assert_eq!((&told["used"], &told["name"]), (&true.into(), &stored().unwrap().into()));
    assert_eq!(told["server"], format!("{} is asked", redis.address()));
}

#[test]
fn without_a_node_explain_knows_the_place_too() {
    let explained = |url: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cistern"));
        let words = ["explain", "GET", "/a", "--profile", "rfc", "--rules", "rules/examples/gad"];
        let output = command
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .args(words)
            .env_clear()
            .env("REDIS_URL", url)
            .output()
            .expect("the binary");
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        text(&output.stdout)
    };
    // Nobody is there, and nobody is asked.
    let told = explained("redis://127.0.0.1:1");
    assert!(told.contains("l2        used: in the clear, zstd 3"), "{told}");
    assert!(told.contains(", slot ") && !told.contains("127.0.0.1:1"), "{told}");
    assert!(explained("").contains("l2        not used: no shared level"));
}

#[test]
fn bad_settings_come_with_commands_that_mend_them() {
    let redis = Server::with(&["--maxmemory-policy", "allkeys-lru"]);
    let output = says(&redis.url(), &[]);
    let told = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{told}");
    let columns: Vec<_> = told
        .lines()
        .filter(|line| line.contains(&redis.address()))
        .map(|line| line.find(&redis.address()))
        .collect();
    assert!(columns.len() > 5 && columns.iter().all(|at| *at == columns[0]), "{told}");
    assert!(text(&output.stderr).contains("1 problems, 2 warnings"), "{output:?}");
    let (_, found_all) = findings(&redis.url(), &[]);
    let expected =
        ["problem maxmemory-policy", "warning maxmemory", "warning notify-keyspace-events"];
    assert_eq!(grave(&found_all), expected);
    // What it says to type is what mends it.
    for remedy in found_all.iter().filter_map(|one| one["remedy"].as_str()) {
        let command = remedy.split(',').next().expect("a command");
        let words: Vec<_> = command.split(' ').collect();
        assert_eq!(redis.cli(&words), "OK", "{remedy}");
    }
    let (code, found_all) = findings(&redis.url(), &["--strict"]);
    assert_eq!((code, grave(&found_all)), (0, Vec::new()));
    redis.set("notify-keyspace-events", "");
    assert_eq!(findings(&redis.url(), &[]).0, 0);
    assert_eq!(findings(&redis.url(), &["--strict"]).0, 3);
}

#[test]
fn nobody_who_answers_is_another_end() {
    let redis = Server::start();
    let relay = Relay::to(&redis.address());
    relay.becomes(Way::Swallow);
    let (code, found_all) = findings(&relay.url(), &[]);
    assert_eq!(code, 4);
    assert_eq!(grave(&found_all), ["problem reachable"]);
    assert!(found(&found_all, "reachable").starts_with("no answer within"));
    let secret = format!("redis://ann:hunter2@{}", relay.address());
    let output = says(&secret, &[]);
    assert_eq!(output.status.code(), Some(4));
    assert!(!format!("{}{}", text(&output.stdout), text(&output.stderr)).contains("hunter2"));
    let output = says("", &[]);
    assert_eq!(output.status.code(), Some(78));
    assert!(text(&output.stderr).contains("REDIS_URL"), "{output:?}");
}

#[test]
fn sentinels_and_a_master_that_would_not_stop() {
    let trio = Trio::start(&GOOD);
    let (code, found_all) = findings(&trio.url(), &[]);
    assert_eq!((code, grave(&found_all)), (0, vec!["warning split brain".to_owned()]));
    assert!(found(&found_all, "quorum").starts_with("OK 3 usable"));
    assert!(found(&found_all, "master").contains("by the word of 3"));
    for server in [trio.master(), trio.replica()] {
        server.set("min-replicas-to-write", "1");
    }
    // The replica reports once a second.
    until("the master counts its replica", || findings(&trio.url(), &["--strict"]).0 == 0);
}

#[test]
fn a_cluster_that_loses_a_replica() {
    let mut cluster = Cluster::with(&GOOD);
    until("all is well", || findings(&cluster.url(), &["--strict"]).0 == 0);
    let (_, found_all) = findings(&cluster.url(), &[]);
    assert_eq!(found(&found_all, "slots"), "all 16384 on 3 masters");
    let replica = (0..6).find(|at| !cluster.is_master(*at)).expect("a replica");
    cluster.kill(replica);
    until("its master is alone", || {
        let (code, found_all) = findings(&cluster.url(), &[]);
        code == 0 && grave(&found_all).contains(&"warning replicas".to_owned())
    });
}
