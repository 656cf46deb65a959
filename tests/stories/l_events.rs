//! Any program that reaches Redis drops what it knows to be old, with one `PUBLISH`.

use crate::support::client::get;
use crate::support::fleet::Fleet;
use crate::support::redis::{Server, until};
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
        let (redis, origin) = (Server::start(), Versions::start());
        let fleet = Fleet::ruled(2, origin.address(), &redis.url(), RULES);
        Self { redis, origin, fleet }
    }

    /// Tells everybody who listens. How many that were.
    fn says(&self, message: &str) -> u64 {
        let heard = self.redis.cli(&["PUBLISH", "shop:changes", message]);
        heard.parse().expect("a number")
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
        r#"{"purge":["pattern:t:*:N"],"soft":false}"#,
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
        r#"{"purge":["nonsense:1"]}"#,
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
    log.lines().filter(|line| line.contains("shop:changes")).count()
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
