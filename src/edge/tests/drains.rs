//! Stopping, in good order and at once.

use std::io::ErrorKind;
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;

use super::client::Client;
use super::service::{Running, until};
use crate::base::units::Span;
use crate::edge::Drained;

const LONG: Span = Span::from_secs(3_600);

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n")
}

/// Drains on a thread of its own.
fn draining(running: &Arc<Running>, patience: Span) -> thread::JoinHandle<Drained> {
    let running = Arc::clone(running);
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(running.edge.drain(patience))
    })
}

#[test]
fn a_drain_finishes_what_is_under_way_and_closes_what_is_idle() {
    let running = Arc::new(Running::start(2));
    let mut idle = Client::connect(running.address());
    idle.send(get("/a")).answer();
    running.arrived();
    let mut silent = Client::connect(running.address());
    let mut busy = Client::connect(running.address());
    busy.send(get("/hold"));
    assert_eq!(running.arrived().0, "GET /hold");
    let drain = draining(&running, LONG);
    assert_eq!(idle.rest(), "");
    assert_eq!(silent.rest(), "");
    let refused = |error: std::io::Error| error.kind() == ErrorKind::ConnectionRefused;
    until(|| TcpStream::connect(running.address()).is_err_and(refused));
    running.notes.gate.add_permits(1);
    let last = busy.answer();
    assert_eq!((last.body.as_str(), last.field("connection")), ("GET /hold ", "close".into()));
    assert_eq!(busy.rest(), "");
    assert_eq!(drain.join().unwrap(), Drained { cut_off: 0 });
}

#[test]
fn a_drain_cuts_off_what_outlasts_its_patience() {
    let running = Arc::new(Running::start(1));
    let mut busy = Client::connect(running.address());
    busy.send(get("/hold"));
    running.arrived();
    let drain = draining(&running, Span::from_millis(1));
    assert_eq!(drain.join().unwrap(), Drained { cut_off: 1 });
    assert_eq!(busy.rest(), "");
    running.until_empty();
}

#[test]
fn a_second_word_stops_at_once() {
    let running = Arc::new(Running::start(1));
    let mut idle = Client::connect(running.address());
    idle.send(get("/a")).answer();
    running.arrived();
    let mut busy = Client::connect(running.address());
    busy.send(get("/hold"));
    running.arrived();
    let drain = draining(&running, LONG);
    // The idle one is closed: the drain has begun.
    assert_eq!(idle.rest(), "");
    running.edge.stop();
    assert_eq!(busy.rest(), "");
    drain.join().unwrap();
    running.until_empty();
}

#[test]
fn closing_ends_tunnels_and_threads() {
    let running = Running::start(2);
    let mut tunnel = Client::connect(running.address());
    tunnel.send("GET /tunnel HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: e\r\n\r\n");
    assert_eq!(tunnel.head().status, 101);
    assert_eq!(tunnel.send("ping").bytes(4), "ping");
    let mut busy = Client::connect(running.address());
    busy.send(get("/hold"));
    while running.arrived().0 != "GET /hold" {}
    running.close();
    assert_eq!((tunnel.rest().as_str(), busy.rest().as_str()), ("", ""));
}
