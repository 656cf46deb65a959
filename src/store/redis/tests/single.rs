//! One server that behaves: commands, pipelines, scripts, logins, databases, messages.

use std::sync::Arc;

use redis::Value;
use tokio::time::Instant;

use super::super::config::{Address, Layout, Login};
use super::super::samples::{AMPLE, PATIENCE, Redis, Tended, config, wait_for};
use super::super::{Script, ScriptCall, Server, Servers, Slot, TierFault, Told};
use crate::base::units::Span;

static ADD: Script = Script::new("return redis.call('INCRBY', KEYS[1], ARGV[1])");
static NAME: Script = Script::new("return {KEYS[1], ARGV[1]}");
static WRONG: Script = Script::new("return redis.call('LPUSH', KEYS[1], 'a')");

fn only(tended: &Tended) -> Arc<Server> {
    tended.servers.master(Slot::of(b"any")).unwrap()
}

fn cmd(parts: &[&str]) -> redis::Cmd {
    let mut cmd = redis::Cmd::new();
    cmd.arg(parts);
    cmd
}

/// Requests call from tasks.
#[test]
fn calls_may_be_made_in_tasks() {
    fn is_send<T: Send>(_: T) {}
    let redis = config(Layout::Single(Address { host: "h".to_owned(), port: 1 }));
    let servers = Servers::new(&redis, |_| {}).unwrap();
    let server = servers.master(Slot::of(b"a")).unwrap();
    let (ping, pipe) = (cmd(&["PING"]), redis::pipe());
    is_send(server.call::<String>(&ping, AMPLE));
    is_send(server.pipe::<Value>(&pipe, AMPLE));
    is_send(server.script::<Value>(&ADD, &[], &[], AMPLE));
    is_send(server.scripts(&[], AMPLE));
    is_send(server.pubsub());
    is_send(servers.tend());
}

#[tokio::test]
async fn commands_pipelines_and_scripts() {
    let redis = Redis::start(&[]).ready();
    let tended = Tended::new(&config(Layout::Single(redis.address())));
    tended.up(1);
    let server = only(&tended);
    let () = server.call(&cmd(&["SET", "a", "1"]), AMPLE).await.unwrap();
    let (one, two): (i64, i64) =
        server.pipe(redis::pipe().cmd("INCR").arg("a").cmd("INCR").arg("a"), AMPLE).await.unwrap();
    assert_eq!((one, two), (2, 3));
    let whole: (i64, String) = server
        .pipe(redis::pipe().atomic().cmd("INCR").arg("a").cmd("GET").arg("a"), AMPLE)
        .await
        .unwrap();
    assert_eq!(whole, (4, "4".to_owned()));
    // The first time by text, the second by hash.
    for sum in [14_i64, 24] {
        let got: i64 = server.script(&ADD, &[b"a"], &[b"10"], AMPLE).await.unwrap();
        assert_eq!(got, sum);
    }
    let stats: String = server.call(&cmd(&["INFO", "commandstats"]), AMPLE).await.unwrap();
    let by_hash = stats.lines().find(|line| line.starts_with("cmdstat_evalsha:calls=2,")).unwrap();
    assert!(by_hash.trim_end().ends_with("failed_calls=1"), "{stats}");
}

#[tokio::test]
async fn a_script_is_told_which_process_it_runs_in() {
    static TOLD: Script = Script::told_run("return ARGV[#ARGV]");
    let mut redis = Redis::start(&[]).ready();
    let tended = Tended::new(&config(Layout::Single(redis.address())));
    let mut before = String::new();
    for _ in 0..2 {
        let begun = Instant::now();
        let told = loop {
            let server = only(&tended);
            let told = server.script::<String>(&TOLD, &[b"a"], &[b"one"], AMPLE).await;
            if let Ok(told) = told {
                break told;
            }
            // Its connections may have to be made first.
            assert!(begun.elapsed() < PATIENCE, "{told:?}");
            tokio::task::yield_now().await;
        };
        let server = only(&tended);
        let calls = [ScriptCall { script: &TOLD, keys: &[], args: &[] }];
        let several = server.scripts(&calls, AMPLE).await.unwrap();
        assert_eq!(several, [Ok(Value::BulkString(told.clone().into_bytes()))]);
        let info: String = server.call(&cmd(&["INFO", "server"]), AMPLE).await.unwrap();
        assert!(info.contains(&format!("run_id:{told}")), "{told} is not in {info}");
        assert_ne!(before, told);
        before = told;
        redis.kill();
        redis.restart();
    }
}

#[tokio::test]
async fn several_scripts_have_several_outcomes() {
    let redis = Redis::start(&[]).ready();
    let tended = Tended::new(&config(Layout::Single(redis.address())));
    tended.up(1);
    let server = only(&tended);
    let call = |script, arg| ScriptCall { script, keys: &[b"n"], args: arg };
    let calls = [call(&ADD, &[b"1"]), call(&WRONG, &[]), call(&NAME, &[b"x"]), call(&ADD, &[b"2"])];
    for sums in [[1, 3], [4, 6]] {
        let got = server.scripts(&calls, AMPLE).await.unwrap();
        let [first, wrong, name, last] = got.as_slice() else { panic!("{got:?}") };
        assert_eq!(*first, Ok(Value::Int(sums[0])));
        assert_eq!(wrong.as_ref().unwrap_err().code(), Some("WRONGTYPE"));
        let parts = [b"n", b"x"].map(|part| Value::BulkString(part.to_vec()));
        assert_eq!(*name, Ok(Value::Array(parts.to_vec())));
        assert_eq!(*last, Ok(Value::Int(sums[1])));
    }
    assert_eq!(server.scripts(&[], AMPLE).await, Ok(Vec::new()));
}

#[tokio::test]
async fn errors_of_the_server_do_not_open_the_breaker() {
    let redis = Redis::start(&["--maxmemory", "1", "--maxmemory-policy", "noeviction"]).ready();
    let tended = Tended::new(&config(Layout::Single(redis.address())));
    tended.up(1);
    let server = only(&tended);
    for _ in 0..20 {
        let full = server.call::<()>(&cmd(&["SET", "a", "1"]), AMPLE).await.unwrap_err();
        assert_eq!(full.code(), Some("OOM"), "{full}");
    }
    assert!(server.is_up());
    let state = server.state();
    assert_eq!(state.faults.iter().sum::<u64>(), 20);
    assert_eq!((state.under_way, state.last_fault), (0, None));
}

#[tokio::test]
async fn a_password_and_a_database_are_used() {
    let redis =
        Redis::start(&["--requirepass", "secret", "--user", "ann", "on", ">word", "~*", "+@all"])
            .ready();
    let mut wanted = config(Layout::Single(redis.address()));
    wanted.db = 3;
    wanted.login.password = Some("secret".to_owned());
    let tended = Tended::new(&wanted);
    tended.up(1);
    let info: String = only(&tended).call(&cmd(&["CLIENT", "INFO"]), AMPLE).await.unwrap();
    assert!(info.contains(" db=3 ") && info.contains(" user=default "), "{info}");

    wanted.login = Login { user: Some("ann".to_owned()), password: Some("word".to_owned()) };
    let tended = Tended::new(&wanted);
    tended.up(1);
    let info: String = only(&tended).call(&cmd(&["CLIENT", "INFO"]), AMPLE).await.unwrap();
    assert!(info.contains(" db=3 ") && info.contains(" user=ann "), "{info}");
}

#[tokio::test]
async fn a_wrong_password_is_told_and_costs_nobody_any_time() {
    let redis = Redis::start(&["--requirepass", "secret"]).ready();
    let mut wanted = config(Layout::Single(redis.address()));
    wanted.login.password = Some("wrong".to_owned());
    let tended = Tended::new(&wanted);
    let server = only(&tended);
    let why = wait_for("a reason", || server.state().last_fault);
    assert!(why.starts_with("NOAUTH") && !why.contains("wrong "), "{why}");
    assert_eq!(server.call::<()>(&cmd(&["PING"]), AMPLE).await, Err(TierFault::Open));
    let told = tended.told();
    assert!(matches!(told.as_slice(), [Told::Down { why: said, .. }] if *said == why), "{told:?}");
}

#[tokio::test]
async fn calls_beyond_the_bound_are_refused_at_once() {
    let redis = Redis::start(&[]).ready();
    let mut wanted = config(Layout::Single(redis.address()));
    wanted.calls_max = 2;
    let tended = Tended::new(&wanted);
    tended.up(1);
    let server = only(&tended);
    let slow = cmd(&["BLPOP", "none", "0.3"]);
    let slow = || server.call::<Value>(&slow, AMPLE);
    let (one, two, three) = tokio::join!(slow(), slow(), slow());
    assert_eq!((one, two, three), (Ok(Value::Nil), Ok(Value::Nil), Err(TierFault::Busy)));
    assert_eq!(slow().await, Ok(Value::Nil));
    assert_eq!(server.state().under_way, 0);
}

#[tokio::test]
async fn a_call_that_is_given_up_leaves_its_place() {
    let redis = Redis::start(&[]).ready();
    let tended = Tended::new(&config(Layout::Single(redis.address())));
    tended.up(1);
    let server = only(&tended);
    let slow = cmd(&["BLPOP", "none", "0.2"]);
    tokio::select! {
        biased;
        got = server.call::<Value>(&slow, AMPLE) => panic!("{got:?}"),
        () = tokio::task::yield_now() => {}
    }
    assert_eq!(server.state().under_way, 0);
    let late = server.call::<Value>(&slow, Span::from_millis(1)).await;
    assert_eq!(late, Err(TierFault::Deadline));
    // What is answered late goes nowhere: the next answers are the next ones'.
    for number in 0..20_i64 {
        let echo: i64 = server.call(&cmd(&["ECHO", &number.to_string()]), AMPLE).await.unwrap();
        assert_eq!(echo, number);
    }
}

#[tokio::test]
async fn messages_are_heard_on_a_connection_of_their_own() {
    let redis = Redis::start(&[]).ready();
    let tended = Tended::new(&config(Layout::Single(redis.address())));
    tended.up(1);
    let server = only(&tended);
    let mut heard = server.pubsub().await.unwrap();
    heard.subscribe("news").await.unwrap();
    let heard_by: i64 = server.call(&cmd(&["PUBLISH", "news", "x"]), AMPLE).await.unwrap();
    assert_eq!(heard_by, 1);
    drop(heard);
    // Its task lives here: let it run between the questions.
    let mut left = 1;
    while left > 0 {
        tokio::task::yield_now().await;
        (_, left) = redis.ask::<(String, i64)>(&["PUBSUB", "NUMSUB", "news"]).unwrap();
    }
}
