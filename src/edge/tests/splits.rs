//! The same bytes, cut into reads in every way, have the same fate.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use proptest::prelude::*;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::slowness::connected;
use crate::edge::head_guard::HeadGuard;
use crate::edge::switch::{Course, Switch};

/// A socket that gives prepared parts, one a read, then the end; and forgets what is written.
struct Parts(VecDeque<Vec<u8>>);

impl AsyncRead for Parts {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(mut part) = self.0.pop_front() {
            let later = part.split_off(part.len().min(buf.remaining()));
            buf.put_slice(&part);
            if !later.is_empty() {
                self.0.push_front(later);
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Parts {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bufs.iter().map(|buf| buf.len()).sum()))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// What the service would see, how it ends, and what is refused. Upgrades are refused. With `lane`
/// every head that is offered there is taken; it shall make no difference.
fn fate(parts: Vec<Vec<u8>>, room: usize, lane: bool) -> (Vec<u8>, Option<String>, Option<String>) {
    let switch = Arc::new(Switch::default());
    switch.answer(u64::MAX, Course::Http);
    switch.send(u64::MAX);
    let parts = parts.into_iter().filter(|part| !part.is_empty()).collect();
    let mut guard = HeadGuard::new(Parts(parts), Arc::clone(&switch), None);
    if !lane {
        guard.leave_lane();
    }
    let mut cx = Context::from_waker(Waker::noop());
    let mut seen = Vec::new();
    let mut memory = vec![0; room];
    let end = loop {
        let mut buf = ReadBuf::new(&mut memory);
        match Pin::new(&mut guard).poll_read(&mut cx, &mut buf) {
            Poll::Ready(Ok(())) if buf.filled().is_empty() => break None,
            Poll::Ready(Ok(())) => {
                seen.extend_from_slice(buf.filled());
                assert!(Pin::new(&mut guard).poll_flush(&mut cx).is_ready());
            }
            Poll::Ready(Err(error)) => break Some(error.to_string()),
            Poll::Pending => {
                assert!(guard.is_lane_wanted(), "nothing here waits");
                let turn = guard.poll_lane(&mut cx, &mut |head, _, out| {
                    seen.extend_from_slice(head.bytes);
                    out.head().extend_from_slice(b"answer");
                    true
                });
                assert!(matches!(turn, Poll::Ready(Ok(()))));
            }
        }
    };
    assert!(Pin::new(&mut guard).poll_shutdown(&mut cx).is_ready());
    (seen, end, switch.refusal().map(|refusal| refusal.text().to_owned()))
}

const TALK: &str = "\r\nGET /a HTTP/1.1\r\nHost: h\r\nA: b\r\n\r\n\
    POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n\r\n\r\nx\
    POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n\
    5;x=y\r\nab\r\nc\r\nA\r\n0123456789\r\n0\r\nX: y\r\n\r\n\
    GET /d HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n\
    POST /e HTTP/1.0\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\nx";

const ENDS: [&str; 8] = [
    "",
    "GET / HTT",
    "GET / HTTP/1.1\r\nHost : h\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: h\nA: b\r\n\r\n",
    "\rx",
    "\u{0}\u{1}",
    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nab",
];

#[test]
fn every_cut_gives_the_same() {
    for end in ENDS {
        let all = format!("{TALK}{end}").into_bytes();
        let whole = fate(vec![all.clone()], 65_536, false);
        assert!(whole.0.starts_with(TALK.as_bytes()));
        for lane in [false, true] {
            assert_eq!(fate(all.iter().map(|&byte| vec![byte]).collect(), 65_536, lane), whole);
            assert_eq!(fate(vec![all.clone()], 1, lane), whole);
            for cut in 0..all.len() {
                let (one, two) = all.split_at(cut);
                let cut_once = fate(vec![one.to_vec(), two.to_vec()], 65_536, lane);
                assert_eq!(cut_once, whole, "cut at {cut}, lane {lane}");
            }
        }
    }
}

#[test]
fn nothing_of_a_refused_head_is_handed_on() {
    let refused = fate(vec![format!("{TALK}{}", ENDS[2]).into_bytes()], 65_536, true);
    assert_eq!(refused.0, TALK.as_bytes());
    assert!(refused.2.unwrap().contains("colon"));
    let broken = fate(vec![format!("{TALK}{}", ENDS[6]).into_bytes()], 65_536, true);
    assert!(broken.0.ends_with(b"3\r\nabc") && broken.1.unwrap().contains("CRLF"));
}

#[test]
fn what_follows_an_undecided_upgrade_is_held_until_the_answer_wakes_it() {
    struct Woken(AtomicBool);
    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let ask = b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: x\r\n\r\n";
    for (course, follows, handed) in [
        (Course::Tunnel, &b"any\0thing"[..], &b"any\0thing"[..]),
        (Course::Http, ask, ask),
        (Course::Http, b"any\0thing", b""),
    ] {
        let switch = Arc::new(Switch::default());
        let parts = VecDeque::from([[ask, follows].concat()]);
        let mut guard = HeadGuard::new(Parts(parts), Arc::clone(&switch), None);
        guard.leave_lane();
        let woken = Arc::new(Woken(AtomicBool::new(false)));
        let waker = Waker::from(Arc::clone(&woken));
        let mut cx = Context::from_waker(&waker);
        let mut memory = [0; 256];
        let mut buf = ReadBuf::new(&mut memory);
        assert!(Pin::new(&mut guard).poll_read(&mut cx, &mut buf).is_ready());
        assert_eq!(buf.filled(), ask);
        buf.clear();
        assert!(Pin::new(&mut guard).poll_read(&mut cx, &mut buf).is_pending());
        assert!(!woken.0.load(Ordering::Relaxed));
        switch.answer(1, course);
        assert!(woken.0.load(Ordering::Relaxed));
        assert!(Pin::new(&mut guard).poll_read(&mut cx, &mut buf).is_ready());
        assert_eq!(buf.filled(), handed);
    }
}

#[test]
fn vectored_writes_go_through() {
    let mut guard = HeadGuard::new(Parts(VecDeque::new()), Arc::default(), None);
    assert!(guard.is_write_vectored());
    let bufs = [IoSlice::new(b"ab"), IoSlice::new(b"cde")];
    let mut cx = Context::from_waker(Waker::noop());
    let written = Pin::new(&mut guard).poll_write_vectored(&mut cx, &bufs);
    assert!(matches!(written, Poll::Ready(Ok(5))));
}

#[tokio::test]
async fn requests_that_come_byte_by_byte_are_served() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (notes, _arrivals) = super::service::Notes::new();
    let mut client = connected(&notes, 1);
    let (mut read, mut write) = tokio::io::split(&mut client);
    let sent = async {
        write.write_all(TALK.as_bytes()).await.unwrap();
        write.shutdown().await.unwrap();
    };
    let mut answers = String::new();
    let (read, ()) = tokio::join!(read.read_to_string(&mut answers), sent);
    read.unwrap();
    let heads = ["GET /a", "POST /b", "POST /c", "GET /d", "POST /e"];
    assert_eq!(notes.heads(), heads);
    let bodies: Vec<_> = notes.seen.lock().unwrap().iter().map(|s| s.body.clone()).collect();
    let expected = ["", "\r\n\r\nx", "ab\r\nc0123456789", "", "x"];
    assert_eq!(bodies, expected.map(|body| Some(Ok(body.as_bytes().to_vec()))));
    assert!(answers.ends_with("POST /e x"));
}

proptest! {
    #[test]
    fn any_bytes_cut_anyhow_have_one_fate(
        all in proptest::collection::vec(any::<u8>(), 0..300),
        talk in any::<bool>(),
        lane in any::<bool>(),
        cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..8),
        room in 1_usize..100,
    ) {
        let mut bytes = if talk { TALK.as_bytes().to_vec() } else { Vec::new() };
        bytes.extend(all);
        let whole = fate(vec![bytes.clone()], 65_536, false);
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.sort_unstable();
        let mut parts = Vec::new();
        let mut from = 0;
        for cut in cuts {
            parts.push(bytes[from..cut].to_vec());
            from = cut;
        }
        parts.push(bytes[from..].to_vec());
        prop_assert_eq!(fate(parts, room, lane), whole);
    }
}
