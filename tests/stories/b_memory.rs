//! A hostile variety of keys: the process stays within its configured memory, and what was known
//! before keeps being served.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::support::cistern::in_front_of;
use crate::support::resident::Resident;
use crate::support::stage::{Stage, chunk, head_of, message};
use crate::support::wire::Wire;

const MIB: usize = 1 << 20;
const TARGETS: usize = 40_000;
const CLIENTS: usize = 4;
const KNOWN: usize = 50;

/// What the origin has under `/n/<number>`: all sizes, some of them longer than any level keeps.
fn size_of(number: usize) -> usize {
    match number {
        n if n % 5_000 == 4_999 => 9 * MIB,
        n if n % 500 == 499 => 256 * 1_024,
        n => (n * 2_654_435_761) % 8_192,
    }
}

fn origin() -> Stage {
    Stage::with(|what| {
        let number: usize = what.rsplit('/').next()?.split('?').next()?.parse().ok()?;
        let size = size_of(number);
        let field = "Cache-Control: max-age=3600";
        if size <= MIB {
            return Some(message(200, &[field, "Content-Type: text/plain"], &"x".repeat(size)));
        }
        // Its length shows only when it has grown too long.
        let mut whole = head_of(200, &[field, "Transfer-Encoding: chunked"]).into_bytes();
        whole.extend(chunk(&vec![b'x'; MIB]).repeat(size / MIB));
        whole.extend_from_slice(b"0\r\n\r\n");
        String::from_utf8(whole).ok()
    })
}

fn asks(wire: &mut Wire, target: &str, size: usize) -> bool {
    wire.asks(&format!("GET {target}"), &[]);
    let head = wire.head();
    assert_eq!(head.status, 200, "{target}");
    assert_eq!(wire.rest(&head, 0).whole().len(), size, "{target}");
    head.field("cache-status").is_some_and(|said| said.contains("; hit"))
}

#[test]
fn a_hostile_variety_of_keys_stays_within_the_configured_memory() {
    let stage = origin();
    let cistern = in_front_of(stage.address())
        .setting("CISTERN_MEMORY", "128MB")
        .setting("CISTERN_L1__SIZE", "32MB")
        .setting("CISTERN_LOG__ACCESS", "off")
        .setting("CISTERN_LOG__EVENTS", "off")
        .start();
    let memory = Resident::within(&cistern.file(""));
    let (at_start, address) = (memory.now(), cistern.address());
    let known = |wire: &mut Wire, number: usize| {
        let number = number % KNOWN + 1;
        asks(wire, &format!("/known/{number}"), size_of(number))
    };
    let mut wire = Wire::open(address);
    for number in 0..5 * KNOWN {
        known(&mut wire, number);
    }
    let (hits, asked) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (hits, asked, known) = (&hits, &asked, &known);
            scope.spawn(move || {
                let mut wire = Wire::open(address);
                for number in (client..TARGETS).step_by(CLIENTS) {
                    // Long names count too: up to a kilobyte of query in every eighth.
                    let query = "q".repeat(if number % 8 == 0 { number % 1_024 } else { 3 });
                    asks(&mut wire, &format!("/n/{number}?{query}"), size_of(number));
                    if number % 10 == client {
                        hits.fetch_add(
                            usize::from(known(&mut wire, number / 10)),
                            Ordering::Relaxed,
                        );
                        asked.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let most = memory.most();
    let (hits, asked) = (hits.into_inner(), asked.into_inner());
    assert!(hits * 100 >= asked * 98, "known keys: {hits} hits of {asked}");
    // L1 takes its 32 MB, index and bookkeeping included. Above that and what the process took when
    // it had served nothing: for each of four clients a body of up to 8 MB that may yet be kept and
    // a window of 1 MiB, and a quarter of all for what an allocator holds between sizes.
    let honest = at_start + (32_000_000 + CLIENTS * (8_000_000 + MIB)) * 5 / 4;
    assert!(most <= honest, "{most} bytes at most, {honest} accounted for");
    assert!(most <= 128_000_000, "{most} bytes, of 128 MB configured");
}
