//! HTTP/2 towards clients: what it answers is what HTTP/1.1 answers, what it forbids does not come
//! through, and one client's harm is nobody else's.

use std::fs;
use std::process::Command;

use crate::support::cistern::{Cistern, Setup, in_front_of};
use crate::support::client::get;
use crate::support::curl::{Curl, Said, port};
use crate::support::frames::{
    self, ACK, DATA, END_HEADERS, END_STREAM, Frames, GOAWAY, HEADERS, INITIAL_WINDOW_SIZE,
    INTERNAL_ERROR, NO_ERROR, PING, PROTOCOL_ERROR, RST_STREAM, SETTINGS, WINDOW_UPDATE, block,
    frame,
};
use crate::support::origin::{Origin, status, text};
use crate::support::redis::until;
use crate::support::stage::{Stage, chunk, head_of, message};
use crate::support::tls::Authority;

/// Under TLS, where HTTP/2 is agreed on, and in clear, where a listener allows it.
const BOTH: &str = "[[listen]]\naddress = \"127.0.0.1:0\"\nhttp2 = true\n\
                    [[listen]]\naddress = \"127.0.0.1:0\"\n\
                    tls = { cert = \"site.pem\", key = \"site.key\" }\n";

fn both(origin: &str) -> (Setup, Curl) {
    let authority = Authority::make();
    let setup = in_front_of(origin).listening(BOTH);
    authority.issues(&["shop.example"]).write(setup.folder(), "site");
    let ca = setup.folder().join("ca.pem");
    authority.write(&ca);
    (setup, Curl::believing(&ca))
}

/// What curl is told for each of four ways, and the URL: HTTP/1.1 and HTTP/2, under TLS and in
/// clear.
fn ways(node: &Cistern, target: &str) -> [(&'static str, String, &'static str); 4] {
    let [clear, tls] = node.addresses()[..] else { panic!("two listeners") };
    let clear = format!("http://shop.example:{}{target}", port(clear));
    let tls = format!("https://shop.example:{}{target}", port(tls));
    [
        ("--http1.1", clear.clone(), "1.1"),
        ("--http2-prior-knowledge", clear, "2"),
        ("--http1.1", tls.clone(), "1.1"),
        ("--http2", tls, "2"),
    ]
}

/// The fields that do not differ from answer to answer, sorted.
fn lasting(said: &Said) -> Vec<String> {
    let passing = ["date", "age", "cache-status", "connection", "transfer-encoding"];
    let mut lines: Vec<_> = said
        .head
        .lines()
        .skip(1)
        .filter(|line| !passing.contains(&line.split(':').next().unwrap()))
        .map(str::to_owned)
        .collect();
    lines.sort();
    lines
}

#[test]
fn every_way_gets_the_same_answers() {
    let origin = Origin::start();
    let long = "0123456789".repeat(30_000);
    origin
        .answers("GET /a", text("hello").for_a_minute().field("Set-Cookie: x=1").field("X-B: 2"))
        .answers("GET /long", text(&long).for_a_minute())
        .answers("HEAD /head", text("").field("X-H: 1"))
        .answers("POST /form", text("taken").field("X-P: 1"))
        .answers("DELETE /a", status(204));
    let (setup, curl) = both(origin.address());
    let node = setup.start();
    let cases: [(&str, &[&str], u16); 8] = [
        ("/a", &[], 200),
        ("/a", &[], 200),
        ("/long", &[], 200),
        ("/long", &["-r", "5-9,20-29"], 206),
        ("/head", &["-I"], 200),
        ("/form", &["--data-binary", "@large"], 200),
        ("/a", &["-X", "DELETE"], 204),
        ("/nowhere", &[], 404),
    ];
    let large = node.file("large");
    fs::write(&large, &long).unwrap();
    let upload = format!("@{}", large.display());
    for (target, words, status) in cases {
        let mut first: Option<(Vec<String>, Vec<u8>)> = None;
        for (way, url, version) in ways(&node, target) {
            let words = words.iter().map(|word| if *word == "@large" { &upload } else { *word });
            let words: Vec<&str> = [way, &url].into_iter().chain(words).collect();
            let said = curl.says(&words).with_status(status);
            assert_eq!(said.version, version, "{words:?}");
            let seen = (lasting(&said), said.body);
            let first = first.get_or_insert_with(|| seen.clone());
            // Parts are held apart by a boundary that is made anew.
            if status != 206 {
                assert_eq!(*first, seen, "{words:?}");
            }
        }
    }
    assert!(origin.last("POST /form").contains("via: 2.0 cistern"));
    // Each way in is one site for HTTP/1.1 and HTTP/2 together.
    assert_eq!(origin.asked("GET /long"), 2);
}

#[test]
fn http_1_is_spoken_too_and_each_listener_says_which() {
    let origin = Origin::start();
    origin.answers("GET /a", text("hello"));
    let (setup, _) = both(origin.address());
    let node = setup.start();
    // On a listener in clear that allows HTTP/2, HTTP/1.1 goes on as before.
    get("/a").host("shop.example").to(node.address()).with_status(200);
    let settings = BOTH.replace("http2 = true\n", "") + "http2 = false\n";
    let setup = in_front_of(origin.address()).listening(&settings);
    let authority = Authority::make();
    authority.issues(&["shop.example"]).write(setup.folder(), "site");
    let ca = setup.folder().join("ca.pem");
    authority.write(&ca);
    let (node, curl) = (setup.start(), Curl::believing(&ca));
    let [_, (clear, at, _), _, (tls, url, _)] = ways(&node, "/a");
    assert_eq!(curl.says(&[tls, &url]).with_status(200).version, "1.1");
    let refused = curl.says(&[clear, &at]);
    assert!(refused.code != 0, "the preface is no request of HTTP/1.1: {refused:?}");
}

#[test]
fn what_comes_reaches_the_origin_in_the_shape_of_http_1() {
    let origin = Origin::start();
    origin.answers("GET /a", text("hello"));
    let (setup, _) = both(origin.address());
    let node = setup.start();
    let mut client = Frames::greet(node.address(), &[]);
    let more = [("cookie", "a=1"), ("te", "trailers"), ("cookie", "b=2"), ("x-mine", "yes")];
    client.asks(1, &[frames::get("Shop.example", "/a"), more.to_vec()].concat());
    let heard = client.hear(1);
    assert_eq!((heard.status, &*heard.body), (200, &b"hello"[..]));
    let head = origin.last("GET /a");
    for line in ["host: shop.example", "cookie: a=1; b=2", "x-mine: yes", "via: 2.0 cistern"] {
        assert_eq!(head.lines().filter(|one| *one == line).count(), 1, "{line}: {head}");
    }
    assert!(!head.contains(":authority") && !head.contains("transfer-encoding"), "{head}");
    let line =
        || node.said().lines().find(|line| line.contains("\"path\":\"/a\"")).map(str::to_owned);
    until("the access log tells", || line().is_some());
    assert!(line().unwrap().contains("\"http\":\"2\""), "{:?}", line());
}

#[test]
fn what_http_2_forbids_does_not_come_through() {
    let origin = Origin::start();
    origin.answers("GET /a", text("hello"));
    let (setup, _) = both(origin.address());
    let node = setup.start();
    let ask = |fields: &[(&str, &str)]| {
        let mut client = Frames::greet(node.address(), &[]);
        client.asks(1, fields);
        client.hear(1)
    };
    let good = || frames::get("shop.example", "/a");
    let with = |name, value| [good(), vec![(name, value)]].concat();
    let without = |name| good().into_iter().filter(|(one, _)| *one != name).collect::<Vec<_>>();
    // The library breaks off what is malformed (RFC 9113, 8.1.1).
    let reset = [
        without(":method"),
        without(":scheme"),
        without(":path"),
        with(":path", "/b"),
        with(":status", "200"),
        with(":unknown", "1"),
        with("X-Upper", "1"),
        with("x y", "1"),
        with("x", "a\r\nb: c"),
        with("x", "a\0b"),
        with("connection", "close"),
        with("keep-alive", "1"),
        with("proxy-connection", "x"),
        with("transfer-encoding", "chunked"),
        with("upgrade", "websocket"),
        with("te", "gzip"),
        with("content-length", "3"),
        [vec![("x", "1")], good()].concat(),
        [without(":path"), vec![(":path", "")]].concat(),
    ];
    for fields in reset {
        let heard = ask(&fields);
        let broken = heard.reset == Some(PROTOCOL_ERROR) || (heard.status == 0 && !heard.whole);
        assert!(broken, "{fields:?}: {heard:?}");
    }
    // What could be read in two ways is answered, as in HTTP/1.1.
    let refused = [
        (with("host", "other.example"), "the Host field and :authority differ"),
        (without(":authority"), "the Host field is missing"),
        (with("x", " padded"), "begins or ends with white space"),
        ([without(":path"), vec![(":path", "a")]].concat(), ""),
        ([without(":path"), vec![(":path", "/a b")]].concat(), ""),
        (
            [without(":authority"), vec![(":authority", "me@shop.example")]].concat(),
            "user information",
        ),
        ([without(":scheme"), vec![(":scheme", "ftp")]].concat(), "none of the forms"),
        (vec![(":method", "CONNECT"), (":authority", "shop.example:443")], "reverse proxy"),
    ];
    for (fields, why) in refused {
        let heard = ask(&fields);
        let body = String::from_utf8_lossy(&heard.body).into_owned();
        let answered = heard.status == 400 && heard.whole && body.contains(why);
        let broken = why.is_empty() && heard.reset == Some(PROTOCOL_ERROR);
        assert!(answered || broken, "{fields:?}: {heard:?} {body}");
    }
    assert_eq!(origin.asked("GET /a"), 0, "one of them came through");
    assert_eq!(ask(&with("host", "shop.example")).status, 200);
    assert_eq!(origin.asked("GET /a"), 1);
}

#[test]
fn many_streams_share_a_connection_and_a_fetch() {
    let origin = Origin::start();
    origin.answers("GET /slow", text("at last").for_a_minute());
    origin.answers("GET /fast", text("at once"));
    let gate = origin.holds("GET /slow");
    let (setup, _) = both(origin.address());
    let node = setup.start();
    let mut client = Frames::greet(node.address(), &[]);
    let slow: Vec<u32> = (0..100).map(|n| 2 * n + 1).collect();
    for stream in &slow {
        client.asks(*stream, &frames::get("shop.example", "/slow"));
    }
    gate.reached();
    client.asks(201, &frames::get("shop.example", "/fast"));
    assert_eq!(client.hear(201).body, b"at once", "nobody waits for another stream");
    gate.open();
    for heard in client.hears(&slow) {
        assert_eq!((heard.status, &*heard.body), (200, &b"at last"[..]));
    }
    assert_eq!(origin.asked("GET /slow"), 1);
}

#[test]
fn a_client_takes_as_much_as_it_wants_and_stops_nobody() {
    let origin = Origin::start();
    let long = "0123456789".repeat(20_000);
    origin.answers("GET /long", text(&long).for_a_minute());
    let (setup, curl) = both(origin.address());
    let node = setup.start();
    let mut client = Frames::greet(node.address(), &[(INITIAL_WINDOW_SIZE, 0)]);
    client.asks(1, &frames::get("shop.example", "/long"));
    assert_eq!(client.until(HEADERS).stream, 1);
    for (way, url, _) in ways(&node, "/long") {
        assert_eq!(curl.says(&[way, &url]).with_status(200).body.len(), long.len());
    }
    let mut came = Vec::new();
    while came.len() < long.len() {
        for stream in [0, 1] {
            client.sends(WINDOW_UPDATE, 0, stream, &10_000_u32.to_be_bytes());
        }
        let part = client.until(DATA);
        assert!(part.payload.len() <= 16_384);
        came.extend_from_slice(&part.payload);
    }
    assert_eq!(came, long.as_bytes());
}

#[test]
fn trailers_come_and_what_breaks_off_looks_broken() {
    let stage = Stage::start();
    let (setup, _) = both(stage.address());
    let node = setup.start();
    let mut client = Frames::greet(node.address(), &[]);
    let lines = ["Transfer-Encoding: chunked", "Trailer: X-Sum"];
    client.asks(1, &[frames::get("shop.example", "/sum"), vec![("te", "trailers")]].concat());
    let mut scene = stage.expects("GET /sum");
    scene.says(head_of(200, &lines)).says(chunk(b"body"));
    scene.answers("0\r\nX-Sum: 7\r\n\r\n");
    let heard = client.hear(1);
    assert_eq!((heard.status, &*heard.body, heard.heads), (200, &b"body"[..], 2), "{heard:?}");
    client.asks(3, &frames::get("shop.example", "/cut"));
    let mut scene = stage.expects("GET /cut");
    scene.says(head_of(200, &["Content-Length: 100"])).says("half");
    scene.hangs_up();
    let heard = client.hear(3);
    assert!(!heard.whole && heard.reset == Some(INTERNAL_ERROR), "{heard:?}");
    // The connection and its other streams go on.
    client.asks(5, &frames::get("shop.example", "/after"));
    stage.expects("GET /after").answers(message(200, &[], "after"));
    assert_eq!(client.hear(5).body, b"after");
}

#[test]
fn a_drain_takes_leave_and_finishes_what_was_asked() {
    let origin = Origin::start();
    origin.answers("GET /slow", text("at last"));
    let gate = origin.holds("GET /slow");
    let (setup, _) = both(origin.address());
    let node = setup.start();
    let mut idle = Frames::greet(node.address(), &[]);
    idle.until(SETTINGS);
    let mut asked = Frames::greet(node.address(), &[]);
    asked.asks(1, &frames::get("shop.example", "/slow"));
    gate.reached();
    node.signal("TERM");
    for client in [&mut idle, &mut asked] {
        let leave = client.until(GOAWAY);
        assert_eq!(leave.code(), Some(NO_ERROR));
        // It asks whether more is on its way, and goes when that has come back.
        let asks = client.until(PING);
        client.sends(PING, ACK, 0, &asks.payload);
    }
    gate.open();
    let heard = asked.hear(1);
    assert_eq!((heard.status, &*heard.body), (200, &b"at last"[..]));
    while idle.next().is_some() {}
    while asked.next().is_some() {}
    assert!(node.ended().success());
}

/// What is sent next, by how often something was.
type Harm = fn(u32) -> Vec<u8>;

#[test]
fn a_client_that_means_harm_is_cut_off_and_others_are_served() {
    let origin = Origin::start();
    origin.answers("GET /a", text("hello").for_a_minute());
    let (setup, curl) = both(origin.address());
    let node = setup.start();
    let harm: [(&str, Harm); 4] = [
        // CVE-2023-44487.
        ("rapid resets", |n| {
            let ask = block(&frames::get("shop.example", "/never"));
            let reset = frame(RST_STREAM, 0, 2 * n + 1, &8_u32.to_be_bytes());
            [frame(HEADERS, END_HEADERS | END_STREAM, 2 * n + 1, &ask), reset].concat()
        }),
        // RUSTSEC-2024-0332: fields that never end.
        ("continuations", |n| {
            let part = block(&[("x", "y")]);
            if n == 0 { frame(HEADERS, END_STREAM, 1, &part) } else { frame(9, 0, 1, &part) }
        }),
        ("a head without end", |n| {
            let long = "y".repeat(16_000);
            let part = block(&[("x", &long)]);
            if n == 0 { frame(HEADERS, END_STREAM, 1, &part) } else { frame(9, 0, 1, &part) }
        }),
        ("frames on streams that never were", |n| frame(DATA, 0, 2 * n + 1, b"x")),
    ];
    for (name, next) in harm {
        let mut client = Frames::greet(node.address(), &[]);
        let cut = (0..200_000).any(|n| !client.tries(&next(n)));
        assert!(cut || client.is_over(), "{name} went on");
        for (way, url, _) in ways(&node, "/a") {
            curl.says(&[way, &url]).with_status(200);
        }
    }
}

#[test]
fn clients_of_another_make_agree() {
    let origin = Origin::start();
    origin.answers("GET /a", text("hello").for_a_minute());
    let (setup, _) = both(origin.address());
    let node = setup.start();
    let [(_, clear, _), _, (_, tls, _), _] = ways(&node, "/a");
    for url in [clear, tls] {
        let url = url.replace("shop.example", "127.0.0.1");
        let output = Command::new("nghttp")
            .args(["-nv", "-H", ":authority: shop.example", &url])
            .output()
            .expect("nghttp must be installed (nghttp2-client)");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.contains(":status: 200"), "{said}");
        let output = Command::new("h2load")
            .args(["-n", "2000", "-c", "8", "-m", "20", &url])
            .output()
            .expect("h2load must be installed (nghttp2-client)");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.contains("2000 succeeded, 0 failed, 0 errored, 0 timeout"), "{said}");
    }
}
