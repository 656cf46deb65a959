//! The script that is run with every look, on a real server.

use std::sync::Arc;

use redis::Value;

use super::super::config::Layout;
use super::super::samples::{AMPLE, Redis, Tended, config, wait_for};
use super::super::{Server, Slot, TierFault, scripts};

const LIFE: &[u8] = b"00000000000000a1";

/// A server with one member.
async fn joined(redis: &Redis) -> (Tended, Arc<Server>) {
    let tended = Tended::new(&config(Layout::Single(redis.address())));
    tended.up(1);
    let server = tended.servers.master(Slot::of(b"any")).unwrap();
    let keys: [&[u8]; 7] = [b"head", b"log", b"fences", b"members", b"expect", b"runs", b"done"];
    let first: [&[u8]; 5] = [b"0", b"0-0", b"0", b"", LIFE];
    let adopted: (String, String, String) =
        server.script(&scripts::ADOPT, &keys, &first, AMPLE).await.unwrap();
    let turn = adopted.1.as_bytes();
    let began: String = redis.ask(&["HGET", "head", "began"]).unwrap();
    let args: [&[u8]; 4] = [LIFE, turn, b"0-0", began.as_bytes()];
    let joined: (String, Vec<Value>) =
        server.script(&scripts::CHECK_IN, &keys[..5], &args, AMPLE).await.unwrap();
    assert_eq!(joined.0, "clean");
    (tended, server)
}

async fn head(server: &Server, beside: &[u8]) -> Result<(String, usize), TierFault> {
    let keys: [&[u8]; 4] = [b"head", b"log", b"fences", b"members"];
    let said: Vec<Value> =
        server.script(&scripts::HEAD, &keys, &[LIFE, b"0-0", beside, b"0", b""], AMPLE).await?;
    let word = redis::from_redis_value_ref(&said[0]).unwrap();
    let members = said.get(6).and_then(Value::as_sequence).unwrap_or_default();
    Ok((word, members.len()))
}

fn told(redis: &Redis, part: &str, name: &str) -> String {
    let info: String = redis.ask(&["INFO", part]).unwrap();
    let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap().trim().to_owned()
}

#[tokio::test]
async fn only_the_heartbeat_writes() {
    let redis = Redis::start(&[]).ready();
    let (_tended, server) = joined(&redis).await;
    let writes = || told(&redis, "persistence", "rdb_changes_since_last_save").parse::<u64>();
    let before = writes().unwrap();
    assert_eq!(head(&server, b"").await, Ok(("ok".to_owned(), 0)));
    assert_eq!(head(&server, b"members").await, Ok(("ok".to_owned(), 1)));
    assert_eq!(writes(), Ok(before));
    assert_eq!(head(&server, b"beat").await, Ok(("ok".to_owned(), 1)));
    assert_eq!(writes(), Ok(before + 1));
}

#[tokio::test]
async fn who_may_not_write_renews_nobodys_trust() {
    let redis = Redis::start(&["--save", "3600", "1", "--dir", "/proc"]).ready();
    let (_tended, server) = joined(&redis).await;
    let code = async || head(&server, b"").await.unwrap_err().code().unwrap().to_owned();
    let set = |name, value| redis.ask::<()>(&["CONFIG", "SET", name, value]).unwrap();

    set("min-replicas-to-write", "1");
    assert_eq!(code().await, "NOREPLICAS");
    set("min-replicas-to-write", "0");
    assert_eq!(head(&server, b"").await.unwrap().0, "ok");

    let () = redis.ask(&["BGSAVE"]).unwrap();
    wait_for("a snapshot that fails", || {
        (told(&redis, "persistence", "rdb_last_bgsave_status") == "err").then_some(())
    });
    assert_eq!(code().await, "MISCONF");
    set("stop-writes-on-bgsave-error", "no");
    assert_eq!(head(&server, b"").await.unwrap().0, "ok");

    let () = redis.ask(&["REPLICAOF", "127.0.0.1", "1"]).unwrap();
    assert_eq!(code().await, "READONLY");
}

#[tokio::test]
async fn a_turn_that_begins_twice_is_two() {
    let redis = Redis::start(&[]).ready();
    let (_tended, server) = joined(&redis).await;
    let keys: [&[u8]; 7] = [b"head", b"log", b"fences", b"members", b"expect", b"runs", b"done"];
    let ask = async |keys: &[&[u8]], script, args: &[&[u8]]| {
        let said: Vec<Value> = server.script(script, keys, args, AMPLE).await.unwrap();
        redis::from_redis_value_ref::<String>(&said[0]).unwrap()
    };
    let field = |name: &str| redis.ask::<String>(&["HGET", "head", name]).unwrap();
    let turn = field("turn");
    let began = field(&format!("e{turn}"));
    let history: [&[u8]; 2] = [turn.as_bytes(), began.as_bytes()];
    let other: [&[u8]; 2] = [turn.as_bytes(), b"1.5"];
    let own = async |[turn, began]: [&[u8]; 2]| {
        ask(&keys[..4], &scripts::HEAD, &[LIFE, b"0-0", b"", turn, began]).await
    };
    assert_eq!(own(history).await, "ok");
    assert_eq!(own(other).await, "other");
    let adopt = async |[one, began]: [&[u8]; 2]| {
        ask(&keys, &scripts::ADOPT, &[turn.as_bytes(), b"0-0", one, began]).await
    };
    assert_eq!(adopt(history).await, "known");
    assert_eq!(adopt(other).await, "adopted", "a turn above both");
    assert!(field("turn").parse::<u64>().unwrap() > turn.parse().unwrap());
    // Who heard of neither new one is told still, and begins no further turn.
    assert_eq!(own(other).await, "other");
    assert_eq!(ask(&keys, &scripts::ADOPT, &[b"0", b"0-0", other[0], other[1]]).await, "known");
}

#[tokio::test]
async fn a_turn_that_has_no_room_for_more_orders_ends() {
    let redis = Redis::start(&[]).ready();
    let (_tended, server) = joined(&redis).await;
    let turn: String = redis.ask(&["HGET", "head", "turn"]).unwrap();
    let last = format!("{turn}-8000001");
    let () = redis.ask(&["HSET", "head", "last", &last]).unwrap();
    let _: String = redis.ask(&["XADD", "log", &last, "p", "0-0", "i", "0-0", "e", "-"]).unwrap();
    assert_eq!(head(&server, b"").await, Ok(("unknown".to_owned(), 0)));
    let keys: [&[u8]; 7] = [b"head", b"log", b"fences", b"members", b"expect", b"runs", b"done"];
    let args: [&[u8]; 5] = [turn.as_bytes(), b"0-0", b"0", b"", LIFE];
    let next: (String, String, String) =
        server.script(&scripts::ADOPT, &keys, &args, AMPLE).await.unwrap();
    assert_eq!((next.0.as_str(), next.2.as_str()), ("adopted", last.as_str()));
    assert!(next.1.parse::<u64>().unwrap() > turn.parse().unwrap());
}
