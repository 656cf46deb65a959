//! Any program that reaches Redis drops what it knows to be old, with one `PUBLISH`.

use std::time::Instant;

use crate::support::cistern::Cistern;
use crate::support::client::{ask, get};
use crate::support::fleet::{Fleet, LAG_MAX, SLACK};
use crate::support::redis::{Server, holds_within, until};
use crate::support::versions::Versions;

const RULES: &str = r#"
version = 1
[events]
channel = "shop:changes"
[type.thing]
prefix = "t:"
ttl = "5m"
[[route]]
name = "read"
match = "GET /items/{id}"
type = "thing"
key = "item:{id}"
tags = ["one-{id}"]
"#;

struct Shop {
    redis: Server,
    origin: Versions,
    fleet: Fleet,
}

impl Shop {
    fn open() -> Self {
        Self::of(2)
    }

    /// With so many nodes.
    fn of(nodes: usize) -> Self {
        let (redis, origin) = (Server::start(), Versions::start());
        let fleet = Fleet::ruled(nodes, origin.address(), &redis.url(), RULES);
        Self { redis, origin, fleet }
    }

    /// Tells everybody who listens. How many that were.
    fn says(&self, message: &str) -> u64 {
        let heard = self.redis.cli(&["PUBLISH", "shop:changes", message]);
        heard.parse().expect("a number")
    }

    /// Which node is to put messages into the log: the one whose life is the lowest. A purge
    /// through a node shows its life there.
    fn first_in_charge(&self) -> usize {
        let lives: Vec<_> = self.fleet.nodes.iter().map(|node| self.life_of(node)).collect();
        let all = 0..lives.len();
        all.min_by_key(|node| lives[*node].clone()).expect("a node")
    }

    fn life_of(&self, node: &Cistern) -> String {
        node.send(&ask("PURGE", "/nothing")).json();
        let newest = self.redis.cli(&["XREVRANGE", "cistern:{c}:log", "+", "-", "COUNT", "1"]);
        let given_by = newest.lines().skip_while(|line| *line != "i").nth(1).expect("who gave it");
        given_by.split('-').next().expect("a life").to_owned()
    }

    /// Asks both nodes, so that both keep it, and changes it then.
    fn changes(&self, target: &str) -> u64 {
        for _ in 0..2 {
            self.fleet.each(&get(target));
        }
        assert!(self.fleet.each(&get(target)).iter().all(crate::support::client::Answer::is_hit));
        self.origin.commit(target)
    }
}

#[test]
fn one_message_drops_everywhere() {
    let shop = Shop::open();
    let messages = [
        r#"{"purge":["key:t:item:N"]}"#,
        r#"{"purge":["tag:one-N"],"by":"worker-7","id":"4711"}"#,
        r#"{"purge":["pattern:t:*:N"]}"#,
        r#"{"purge":["key:t:item:none","prefix:t:item:N"]}"#,
        r#"{"purge":["all"]}"#,
    ];
    for (number, message) in messages.iter().enumerate() {
        let target = format!("/items/{number}");
        let version = shop.changes(&target);
        let heard = shop.says(&message.replace('N', &number.to_string()));
        assert_eq!(heard, 2, "both nodes listen");
        shop.fleet.all_tell(&target, version);
    }
}

#[test]
fn a_bad_message_is_told_and_changes_nothing() {
    let shop = Shop::open();
    shop.changes("/items/1");
    let large = format!(r#"{{"purge":["key:t:item:1"],"by":"{}"}}"#, "x".repeat(66_000));
    let bad = [
        "",
        "not JSON",
        "[]",
        r#"{"purge":"all"}"#,
        r#"{"purge":["no key"]}"#,
        r#"{"purge":[""]}"#,
        r#"{"purge":["all"],"purge_all":true}"#,
        r#"{"purge":["all"]} trailing"#,
        &large,
    ];
    for message in bad {
        let before: Vec<_> =
            shop.fleet.nodes.iter().map(|node| events_told(&node.log_so_far())).collect();
        shop.says(message);
        for (node, before) in shop.fleet.nodes.iter().zip(before) {
            let start: String = message.chars().take(40).collect();
            until(&format!("{start:?} is told"), || events_told(&node.log_so_far()) > before);
        }
    }
    for answer in shop.fleet.each(&get("/items/1")) {
        assert_eq!(answer.served_from_store().json()["version"], 1);
    }
    // And who was told nonsense still listens.
    assert!(shop.says(r#"{"purge":["key:t:item:1"]}"#) > 0);
    shop.fleet.all_tell("/items/1", 2);
}

/// How many lines of the log speak of a message that was not understood.
fn events_told(log: &str) -> usize {
    log.lines().filter(|line| line.contains(" REDIS bad-event ")).count()
}

#[test]
fn the_channel_is_heard_again_when_redis_comes_back() {
    let mut shop = Shop::open();
    let version = shop.changes("/items/1");
    shop.redis.restart_empty();
    shop.fleet.is_one();
    until("both listen again", || shop.says(r#"{"purge":["key:t:item:1"]}"#) == 2);
    shop.fleet.all_tell("/items/1", version);
}

/// Nobody is told that a message was followed, so it must be, whoever dies: the others wait one lag
/// for who is in charge, look once more, and see to it.
#[test]
fn a_message_is_followed_though_the_node_in_charge_has_just_died() {
    let mut shop = Shop::of(4);
    for (number, selector) in ["key:t:item:N", "tag:one-N"].iter().enumerate() {
        let target = format!("/items/{number}");
        let version = shop.changes(&target);
        let selector = selector.replace('N', &number.to_string());
        let dies = shop.fleet.nodes.remove(shop.first_in_charge());
        // Still, with open connections: it gets the message and never reads it.
        dies.signal("STOP");
        let told = Instant::now();
        assert!(shop.says(&format!(r#"{{"purge":["{selector}"]}}"#)) > 0);
        dies.crashes();
        for node in &shop.fleet.nodes {
            let left = (LAG_MAX + SLACK * 2).saturating_sub(told.elapsed());
            let fresh = || node.get(&target).with_status(200).json()["version"] == version;
            assert!(holds_within(left, fresh), "{selector}: old on {}", node.address());
        }
        // Nobody brings it back.
        shop.fleet.all_tell(&target, version);
        // The same words again are another message, whoever gave an order for the first.
        for _ in 0..2 {
            let version = shop.changes(&target);
            assert!(shop.says(&format!(r#"{{"purge":["{selector}"]}}"#)) > 0);
            for node in &shop.fleet.nodes {
                let fresh = || node.get(&target).with_status(200).json()["version"] == version;
                assert!(holds_within(LAG_MAX + SLACK * 2, fresh), "{selector} again");
            }
            let new = Fleet::ruled(1, shop.origin.address(), &shop.redis.url(), RULES);
            let told = || new.nodes[0].get(&target).with_status(200).json()["version"] == version;
            assert!(holds_within(LAG_MAX + SLACK * 2, told), "{selector}: old in Redis");
        }
    }
}
