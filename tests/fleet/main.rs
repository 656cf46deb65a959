//! The shared level's coherence, explored: the real state of nodes (`store::coherence`,
//! `store::fence`) against a simulated Redis, in random and in exhaustive orders of what can happen.
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
    clippy::indexing_slicing,
    reason = "nodes and flights are named by their places"
)]

mod actions;
mod dice;
mod guards;
mod link;
mod node;
mod reads;
mod scenarios;
mod server;
mod slots;
mod walk;
mod world;
mod writes;

use guards::Guards;
use scenarios::Bounds;
use walk::walk;

fn sound(name: &str, bounds: &Bounds, walks: u64) {
    let mut steps = 0;
    for seed in 0..walks {
        match walk(Guards::SOUND, bounds, seed, 90) {
            Ok(taken) => steps += taken,
            Err(broken) => panic!("{name}, seed {seed}: {broken:?}"),
        }
    }
    println!("{name}: {walks} walks, {steps} steps");
}

#[test]
fn small() {
    sound("small", &scenarios::SMALL, 2000);
}
#[test]
fn lives() {
    sound("lives", &scenarios::LIVES, 2000);
}
#[test]
fn replaced() {
    sound("replaced", &scenarios::REPLACED, 2000);
}
#[test]
fn entries() {
    sound("entries", &scenarios::ENTRIES, 2000);
}
#[test]
fn late() {
    sound("late", &scenarios::LATE, 2000);
}
#[test]
fn published() {
    sound("published", &scenarios::PUBLISHED, 2000);
}
#[test]
fn one_server() {
    sound("one server", &scenarios::ONE_SERVER, 3000);
}
#[test]
fn two_servers() {
    sound("two servers", &scenarios::TWO_SERVERS, 3000);
}
#[test]
fn three_nodes() {
    sound("three nodes", &scenarios::THREE_NODES, 3000);
}
