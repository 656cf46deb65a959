//! Things that accept connections and are no servers: mute ones, and ones that send what nobody
//! should believe.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use redis::Value;
use tokio::time::Instant;

use super::super::config::{Address, Layout};
use super::super::samples::{AMPLE, Tended, config, wait_for};
use super::super::{Server, Slot, TierFault};
use crate::base::units::Span;

/// Who accepts connections until the test ends.
struct Pretender {
    address: Address,
    connections: Arc<AtomicUsize>,
}

/// Each connection is handed to `play`, on a thread of its own.
fn pretend(play: impl Fn(TcpStream) + Send + Sync + 'static) -> Pretender {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let connections = Arc::new(AtomicUsize::new(0));
    let (counted, play) = (Arc::clone(&connections), Arc::new(play));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            counted.fetch_add(1, Ordering::SeqCst);
            let (stream, play) = (stream.unwrap(), Arc::clone(&play));
            std::thread::spawn(move || play(stream));
        }
    });
    Pretender { address: Address { host: "127.0.0.1".to_owned(), port }, connections }
}

/// Answers greetings and probes, and everything else with `answer`.
fn answering(answer: &'static [u8]) -> impl Fn(TcpStream) + Send + Sync {
    move |mut stream| {
        let mut buffer = vec![0; 65_536];
        while let Ok(count) = stream.read(&mut buffer)
            && count > 0
        {
            let has = |word| memchr::memmem::find(buffer.get(..count).unwrap(), word).is_some();
            let probed = has(b"EVAL") || has(b"PING");
            let said: &[u8] = if probed { b"+PONG\r\n" } else { answer };
            if stream.write_all(said).is_err() {
                return;
            }
        }
    }
}

fn only(tended: &Tended) -> Arc<Server> {
    tended.servers.master(Slot::of(b"any")).unwrap()
}

async fn ask(server: &Server) -> Result<Value, TierFault> {
    server.call(redis::Cmd::new().arg("GET").arg("a"), AMPLE).await
}

#[tokio::test]
async fn a_mute_server_holds_nobody_up() {
    let mute = pretend(|mut stream| {
        drop(stream.read_to_end(&mut Vec::new()));
    });
    let mut wanted = config(Layout::Single(mute.address.clone()));
    wanted.connect_timeout = Span::from_millis(50);
    let tended = Tended::new(&wanted);
    let server = only(&tended);
    let mut tries = 0;
    while mute.connections.load(Ordering::SeqCst) < 4 {
        assert_eq!(ask(&server).await, Err(TierFault::Open));
        tokio::task::yield_now().await;
        tries += 1;
    }
    assert!(tries >= 4);
    assert_eq!(server.state().last_fault.as_deref(), Some("no answer in time"));
}

#[tokio::test]
async fn whoever_speaks_another_protocol_is_no_server() {
    let web = pretend(|mut stream| {
        drop(stream.read(&mut [0; 4_096]));
        drop(stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n"));
        drop(stream.read_to_end(&mut Vec::new()));
    });
    let tended = Tended::new(&config(Layout::Single(web.address.clone())));
    let server = only(&tended);
    let why = wait_for("a reason", || server.state().last_fault);
    assert!(why.starts_with("answer not understood"), "{why}");
    assert_eq!(ask(&server).await, Err(TierFault::Open));
}

/// What may come in the middle of things, and what is said about it.
async fn thrown_away(junk: &'static [u8]) {
    let liar = pretend(answering(junk));
    let mut wanted = config(Layout::Single(liar.address.clone()));
    wanted.connections = 1;
    let tended = Tended::new(&wanted);
    tended.up(1);
    let server = only(&tended);
    let before = liar.connections.load(Ordering::SeqCst);
    let outcome = ask(&server).await;
    let junk = junk.escape_ascii();
    assert!(matches!(outcome, Err(TierFault::Garbage(_))), "{junk}: {outcome:?}");
    wait_for("another connection", || {
        (liar.connections.load(Ordering::SeqCst) > before).then_some(())
    });
    tended.up(1);
}

#[tokio::test]
async fn junk_is_typed_and_its_connection_thrown_away() {
    for junk in [
        &b"junk\r\n"[..],
        b"\0\0\0\0",
        b"$4\r\nabcdefgh",
        b":12x\r\n",
        b"*1\r\n%1\r\n",
        // Nobody waits for, or makes room for, what is only promised.
        b"$9000000000000000000\r\n",
        b"*4000000000\r\n",
        b"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n",
    ] {
        thrown_away(junk).await;
    }
}

#[tokio::test]
async fn an_answer_of_another_kind_is_garbage_too() {
    let liar = pretend(answering(b"+PONG\r\n"));
    let tended = Tended::new(&config(Layout::Single(liar.address.clone())));
    tended.up(1);
    let server = only(&tended);
    let wrong: Result<i64, _> = server.call(redis::Cmd::new().arg("DBSIZE"), AMPLE).await;
    assert!(matches!(wrong, Err(TierFault::Garbage(_))), "{wrong:?}");
}

#[tokio::test]
async fn a_liar_is_given_up_after_five_lies() {
    let liar = pretend(answering(b"junk\r\n"));
    let mut wanted = config(Layout::Single(liar.address.clone()));
    wanted.connections = 8;
    let tended = Tended::new(&wanted);
    let server = only(&tended);
    wait_for("connections", || (server.state().connections == 8).then_some(()));
    let begun = Instant::now();
    for _ in 0..5 {
        assert!(ask(&server).await.is_err());
    }
    if begun.elapsed().as_millis() < 900 {
        assert_eq!(ask(&server).await, Err(TierFault::Open));
    }
}

#[tokio::test]
async fn a_server_that_ends_what_it_accepts_is_not_knocked_at_in_circles() {
    let rude = pretend(|mut stream| {
        let mut buffer = vec![0; 65_536];
        if stream.read(&mut buffer).is_ok() {
            drop(stream.write_all(b"+PONG\r\n"));
        }
    });
    let begun = Instant::now();
    let tended = Tended::new(&config(Layout::Single(rude.address.clone())));
    wait_for("some tries", || (rude.connections.load(Ordering::SeqCst) >= 6).then_some(()));
    // Two connections each time, and each time 200 ms after the last.
    assert!(begun.elapsed().as_millis() >= 400, "{:?}", begun.elapsed());
    drop(tended);
}

#[tokio::test]
async fn who_says_that_it_is_nobody_is_no_server() {
    let odd = pretend(|mut stream| {
        while stream.read(&mut [0; 4_096]).is_ok_and(|count| count > 0) {
            if stream.write_all(b"+a b\r\n").is_err() {
                return;
            }
        }
    });
    let tended = Tended::new(&config(Layout::Single(odd.address.clone())));
    let server = only(&tended);
    let why = wait_for("a reason", || server.state().last_fault);
    assert_eq!(why, "answer not understood: no answer to a greeting");
    assert_eq!(ask(&server).await, Err(TierFault::Open));
}
