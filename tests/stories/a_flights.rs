//! Who waits for whom: one request per key, and what overtakes what.

use std::thread;

use crate::support::cistern::in_front_of;
use crate::support::client::{ask, get};
use crate::support::origin::{Origin, status, text};
use crate::support::redis::until;

#[test]
fn many_readers_of_one_key_cost_one_request() {
    let origin = Origin::start();
    origin.answers("GET /a", text("shared").for_a_minute());
    let gate = origin.holds("GET /a");
    let cistern = in_front_of(origin.address()).start();
    let first = cistern.begin(&get("/a"));
    gate.reached();
    let waiting: Vec<_> = (0..50).map(|_| cistern.begin(&get("/a"))).collect();
    gate.open();
    for asked in waiting.into_iter().chain([first]) {
        assert_eq!(asked.finish().with_status(200).text(), "shared");
    }
    assert_eq!(origin.asked("GET /a"), 1);
}

#[test]
fn a_reader_that_leaves_stops_nothing() {
    let origin = Origin::start();
    origin.answers("GET /a", text("kept").for_a_minute());
    let gate = origin.holds("GET /a");
    let cistern = in_front_of(origin.address()).start();
    let leader = cistern.begin(&get("/a"));
    gate.reached();
    let follower = cistern.begin(&get("/a"));
    drop(leader);
    gate.open();
    assert_eq!(follower.finish().with_status(200).text(), "kept");
    // Whoever has the last byte may be faster than the store, and shares the fetch once more.
    until("it is stored", || cistern.get("/a").with_status(200).cache_status().contains("; hit"));
    assert_eq!(origin.asked("GET /a"), 1);
}

#[test]
fn readers_of_what_cannot_be_shared_do_not_queue() {
    let origin = Origin::start();
    origin.answers("GET /a", text("mine").field("Cache-Control: private"));
    let gate = origin.holds("GET /a");
    let cistern = in_front_of(origin.address()).start();
    let first = cistern.begin(&get("/a"));
    gate.reached();
    let others: Vec<_> = (0..20).map(|_| cistern.begin(&get("/a"))).collect();
    gate.open();
    first.finish().with_status(200);
    for asked in others {
        asked.finish().with_status(200).served_by_origin();
    }
    assert_eq!(origin.asked("GET /a"), 21);
}

#[test]
fn a_fetch_begun_before_a_write_brings_nothing_old_back() {
    let origin = Origin::start();
    origin.answers("GET /a", text("old").for_a_minute());
    origin.answers("PUT /a", status(204));
    let gate = origin.holds("GET /a");
    let cistern = in_front_of(origin.address()).start();
    let slow = cistern.begin(&get("/a"));
    gate.reached();
    origin.answers("GET /a", text("new").for_a_minute());
    cistern.send(&ask("PUT", "/a")).with_status(204);
    // Whoever asks now, after the write was acknowledged, must not join the fetch of before.
    assert_eq!(cistern.get("/a").with_status(200).text(), "new");
    gate.open();
    slow.finish().with_status(200);
    assert_eq!(cistern.get("/a").with_status(200).text(), "new");
}

#[test]
fn different_keys_do_not_wait_for_each_other() {
    let origin = Origin::start();
    origin.answers("GET /slow", text("slow").for_a_minute());
    let gate = origin.holds("GET /slow");
    let cistern = in_front_of(origin.address()).start();
    let slow = cistern.begin(&get("/slow"));
    gate.reached();
    for number in 0..10 {
        let target = format!("/{number}");
        origin.answers(&format!("GET {target}"), text("quick").for_a_minute());
        assert_eq!(cistern.get(&target).with_status(200).text(), "quick");
    }
    gate.open();
    assert_eq!(slow.finish().text(), "slow");
}

#[test]
fn writes_and_reads_in_turn_never_show_the_past() {
    let origin = Origin::start();
    origin.answers("PUT /a", status(204));
    let cistern = in_front_of(origin.address()).start();
    origin.answers("GET /a", text("0").for_a_minute());
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let address = cistern.address().to_owned();
            thread::spawn(move || {
                let mut newest = 0;
                while newest < 60 {
                    let seen = get("/a").to(&address).with_status(200).text();
                    let seen: u32 = seen.parse().expect("a number");
                    assert!(seen >= newest, "{seen} after {newest}");
                    newest = seen;
                }
            })
        })
        .collect();
    for turn in 1..=60 {
        origin.answers("GET /a", text(&turn.to_string()).for_a_minute());
        cistern.send(&ask("PUT", "/a")).with_status(204);
        assert_eq!(cistern.get("/a").text(), turn.to_string(), "the writer's own next read");
    }
    for reader in readers {
        reader.join().expect("no reader saw the past");
    }
}
