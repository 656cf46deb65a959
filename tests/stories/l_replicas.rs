//! Replicas that may be read and lag behind their master as far as they like: what was purged is
//! not served from them, by nodes that heard of the purge and by nodes that could not have.

use std::time::Duration;

use crate::support::cistern::in_front_of;
use crate::support::client::{ask, get};
use crate::support::fleet::{Fleet, with_budget};
use crate::support::redis::cluster::Cluster;
use crate::support::redis::until;
use crate::support::traffic::Run;
use crate::support::trial::{BUDGET, Reach, Trial};
use crate::support::versions::Versions;

const RULES: &str = r#"
version = 1
[type.object]
prefix = "o:"
ttl = "5m"
read = "replica"
[type.far]
prefix = "far:"
ttl = "5m"
read = "replica"
l1 = false
[[route]]
name = "objects"
match = "GET /objects/{id}"
type = "object"
key = "{id}"
[[route]]
name = "far"
match = "GET /far/{id}"
type = "far"
key = "{id}"
tags = ["one-{id}", "all-far"]
"#;

fn setup(cluster: &Cluster, origin: &Versions, budget: Duration) -> crate::support::cistern::Setup {
    let settings = with_budget(&cluster.url(), &format!("{}ms", budget.as_millis()));
    let settings = format!("{settings}replicas = \"allowed\"\n");
    in_front_of(origin.address()).config(&settings).rules(RULES)
}

/// Replicas answer and take nothing from their masters, until they follow again.
fn lag(cluster: &Cluster) {
    for replica in replicas(cluster) {
        cluster.servers[replica].cli(&["CLIENT", "PAUSE", "60000", "WRITE"]);
    }
}

fn follow(cluster: &Cluster) {
    for replica in replicas(cluster) {
        cluster.servers[replica].cli(&["CLIENT", "UNPAUSE"]);
    }
}

fn replicas(cluster: &Cluster) -> Vec<usize> {
    (0..6).filter(|at| !cluster.is_master(*at)).collect()
}

/// How many frames were asked for at replicas.
fn asked(cluster: &Cluster) -> u64 {
    let calls = |at: usize| {
        let said = cluster.servers[at].cli(&["INFO", "commandstats"]);
        let line = said.lines().find_map(|line| line.strip_prefix("cmdstat_get:calls="));
        let count = line.and_then(|rest| rest.split(',').next()).map(str::parse);
        count.map_or(0, |count| count.expect("a number"))
    };
    replicas(cluster).into_iter().map(calls).sum()
}

#[test]
fn what_was_purged_is_not_read_from_a_replica_that_lags() {
    let (cluster, origin) = (Cluster::start(), Versions::start());
    let node = || setup(&cluster, &origin, Duration::from_millis(500));
    let mut fleet = Fleet::start((0..2).map(|_| node()));
    fleet.is_one_on_all_servers();
    let selectors = [
        "key:far:N",
        "tag:one-N",
        "prefix:far:N",
        "pattern:far:N*",
        "tag:all-far",
        "type:far",
        "all",
    ];
    let target = |number: usize| format!("/far/{number}");
    for number in 0..selectors.len() {
        fleet.nodes[0].get(&target(number)).with_status(200).served_by_origin();
        let shared = || fleet.nodes[1].get(&target(number)).is_hit();
        until("the other finds it", shared);
    }
    until("replicas have all of it", || {
        let held = |at: usize| cluster.servers[at].keys("cistern:e:{*far:*").len();
        replicas(&cluster).into_iter().map(held).sum::<usize>() >= selectors.len()
    });
    let before = asked(&cluster);
    for number in 0..selectors.len() {
        fleet.each(&get(&target(number))).into_iter().for_each(|one| {
            one.served_from_store();
        });
    }
    assert!(asked(&cluster) > before, "nobody asks replicas");
    lag(&cluster);
    for (number, selector) in selectors.iter().enumerate() {
        let version = origin.commit(&target(number));
        let selector = selector.replace('N', &number.to_string());
        let purge = ask("PURGE", "/").header("X-Purge-Selector", &selector);
        let told = fleet.nodes[number % 2].send(&purge).with_status(200).json();
        assert_ne!(told["level"], "local", "{selector}: {told}");
        let word = format!("cistern:e:{{*far:{number}*");
        let lags = |at: usize| !cluster.servers[at].keys(&word).is_empty();
        assert!(replicas(&cluster).into_iter().any(lags), "{selector}: no replica lags");
        // From the origin, and then from the shared level: what the replica has is older.
        for _ in 0..3 {
            for answer in fleet.each(&get(&target(number))) {
                assert_eq!(answer.with_status(200).json()["version"], version, "{selector}");
            }
        }
    }
    // One that has heard of none of these purges.
    fleet.nodes.push(node().start());
    fleet.is_one();
    for number in 0..selectors.len() {
        let told = fleet.nodes[2].get(&target(number)).with_status(200).json();
        assert_eq!(told["version"], origin.version(&target(number)), "a young node");
    }
    follow(&cluster);
    cluster.wait_for_replicas();
    for number in 0..selectors.len() {
        for answer in fleet.each(&get(&target(number))) {
            assert_eq!(answer.json()["version"], origin.version(&target(number)));
        }
    }
}

#[test]
fn promises_hold_while_replicas_lag() {
    let (cluster, origin) = (Cluster::start(), Versions::start());
    let fleet = Fleet::start((0..3).map(|_| setup(&cluster, &origin, BUDGET)));
    let trial = Trial {
        name: "cluster: replicas are read and lag",
        origin: &origin,
        nodes: fleet.addresses(),
        reach: Reach::Nobody,
        orphaned: Duration::ZERO,
    };
    let before = asked(&cluster);
    trial.play(|_: &Run| lag(&cluster), || follow(&cluster));
    assert!(asked(&cluster) > before + 20, "nobody asks replicas");
}
