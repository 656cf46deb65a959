//! Ports for servers that are stopped and started again. Those that the system lends to outgoing
//! connections will not do: while the server is away a client could get its port, or even meet
//! itself there.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

/// The first of the ports, the count of them, and how far above each one's bus of a cluster is: all
/// of them below the ports that Linux lends out.
const FIRST: u16 = 12_000;
const COUNT: u16 = 10_000;
const BUS: u16 = 10_000;

/// A port on which nobody listens, nor on that of the bus above it.
pub(crate) fn free() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Runs at the same time begin at different places.
    let begin = std::process::id().wrapping_mul(617) as u16 % COUNT;
    let found = (0..COUNT).find_map(|_| {
        let next = NEXT.fetch_add(1, Ordering::Relaxed) % COUNT;
        let port = FIRST + (begin + next) % COUNT;
        (is_free(port) && is_free(port + BUS)).then_some(port)
    });
    found.expect("one of ten thousand ports is free")
}

fn is_free(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_ok()
}
