//! Heads that are refused, and odd ones that are not.

use super::client::Client;
use super::service::{Running, until};
use crate::base::limits;

const H: &str = "Host: h\r\n";

/// Bad heads and a word of the reason each is refused for. `{H}` stands for a good Host line.
const BAD: &[(&str, &str)] = &[
    // Framing.
    ("POST / HTTP/1.1\r\n{H}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", "both"),
    ("POST / HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", "both"),
    ("POST / HTTP/1.1\r\n{H}Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n", "both"),
    (
        "POST / HTTP/1.1\r\n{H}Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
        "several Content-L",
    ),
    (
        "POST / HTTP/1.1\r\n{H}Content-Length: 3\r\ncontent-length: 4\r\n\r\nabc",
        "several Content-L",
    ),
    ("POST / HTTP/1.1\r\n{H}Content-Length: 3, 3\r\n\r\nabc", "decimal"),
    ("POST / HTTP/1.1\r\n{H}Content-Length: +3\r\n\r\nabc", "decimal"),
    ("POST / HTTP/1.1\r\n{H}Content-Length: -3\r\n\r\nabc", "decimal"),
    ("POST / HTTP/1.1\r\n{H}Content-Length: 0x3\r\n\r\nabc", "decimal"),
    ("POST / HTTP/1.1\r\n{H}Content-Length: 3 3\r\n\r\nabc", "decimal"),
    ("POST / HTTP/1.1\r\n{H}Content-Length:\r\n\r\nabc", "decimal"),
    ("POST / HTTP/1.1\r\n{H}Content-Length: 3;\r\n\r\nabc", "decimal"),
    ("POST / HTTP/1.1\r\n{H}Content-Length: \"3\"\r\n\r\nabc", "decimal"),
    ("POST / HTTP/1.1\r\n{H}Content-Length: 9223372036854775808\r\n\r\n", "decimal"),
    ("POST / HTTP/1.1\r\n{H}Content-Length: 18446744073709551617\r\n\r\n", "decimal"),
    ("POST / HTTP/1.1\r\n{H}Transfer-Encoding: gzip, chunked\r\n\r\n", "coding"),
    ("POST / HTTP/1.1\r\n{H}Transfer-Encoding: chunked, chunked\r\n\r\n", "coding"),
    ("POST / HTTP/1.1\r\n{H}Transfer-Encoding: chunked, identity\r\n\r\n", "coding"),
    ("POST / HTTP/1.1\r\n{H}Transfer-Encoding: identity\r\n\r\n", "coding"),
    ("POST / HTTP/1.1\r\n{H}Transfer-Encoding: xchunked\r\n\r\n", "coding"),
    ("POST / HTTP/1.1\r\n{H}Transfer-Encoding: \"chunked\"\r\n\r\n", "coding"),
    ("POST / HTTP/1.1\r\n{H}Transfer-Encoding: chunked;q=1\r\n\r\n", "coding"),
    ("POST / HTTP/1.1\r\n{H}Transfer-Encoding:\r\n\r\n", "coding"),
    ("POST / HTTP/1.1\r\n{H}Transfer-Encoding: chunked,\r\n\r\n", "coding"),
    ("POST / HTTP/1.1\r\n{H}Transfer-Encoding: \u{b}chunked\r\n\r\n", "control"),
    (
        "POST / HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        "several Transfer",
    ),
    ("POST / HTTP/1.0\r\n{H}Transfer-Encoding: chunked\r\n\r\n", "HTTP/1.0"),
    ("CONNECT h:80 HTTP/1.1\r\n{H}Content-Length: 3\r\n\r\nabc", "CONNECT"),
    ("CONNECT h:80 HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n", "CONNECT"),
    // Lines.
    ("GET / HTTP/1.1\n{H}\r\n", "LF alone"),
    ("GET / HTTP/1.1\r\nHost: h\n\r\n", "LF alone"),
    ("GET / HTTP/1.1\r\n{H}\n", "LF alone"),
    ("\nGET / HTTP/1.1\r\n{H}\r\n", "LF alone"),
    ("GET / HTTP/1.1\r\n{H}A: b\rc\r\n\r\n", "control"),
    ("GET / HTTP/1.1\r\n{H}A: b\r\r\n\r\n", "control"),
    ("GET / HTTP/1.1\r\n{H}A: b\0c\r\n\r\n", "control"),
    ("GET / HTTP/1.1\r\n{H}A: b\u{1}c\r\n\r\n", "control"),
    ("GET / HTTP/1.1\r\n{H}A: b\u{7f}c\r\n\r\n", "control"),
    ("GET / HTTP/1.1\r\n{H}A: b\u{1b}[1m\r\n\r\n", "control"),
    ("GET / HTTP/1.1\r\n{H}A: b\r\n c\r\n\r\n", "folded"),
    ("GET / HTTP/1.1\r\n{H}A: b\r\n\tc\r\n\r\n", "folded"),
    ("GET / HTTP/1.1\r\n A: b\r\n{H}\r\n", "folded"),
    ("GET / HTTP/1.1\r\n{H} \r\n\r\n", "folded"),
    ("GET / HTTP/1.1\r\n{H}A : b\r\n\r\n", "colon"),
    ("GET / HTTP/1.1\r\n{H}A\t: b\r\n\r\n", "colon"),
    ("POST / HTTP/1.1\r\n{H}Content-Length : 3\r\n\r\nabc", "colon"),
    ("GET / HTTP/1.1\r\n{H}: b\r\n\r\n", "name"),
    ("GET / HTTP/1.1\r\n{H}novalue\r\n\r\n", "name"),
    ("GET / HTTP/1.1\r\n{H}A(b): c\r\n\r\n", "name"),
    ("GET / HTTP/1.1\r\n{H}\u{e9}: c\r\n\r\n", "name"),
    ("GET / HTTP/1.1\r\n{H}A\0: c\r\n\r\n", "name"),
    // Hosts.
    ("GET / HTTP/1.1\r\n\r\n", "missing"),
    ("GET http://h/ HTTP/1.1\r\n\r\n", "missing"),
    ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "several Host"),
    ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "several Host"),
    ("GET / HTTP/1.0\r\nHost: a\r\nhost: b\r\n\r\n", "several Host"),
    ("GET / HTTP/1.1\r\nHost: u@h\r\n\r\n", "user"),
    ("GET / HTTP/1.1\r\nHost: u:p@h\r\n\r\n", "user"),
    ("GET / HTTP/1.1\r\nHost:\r\n\r\n", "host"),
    ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "host"),
    ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "host"),
    ("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", "host"),
    ("GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", "host"),
    ("GET / HTTP/1.1\r\nHost: a:80:80\r\n\r\n", "host"),
    ("GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n", "host"),
    ("GET / HTTP/1.1\r\nHost: a%2eb\r\n\r\n", "host"),
    ("GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", "host"),
    ("GET / HTTP/1.1\r\nHost: [1.2.3.4]\r\n\r\n", "host"),
    ("GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n", "host"),
    ("GET / HTTP/1.1\r\nHost: :80\r\n\r\n", "host"),
    // Request lines.
    ("GET  / HTTP/1.1\r\n{H}\r\n", "request line"),
    ("GET /  HTTP/1.1\r\n{H}\r\n", "request line"),
    ("GET / HTTP/1.1 \r\n{H}\r\n", "request line"),
    ("GET /a b HTTP/1.1\r\n{H}\r\n", "request line"),
    ("GET /\r\n{H}\r\n", "request line"),
    ("GET\r\n{H}\r\n", "request line"),
    ("GET\t/ HTTP/1.1\r\n{H}\r\n", "method"),
    (" GET / HTTP/1.1\r\n{H}\r\n", "method"),
    ("G(T / HTTP/1.1\r\n{H}\r\n", "method"),
    ("\r\n\r\n\r\nGET / HTTP/1.1\r\n{H}\r\n", "request line"),
    ("\rGET / HTTP/1.1\r\n{H}\r\n", "control"),
    ("GET / HTTP/1.2\r\n{H}\r\n", "version"),
    ("GET / HTTP/2.0\r\n{H}\r\n", "version"),
    ("GET / HTTP/0.9\r\n{H}\r\n", "version"),
    ("GET / http/1.1\r\n{H}\r\n", "version"),
    ("GET / HTTP/1.1\r\r\n{H}\r\n", "version"),
    ("GET / HTTP/11\r\n{H}\r\n", "version"),
    ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "version"),
    ("GET /a#b HTTP/1.1\r\n{H}\r\n", "fragment"),
    ("GET http://h/a#b HTTP/1.1\r\n{H}\r\n", "fragment"),
    ("GET /a\0b HTTP/1.1\r\n{H}\r\n", "percent"),
    ("GET /a\tb HTTP/1.1\r\n{H}\r\n", "percent"),
    ("GET /<script> HTTP/1.1\r\n{H}\r\n", "percent"),
    ("GET path HTTP/1.1\r\n{H}\r\n", "forms"),
    ("GET * HTTP/1.1\r\n{H}\r\n", "forms"),
    ("GET ftp://h/ HTTP/1.1\r\n{H}\r\n", "forms"),
    ("GET h:80 HTTP/1.1\r\n{H}\r\n", "forms"),
    ("GET http:///a HTTP/1.1\r\n{H}\r\n", "host"),
    ("GET http://u@h/a HTTP/1.1\r\n{H}\r\n", "user"),
    ("GET http://a,b/ HTTP/1.1\r\n{H}\r\n", "host"),
    ("CONNECT / HTTP/1.1\r\n{H}\r\n", "forms"),
    ("CONNECT h HTTP/1.1\r\n{H}\r\n", "forms"),
    ("CONNECT h: HTTP/1.1\r\n{H}\r\n", "forms"),
    ("\u{16}\u{3}\u{1}\u{2}\0\u{1}", "method"),
];

#[test]
fn a_bad_head_gets_400_and_a_closed_connection_and_reaches_nobody() {
    let running = Running::start(1);
    assert!(BAD.len() >= 60);
    for (head, word) in BAD {
        let head = head.replace("{H}", H);
        let mut client = Client::connect(running.address());
        // What follows must not be read as a request either.
        client.send(&head).try_send(b"GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n");
        let answer = client.answer();
        assert_eq!(answer.status, 400, "{head:?}");
        assert!(answer.body.contains(word), "{head:?}: {}", answer.body);
        assert_eq!(answer.field("content-type"), "application/problem+json");
        assert_eq!(answer.field("connection"), "close", "{head:?}");
        assert_eq!(answer.field("cache-status"), "cistern; detail=\"bad-request\"");
        assert!(!answer.field("date").is_empty());
        assert_eq!(client.rest(), "", "{head:?}");
    }
    assert_eq!(running.notes.heads(), [""; 0]);
    // The last one is told of when its connection has closed on the other side.
    until(|| running.notes.refused.lock().unwrap().len() == BAD.len());
}

#[test]
fn heads_beyond_the_limits_are_told_which() {
    let running = Running::start(1);
    let lines = |count: usize| "a: b\r\n".repeat(count);
    let long = |bytes: usize| "x".repeat(bytes);
    let target = limits::TARGET_BYTES_MAX;
    let cases = [
        (format!("GET /{} HTTP/1.1\r\n{H}\r\n", long(target)), 414),
        (format!("GET /{}", long(target + 1_000)), 414),
        (format!("GET / HTTP/1.1\r\n{H}{}\r\n", lines(limits::HEAD_LINES_MAX)), 431),
        (format!("GET / HTTP/1.1\r\n{H}a: {}\r\n\r\n", long(limits::HEAD_BYTES_MAX)), 431),
        (format!("GET / HTTP/1.1\r\n{H}a: {}", long(limits::HEAD_BYTES_MAX)), 431),
        (long(limits::HEAD_BYTES_MAX + 1), 414),
    ];
    for (head, status) in cases {
        let mut client = Client::connect(running.address());
        client.try_send(head.as_bytes());
        let answer = client.answer();
        assert_eq!((answer.status, client.rest().as_str()), (status, ""));
    }
    assert_eq!(running.notes.heads(), [""; 0]);
}

#[test]
fn heads_at_the_limits_pass() {
    let running = Running::start(1);
    let fields = "a: b\r\n".repeat(limits::HEAD_LINES_MAX - 1);
    let target = "x".repeat(limits::TARGET_BYTES_MAX - 1);
    let around = "GET / HTTP/1.1\r\nHost: h\r\na: \r\n\r\n".len();
    let value = "x".repeat(limits::HEAD_BYTES_MAX - around);
    for head in [
        format!("GET / HTTP/1.1\r\n{H}{fields}\r\n"),
        format!("GET /{target} HTTP/1.1\r\n{H}\r\n"),
        format!("GET / HTTP/1.1\r\n{H}a: {value}\r\n\r\n"),
    ] {
        let mut client = Client::connect(running.address());
        assert_eq!(client.send(head).answer().status, 200);
    }
}

#[test]
fn odd_heads_that_are_sound_pass_as_they_are() {
    let running = Running::start(1);
    let mut client = Client::connect(running.address());
    for (head, body) in [
        ("GET / HTTP/1.1\r\nhOsT: h\r\n\r\n", "GET / "),
        ("\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", "GET / "),
        ("\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", "GET / "),
        ("GET / HTTP/1.1\r\nHost:h:80\r\n\r\n", "GET / "),
        ("GET / HTTP/1.1\r\nHost: \t [::1]:8080 \t \r\n\r\n", "GET / "),
        ("GET / HTTP/1.1\r\nHost: h:\r\n\r\n", "GET / "),
        ("GET / HTTP/1.1\r\nHost: h\r\nEmpty:\r\n\r\n", "GET / "),
        ("GET / HTTP/1.1\r\nHost: h\r\nA: \u{e9}\t\"x\"\r\n\r\n", "GET / "),
        ("GET /\u{e9}?q=\u{e9} HTTP/1.1\r\nHost: h\r\n\r\n", "GET /\u{e9}?q=\u{e9} "),
        ("GET / HTTP/1.1\r\nHost: h\r\nA: b:c\r\n!#$%&'*+-.^_`|~: d\r\n\r\n", "GET / "),
        (
            "GET //a/../b;c?d=%2f&e=[1]|{2}`\\ HTTP/1.1\r\nHost: h\r\n\r\n",
            "GET //a/../b;c?d=%2f&e=[1]|{2}`\\ ",
        ),
        ("GET /{\"a\"}?? HTTP/1.1\r\nHost: h\r\n\r\n", "GET /{\"a\"}?? "),
        ("GET http://other:1/x?y HTTP/1.1\r\nHost: h\r\n\r\n", "GET http://other:1/x?y "),
        ("GET HTTP://other HTTP/1.1\r\nHost: h\r\n\r\n", "GET http://other/ "),
        ("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", "OPTIONS * "),
        ("B-R.E_W! / HTTP/1.1\r\nHost: h\r\n\r\n", "B-R.E_W! / "),
        ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0003\r\n\r\nabc", "POST / abc"),
        ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", "POST / "),
        ("GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc", "GET / abc"),
        ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding:\tChunked \r\n\r\n0\r\n\r\n", "POST / "),
    ] {
        let answer = client.send(head).answer();
        assert_eq!((answer.status, answer.body.as_str()), (200, body), "{head:?}");
    }
}

#[test]
fn answers_before_a_bad_head_are_finished_first() {
    let running = Running::start(1);
    let mut client = Client::connect(running.address());
    let good = "GET /hold HTTP/1.1\r\nHost: h\r\n\r\nGET /two HTTP/1.1\r\nHost: h\r\n\r\n";
    client.send(format!("{good}GET / HTTP/1.1\r\nHost : h\r\n\r\nGET /three HTTP/1.1\r\n"));
    assert_eq!(running.arrived().0, "GET /hold");
    running.notes.gate.add_permits(1);
    assert_eq!(client.answer().body, "GET /hold ");
    assert_eq!(client.answer().body, "GET /two ");
    assert_eq!(client.answer().status, 400);
    assert_eq!(client.rest(), "");
    assert_eq!(running.notes.heads(), ["GET /hold", "GET /two"]);
}

#[test]
fn nothing_is_added_to_an_answer_that_closes() {
    let running = Running::start(1);
    for (request, end) in [
        // The end of the connection is the end of the answer here.
        ("GET /stream HTTP/1.0\r\n\r\n", "in three parts"),
        ("GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "GET /a "),
        ("GET /closing HTTP/1.1\r\nHost: h\r\n\r\n", "bye"),
    ] {
        let mut client = Client::connect(running.address());
        client.send(format!("{request}NOT HTTP\n\n")).end();
        let all = client.rest();
        assert!(all.ends_with(end) && all.matches("HTTP/1.").count() == 1, "{all}");
    }
}
