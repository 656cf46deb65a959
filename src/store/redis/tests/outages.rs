//! A server that is frozen, killed, restarted, loading or overwritten: what calls get meanwhile,
//! and how soon it is used again.

use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::time::Instant;

use super::super::config::Layout;
use super::super::samples::{AMPLE, Redis, Tended, config, wait_for};
use super::super::{Server, Slot, TierFault, Told};
use crate::base::units::Span;
use crate::policy::breaker::Phase;

const SHORT: Span = Span::from_millis(20);

/// Service must be back this soon after a server answers again.
const BACK: Duration = Duration::from_secs(1);

fn only(tended: &Tended) -> Arc<Server> {
    tended.servers.master(Slot::of(b"any")).unwrap()
}

fn cmd(parts: &[&str]) -> redis::Cmd {
    let mut cmd = redis::Cmd::new();
    cmd.arg(parts);
    cmd
}

async fn ping(server: &Server, deadline: Span) -> Result<String, TierFault> {
    server.call(&cmd(&["PING"]), deadline).await
}

/// One poll decides: nothing is waited for.
#[track_caller]
fn refused_at_once(server: &Server) {
    let ping = cmd(&["PING"]);
    let call = std::pin::pin!(server.call::<String>(&ping, AMPLE));
    let outcome = call.poll(&mut Context::from_waker(Waker::noop()));
    assert_eq!(outcome, Poll::Ready(Err(TierFault::Open)));
}

#[tokio::test]
async fn a_frozen_server_costs_five_deadlines_and_then_nothing() {
    let redis = Redis::start(&[]).ready();
    let tended = Tended::new(&config(Layout::Single(redis.address())));
    tended.up(1);
    let server = only(&tended);
    redis.freeze();
    for number in 1..=5 {
        assert!(server.is_up(), "before {number}");
        let begun = Instant::now();
        assert_eq!(ping(&server, SHORT).await, Err(TierFault::Deadline));
        assert!(begun.elapsed() >= SHORT.to_duration());
    }
    refused_at_once(&server);
    // However often it is probed: its kernel accepts, and it says nothing.
    wait_for("a probe", || (server.state().phase == Phase::HalfOpen).then_some(()));
    refused_at_once(&server);
    let state = server.state();
    assert_eq!((state.connections, state.under_way), (0, 0));
    redis.thaw();
    let begun = Instant::now();
    tended.up(1);
    assert!(begun.elapsed() < BACK, "{:?}", begun.elapsed());
    assert_eq!(ping(&server, AMPLE).await.as_deref(), Ok("PONG"));
}

#[tokio::test]
async fn answers_from_before_go_nowhere() {
    let redis = Redis::start(&[]).ready();
    let tended = Tended::new(&config(Layout::Single(redis.address())));
    tended.up(1);
    let server = only(&tended);
    redis.freeze();
    for number in 0..5 {
        let echo = cmd(&["ECHO", &format!("old {number}")]);
        assert_eq!(server.call::<String>(&echo, SHORT).await, Err(TierFault::Deadline));
    }
    redis.thaw();
    tended.up(1);
    for number in 0..20 {
        let echo = cmd(&["ECHO", &format!("new {number}")]);
        let said: String = server.call(&echo, AMPLE).await.unwrap();
        assert_eq!(said, format!("new {number}"));
    }
}

#[tokio::test]
async fn calls_under_way_end_when_the_breaker_opens() {
    let redis = Redis::start(&[]).ready();
    let mut wanted = config(Layout::Single(redis.address()));
    wanted.connections = 1;
    let tended = Tended::new(&wanted);
    tended.up(1);
    let server = only(&tended);
    redis.freeze();
    let patient = ping(&server, Span::from_secs(600));
    let others = async {
        for _ in 0..5 {
            assert_eq!(ping(&server, SHORT).await, Err(TierFault::Deadline));
        }
    };
    let (outcome, ()) = tokio::join!(patient, others);
    assert!(matches!(outcome, Err(TierFault::Lost(_))), "{outcome:?}");
}

#[tokio::test]
async fn a_killed_server_is_noticed_and_used_again_when_it_is_back() {
    let mut redis = Redis::start(&[]).ready();
    let tended = Tended::new(&config(Layout::Single(redis.address())));
    tended.up(1);
    let server = only(&tended);
    redis.kill();
    // Without a single call: the ends of its connections are enough.
    wait_for("the end", || (!server.is_up()).then_some(()));
    refused_at_once(&server);
    redis.restart();
    let redis = redis.ready();
    let begun = Instant::now();
    tended.up(1);
    assert!(begun.elapsed() < BACK, "{:?}", begun.elapsed());
    assert_eq!(ping(&server, AMPLE).await.as_deref(), Ok("PONG"));
    assert_eq!(redis.ask::<String>(&["PING"]).as_deref(), Ok("PONG"));
    let told = tended.told();
    let words = told.iter().map(|what| match what {
        Told::Down { .. } => "down",
        Told::Up { .. } => "up",
        Told::Topology { .. } => "topology",
        Told::Unfound { .. } => "unfound",
    });
    assert_eq!(words.collect::<Vec<_>>(), ["up", "down", "up"], "{told:?}");
}

#[tokio::test]
async fn a_server_that_begins_later_is_used_from_then_on() {
    let mut redis = Redis::start(&[]).ready();
    redis.kill();
    let tended = Tended::new(&config(Layout::Single(redis.address())));
    refused_at_once(&only(&tended));
    wait_for("word of it", || {
        matches!(tended.told().as_slice(), [Told::Down { .. }]).then_some(())
    });
    redis.restart();
    let _redis = redis.ready();
    tended.up(1);
}

#[tokio::test]
async fn connections_that_end_are_made_anew() {
    let redis = Redis::start(&[]).ready();
    let mut wanted = config(Layout::Single(redis.address()));
    wanted.connections = 3;
    let tended = Tended::new(&wanted);
    tended.up(1);
    let server = only(&tended);
    for times in 1..=4 {
        wait_for("all three", || {
            let ups = tended.told().iter().filter(|what| matches!(what, Told::Up { .. })).count();
            (ups == times && server.state().connections == 3).then_some(())
        });
        let ended: i64 = redis.ask(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).unwrap();
        assert_eq!(ended, 3);
    }
    // One alone is replaced without a word.
    wait_for("all three", || {
        let ups = tended.told().iter().filter(|what| matches!(what, Told::Up { .. })).count();
        (ups == 5 && server.state().connections == 3).then_some(())
    });
    let told = tended.told().len();
    let id: i64 = server.call(&cmd(&["CLIENT", "ID"]), AMPLE).await.unwrap();
    let _: i64 = redis.ask(&["CLIENT", "KILL", "ID", &id.to_string()]).unwrap();
    wait_for("a new one", || {
        let list: String = redis.ask(&["CLIENT", "LIST"]).unwrap();
        let ours = list.lines().filter(|line| !line.contains("cmd=client|list"));
        (ours.count() == 3 && !list.contains(&format!("id={id} "))).then_some(())
    });
    assert_eq!(tended.told().len(), told);
}

#[tokio::test]
async fn a_server_that_is_busy_with_a_script_is_left_alone() {
    let redis = Redis::start(&["--busy-reply-threshold", "1"]).ready();
    let tended = Tended::new(&config(Layout::Single(redis.address())));
    tended.up(1);
    let server = only(&tended);
    let mut other = TcpStream::connect(("127.0.0.1", redis.port())).unwrap();
    other.write_all(b"EVAL 'while true do end' 0\r\n").unwrap();
    wait_for("the script to begin", || redis.ask::<String>(&["PING"]).is_err().then_some(()));
    for _ in 0..5 {
        let busy = ping(&server, AMPLE).await.unwrap_err();
        assert_eq!(busy.code(), Some("BUSY"), "{busy}");
    }
    refused_at_once(&server);
    let mut killer = TcpStream::connect(("127.0.0.1", redis.port())).unwrap();
    killer.write_all(b"SCRIPT KILL\r\n").unwrap();
    tended.up(1);
}

#[tokio::test]
async fn a_call_over_a_thread_that_tends_needs_no_more_than_its_own_runtime() {
    let redis = Redis::start(&[]).ready();
    let tended = Tended::new(&config(Layout::Single(redis.address())));
    tended.up(1);
    let threads = (0..4).map(|thread| {
        let server = only(&tended);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
            runtime.unwrap().block_on(async {
                for number in 0..200 {
                    let text = format!("{thread} {number}");
                    let said: String = server.call(&cmd(&["ECHO", &text]), AMPLE).await.unwrap();
                    assert_eq!(said, text);
                }
            });
        })
    });
    for thread in threads.collect::<Vec<_>>() {
        thread.join().unwrap();
    }
    assert_eq!(only(&tended).state().answered, 800);
}

#[tokio::test]
async fn what_is_bulky_does_not_stand_before_what_is_small() {
    let redis = Redis::start(&[]).ready();
    let tended = Tended::new(&config(Layout::Single(redis.address())));
    tended.up(1);
    let server = only(&tended);
    wait_for("both", || (server.state().connections == 2).then_some(()));
    let large = "x".repeat(100_000);
    let set = cmd(&["SET", "a", &large]);
    let mut ids = Vec::new();
    for _ in 0..4 {
        let () = server.call(&set, AMPLE).await.unwrap();
        let id: i64 = server.call(&cmd(&["CLIENT", "ID"]), AMPLE).await.unwrap();
        ids.push(id);
    }
    assert!(ids.windows(2).all(|pair| pair[0] == pair[1]), "{ids:?}");
    let list: String = redis.ask(&["CLIENT", "LIST"]).unwrap();
    let line = |id: i64| list.lines().find(|line| line.starts_with(&format!("id={id} "))).unwrap();
    assert!(line(ids[0]).contains("cmd=client|id"), "{list}");
    assert_eq!(list.matches(" cmd=set ").count(), 1, "{list}");
}

#[tokio::test]
async fn without_the_thread_that_tends_nobody_waits() {
    let redis = Redis::start(&[]).ready();
    let tended = Tended::new(&config(Layout::Single(redis.address())));
    tended.up(1);
    let server = only(&tended);
    let servers = tended.servers.clone();
    drop(tended);
    for _ in 0..5 {
        let outcome = ping(&server, AMPLE).await;
        assert!(matches!(outcome, Err(TierFault::Lost(_) | TierFault::Open)), "{outcome:?}");
    }
    refused_at_once(&server);
    // It may be tended again, elsewhere.
    tokio::select! {
        () = servers.tend() => {}
        () = async { while !server.is_up() { tokio::task::yield_now().await } } => {}
    }
}
