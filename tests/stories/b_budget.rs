//! Many slow clients of many large answers: what is held for them stays within the configured
//! memory, whether a fetch brings it or the store has let it go. First it is kept no longer, then
//! who stands still is cut off; everybody else gets all of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use crate::b_transfer::settled;
use crate::support::cistern::{Cistern, Setup, in_front_of};
use crate::support::client::ask;
use crate::support::patience::Patience;
use crate::support::resident::Resident;
use crate::support::stage::{Stage, chunk, head_of, message};
use crate::support::wire::{Head, Wire};

const HOUR: &str = "Cache-Control: max-age=3600";
const MB: usize = 1_000_000;
const PIECE: usize = 50_000;

/// An origin that sends `size` bytes for whatever it is asked, and counts them. What is asked under
/// `/chunked` has no length, what is asked under `/private` is not to be kept, and `/small` stands
/// for one piece.
fn origin(size: usize) -> (Arc<Stage>, Arc<AtomicU64>) {
    let stage = Arc::new(Stage::start());
    let sent = Arc::new(AtomicU64::new(0));
    let (asked, counted) = (Arc::clone(&stage), Arc::clone(&sent));
    thread::spawn(move || {
        while let Some(mut scene) = asked.next_if_any() {
            let counted = Arc::clone(&counted);
            thread::spawn(move || {
                let chunked = scene.what.contains("/chunked");
                let size = if scene.what.contains("/small") { PIECE } else { size };
                let length = format!("Content-Length: {size}");
                let framing = if chunked { "Transfer-Encoding: chunked" } else { &length };
                let lifetime =
                    if scene.what.contains("/private") { "Cache-Control: no-store" } else { HOUR };
                scene.says(head_of(200, &[lifetime, framing]));
                let plain = vec![b'x'; PIECE];
                let piece = if chunked { chunk(&plain) } else { plain };
                for _ in 0..size / PIECE {
                    if scene.tries(&piece).is_err() {
                        return;
                    }
                    counted.fetch_add(PIECE as u64, Ordering::Relaxed);
                }
                if !chunked || scene.tries(b"0\r\n\r\n").is_ok() {
                    scene.ends();
                }
            });
        }
    });
    (stage, sent)
}

fn with_memory(setup: Setup, memory: usize, l1: usize) -> Setup {
    setup
        .setting("CISTERN_MEMORY", &format!("{memory}MB"))
        .setting("CISTERN_L1__SIZE", &format!("{l1}MB"))
        .setting("CISTERN_L1__POLICY", "lru")
        .setting("CISTERN_LOG__ACCESS", "off")
}

/// Asks, reads the head, and then nothing more.
fn stalls(cistern: &Cistern, target: &str) -> (Wire, Head) {
    let mut wire = Wire::narrow(cistern.address());
    wire.asks(&format!("GET {target}"), &[]);
    let head = wire.head();
    assert_eq!(head.status, 200, "{target}");
    (wire, head)
}

fn told(head: &Head, word: &str) -> bool {
    head.field("cache-status").is_some_and(|said| said.contains(word))
}

fn reads_all(cistern: &Cistern, target: &str, size: usize) -> Head {
    let mut wire = Wire::asking(cistern.address(), &format!("GET {target}"), &[]);
    let head = wire.head();
    assert_eq!(wire.rest(&head, 0).whole().len(), size, "{target}");
    head
}

/// Bytes on their way, and what they may be.
fn in_transit(cistern: &Cistern) -> (u64, u64) {
    let admin = cistern.admin();
    let stats = ask("GET", "/api/v1/admin/stats").host(&admin).to(&admin).json();
    let number = |name: &str| stats["transit"][name].as_u64().expect("a count");
    (number("bytes"), number("budget_bytes"))
}

/// Waits until nothing is on its way.
fn comes_to_nothing(cistern: &Cistern) {
    let patience = Patience::begins();
    loop {
        match in_transit(cistern) {
            (0, _) => return,
            (left, _) => assert!(patience.lasts(), "{left} bytes are still on their way"),
        }
        thread::yield_now();
    }
}

#[test]
fn stalled_clients_of_distinct_fetches_stay_within_memory_and_lose_nothing() {
    let (clients, size) = (90, 7 * MB);
    let (stage, sent) = origin(size);
    let cistern = with_memory(in_front_of(stage.address()), 256, 64).start();
    let memory = Resident::within(&cistern.file(""));
    let target = |number: usize| match number % 2 {
        0 => format!("/{number}"),
        _ => format!("/chunked/{number}"),
    };
    let mut stalled: Vec<_> =
        (0..clients).map(|number| stalls(&cistern, &target(number))).collect();
    settled(&sent);
    let (most, (used, budget)) = (memory.most(), in_transit(&cistern));
    assert!(used > budget / 2 && used < budget / 2 * 3, "{used} in transit, of {budget}");
    assert!(most <= 256 * MB, "{most} bytes at most, of 256 MB configured");
    for target in ["/small/1", "/chunked/small/1"] {
        assert!(told(&reads_all(&cistern, target, PIECE), "; stored"), "{target} needs no memory");
        assert!(told(&reads_all(&cistern, target, PIECE), "; hit"), "{target}");
    }
    let kept = stalled.iter().filter(|(_, head)| told(head, "; stored")).count();
    let passed = stalled.iter().filter(|(_, head)| told(head, "memory")).count();
    assert!(kept >= 5 && passed >= 30, "{kept} kept, {passed} passed for want of memory");
    for (wire, head) in &mut stalled {
        assert_eq!(wire.rest(head, 0).whole().len(), size, "a slow client got all of it");
    }
    drop(stalled);
    comes_to_nothing(&cistern);
    assert!(told(&reads_all(&cistern, "/next", size), "; stored"), "memory is there again");
    assert!(told(&reads_all(&cistern, "/next", size), "; hit"));
    let most = memory.most();
    assert!(most <= 256 * MB, "{most} bytes at most, of 256 MB configured");
}

#[test]
fn stalled_clients_of_evicted_hits_stay_within_memory_and_lose_nothing() {
    let (rounds, each, size) = (11, 8, 7 * MB);
    let (stage, sent) = origin(size);
    let cistern = with_memory(in_front_of(stage.address()), 256, 64).start();
    let memory = Resident::within(&cistern.file(""));
    let mut stalled = Vec::new();
    for round in 0..rounds {
        for number in 0..each {
            reads_all(&cistern, &format!("/{round}/{number}"), size);
        }
        // Part of a hit, where it was kept; the next round takes its place.
        stalled.extend((0..each).map(|number| {
            let (mut wire, head) = stalls(&cistern, &format!("/{round}/{number}"));
            wire.bytes(1_000);
            (wire, head)
        }));
    }
    settled(&sent);
    let (most, (used, budget)) = (memory.most(), in_transit(&cistern));
    assert!(used > budget / 2 && used < budget / 2 * 3, "{used} in transit, of {budget}");
    assert!(most <= 256 * MB, "{most} bytes at most, of 256 MB configured");
    let hits = stalled.iter().filter(|(_, head)| told(head, "; hit")).count();
    assert!(hits >= 2 * each, "{hits} hits");
    for (wire, head) in &mut stalled {
        assert_eq!(wire.rest(head, 1_000).whole().len(), size - 1_000);
    }
    drop(stalled);
    comes_to_nothing(&cistern);
}

#[test]
fn more_slow_clients_than_memory_holds_are_told_to_come_again() {
    let size = 20 * MB;
    let (stage, sent) = origin(size);
    let cistern = with_memory(in_front_of(stage.address()), 96, 16).start();
    let memory = Resident::within(&cistern.file(""));
    let mut stalled = Vec::new();
    let refused = (0..1_000).find_map(|number| {
        let path = ["", "chunked/", "private/"][number % 3];
        let mut wire = Wire::narrow(cistern.address());
        wire.asks(&format!("GET /{path}{number}"), &[]);
        let head = wire.head();
        let answer = (head.status != 200).then(|| (wire.rest(&head, 0).whole(), head));
        stalled.push(wire);
        answer
    });
    let (body, head) = refused.expect("somebody too many");
    assert_eq!((head.status, head.field("retry-after")), (503, Some("1")));
    let problem = String::from_utf8_lossy(&body).into_owned();
    assert!(problem.contains("\"overload\"") && problem.contains("memory"), "{problem}");
    settled(&sent);
    let most = memory.most();
    assert!(most <= 96 * MB, "{most} bytes at most, of 96 MB configured");
    drop(stalled);
    comes_to_nothing(&cistern);
    assert_eq!(reads_all(&cistern, "/next", size).status, 200);
}

#[test]
fn who_stands_still_is_cut_off_when_small_answers_need_the_memory() {
    let (clients, size) = (4, 15 * MB);
    let stage = Stage::with(move |what| {
        let size = if what.contains("/large/") { size } else { 30_000 };
        Some(message(200, &[HOUR], &"x".repeat(size)))
    });
    let setup = in_front_of(stage.address()).setting("CISTERN_L1__MAX_OBJECT", "16MB");
    let cistern = with_memory(setup, 174, 64).start();
    let memory = Resident::within(&cistern.file(""));
    let mut stalled = Vec::new();
    for number in 0..clients {
        let target = format!("/large/{number}");
        assert!(told(&reads_all(&cistern, &target, size), "; stored"), "{target}");
        stalled.push(stalls(&cistern, &target));
    }
    assert!(stalled.iter().all(|(_, head)| told(head, "; hit")));
    // Small answers evict them all, until what is held for those who stand still is too much.
    let small = |number: usize| reads_all(&cistern, &format!("/small/{number}"), 30_000);
    let refused = (0..3_000).find(|number| told(&small(*number), "memory"));
    let refused = refused.expect("at some time nothing is kept any more");
    let patience = Patience::begins();
    while told(&small(refused), "memory") {
        assert!(patience.lasts(), "nobody is cut off");
        thread::yield_now();
    }
    while !cistern.log_so_far().contains("FAULT code=memory") {
        assert!(patience.lasts(), "the log does not tell of it");
        thread::yield_now();
    }
    let ends = stalled.iter_mut().map(|(wire, head)| wire.rest(head, 0).is_whole());
    let whole = ends.filter(|whole| *whole).count();
    assert!(whole > 0 && whole < clients, "{whole} of {clients} got all of it");
    drop(stalled);
    comes_to_nothing(&cistern);
    let most = memory.most();
    assert!(most <= 174 * MB, "{most} bytes at most, of 174 MB configured");
}
