//! The log of orders, on a real server.

use redis::Value;

use super::super::config::Layout;
use super::super::samples::{AMPLE, Redis, Tended, config};
use super::super::{Slot, scripts};

const LIFE: &[u8] = b"00000000000000a1";

/// Fields of one record of the log.
type Record = (String, Vec<(String, String)>);

#[tokio::test]
async fn the_log_is_bounded_by_bytes_and_says_where_it_begins() {
    let redis = Redis::start(&[]).ready();
    let tended = Tended::new(&config(Layout::Single(redis.address())));
    tended.up(1);
    let server = tended.servers.master(Slot::of(b"any")).unwrap();
    let keys: [&[u8]; 7] = [b"head", b"log", b"fences", b"members", b"expect", b"runs", b"done"];
    let first: [&[u8]; 4] = [b"0", b"0-0", b"0", b""];
    let adopted: Vec<Value> = server.script(&scripts::ADOPT, &keys, &first, AMPLE).await.unwrap();
    let began: String = redis.ask(&["HGET", "head", "began"]).unwrap();
    let turn: String = redis::from_redis_value_ref(&adopted[1]).unwrap();
    let keys: [&[u8]; 6] = [b"head", b"log", b"fences", b"done", b"open", b"members"];
    let most = 20_000;
    let order = format!("k900:{}", "x".repeat(900));
    for count in 1..=100 {
        let (most, count) = (most.to_string(), count.to_string());
        let args: [&[u8]; 14] = [
            LIFE,
            turn.as_bytes(),
            b"0",
            b"channel",
            b"65536",
            most.as_bytes(),
            b"0-0",
            began.as_bytes(),
            LIFE,
            count.as_bytes(),
            b"-",
            order.as_bytes(),
            b"0",
            b"0",
        ];
        let _: Value = server.script(&scripts::ORDER, &keys, &args, AMPLE).await.unwrap();
        let mut range = redis::cmd("XRANGE");
        range.arg("log").arg("-").arg("+");
        let log: Vec<Record> = server.call(&range, AMPLE).await.unwrap();
        let bytes = log.len() * order.len();
        assert!(bytes <= most.parse::<usize>().unwrap() + order.len(), "{bytes}");
        let counts = log.iter().map(|(id, _)| id.split_once('-').unwrap().1.to_owned());
        let counts: Vec<u32> = counts.map(|count| count.parse().unwrap()).collect();
        // The newest are all there, and half the bytes at least.
        assert!(counts.windows(2).all(|two| two[0] + 1 == two[1]));
        assert_eq!(counts.last().unwrap().to_string(), count);
        assert!(counts[0] == 0 || bytes >= most.parse::<usize>().unwrap() / 2, "{counts:?}");
    }
}
