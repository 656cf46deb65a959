//! The lane: what is answered without the HTTP library is answered in order, whole, and by the same
//! reading of the request.

use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::client::Client;
use super::service::{Notes, Running};
use super::slowness::connected;
use crate::edge::head_scan::{HeadScan, Scan};
use crate::edge::request_head;

fn ask(target: &str, fields: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: h\r\n{fields}\r\n")
}

#[test]
fn what_needs_no_waiting_never_reaches_the_library() {
    let running = Running::start(1);
    let mut client = Client::connect(running.address());
    let answer = client.send(ask("/at-once?x", "")).answer();
    assert_eq!((answer.status, answer.field("at").as_str()), (200, "once"));
    assert_eq!(answer.body, "at once /at-once?x");
    let head = client.send("HEAD /at-once HTTP/1.1\r\nHost: h\r\n\r\n").head();
    assert_eq!(head.field("content-length"), "16");
    assert_eq!(client.send(ask("/a", "")).answer().body, "GET /a ");
    assert_eq!(client.send(ask("/at-once", "")).answer().body, "at once /at-once");
    assert_eq!(running.notes.heads(), ["GET /a"]);
}

#[test]
fn other_words_about_the_connection_are_the_librarys() {
    let running = Running::start(1);
    for (request, closes) in [
        (ask("/at-once", "Connection: close, x-a\r\n"), true),
        ("GET /at-once HTTP/1.0\r\n\r\n".to_owned(), true),
        (ask("/at-once", "Expect: 100-continue\r\n"), false),
        (ask("/at-once", "Content-Length: 1\r\n") + "x", false),
        (ask("/at-once", "Upgrade: x\r\nConnection: upgrade\r\n"), false),
        (ask("http://h/at-once", ""), false),
        ("POST /at-once HTTP/1.1\r\nHost: h\r\n\r\n".to_owned(), false),
    ] {
        let mut client = Client::connect(running.address());
        let answer = client.send(&request).answer();
        assert_eq!(answer.field("at"), "", "{request}");
        if closes {
            assert_eq!(client.rest(), "", "{request}");
        }
    }
    assert_eq!(running.notes.heads().len(), 7);
    let mut client = Client::connect(running.address());
    let answer =
        client.send(ask("/at-once/big", "Connection: Close\r\n") + &ask("/a", "")).answer();
    assert_eq!((answer.field("connection").as_str(), answer.body.len()), ("close", 8 << 20));
    assert_eq!(client.rest(), "", "nothing is answered behind it");
    assert_eq!(running.notes.heads().len(), 7);
    let kept = ask("/at-once", "Connection: Keep-Alive\r\n");
    let answer = Client::connect(running.address()).send(kept).answer();
    assert_eq!(answer.field("at"), "once");
}

#[test]
fn answers_come_in_the_order_of_requests_whoever_gives_them() {
    let running = Running::start(1);
    let kinds = ["/at-once", "/stream", "/a", "/at-once/big", "/length", "/big", "/empty"];
    for first in kinds {
        for second in kinds {
            for third in ["/at-once", "/stream"] {
                let mut client = Client::connect(running.address());
                let all = [first, second, third].map(|target| ask(target, "")).concat();
                client.send(all + &ask("/closing", ""));
                let answers = client.rest();
                // The library answers what came together with a request of its own.
                let marks = |target: &str| match target {
                    "/at-once" => ["at once /at-once", "GET /at-once "],
                    "/at-once/big" => ["ab", "GET /at-once/big "],
                    "/stream" => ["in "; 2],
                    "/big" => ["xxx"; 2],
                    "/length" => ["sixteen bytes ok"; 2],
                    "/empty" => [" 204 "; 2],
                    _ => ["GET /a "; 2],
                };
                let at = |target: &str, from: usize| {
                    let rest = answers.get(from..).unwrap_or_default();
                    let found = marks(target).into_iter().filter_map(|mark| rest.find(mark)).min();
                    from + found.unwrap_or_else(|| panic!("{target} of {first} {second} {third}"))
                };
                let mut from = 0;
                for target in [first, second, third] {
                    from = at(target, from) + 1;
                }
                assert!(answers.ends_with("bye"));
            }
        }
    }
}

#[test]
fn a_large_answer_reaches_a_slow_reader_whole() {
    let running = Running::start(1);
    let mut client = Client::connect(running.address());
    client.send(ask("/at-once/big", "") + &ask("/at-once", ""));
    // Another connection of the same worker is served while this one's buffers are full.
    let mut other = Client::connect(running.address());
    assert_eq!(other.send(ask("/at-once", "")).answer().body, "at once /at-once");
    let big = client.answer().body;
    assert_eq!(big.len(), 8 << 20);
    assert_eq!(big.find('b'), Some(3 << 20));
    assert_eq!(client.answer().body, "at once /at-once");
}

#[test]
fn a_panic_while_answering_at_once_ends_its_connection_alone() {
    let running = Running::start(1);
    let mut other = Client::connect(running.address());
    assert_eq!(other.send(ask("/at-once", "")).answer().status, 200);
    let mut client = Client::connect(running.address());
    assert_eq!(client.send(ask("/at-once/panic", "")).rest(), "");
    assert_eq!(other.send(ask("/at-once", "")).answer().status, 200);
    assert_eq!(*running.notes.panics.lock().unwrap(), ["as told"]);
}

#[test]
fn what_was_begun_comes_with_its_own_request() {
    let running = Running::start(1);
    let mut client = Client::connect(running.address());
    // The second one is in the library's hands already when its turn comes.
    client.send(ask("/begun?1", "") + &ask("/begun?2", ""));
    assert_eq!(client.answer().body, "begun Some(\"/begun?1\")");
    assert_eq!(client.answer().body, "begun None");
    assert_eq!(client.send(ask("/begun?3", "")).answer().body, "begun Some(\"/begun?3\")");
}

#[tokio::test(start_paused = true)]
async fn who_takes_nothing_of_a_large_answer_is_left_after_a_while() {
    let (notes, _arrivals) = Notes::new();
    let mut client = connected(&notes, 1_024);
    client.write_all(ask("/at-once/big", "").as_bytes()).await.unwrap();
    let mut some = vec![0; 4_096];
    client.read_exact(&mut some).await.unwrap();
    let begun = tokio::time::Instant::now();
    tokio::time::sleep(std::time::Duration::from_hours(1)).await;
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).await.unwrap();
    assert!(rest.len() < 8 << 20, "cut off, {} s later", begun.elapsed().as_secs());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_plain_head_is_read_as_the_library_reads_it(
        fields in proptest::collection::vec(
            (
                "[A-Za-z][A-Za-z0-9!#$%&'*+.^_`|~-]{0,12}",
                "[ \t]{0,2}[!-~\u{e9}]?[ -~]{0,20}[ \t]{0,2}",
            ),
            0..20,
        ),
    ) {
        const FRAMING: [&str; 6] =
            ["host", "content-length", "transfer-encoding", "upgrade", "connection", "expect"];
        let mut lines = String::new();
        for (name, value) in &fields {
            if !FRAMING.contains(&&*name.to_ascii_lowercase()) {
                lines.extend([name, ":", value, "\r\n"]);
            }
        }
        let head = ask("/fields", &lines);
        let mut scan = HeadScan::default();
        prop_assert!(matches!(scan.read(head.as_bytes()), Scan::Passed(_)));
        let ours = request_head::plain(&scan.sound(head.as_bytes())).unwrap().request;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let answer = runtime.block_on(async {
            let (notes, _arrivals) = Notes::new();
            let mut client = connected(&notes, 65_536);
            client.write_all(head.as_bytes()).await.unwrap();
            client.shutdown().await.unwrap();
            let mut answer = String::new();
            client.read_to_string(&mut answer).await.unwrap();
            answer
        });
        let (_, theirs) = answer.split_once("\r\n\r\n").unwrap();
        prop_assert_eq!(theirs, format!("{:?}", ours.headers()));
    }
}
