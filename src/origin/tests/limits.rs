//! Time limits, each with the phase it belongs to, and the queue before a busy origin. Time is
//! paused: it moves only when everything waits.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt;
use tokio::join;
use tokio::time::Instant;

use super::script::{Script, bare, fed, fetch, part, read, request, within};
use crate::base::units::Span;
use crate::origin::{
    AskOptions, BodyFault, BoxError, Looked, Lookup, OriginFault, Phase, Sent, Slots, Spec, Target,
    Upstreams,
};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

fn timeout_of(fault: &OriginFault) -> (Phase, u64, Sent) {
    let OriginFault::Timeout { phase, limit, sent } = fault else { panic!("{fault}") };
    (*phase, limit.as_millis(), *sent)
}

fn body_timeout_of(error: &BoxError) -> (Phase, u64, u64) {
    let Some(BodyFault::Timeout { phase, limit, received }) = BodyFault::of(error) else {
        panic!("{error}")
    };
    (*phase, limit.as_millis(), *received)
}

/// A resolver that never answers.
struct Silent;

impl Lookup for Silent {
    fn lookup<'a>(&'a self, _host: &'a str, _port: u16) -> Looked<'a> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test(start_paused = true)]
async fn connecting_has_its_limit_and_lookup_is_part_of_it() {
    let upstreams = Upstreams::with_lookup(Arc::new(Silent));
    let spec = Spec::new(Target::parse("http://app").unwrap());
    let begun = Instant::now();
    let ask = upstreams.ask(&spec, bare("POST /", &[]), within(2_000, 1, 1, None));
    let fault = ask.await.unwrap_err();
    assert_eq!(timeout_of(&fault), (Phase::Connect, 2_000, Sent::Nothing));
    assert_eq!(begun.elapsed().as_secs(), 2);
    assert_eq!(fault.fault().status(), 504);
    let ask = upstreams.ask(&spec, bare("POST /", &[]), within(2_000, 1, 1, Some(500)));
    assert_eq!(timeout_of(&ask.await.unwrap_err()), (Phase::Total, 500, Sent::Nothing));
}

#[tokio::test(start_paused = true)]
async fn the_head_has_its_limit() {
    let (script, upstreams) = (Script::open().await, Upstreams::new());
    let spec = script.spec();
    for (total, phase, limit) in
        [(None, Phase::FirstByte, 3_000), (Some(1_000), Phase::Total, 1_000)]
    {
        let begun = Instant::now();
        let server = async {
            let mut peer = script.accept().await;
            peer.head().await;
            peer.says("HTTP/1.1 200 OK\r\n").await;
            peer.is_left().await;
        };
        let ask = upstreams.ask(&spec, bare("GET /", &[]), within(1_000, 3_000, 1_000, total));
        let fault = join!(server, async { ask.await.unwrap_err() }).1;
        assert_eq!(timeout_of(&fault), (phase, limit, Sent::Maybe));
        assert_eq!(begun.elapsed().as_millis() as u64 / 100, limit / 100);
    }
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_moves_starts_the_clock_again() {
    let (script, upstreams) = (Script::open().await, Upstreams::new());
    let spec = script.spec();
    let (feeder, body) = fed();
    let server = async {
        let mut peer = script.accept().await;
        peer.head().await;
        for _ in 0..5 {
            tokio::time::sleep(Duration::from_millis(900)).await;
            feeder.send(part("x")).await.unwrap();
            peer.expects("1\r\nx\r\n").await;
        }
        drop(feeder);
        peer.expects("0\r\n\r\n").await;
        tokio::time::sleep(Duration::from_millis(900)).await;
        peer.says(OK).await;
    };
    let client = async {
        let options = within(1_000, 1_000, 1_000, None);
        let ask = upstreams.ask(&spec, request("POST /", &[], body), options);
        read(ask.await.unwrap()).await.unwrap()
    };
    assert_eq!(join!(server, client).1.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_stalls_is_not_the_origins_fault() {
    let (script, upstreams) = (Script::open().await, Upstreams::new());
    let spec = script.spec();
    let (feeder, body) = fed();
    let server = async {
        let mut peer = script.accept().await;
        peer.head().await;
        peer.is_left().await;
    };
    let ask = upstreams.ask(&spec, request("POST /", &[], body), within(1_000, 1_000, 1, None));
    let fault = join!(server, async { ask.await.unwrap_err() }).1;
    assert!(matches!(fault, OriginFault::Request { sent: Sent::Maybe, .. }), "{fault}");
    drop(feeder);
}

#[tokio::test(start_paused = true)]
async fn silence_in_the_body_has_its_limit_and_a_slow_reader_does_not_make_it() {
    let (script, upstreams) = (Script::open().await, Upstreams::new());
    let spec = script.spec();
    let server = async {
        let mut peer = script.accept().await;
        peer.answers("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\none").await;
        peer.is_left().await;
    };
    let client = async {
        let ask = upstreams.ask(&spec, bare("GET /", &[]), within(1_000, 1_000, 1_000, None));
        let mut body = ask.await.unwrap().body;
        tokio::time::sleep(Duration::from_mins(1)).await;
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "one");
        tokio::time::sleep(Duration::from_mins(1)).await;
        let begun = Instant::now();
        let error = body.frame().await.unwrap().unwrap_err();
        assert_eq!(body_timeout_of(&error), (Phase::BetweenBytes, 1_000, 3));
        assert_eq!(begun.elapsed().as_millis() / 100, 10);
        assert!(body.frame().await.is_none() && !body.is_complete());
    };
    join!(server, client);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_drips_stays_within_its_limits_until_the_total() {
    let (script, upstreams) = (Script::open().await, Upstreams::new());
    let spec = script.spec();
    for lifted in [false, true] {
        let server = async {
            let mut peer = script.accept().await;
            peer.answers("HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n").await;
            for _ in 0..8 {
                tokio::time::sleep(Duration::from_millis(900)).await;
                if !peer.says_if_heard("x").await {
                    return;
                }
            }
        };
        let client = async {
            let limits = within(1_000, 1_000, 1_000, Some(5_000));
            let mut inbound = upstreams.ask(&spec, bare("GET /", &[]), limits).await.unwrap();
            if lifted {
                inbound.body.lift_total();
            }
            read(inbound).await.map(|answer| answer.body)
        };
        match join!(server, client).1 {
            Ok(body) => assert!(lifted && body == "xxxxxxxx"),
            Err(error) => {
                assert_eq!(body_timeout_of(&error), (Phase::Total, 5_000, 5));
                assert!(!lifted);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_connection_is_a_fault_at_once() {
    let address = Script::open().await.address;
    let spec = Spec::new(Target::parse(&format!("http://{address}")).unwrap());
    let fault = fetch(&Upstreams::new(), &spec, bare("GET /", &[])).await.err().unwrap();
    assert!(matches!(fault, OriginFault::Connect { address: Some(_), .. }), "{fault}");
    assert_eq!((fault.sent(), fault.fault().status().as_u16()), (Sent::Nothing, 502));
}

fn crowded(script: &Script, queue: usize, wait: u64) -> Spec {
    let slots = Some(Arc::new(Slots::new(1, queue, Span::from_millis(wait))));
    Spec { slots, ..script.spec() }
}

#[tokio::test(start_paused = true)]
async fn the_queue_is_served_in_order_and_has_an_end() {
    let (script, upstreams) = (Script::open().await, Upstreams::new());
    // Two workers, one origin: they share its places.
    let other = Upstreams::new();
    let spec = crowded(&script, 2, 60_000);
    let slots = Arc::clone(spec.slots.as_ref().unwrap());
    let server = async {
        let mut peer = script.accept().await;
        peer.head().await;
        assert_eq!(slots.waiting(), 2);
        script.is_left_alone();
        peer.says(OK).await;
        assert!(script.accept().await.answers(OK).await.starts_with("GET /2 "));
        assert!(peer.answers(OK).await.starts_with("GET /3 "));
    };
    let client = async {
        let (one, two, three, four) = join!(
            fetch(&upstreams, &spec, bare("GET /1", &[])),
            fetch(&other, &spec, bare("GET /2", &[])),
            fetch(&upstreams, &spec, bare("GET /3", &[])),
            fetch(&upstreams, &spec, bare("GET /4", &[])),
        );
        assert!(one.is_ok() && two.is_ok() && three.is_ok());
        let fault = four.err().unwrap();
        assert!(matches!(fault, OriginFault::Overload), "{fault}");
        assert_eq!(fault.fault().status(), 503);
    };
    join!(client, server);
    assert_eq!(slots.waiting(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_place_is_held_until_the_body_ends_and_waiting_has_a_limit() {
    let (script, upstreams) = (Script::open().await, Upstreams::new());
    let spec = crowded(&script, 9, 3_000);
    let server = async {
        let mut peer = script.accept().await;
        peer.answers("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\none").await;
        peer.is_left().await;
        script.accept().await.answers(OK).await;
    };
    let client = async {
        let ask = || upstreams.ask(&spec, bare("GET /", &[]), AskOptions::default());
        let held = ask().await.unwrap();
        let fault = ask().await.unwrap_err();
        assert_eq!(timeout_of(&fault), (Phase::Queue, 3_000, Sent::Nothing));
        assert_eq!(fault.fault().status(), 503);
        let hurried = upstreams.ask(&spec, bare("GET /", &[]), within(1, 1, 1, Some(10)));
        assert_eq!(timeout_of(&hurried.await.unwrap_err()), (Phase::Total, 10, Sent::Nothing));
        drop(held);
        assert_eq!(read(ask().await.unwrap()).await.unwrap().body, "ok");
    };
    join!(server, client);
}
