//! Several addresses, one connection: the next address is tried when the former fails or has had
//! its head start, and whoever connects first wins (RFC 8305, 5).

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::Poll;

use tokio::time::{Instant, sleep_until};

use crate::base::limits;

type Attempt<T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send>>;

/// The first connection that any of `addresses` gives, or the last failure.
pub(super) async fn first<T, F>(
    addresses: &[SocketAddr],
    open: impl Fn(SocketAddr) -> F,
) -> Result<(T, SocketAddr), (io::Error, Option<SocketAddr>)>
where
    F: Future<Output = io::Result<T>> + Send + 'static,
{
    if let [only] = addresses {
        return open(*only).await.map(|io| (io, *only)).map_err(|cause| (cause, Some(*only)));
    }
    let mut waiting = addresses.iter().copied();
    let mut running: Vec<(SocketAddr, Attempt<T>)> = Vec::new();
    let mut last = (io::Error::new(io::ErrorKind::NotFound, "no address to connect to"), None);
    loop {
        match waiting.next() {
            Some(next) => running.push((next, Box::pin(open(next)))),
            None if running.is_empty() => return Err(last),
            None => {}
        }
        let more = waiting.len() > 0;
        match round(&mut running, more).await {
            Round::Connected(io, address) => return Ok((io, address)),
            Round::Failed(cause, address) => last = (cause, Some(address)),
            Round::HeadStartOver => {}
        }
    }
}

enum Round<T> {
    Connected(T, SocketAddr),
    Failed(io::Error, SocketAddr),
    HeadStartOver,
}

/// Until one of `running` ends or, when there are `more`, the youngest has had its head start.
async fn round<T>(running: &mut Vec<(SocketAddr, Attempt<T>)>, more: bool) -> Round<T> {
    let mut over = pin!(sleep_until(Instant::now() + limits::CONNECT_HEAD_START.to_duration()));
    poll_fn(|cx| {
        let mut index = 0;
        while let Some((address, attempt)) = running.get_mut(index) {
            let address = *address;
            match attempt.as_mut().poll(cx) {
                Poll::Ready(Ok(io)) => return Poll::Ready(Round::Connected(io, address)),
                Poll::Ready(Err(cause)) => {
                    drop(running.remove(index));
                    return Poll::Ready(Round::Failed(cause, address));
                }
                Poll::Pending => index += 1,
            }
        }
        if more && over.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Round::HeadStartOver);
        }
        Poll::Pending
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use super::*;

    fn addresses(count: u16) -> Vec<SocketAddr> {
        (1..=count).map(|port| SocketAddr::from(([10, 0, 0, 1], port))).collect()
    }

    /// Port 1 never answers, port 2 refuses, port 3 takes 100 ms, port 4 connects at once.
    async fn behave(address: SocketAddr) -> io::Result<u16> {
        match address.port() {
            1 => std::future::pending().await,
            2 => return Err(io::ErrorKind::ConnectionRefused.into()),
            3 => tokio::time::sleep(Duration::from_millis(100)).await,
            _ => {}
        }
        Ok(address.port())
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_address_costs_its_head_start_and_a_refusing_one_nothing() {
        let begun = Instant::now();
        let (port, address) = first(&addresses(4), behave).await.unwrap();
        assert_eq!((port, address.port()), (3, 3));
        // 250 ms for the silent one; then the refusal, and 100 ms for the slow one.
        assert_eq!(begun.elapsed().as_millis() / 10, 35);
    }

    #[tokio::test(start_paused = true)]
    async fn addresses_are_tried_in_order_and_no_more_than_needed() {
        let tried = Arc::new(Mutex::new(Vec::new()));
        let open = |address: SocketAddr| {
            tried.lock().unwrap().push(address.port());
            behave(address)
        };
        let all = addresses(5);
        assert_eq!(first(&all[1..], open).await.unwrap().0, 3);
        assert_eq!(*tried.lock().unwrap(), [2, 3]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_failure_is_the_one_told() {
        let (cause, address) = first(&addresses(2)[1..], behave).await.unwrap_err();
        assert_eq!(cause.kind(), io::ErrorKind::ConnectionRefused);
        assert_eq!(address.unwrap().port(), 2);
        assert!(first(&[], behave).await.unwrap_err().1.is_none());
    }
}
