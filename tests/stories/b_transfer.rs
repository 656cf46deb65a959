//! Bodies on their way: long ones, slow ones, endless ones, with back pressure and in parts.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use crate::support::cistern::in_front_of;
use crate::support::client::get;
use crate::support::patience::Patience;
use crate::support::resident::Resident;
use crate::support::stage::{Scene, Stage, chunk, head_of, message};
use crate::support::wire::{Head, Wire};

const MINUTE: &str = "Cache-Control: max-age=60";
const CHUNKED: &str = "Transfer-Encoding: chunked";
const MIB: usize = 1 << 20;

const SMALL_OBJECTS: &str = r#"
version = 1
[[route]]
name = "small"
match = "GET /a"
key = "a"
ttl = "5m"
max_object = "1KB"
"#;

/// Sends `count` pieces of 64 KiB, in a thread of its own, and tells how many have gone.
fn pours(mut scene: Scene, count: usize) -> (Arc<AtomicU64>, mpsc::Receiver<bool>) {
    let (sent, ended) = (Arc::new(AtomicU64::new(0)), mpsc::channel());
    let counted = Arc::clone(&sent);
    thread::spawn(move || {
        let piece = chunk(&vec![b'x'; 64 * 1_024]);
        for _ in 0..count {
            if scene.tries(&piece).is_err() {
                ended.0.send(false).ok();
                return;
            }
            counted.fetch_add(64 * 1_024, Ordering::Relaxed);
        }
        let whole = scene.tries(b"0\r\n\r\n").is_ok();
        scene.ends();
        ended.0.send(whole).ok();
    });
    (sent, ended.1)
}

fn counted(wire: &mut Wire, head: &Head) -> usize {
    wire.rest(head, 0).whole().len()
}

#[test]
fn what_outgrows_its_limit_streams_to_its_end() {
    for pieces in [1, 40] {
        let stage = Stage::start();
        let cistern = in_front_of(stage.address()).rules(SMALL_OBJECTS).start();
        for _ in 0..3 {
            let mut reader = Wire::asking(cistern.address(), "GET /a", &[]);
            let mut scene = stage.expects("GET /a");
            scene.says(head_of(200, &[CHUNKED]));
            let (_, ended) = pours(scene, pieces);
            let head = reader.head();
            assert_eq!(head.status, 200);
            assert_eq!(counted(&mut reader, &head), pieces * 64 * 1_024);
            assert_eq!(ended.recv(), Ok(true));
            stage.was_asked_no_more();
        }
    }
}

#[test]
fn waiters_of_what_outgrows_its_limit_get_all_of_it() {
    let stage = Stage::start();
    let cistern = in_front_of(stage.address()).rules(SMALL_OBJECTS).start();
    let mut leader = Wire::asking(cistern.address(), "GET /a", &[]);
    let mut scene = stage.expects("GET /a");
    scene.says(head_of(200, &[CHUNKED])).says(chunk(b"first"));
    assert_eq!((leader.head().status, leader.chunk()), (200, Some(b"first".to_vec())));
    let mut joined = Wire::asking(cistern.address(), "GET /a", &[]);
    assert_eq!((joined.head().status, joined.chunk()), (200, Some(b"first".to_vec())));
    scene.answers([chunk(&vec![b'x'; 3_000]), chunk(b"last"), b"0\r\n\r\n".to_vec()].concat());
    for mut reader in [leader, joined] {
        let mut all = Vec::new();
        while let Some(more) = reader.chunk().filter(|more| !more.is_empty()) {
            all.extend_from_slice(&more);
        }
        assert_eq!(reader.trailers(), Some(Vec::new()));
        assert!(all.len() == 3_004 && all.ends_with(b"last"));
    }
    stage.was_asked_no_more();
}

#[test]
fn what_outgrows_its_limit_takes_the_older_copy_along() {
    let stage = Stage::start();
    let cistern = in_front_of(stage.address()).setting("CISTERN_L1__MAX_OBJECT", "1KB").start();
    let lines = ["Cache-Control: max-age=0, stale-if-error=600", "ETag: \"1\"", CHUNKED];
    let asked = cistern.begin(&get("/a"));
    let mut scene = stage.expects("GET /a");
    scene.says(head_of(200, &lines)).says(chunk(b"old"));
    scene.answers("0\r\n\r\n");
    assert_eq!(asked.finish().text(), "old");
    // While the origin fails the old copy stands in.
    let asked = cistern.begin(&get("/a"));
    stage.expects("GET /a").answers(message(503, &[], "no"));
    assert_eq!(asked.finish().with_status(200).text(), "old");
    let asked = cistern.begin(&get("/a"));
    let mut scene = stage.expects("GET /a");
    scene.says(head_of(200, &lines)).says(chunk(&vec![b'x'; 3_000]));
    scene.answers("0\r\n\r\n");
    assert_eq!(asked.finish().body.len(), 3_000);
    let asked = cistern.begin(&get("/a"));
    stage.expects("GET /a").answers(message(503, &[], "no"));
    assert_eq!(asked.finish().with_status(503).text(), "no");
}

#[test]
fn a_slow_client_holds_the_origin_back_and_no_memory() {
    let stage = Stage::start();
    let cistern = in_front_of(stage.address()).setting("CISTERN_L1__SIZE", "32MB").start();
    let memory = Resident::within(&cistern.file(""));
    // One with a length that says at once that it is too long, one that turns out to be.
    for line in [CHUNKED, "Content-Length: 41943040"] {
        let mut reader = Wire::asking(cistern.address(), "GET /big", &[]);
        let mut scene = stage.expects("GET /big");
        scene.says(head_of(200, &[MINUTE, line]));
        let before = memory.now();
        let (sent, ended) = if line == CHUNKED {
            pours(scene, 640)
        } else {
            let (tell, ended) = mpsc::channel();
            let sent = Arc::new(AtomicU64::new(0));
            let counted = Arc::clone(&sent);
            thread::spawn(move || {
                for _ in 0..640 {
                    if scene.tries(&vec![b'x'; 64 * 1_024]).is_err() {
                        break;
                    }
                    counted.fetch_add(64 * 1_024, Ordering::Relaxed);
                }
                scene.ends();
                tell.send(true).ok();
            });
            (sent, ended)
        };
        let head = reader.head();
        assert_eq!(head.status, 200);
        // The client reads nothing: the origin comes to a stand far from its end. What stands
        // between them: 8 MB that could have been kept, a window of 1 MiB, and both kernels'
        // buffers.
        settled(&sent);
        let gone = sent.load(Ordering::Relaxed) as usize;
        assert!(gone < 30 * MIB, "{line}: {gone} bytes went with nobody reading");
        let grown = memory.now().saturating_sub(before);
        assert!(grown < 24 * MIB, "{line}: {grown} bytes held for a client that reads nothing");
        assert_eq!(counted(&mut reader, &head), 40 * MIB);
        assert_eq!(ended.recv(), Ok(true));
    }
    stage.was_asked_no_more();
}

/// Waits until a count has stopped growing.
pub(crate) fn settled(count: &AtomicU64) {
    let mut last = u64::MAX;
    while last != count.load(Ordering::Relaxed) {
        last = count.load(Ordering::Relaxed);
        // How long nothing must happen to be called a stand; it makes nothing come out right.
        thread::sleep(Duration::from_millis(300));
    }
}

#[test]
fn a_part_that_waits_drives_nobody() {
    let stage = Stage::start();
    let cistern = in_front_of(stage.address()).start();
    let mut reader = Wire::asking(cistern.address(), "GET /big", &[]);
    let mut scene = stage.expects("GET /big");
    scene.says(head_of(200, &[MINUTE, CHUNKED])).says(chunk(b"x"));
    let head = reader.head();
    assert_eq!((head.status, reader.bytes(6)), (200, b"1\r\nx\r\n".to_vec()));
    // A part joins, and then the whole outgrows what is kept while the first client is slow.
    let mut part = Wire::asking(cistern.address(), "GET /big", &["Range: bytes=0-0"]);
    let mut probe = Wire::asking(cistern.address(), "HEAD /big", &[]);
    assert_eq!(probe.head().status, 200);
    let (sent, ended) = pours(scene, 640);
    settled(&sent);
    let own = stage.expects("GET /big");
    assert_eq!(own.field("range"), Some("bytes=0-0"));
    own.answers(message(206, &["Content-Range: bytes 0-0/9"], "x"));
    assert_eq!(part.head().status, 206);
    assert_eq!(counted(&mut reader, &head), 40 * MIB);
    assert_eq!(ended.recv(), Ok(true));
}

const SHORT: &str = r#"
version = 1
[origin.api]
url = "http://ORIGIN"
timeout = "1s"
[[route]]
name = "all"
match = "GET /{rest...}"
origin = "api"
"#;

#[test]
fn the_limit_of_a_fetch_is_not_the_limit_of_a_stream() {
    let stage = Stage::start();
    let rules = SHORT.replace("ORIGIN", stage.address());
    let cistern = in_front_of(stage.address()).rules(&rules).start();
    let streams = [
        ["Content-Type: text/event-stream", "Cache-Control: no-cache", CHUNKED],
        ["Content-Type: video/mp4", "Cache-Control: private", CHUNKED],
        ["Content-Type: video/mp4", MINUTE, "Content-Length: 20000000000"],
    ];
    for lines in streams {
        let mut reader = Wire::asking(cistern.address(), "GET /stream", &[]);
        let mut scene = stage.expects("GET /stream");
        scene.says(head_of(200, &lines));
        let chunked = lines[2] == CHUNKED;
        assert_eq!(reader.head().status, 200);

        // Twice as long as others would have to wait for a whole answer.
        let twice = Patience::of(Duration::from_secs(2));
        while twice.lasts() {
            scene.says(if chunked { chunk(b"data: x\n\n") } else { b"data: x\n\n".to_vec() });
            let came = if chunked { reader.chunk().expect("an event") } else { reader.bytes(9) };
            assert_eq!(came, b"data: x\n\n", "{lines:?}");
            thread::sleep(Duration::from_millis(50));
        }
        drop(reader);
        drop(scene);
    }
}

#[test]
fn each_event_passes_before_the_next_is_sent() {
    let stage = Stage::start();
    let cistern = in_front_of(stage.address()).start();
    let mut reader = Wire::asking(cistern.address(), "GET /events", &[]);
    let mut scene = stage.expects("GET /events");
    scene.says(head_of(200, &["Content-Type: text/event-stream", CHUNKED]));
    assert_eq!(reader.head().status, 200);
    for number in 0..50 {
        let event = format!("data: {number}\n\n");
        scene.says(chunk(event.as_bytes()));
        assert_eq!(reader.chunk(), Some(event.into_bytes()));
    }
    // A second one has a stream of its own.
    let mut other = Wire::asking(cistern.address(), "GET /events", &[]);
    let mut second = stage.expects("GET /events");
    second.says(head_of(200, &["Content-Type: text/event-stream", CHUNKED])).says(chunk(b"o"));
    assert_eq!((other.head().status, other.chunk()), (200, Some(b"o".to_vec())));
    // When its client has left, the origin is told.
    drop(reader);
    while scene.tries(&chunk(&[b'x'; 1_024])).is_ok() {}
}

#[test]
fn parts_are_cut_from_what_is_kept() {
    let stage = Stage::start();
    let cistern = in_front_of(stage.address()).start();
    let body: String =
        (0..200_000_u32).map(|at| (at % 23) as u8).map(|at| char::from(b'a' + at % 23)).collect();
    let asked = cistern.begin(&get("/a"));
    stage.expects("GET /a").answers(message(200, &[MINUTE, "ETag: \"1\""], &body));
    assert_eq!(asked.finish().text(), body);
    for (range, from, to) in [
        ("bytes=0-0", 0, 1),
        ("bytes=65530-65545", 65_530, 65_546),
        ("bytes=199999-", 199_999, 200_000),
        ("bytes=-5", 199_995, 200_000),
        ("bytes=100-9999999", 100, 200_000),
    ] {
        let part = cistern.send(&get("/a").header("Range", range)).with_status(206);
        assert_eq!(part.text(), body[from..to], "{range}");
        let told = format!("bytes {from}-{}/200000", to - 1);
        assert_eq!(part.get("content-range").as_deref(), Some(told.as_str()));
    }
    cistern.send(&get("/a").header("Range", "bytes=200000-")).with_status(416);
    let two = cistern.send(&get("/a").header("Range", "bytes=0-1,199998-")).with_status(206);
    assert!(two.get("content-type").is_some_and(|kind| kind.starts_with("multipart/byteranges")));
    let other = get("/a").header("Range", "bytes=0-0").header("If-Range", "\"2\"");
    assert_eq!(cistern.send(&other).with_status(200).text(), body);
    stage.was_asked_no_more();
}

#[test]
fn a_part_that_passed_is_never_taken_for_the_whole_nor_mixed_with_it() {
    let stage = Stage::start();
    let cistern = in_front_of(stage.address()).start();
    // Without a validator nobody can tell that the part and the whole are two versions; with one
    // the origin alone knows.
    for (target, validator) in [("/plain", "X-None: 1"), ("/tagged", "ETag: \"1\"")] {
        let what = format!("GET {target}");
        let part = get(target).header("Range", "bytes=0-4");
        let asked = cistern.begin(&part);
        let scene = stage.expects(&what);
        assert_eq!(scene.field("range"), Some("bytes=0-4"));
        let told = ["Content-Range: bytes 0-4/10", MINUTE, validator];
        scene.answers(message(206, &told, "01234"));
        assert_eq!(asked.finish().with_status(206).text(), "01234");
        let asked = cistern.begin(&get(target));
        let scene = stage.expects(&what);
        assert_eq!((scene.field("range"), scene.field("if-range")), (None, None));
        scene.answers(message(200, &[MINUTE, "ETag: \"2\""], "abcdefghij"));
        assert_eq!(asked.finish().with_status(200).text(), "abcdefghij");
        assert_eq!(cistern.send(&part).with_status(206).text(), "abcde");
    }
    stage.was_asked_no_more();
}
