//! How bodies end: in order, with trailers, with their connection, or not at all.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::support::PATIENCE;
use crate::support::cistern::in_front_of;
use crate::support::client::get;
use crate::support::stage::{Stage, chunk, head_of, message};
use crate::support::wire::Wire;

const MINUTE: &str = "Cache-Control: max-age=60";
const CHUNKED: &str = "Transfer-Encoding: chunked";

#[test]
fn an_answer_that_breaks_off_at_once_still_shows_what_came() {
    let stage = Stage::start();
    let cistern = in_front_of(stage.address()).start();
    for keeping in [MINUTE, "Cache-Control: no-store"] {
        for framing in ["Content-Length: 8", CHUNKED] {
            let mut reader = Wire::asking(cistern.address(), "GET /a", &[]);
            let mut scene = stage.expects("GET /a");
            let piece = if framing == CHUNKED { "4\r\nhalf\r\n" } else { "half" };
            scene.says(format!("{}{piece}", head_of(200, &[keeping, framing])));
            scene.hangs_up();
            let head = reader.head();
            assert_eq!(head.status, 200, "{keeping} {framing}");
            assert_eq!(reader.rest(&head, 0).cut(), b"half", "{keeping} {framing}");
        }
    }
}

#[test]
fn bodies_without_a_length_keep_their_trailers_where_nothing_is_kept() {
    let stage = Stage::start();
    let cistern = in_front_of(stage.address()).start();
    let mut reader = Wire::asking(cistern.address(), "GET /a", &["TE: trailers"]);
    let lines = ["Cache-Control: no-store", CHUNKED, "Trailer: X-Sum"];
    let mut scene = stage.expects("GET /a");
    assert_eq!(scene.field("te"), Some("trailers"));
    scene.says(head_of(200, &lines)).says(chunk(b"body"));
    scene.answers("0\r\nX-Sum: 7\r\n\r\n");
    assert_eq!((reader.head().status, reader.chunk()), (200, Some(b"body".to_vec())));
    assert_eq!(reader.chunk(), Some(Vec::new()));
    let trailers = reader.trailers().expect("a proper end");
    assert!(trailers.iter().any(|line| line.eq_ignore_ascii_case("x-sum: 7")), "{trailers:?}");
}

#[test]
fn trailers_go_to_all_who_read_along_and_to_no_hit() {
    let stage = Stage::start();
    let cistern = in_front_of(stage.address()).start();
    let takes = ["TE: trailers"];
    let mut leader = Wire::asking(cistern.address(), "GET /a", &takes);
    let mut scene = stage.expects("GET /a");
    assert_eq!(scene.field("te"), Some("trailers"));
    let keeping = "Cache-Control: max-age=60, private=\"x-own\"";
    let lines = [keeping, CHUNKED, "Trailer: X-Sum, X-Own"];
    scene.says(head_of(200, &lines)).says(chunk(b"body"));
    let mut joined = Wire::asking(cistern.address(), "GET /a", &takes);
    let mut plain = Wire::asking(cistern.address(), "GET /a", &[]);
    for (reader, told) in [(&mut leader, "X-Sum, X-Own"), (&mut joined, "X-Sum")] {
        assert_eq!(reader.head().field("trailer"), Some(told));
    }
    plain.head();
    for reader in [&mut leader, &mut joined, &mut plain] {
        assert_eq!(reader.chunk().as_deref(), Some(&b"body"[..]));
    }
    scene.answers("0\r\nX-Sum: 7\r\nX-Own: me\r\nX-Unsaid: 1\r\n\r\n");
    // What the origin reserves for one client stays with that one; what a client cannot take, or
    // the origin did not announce, ends here.
    for (reader, told) in [
        (&mut leader, &["x-sum: 7", "x-own: me"][..]),
        (&mut joined, &["x-sum: 7"]),
        (&mut plain, &[]),
    ] {
        assert_eq!(reader.chunk(), Some(Vec::new()));
        assert_eq!(reader.trailers().expect("a proper end"), told);
    }
    let hit = cistern.send(&get("/a").header("TE", "trailers")).served_from_store();
    assert_eq!((hit.text().as_str(), hit.get("trailer"), hit.get("x-sum")), ("body", None, None));
    stage.was_asked_no_more();
}

#[test]
fn an_answer_that_ends_with_its_connection_is_whole_and_kept() {
    let stage = Stage::start();
    let cistern = in_front_of(stage.address()).start();
    let asked = cistern.begin(&get("/a"));
    let mut scene = stage.expects("GET /a");
    scene.says(head_of(200, &[MINUTE])).says("until the end");
    scene.hangs_up();
    assert_eq!(asked.finish().with_status(200).text(), "until the end");
    let hit = cistern.get("/a").served_from_store();
    assert_eq!(
        (hit.text().as_str(), hit.get("content-length").as_deref()),
        ("until the end", Some("13"))
    );
}

#[test]
fn a_reset_is_no_end_of_an_answer_without_a_length() {
    let stage = Stage::start();
    let cistern = in_front_of(stage.address()).start();
    for version in ["1.1", "1.0"] {
        for keeping in [MINUTE, "Cache-Control: no-store"] {
            let mut reader = Wire::asking(cistern.address(), "GET /a", &[]);
            let mut scene = stage.expects("GET /a");
            let head = head_of(200, &[keeping]).replace("HTTP/1.1", &format!("HTTP/{version}"));
            scene.says(format!("{head}perhaps all"));
            let head = reader.head();
            assert_eq!(reader.chunk().as_deref(), Some(&b"perhaps all"[..]));
            scene.resets();
            assert_eq!(reader.rest(&head, 0).cut(), b"", "HTTP/{version} {keeping}");
        }
    }
    let asked = cistern.begin(&get("/a"));
    stage.expects("GET /a").answers(message(200, &[MINUTE], "all"));
    assert_eq!(asked.finish().served_by_origin().text(), "all");
}

#[test]
fn an_old_client_sees_that_an_answer_without_a_length_broke_off() {
    let stage = Stage::start();
    let cistern = in_front_of(stage.address()).start();
    for breaks in [false, true] {
        let mut old = TcpStream::connect(cistern.address()).unwrap();
        old.set_read_timeout(Some(PATIENCE)).unwrap();
        old.write_all(b"GET /a HTTP/1.0\r\n\r\n").unwrap();
        let mut scene = stage.expects("GET /a");
        scene.says(head_of(200, &[CHUNKED, "Cache-Control: no-store"])).says(chunk(b"some"));
        let mut got = Vec::new();
        let mut piece = [0; 4_096];
        while !got.ends_with(b"some") {
            let count = old.read(&mut piece).expect("what came is passed on");
            got.extend_from_slice(&piece[..count]);
        }
        if breaks {
            scene.hangs_up();
            let end = old.read(&mut piece).expect_err("no end in order");
            assert_eq!(end.kind(), std::io::ErrorKind::ConnectionReset);
        } else {
            scene.answers(chunk(b""));
            assert_eq!(old.read(&mut piece).expect("an end in order"), 0);
        }
    }
}
