//! What a put into the shared level costs, as it follows a fetch, beside a plain `SET` of the body:
//! alone, with many at once, and in processor time of the server and of this process.

use std::sync::Arc;

use cistern::entry::pack::Packing;
use cistern::store::redis::fleet::{Effects, Keeping, Lease};
use redis::aio::MultiplexedConnection;

use super::Options;
use super::figures::{Row, print};
use super::hits::{COLUMNS, Case, SIZES, calls_of, case, turn};
use super::node::{Node, runtime};
use super::samples;
use super::server::Server;

/// All sizes.
pub(crate) fn measure(options: &Options) {
    for len in SIZES {
        let server = Server::start();
        let node = Node::join(&server);
        runtime().block_on(of_size(options, len, &server, &node));
    }
}

async fn of_size(options: &Options, len: usize, server: &Server, node: &Node) {
    let ways = [("plain", None, false), ("packed", Some(Packing::default()), false)];
    let body = samples::json(1, len);
    let (key, effects) = (samples::key(1), node.effects.as_ref());
    let entry = Arc::new(samples::entry(&key, body.clone(), effects.now(), false));
    let standing = node.look(&key, false).await.unwrap().standing.unwrap();
    let client = redis::Client::open(format!("redis://127.0.0.1:{}", server.port)).unwrap();
    let plain = client.get_multiplexed_async_connection().await.unwrap();

    let mut cases: Vec<Case<'_>> = vec![case("SET of the body", || set(plain.clone(), &body))];
    for (name, packing, sealed) in ways {
        let keeping = Keeping { shard: None, packing, sealed, wanted: false };
        let (key, entry, standing) = (&key, &entry, &standing);
        cases.push(case(&format!("put, {name}"), move || {
            let keeping = keeping.clone();
            async move {
                node.fleet.put(key, entry, &keeping, standing, &Lease::None, effects).await;
            }
        }));
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
    assert_eq!(node.fleet.stats().put_faults.value(), 0);
    let rows: Vec<Row> = cases.into_iter().map(|case| case.row).collect();
    print(&format!("put of {len} bytes of JSON: ratio to SET, range, figure"), &COLUMNS, &rows);
}

async fn set(mut connection: MultiplexedConnection, body: &str) {
    let mut set = redis::cmd("SET");
    set.arg("body").arg(body).arg("EX").arg(samples::KEPT_SECS);
    let () = set.query_async(&mut connection).await.unwrap();
}
