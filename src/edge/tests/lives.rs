//! How connections live beside each other: half-closed ones, panics, limits, the hand-over.

use std::collections::BTreeSet;

use super::client::Client;
use super::service::Running;

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n")
}

#[test]
fn a_client_may_end_its_side_and_wait() {
    let running = Running::start(1);
    let mut client = Client::connect(running.address());
    client.send(get("/a") + &get("/hold")).end();
    assert_eq!(client.answer().body, "GET /a ");
    while running.arrived().0 != "GET /hold" {}
    running.notes.gate.add_permits(1);
    assert!(client.rest().ends_with("GET /hold "));
}

#[test]
fn a_head_that_never_ends_is_dropped_with_its_connection() {
    let running = Running::start(1);
    let mut client = Client::connect(running.address());
    client.send("GET /a HTTP/1.1\r\nHost: h\r\n").end();
    assert_eq!(client.rest(), "");
    assert_eq!(running.notes.heads(), [""; 0]);
    running.until_empty();
}

#[test]
fn the_peer_is_who_it_says() {
    let running = Running::start(1);
    let mut client = Client::connect(running.address());
    client.send(get("/a")).answer();
    let (_, peer, _) = running.arrived();
    assert_eq!((peer.address, peer.local), (client.address(), running.address()));
    assert_eq!(peer.connection, 1);
    Client::connect(running.address()).send(get("/a")).answer();
    assert_eq!(running.arrived().1.connection, 2);
}

#[test]
fn a_panic_ends_its_connection_and_nothing_else() {
    let running = Running::start(1);
    let mut other = Client::connect(running.address());
    other.send(get("/hold"));
    assert_eq!(running.arrived().0, "GET /hold");
    let mut client = Client::connect(running.address());
    assert_eq!(client.send(get("/panic")).rest(), "");
    running.notes.gate.add_permits(1);
    assert_eq!(other.answer().body, "GET /hold ");
    assert_eq!(other.send(get("/a")).answer().body, "GET /a ");
    assert_eq!(*running.notes.panics.lock().unwrap(), ["as told"]);
}

#[test]
fn connections_go_where_the_fewest_are() {
    const WORKERS: usize = 3;
    let running = Running::start(WORKERS);
    let mut clients = Vec::new();
    let mut places = Vec::new();
    for _ in 0..3 * WORKERS {
        let mut client = Client::connect(running.address());
        client.send(get("/a")).answer();
        places.push(running.arrived().2);
        clients.push(client);
    }
    assert_eq!(running.edge.loads(), [3; WORKERS]);
    // One worker loses all that it has; the next three are its own.
    let emptied = *places.first().unwrap();
    let mut kept = Vec::new();
    for (mut client, place) in clients.into_iter().zip(places) {
        if place == emptied {
            assert_eq!(client.end().rest(), "");
        } else {
            kept.push(client);
        }
    }
    running.until_left(2 * WORKERS);
    for _ in 0..3 {
        let mut client = Client::connect(running.address());
        client.send(get("/a")).answer();
        assert_eq!(running.arrived().2, emptied);
        kept.push(client);
    }
}

#[test]
fn connections_that_come_and_go_do_not_all_fall_to_one_worker() {
    let running = Running::start(2);
    let mut places = BTreeSet::new();
    for left in 1..=8 {
        let mut client = Client::connect(running.address());
        client.send(get("/closing")).rest();
        places.insert(running.arrived().2);
        drop(client);
        running.until_empty();
        assert!(left < 8 || places.len() == 2);
    }
}

#[test]
fn a_connection_above_the_limit_is_told_so() {
    let running = Running::limited(1, 2);
    let mut clients = [Client::connect(running.address()), Client::connect(running.address())];
    for client in &mut clients {
        client.send(get("/a")).answer();
    }
    let mut third = Client::connect(running.address());
    let answer = third.send(get("/b")).answer();
    assert_eq!((answer.status, answer.field("retry-after")), (503, "1".into()));
    assert_eq!(third.end().rest(), "");
    let [first, _second] = &mut clients;
    assert_eq!(first.end().rest(), "");
    running.until_left(1);
    let mut fourth = Client::connect(running.address());
    assert_eq!(fourth.send(get("/c")).answer().status, 200);
    assert_eq!(running.notes.heads(), ["GET /a", "GET /a", "GET /c"]);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let running = Running::start(1);
    let mut client = Client::connect(running.address());
    let all: String = (0..100).map(|n| get(&format!("/{n}"))).collect();
    client.send(all);
    for n in 0..100 {
        assert_eq!(client.answer().body, format!("GET /{n} "));
    }
}

#[test]
fn both_families_are_served() {
    let running = Running::bound(&["127.0.0.1:0", "[::1]:0"]);
    for address in running.edge.addresses().to_vec() {
        let mut client = Client::connect(address);
        assert_eq!(client.send(get("/a")).answer().status, 200);
        assert_eq!(running.arrived().1.local, address);
    }
}
