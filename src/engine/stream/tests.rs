//! Readers at their own pace, and what bounds the memory they need.

use std::sync::Arc;

use super::*;
use crate::base::budget::{Budget, Deposit};

const SEGMENT: usize = 256 * 1_024;

fn next(reader: &mut Reader) -> Poll<Option<Result<Bytes, Broken>>> {
    reader.poll_next(&mut Context::from_waker(Waker::noop()))
}

fn room(stream: &Stream) -> Poll<bool> {
    stream.poll_room(&mut Context::from_waker(Waker::noop()), false)
}

fn chunk(len: usize) -> Bytes {
    Bytes::from(vec![b'x'; len])
}

#[test]
fn readers_follow_at_their_own_pace() {
    let stream = Stream::default();
    let (mut early, mut late) = (stream.reader().unwrap(), stream.reader().unwrap());
    assert!(next(&mut early).is_pending());
    stream.push(Bytes::from_static(b"one"));
    assert_eq!(next(&mut early), Poll::Ready(Some(Ok(Bytes::from_static(b"one")))));
    stream.push(Bytes::from_static(b"two"));
    let packed = Body::from_chunks(stream.take());
    assert!(next(&mut late).is_pending());
    stream.put_back(&packed);
    let third = stream.reader().unwrap();
    stream.finish(Ok(()));
    assert_eq!(next(&mut late), Poll::Ready(Some(Ok(Bytes::from_static(b"onetwo")))));
    assert_eq!(next(&mut early), Poll::Ready(Some(Ok(Bytes::from_static(b"two")))));
    assert_eq!(next(&mut early), Poll::Ready(None));
    assert_eq!(next(&mut late), Poll::Ready(None));
    assert_eq!(third.remaining(), Some(6));
    drop(third);
    assert!(stream.reader().is_none() && stream.is_complete(), "all have had it, none holds it");
}

#[test]
fn trailers_follow_the_last_byte_once_for_each() {
    let stream = Stream::default();
    let mut readers = [stream.reader().unwrap(), stream.reader().unwrap()];
    stream.push(Bytes::from_static(b"body"));
    stream.trail(HeaderMap::from_iter([(http::header::ETAG, "x".parse().unwrap())]));
    stream.finish(Ok(()));
    for reader in &mut readers {
        // More than bytes follows, so their number is no length.
        assert_eq!(reader.remaining(), None);
        assert!(matches!(next(reader), Poll::Ready(Some(Ok(_)))));
        assert_eq!(next(reader), Poll::Ready(None));
        assert!(reader.trailers().is_some_and(|trailers| trailers.len() == 1));
        assert_eq!(reader.trailers(), None);
    }
}

#[test]
fn a_broken_body_has_no_proper_end() {
    let stream = Stream::default();
    let mut reader = stream.reader().unwrap();
    stream.push(Bytes::from_static(b"half"));
    stream.finish(Err(Broken::Origin("reset".into())));
    stream.finish(Ok(()));
    assert!(matches!(next(&mut reader), Poll::Ready(Some(Ok(_)))));
    assert!(matches!(next(&mut reader), Poll::Ready(Some(Err(Broken::Origin(_))))));
}

#[tokio::test(start_paused = true)]
async fn who_moves_is_waited_for_and_who_stands_still_is_left_behind() {
    let stream = Stream::default();
    let (mut fast, mut slow) = (stream.reader().unwrap(), stream.reader().unwrap());
    let run = |fast: &mut Reader| {
        for _ in 0..200 {
            if room(&stream) == Poll::Ready(true) {
                stream.push(chunk(256 * 1_024));
            }
            while next(fast).is_ready() {}
        }
        let held: usize = stream.state().chunks.iter().map(|(_, chunk)| chunk.len()).sum();
        assert!(held as u64 <= LAG_BYTES + 2 * WINDOW_BYTES, "{held}");
        stream.len()
    };
    stream.only_stream();
    let stopped = run(&mut fast);
    assert!(stopped <= LAG_BYTES + 2 * WINDOW_BYTES, "the slow one is waited for: {stopped}");
    for _ in 0..8 {
        assert!(matches!(next(&mut slow), Poll::Ready(Some(Ok(_)))));
    }
    let further = run(&mut fast);
    assert!(further > stopped && further <= stopped + 3 * WINDOW_BYTES, "{further}");
    tokio::time::advance(PACE_TIME).await;
    assert!(run(&mut fast) > further + LAG_BYTES, "who stands still holds nobody up");
    assert_eq!(next(&mut slow), Poll::Ready(Some(Err(Broken::LeftBehind))));
    assert!(stream.reader().is_none(), "the first bytes are gone");
}

#[tokio::test]
async fn who_waits_for_the_end_drives_nobody() {
    let stream = Stream::default();
    let mut reader = stream.reader().unwrap();
    let grows = async {
        stream.push(chunk(64 * 1_024));
        tokio::task::yield_now().await;
        stream.only_stream();
    };
    tokio::join!(stream.settled(), grows);
    while room(&stream) == Poll::Ready(true) {
        stream.push(chunk(64 * 1_024));
    }
    assert!(stream.len() <= WINDOW_BYTES + 64 * 1_024, "the one reader has read nothing");
    assert!(matches!(next(&mut reader), Poll::Ready(Some(Ok(_)))));
}

#[test]
fn nobody_left_means_no_reason_to_read_on() {
    let stream = Stream::default();
    let reader = stream.reader().unwrap();
    assert_eq!(room(&stream), Poll::Ready(true));
    stream.only_stream();
    drop(reader);
    assert_eq!(room(&stream), Poll::Ready(false));
}

#[test]
fn with_tight_memory_one_read_is_held() {
    let stream = Stream::default();
    let (mut one, mut other) = (stream.reader().unwrap(), stream.reader().unwrap());
    let tight = || stream.poll_room(&mut Context::from_waker(Waker::noop()), true);
    stream.only_stream();
    assert_eq!(tight(), Poll::Ready(true));
    stream.push(chunk(5_000));
    assert!(tight().is_pending(), "nobody has taken it");
    assert!(next(&mut one).is_ready());
    assert!(tight().is_pending(), "one has not, and keeps pace");
    assert!(next(&mut other).is_ready());
    assert_eq!(tight(), Poll::Ready(true));
    assert!(stream.state().chunks.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_silent_origin_is_no_readers_fault() {
    let stream = Stream::default();
    let (mut one, mut other) = (stream.reader().unwrap(), stream.reader().unwrap());
    stream.only_stream();
    for _ in 0..3 {
        tokio::time::advance(2 * PACE_TIME).await;
        assert_eq!(
            stream.poll_room(&mut Context::from_waker(Waker::noop()), true),
            Poll::Ready(true)
        );
        stream.push(chunk(5_000));
        assert!(matches!(next(&mut one), Poll::Ready(Some(Ok(_)))));
        assert!(stream.laggards().is_empty());
        assert!(matches!(next(&mut other), Poll::Ready(Some(Ok(_)))), "it has had no time yet");
    }
}

/// A stored body of four segments on its way to one client.
fn stored(budget: &Arc<Budget>) -> (Stream, Reader, Arc<Deposit>) {
    let body = Body::in_transit(vec![chunk(4 * SEGMENT)], budget);
    let deposit = Arc::clone(body.deposit().unwrap());
    let (stream, reader) = Stream::of_stored(body.segments().to_vec(), Some(Arc::clone(&deposit)));
    (stream, reader, deposit)
}

#[test]
fn a_stored_body_is_let_go_as_it_is_sent() {
    let budget = Budget::new(u64::MAX);
    let (stream, mut reader, deposit) = stored(&budget);
    assert_eq!((stream.len(), reader.remaining()), (4 << 18, Some(4 << 18)));
    for left in (0..4).rev() {
        assert!(matches!(next(&mut reader), Poll::Ready(Some(Ok(part))) if part.len() == SEGMENT));
        assert_eq!(budget.used(), left << 18);
    }
    assert_eq!(next(&mut reader), Poll::Ready(None));
    drop(deposit);
}

#[tokio::test(start_paused = true)]
async fn who_stands_still_can_be_cut_off_once_it_holds_what_nobody_keeps() {
    let budget = Budget::new(u64::MAX);
    let (stream, mut reader, deposit) = stored(&budget);
    assert!(next(&mut reader).is_ready());
    tokio::time::advance(PACE_TIME / 2).await;
    assert!(stream.laggards().is_empty(), "it keeps pace");
    tokio::time::advance(PACE_TIME).await;
    deposit.keep();
    assert!(stream.laggards().is_empty(), "the store holds it all the same");
    deposit.let_go();
    let laggard = stream.laggards().pop().unwrap();
    assert_eq!((laggard.held, budget.used()), (3 << 18, 3 << 18));
    assert!(laggard.cut());
    assert_eq!(budget.used(), 0);
    assert_eq!(next(&mut reader), Poll::Ready(Some(Err(Broken::LeftBehind))));
    assert!(stream.laggards().is_empty());
}

#[test]
fn every_ending_gives_the_bytes_back() {
    let endings: [fn(&Stream, Reader); 6] = [
        |stream, mut reader| {
            stream.finish(Ok(()));
            while !matches!(next(&mut reader), Poll::Ready(None)) {}
        },
        |stream, reader| {
            drop(reader);
            stream.finish(Ok(()));
        },
        |stream, reader| {
            stream.finish(Err(Broken::Origin("reset".into())));
            drop(reader);
        },
        |stream, mut reader| {
            stream.only_stream();
            assert!(next(&mut reader).is_ready() && next(&mut reader).is_ready());
            assert!(next(&mut reader).is_pending());
        },
        |stream, reader| {
            stream.only_stream();
            drop(reader);
        },
        |stream, reader| {
            let body = Body::from_chunks(stream.take());
            stream.put_back(&body);
            stream.finish(Ok(()));
            drop(reader);
        },
    ];
    for (number, ending) in endings.into_iter().enumerate() {
        let (budget, stream) = (Budget::new(u64::MAX), Stream::default());
        let reader = stream.reader().unwrap();
        for _ in 0..2 {
            stream.push(budget.take(5_000).hold(chunk(5_000)));
        }
        assert_eq!(budget.used(), 10_000);
        ending(&stream, reader);
        assert_eq!(budget.used(), 0, "ending {number}, while the stream is there");
    }
    let (budget, stream) = (Budget::new(u64::MAX), Stream::default());
    stream.push(budget.take(5_000).hold(chunk(5_000)));
    drop(stream);
    assert_eq!(budget.used(), 0, "given up");
}
