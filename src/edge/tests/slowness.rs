//! Clients that are slow or silent, in moved time, on streams in memory.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::Instant;

use super::service::{Echo, Notes};
use crate::base::limits;
use crate::base::tasks;
use crate::edge::conn;
use crate::edge::{Peer, Watch};

/// A connection whose pipe holds `room` bytes each way.
pub(super) fn connected(notes: &Arc<Notes>, room: usize) -> DuplexStream {
    let (client, server) = duplex(room);
    let any = "127.0.0.1:1".parse().unwrap();
    let peer = Peer { address: any, local: any, connection: 1, secure: false };
    let echo = Echo { notes: Arc::clone(notes), worker: 0 };
    tasks::tend(conn::attend(server, echo, peer, Arc::clone(notes) as Arc<dyn Watch>));
    client
}

async fn rest(client: &mut DuplexStream) -> String {
    let mut all = String::new();
    client.read_to_string(&mut all).await.unwrap();
    all
}

async fn head(client: &mut DuplexStream) -> String {
    let mut all = Vec::new();
    while !all.ends_with(b"\r\n\r\n") {
        all.push(client.read_u8().await.unwrap());
    }
    String::from_utf8(all).unwrap()
}

async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

const GET: &[u8] = b"GET /empty HTTP/1.1\r\nHost: h\r\n\r\n";

#[tokio::test(start_paused = true)]
async fn silence_is_closed_without_a_word() {
    let (notes, _arrivals) = Notes::new();
    let begun = Instant::now();
    let mut client = connected(&notes, 4_096);
    assert_eq!(rest(&mut client).await, "");
    assert_eq!(begun.elapsed().as_secs(), 30);
}

#[tokio::test(start_paused = true)]
async fn silence_after_an_answer_is_closed_without_a_word() {
    let (notes, _arrivals) = Notes::new();
    let mut client = connected(&notes, 4_096);
    for _ in 0..3 {
        pass(29).await;
        client.write_all(GET).await.unwrap();
        assert!(head(&mut client).await.starts_with("HTTP/1.1 204"));
    }
    let begun = Instant::now();
    assert_eq!(rest(&mut client).await, "");
    assert_eq!(begun.elapsed().as_secs(), 30);
}

#[tokio::test(start_paused = true)]
async fn a_slow_head_is_told_so_whatever_trickles() {
    let (notes, _arrivals) = Notes::new();
    let mut client = connected(&notes, 4_096);
    pass(20).await;
    let begun = Instant::now();
    client.write_all(b"GET / HTTP/1.1\r\nHost: h\r\nA: ").await.unwrap();
    for _ in 0..5 {
        pass(5).await;
        client.write_all(b"b").await.unwrap();
    }
    let answer = rest(&mut client).await;
    assert!(answer.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{answer}");
    assert_eq!(begun.elapsed().as_secs(), 30);
    assert_eq!(notes.heads(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_head_that_comes_slowly_but_in_time_is_served() {
    let (notes, _arrivals) = Notes::new();
    let mut client = connected(&notes, 4_096);
    for _ in 0..2 {
        for part in GET.chunks(4) {
            pass(3).await;
            client.write_all(part).await.unwrap();
        }
        assert!(head(&mut client).await.starts_with("HTTP/1.1 204"));
    }
}

#[tokio::test(start_paused = true)]
async fn empty_lines_do_not_begin_a_head() {
    let (notes, _arrivals) = Notes::new();
    let mut client = connected(&notes, 4_096);
    client.write_all(b"\r\n").await.unwrap();
    assert_eq!(rest(&mut client).await, "");
}

#[tokio::test(start_paused = true)]
async fn a_long_wait_for_an_answer_is_no_silence() {
    let (notes, _arrivals) = Notes::new();
    let mut client = connected(&notes, 4_096);
    client.write_all(b"GET /hold HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
    pass(3_600).await;
    notes.gate.add_permits(1);
    assert!(head(&mut client).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_is_gone_after_a_while() {
    let (notes, _arrivals) = Notes::new();
    let mut client = connected(&notes, 1_024);
    let begun = Instant::now();
    client.write_all(b"GET /big HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
    // It takes little twice a minute, which is enough, and then nothing more.
    for _ in 0..4 {
        pass(30).await;
        client.read_exact(&mut [0; limits::WRITE_BYTES_MIN]).await.unwrap();
    }
    let dropped = begun.elapsed().as_secs() + 60;
    while client.write_all(b"x").await.is_ok() {
        pass(1).await;
    }
    assert!((dropped..dropped + 2).contains(&begun.elapsed().as_secs()));
    let cut = rest(&mut client).await;
    assert!(cut.len() <= 1_024, "the answer ends where it was cut");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_a_byte_now_and_then_is_gone_after_the_same_while() {
    for target in ["/big", "/at-once/big"] {
        let (notes, _arrivals) = Notes::new();
        let mut client = connected(&notes, 1_024);
        let begun = Instant::now();
        let head = format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n");
        client.write_all(head.as_bytes()).await.unwrap();
        while client.read_u8().await.is_ok() {
            pass(1).await;
        }
        // What stood in the pipe when it was cut is read a byte at a time, too.
        let cut_within = 60 + 1_024 + 2;
        assert!((60..cut_within).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_client_that_never_stops_sending_is_left_after_a_while() {
    let (notes, _arrivals) = Notes::new();
    let mut client = connected(&notes, 4_096);
    let begun = Instant::now();
    client.write_all(b"NOT HTTP\n").await.unwrap();
    assert!(rest(&mut client).await.starts_with("HTTP/1.1 400"));
    while client.write_all(b"more").await.is_ok() {
        tokio::time::sleep(Duration::from_millis(700)).await;
    }
    assert_eq!(begun.elapsed().as_secs(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_refused_client_that_sends_too_much_is_left_at_once() {
    let (notes, _arrivals) = Notes::new();
    let mut client = connected(&notes, 4_096);
    let begun = Instant::now();
    client.write_all(b"NOT HTTP\n").await.unwrap();
    let flood = vec![b'x'; 2 * crate::base::limits::LINGER_BYTES_MAX];
    assert!(client.write_all(&flood).await.is_err());
    assert_eq!(begun.elapsed().as_secs(), 0);
}
