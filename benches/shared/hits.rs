//! What a look into the shared level costs that finds a fresh entry, beside a plain `GET`: alone,
//! with many at once, and in processor time of the server and of this process.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use cistern::base::units::Span;
use cistern::entry::Key;
use cistern::entry::pack::Packing;
use cistern::store::redis::Slot;
use cistern::store::redis::fleet::{Effects, Keeping};
use cistern::store::redis::keys::{Names, Place};
use futures_util::future::join_all;
use redis::aio::MultiplexedConnection;
use tokio::time::Instant;

use super::Options;
use super::figures::{Row, print};
use super::node::{Node, PREFIX, runtime};
use super::samples;
use super::server::Server;

/// Calls that are under way at once where many are.
pub(crate) const TOGETHER: usize = 32;

pub(crate) const COLUMNS: [&str; 4] =
    ["one at a time, us", "32 at once, us each", "CPU of Redis, us", "CPU of the client, us"];

/// Lengths of bodies.
pub(crate) const SIZES: [usize; 3] = [1_024, 16 * 1_024, 1 << 20];

pub(crate) type Call<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// What is called over and over, and what came of it.
pub(crate) struct Case<'a> {
    pub(crate) row: Row,
    call: Box<dyn Fn() -> Call<'a> + 'a>,
}

pub(crate) fn case<'a, F: Future<Output = ()> + 'a>(
    name: &str,
    call: impl Fn() -> F + 'a,
) -> Case<'a> {
    Case { row: Row::new(name, COLUMNS.len()), call: Box::new(move || Box::pin(call())) }
}

/// All sizes.
pub(crate) fn measure(options: &Options) {
    for len in SIZES {
        let server = Server::start();
        let node = Node::join(&server);
        runtime().block_on(of_size(options, len, &server, &node));
    }
}

/// Fewer calls of what takes long.
pub(crate) fn calls_of(options: &Options, len: usize) -> usize {
    let calls = if len > 64 * 1_024 { options.calls / 16 } else { options.calls };
    calls.max(4 * TOGETHER)
}

async fn of_size(options: &Options, len: usize, server: &Server, node: &Node) {
    let ways = [
        ("plain", None, false),
        ("packed", Some(Packing::default()), false),
        ("sealed", None, true),
        ("packed, sealed", Some(Packing::default()), true),
    ];
    let keys: Vec<Key> = (0..ways.len() as u64).map(samples::key).collect();
    for (key, (_, packing, sealed)) in keys.iter().zip(ways) {
        let entry = samples::entry(key, samples::json(1, len), node.effects.now(), false);
        let keeping = Keeping { shard: None, packing, sealed, wanted: false };
        node.fill(key, &Arc::new(entry), &keeping).await;
    }
    server.wire().say(&["SET", "body", &samples::json(1, len), "EX", "86400"]);
    let client = redis::Client::open(format!("redis://127.0.0.1:{}", server.port)).unwrap();
    let plain = client.get_multiplexed_async_connection().await.unwrap();
    let frame = Names::new(PREFIX).frame(&Place::of(&keys[0], None), "");

    let mut cases = vec![
        case("GET of the body", || get(plain.clone(), b"body")),
        case("GET of the frame", || get(plain.clone(), &frame)),
        case("GET of the frame, over the node's link", || linked(node, &frame)),
    ];
    for (key, (name, _, sealed)) in keys.iter().zip(ways) {
        cases.push(case(&format!("hit, {name}"), move || node.hit(key, sealed)));
    }
    let calls = calls_of(options, len);
    for case in &mut cases {
        turn(case, server, calls / 4).await;
    }
    let count = cases.len();
    for round in 0..options.rounds {
        for at in 0..count {
            let case = &mut cases[(round + at) % count];
            let figures = turn(case, server, calls).await;
            case.row.add(&figures);
        }
    }
    let rows: Vec<Row> = cases.into_iter().map(|case| case.row).collect();
    print(&format!("{len} bytes of JSON: ratio to the first, range, figure"), &COLUMNS, &rows);
}

/// A turn of one case.
pub(crate) async fn turn(case: &Case<'_>, server: &Server, calls: usize) -> [f64; COLUMNS.len()] {
    let each = |seconds: f64, calls: usize| seconds * 1e6 / calls as f64;
    let began = Instant::now();
    for _ in 0..calls / 4 {
        (case.call)().await;
    }
    let alone = each(began.elapsed().as_secs_f64(), calls / 4);
    let share = calls / TOGETHER;
    let lane = async || {
        for _ in 0..share {
            (case.call)().await;
        }
    };
    let (served, own, began) = (server.cpu(), own_cpu(), Instant::now());
    join_all((0..TOGETHER).map(|_| lane())).await;
    let calls = share * TOGETHER;
    let together = each(began.elapsed().as_secs_f64(), calls);
    let own = each(own_cpu() - own, calls);
    [alone, together, each(server.cpu() - served, calls), own]
}

async fn get(mut connection: MultiplexedConnection, key: &[u8]) {
    let mut get = redis::cmd("GET");
    get.arg(key);
    let bytes: Option<Vec<u8>> = get.query_async(&mut connection).await.unwrap();
    assert!(bytes.is_some());
}

async fn linked(node: &Node, key: &[u8]) {
    let mut get = redis::cmd("GET");
    get.arg(key);
    let server = node.fleet.servers().master(Slot::of(key)).unwrap();
    let bytes: Option<Vec<u8>> = server.call(&get, Span::from_secs(5)).await.unwrap();
    assert!(bytes.is_some());
}

/// Seconds of processor time that the threads of this process have had.
fn own_cpu() -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let nanos = tasks.flatten().filter_map(|task| {
        let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<f64>().ok()
    });
    nanos.sum::<f64>() / 1e9
}
