//! No credential of any client is in Redis or in a log, nor a digest of one that could be tried:
//! neither where it is a field that everybody knows for one, nor where only the rules call it so,
//! nor where rules make keys of it.

use std::process::Command;

use crate::support::cistern::in_front_of;
use crate::support::client::{Ask, ask, get};
use crate::support::fleet::{Fleet, LAG_MAX, SLACK, entries, settings, stored};
use crate::support::redis::{Server, holds_within};
use crate::support::versions::Versions;

const RULES: &str = r#"
version = 1
[credentials]
headers = ["X-Store-Pass"]
[defaults]
ttl = "5m"
compress = false
[[route]]
name = "vary"
match = "GET /vary/{id}"
key = "vary:{id}"
share = "public"
tags = ["vary-{id}"]
[[route]]
name = "mine"
match = "GET /mine/{id}"
key = "mine:{id}"
share = "identity"
[[route]]
name = "write"
match = "PUT /vary/{id}"
on_write.purge = ["key:vary:{id}"]
"#;

const KEY: &str = "1:603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4";

/// Everything in a server: each key with all that stands under it.
fn everything(redis: &Server) -> Vec<(String, Vec<u8>)> {
    let value = |key: &str| match &*redis.cli(&["TYPE", key]) {
        "string" => redis.bytes(&["GET", key]),
        "hash" => redis.bytes(&["HGETALL", key]),
        "zset" => redis.bytes(&["ZRANGE", key, "0", "-1", "WITHSCORES"]),
        "set" => redis.bytes(&["SMEMBERS", key]),
        "list" => redis.bytes(&["LRANGE", key, "0", "-1"]),
        "stream" => redis.bytes(&["XRANGE", key, "-", "+"]),
        "none" => Vec::new(),
        other => panic!("{key} is a {other}"),
    };
    redis.keys("*").into_iter().map(|key| (key.clone(), value(&key))).collect()
}

/// Where a word stands.
fn found(all: &[(String, Vec<u8>)], word: &[u8]) -> Vec<String> {
    let has = |bytes: &[u8]| bytes.windows(word.len()).any(|part| part == word);
    let hit = all.iter().filter(|(key, value)| has(key.as_bytes()) || has(value));
    hit.map(|(key, _)| key.clone()).collect()
}

#[test]
fn what_only_the_rules_call_a_credential_is_in_redis_neither() {
    const SECRET: &str = "pass-of-nobody";
    let (redis, origin) = (Server::start(), Versions::start());
    origin.varies_by("X-Store-Pass");
    let node = || {
        let setup = in_front_of(origin.address()).config(&settings(&redis.url())).rules(RULES);
        setup.setting("CISTERN_KEY", KEY)
    };
    let fleet = Fleet::start((0..2).map(|_| node()));
    let with = |ask: Ask| ask.header("X-Store-Pass", SECRET);
    for target in ["/vary/1", "/mine/1", "/other/1"] {
        for _ in 0..2 {
            fleet.each(&with(get(target)));
        }
    }
    // Where it is served from each node's own level.
    for answer in fleet.each(&with(get("/vary/1"))) {
        answer.with_status(200).served_from_store();
    }
    fleet.nodes[1].send(&with(ask("PUT", "/vary/2"))).with_status(200);
    // What nobody's credential selects is shared; it came later, so the others would be there.
    fleet.nodes[0].get("/vary/1").with_status(200).served_by_origin();
    stored(&redis, "vary:1", 1);
    fleet.nodes[1].get("/vary/1").with_status(200).served_from_store();
    let all = everything(&redis);
    assert!(!found(&all, b"vary:1").is_empty(), "{:?}", entries(&redis));
    let digest = blake3::hash(SECRET.as_bytes());
    for word in [SECRET.as_bytes(), digest.as_bytes(), digest.to_hex().as_bytes()] {
        let places = found(&all, word);
        assert!(places.is_empty(), "{places:?}");
    }
}

/// Keys, tags and selectors that hold credentials.
const KEYED: &str = r#"
version = 1
[defaults]
ttl = "5m"
compress = false
[[route]]
name = "by-key"
match = "GET /keyed/{id}"
key = "keyed:{id}:{header.x-api-key}"
[[route]]
name = "by-cookie"
match = "GET /cookie/{id}"
key = "cookie:{id}:{cookie.session|sha256}"
[[route]]
name = "tagged"
match = "GET /tagged/{id}"
key = "tagged:{id}"
share = "public"
tags = ["of-{header.x-api-key}"]
[[route]]
name = "order"
match = "PUT /orders/{id}"
on_write.purge = ["key:keyed:{id}:{header.x-api-key}", "tag:of-{header.x-api-key}"]
"#;

const API_KEY: &str = "key-of-nobody";
const SESSION: &str = "session-of-nobody";

/// Two nodes with these rules, whose logs are in files, and what else they are told.
fn keyed(redis: &Server, origin: &Versions, more: &[(&str, &str)]) -> Fleet {
    let node = || {
        let setup = in_front_of(origin.address()).config(&settings(&redis.url())).rules(KEYED);
        let setup = setup.setting("CISTERN_LOG__ACCESS", "access.log");
        more.iter().fold(setup, |setup, (name, value)| setup.setting(name, value))
    };
    Fleet::start((0..2).map(|_| node()))
}

fn with_key(ask: Ask) -> Ask {
    ask.header("X-Api-Key", API_KEY)
}

/// Neither Redis nor a log of any node has these words.
#[track_caller]
fn nobody_tells(redis: &Server, fleet: Fleet, words: &[&str]) {
    let mut all = everything(redis);
    for node in fleet.nodes {
        let access = node.file("access.log");
        let _setup = node.leaves();
        let log = std::fs::read(&access).expect("an access log");
        assert!(log.windows(4).any(|part| part == b"/key"), "requests are in it");
        all.push(("access.log".to_owned(), log));
        let events = access.with_file_name("logs").join("cache.log");
        all.push(("cache.log".to_owned(), std::fs::read(events).expect("an event log")));
        std::fs::remove_dir_all(access.with_file_name("")).ok();
    }
    for word in words {
        let places = found(&all, word.as_bytes());
        assert!(places.is_empty(), "{word} is in {places:?}");
    }
}

#[test]
fn a_key_that_holds_a_credential_shows_a_digest_of_it_that_only_the_fleet_can_make() {
    let (redis, origin) = (Server::start(), Versions::start());
    let fleet = keyed(&redis, &origin, &[("CISTERN_KEY", KEY)]);
    let asks = [
        with_key(get("/keyed/1")),
        get("/cookie/1").cookie(&format!("session={SESSION}")),
        with_key(get("/tagged/1")),
    ];
    for (ask, key) in asks.iter().zip(["keyed:1", "cookie:1", "tagged:1"]) {
        let first = fleet.nodes[0].send(ask).with_status(200).served_by_origin();
        assert!(!first.key().expect("a key").contains("of-nobody"));
        stored(&redis, key, 1);
        let other = fleet.nodes[1].send(ask).with_status(200).served_from_store();
        assert_eq!(other.key(), first.key(), "the same on every node");
    }
    // Another caller's is another.
    fleet.nodes[1].send(&get("/keyed/1").header("X-Api-Key", "other")).served_by_origin();
    let versions = ["/keyed/1", "/tagged/1"].map(|path| origin.commit(path));
    fleet.nodes[1].send(&with_key(ask("PUT", "/orders/1"))).with_status(200);
    for (ask, version) in [(&asks[0], versions[0]), (&asks[2], versions[1])] {
        let news = |node: usize| fleet.nodes[node].send(ask).json()["version"] == version;
        assert!(news(1) && holds_within(LAG_MAX + SLACK, || news(0)), "{version}");
    }
    let plain = blake3::hash(API_KEY.as_bytes()).to_hex();
    // SHA-256 of the session, which the filter alone would leave there.
    let sha256 = "1e9953cb74c92b59f81430b1ef79ac6c";
    nobody_tells(&redis, fleet, &[API_KEY, SESSION, plain.as_str(), sha256]);
}

#[test]
fn without_a_key_ring_such_entries_stay_on_their_node_and_writes_reach_them() {
    let (redis, origin) = (Server::start(), Versions::start());
    let fleet = keyed(&redis, &origin, &[]);
    let asks = [with_key(get("/keyed/1")), with_key(get("/tagged/1"))];
    for ask in &asks {
        for answer in fleet.each(ask) {
            answer.with_status(200).served_by_origin();
        }
        for answer in fleet.each(ask) {
            answer.with_status(200).served_from_store();
        }
    }
    assert!(entries(&redis).iter().all(|key| !key.contains("keyed") && !key.contains("tagged")));
    let versions = ["/keyed/1", "/tagged/1"].map(|path| origin.commit(path));
    fleet.nodes[1].send(&with_key(ask("PUT", "/orders/1"))).with_status(200);
    for (ask, version) in asks.iter().zip(versions) {
        let news = |node: usize| fleet.nodes[node].send(ask).json()["version"] == version;
        assert!(news(1) && holds_within(LAG_MAX + SLACK, || news(0)), "{version}");
    }
    nobody_tells(&redis, fleet, &[API_KEY]);
}

#[test]
fn a_url_with_a_secret_stays_on_its_node() {
    let (redis, origin) = (Server::start(), Versions::start());
    let fleet = keyed(&redis, &origin, &[]);
    for name in ["token", "X-Amz-Signature", "jwt"] {
        let target = format!("/keyless?page=1&{name}={SESSION}");
        for answer in fleet.each(&get(&target)) {
            answer.with_status(200).served_by_origin();
        }
        fleet.nodes[0].get(&target).with_status(200).served_from_store();
    }
    // What came later is there, so the others would be.
    fleet.nodes[0].get("/keyless?page=1").with_status(200);
    stored(&redis, "/keyless?page=1", 1);
    fleet.nodes[1].get("/keyless?page=1").with_status(200).served_from_store();
    let mut explain = Command::new(env!("CARGO_BIN_EXE_cistern"));
    explain.args(["explain", "GET", "http://api.example/keyless?token=x", "--admin"]);
    let told = explain.arg(format!("http://{}", fleet.nodes[0].admin())).output().expect("it runs");
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(told.contains("l2        not used: its URL has a parameter"), "{told}");
    nobody_tells(&redis, fleet, &[SESSION]);
}
