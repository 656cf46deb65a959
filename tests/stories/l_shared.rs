//! Several nodes and one Redis: what one has fetched all have, what one drops all drop, and what
//! they share is there when a node comes back.

use std::time::Duration;

use crate::support::cistern::{Cistern, in_front_of};
use crate::support::client::{Answer, ask, get};
use crate::support::fleet::{Fleet, LAG_MAX, SLACK, entries, settings, stored};
use crate::support::redis::{Server, holds_within, until};
use crate::support::versions::Versions;

const RULES: &str = r#"
version = 1
[type.thing]
prefix = "t:"
ttl = "5m"
[type.near]
prefix = "near:"
ttl = "5m"
l2 = false
[type.far]
prefix = "far:"
ttl = "5m"
l1 = false
[[route]]
name = "read"
match = "GET /items/{id}"
type = "thing"
key = "item:{id}"
tags = ["items", "one-{id}"]
[[route]]
name = "write"
match = "PUT /orders/{id}"
on_write.purge = ["key:t:item:{id}"]
[[route]]
name = "near"
match = "GET /near/{id}"
type = "near"
key = "{id}"
[[route]]
name = "far"
match = "GET /far/{id}"
type = "far"
key = "{id}"
"#;

/// Whether the shared level gave it.
fn from_l2(answer: &Answer) -> bool {
    answer.is_hit() && answer.cache_status().contains("L2")
}

#[track_caller]
fn is_from(answer: Answer, level: &str) -> Answer {
    let told = answer.cache_status();
    assert!(answer.is_hit() && told.contains(level), "not from {level}: {told}");
    answer
}

#[test]
fn a_hit_on_any_node_is_a_hit_for_all() {
    let (redis, origin) = (Server::start(), Versions::start());
    let fleet = Fleet::of(3, origin.address(), &redis.url());
    let first = fleet.nodes[0].get("/a").with_status(200).served_by_origin();
    assert!(first.is_stored());
    stored(&redis, "/a}", 1);
    for node in &fleet.nodes[1..] {
        let found = is_from(node.get("/a").with_status(200), "L2");
        assert_eq!(found.body, first.body);
        assert!(found.ttl() <= 60 && found.ttl() > 50, "{}", found.ttl());
        assert!(found.get("age").is_some(), "an answer from the store has an age");
    }
    // What came from there fills the level above.
    for node in &fleet.nodes {
        is_from(node.get("/a"), "L1");
    }
    assert_eq!(origin.asked("GET /a"), 1);
}

#[test]
fn a_purge_anywhere_is_a_purge_everywhere() {
    let (redis, origin) = (Server::start(), Versions::start());
    let fleet = Fleet::ruled(3, origin.address(), &redis.url(), RULES);
    let selectors = [
        "key:t:item:N",
        "prefix:t:item:N",
        "pattern:t:*:N",
        "tag:one-N",
        "url:http://api.example/items/N",
        "tag:items",
        "rule:read",
        "type:thing",
        "all",
    ];
    for (number, selector) in selectors.iter().enumerate() {
        let (target, selector) =
            (format!("/items/{number}"), selector.replace('N', &number.to_string()));
        for answer in fleet.each(&get(&target)) {
            assert_eq!(answer.with_status(200).json()["version"], 1);
        }
        stored(&redis, &format!("t:item:{number}"), 1);
        let version = origin.commit(&target);
        let node = &fleet.nodes[number % 3];
        let purge = ask("PURGE", "/").header("X-Purge-Selector", &selector);
        let told = node.send(&purge).with_status(200).json();
        assert!(told["level"] == "shared" || told["level"] == "nodes", "{selector}: {told}");
        // Here at once, elsewhere within the bound.
        assert_eq!(node.get(&target).json()["version"], version, "{selector}");
        fleet.all_tell(&target, version);
    }
}

#[test]
fn a_write_through_any_node_is_seen_through_all() {
    let (redis, origin) = (Server::start(), Versions::start());
    let fleet = Fleet::ruled(3, origin.address(), &redis.url(), RULES);
    for (number, node) in fleet.nodes.iter().enumerate() {
        let (own, named) = (format!("/plain/{number}"), format!("/items/{number}"));
        fleet.each(&get(&own));
        fleet.each(&get(&named));
        node.send(&ask("PUT", &own)).with_status(200);
        assert_eq!(node.get(&own).served_by_origin().json()["version"], 2);
        fleet.all_tell(&own, 2);
        let version = origin.commit(&named);
        node.send(&ask("PUT", &format!("/orders/{number}"))).with_status(200);
        assert_eq!(node.get(&named).served_by_origin().json()["version"], version);
        fleet.all_tell(&named, version);
    }
}

#[test]
fn all_variants_fall_together_on_all_nodes() {
    let (redis, origin) = (Server::start(), Versions::start());
    let fleet = Fleet::of(2, origin.address(), &redis.url());
    let in_language = |language: &str| get("/vary/a").header("Accept-Language", language);
    for language in ["es", "en"] {
        fleet.nodes[0].send(&in_language(language)).with_status(200).served_by_origin();
    }
    stored(&redis, "/vary/a", 2);
    for language in ["es", "en"] {
        let told = || fleet.nodes[1].send(&in_language(language)).with_status(200);
        assert!(told().is_hit(), "{language}: {}", told().cache_status());
    }
    fleet.nodes[1].send(&in_language("fr")).with_status(200).served_by_origin();
    fleet.nodes[0].send(&ask("PUT", "/vary/a")).with_status(200);
    for language in ["es", "en", "fr"] {
        for node in &fleet.nodes {
            let fresh = || node.send(&in_language(language)).json()["version"] == 2;
            assert!(holds_within(LAG_MAX + SLACK, fresh), "{language} on {}", node.address());
        }
    }
}

/// More languages than are kept: each gets its own, from wherever it comes, and none is left behind
/// when they fall.
#[test]
fn more_variants_than_are_kept_are_never_mixed_up() {
    const KEPT: usize = 16;
    let (redis, origin) = (Server::start(), Versions::start());
    let fleet = Fleet::of(2, origin.address(), &redis.url());
    let languages: Vec<_> = (0..3 * KEPT).map(|number| format!("x-{number}")).collect();
    let held = || entries(&redis).iter().filter(|key| key.contains("/vary/a")).count();
    let mut from_shared = 0;
    for (round, version) in (1_u64..4).enumerate() {
        for node in &fleet.nodes {
            for language in languages.iter().chain(&languages) {
                let answer = node.send(&get("/vary/a").header("Accept-Language", language));
                let told = answer.with_status(200);
                from_shared += usize::from(from_l2(&told));
                assert_eq!(told.json()["for"], **language, "{}", told.cache_status());
                assert_eq!(told.json()["version"], version, "{language}: {}", told.cache_status());
            }
            assert!((1..=KEPT).contains(&held()), "{} are kept", held());
        }
        // By writes through either node.
        fleet.nodes[round % 2].send(&ask("PUT", "/vary/a")).with_status(200);
        let fresh = |node: &Cistern, language: &String| {
            let told = node.send(&get("/vary/a").header("Accept-Language", language));
            told.json()["version"] == version + 1
        };
        for node in &fleet.nodes {
            for language in &languages {
                let soon = || fresh(node, language);
                assert!(holds_within(LAG_MAX + SLACK, soon), "{language} on {}", node.address());
            }
        }
    }
    assert!(from_shared > KEPT / 2, "{from_shared} were shared");
}

#[test]
fn what_is_long_is_shared_by_all_in_all_variants() {
    let (redis, origin) = (Server::start(), Versions::start());
    let fleet = Fleet::of(2, origin.address(), &redis.url());
    origin.pads_with(300_000);
    let [one, other] = fleet.nodes.as_slice() else { panic!("two nodes") };
    let in_language = |language: &str| get("/vary/a").header("Accept-Language", language);
    let all = [get("/a"), in_language("es"), in_language("en")];
    for (wanted, (word, count)) in all.iter().zip([("/a}", 1), ("/vary/a", 1), ("/vary/a", 2)]) {
        let first = one.send(wanted).with_status(200).served_by_origin();
        stored(&redis, word, count);
        let found = is_from(other.send(wanted).with_status(200), "L2");
        assert!(found.body == first.body && found.body.len() > 300_000);
    }
    // Each has its own end, not that of the name under which it was sent.
    for key in entries(&redis) {
        let left: i64 = redis.cli(&["PTTL", &key]).parse().expect("a number");
        assert!(left > 20_000, "{key} ends in {left} ms");
    }
    assert_eq!(redis.keys("cistern:s:*"), [""; 0]);
    one.send(&ask("PUT", "/a")).with_status(200);
    one.send(&ask("PUT", "/vary/a")).with_status(200);
    for wanted in all {
        let fresh = || other.send(&wanted).json()["version"] == 2;
        assert!(holds_within(LAG_MAX + SLACK, fresh), "{wanted:?}");
    }
}

#[test]
fn a_node_that_comes_back_finds_the_shared_level_as_it_was() {
    let (redis, origin) = (Server::start(), Versions::start());
    let mut fleet = Fleet::of(1, origin.address(), &redis.url());
    fleet.nodes[0].get("/a").with_status(200).served_by_origin();
    stored(&redis, "/a}", 1);
    for crash in [false, true] {
        let node = fleet.nodes.remove(0);
        let again = if crash { node.crashes() } else { node.leaves() };
        fleet = Fleet::start([again]);
        is_from(fleet.nodes[0].get("/a").with_status(200), "L2");
    }
    assert_eq!(origin.asked("GET /a"), 1);
}

#[test]
fn a_type_may_do_without_either_level() {
    let (redis, origin) = (Server::start(), Versions::start());
    let fleet = Fleet::ruled(2, origin.address(), &redis.url(), RULES);
    fleet.nodes[0].get("/far/1").with_status(200).served_by_origin();
    stored(&redis, "far:1", 1);
    for _ in 0..2 {
        for node in &fleet.nodes {
            is_from(node.get("/far/1").with_status(200), "L2");
        }
    }
    assert_eq!(origin.asked("GET /far/1"), 1);
    for node in &fleet.nodes {
        node.get("/near/1").with_status(200).served_by_origin();
        is_from(node.get("/near/1").with_status(200), "L1");
    }
    assert_eq!(origin.asked("GET /near/1"), 2);
    // What is put later has come, so what never comes was never put.
    fleet.nodes[0].get("/far/2").with_status(200);
    stored(&redis, "far:2", 1);
    assert!(redis.keys("*near:1*").is_empty(), "{:?}", redis.keys("*"));
}

#[test]
fn everything_that_is_kept_has_an_end() {
    let (redis, origin) = (Server::start(), Versions::start());
    let rules = RULES.replace("ttl = \"5m\"\nl1", "ttl = \"forever\"\nl1");
    let fleet = Fleet::ruled(2, origin.address(), &redis.url(), &rules);
    for number in 0..5 {
        for target in [format!("/items/{number}"), format!("/far/{number}"), format!("/a{number}")]
        {
            fleet.nodes[0].get(&target).with_status(200);
        }
    }
    stored(&redis, "t:item:", 5);
    stored(&redis, "far:", 5);
    for selector in ["key:t:item:1", "tag:one-2", "pattern:t:item:3*"] {
        fleet.nodes[1]
            .send(&ask("PURGE", "/").header("X-Purge-Selector", selector))
            .with_status(200);
    }
    let all = redis.keys("*");
    assert!(all.len() > 10, "{all:?}");
    for key in all {
        assert!(key.starts_with("cistern:"), "{key} is nobody's");
        if key.starts_with("cistern:{c}:") {
            continue;
        }
        let left: i64 = redis.cli(&["PTTL", &key]).parse().expect("a number");
        // -2: its end came between the two looks.
        assert!(left > 0 || left == -2, "{key} has no end: {left}");
    }
}

#[test]
fn what_has_ended_is_asked_for_again() {
    let (redis, origin) = (Server::start(), Versions::start());
    origin.lives_for(2);
    let fleet = Fleet::of(2, origin.address(), &redis.url());
    fleet.nodes[0].get("/a").with_status(200).served_by_origin();
    until("the other finds it or its end", || {
        let answer = fleet.nodes[1].get("/a").with_status(200);
        from_l2(&answer) || origin.asked("GET /a") > 1
    });
    origin.commit("/a");
    let fresh = || fleet.each(&get("/a")).iter().all(|one| one.json()["version"] == 2);
    assert!(holds_within(Duration::from_secs(4), fresh), "older than its lifetime");
}

#[test]
fn nobodys_credential_is_in_the_shared_level() {
    const KEY: &str = "1:603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4";
    const RULES: &str = r#"
version = 1
[defaults]
ttl = "5m"
compress = false
[[route]]
name = "mine"
match = "GET /mine/{id}"
key = "mine:{id}"
share = "identity"
[[route]]
name = "all"
match = "GET /all/{id}"
key = "all:{id}"
share = "public"
"#;
    let redis = Server::with(&["--rdbcompression", "no"]);
    let origin = Versions::start();
    // Nodes that have the same keys share what they keep for one caller, too.
    let node = || {
        let setup = in_front_of(origin.address()).config(&settings(&redis.url())).rules(RULES);
        setup.setting("CISTERN_KEY", KEY)
    };
    let fleet = Fleet::start((0..2).map(|_| node()));
    let secrets = ["bearer-of-nobody", "cookie-of-nobody", "key-of-nobody"];
    for target in ["/mine/1", "/all/1", "/plain/1"] {
        for ask in [
            get(target).bearer(secrets[0]),
            get(target).cookie(&format!("session={}", secrets[1])),
            get(target).header("X-Api-Key", secrets[2]),
        ] {
            for node in &fleet.nodes {
                node.send(&ask).with_status(200);
            }
        }
    }
    fleet.nodes[0].send(&ask("PUT", "/mine/2").bearer(secrets[0])).with_status(200);
    stored(&redis, "all:1", 1);
    redis.save();
    let dump = redis.dump();
    let holds = |word: &str| dump.windows(word.len()).any(|part| part == word.as_bytes());
    assert!(holds("/mine/1"), "the answers themselves are there to be read");
    for secret in secrets {
        assert!(!holds(secret), "{secret} is in Redis");
    }
}

#[test]
fn nodes_with_another_prefix_share_nothing() {
    let (redis, origin) = (Server::start(), Versions::start());
    let node = |prefix: &str| {
        let settings = format!("{}prefix = \"{prefix}\"\n", settings(&redis.url()));
        Fleet::start([in_front_of(origin.address()).config(&settings)])
    };
    let (one, other) = (node("one:"), node("two:"));
    for fleet in [&one, &other] {
        fleet.nodes[0].get("/a").with_status(200).served_by_origin();
    }
    until("both are stored", || redis.keys("*e:{*/a}*").len() == 2);
    one.nodes[0].send(&ask("PURGE", "/").header("X-Purge-Selector", "all")).with_status(200);
    is_from(other.nodes[0].get("/a"), "L1");
    assert!(redis.keys("*").iter().all(|key| key.starts_with("one:") || key.starts_with("two:")));
}
