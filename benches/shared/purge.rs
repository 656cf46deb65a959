//! A purge of all keys that fit a pattern or have a tag, beside what caches that are written by
//! hand do for it: how long it takes, and how long it keeps other clients of the same Redis
//! waiting.

use std::process::Command;
use std::time::Duration;

use cistern::base::ids::Number;
use cistern::entry::frame::{Skew, Treatment, encode};
use cistern::entry::order::{Glob, Order, Selector};
use cistern::store::redis::fleet::{Effects, Level};
use cistern::store::redis::keys::{Names, Place};
use tokio::time::Instant;

use super::Options;
use super::figures::{high, low, median, short};
use super::node::{Node, PREFIX, runtime};
use super::probe::{Probe, Waits};
use super::samples;
use super::server::Server;
use super::wire::Wire;

/// Bytes of each body.
const BODY: usize = 200;

/// How long the probe watches a server at rest.
const REST: Duration = Duration::from_secs(1);

/// Fits every second key.
const PATTERN: &str = "item:*:detail";

/// What those have as well that fit. By hand a set of this name holds their keys.
const TAG: &str = "detail";

/// Commands that go to the server in one write while it is filled.
const BATCH: u64 = 500;

const COLUMNS: [&str; 8] = [
    "acknowledged, ms",
    "memory free, s",
    "longest wait, ms",
    "1 of 1000 waits, ms",
    "median wait, ms",
    "longest command, ms",
    "longest wait at rest, ms",
    "1 of 1000 waits at rest, ms",
];

type Figures = [f64; COLUMNS.len()];
type Way = (&'static str, fn(u64) -> Figures);

/// What is compared.
const WAYS: [Way; 6] = [
    ("an order of cistern's", |keys| by_order(keys, Selector::Pattern(Glob::new(PATTERN)))),
    ("the same by a tag", |keys| by_order(keys, Selector::Tag(TAG.to_owned()))),
    ("redis-cli --scan | xargs UNLINK", |keys| by_hand(keys, scan_and_unlink)),
    ("KEYS, then DEL in pipelines", |keys| by_hand(keys, keys_and_del)),
    ("a script with KEYS and DEL", |keys| by_hand(keys, script)),
    ("SMEMBERS of a tag, then UNLINK", |keys| by_hand(keys, members_and_unlink)),
];

/// All ways in turn.
pub(crate) fn measure(options: &Options) {
    let mut rounds: Vec<Vec<Figures>> = vec![Vec::new(); WAYS.len()];
    for round in 0..options.rounds {
        for at in 0..WAYS.len() {
            let at = (round + at) % WAYS.len();
            rounds[at].push(WAYS[at].1(options.keys));
        }
    }
    println!("\nA purge of half of {} keys: ratio to the first, median, range", options.keys);
    for (at, column) in COLUMNS.iter().enumerate() {
        println!("  {column}");
        let of = |way: usize| rounds[way].iter().map(|one| one[at]).collect::<Vec<f64>>();
        let base = median(&of(0));
        for (way, (name, _)) in WAYS.iter().enumerate() {
            let figures = of(way);
            let [ratio, middle] = [median(&figures) / base, median(&figures)].map(short);
            let range = format!("{}-{}", short(low(&figures)), short(high(&figures)));
            println!("    {name:34}{ratio:>10}{middle:>10}   {range}");
        }
    }
}

fn by_order(keys: u64, selector: Selector) -> Figures {
    let server = Server::start();
    let node = Node::join(&server);
    fill_with_frames(&server, &node, keys);
    let runtime = runtime();
    runtime.block_on(node.hit(&samples::key(1), false));
    let rest = at_rest(&server);
    let probe = Probe::start(&server);
    let began = Instant::now();
    let receipt = runtime.block_on(async {
        let count = node.fleet.give(&Order::of([selector]));
        node.fleet.settled(count, None).await
    });
    let acknowledged = began.elapsed();
    assert_eq!(receipt.level, Level::Shared);
    let swept = node.swept();
    let free = began.elapsed();
    let waits = probe.end();
    assert_eq!(swept.gone, keys / 2);
    assert!(swept.millis > 0);
    figures(&server, acknowledged, free, &waits, &rest)
}

fn by_hand(keys: u64, purge: fn(&Server)) -> Figures {
    let server = Server::start();
    fill(&server, keys, |n| {
        (samples::key(n).text().as_bytes().to_vec(), samples::json(n, BODY).into_bytes())
    });
    let mut wire = server.wire();
    for n in (0..keys).filter(|n| is_detail(*n)) {
        wire.queue(&[b"SADD", TAG.as_bytes(), samples::key(n).text().as_bytes()]);
        if n % BATCH == BATCH - 1 {
            wire.flush();
        }
    }
    wire.flush();
    let rest = at_rest(&server);
    let probe = Probe::start(&server);
    let began = Instant::now();
    purge(&server);
    let took = began.elapsed();
    let waits = probe.end();
    // The key of the probe and the set are two more.
    assert_eq!(server.wire().say(&["DBSIZE"]).number(), keys - keys / 2 + 2);
    figures(&server, took, took, &waits, &rest)
}

fn figures(
    server: &Server,
    acknowledged: Duration,
    free: Duration,
    waits: &Waits,
    rest: &Waits,
) -> Figures {
    [
        acknowledged.as_secs_f64() * 1e3,
        free.as_secs_f64(),
        waits.longest,
        waits.rare,
        waits.usual,
        longest_command(&mut server.wire()),
        rest.longest,
        rest.rare,
    ]
}

/// The server at rest; from here on it notes how long commands take.
fn at_rest(server: &Server) -> Waits {
    let probe = Probe::start(server);
    std::thread::sleep(REST);
    let waits = probe.end();
    let mut wire = server.wire();
    wire.say(&["CONFIG", "SET", "slowlog-log-slower-than", "20", "slowlog-max-len", "1000000"]);
    wire.say(&["SLOWLOG", "RESET"]);
    waits
}

fn longest_command(wire: &mut Wire) -> f64 {
    let all = wire.say(&["SLOWLOG", "GET", "-1"]).parts();
    let micros = all.into_iter().map(|one| one.parts()[2].number());
    micros.max().unwrap_or_default() as f64 / 1e3
}

/// What as many puts would leave there, without their leases.
fn fill_with_frames(server: &Server, node: &Node, keys: u64) {
    let head = format!("{PREFIX}{{c}}:head");
    let last = server.wire().say(&["HGET", &head, "last"]).text();
    let (turn, count) = last.split_once('-').unwrap();
    let number = Number::new(turn.parse().unwrap(), count.parse().unwrap());
    let (names, skew, now) = (Names::new(PREFIX), Skew::from_millis(0), node.effects.now());
    fill(server, keys, |n| {
        let key = samples::key(n);
        let mut entry = samples::entry(&key, samples::json(n, BODY), now, false);
        if is_detail(n) {
            entry.labels.tags = [TAG.into()].into();
        }
        let frame = encode(&key, &entry, number, skew, &Treatment::default()).unwrap().bytes;
        (names.frame(&Place::of(&key, None), ""), frame.to_vec())
    });
}

const fn is_detail(n: u64) -> bool {
    n % 2 == 1
}

fn fill(server: &Server, keys: u64, pair: impl Fn(u64) -> (Vec<u8>, Vec<u8>)) {
    let mut wire = server.wire();
    let kept = samples::KEPT_SECS.to_string();
    for n in 0..keys {
        let (key, value) = pair(n);
        wire.queue(&[b"SET", &key, &value, b"EX", kept.as_bytes()]);
        if n % BATCH == BATCH - 1 {
            wire.flush();
        }
    }
    wire.flush();
}

fn scan_and_unlink(server: &Server) {
    let port = server.port;
    let line = format!(
        "redis-cli -p {port} --scan --pattern '{PATTERN}' | xargs redis-cli -p {port} UNLINK"
    );
    let said = Command::new("sh").args(["-c", &line]).output().unwrap();
    assert!(said.status.success(), "{said:?}");
}

fn keys_and_del(server: &Server) {
    let mut wire = server.wire();
    for (n, name) in wire.say(&["KEYS", PATTERN]).parts().into_iter().enumerate() {
        wire.queue(&[b"DEL", name.text().as_bytes()]);
        if n as u64 % BATCH == BATCH - 1 {
            wire.flush();
        }
    }
    wire.flush();
}

fn members_and_unlink(server: &Server) {
    let mut wire = server.wire();
    for (n, name) in wire.say(&["SMEMBERS", TAG]).parts().into_iter().enumerate() {
        wire.queue(&[b"UNLINK", name.text().as_bytes()]);
        if n as u64 % BATCH == BATCH - 1 {
            wire.flush();
        }
    }
    wire.flush();
}

fn script(server: &Server) {
    const TEXT: &str = "for _, key in ipairs(redis.call('KEYS', ARGV[1])) do \
        redis.call('DEL', key) end return 1";
    assert_eq!(server.wire().say(&["EVAL", TEXT, "0", PATTERN]).number(), 1);
}
