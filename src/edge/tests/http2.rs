//! HTTP/2 in moved time, on streams in memory: silence, clients that take nothing, panics.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::Instant;

use super::service::{Echo, Notes};
use crate::base::{limits, tasks};
use crate::edge::conn::Line;
use crate::edge::workers::House;
use crate::edge::{Peer, Watch, http2};

/// The preface, and settings that say nothing.
const HELLO: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
/// The same of a client that takes no byte of any answer.
const HELLO_WITHOUT_ROOM: &[u8] =
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x06\x04\0\0\0\0\0\0\x04\0\0\0\0";

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const GOAWAY: u8 = 7;

fn connected(notes: &Arc<Notes>) -> DuplexStream {
    let (client, server) = duplex(1 << 20);
    let any = "127.0.0.1:1".parse().unwrap();
    let peer = Peer { address: any, local: any, connection: 1, secure: false };
    let echo = Echo { notes: Arc::clone(notes), worker: 0 };
    let watch = Arc::clone(notes) as Arc<dyn Watch>;
    let line = Line::new(echo, Arc::new(House::default()), watch);
    tasks::tend(http2::serve_on(server, None, peer, line));
    client
}

/// A GET of a short path, its fields as literals without a table.
fn get(stream: u8, path: &str) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in
        [(":method", "GET"), (":scheme", "http"), (":authority", "h"), (":path", path)]
    {
        block.extend([0, name.len() as u8]);
        block.extend(name.bytes());
        block.push(value.len() as u8);
        block.extend(value.bytes());
    }
    let mut frame = vec![0, 0, block.len() as u8, HEADERS, 5, 0, 0, 0, stream];
    frame.extend(block);
    frame
}

/// Kind, stream and payload of the next frame; nothing at the end.
async fn next(client: &mut DuplexStream) -> Option<(u8, u8, Vec<u8>)> {
    let mut head = [0; 9];
    client.read_exact(&mut head).await.ok()?;
    let mut payload = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
    client.read_exact(&mut payload).await.unwrap();
    Some((head[3], head[8], payload))
}

async fn until(client: &mut DuplexStream, kind: u8) -> (u8, Vec<u8>) {
    loop {
        let (found, stream, payload) = next(client).await.expect("more frames");
        if found == kind {
            return (stream, payload);
        }
    }
}

async fn end(client: &mut DuplexStream) {
    while next(client).await.is_some() {}
}

#[tokio::test(start_paused = true)]
async fn silence_is_taken_leave_of_and_then_closed() {
    let (notes, _arrivals) = Notes::new();
    let begun = Instant::now();
    let mut client = connected(&notes);
    client.write_all(HELLO).await.unwrap();
    let (_, leave) = until(&mut client, GOAWAY).await;
    assert_eq!(leave[4..8], [0; 4], "nobody is to blame");
    assert_eq!(begun.elapsed().as_secs(), 30);
    // A client that does not answer to that is not waited for.
    end(&mut client).await;
    assert!(begun.elapsed().as_secs() <= 60, "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn half_a_preface_is_not_waited_for() {
    let (notes, _arrivals) = Notes::new();
    let begun = Instant::now();
    let mut client = connected(&notes);
    client.write_all(&HELLO[..10]).await.unwrap();
    end(&mut client).await;
    assert!(begun.elapsed().as_secs() <= 60, "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_request_under_way_is_waited_for() {
    let (notes, _arrivals) = Notes::new();
    let mut client = connected(&notes);
    client.write_all(HELLO).await.unwrap();
    client.write_all(&get(1, "/hold")).await.unwrap();
    // Longer than silence may last; pings are answered meanwhile.
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(100) {
        let frame = tokio::time::timeout(Duration::from_secs(10), next(&mut client)).await;
        if let Ok(frame) = frame {
            let (kind, _, payload) = frame.expect("it goes on");
            assert_ne!(kind, GOAWAY);
            if kind == 6 {
                client.write_all(b"\0\0\x08\x06\x01\0\0\0\0").await.unwrap();
                client.write_all(&payload).await.unwrap();
            }
        }
    }
    notes.gate.add_permits(1);
    let (_, body) = until(&mut client, DATA).await;
    assert_eq!(body, b"GET /hold ");
}

#[tokio::test(start_paused = true)]
async fn who_takes_nothing_for_long_is_cut_off() {
    let (notes, _arrivals) = Notes::new();
    let mut client = connected(&notes);
    client.write_all(HELLO_WITHOUT_ROOM).await.unwrap();
    client.write_all(&get(1, "/big")).await.unwrap();
    let begun = Instant::now();
    while let Some((kind, _, payload)) = next(&mut client).await {
        assert_ne!(kind, DATA);
        if kind == 6 {
            // It may be cut off while it still says that it is there.
            let pong = [&b"\0\0\x08\x06\x01\0\0\0\0"[..], &payload].concat();
            client.write_all(&pong).await.unwrap_or_default();
        }
    }
    let (lasted, limit) = (begun.elapsed(), limits::WRITE_TIMEOUT.to_duration());
    assert!(lasted >= limit && lasted <= limit * 2, "{lasted:?}");
}

#[tokio::test]
async fn a_panic_ends_its_stream_and_no_other() {
    let (notes, _arrivals) = Notes::new();
    let mut client = connected(&notes);
    client.write_all(HELLO).await.unwrap();
    client.write_all(&get(1, "/panic")).await.unwrap();
    let (stream, _) = until(&mut client, RST_STREAM).await;
    assert_eq!(stream, 1);
    client.write_all(&get(3, "/x")).await.unwrap();
    assert_eq!(until(&mut client, DATA).await, (3, b"GET /x ".to_vec()));
    assert_eq!(*notes.panics.lock().unwrap(), ["as told"]);
}

#[tokio::test]
async fn requests_of_one_write_are_all_answered() {
    let (notes, _arrivals) = Notes::new();
    let mut client = connected(&notes);
    client.write_all(HELLO).await.unwrap();
    until(&mut client, 4).await;
    let asked = [get(1, "/a"), get(3, "/b"), get(5, "/c"), get(7, "/d")].concat();
    client.write_all(&asked).await.unwrap();
    let mut bodies = Vec::new();
    while bodies.len() < 4 {
        bodies.push(until(&mut client, DATA).await.1);
    }
    bodies.sort();
    assert_eq!(bodies, [b"GET /a ", b"GET /b ", b"GET /c ", b"GET /d "]);
}
