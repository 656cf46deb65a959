//! Requests that may end HTTP on their connection.

use super::client::Client;
use super::service::Running;

fn asking(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
}

const NEXT: &str = "GET /next HTTP/1.1\r\nHost: h\r\n\r\n";

#[test]
fn a_granted_upgrade_passes_any_bytes() {
    let running = Running::start(1);
    let mut client = Client::connect(running.address());
    client.send(asking("/tunnel"));
    assert_eq!(client.head().status, 101);
    client.send("\0\n\rNOT HTTP \u{7f}");
    assert_eq!(client.bytes(13), "\0\n\rNOT HTTP \u{7f}");
    let long = "x".repeat(300_000);
    client.send(NEXT).send(&long).end();
    assert_eq!(client.rest(), format!("{NEXT}{long}"));
    assert_eq!(running.notes.heads(), ["GET /tunnel"]);
}

#[test]
fn bytes_sent_before_the_grant_belong_to_the_tunnel() {
    let running = Running::start(1);
    let mut client = Client::connect(running.address());
    client.send(format!("{}{NEXT}", asking("/tunnel"))).end();
    assert_eq!(client.head().status, 101);
    assert_eq!(client.rest(), NEXT);
    assert_eq!(running.notes.heads(), ["GET /tunnel"]);
}

#[test]
fn bytes_behind_a_refused_upgrade_are_http() {
    let running = Running::start(1);
    let mut client = Client::connect(running.address());
    client.send(format!("{}{NEXT}{}", asking("/a"), asking("/b")));
    assert_eq!(client.answer().body, "GET /a ");
    assert_eq!(client.answer().body, "GET /next ");
    assert_eq!(client.answer().body, "GET /b ");
    assert_eq!(client.send(NEXT).answer().body, "GET /next ");
    client.send("GET / HTTP/1.1\r\nHost : h\r\n\r\n");
    assert_eq!(client.answer().status, 400);
    assert_eq!(client.rest(), "");
    assert_eq!(running.notes.heads(), ["GET /a", "GET /next", "GET /b", "GET /next"]);
}

#[test]
fn bad_bytes_behind_a_refused_upgrade_are_refused() {
    let running = Running::start(1);
    let mut client = Client::connect(running.address());
    client.send(format!("{}\0\u{1}\u{2} not http", asking("/hold")));
    assert_eq!(running.arrived().0, "GET /hold");
    running.notes.gate.add_permits(1);
    assert_eq!(client.answer().body, "GET /hold ");
    assert_eq!(client.answer().status, 400);
    assert_eq!(client.rest(), "");
}

#[test]
fn content_of_a_request_that_asks_to_upgrade_is_content() {
    let running = Running::start(1);
    let mut client = Client::connect(running.address());
    let head = "POST /a HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: h2c\r\n";
    client.send(format!("{head}Content-Length: {}\r\n\r\n{NEXT}", NEXT.len()));
    assert_eq!(client.answer().body, format!("POST /a {NEXT}"));
    let size = NEXT.len();
    client.send(format!("{head}Transfer-Encoding: chunked\r\n\r\n{size:x}\r\n{NEXT}\r\n0\r\n\r\n"));
    assert_eq!(client.answer().body, format!("POST /a {NEXT}"));
    assert_eq!(client.send(NEXT).answer().body, "GET /next ");
}

#[test]
fn connect_that_is_refused_leaves_http() {
    let running = Running::start(1);
    let mut client = Client::connect(running.address());
    // The service answers by path and a CONNECT has none: success, so a tunnel that nobody takes.
    client.send("CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n\r\n");
    let answer = client.head();
    assert_eq!((answer.status, answer.field("content-length")), (200, String::new()));
    assert_eq!(client.rest(), "");
}

#[test]
fn http10_never_upgrades() {
    let running = Running::start(1);
    let mut client = Client::connect(running.address());
    client.send("GET /a HTTP/1.0\r\nConnection: keep-alive, upgrade\r\nUpgrade: echo\r\n\r\n");
    assert_eq!(client.answer().body, "GET /a ");
    assert_eq!(client.send(NEXT).answer().body, "GET /next ");
}

#[test]
fn a_tunnel_counts_as_a_connection_until_it_ends() {
    let running = Running::start(1);
    let mut client = Client::connect(running.address());
    client.send(asking("/tunnel"));
    assert_eq!(client.head().status, 101);
    assert_eq!(client.send("ping").bytes(4), "ping");
    assert_eq!(running.edge.connections(), 1);
    assert_eq!(client.end().rest(), "");
    running.until_empty();
}
