//! One request per key: who shares it, who must not, and that nobody waits for anybody's pace.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

use crate::support::cistern::{Cistern, in_front_of};
use crate::support::client::{ask, get};
use crate::support::stage::{Scene, Stage, chunk, head_of, message};
use crate::support::wire::{Ended, Wire};

const MINUTE: &str = "Cache-Control: max-age=60";
const CHUNKED: &str = "Transfer-Encoding: chunked";

fn kept(body: &str) -> String {
    message(200, &[MINUTE], body)
}

/// A fetch of `/a` whose first chunk has come to its leader, and to whom else `others` asks for.
fn begun(cistern: &Cistern, stage: &Stage, others: usize) -> (Scene, Vec<Wire>) {
    let mut leader = Wire::asking(cistern.address(), "GET /a", &[]);
    let mut slow = stage.expects("GET /a");
    slow.says(head_of(200, &[MINUTE, CHUNKED])).says(chunk(b"first"));
    assert_eq!(leader.head().status, 200);
    assert_eq!(leader.chunk().as_deref(), Some(&b"first"[..]));
    let mut readers = vec![leader];
    for _ in 0..others {
        readers.push(Wire::asking(cistern.address(), "GET /a", &[]));
    }
    for reader in &mut readers[1..] {
        // What the origin has sent so far is theirs already.
        assert_eq!(reader.head().status, 200);
        assert_eq!(reader.chunk().as_deref(), Some(&b"first"[..]));
    }
    (slow, readers)
}

fn rest_of(reader: &mut Wire) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        match reader.chunk()? {
            more if more.is_empty() => return reader.trailers().map(|_| body),
            more => body.extend_from_slice(&more),
        }
    }
}

#[test]
fn two_hundred_readers_share_one_request_while_it_runs() {
    let stage = Stage::start();
    let cistern = in_front_of(stage.address()).start();
    let (mut slow, mut readers) = begun(&cistern, &stage, 200);
    slow.says(chunk(b"second"));
    for reader in &mut readers {
        assert_eq!(reader.chunk().as_deref(), Some(&b"second"[..]));
    }
    slow.answers("0\r\n\r\n");
    for reader in &mut readers {
        assert_eq!(rest_of(reader).as_deref(), Some(&b""[..]));
    }
    assert_eq!(cistern.get("/a").served_from_store().text(), "firstsecond");
    stage.was_asked_no_more();
}

#[test]
fn a_burst_on_cold_keys_costs_one_request_each() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let stage = Stage::with(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        Some(kept("x"))
    });
    let cistern = in_front_of(stage.address()).start();
    let (keys, threads) = (300, 4);
    let (start, address) = (Barrier::new(threads), cistern.address());
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut wire = Wire::open(address);
                for key in 0..keys {
                    start.wait();
                    wire.asks(&format!("GET /{key}"), &[]);
                    assert_eq!(wire.answer().1, "x");
                }
            });
        }
    });
    assert_eq!(asked.load(Ordering::Relaxed), keys);
}

#[test]
fn the_leader_may_leave_and_everybody_else_gets_all() {
    let stage = Stage::start();
    let cistern = in_front_of(stage.address()).start();
    let (slow, mut readers) = begun(&cistern, &stage, 5);
    drop(readers.remove(0));
    drop(readers.remove(2));
    slow.answers([chunk(b"rest"), b"0\r\n\r\n".to_vec()].concat());
    for reader in &mut readers {
        assert_eq!(rest_of(reader).as_deref(), Some(&b"rest"[..]));
    }
    assert_eq!(cistern.get("/a").served_from_store().text(), "firstrest");
    stage.was_asked_no_more();
}

#[test]
fn all_may_leave_and_the_answer_is_kept() {
    let stage = Stage::start();
    let cistern = in_front_of(stage.address()).start();
    let (slow, readers) = begun(&cistern, &stage, 3);
    drop(readers);
    let mut later = Wire::asking(cistern.address(), "GET /a", &[]);
    assert_eq!(later.head().status, 200);
    assert_eq!(later.chunk().as_deref(), Some(&b"first"[..]));
    slow.answers(b"0\r\n\r\n");
    assert_eq!(rest_of(&mut later).as_deref(), Some(&b""[..]));
    assert_eq!(cistern.get("/a").served_from_store().text(), "first");
    stage.was_asked_no_more();
}

#[test]
fn waiters_of_what_is_not_shared_go_all_at_once() {
    for line in ["Cache-Control: private, max-age=60", "Cache-Control: no-store", "X-None: 1"] {
        let stage = Stage::start();
        let cistern = in_front_of(stage.address()).start();
        let leader = cistern.begin(&get("/a"));
        let first = stage.expects("GET /a");
        let waiters: Vec<_> = (0..60).map(|_| cistern.begin(&get("/a"))).collect();
        first.answers(message(200, &[line], "mine"));
        assert_eq!(leader.finish().text(), "mine");
        // All of them stand at the origin before one is answered.
        for (number, scene) in stage.together(60).into_iter().enumerate() {
            scene.answers(message(200, &[line], &format!("of {number}")));
        }
        let mut got: Vec<_> = waiters.into_iter().map(|asked| asked.finish().text()).collect();
        got.sort();
        got.dedup();
        assert_eq!(got.len(), 60, "an answer went to two ({line})");
        // The key is remembered: nobody waits for anybody any more, not even for a head.
        let two: Vec<_> = (0..2).map(|_| cistern.begin(&get("/a"))).collect();
        for scene in stage.together(2) {
            scene.answers(kept("now shared"));
        }
        for asked in two {
            assert_eq!(asked.finish().text(), "now shared");
        }
        // And forgotten as soon as an answer can be kept.
        cistern.get("/a").served_from_store();
        let writer = cistern.begin(&ask("PUT", "/a"));
        stage.expects("PUT /a").answers(message(204, &[], ""));
        writer.finish().with_status(204);
        let mut asked = Wire::asking(cistern.address(), "GET /a", &[]);
        let mut scene = stage.expects("GET /a");
        scene.says(head_of(200, &[MINUTE, "Content-Length: 4"])).says("sh");
        assert_eq!((asked.head().status, asked.bytes(2)), (200, b"sh".to_vec()));
        let mut joins = Wire::asking(cistern.address(), "GET /a", &[]);
        assert_eq!((joins.head().status, joins.bytes(2)), (200, b"sh".to_vec()));
        scene.answers("ow");
        assert_eq!((asked.bytes(2), joins.bytes(2)), (b"ow".to_vec(), b"ow".to_vec()));
        stage.was_asked_no_more();
    }
}

#[test]
fn each_waiter_gets_the_variant_it_asked_for() {
    let stage = Stage::start();
    let cistern = in_front_of(stage.address()).start();
    let languages = ["es", "en", "fr", "de"];
    let ask = |language: &str| cistern.begin(&get("/a").header("Accept-Language", language));
    let leader = ask("es");
    let first = stage.expects("GET /a");
    let waiters: Vec<_> = (0..40).map(|n| (n % 4, ask(languages[n % 4]))).collect();
    let answer = |scene: Scene| {
        let language = scene.field("accept-language").expect("it was sent").to_owned();
        scene.answers(message(200, &[MINUTE, "Vary: Accept-Language"], &language));
    };
    answer(first);
    let rest = stage.together(3);
    let mut asked: Vec<_> =
        rest.iter().filter_map(|scene| scene.field("accept-language")).collect();
    asked.sort_unstable();
    assert_eq!(asked, ["de", "en", "fr"], "one request for each variant, all at once");
    rest.into_iter().for_each(answer);
    assert_eq!(leader.finish().text(), "es");
    for (number, asked) in waiters {
        assert_eq!(asked.finish().text(), languages[number]);
    }
    stage.was_asked_no_more();
}

const PER_CALLER: &str = r#"
version = 1
[[route]]
name = "mine"
match = "GET /mine"
key = "mine"
ttl = "5m"
share = "identity"
"#;

#[test]
fn callers_never_share_a_fetch() {
    let stage = Stage::start();
    let cistern = in_front_of(stage.address()).rules(PER_CALLER).start();
    let (one, two) = (get("/mine").bearer("one"), get("/mine").bearer("two"));
    let asked: Vec<_> =
        [&one, &two, &one, &two].into_iter().map(|ask| cistern.begin(ask)).collect();
    for scene in stage.together(2) {
        let caller = scene.field("authorization").expect("it was sent").to_owned();
        scene.answers(kept(&caller));
    }
    let texts: Vec<_> = asked.into_iter().map(|asked| asked.finish().text()).collect();
    assert_eq!(texts, ["Bearer one", "Bearer two", "Bearer one", "Bearer two"]);
    assert_eq!(cistern.send(&one).served_from_store().text(), "Bearer one");
    assert_eq!(cistern.send(&two).served_from_store().text(), "Bearer two");
    stage.was_asked_no_more();
}

#[test]
fn nobody_joins_what_is_fetched_with_credentials() {
    let stage = Stage::start();
    let cistern = in_front_of(stage.address()).start();
    for credential in ["Authorization: Bearer one", "Cookie: session=1"] {
        let mut own = Wire::asking(cistern.address(), "GET /a", &[credential]);
        let slow = stage.expects("GET /a");
        let open = cistern.begin(&get("/a"));
        slow.answers(kept("for one"));
        assert_eq!(own.answer().1, "for one");
        // Without "public" it was for that caller alone (RFC 9111, 3.5).
        stage.expects("GET /a").answers(message(200, &["Cache-Control: no-store"], "for all"));
        assert_eq!(open.finish().text(), "for all");
        stage.was_asked_no_more();
    }
}

#[test]
fn head_part_and_condition_join_what_runs() {
    let stage = Stage::start();
    let cistern = in_front_of(stage.address()).start();
    let mut leader = Wire::asking(cistern.address(), "GET /a", &[]);
    let mut slow = stage.expects("GET /a");
    slow.says(head_of(200, &[MINUTE, "ETag: \"1\"", "Content-Length: 10"])).says("01234");
    assert_eq!((leader.head().status, leader.bytes(5)), (200, b"01234".to_vec()));
    let mut head = Wire::asking(cistern.address(), "HEAD /a", &[]);
    let told = head.head();
    assert_eq!((told.status, told.field("content-length")), (200, Some("10")));
    let mut same = Wire::asking(cistern.address(), "GET /a", &["If-None-Match: \"1\""]);
    assert_eq!(same.head().status, 304, "the head alone answers it");
    let mut other = Wire::asking(cistern.address(), "GET /a", &["If-None-Match: \"2\""]);
    assert_eq!((other.head().status, other.bytes(5)), (200, b"01234".to_vec()));
    let mut part = Wire::asking(cistern.address(), "GET /a", &["Range: bytes=3-6"]);
    slow.answers("56789");
    let head = part.head();
    assert_eq!((head.status, head.field("content-range")), (206, Some("bytes 3-6/10")));
    assert_eq!(part.bytes(4), b"3456");
    assert_eq!((leader.bytes(5), other.bytes(5)), (b"56789".to_vec(), b"56789".to_vec()));
    stage.was_asked_no_more();
}

#[test]
fn a_short_body_is_whole_for_nobody() {
    for framing in [CHUNKED, "Content-Length: 20"] {
        let stage = Stage::start();
        let cistern = in_front_of(stage.address()).start();
        let mut leader = Wire::asking(cistern.address(), "GET /a", &[]);
        let mut slow = stage.expects("GET /a");
        let sent = if framing == CHUNKED { chunk(b"01234") } else { b"01234".to_vec() };
        slow.says(head_of(200, &[MINUTE, "ETag: \"1\"", framing])).says(sent);
        let heads: Vec<_> = std::iter::once(leader.head()).collect();
        let mut readers = vec![leader];
        let mut heads = heads;
        for _ in 0..5 {
            let mut reader = Wire::asking(cistern.address(), "GET /a", &[]);
            heads.push(reader.head());
            readers.push(reader);
        }
        let mut part = Wire::asking(cistern.address(), "GET /a", &["Range: bytes=0-3"]);
        slow.hangs_up();
        for (head, mut reader) in heads.iter().zip(readers) {
            assert_eq!(reader.rest(head, 0), Ended::Cut(b"01234".to_vec()), "{framing}");
        }
        // The part needs the whole, which never came: it is asked for by itself.
        let own = stage.expects("GET /a");
        assert_eq!(own.field("range"), Some("bytes=0-3"));
        own.answers(message(206, &["Content-Range: bytes 0-3/20"], "0123"));
        assert_eq!((part.head().status, part.bytes(4)), (206, b"0123".to_vec()));
        let again = cistern.begin(&get("/a"));
        stage.expects("GET /a").answers(kept("whole"));
        assert_eq!(again.finish().served_by_origin().text(), "whole");
    }
}

#[test]
fn trouble_is_shared_with_nobody() {
    let stage = Stage::start();
    let cistern = in_front_of(stage.address()).start();
    let leader = cistern.begin(&get("/a"));
    let first = stage.expects("GET /a");
    let waiters: Vec<_> = (0..10).map(|_| cistern.begin(&get("/a"))).collect();
    first.answers(message(500, &[], "trouble"));
    leader.finish().with_status(500);
    for _ in 0..10 {
        stage.expects("GET /a").answers(message(500, &[], "trouble"));
    }
    for asked in waiters {
        asked.finish().with_status(500);
    }
    stage.was_asked_no_more();
}

#[test]
fn a_dead_origin_is_covered_for_all_who_wait() {
    let stage = Stage::start();
    let cistern = in_front_of(stage.address()).start();
    let kept = "Cache-Control: max-age=0, stale-if-error=60";
    let asked = cistern.begin(&get("/a"));
    stage.expects("GET /a").answers(message(200, &[kept, "ETag: \"1\""], "kept"));
    asked.finish();
    let leader = cistern.begin(&get("/a"));
    let first = stage.expects("GET /a");
    let waiters: Vec<_> = (0..40).map(|_| cistern.begin(&get("/a"))).collect();
    // From now on every connection breaks, whoever asks.
    thread::scope(|scope| {
        let breaking = scope.spawn(move || first.hangs_up());
        let all: Vec<_> = waiters
            .into_iter()
            .chain([leader])
            .map(|asked| scope.spawn(move || asked.finish()))
            .collect();
        breaking.join().expect("it broke");
        while !all.iter().all(thread::ScopedJoinHandle::is_finished) {
            stage.breaks_one();
        }
        for one in all {
            let answer = one.join().expect("an answer").with_status(200).served_from_store();
            assert_eq!(answer.text(), "kept");
        }
    });
}

#[test]
fn a_slow_reader_slows_nobody() {
    let stage = Stage::start();
    let cistern = in_front_of(stage.address()).start();
    let (mut slow, mut readers) = begun(&cistern, &stage, 1);
    let mut idle = readers.remove(0);
    // Far more than any buffer on the idle reader's way takes, and still to be kept.
    let piece = vec![b'x'; 64 * 1_024];
    let mut reader = readers.remove(0);
    for _ in 0..96 {
        slow.says(chunk(&piece));
        let mut got = 0;
        while got < piece.len() {
            got += reader.chunk().expect("it comes").len();
        }
    }
    slow.answers(b"0\r\n\r\n");
    assert_eq!(rest_of(&mut reader).as_deref(), Some(&b""[..]));
    assert_eq!(cistern.get("/a").served_from_store().body.len(), 5 + 96 * piece.len());
    assert_eq!(rest_of(&mut idle).map(|body| body.len()), Some(96 * piece.len()));
    stage.was_asked_no_more();
}

#[test]
fn a_read_waits_for_the_answer_of_a_post_that_stands_for_it() {
    let stage = Stage::start();
    let cistern = in_front_of(stage.address()).profile("rfc").start();
    let mut writer = Wire::asking(cistern.address(), "POST /a", &["Content-Length: 0"]);
    let mut scene = stage.expects("POST /a");
    scene.says(head_of(200, &[MINUTE, CHUNKED, "Content-Location: /a"])).says(chunk(b"first"));
    assert_eq!(writer.head().status, 200);
    assert_eq!(writer.chunk().as_deref(), Some(&b"first"[..]));
    let mut reader = Wire::asking(cistern.address(), "GET /a", &[]);
    assert_eq!(reader.head().status, 200);
    scene.answers([chunk(b"rest"), chunk(b"")].concat());
    assert_eq!(rest_of(&mut writer).as_deref(), Some(&b"rest"[..]));
    assert_eq!(rest_of(&mut reader).as_deref(), Some(&b"firstrest"[..]));
    stage.was_asked_no_more();
}
