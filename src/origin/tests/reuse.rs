//! Which connections serve again, and what happens when one turns out dead: at most one
//! repetition, and never of a request that may have changed something.

use std::time::Duration;

use http_body_util::BodyExt;
use tokio::join;

use super::script::{Script, bare, fed, fetch, full, part, request};
use crate::base::units::Span;
use crate::origin::{AskOptions, OriginFault, Sent, Spec, Target, Upstreams};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// A connection that has served once and is kept.
async fn warmed(script: &Script, upstreams: &Upstreams, spec: &Spec) -> super::script::Peer {
    let server = async {
        let mut peer = script.accept().await;
        peer.answers(OK).await;
        peer
    };
    let (peer, answer) = join!(server, fetch(upstreams, spec, bare("GET /", &[])));
    assert_eq!((answer.unwrap().reused, upstreams.idle()), (false, 1));
    peer
}

#[tokio::test]
async fn a_safe_request_that_meets_a_dying_connection_is_sent_once_more() {
    for line in ["GET /a", "HEAD /a", "OPTIONS /a", "TRACE /a"] {
        for reset in [false, true] {
            let (script, upstreams) = (Script::open().await, Upstreams::new());
            let spec = script.spec();
            let mut peer = warmed(&script, &upstreams, &spec).await;
            let server = async {
                let first = peer.head().await;
                if reset {
                    peer.resets();
                } else {
                    drop(peer);
                }
                let mut peer = script.accept().await;
                assert_eq!(peer.head().await, first);
                peer.says("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
                peer
            };
            let (_peer, answer) = join!(server, fetch(&upstreams, &spec, bare(line, &["a: 1"])));
            assert!(!answer.unwrap().reused);
            script.is_left_alone();
        }
    }
}

#[tokio::test]
async fn it_is_sent_once_more_and_not_twice() {
    let (script, upstreams) = (Script::open().await, Upstreams::new());
    let spec = script.spec();
    let mut peer = warmed(&script, &upstreams, &spec).await;
    let server = async {
        peer.head().await;
        drop(peer);
        script.accept().await.head().await;
    };
    let fault = join!(server, fetch(&upstreams, &spec, bare("GET /", &[]))).1.err().unwrap();
    assert!(matches!(fault, OriginFault::Reset { sent: Sent::Maybe, .. }), "{fault}");
    script.is_left_alone();
}

#[tokio::test]
async fn what_may_have_been_processed_is_never_sent_again() {
    let requests = [
        bare("POST /", &[]),
        bare("PUT /", &[]),
        bare("DELETE /", &[]),
        bare("PATCH /", &[]),
        bare("M-SEARCH /", &[]),
        full("POST /", &[], "body"),
        full("GET /", &[], "body"),
    ];
    for request in requests {
        let line = request.method().to_string();
        let (script, upstreams) = (Script::open().await, Upstreams::new());
        let spec = script.spec();
        let mut peer = warmed(&script, &upstreams, &spec).await;
        let server = async {
            peer.head().await;
            drop(peer);
        };
        let fault = join!(server, fetch(&upstreams, &spec, request)).1.err().unwrap();
        assert!(matches!(fault, OriginFault::Reset { sent: Sent::Maybe, .. }), "{line}: {fault}");
        script.is_left_alone();
    }
}

#[tokio::test]
async fn a_connection_that_ended_before_takes_no_request_at_all() {
    let (script, upstreams) = (Script::open().await, Upstreams::new());
    let spec = script.spec();
    drop(warmed(&script, &upstreams, &spec).await);
    let server = async {
        let mut peer = script.accept().await;
        peer.expects("POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 4\r\n\r\nbody").await;
        peer.says(OK).await;
        peer
    };
    // Nothing has told the client yet that the first one is gone.
    let answer = join!(fetch(&upstreams, &spec, full("POST /", &[], "body")), server).0.unwrap();
    assert!(!answer.reused);
    script.is_left_alone();
}

#[tokio::test]
async fn half_a_head_is_an_answer_and_nothing_is_repeated() {
    let (script, upstreams) = (Script::open().await, Upstreams::new());
    let spec = script.spec();
    let mut peer = warmed(&script, &upstreams, &spec).await;
    let server = async {
        peer.answers("HTTP/1.1 200 OK\r\ncontent-le").await;
        drop(peer);
    };
    let fault = join!(server, fetch(&upstreams, &spec, bare("GET /", &[]))).1.err().unwrap();
    assert!(matches!(fault, OriginFault::Reset { sent: Sent::Maybe, .. }), "{fault}");
    script.is_left_alone();
}

#[tokio::test]
async fn a_new_connection_that_dies_is_no_reason_to_ask_again() {
    let (script, upstreams) = (Script::open().await, Upstreams::new());
    let spec = script.spec();
    let server = async { script.accept().await.head().await };
    let fault = join!(server, fetch(&upstreams, &spec, bare("GET /", &[]))).1.err().unwrap();
    assert!(matches!(fault, OriginFault::Reset { sent: Sent::Maybe, .. }), "{fault}");
    assert_eq!(fault.fault().status(), 502);
    script.is_left_alone();
}

#[tokio::test]
async fn asked_once_means_once() {
    let (script, upstreams) = (Script::open().await, Upstreams::new());
    let spec = script.spec();
    let mut peer = warmed(&script, &upstreams, &spec).await;
    let server = async {
        peer.head().await;
        drop(peer);
    };
    let once = AskOptions { once: true, ..AskOptions::default() };
    let fault = join!(server, upstreams.ask(&spec, bare("GET /", &[]), once)).1.unwrap_err();
    assert_eq!(fault.sent(), Sent::Maybe);
    script.is_left_alone();
}

#[tokio::test]
async fn answers_that_end_their_connection_end_it() {
    let endings = [
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
        // hyper would speak HTTP/1.0 on it from now on, and drop chunked bodies.
        "HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 0\r\n\r\n",
        // Says that it has no body, and announces one.
        "HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n",
        "HTTP/1.1 204 No Content\r\ntransfer-encoding: chunked\r\n\r\n",
    ];
    for ending in endings {
        let (script, upstreams) = (Script::open().await, Upstreams::new());
        let spec = script.spec();
        let server = async {
            let mut peer = script.accept().await;
            peer.answers(ending).await;
            peer.is_left().await;
        };
        join!(server, async {
            fetch(&upstreams, &spec, bare("GET /", &[])).await.unwrap();
            assert_eq!(upstreams.idle(), 0, "{ending}");
        });
    }
}

#[tokio::test]
async fn bytes_that_nobody_asked_for_end_a_kept_connection() {
    let (script, upstreams) = (Script::open().await, Upstreams::new());
    let spec = script.spec();
    let mut peer = warmed(&script, &upstreams, &spec).await;
    peer.says("HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n").await;
    peer.is_left().await;
    let server = async { script.accept().await.answers(OK).await };
    let answer = join!(server, fetch(&upstreams, &spec, bare("GET /", &[]))).1.unwrap();
    assert_eq!((answer.status, answer.reused), (200, false));
}

#[tokio::test]
async fn bytes_behind_an_answer_are_nobodys() {
    let evil = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil";
    let answers = [
        ("GET /", format!("{OK}{evil}")),
        ("HEAD /", format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{evil}", evil.len())),
        ("GET /", format!("HTTP/1.1 304 Not Modified\r\n\r\n{evil}")),
        ("GET /", format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{evil}")),
    ];
    for (line, bytes) in answers {
        let (script, upstreams) = (Script::open().await, Upstreams::new());
        let spec = script.spec();
        let server = async {
            let mut peer = script.accept().await;
            peer.answers(&bytes).await;
            peer.is_left().await;
            script.accept().await.answers(OK).await;
        };
        let client = async {
            let first = fetch(&upstreams, &spec, bare(line, &[])).await.unwrap();
            assert!(first.body.is_empty() || first.body == "ok");
            assert_eq!(fetch(&upstreams, &spec, bare("GET /", &[])).await.unwrap().body, "ok");
        };
        join!(server, client);
    }
}

#[tokio::test]
async fn workers_do_not_share_and_tasks_of_one_worker_do() {
    let script = Script::open().await;
    let spec = std::sync::Arc::new(script.spec());
    let (here, there) = (Upstreams::new(), Upstreams::new());
    let server = async {
        let mut one = script.accept().await;
        one.answers(OK).await;
        one.answers(OK).await;
        script.accept().await.answers(OK).await;
    };
    let client = async {
        for (upstreams, reused) in [(&here, false), (&here, true), (&there, false)] {
            let (upstreams, spec) = (upstreams.clone(), std::sync::Arc::clone(&spec));
            let (tell, told) = tokio::sync::oneshot::channel();
            crate::base::tasks::tend(async move {
                let answer = fetch(&upstreams, &spec, bare("GET /", &[])).await.unwrap();
                tell.send(answer.reused).unwrap();
            });
            assert_eq!(told.await.unwrap(), reused);
        }
    };
    join!(server, client);
}

#[test]
fn a_kept_connection_whose_runtime_ended_is_replaced() {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let serve = |()| {
            let (mut tcp, _) = listener.accept().unwrap();
            let head = "GET / HTTP/1.1\r\nhost: h\r\n\r\n";
            tcp.read_exact(&mut vec![0; head.len()]).unwrap();
            tcp.write_all(OK.as_bytes()).unwrap();
            tcp
        };
        [(); 2].map(serve)
    });
    let upstreams = Upstreams::new();
    let spec = Spec::new(Target::parse(&format!("http://{address}")).unwrap());
    for _ in 0..2 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let answer = runtime.block_on(fetch(&upstreams, &spec, bare("GET /", &[]))).unwrap();
        assert_eq!((answer.reused, upstreams.idle()), (false, 1));
    }
    server.join().unwrap();
}

#[tokio::test]
async fn a_body_left_unread_closes_its_connection() {
    let (script, upstreams) = (Script::open().await, Upstreams::new());
    let spec = script.spec();
    let server = async {
        let mut peer = script.accept().await;
        peer.answers("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\none").await;
        peer.is_left().await;
    };
    let client = async {
        let ask = upstreams.ask(&spec, bare("GET /", &[]), AskOptions::default());
        let mut body = ask.await.unwrap().body;
        let frame = body.frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), "one");
        assert_eq!((body.received(), body.is_complete()), (3, false));
    };
    join!(server, client);
    assert_eq!(upstreams.idle(), 0);
}

#[tokio::test]
async fn an_asker_who_leaves_closes_the_connection() {
    let (script, upstreams) = (Script::open().await, Upstreams::new());
    let spec = script.spec();
    let (feeder, body) = fed();
    feeder.try_send(part("x")).unwrap();
    let server = async {
        let mut peer = script.accept().await;
        peer.head().await;
        peer.expects("1\r\nx\r\n").await;
        peer
    };
    let mut ask =
        Box::pin(upstreams.ask(&spec, request("POST /", &[], body), AskOptions::default()));
    let mut peer = tokio::select! {
        peer = server => peer,
        _ = &mut ask => panic!("nobody has answered"),
    };
    drop(ask);
    peer.is_left().await;
    feeder.closed().await;
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_when_its_time_is_over() {
    let (script, upstreams) = (Script::open().await, Upstreams::new());
    let spec = script.spec();
    let mut peer = warmed(&script, &upstreams, &spec).await;
    tokio::time::advance(Duration::from_secs(29)).await;
    assert_eq!(upstreams.idle(), 1);
    peer.is_left().await;
    assert_eq!(upstreams.idle(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_aged_connection_is_not_taken_even_before_it_is_closed() {
    let (script, upstreams) = (Script::open().await, Upstreams::new());
    let mut spec = script.spec();
    spec.keep.idle_timeout = Span::from_secs(5);
    let _peer = warmed(&script, &upstreams, &spec).await;
    tokio::time::advance(Duration::from_secs(5)).await;
    let server = async { script.accept().await.answers(OK).await };
    let answer = join!(fetch(&upstreams, &spec, bare("GET /", &[])), server).0.unwrap();
    assert!(!answer.reused);
}

#[tokio::test]
async fn no_more_are_kept_than_asked_for_and_the_oldest_goes() {
    let (script, upstreams) = (Script::open().await, Upstreams::new());
    let mut spec = script.spec();
    spec.keep.idle_max = 1;
    let server = async {
        let (mut one, mut two) = (script.accept().await, script.accept().await);
        one.head().await;
        two.head().await;
        one.says(OK).await;
        two.says(OK).await;
        (one, two)
    };
    let ask = || fetch(&upstreams, &spec, bare("GET /", &[]));
    let ((_one, _two), ..) = join!(server, ask(), ask());
    assert_eq!(upstreams.idle(), 1);
    upstreams.close();
    assert_eq!(upstreams.idle(), 0);
}

#[tokio::test]
async fn once_closed_nothing_is_kept_but_requests_work() {
    let (script, upstreams) = (Script::open().await, Upstreams::new());
    let spec = script.spec();
    let mut kept = warmed(&script, &upstreams, &spec).await;
    upstreams.close();
    kept.is_left().await;
    let server = async {
        let mut peer = script.accept().await;
        peer.answers(OK).await;
        peer.is_left().await;
    };
    join!(server, async {
        assert_eq!(fetch(&upstreams, &spec, bare("GET /", &[])).await.unwrap().body, "ok");
    });
    assert_eq!(upstreams.idle(), 0);
}
