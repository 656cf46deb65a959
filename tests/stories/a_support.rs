//! The tools themselves: a story proves nothing if its origin or its client cannot see a fault.

use std::net::TcpListener;
use std::panic::catch_unwind;

use serde_json::json;

use crate::support::client::{Answer, ask, get};
use crate::support::origin::{Origin, text};
use crate::support::system::System;

/// What a client reads from a server that sends exactly `bytes` and closes.
fn answer_of(bytes: &'static str) -> std::thread::Result<Answer> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = [0; 4096];
        let read = std::io::Read::read(&mut stream, &mut head).unwrap();
        assert!(read > 0);
        std::io::Write::write_all(&mut stream, bytes.as_bytes()).unwrap();
    });
    let answer = catch_unwind(|| get("/").to(&address));
    server.join().unwrap();
    answer
}

#[test]
fn the_client_sees_an_incomplete_body() {
    assert!(answer_of("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc").is_err());
    assert!(
        answer_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n").is_err()
    );
    assert!(answer_of("HTTP/1.1 204 No Content\r\n\r\nabc").is_err());
}

#[test]
fn the_client_reads_chunks_and_skips_interim_answers() {
    let answer = answer_of(
        "HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\nHTTP/1.1 200 OK\r\n\
         Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n",
    );
    let answer = answer.unwrap();
    assert_eq!((answer.status, answer.text().as_str()), (200, "abcde"));
    assert_eq!(answer.get("link"), None);
}

#[test]
fn the_client_reads_cache_status() {
    let answer = answer_of(
        "HTTP/1.1 200 OK\r\nCache-Status: other; hit, cistern; hit; ttl=-3; key=\"a;stored\"; \
         detail=\"L1; rule=x\"\r\nContent-Length: 0\r\n\r\n",
    );
    let answer = answer.unwrap();
    assert!(answer.is_hit() && !answer.is_stored());
    assert_eq!(answer.ttl(), -3);
    assert_eq!(answer.key().as_deref(), Some("a;stored"));
    let missed = answer_of(
        "HTTP/1.1 200 OK\r\nCache-Status: other; hit\r\n\
         Cache-Status: cistern; fwd=uri-miss; stored\r\nContent-Length: 0\r\n\r\n",
    );
    let missed = missed.unwrap();
    assert!(missed.is_stored() && !missed.is_hit());
    assert!(catch_unwind(|| missed.served_from_store()).is_err());
}

#[test]
fn the_scripted_origin_answers_and_counts() {
    let origin = Origin::start();
    origin.answers("GET /a", text("one").field("X-A: 1"));
    let answer = get("/a").to(origin.address()).with_status(200);
    assert_eq!((answer.text().as_str(), answer.get("x-a").as_deref()), ("one", Some("1")));
    get("/b").to(origin.address()).with_status(404);
    assert_eq!((origin.asked("GET /a"), origin.asked("GET /b")), (1, 1));
}

#[test]
fn the_scripted_origin_holds_what_it_read_before() {
    let origin = Origin::start();
    origin.answers("GET /a", text("old"));
    let gate = origin.holds("GET /a");
    let address = origin.address().to_owned();
    let slow = std::thread::spawn(move || get("/a").to(&address));
    gate.reached();
    origin.answers("GET /a", text("new"));
    assert_eq!(get("/a").to(origin.address()).text(), "new");
    gate.open();
    assert_eq!(slow.join().unwrap().text(), "old");
}

#[test]
fn the_systems_keep_state_and_can_be_in_trouble() {
    let gad = System::start("gad");
    let numbers = get("/api/v1/stats/user/2").bearer("user-2");
    let before = numbers.to(gad.address()).with_status(200).json()["total_tareas"].clone();
    assert_eq!(before, json!(2));
    let task = json!({ "delegado_usuario_id": 2 });
    ask("POST", "/api/v1/tareas").bearer("admin").json(&task).to(gad.address()).with_status(201);
    assert_eq!(numbers.to(gad.address()).json()["total_tareas"], json!(3));
    get("/api/v1/stats/user/2").bearer("user-3").to(gad.address()).with_status(403);
    get("/api/v1/stats/user/2").to(gad.address()).with_status(401);
    gad.fails_with(503);
    numbers.to(gad.address()).with_status(503);
    gad.recovers();
    assert_eq!(gad.asked("GET /api/v1/stats/user/2"), 5);
    let shop = System::start("electro_isla");
    get("/api/productos/7/").to(shop.address()).with_status(200);
    get("/api/admin/estadisticas/ventas/").bearer("ana").to(shop.address()).with_status(403);
}
