//! The shared level's coherence, explored: the real state of nodes (`store::coherence`,
//! `store::fence`) against a simulated Redis, in random orders of what can happen and in all.
//! A checker that knows only reads, answers and acknowledgements looks for a read that begins after
//! an acknowledged write and returns older data than its level allows, and for a node that is not
//! up to date at rest. Guards of the protocol are taken away one by one: each must be missed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a model that contradicts itself ends the run"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "how much is explored comes from the environment, and a real server has its own time"
)]

mod actions;
mod compare;
mod data;
mod dice;
mod faults;
mod guards;
mod holes;
mod link;
mod node;
mod pair;
mod pair_in_slot;
mod reads;
mod real;
mod scenarios;
mod scripts;
mod server;
mod slots;
mod soft;
mod walk;
mod world;
mod writes;

use guards::{Guard, Guards};
use scenarios::Bounds;
use walk::{exhaust, walk};
use world::World;

/// The longest random part of a walk.
const STEPS: usize = 90;

/// How many times more is explored than in an ordinary run: `FLEET_EFFORT`, 1 without.
fn effort() -> u64 {
    std::env::var("FLEET_EFFORT").ok().and_then(|text| text.parse().ok()).unwrap_or(1)
}

/// Walks from the same start that all must keep the promise.
#[track_caller]
fn sound(name: &str, bounds: &Bounds, walks: u64) {
    let start = World::new(Guards::SOUND, bounds.clone());
    let mut steps = 0;
    for seed in 0..walks * effort() {
        match walk(&start, seed, STEPS) {
            Ok(taken) => steps += taken,
            Err(broken) => panic!("{name}, seed {seed}: {broken:?}"),
        }
    }
    println!("{name}: {} walks, {steps} steps", walks * effort());
}

#[test]
fn no_read_after_an_acknowledged_write_is_older_whatever_happens() {
    let only = std::env::var("FLEET_ONLY").unwrap_or_default();
    for (name, bounds, walks) in scenarios::all() {
        if name.contains(&only) {
            sound(name, &bounds, walks);
        }
    }
}

#[test]
fn where_a_guard_will_be_missed_the_whole_protocol_holds() {
    for (guard, bounds) in holes::broken() {
        sound(&format!("all and {guard:?}"), &bounds, 40);
    }
}

#[test]
fn each_guard_is_needed_and_the_checker_sees_it_missing() {
    let mut missed: Vec<Guard> = Vec::new();
    for (guard, bounds) in holes::broken() {
        let start = World::new(Guards::without(guard), bounds.clone());
        let found = (0..4_000).find_map(|seed| Some((seed, walk(&start, seed, STEPS).err()?)));
        match found {
            Some((seed, broken)) => {
                println!("{guard:?}: seed {seed}: {}", broken.what);
                // With all guards, the same chance finds nothing.
                let whole = World::new(Guards::SOUND, bounds);
                assert!(walk(&whole, seed, STEPS).is_ok(), "{guard:?} is not what was missing");
            }
            None => missed.push(guard),
        }
    }
    assert!(missed.is_empty(), "not seen missing: {missed:?}");
}

#[test]
fn no_order_of_few_events_breaks_the_promise() {
    for (name, bounds, is_small) in scenarios::few_events() {
        let most = if is_small { 7_000 } else { 200 };
        match exhaust(Guards::SOUND, &bounds, most * effort() as usize) {
            Ok(explored) => println!("{name}: {explored:?}"),
            Err(broken) => panic!("{name}: {broken:?}"),
        }
    }
}
