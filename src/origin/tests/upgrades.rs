//! Connections that change protocol.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::join;

use super::script::{Script, bare, fetch, full, read};
use crate::base::units::Span;
use crate::origin::tunnel::join as tunnel;
use crate::origin::{AskOptions, OriginFault, Slots, TunnelEnd, Upstreams};

const UPGRADE: [&str; 2] = ["connection: upgrade", "upgrade: websocket"];
const SWITCHED: &str =
    "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";

#[tokio::test]
async fn a_switched_connection_is_a_tunnel_with_half_close() {
    let (script, upstreams) = (Script::open().await, Upstreams::new());
    let mut spec = script.spec();
    let slots = Arc::new(Slots::new(1, 0, Span::from_secs(1)));
    spec.slots = Some(slots);
    let server = async {
        let mut peer = script.accept().await;
        let fields = UPGRADE.join("\r\n");
        peer.expects(&format!("GET /ws HTTP/1.1\r\nhost: h\r\n{fields}\r\n\r\n")).await;
        // The first bytes of the new protocol come with the head.
        peer.says(format!("{SWITCHED}hello")).await;
        peer.expects("ping").await;
        peer.says("pong").await;
        assert_eq!(peer.rest().await, b"bye");
        // The client has ended; the origin has not.
        peer.says("last words").await;
        drop(peer);
    };
    let (client, mut user) = duplex(64);
    let proxy = async {
        let ask = || upstreams.ask(&spec, bare("GET /ws", &UPGRADE), AskOptions::default());
        let inbound = ask().await.unwrap();
        assert_eq!(inbound.head.status, 101);
        assert_eq!(inbound.head.headers.get("upgrade").unwrap(), "websocket");
        let lane = inbound.upgrade.unwrap().complete().await.unwrap();
        // The tunnel holds the origin's only place.
        assert!(matches!(ask().await, Err(OriginFault::Overload)));
        tunnel(client, lane, Span::from_secs(60)).await
    };
    let user = async {
        let mut read = [0; 9];
        user.read_exact(&mut read[..5]).await.unwrap();
        user.write_all(b"ping").await.unwrap();
        user.read_exact(&mut read[5..]).await.unwrap();
        assert_eq!(&read, b"hellopong");
        user.write_all(b"bye").await.unwrap();
        user.shutdown().await.unwrap();
        let mut rest = Vec::new();
        user.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, b"last words");
    };
    let ((), carried, ()) = join!(server, proxy, user);
    assert!(matches!(carried.end, TunnelEnd::Closed), "{carried:?}");
    assert_eq!((carried.to_origin, carried.to_client), (7, 19));
    assert_eq!(upstreams.idle(), 0);
    // And its place is free again.
    assert!(spec.slots.unwrap().take(None).await.is_ok());
}

#[tokio::test]
async fn an_origin_that_does_not_switch_answers_as_usual() {
    let (script, upstreams) = (Script::open().await, Upstreams::new());
    let spec = script.spec();
    let server = async {
        let mut peer = script.accept().await;
        peer.answers("HTTP/1.1 426 Upgrade Required\r\ncontent-length: 2\r\n\r\nno").await;
        peer.answers("HTTP/1.1 204 No Content\r\n\r\n").await;
    };
    let client = async {
        let ask = upstreams.ask(&spec, bare("GET /", &UPGRADE), AskOptions::default());
        let inbound = ask.await.unwrap();
        assert!(inbound.upgrade.is_none());
        assert_eq!(read(inbound).await.unwrap().body, "no");
        assert!(fetch(&upstreams, &spec, bare("GET /", &[])).await.unwrap().reused);
    };
    join!(server, client);
}

#[tokio::test]
async fn a_request_with_a_body_asks_for_no_upgrade() {
    let (script, upstreams) = (Script::open().await, Upstreams::new());
    let spec = script.spec();
    let server = async {
        let mut peer = script.accept().await;
        let head = peer.head().await;
        assert!(head.contains("\r\nconnection: x-hop\r\n") && !head.contains("upgrade"), "{head}");
        peer.expects("body").await;
        peer.says("HTTP/1.1 204 No Content\r\n\r\n").await;
    };
    let fields = ["connection: Upgrade, x-hop", "upgrade: h2c", "x-hop: 1"];
    let client = fetch(&upstreams, &spec, full("POST /", &fields, "body"));
    assert_eq!(join!(server, client).1.unwrap().status, 204);
}

#[tokio::test(start_paused = true)]
async fn a_silent_tunnel_ends_and_a_talking_one_does_not() {
    let ((client, mut user), (origin, mut app)) = (duplex(64), duplex(64));
    let begun = tokio::time::Instant::now();
    let talk = async {
        for _ in 0..3 {
            tokio::time::sleep(std::time::Duration::from_secs(50)).await;
            app.write_all(b"tick").await.unwrap();
            let mut read = [0; 4];
            user.read_exact(&mut read).await.unwrap();
        }
        // Both ends are closed by the tunnel.
        assert_eq!(app.read(&mut [0; 1]).await.unwrap(), 0);
        assert_eq!(user.read(&mut [0; 1]).await.unwrap(), 0);
    };
    let (carried, ()) = join!(tunnel(client, origin, Span::from_secs(60)), talk);
    assert!(matches!(carried.end, TunnelEnd::Idle), "{carried:?}");
    assert_eq!((carried.to_client, begun.elapsed().as_secs()), (12, 210));
}

#[tokio::test]
async fn a_slow_side_holds_the_other_back_and_nothing_is_lost() {
    let ((client, user), (origin, mut app)) = (duplex(16), duplex(16));
    let sent: Vec<u8> = (0..200_000_u32).map(|at| (at % 251) as u8).collect();
    let say = async {
        app.write_all(&sent).await.unwrap();
        app.shutdown().await.unwrap();
        let mut heard = Vec::new();
        app.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, b"thanks");
    };
    let hear = async {
        let (mut reader, mut writer) = tokio::io::split(user);
        let mut heard = Vec::new();
        reader.read_to_end(&mut heard).await.unwrap();
        writer.write_all(b"thanks").await.unwrap();
        writer.shutdown().await.unwrap();
        heard
    };
    let (carried, (), heard) = join!(tunnel(client, origin, Span::FOREVER), say, hear);
    assert_eq!((carried.to_client, carried.to_origin), (200_000, 6));
    assert!(heard == sent, "the bytes differ");
}

#[tokio::test(start_paused = true)]
async fn a_side_that_hears_nothing_more_ends_the_tunnel() {
    let (script, upstreams) = (Script::open().await, Upstreams::new());
    let spec = script.spec();
    let server = async { script.accept().await.answers(SWITCHED).await };
    let (client, mut user) = duplex(64);
    let proxy = async {
        let ask = upstreams.ask(&spec, bare("GET /", &UPGRADE), AskOptions::default());
        let lane = ask.await.unwrap().upgrade.unwrap().complete().await.unwrap();
        tunnel(client, lane, Span::from_secs(60)).await
    };
    let talk = async {
        // The origin has closed; writing to it fails after a while.
        while user.write_all(b"anybody there?").await.is_ok() {
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        }
    };
    let (_head, carried, ()) = join!(server, proxy, talk);
    assert!(matches!(carried.end, TunnelEnd::Broken(_)), "{carried:?}");
    assert_eq!(carried.to_client, 0);
}

#[tokio::test]
async fn a_side_that_breaks_ends_the_tunnel() {
    let (script, upstreams) = (Script::open().await, Upstreams::new());
    let spec = script.spec();
    let server = async {
        let mut peer = script.accept().await;
        peer.answers(SWITCHED).await;
        peer.expects("x").await;
        peer.resets();
    };
    let (client, mut user) = duplex(64);
    let proxy = async {
        let ask = upstreams.ask(&spec, bare("GET /", &UPGRADE), AskOptions::default());
        let lane = ask.await.unwrap().upgrade.unwrap().complete().await.unwrap();
        tunnel(client, lane, Span::from_secs(60)).await
    };
    user.write_all(b"x").await.unwrap();
    let carried = join!(server, proxy).1;
    assert!(matches!(carried.end, TunnelEnd::Broken(_)), "{carried:?}");
    assert_eq!(user.read(&mut [0; 1]).await.unwrap(), 0);
}
