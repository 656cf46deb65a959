//! Collecting bodies up to a limit, and going on where they are longer.

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full};

use super::script::{Script, bare, fed, part};
use crate::base::budget::Budget;
use crate::origin::{AskOptions, BoxError, Upstreams, Whole, whole};

#[tokio::test]
async fn a_body_within_the_limit_comes_in_its_parts_with_its_trailers() {
    let (feeder, body) = fed();
    let feed = async move {
        for text in ["one", "", "two"] {
            feeder.send(part(text)).await.unwrap();
        }
        let mut trailers = HeaderMap::new();
        trailers.insert("x-sum", "6".parse().unwrap());
        feeder.send(Ok(Frame::trailers(trailers))).await.unwrap();
    };
    let ((), all) = tokio::join!(feed, whole(body, 6));
    let all = all.unwrap();
    assert_eq!(all.bytes().unwrap(), "onetwo");
    let Whole::Complete { chunks, trailers } = all else { panic!("it fits") };
    assert_eq!(chunks, ["one", "two"]);
    assert_eq!(trailers.unwrap().get("x-sum").unwrap(), "6");
}

#[tokio::test]
async fn a_longer_one_streams_on_from_its_first_byte() {
    let (feeder, body) = fed();
    let feed = async move {
        for text in ["one", "two", "three", "four"] {
            feeder.send(part(text)).await.unwrap();
        }
    };
    let read = async {
        let all = whole(body, 5).await.unwrap();
        assert_eq!(all.bytes(), None);
        let Whole::TooLong(rest) = all else { panic!("it does not fit") };
        assert_eq!((rest.size_hint().lower(), rest.is_end_stream()), (6, false));
        whole(rest, u64::MAX).await.unwrap().bytes().unwrap()
    };
    assert_eq!(tokio::join!(feed, read).1, "onetwothreefour");
}

#[tokio::test]
async fn a_length_known_to_be_too_large_is_not_read_at_all() {
    let body = Full::new(Bytes::from_static(b"four"));
    let Ok(Whole::TooLong(mut rest)) = whole(body, 3).await else { panic!("it does not fit") };
    assert_eq!(rest.size_hint().exact(), Some(4));
    assert_eq!(rest.frame().await.unwrap().unwrap().into_data().unwrap(), "four");
    assert!(rest.is_end_stream());
    let body = Full::new(Bytes::new());
    assert_eq!(whole(body, 0).await.unwrap().bytes().unwrap(), "");
}

#[tokio::test]
async fn what_came_before_an_error_is_kept() {
    let (feeder, body) = fed();
    let feed = async move {
        feeder.send(part("one")).await.unwrap();
        feeder.send(Err(BoxError::from("broke"))).await.unwrap();
    };
    let ((), all) = tokio::join!(feed, whole(body, 9));
    let cut = all.err().unwrap();
    assert_eq!((cut.chunks.concat().as_slice(), cut.to_string().as_str()), (&b"one"[..], "broke"));
}

#[tokio::test]
async fn what_is_read_of_an_answer_counts_until_it_is_dropped() {
    const LEN: usize = 400_000;
    let (script, upstreams) = (Script::open().await, Upstreams::new());
    let spec = script.spec();
    for reserves in [true, false] {
        let budget = Budget::new(u64::MAX);
        let origin = async {
            let mut peer = script.accept().await;
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {LEN}\r\n\r\n");
            peer.answers(&(head + &"x".repeat(LEN))).await;
            peer
        };
        let ask = async {
            let asked = upstreams.ask(&spec, bare("GET /", &[]), AskOptions::default()).await;
            let mut body = asked.unwrap().body;
            body.count_in(&budget);
            if reserves {
                body.count_against(budget.reserve(LEN as u64).unwrap());
            }
            assert_eq!((body.has_reserve(), budget.used() >= LEN as u64), (reserves, reserves));
            let mut held = Vec::new();
            while let Some(frame) = body.frame().await {
                held.push(frame.unwrap().into_data().unwrap());
                assert!(held.iter().all(|part| part.len() < 64 * 1_024), "no read is larger");
            }
            held
        };
        let (peer, held) = tokio::join!(origin, ask);
        let (used, parts) = (budget.used() as usize, held.len());
        // A little at the beginning is not counted; each part costs a little more than it has.
        assert!(used > LEN - 64 * 1_024 && used < LEN + parts * 200, "{used} in {parts} parts");
        drop(held);
        assert_eq!(budget.used(), 0);
        drop(peer);
    }
    let small = async {
        let mut peer = script.accept().await;
        peer.answers("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nsmall").await;
        peer
    };
    let ask = async {
        let upstreams = Upstreams::new();
        let asked = upstreams.ask(&spec, bare("GET /", &[]), AskOptions::default()).await;
        let (mut body, budget) = (asked.unwrap().body, Budget::new(u64::MAX));
        body.count_in(&budget);
        let held = body.frame().await.unwrap().unwrap();
        assert_eq!((held.into_data().unwrap().len(), budget.used()), (5, 0), "not worth the count");
    };
    tokio::join!(small, ask);
}
