//! What the shared level keeps packed goes out as it is to who accepts that: the same content, in
//! another form, and to nobody else.

use std::collections::BTreeMap;

use crate::support::cistern::{Cistern, in_front_of};
use crate::support::client::{Answer, Ask, ask, get};
use crate::support::fleet::{Fleet, settings, stored};
use crate::support::redis::{Server, until};
use crate::support::versions::{LONG_AGO, Versions};

const KEY: &str = "1:603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4";

const RULES: &str = r#"
version = 1
[defaults]
ttl = "5m"
[[route]]
name = "weak"
match = "GET /weak/{id}"
key = "weak:{id}"
[[route]]
name = "dated"
match = "GET /dated/{id}"
key = "dated:{id}"
[[route]]
name = "strong"
match = "GET /strong/{id}"
key = "strong:{id}"
[[route]]
name = "unserved"
match = "GET /weak/unserved/{id}"
key = "unserved:{id}"
compress = { serve = false }
[[route]]
name = "unpacked"
match = "GET /weak/unpacked/{id}"
key = "unpacked:{id}"
compress = false
[[route]]
name = "sealed"
match = "GET /weak/sealed/{id}"
key = "sealed:{id}"
encrypt = true
[[route]]
name = "mine"
match = "GET /weak/mine/{id}"
key = "mine:{id}"
share = "identity"
"#;

struct Pair {
    redis: Server,
    origin: Versions,
    fleet: Fleet,
}

impl Pair {
    /// Two nodes before an origin whose answers are this long.
    fn with(bytes: usize) -> Self {
        let (redis, origin) = (Server::start(), Versions::start());
        let node = || {
            let setup = in_front_of(origin.address()).config(&settings(&redis.url())).rules(RULES);
            setup.setting("CISTERN_KEY", KEY).setting("CISTERN_LOG__ACCESS", "access.log")
        };
        let fleet = Fleet::start((0..2).map(|_| node()));
        origin.pads_with(bytes);
        Self { redis, origin, fleet }
    }

    /// The first node has fetched it, and all are to have it.
    fn fills(&self, target: &str, key: &str) -> Answer {
        let answer = self.fleet.nodes[0].get(target).with_status(200).served_by_origin();
        stored(&self.redis, key, 1);
        answer
    }

    /// The first node has it in both forms: it is told so a moment after the level is.
    fn first_has_both(&self, target: &str) {
        until("the node that filled serves it coded", || {
            coding(&self.fleet.nodes[0].send(&accepting(get(target)))).is_some()
        });
    }
}

fn accepting(ask: Ask) -> Ask {
    ask.header("Accept-Encoding", "gzip, br, zstd")
}

fn coding(answer: &Answer) -> Option<String> {
    answer.get("content-encoding")
}

/// What its head says of the content.
fn told(answer: &Answer) -> BTreeMap<&'static str, String> {
    let names = ["content-encoding", "content-length", "content-type", "vary", "etag"];
    let more = ["cache-control", "last-modified", "accept-ranges"];
    names.into_iter().chain(more).filter_map(|name| Some((name, answer.get(name)?))).collect()
}

#[track_caller]
fn is_coded(answer: Answer, plain: &[u8]) -> Answer {
    assert_eq!(coding(&answer).as_deref(), Some("zstd"), "{}", answer.cache_status());
    assert_eq!(answer.get("vary").as_deref(), Some("Accept-Encoding"));
    assert!(answer.body.len() < plain.len());
    assert_eq!(zstd::stream::decode_all(&answer.body[..]).expect("zstd"), plain);
    answer
}

#[track_caller]
fn is_plain(answer: Answer, plain: &[u8]) -> Answer {
    assert_eq!((coding(&answer), answer.get("vary")), (None, None));
    assert!(answer.body == plain, "{} bytes, not {}", answer.body.len(), plain.len());
    answer
}

#[track_caller]
fn came_from(answer: Answer, level: &str) -> Answer {
    let status = answer.cache_status();
    assert!(answer.is_hit() && status.contains(level), "not from {level}: {status}");
    answer
}

#[test]
fn who_accepts_it_gets_what_the_level_keeps() {
    for bytes in [3_000, 200_000] {
        let pair = Pair::with(bytes);
        let [first, second] = &pair.fleet.nodes[..] else { panic!("two nodes") };
        let plain = pair.fills("/weak/1", "weak:1").body;
        let found = second.send(&accepting(get("/weak/1"))).with_status(200);
        let coded = is_coded(came_from(found, "L2"), &plain);
        pair.first_has_both("/weak/1");
        for node in [first, second] {
            let again = node.send(&accepting(get("/weak/1"))).with_status(200);
            let again = is_coded(came_from(again, "L1"), &plain);
            assert_eq!((told(&again), &again.body), (told(&coded), &coded.body));
            // Past the short way of a hit.
            let long = node.send(&accepting(get("http://api.example/weak/1")));
            assert_eq!((told(&long), long.body), (told(&coded), coded.body.clone()));
            let head = node.send(&accepting(ask("HEAD", "/weak/1"))).with_status(200);
            assert_eq!(told(&head), told(&coded));
            for other in [get("/weak/1"), get("/weak/1").header("Accept-Encoding", "zstd;q=0")] {
                is_plain(came_from(node.send(&other).with_status(200), "L1"), &plain);
            }
            let untouched = accepting(get("/weak/1")).header("Cache-Control", "no-transform");
            is_plain(node.send(&untouched), &plain);
        }
        assert_eq!(pair.origin.asked("GET /weak/1"), 1);
    }
}

#[test]
fn who_is_not_to_get_it_gets_the_plain_one() {
    let pair = Pair::with(3_000);
    for (target, key) in [
        ("/strong/1", "strong:1"),
        ("/weak/unserved/1", "unserved:1"),
        ("/weak/unpacked/1", "unpacked:1"),
        ("/weak/sealed/1", "sealed:1"),
        ("/weak/mine/1", "mine:1"),
    ] {
        let asks = || accepting(get(target)).bearer("somebody");
        let ask = if target.contains("mine") { asks() } else { accepting(get(target)) };
        let plain = pair.fleet.nodes[0].send(&ask).with_status(200).served_by_origin().body;
        stored(&pair.redis, key, 1);
        for level in ["L2", "L1", "L1"] {
            is_plain(came_from(pair.fleet.nodes[1].send(&ask), level), &plain);
            is_plain(came_from(pair.fleet.nodes[0].send(&ask), "L1"), &plain);
        }
    }
    // By now a coded form of the first would be there: this one came later, and has it.
    pair.fills("/weak/1", "weak:1");
    pair.first_has_both("/weak/1");
    is_plain(
        pair.fleet.nodes[0].send(&accepting(get("/strong/1"))),
        &pair.fleet.nodes[1].get("/strong/1").body,
    );
}

/// It is packed in several frames, and not every client reads more than the first.
#[test]
fn a_long_answer_goes_out_plain() {
    let pair = Pair::with(300_000);
    let plain = pair.fills("/weak/1", "weak:1").body;
    let ask = accepting(get("/weak/1"));
    for (node, level) in [(1, "L2"), (1, "L1"), (0, "L1")] {
        is_plain(came_from(pair.fleet.nodes[node].send(&ask).with_status(200), level), &plain);
    }
    pair.origin.pads_with(3_000);
    pair.fills("/weak/2", "weak:2");
    pair.first_has_both("/weak/2");
    is_plain(came_from(pair.fleet.nodes[0].send(&ask), "L1"), &plain);
}

#[test]
fn conditions_and_parts_are_those_of_the_plain_one() {
    let pair = Pair::with(3_000);
    for (target, key, condition) in [
        ("/weak/1", "weak:1", ("If-None-Match", "W/\"1\"")),
        ("/dated/1", "dated:1", ("If-Modified-Since", LONG_AGO)),
    ] {
        let plain = pair.fills(target, key).body;
        pair.first_has_both(target);
        is_coded(pair.fleet.nodes[1].send(&accepting(get(target))), &plain);
        for node in &pair.fleet.nodes {
            let asks = || get(target).header(condition.0, condition.1);
            let unchanged = node.send(&asks()).with_status(304);
            assert_eq!((coding(&unchanged), unchanged.get("vary")), (None, None));
            let unchanged = node.send(&accepting(asks())).with_status(304);
            assert_eq!(coding(&unchanged), None);
            assert_eq!(unchanged.get("vary").as_deref(), Some("Accept-Encoding"));
            let part = get(target).header("Range", "bytes=5-104");
            let plain_part = node.send(&part).with_status(206);
            assert_eq!((&plain_part.body[..], plain_part.get("vary")), (&plain[5..105], None));
            let part = accepting(part);
            let cut = node.send(&part).with_status(206);
            assert_eq!((&cut.body[..], coding(&cut)), (&plain[5..105], None));
            assert_eq!(cut.get("vary").as_deref(), Some("Accept-Encoding"));
            // The beginning that the client has may be that of the coded form.
            for validator in [LONG_AGO, "W/\"1\""] {
                let whole = node.send(&part.clone().header("If-Range", validator));
                let whole = whole.with_status(200);
                assert_eq!((coding(&whole), &whole.body), (None, &plain));
            }
        }
        assert_eq!(pair.origin.asked(&format!("GET {target}")), 1);
    }
    // Where no form but the plain one goes out, a strong tag continues it.
    let plain = pair.fills("/strong/1", "strong:1").body;
    let part = accepting(get("/strong/1")).header("Range", "bytes=5-104");
    let part = pair.fleet.nodes[0].send(&part.header("If-Range", "\"1\"")).with_status(206);
    assert_eq!(part.body, &plain[5..105]);
}

#[test]
fn what_is_renewed_keeps_both_forms() {
    let (redis, origin) = (Server::start(), Versions::start());
    origin.pads_with(3_000).lives_for(1);
    let fleet = Fleet::of(1, origin.address(), &redis.url());
    let plain = fleet.nodes[0].get("/weak/1").with_status(200).body;
    let mut was_coded = false;
    until("it is renewed, and was coded before", || {
        let answer = fleet.nodes[0].send(&accepting(get("/weak/1"))).with_status(200);
        let renewed = answer.cache_status().contains("fwd-status=304");
        let coded = coding(&answer).is_some();
        assert!(coded || !(renewed && was_coded), "the coded form was lost");
        if coded {
            is_coded(answer, &plain);
        }
        renewed && std::mem::replace(&mut was_coded, coded)
    });
}

#[test]
fn a_purge_takes_both_forms() {
    let pair = Pair::with(3_000);
    pair.fills("/weak/1", "weak:1");
    pair.first_has_both("/weak/1");
    is_coded(
        pair.fleet.nodes[1].send(&accepting(get("/weak/1"))),
        &pair.fleet.nodes[1].get("/weak/1").body,
    );
    let version = pair.origin.commit("/weak/1");
    let purge = ask("PURGE", "/").header("X-Purge-Selector", "key:weak:1");
    // A busy machine may have it numbered a moment later.
    let purged = pair.fleet.nodes[0].send(&purge).status;
    assert!(matches!(purged, 200 | 202), "{purged}");
    pair.fleet.all_tell("/weak/1", version);
    let tells = |node: &Cistern| {
        let answer = node.send(&accepting(get("/weak/1"))).with_status(200);
        let coded = coding(&answer).is_some();
        let body = if coded { zstd::stream::decode_all(&answer.body[..]) } else { Ok(answer.body) };
        let told: serde_json::Value = serde_json::from_slice(&body.expect("zstd")).expect("JSON");
        assert_eq!(told["version"], version);
        coded
    };
    until("all have both again", || pair.fleet.nodes.iter().all(tells));
}

#[test]
fn logs_and_explain_tell_the_bytes_that_go_out() {
    let pair = Pair::with(3_000);
    let node = &pair.fleet.nodes[0];
    let plain = pair.fills("/weak/1", "weak:1").body.len();
    pair.first_has_both("/weak/1");
    let coded = node.send(&accepting(get("/weak/1"))).body.len();
    let read = || std::fs::read_to_string(node.file("access.log")).unwrap_or_default();
    let told = |bytes: usize| {
        let lines = read();
        let mut lines = lines.lines().filter(|line| line.contains("\"path\":\"/weak/1\""));
        lines.any(|line| line.contains(&format!("\"bytes\":{bytes},")))
    };
    until("both lengths are in the log", || told(plain) && told(coded));
    let question = |headers: serde_json::Value| {
        let question = serde_json::json!({
            "method": "GET", "url": "http://api.example/weak/1", "headers": headers,
        });
        let admin = node.admin();
        let ask = ask("POST", "/api/v1/admin/explain").host(&admin).json(&question);
        ask.to(&admin).with_status(200).json()["stored"].clone()
    };
    let told = question(serde_json::json!([["accept-encoding", "zstd"]]));
    assert_eq!((&told["bytes"], &told["zstd"]), (&plain.into(), &coded.into()));
    assert!(question(serde_json::json!([]))["zstd"].is_null());
}
