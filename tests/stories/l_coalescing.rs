//! One fetch per key in the whole fleet, and nobody waits for a node that has died.

use std::time::{Duration, Instant};

use crate::support::caller::Caller;
use crate::support::cistern::in_front_of;
use crate::support::client::{ask, get};
use crate::support::fleet::{Fleet, settings};
use crate::support::redis::{Server, until};
use crate::support::stage::{Stage, message};
use crate::support::versions::Versions;

/// How long an exchange with the origin may take in these stories.
const ORIGIN_TIMEOUT: Duration = Duration::from_secs(2);

/// Rules that say no more than that.
fn hurried(origin: &str) -> String {
    let seconds = ORIGIN_TIMEOUT.as_secs();
    format!(
        "version = 1\n[origin.it]\nurl = \"http://{origin}\"\ntimeout = \"{seconds}s\"\n\
         [[route]]\nname = \"all\"\nmatch = \"GET /{{rest...}}\"\norigin = \"it\"\n"
    )
}

fn fleet(count: usize, origin: &str, redis: &Server) -> Fleet {
    let setup = || {
        let setup = in_front_of(origin).without("--origin");
        setup.config(&settings(&redis.url())).rules(&hurried(origin))
    };
    Fleet::start((0..count).map(|_| setup()))
}

#[test]
fn sixty_readers_of_three_nodes_cost_one_request() {
    let (redis, origin) = (Server::start(), Versions::start());
    let fleet = Fleet::of(3, origin.address(), &redis.url());
    let gate = origin.holds("GET /cold");
    let cold = get("/cold");
    let first = fleet.nodes[0].begin(&cold);
    gate.reached();
    let others: Vec<_> = (0..59).map(|number| fleet.nodes[number % 3].begin(&cold)).collect();
    gate.open();
    let first = first.finish().with_status(200).served_by_origin();
    let mut waited = 0;
    for other in others {
        let other = other.finish().with_status(200);
        assert_eq!(other.body, first.body);
        let told = other.cache_status();
        assert!(other.is_hit() || told.contains("collapsed"), "it asked for itself: {told}");
        waited += usize::from(told.contains("collapsed"));
    }
    assert_eq!(origin.asked("GET /cold"), 1);
    assert!(waited > 0, "nobody waited for the one request");
}

#[test]
fn many_cold_keys_cost_one_request_each() {
    let (redis, origin) = (Server::start(), Versions::start());
    let fleet = Fleet::of(3, origin.address(), &redis.url());
    let addresses = fleet.addresses();
    std::thread::scope(|scope| {
        for address in addresses.iter().cycle().take(12) {
            scope.spawn(move || {
                let mut caller = Caller::of(address);
                for key in 0..50 {
                    let told = caller.asks("GET", &format!("/many/{key}"));
                    assert_eq!(told.map(|told| told.status), Ok(200));
                }
            });
        }
    });
    let all = (0..50).map(|key| origin.asked(&format!("GET /many/{key}")));
    assert_eq!(all.max(), Some(1));
}

#[test]
fn a_node_that_dies_while_it_fetches_holds_nobody_up_for_long() {
    let (redis, origin) = (Server::start(), Versions::start());
    let mut fleet = fleet(3, origin.address(), &redis);
    // What fetches take here usually, for those who want to know.
    for number in 0..20 {
        fleet.nodes[0].get(&format!("/usual/{number}")).with_status(200);
    }
    let gate = origin.holds("GET /dead");
    let dead = fleet.nodes.remove(0);
    // Its client has nobody to tell it anything.
    let lost = dead.begin(&get("/dead"));
    gate.reached();
    let waiting: Vec<_> =
        fleet.nodes.iter().flat_map(|node| (0..5).map(|_| node.begin(&get("/dead")))).collect();
    let begun = Instant::now();
    drop(dead.crashes());
    drop(lost);
    for one in waiting {
        one.finish().with_status(200);
    }
    let took = begun.elapsed();
    assert!(took < ORIGIN_TIMEOUT + Duration::from_secs(1), "a dead node cost {took:?}");
    // The one of the dead, and one in its place.
    gate.open();
    until("the dead one's request has ended", || origin.asked("GET /dead") == 2);
}

#[test]
fn what_may_not_be_shared_is_asked_for_by_each_at_once() {
    let redis = Server::start();
    let stage = Stage::with(|what| {
        what.starts_with("GET /probes/").then(|| message(200, &["Cache-Control: max-age=60"], "x"))
    });
    let fleet = Fleet::of(2, stage.address(), &redis.url());
    let first = fleet.nodes[0].begin(&get("/own"));
    let asked = stage.expects("GET /own");
    let others: Vec<_> = fleet.nodes.iter().map(|node| node.begin(&get("/own"))).collect();
    let begun = Instant::now();
    asked.answers(message(200, &["Cache-Control: private, max-age=60"], "1"));
    assert_eq!(first.finish().with_status(200).text(), "1");
    for number in 2..4 {
        stage.expects("GET /own").answers(message(
            200,
            &["Cache-Control: private, max-age=60"],
            &number.to_string(),
        ));
    }
    let mut told: Vec<_> = others.into_iter().map(|one| one.finish().text()).collect();
    told.sort();
    assert_eq!(told, ["2", "3"]);
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}

#[test]
fn a_change_during_a_fetch_elsewhere_is_not_overtaken() {
    let (redis, origin) = (Server::start(), Versions::start());
    let fleet = Fleet::of(2, origin.address(), &redis.url());
    for (number, writer) in [(0, 0), (1, 1), (2, 1)] {
        let path = format!("/late/{number}");
        let gate = origin.holds(&format!("GET {path}"));
        let slow = fleet.nodes[0].begin(&get(&path));
        gate.reached();
        // The fetch has read the old content; then somebody changes it, here or elsewhere.
        fleet.nodes[writer].send(&ask("PUT", &path)).with_status(200);
        let after = fleet.nodes[writer].get(&path).with_status(200);
        assert_eq!(after.json()["version"], 2, "{path}");
        gate.open();
        assert_eq!(slow.finish().with_status(200).json()["version"], 1, "it began before");
        fleet.all_tell(&path, 2);
        // Nor does the old come out of the shared level, which a new node would see.
        let new = Fleet::of(1, origin.address(), &redis.url());
        assert_eq!(new.nodes[0].get(&path).json()["version"], 2, "{path}");
    }
}
