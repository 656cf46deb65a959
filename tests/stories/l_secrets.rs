//! No credential of any client is in Redis, nor a digest of one that could be tried: neither where
//! it is a field that everybody knows for one, nor where only the rules call it so.

use crate::support::cistern::in_front_of;
use crate::support::client::{Ask, ask, get};
use crate::support::fleet::{Fleet, entries, settings, stored};
use crate::support::redis::Server;
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
