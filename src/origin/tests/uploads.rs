//! Request bodies: early answers, 100-continue, and bodies that break off.

use std::time::Duration;

use http_body_util::BodyExt;
use tokio::join;
use tokio::time::Instant;

use super::script::{Fed, Script, bare, fed, fetch, full, part, read, request, within};
use crate::origin::{AskOptions, OriginFault, Sent, Upstreams};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// A large part.
const PART: &str = match std::str::from_utf8(&[b'x'; 64 * 1_024]) {
    Ok(text) => text,
    Err(_) => "",
};

fn sized(fields: &[&str], body: Fed) -> http::Request<super::script::AnyBody> {
    request("POST /", fields, body)
}

#[tokio::test]
async fn an_early_answer_is_delivered_while_the_body_goes_on() {
    let (script, upstreams) = (Script::open().await, Upstreams::new());
    let spec = script.spec();
    let (feeder, body) = fed();
    let server = async {
        let mut peer = script.accept().await;
        peer.head().await;
        feeder.send(part("one")).await.unwrap();
        peer.expects("3\r\none\r\n").await;
        peer.says("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nyes\r\n").await;
        feeder.send(part("two")).await.unwrap();
        peer.expects("3\r\ntwo\r\n").await;
        peer.says("2\r\nno\r\n0\r\n\r\n").await;
        peer
    };
    let ask = async {
        let ask = upstreams.ask(&spec, sized(&[], body), AskOptions::default());
        read(ask.await.unwrap()).await.unwrap()
    };
    let (mut peer, answer) = join!(server, ask);
    assert_eq!(answer.body, "yesno");
    // The answer is over, the body is not; the origin may still want it.
    feeder.send(part("three")).await.unwrap();
    peer.expects("5\r\nthree\r\n").await;
    drop(feeder);
    peer.expects("0\r\n\r\n").await;
    peer.is_left().await;
    assert_eq!(upstreams.idle(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stalls_after_its_answer_is_given_up() {
    let (script, upstreams) = (Script::open().await, Upstreams::new());
    let spec = script.spec();
    let (feeder, body) = fed();
    let server = async {
        let mut peer = script.accept().await;
        peer.answers(OK).await;
        peer
    };
    let client = async {
        let options = within(1_000, 1_000, 1_000, None);
        read(upstreams.ask(&spec, sized(&[], body), options).await.unwrap()).await.unwrap();
    };
    let (mut peer, ()) = join!(server, client);
    peer.is_left().await;
    feeder.closed().await;
}

#[tokio::test]
async fn an_origin_that_refuses_and_closes_is_heard() {
    let (script, upstreams) = (Script::open().await, Upstreams::new());
    let spec = script.spec();
    let (feeder, body) = fed();
    let length = "content-length: 100000000";
    let server = async {
        let mut peer = script.accept().await;
        peer.head().await;
        // More than the origin reads: its close becomes a reset, and our writes fail.
        while feeder.try_send(part(PART)).is_ok() {
            tokio::task::yield_now().await;
        }
        // An answer of several reads: our write fails while it is being read.
        let head = "HTTP/1.1 413 Content Too Large\r\nconnection: close\r\ncontent-length: 40000";
        peer.says(format!("{head}\r\n\r\n{}", "big ".repeat(10_000))).await;
        drop(peer);
        while feeder.send(part(PART)).await.is_ok() {}
    };
    let client = async {
        let ask = upstreams.ask(&spec, sized(&[length], body), AskOptions::default());
        read(ask.await.unwrap()).await.unwrap()
    };
    let answer = join!(server, client).1;
    assert_eq!((answer.status, answer.body.len()), (413, 40_000));
}

#[tokio::test]
async fn the_body_waits_for_the_origins_100() {
    let (script, upstreams) = (Script::open().await, Upstreams::new());
    let spec = script.spec();
    let (feeder, body) = fed();
    let server = async {
        let mut peer = script.accept().await;
        let fields = "expect: 100-continue\r\ncontent-length: 4\r\n";
        peer.expects(&format!("POST / HTTP/1.1\r\nhost: h\r\n{fields}\r\n")).await;
        // It has room for one part, and takes a second only when somebody reads.
        feeder.send(part("bo")).await.unwrap();
        assert!(feeder.try_send(part("dy")).is_err());
        peer.says("HTTP/1.1 100 Continue\r\nx: not for the final answer\r\n\r\n").await;
        feeder.send(part("dy")).await.unwrap();
        peer.expects("body").await;
        peer.says(OK).await;
        peer.answers(OK).await;
    };
    let client = async {
        let fields = ["expect: 100-continue", "content-length: 4"];
        let answer = fetch(&upstreams, &spec, sized(&fields, body)).await.unwrap();
        assert_eq!((answer.status, answer.fields.get("x")), (200, None));
        assert!(fetch(&upstreams, &spec, bare("GET /", &[])).await.unwrap().reused);
    };
    join!(server, client);
}

#[tokio::test(start_paused = true)]
async fn an_origin_that_knows_no_100_gets_the_body_after_a_second() {
    let (script, upstreams) = (Script::open().await, Upstreams::new());
    let spec = script.spec();
    let begun = Instant::now();
    let server = async {
        let mut peer = script.accept().await;
        peer.head().await;
        peer.expects("body").await;
        assert_eq!(begun.elapsed().as_millis() / 100, 10);
        peer.says(OK).await;
    };
    let client = fetch(&upstreams, &spec, full("PUT /", &["expect: 100-Continue"], "body"));
    assert_eq!(join!(server, client).1.unwrap().status, 200);
}

#[tokio::test]
async fn a_final_answer_instead_of_100_leaves_the_body_alone() {
    let (script, upstreams) = (Script::open().await, Upstreams::new());
    let spec = script.spec();
    let (feeder, body) = fed();
    feeder.try_send(part("unwanted")).unwrap();
    let server = async {
        let mut peer = script.accept().await;
        peer.answers("HTTP/1.1 417 Expectation Failed\r\ncontent-length: 2\r\n\r\nno").await;
        peer.is_left().await;
    };
    let client = fetch(&upstreams, &spec, sized(&["expect: 100-continue"], body));
    let answer = join!(server, client).1.unwrap();
    assert_eq!((answer.status, &answer.body[..]), (417, &b"no"[..]));
    assert!(feeder.is_closed() && upstreams.idle() == 0);
}

#[tokio::test]
async fn a_body_that_breaks_off_breaks_the_request_off() {
    let breaks = [
        ("content-length: 9", Some(Err("the client left".into())), "the client left"),
        ("content-length: 9", None, "shorter"),
        ("content-length: 3", Some(part("y")), "longer"),
        ("a: chunked", Some(Err("the client left".into())), "the client left"),
    ];
    for (field, last, told) in breaks {
        let (script, upstreams) = (Script::open().await, Upstreams::new());
        let spec = script.spec();
        let (feeder, body) = fed();
        let server = async {
            let mut peer = script.accept().await;
            peer.head().await;
            feeder.send(part("xy")).await.unwrap();
            if let Some(last) = last {
                if told == "longer" {
                    feeder.send(part("z1")).await.unwrap();
                }
                feeder.send(last).await.unwrap_or_default();
            }
            drop(feeder);
            let rest = peer.rest().await;
            assert!(!rest.ends_with(b"0\r\n\r\n"), "a cut body must not look whole");
            assert!(rest.len() < 9 + 3, "{told}");
        };
        let fault = join!(server, fetch(&upstreams, &spec, sized(&[field], body))).1.err().unwrap();
        let OriginFault::Request { cause, sent: Sent::Maybe } = &fault else {
            panic!("{told}: {fault}");
        };
        assert!(cause.contains(told), "{cause}");
        assert_eq!(fault.fault().status(), 400);
    }
}

#[tokio::test]
async fn ambiguous_lengths_never_leave() {
    let (script, upstreams) = (Script::open().await, Upstreams::new());
    let spec = script.spec();
    let requests = [
        full("POST /", &["content-length: 5"], "four"),
        full("POST /", &["content-length: 4", "content-length: 4"], "four"),
        full("POST /", &["content-length: 4, 4"], "four"),
        full("POST /", &["content-length: +4"], "four"),
        bare("POST /", &["content-length: 4"]),
        bare("CONNECT h:80", &[]),
    ];
    for request in requests {
        let fault = fetch(&upstreams, &spec, request).await.err().unwrap();
        assert!(matches!(fault, OriginFault::Request { sent: Sent::Nothing, .. }), "{fault}");
    }
    script.is_left_alone();
}

#[tokio::test(start_paused = true)]
async fn a_slow_origin_holds_the_body_back() {
    let (script, upstreams) = (Script::open().await, Upstreams::new());
    let spec = script.spec();
    let (feeder, body) = fed();
    let mut ask = Box::pin(upstreams.ask(&spec, sized(&[], body), AskOptions::default()));
    let mut sent = 0;
    let fill = async {
        let mut peer = script.accept().await;
        peer.head().await;
        // Until buffers of ours and the system's are full; nobody reads.
        let moment = Duration::from_millis(1);
        while let Ok(Ok(())) = tokio::time::timeout(moment, feeder.send(part(PART))).await {
            sent += PART.len();
            assert!(sent < 64 << 20, "the body runs into memory");
        }
    };
    tokio::select! {
        () = fill => {}
        _ = &mut ask => panic!("nobody has answered"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_holds_the_origin_back() {
    let (script, upstreams) = (Script::open().await, Upstreams::new());
    let spec = script.spec();
    let server = async {
        let mut peer = script.accept().await;
        peer.answers("HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n").await;
        let mut said = 0;
        let part = vec![b'x'; 64 * 1_024];
        while tokio::time::timeout(Duration::from_millis(1), peer.says(&part)).await.is_ok() {
            said += part.len();
            assert!(said < 64 << 20, "the answer runs into memory");
        }
    };
    let client = async {
        let ask = upstreams.ask(&spec, bare("GET /", &[]), AskOptions::default());
        let mut body = ask.await.unwrap().body;
        assert!(body.frame().await.unwrap().is_ok());
        body
    };
    let (_body, ()) = join!(client, server);
}
