//! Readers at their own pace, and what bounds the memory they need.

use super::*;

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
