//! What an entry takes in Redis, beside its body and beside the `SET key body EX` of a cache that
//! is written by hand and keeps nothing but the body.

use std::sync::Arc;

use cistern::entry::pack::Packing;
use cistern::store::redis::fleet::{Effects, Keeping};
use cistern::store::redis::keys::{Names, Place};
use futures_util::future::join_all;

use super::Options;
use super::figures::{median, short};
use super::node::{Node, PREFIX, runtime};
use super::samples;
use super::server::Server;

/// Fills that are under way at once.
const LANES: u64 = 16;

/// Keys of each case that Redis is asked about.
const ASKED: u64 = 200;

/// How entries are kept.
struct Way {
    name: &'static str,
    packing: Option<Packing>,
    sealed: bool,
    varies: bool,
}

/// All sizes and ways.
pub(crate) fn measure(options: &Options) {
    let packing = Some(Packing::default());
    let way = |name, packing, sealed, varies| Way { name, packing, sealed, varies };
    let ways = [
        way("entry, plain", None, false, false),
        way("entry, packed", packing, false, false),
        way("entry, packed and sealed", packing, true, false),
        way("entry, plain, with Vary", None, false, true),
    ];
    println!("\nMemory of an entry in Redis, over {} of them", options.entries);
    println!(
        "  {:26}{:>8}{:>12}{:>12}{:>12}{:>14}",
        "", "body", "to by hand", "to body", "bytes", "MEMORY USAGE"
    );
    for len in [200, 1_024, 16 * 1_024] {
        let by_hand = by_hand(options.entries as u64, len);
        line("SET key body EX", len, by_hand, by_hand.0);
        for way in &ways {
            line(way.name, len, by_node(options.entries as u64, len, way), by_hand.0);
        }
    }
}

fn line(name: &str, len: usize, (bytes, usage): (f64, f64), by_hand: f64) {
    let (ratio, to_body) = (short(bytes / by_hand), short(bytes / len as f64));
    println!("  {name:26}{len:>8}{ratio:>12}{to_body:>12}{bytes:>12.0}{usage:>14.0}");
}

fn by_hand(entries: u64, len: usize) -> (f64, f64) {
    let server = Server::start();
    let before = server.bytes();
    let mut wire = server.wire();
    for n in 0..entries {
        let (key, body) = (samples::key(n), samples::json(n, len));
        let words = [b"SET", key.text().as_bytes(), body.as_bytes(), b"EX", b"86400"];
        wire.queue(&words);
        if n.is_multiple_of(100) {
            wire.flush();
        }
    }
    wire.flush();
    drop(wire);
    let names = (0..ASKED).map(|n| samples::key(n).text().as_bytes().to_vec());
    weighed(&server, before, entries, names)
}

fn by_node(entries: u64, len: usize, way: &Way) -> (f64, f64) {
    let server = Server::start();
    let node = Node::join(&server);
    let before = server.bytes();
    let keeping = Keeping { shard: None, packing: way.packing, sealed: way.sealed, wanted: false };
    let lane = async |from: u64| {
        for n in (from..entries).step_by(LANES as usize) {
            let key = samples::key(n);
            let now = node.effects.now();
            let entry = samples::entry(&key, samples::json(n, len), now, way.varies);
            node.fill(&key, &Arc::new(entry), &keeping).await;
        }
    };
    runtime().block_on(join_all((0..LANES).map(lane)));
    assert_eq!(node.fleet.stats().puts.value(), entries);
    let sample = samples::entry(&samples::key(0), String::new(), node.effects.now(), way.varies);
    let variant = sample.selecting.id().unwrap_or_default();
    let names = Names::new(PREFIX);
    let names = (0..ASKED).map(|n| names.frame(&Place::of(&samples::key(n), None), &variant));
    weighed(&server, before, entries, names)
}

/// Bytes of an entry by what the server has more than before, and by what it says of the key.
fn weighed(
    server: &Server,
    before: f64,
    entries: u64,
    names: impl Iterator<Item = Vec<u8>>,
) -> (f64, f64) {
    let bytes = (server.bytes() - before) / entries as f64;
    let mut wire = server.wire();
    let usage: Vec<f64> =
        names.map(|name| wire.ask(&[b"MEMORY", b"USAGE", &name]).number() as f64).collect();
    (bytes, median(&usage))
}
