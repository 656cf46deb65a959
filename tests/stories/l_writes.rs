//! Writes while the shared level is away: nobody waits for Redis longer than the purge's budget,
//! and not at all once it is known to be away. What they name is dropped all the same.

use std::time::{Duration, Instant};

use crate::support::cistern::{Cistern, in_front_of};
use crate::support::client::{ask, get};
use crate::support::fleet::{Fleet, settings};
use crate::support::patience::Patience;
use crate::support::redis::{Server, until};
use crate::support::relay::{Relay, Towards, Way};
use crate::support::versions::Versions;

const RULES: &str = r#"
version = 1
[[route]]
name = "read"
match = "GET /items/{id}"
key = "item:{id}"
ttl = "5m"
[[route]]
name = "order"
match = "POST /orders/{id}"
on_write.purge = ["key:item:{id}"]
"#;

/// What the origin takes, what a purge may wait for its number, and what this machine may add.
const ORIGIN: Duration = Duration::from_millis(150);
const PURGE: Duration = Duration::from_millis(400);
const HICCUP: Duration = Duration::from_millis(300);

/// What a POST takes that purges an item which is stored.
fn posts(node: &Cistern, origin: &Versions, number: usize) -> Duration {
    let (item, order) = (format!("/items/{number}"), format!("/orders/{number}"));
    origin.delays(&format!("POST {order}"), ORIGIN);
    node.get(&item).with_status(200);
    let version = origin.commit(&item);
    let began = Instant::now();
    node.send(&ask("POST", &order)).with_status(200);
    let took = began.elapsed();
    let told = node.get(&item).with_status(200).json();
    assert_eq!(told["version"], version, "{item} is old after the write");
    took
}

#[test]
fn a_write_waits_no_longer_than_its_purge_may() {
    for way in [Way::Hold(Towards::Both), Way::Hold(Towards::Client), Way::Swallow, Way::Refuse] {
        let (redis, origin) = (Server::start(), Versions::start());
        let relay = Relay::to(&redis.address());
        let settings =
            format!("{}purge_budget = \"{}ms\"\n", settings(&relay.url()), PURGE.as_millis());
        let fleet = Fleet::start([in_front_of(origin.address()).config(&settings).rules(RULES)]);
        let node = &fleet.nodes[0];
        node.send(&get("/items/0"));
        relay.becomes(way.clone());
        let down = || node.log_so_far().lines().any(|line| line.contains(" REDIS down "));
        let mut numbers = 1..;
        let mut takes = || posts(node, &origin, numbers.next().expect("no end"));
        let mut first = Duration::ZERO;
        let patience = Patience::begins();
        while !down() {
            assert!(patience.lasts(), "{way:?}: nobody notices");
            let took = takes();
            first = first.max(took);
            assert!(took < ORIGIN + PURGE + HICCUP, "{way:?}: {took:?} before it is known");
        }
        let mut later: Vec<_> = (0..9).map(|_| takes()).collect();
        later.sort();
        println!("| {way:?} | {first:?} at first | then {:?} to {:?} |", later[0], later[8]);
        assert!(later[4] < ORIGIN + PURGE / 4, "{way:?}: half of them took {:?}", later[4]);
        assert!(later[8] < ORIGIN + PURGE + HICCUP, "{way:?}: {:?}", later[8]);
        // What waited goes out by itself, and the next one is for all again.
        relay.passes();
        until("its orders have their numbers", || {
            let told = node.send(&ask("PURGE", "/items/0")).json();
            told["level"] != "local"
        });
    }
}
