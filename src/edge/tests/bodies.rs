//! Request bodies, and answers that stand in some relation to them.

use std::io::ErrorKind;

use super::client::Client;
use super::service::Running;
use crate::base::limits;

const CHUNKED: &str = "POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";

#[test]
fn sound_chunks_arrive_and_the_connection_goes_on() {
    let running = Running::start(1);
    let mut client = Client::connect(running.address());
    let extension = "x".repeat(limits::CHUNK_BALLAST_BYTES_MAX - 1);
    let long = format!("1;{extension}\r\na\r\n0\r\n\r\n");
    for (chunks, body) in [
        ("0\r\n\r\n", ""),
        ("3\r\nabc\r\n0\r\n\r\n", "abc"),
        ("3\r\nabc\r\n00A\r\n0123456789\r\n000\r\n\r\n", "abc0123456789"),
        ("2;a=b;c=\"d\"\r\nxy\r\n1 ;e\r\nz\r\n0;f\r\n\r\n", "xyz"),
        ("4\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n"),
        ("1\r\na\r\n0\r\nX-Sum: 1\r\nX-Other:\r\n\r\n", "a"),
        (long.as_str(), "a"),
    ] {
        let answer = client.send(format!("{CHUNKED}{chunks}")).answer();
        assert_eq!((answer.status, answer.body), (200, format!("POST /c {body}")), "{chunks:?}");
    }
}

#[test]
fn a_body_whose_chunks_are_wrong_never_ends_well() {
    let running = Running::start(1);
    let extension = "x".repeat(limits::CHUNK_BALLAST_BYTES_MAX);
    let zeros = "0".repeat(limits::CHUNK_BALLAST_BYTES_MAX + 2);
    let bad = [
        "\r\nabc\r\n0\r\n\r\n",
        "x\r\nabc\r\n0\r\n\r\n",
        "-3\r\nabc\r\n0\r\n\r\n",
        "0x3\r\nabc\r\n0\r\n\r\n",
        " 3\r\nabc\r\n0\r\n\r\n",
        "3 \r\nabc\r\n0\r\n\r\n",
        "3\nabc\r\n0\r\n\r\n",
        "3\rabc\r\n0\r\n\r\n",
        "3\r\nabcd\r\n0\r\n\r\n",
        "3\r\nabc\n0\r\n\r\n",
        "3\r\nabc0\r\n\r\n",
        "3;a\nb\r\nabc\r\n0\r\n\r\n",
        "3;a\0b\r\nabc\r\n0\r\n\r\n",
        "3;a\rb\r\nabc\r\n0\r\n\r\n",
        "1000000000000000\r\nabc\r\n0\r\n\r\n",
        "10000000000000003\r\nabc\r\n0\r\n\r\n",
        "3\r\nabc\r\n0\n\r\n",
        "3\r\nabc\r\n0\r\n\n",
        "3\r\nabc\r\n0\r\n\rx",
        "3\r\nabc\r\n0\r\nA b\r\n\r\n",
        "3\r\nabc\r\n0\r\n: b\r\n\r\n",
        "3\r\nabc\r\n0\r\nA : b\r\n\r\n",
        "3\r\nabc\r\n0\r\nA: b\n\r\n",
        "3\r\nabc\r\n0\r\nA: b\0\r\n\r\n",
        "3\r\nabc\r\n0\r\nA: b\r\n c\r\n\r\n",
        "3\r\nabc\r\n0\r\nContent-Length: 3\r\n\r\n",
        "3\r\nabc\r\n0\r\nTRANSFER-encoding: chunked\r\n\r\n",
        "3\r\nabc\r\n0\r\nHost: other\r\n\r\n",
        &format!("3;{extension}\r\nabc\r\n0\r\n\r\n"),
        &format!("3\r\nabc\r\n0\r\nA:{extension}\r\n\r\n"),
        &format!("{zeros}\r\n\r\n"),
    ];
    for chunks in bad {
        let mut client = Client::connect(running.address());
        client.send(format!("{CHUNKED}{chunks}"));
        client.try_send(b"GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n");
        let answer = client.answer();
        assert_eq!((answer.status, answer.body.as_str()), (400, "broken"), "{chunks:?}");
        assert_eq!(client.rest(), "", "{chunks:?}");
    }
    let seen = running.notes.seen.lock().unwrap();
    assert_eq!(seen.len(), bad.len());
    for seen in &*seen {
        assert_eq!(seen.head, "POST /c");
        assert_eq!(seen.body, Some(Err(ErrorKind::InvalidData)));
    }
}

#[test]
fn a_body_that_stops_early_is_not_whole() {
    let running = Running::start(1);
    for request in [
        "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nabc",
        "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
        "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n",
    ] {
        let mut client = Client::connect(running.address());
        client.send(request).end();
        assert_eq!(client.answer().body, "broken", "{request:?}");
        assert_eq!(client.rest(), "");
    }
    for seen in &*running.notes.seen.lock().unwrap() {
        assert_eq!(seen.body, Some(Err(ErrorKind::UnexpectedEof)));
    }
}

#[test]
fn an_early_answer_is_seen_although_the_body_goes_on() {
    let running = Running::start(1);
    let mut client = Client::connect(running.address());
    client.send("POST /early HTTP/1.1\r\nHost: h\r\nContent-Length: 900000\r\n\r\n");
    client.send("a".repeat(100_000));
    let answer = client.answer();
    assert_eq!((answer.body.as_str(), answer.field("connection")), ("early", "close".to_owned()));
    // A socket that was closed with bytes unread would answer this with a reset.
    client.send("a".repeat(300_000));
    client.send("GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(client.rest(), "");
    assert_eq!(running.notes.heads(), ["POST /early"]);
}

#[test]
fn a_body_that_has_come_already_is_read_over_by_an_early_answer() {
    let running = Running::start(1);
    let mut client = Client::connect(running.address());
    client.send("POST /early HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc");
    assert_eq!(client.answer().body, "early");
    assert_eq!(client.send("GET /on HTTP/1.1\r\nHost: h\r\n\r\n").answer().body, "GET /on ");
}

#[test]
fn expect_is_answered_when_the_body_is_wanted_and_only_then() {
    let running = Running::start(1);
    let mut client = Client::connect(running.address());
    let head = |path| {
        format!(
            "POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
        )
    };
    client.send(head("/a"));
    assert_eq!(client.head().head, "HTTP/1.1 100 Continue\r\n\r\n");
    assert_eq!(client.send("abc").answer().body, "POST /a abc");
    client.send(head("/early"));
    let answer = client.answer();
    assert_eq!((answer.status, answer.body.as_str()), (200, "early"));
    assert_eq!(client.rest(), "");
}

#[test]
fn large_bodies_pass_both_ways() {
    let running = Running::start(1);
    let mut client = Client::connect(running.address());
    let body = "0123456789abcdef".repeat(64 * 1_024);
    client.send(format!("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n", body.len()));
    assert_eq!(client.send(&body).answer().body, format!("POST /a {body}"));
    let half = body.len() / 2;
    let (one, two) = body.split_at(half);
    let chunks = format!("{CHUNKED}{half:x}\r\n{one}\r\n{half:X}\r\n{two}\r\n0\r\n\r\n");
    assert_eq!(client.send(chunks).answer().body, format!("POST /c {body}"));
    let big = client.send("GET /big HTTP/1.1\r\nHost: h\r\n\r\n").answer();
    assert_eq!(big.body.len(), 8 * 1_024 * 1_024);
}

#[test]
fn answers_without_content_have_none() {
    let running = Running::start(1);
    let mut client = Client::connect(running.address());
    client.send("HEAD /length HTTP/1.1\r\nHost: h\r\n\r\nGET /empty HTTP/1.1\r\nHost: h\r\n\r\n");
    client.send("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(client.head().field("content-length"), "16");
    let empty = client.answer();
    assert_eq!((empty.status, empty.field("content-length")), (204, String::new()));
    let stream = client.answer();
    assert_eq!(stream.field("transfer-encoding"), "chunked");
    assert_eq!(stream.body, "in three parts");
    assert_eq!(stream.field("date"), "", "the service dates its answers");
}

#[test]
fn http10_is_answered_in_its_own_terms() {
    let running = Running::start(1);
    let mut client = Client::connect(running.address());
    let alive = "Connection: keep-alive\r\n\r\n";
    // Kept where the length is known and the client asked for it …
    let first = client.send(format!("GET /a HTTP/1.0\r\n{alive}")).answer();
    assert!(first.head.starts_with("HTTP/1.0 200 OK\r\n"), "{}", first.head);
    assert_eq!((first.body.as_str(), first.field("connection")), ("GET /a ", "keep-alive".into()));
    client.send(format!("GET /length HTTP/1.0\r\n{alive}"));
    assert_eq!(client.answer().field("connection"), "keep-alive");
    // … and not where only the end of the connection tells the end of the answer.
    let last = client.send(format!("GET /stream HTTP/1.0\r\n{alive}")).answer();
    assert_eq!(last.body, "in three parts");
    assert_eq!((last.field("transfer-encoding"), last.field("connection")), Default::default());
    let mut client = Client::connect(running.address());
    let plain = client.send("GET /a HTTP/1.0\r\n\r\n").answer();
    assert_eq!((plain.body.as_str(), client.rest().as_str()), ("GET /a ", ""));
    let mut client = Client::connect(running.address());
    let closing = client.send(format!("GET /closing HTTP/1.0\r\n{alive}")).answer();
    assert_eq!((closing.field("connection"), client.rest()), ("close".into(), String::new()));
}
