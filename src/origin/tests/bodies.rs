//! Collecting bodies up to a limit, and going on where they are longer.

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full};

use super::script::{fed, part};
use crate::origin::{BoxError, Whole, whole};

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
