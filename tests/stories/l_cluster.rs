//! A cluster of three masters and three replicas: resharding, a dead master and its successor cost
//! hits, never a request, and promises hold across slots.

use std::cell::RefCell;
use std::time::Duration;

use crate::support::cistern::in_front_of;
use crate::support::client::{ask, get};
use crate::support::fleet::{Fleet, settings, with_budget};
use crate::support::redis::cluster::Cluster;
use crate::support::traffic::Run;
use crate::support::trial::{BUDGET, LEASE, Reach, Trial};
use crate::support::versions::Versions;

/// What orders everything stands in one slot, which this key shows.
const ORDERING: &str = "cistern:{c}:head";

const RULES: &str = r#"
version = 1
[type.thing]
prefix = "t:"
ttl = "5m"
[[route]]
name = "read"
match = "GET /items/{house}/{id}"
type = "thing"
key = "item:{house}/{id}"
tags = ["house-{house}", "items"]
shard = "{house}"
"#;

fn fleet(cluster: &Cluster, origin: &Versions) -> Fleet {
    let budget = format!("{}ms", BUDGET.as_millis());
    let settings = with_budget(&cluster.url(), &budget);
    Fleet::start((0..3).map(|_| in_front_of(origin.address()).config(&settings)))
}

/// A slot with an entry in it that is not the ordering one.
fn slot_of_an_entry(cluster: &Cluster) -> u16 {
    let slots = cluster.keys("cistern:e:{*").into_iter().map(|key| cluster.slot_of(&key));
    let ordering = cluster.slot_of(ORDERING);
    slots.into_iter().find(|slot| *slot != ordering).expect("an entry somewhere")
}

/// A master that does not own a slot.
fn another(cluster: &Cluster, owner: usize) -> usize {
    let others = (0..6).find(|at| *at != owner && cluster.is_master(*at));
    others.expect("three masters")
}

#[test]
fn entries_of_a_shard_stand_in_one_slot_and_purges_reach_all() {
    let (cluster, origin) = (Cluster::start(), Versions::start());
    let node = || in_front_of(origin.address()).config(&settings(&cluster.url())).rules(RULES);
    let fleet = Fleet::start((0..2).map(|_| node()));
    fleet.is_one_on_all_servers();
    let targets: Vec<_> = (0..12).map(|id| format!("/items/{}/{id}", id % 3)).collect();
    for target in &targets {
        fleet.nodes[0].get(target).with_status(200);
    }
    let entries = || {
        let all = cluster.keys("cistern:e:{*").into_iter();
        all.filter(|key| key.contains("t:item:")).collect::<Vec<_>>()
    };
    crate::support::redis::until("all are stored", || entries().len() == targets.len());
    for house in 0..3 {
        let of_house =
            entries().into_iter().filter(|key| key.contains(&format!("t:item:{house}/")));
        let mut slots: Vec<_> = of_house.map(|key| cluster.slot_of(&key)).collect();
        slots.dedup();
        assert_eq!(slots.len(), 1, "house {house} is scattered: {slots:?}");
    }
    for target in &targets {
        fleet.nodes[1].get(target).served_from_store();
    }
    // By key, by tag, by pattern, by type: whatever slots it touches.
    let selectors = ["tag:house-1", "key:t:item:0/0", "pattern:t:item:2*", "type:thing", "all"];
    for selector in selectors {
        let versions: Vec<_> = targets.iter().map(|target| origin.commit(target)).collect();
        let purge = ask("PURGE", "/").header("X-Purge-Selector", selector);
        let told = fleet.nodes[0].send(&purge).with_status(200).json();
        assert_ne!(told["level"], "local", "{selector}: {told}");
        let gone = |target: &str| match selector {
            "tag:house-1" => target.starts_with("/items/1/"),
            "key:t:item:0/0" => target == "/items/0/0",
            "pattern:t:item:2*" => target.starts_with("/items/2/"),
            _ => true,
        };
        for (target, version) in targets.iter().zip(versions) {
            if gone(target) {
                fleet.all_tell(target, version);
            }
        }
        // Everything is fetched anew for the next selector.
        for target in &targets {
            fleet.each(&get(target));
        }
    }
}

#[test]
fn no_request_fails_while_a_cluster_changes() {
    let (cluster, origin) = (RefCell::new(Cluster::start()), Versions::start());
    let fleet = fleet(&cluster.borrow(), &origin);
    let trial = |name, reach| Trial {
        name,
        origin: &origin,
        nodes: fleet.addresses(),
        reach,
        orphaned: Duration::ZERO,
    };

    let reshards = |run: &Run| {
        let cluster = cluster.borrow();
        let slot = slot_of_an_entry(&cluster);
        let from = cluster.owner_of(slot);
        let to = another(&cluster, from);
        cluster.begin_move(slot, from, to);
        // Some time with the slot at both, which clients are told to ask for.
        run.goes_on(100, Duration::from_millis(300));
        while cluster.move_keys(slot, from, to, 1) > 0 {}
        run.goes_on(100, Duration::from_millis(300));
        cluster.end_move(slot, from, to);
    };
    trial("cluster: a slot moves", Reach::Nobody).play(reshards, || cluster.borrow().settled());

    let moves_order = |_: &Run| {
        let cluster = cluster.borrow();
        let slot = cluster.slot_of(ORDERING);
        cluster.move_slot(slot, another(&cluster, cluster.owner_of(slot)));
    };
    let settles = || cluster.borrow().settled();
    trial("cluster: the ordering slot moves", Reach::Content).play(moves_order, settles);

    // A master of entries alone, then the one that orders everything.
    for (name, orders) in
        [("cluster: a master killed", false), ("cluster: the ordering master killed", true)]
    {
        cluster.borrow().wait_for_replicas();
        let owner = cluster.borrow().owner_of(cluster.borrow().slot_of(ORDERING));
        let dead = if orders { owner } else { another(&cluster.borrow(), owner) };
        let kill = |_: &Run| cluster.borrow_mut().kill(dead);
        // Leases of its slots live on in its successor, and their nodes asked the dead to end them.
        let trial = Trial { orphaned: LEASE, ..trial(name, Reach::All) };
        trial.play(kill, || cluster.borrow().failed_over(dead));
        cluster.borrow_mut().revive(dead);
        cluster.borrow().settled();
    }
}

/// One that orders everything, or one of entries alone, stands still and is not dead: connections
/// to it stay open. Its replica takes its place, or it comes back as the master that it was.
fn frozen(names: [&'static str; 2], options: &[&str], replaced: bool) {
    let (cluster, origin) = (Cluster::with(options), Versions::start());
    let fleet = fleet(&cluster, &origin);
    for (name, orders) in [(names[0], false), (names[1], true)] {
        cluster.wait_for_replicas();
        let owner = cluster.owner_of(cluster.slot_of(ORDERING));
        let frozen = if orders { owner } else { another(&cluster, owner) };
        let trial = Trial {
            name,
            origin: &origin,
            nodes: fleet.addresses(),
            reach: Reach::All,
            orphaned: LEASE,
        };
        let thaw = || {
            if replaced {
                cluster.failed_over(frozen);
            }
            cluster.servers[frozen].thaw();
        };
        trial.play(|_| cluster.servers[frozen].freeze(), thaw);
        cluster.settled();
        assert_eq!(cluster.is_master(frozen), !replaced, "{name}");
    }
}

#[test]
fn frozen_and_replaced() {
    let names =
        ["cluster: a master frozen, replaced", "cluster: the ordering master frozen, replaced"];
    frozen(names, &[], true);
}

#[test]
fn frozen_and_master_again() {
    let names = ["cluster: a master frozen", "cluster: the ordering master frozen"];
    frozen(names, &["--cluster-node-timeout", "15000"], false);
}
