//! Nodes whose wall clocks are wrong: ages and lifetimes count the same on all of them, whoever
//! fetched and whoever serves, and promises do not hang on any clock.

use std::time::{Duration, Instant};

use crate::support::cistern::in_front_of;
use crate::support::client::{Answer, get};
use crate::support::clock::WallClock;
use crate::support::fleet::{Fleet, settings, stored, with_budget};
use crate::support::redis::{Server, until};
use crate::support::trial::{BUDGET, Reach, Trial};
use crate::support::versions::Versions;

/// How far three clocks are ahead of the one of Redis, in seconds.
const FEW_SECONDS: [i64; 3] = [0, 5, -5];
const AN_HOUR: [i64; 3] = [3_600, -3_600, 0];

fn clocks(ahead: [i64; 3]) -> [WallClock; 3] {
    ahead.map(WallClock::ahead_by)
}

fn fleet(clocks: &[WallClock; 3], origin: &Versions, settings: &str) -> Fleet {
    let node = |clock: &WallClock| clock.on(in_front_of(origin.address()).config(settings));
    Fleet::start(clocks.each_ref().map(node))
}

/// The clocks show what the story says, or it would tell nothing.
#[track_caller]
fn shows(fleet: &Fleet, ahead: [i64; 3]) {
    // An origin that says no date: its answers have the time at which each node got them.
    let ask = |node: usize| {
        fleet.nodes[node].get(&format!("/undated/{node}")).with_status(200).served_by_origin()
    };
    let seconds = [0, 1, 2].map(|node| second_of_day(&ask(node)) - ahead[node]);
    for second in seconds {
        let apart = (second - seconds[0]).rem_euclid(86_400);
        assert!(apart <= 2 || apart >= 86_398, "{ahead:?}: {seconds:?}");
    }
}

/// The second of the day in the date of an answer.
fn second_of_day(answer: &Answer) -> i64 {
    let date = answer.get("date").expect("an answer has a date");
    let time = date.split(' ').nth(4).expect("a time behind the day");
    time.split(':').fold(0, |sum, part| sum * 60 + part.parse::<i64>().expect("a number"))
}

/// Waits until so much time has passed since a moment.
fn passes(since: Instant, time: Duration) {
    until("time passes", || since.elapsed() >= time);
}

#[test]
fn ages_are_the_same_on_all_nodes() {
    for ahead in [FEW_SECONDS, AN_HOUR] {
        let (redis, origin, clocks) = (Server::start(), Versions::start(), clocks(ahead));
        let fleet = fleet(&clocks, &origin, &settings(&redis.url()));
        let path = |filler: usize, reader: usize| format!("/from/{filler}/for/{reader}");
        let began = Instant::now();
        for (filler, node) in fleet.nodes.iter().enumerate() {
            for reader in 0..3 {
                node.get(&path(filler, reader)).with_status(200).served_by_origin();
            }
        }
        let filled = Instant::now();
        stored(&redis, "/from/", 9);
        passes(filled, Duration::from_millis(2_500));
        for (reader, node) in fleet.nodes.iter().enumerate() {
            for filler in 0..3 {
                // From the shared level, and then from its own.
                for level in ["L2", "L1"] {
                    let least = filled.elapsed();
                    let answer = node.get(&path(filler, reader)).served_from_store();
                    let most = began.elapsed();
                    let age = answer.get("age").and_then(|age| age.parse().ok()).expect("an age");
                    let bounds = least.as_secs().saturating_sub(1)..=most.as_secs() + 1;
                    let whose = format!("{ahead:?}: of {filler} on {reader} from {level}");
                    assert!(bounds.contains(&age), "{whose}: {age} s is not in {bounds:?}");
                    let left = answer.ttl().unsigned_abs();
                    let bounds = 59 - most.as_secs()..=61 - least.as_secs();
                    assert!(bounds.contains(&left), "{whose}: {left} s left, not in {bounds:?}");
                }
            }
        }
        shows(&fleet, ahead);
    }
}

#[test]
fn nothing_lives_longer_than_it_may() {
    const LIFETIME: Duration = Duration::from_secs(3);
    for ahead in [FEW_SECONDS, AN_HOUR] {
        let (redis, origin, clocks) = (Server::start(), Versions::start(), clocks(ahead));
        let fleet = fleet(&clocks, &origin, &settings(&redis.url()));
        origin.lives_for(LIFETIME.as_secs());
        let paths: Vec<_> = (0..3).map(|filler| format!("/from/{filler}")).collect();
        for (node, path) in fleet.nodes.iter().zip(&paths) {
            node.get(path).with_status(200).served_by_origin();
            origin.commit(path);
        }
        let filled = Instant::now();
        // Nobody tells the nodes of the change: each must see the end by itself.
        let (mut shared, mut renewed) = (0, 0);
        until("every node has fetched anew", || {
            renewed = 0;
            for (node, path) in
                fleet.nodes.iter().flat_map(|node| paths.iter().map(move |path| (node, path)))
            {
                let asked = filled.elapsed();
                let answer = node.get(path).with_status(200);
                if answer.json()["version"] == 1 {
                    let late = asked.saturating_sub(LIFETIME);
                    // Ages are told and counted in whole seconds.
                    assert!(late < Duration::from_secs(1), "{ahead:?}: {path} {late:?} too old");
                    shared += usize::from(answer.cache_status().contains("L2"));
                } else {
                    renewed += 1;
                }
            }
            renewed == 9
        });
        assert!(filled.elapsed() + Duration::from_secs(1) >= LIFETIME, "{ahead:?}: ended early");
        assert!(shared > 0, "{ahead:?}: nothing was shared");
    }
}

#[test]
fn promises_hold_whatever_clocks_show() {
    let budget = format!("{}ms", BUDGET.as_millis());
    for (name, ahead) in
        [("clocks 5 s ahead and behind", FEW_SECONDS), ("clocks 1 h ahead and behind", AN_HOUR)]
    {
        let (redis, origin, clocks) = (Server::start(), Versions::start(), clocks(ahead));
        let fleet = fleet(&clocks, &origin, &with_budget(&redis.url(), &budget));
        let nodes = fleet.addresses();
        let reach = Reach::Nobody;
        let trial = Trial { name, origin: &origin, nodes, reach, orphaned: Duration::ZERO };
        trial.play(|_| (), || ());
    }
}

#[test]
fn promises_hold_while_clocks_are_set() {
    let budget = format!("{}ms", BUDGET.as_millis());
    let (redis, origin, clocks) = (Server::start(), Versions::start(), clocks([0, 0, 0]));
    let fleet = fleet(&clocks, &origin, &with_budget(&redis.url(), &budget));
    let trial = Trial {
        name: "clocks set 1 h ahead and back",
        origin: &origin,
        nodes: fleet.addresses(),
        reach: Reach::Nobody,
        orphaned: Duration::ZERO,
    };
    let set = |ahead: [i64; 3]| {
        for (clock, seconds) in clocks.iter().zip(ahead) {
            clock.is_set_ahead_by(seconds);
        }
    };
    trial.play(|_| set(AN_HOUR), || set([0, 0, 0]));
}

/// Between the moment at which a node takes its new time and its next look at that of Redis nothing
/// is written or read with times that far off.
#[test]
fn ages_are_right_while_a_clock_is_set() {
    let (redis, origin, clocks) = (Server::start(), Versions::start(), clocks([0, 0, 0]));
    let fleet = fleet(&clocks, &origin, &settings(&redis.url()));
    let mut shared = 0;
    for ahead in [3_600, 0, -3_600, 0] {
        clocks[1].is_set_ahead_by(ahead);
        let set = Instant::now();
        // Each node takes the time of its clock every second.
        for number in 0.. {
            if set.elapsed() > Duration::from_millis(1_500) {
                break;
            }
            for (filler, reader) in [(0, 1), (1, 0)] {
                let path = format!("/set/{}/{number}/by/{filler}", origin.asked_in_all());
                fleet.nodes[filler].get(&path).with_status(200);
                let answer = fleet.nodes[reader].get(&path).with_status(200);
                let age: u64 = answer.get("age").map_or(0, |age| age.parse().expect("seconds"));
                let told = answer.cache_status();
                assert!(age <= 2, "set to {ahead}, by {filler}: {age} s old: {told}");
                assert!((57..=60).contains(&answer.ttl()), "set to {ahead}, by {filler}: {told}");
                shared += usize::from(told.contains("L2") && answer.is_hit());
            }
        }
    }
    assert!(shared > 20, "{shared} were shared");
}

/// A clock that is set back makes nothing young again.
#[test]
fn nothing_lives_longer_when_a_clock_is_set_back() {
    const LIFETIME: Duration = Duration::from_secs(4);
    let (redis, origin, clocks) = (Server::start(), Versions::start(), clocks([0, 0, 0]));
    let fleet = fleet(&clocks, &origin, &settings(&redis.url()));
    origin.lives_for(LIFETIME.as_secs());
    fleet.each(&get("/a"));
    let filled = Instant::now();
    origin.commit("/a");
    for clock in &clocks {
        clock.is_set_ahead_by(-3_600);
    }
    until("every node has fetched anew", || {
        let asked = filled.elapsed();
        let old = |answer: &Answer| answer.json()["version"] == 1;
        let all = fleet.each(&get("/a"));
        let late = asked.saturating_sub(LIFETIME);
        assert!(late < Duration::from_secs(1) || !all.iter().any(old), "{late:?} too old");
        !all.iter().any(old)
    });
}
