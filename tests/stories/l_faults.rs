//! Whatever happens to Redis happens to no request: every fault, played with real processes while
//! clients read and write through three nodes. Each prints a row of a table; to see it:
//!
//! `cargo test --test stories l_faults:: -- --nocapture --test-threads=1`
//!
//! The columns: the fault; operations; how many failed; how many were older than promised; how many
//! were answered by the shared level; what a read waited beside the origin at most, and 99 of 100,
//! and 9 of 10 in the trouble; the time until every node shared again.

use std::cell::RefCell;
use std::time::Duration;

use crate::support::cistern::in_front_of;
use crate::support::fleet::{Fleet, with_budget};
use crate::support::redis::sentinel::Trio;
use crate::support::redis::{Server, until};
use crate::support::relay::{JUNK, LOADING, READ_ONLY, Relay, Towards, Way};
use crate::support::traffic::Run;
use crate::support::trial::{BUDGET, LEASE, Reach, Trial};
use crate::support::versions::Versions;

/// Three nodes, each with its own way to the shared level.
fn nodes(origin: &Versions, urls: [String; 3]) -> Fleet {
    let budget = format!("{}ms", BUDGET.as_millis());
    let setups = urls.map(|url| in_front_of(origin.address()).config(&with_budget(&url, &budget)));
    Fleet::start(setups)
}

/// Three nodes before one server.
fn at(redis: &Server, origin: &Versions) -> Fleet {
    nodes(origin, [redis.url(), redis.url(), redis.url()])
}

fn trial<'a>(name: &'static str, origin: &'a Versions, fleet: &Fleet, reach: Reach) -> Trial<'a> {
    // One that is cut off leaves leases behind that the others see.
    let orphaned = if matches!(reach, Reach::One(_)) { LEASE } else { Duration::ZERO };
    Trial { name, origin, nodes: fleet.addresses(), reach, orphaned }
}

#[test]
fn killed_and_back_with_nothing() {
    let (redis, origin) = (RefCell::new(Server::start()), Versions::start());
    let fleet = at(&redis.borrow(), &origin);
    let trial = trial("killed, restarted empty", &origin, &fleet, Reach::All);
    trial.play(|_| redis.borrow_mut().kill(), || redis.borrow_mut().restart_empty());
}

#[test]
fn killed_and_back_with_old_data() {
    let (redis, origin) = (RefCell::new(Server::start()), Versions::start());
    let fleet = at(&redis.borrow(), &origin);
    let trial = trial("killed, restarted with old data", &origin, &fleet, Reach::All);
    let save = |run: &Run| {
        redis.borrow().save();
        // Much of what is in the snapshot is changed and purged before the end comes.
        run.goes_on(300, Duration::from_millis(500));
    };
    trial.play_prepared(save, |_| redis.borrow_mut().kill(), || redis.borrow_mut().restart());
}

#[test]
fn restarted_at_once_with_old_data() {
    let (redis, origin) = (RefCell::new(Server::start()), Versions::start());
    let fleet = at(&redis.borrow(), &origin);
    let trial = trial("restarted at once with old data", &origin, &fleet, Reach::All);
    let save = |run: &Run| {
        redis.borrow().save();
        run.goes_on(300, Duration::from_millis(500));
    };
    trial.play_prepared(save, |_| redis.borrow_mut().restart(), || ());
}

#[test]
fn emptied_while_it_runs() {
    let (redis, origin) = (Server::start(), Versions::start());
    let fleet = at(&redis, &origin);
    let trial = trial("emptied by FLUSHALL", &origin, &fleet, Reach::Content);
    trial.play(|_| assert_eq!(redis.cli(&["FLUSHALL"]), "OK"), || ());
}

#[test]
fn frozen() {
    let (redis, origin) = (Server::start(), Versions::start());
    let fleet = at(&redis, &origin);
    let trial = trial("frozen", &origin, &fleet, Reach::All);
    trial.play(|_| redis.freeze(), || redis.thaw());
}

#[test]
fn failed_over_when_the_master_dies() {
    let (trio, origin) = (RefCell::new(Trio::start(&[])), Versions::start());
    let url = || trio.borrow().url();
    let fleet = nodes(&origin, [url(), url(), url()]);
    let before = trio.borrow().master_port();
    let trial = trial("master killed, failed over", &origin, &fleet, Reach::All);
    let kill = |_: &Run| trio.borrow_mut().kill_master();
    trial.play(kill, || trio.borrow().failed_over(before));
}

#[test]
fn failed_over_by_an_operator() {
    let (trio, origin) = (Trio::start(&["--min-replicas-to-write", "1"]), Versions::start());
    let fleet = nodes(&origin, [trio.url(), trio.url(), trio.url()]);
    let mut trial = trial("failed over by an operator", &origin, &fleet, Reach::Content);
    // A master without its replica is still asked, and lets nobody end a lease.
    trial.orphaned = LEASE;
    // The new one takes writes when the old one follows it, which sentinels see to in their time.
    let writes = || trio.master().asked(&["SET", "somebody", "else"]) == "OK";
    trial.play(|_| trio.fail_over(), || until("the new master takes writes", writes));
}

/// A fault that three relays play: on the way of the last node, or of all.
fn on_the_way(name: &'static str, reach: Reach, way: &Way) {
    let (redis, origin) = (Server::start(), Versions::start());
    let relays = [(); 3].map(|()| Relay::to(&redis.address()));
    let fleet = nodes(&origin, [relays[0].url(), relays[1].url(), relays[2].url()]);
    let hit = match reach {
        Reach::One(node) => &relays[node..=node],
        _ => &relays[..],
    };
    let trial = trial(name, &origin, &fleet, reach);
    let hurt = |_: &Run| hit.iter().for_each(|one| one.becomes(way.clone()));
    trial.play(hurt, || hit.iter().for_each(Relay::passes));
}

#[test]
fn one_node_cut_off() {
    on_the_way("one node cut off, nothing passes", Reach::One(2), &Way::Swallow);
}

#[test]
fn one_node_refused() {
    on_the_way("one node refused", Reach::One(2), &Way::Refuse);
}

#[test]
fn one_node_unheard_and_heard_late() {
    let way = Way::Hold(Towards::Server);
    on_the_way("one node's words held and let go", Reach::One(2), &way);
}

#[test]
fn one_node_deaf_and_told_late() {
    let way = Way::Hold(Towards::Client);
    on_the_way("answers to one node held and let go", Reach::One(2), &way);
}

#[test]
fn all_nodes_cut_off() {
    on_the_way("all nodes cut off", Reach::All, &Way::Hold(Towards::Both));
}

#[test]
fn slower_than_anybody_waits() {
    let slow = Duration::from_millis(70);
    on_the_way("slow: 140 ms for each call", Reach::All, &Way::Pass { up: slow, down: slow });
}

#[test]
fn slow_and_within_bounds() {
    let slow = Duration::from_millis(10);
    let way = Way::Pass { up: slow, down: slow };
    on_the_way("slow: 20 ms for each call", Reach::Nobody, &way);
}

#[test]
fn answering_with_garbage() {
    on_the_way("garbage in place of answers", Reach::All, &Way::Answer(JUNK));
}

#[test]
fn answering_with_errors() {
    on_the_way("every answer is LOADING", Reach::All, &Way::Answer(LOADING));
    on_the_way("every answer is READONLY", Reach::Content, &Way::Answer(READ_ONLY));
}

/// An operator takes rights from the nodes' user and gives them back.
fn without_rights(name: &'static str, reach: Reach, taken: &[&str], given: &[&str]) {
    let (redis, origin) = (Server::start(), Versions::start());
    let is = |rights: &[&str]| {
        let words = [&["ACL", "SETUSER", "node"], rights].concat();
        assert_eq!(redis.cli(&words), "OK");
    };
    is(&["on", ">word", "~*", "&*", "+@all"]);
    let url = || format!("redis://node:word@{}/0", redis.address());
    let fleet = nodes(&origin, [url(), url(), url()]);
    let mut trial = trial(name, &origin, &fleet, reach);
    // It is asked, and may let nobody end a lease.
    trial.orphaned = LEASE;
    trial.play(|_| is(taken), || is(given));
    // Whoever looks for the reason finds it, and not once for each call.
    for node in &fleet.nodes {
        let log = node.log_so_far();
        let told: Vec<_> = log.lines().filter(|line| tells_of_rights(line)).collect();
        assert!((1..10).contains(&told.len()), "{name}: {} lines: {told:?}", told.len());
    }
}

/// Whether a line of the log says that the node may not do what it must. Within scripts each
/// version of Redis has other words for that.
fn tells_of_rights(line: &str) -> bool {
    let words = ["NOPERM", "can't run this command", "ACL failure", "has no permissions"];
    line.contains(" REDIS ") && words.iter().any(|word| line.contains(word))
}

#[test]
fn a_node_that_only_reads_says_that_it_may_not() {
    let (redis, origin) = (Server::start(), Versions::start());
    let is = |rights: &[&str]| redis.cli(&[&["ACL", "SETUSER", "node"], rights].concat());
    is(&["on", ">word", "~*", "&*", "+@all"]);
    let url = format!("redis://node:word@{}/0", redis.address());
    let fleet = Fleet::of(1, origin.address(), &url);
    is(&["-@all"]);
    until("it says so", || fleet.nodes[0].log_so_far().lines().any(tells_of_rights));
    fleet.nodes[0].get("/a").with_status(200);
}

#[test]
fn without_the_right_to_write() {
    without_rights("no right to SET", Reach::Content, &["-set"], &["+@all"]);
}

#[test]
fn without_the_right_to_order() {
    without_rights("no right to XADD", Reach::Orders, &["-xadd"], &["+@all"]);
}

#[test]
fn without_any_right() {
    without_rights("no rights", Reach::Content, &["-@all"], &["+@all"]);
}

#[test]
fn without_any_key() {
    without_rights("no rights on keys", Reach::Content, &["resetkeys"], &["~*"]);
}

#[test]
fn full_and_refusing() {
    let redis = Server::with(&["--maxmemory-policy", "noeviction"]);
    let origin = Versions::start();
    origin.pads_with(2_000);
    let fleet = at(&redis, &origin);
    // Orders are let in though it is full, so purges keep their promise.
    let trial = trial("full, noeviction", &origin, &fleet, Reach::Nobody);
    let hurt = |_: &Run| {
        redis.set("maxmemory", "16mb");
        redis.fill(64);
        assert!(redis.asked(&["SET", "more", "x"]).starts_with("OOM"));
    };
    trial.play(hurt, || {
        redis.unfill();
        redis.set("maxmemory", "0");
    });
}

#[test]
fn full_and_evicting_anything() {
    let redis = Server::with(&["--maxmemory-policy", "allkeys-lru"]);
    let origin = Versions::start();
    origin.pads_with(60_000);
    let fleet = at(&redis, &origin);
    let trial = trial("full, allkeys-lru", &origin, &fleet, Reach::Orders);
    let hurt = |_: &Run| {
        // Room for a few answers: everything else goes, whatever it is for. What was asked for
        // last stays, and that is somebody else's.
        let used: u64 = redis.info("used_memory").parse().expect("a number");
        redis.set("maxmemory", &(used + 1_000_000).to_string());
        redis.fill(8);
        until("something was evicted", || redis.info("evicted_keys") != "0");
    };
    trial.play(hurt, || {
        redis.set("maxmemory", "0");
        redis.unfill();
    });
}
