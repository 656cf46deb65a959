//! The worker threads: each owns a runtime of its own and everything that its connections need, so
//! that nothing on the way of a request is shared between cores. Connections come from the acceptor
//! through a channel, counted at hand-over; a seat is given back when its socket is gone.

use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::accept::Speech;
use super::conn::{self, Line};
use super::serve::{Peer, Serve, Watch};
use crate::base::tasks;

/// How far the edge is on its way from serving to gone. It only ever rises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Stage {
    /// Connections are accepted and served.
    Serve,
    /// No new ones; those that are idle close, the others after their answer.
    Drain,
    /// Those that are left are dropped.
    Abort,
    /// Workers end.
    Over,
}

/// What all threads of the edge share: counts and the stage. It is touched when a connection comes
/// or goes, and read, not written, in between.
#[derive(Debug, Default)]
pub(super) struct House {
    stage: AtomicU8,
    raised: Notify,
    live: AtomicUsize,
    emptied: Notify,
}

impl House {
    /// The stage now.
    pub(super) fn stage(&self) -> Stage {
        match self.stage.load(Ordering::Acquire) {
            0 => Stage::Serve,
            1 => Stage::Drain,
            2 => Stage::Abort,
            _ => Stage::Over,
        }
    }

    /// Goes on to `stage`, unless it has been reached, and wakes everyone.
    pub(super) fn raise(&self, stage: Stage) {
        self.stage.fetch_max(stage as u8, Ordering::AcqRel);
        self.raised.notify_waiters();
    }

    /// Waits for the next call of [`House::raise`] after this one.
    pub(super) fn raised(&self) -> tokio::sync::futures::Notified<'_> {
        self.raised.notified()
    }

    /// Waits until `stage` is reached.
    pub(super) async fn reached(&self, stage: Stage) {
        loop {
            let raised = self.raised();
            if self.stage() >= stage {
                return;
            }
            raised.await;
        }
    }

    /// Connections whose sockets are open.
    pub(super) fn live(&self) -> usize {
        self.live.load(Ordering::Acquire)
    }

    /// Waits until no connection is left.
    pub(super) async fn empty(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.live() == 0 {
                return;
            }
            emptied.await;
        }
    }
}

/// One connection's place with one worker.
#[derive(Debug)]
pub(super) struct Seat {
    load: Arc<AtomicUsize>,
    house: Arc<House>,
}

impl Seat {
    fn taken(load: &Arc<AtomicUsize>, house: &Arc<House>) -> Self {
        load.fetch_add(1, Ordering::AcqRel);
        house.live.fetch_add(1, Ordering::AcqRel);
        Self { load: Arc::clone(load), house: Arc::clone(house) }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.load.fetch_sub(1, Ordering::AcqRel);
        if self.house.live.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.house.emptied.notify_waiters();
        }
    }
}

/// A connection on its way to its worker.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) stream: TcpStream,
    pub(super) peer: Peer,
    pub(super) speech: Speech,
    pub(super) seat: Seat,
}

/// A worker as the acceptor sees it.
#[derive(Clone, Debug)]
pub(super) struct Desk {
    load: Arc<AtomicUsize>,
    inbox: UnboundedSender<Arrival>,
}

impl Desk {
    /// Connections it has, those on their way to it included.
    pub(super) fn load(&self) -> usize {
        self.load.load(Ordering::Acquire)
    }

    /// Hands a connection over. It closes if the worker is gone.
    pub(super) fn hand_over(
        &self,
        stream: TcpStream,
        peer: Peer,
        speech: Speech,
        house: &Arc<House>,
    ) {
        let arrival = Arrival { stream, peer, speech, seat: Seat::taken(&self.load, house) };
        drop(self.inbox.send(arrival));
    }
}

/// The worker with the fewest connections; among equals the next after `last`, so that short
/// connections, gone before the next comes, do not all fall to one.
pub(super) fn least_loaded(loads: impl ExactSizeIterator<Item = usize>, last: usize) -> usize {
    let count = loads.len().max(1);
    let distance = |at: usize| (at + count - (last + 1) % count) % count;
    let best = loads.enumerate().min_by_key(|&(at, load)| (load, distance(at)));
    best.map_or(0, |(at, _)| at)
}

/// Starts worker `index`; `make` runs on its thread, inside its runtime.
pub(super) fn start<S, F>(
    index: usize,
    house: Arc<House>,
    watch: Arc<dyn Watch>,
    make: Arc<F>,
) -> io::Result<(Desk, JoinHandle<()>)>
where
    S: Serve,
    F: Fn(usize) -> S + Send + Sync + 'static,
{
    let (inbox, arrivals) = unbounded_channel();
    let load = Arc::new(AtomicUsize::new(0));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let work = move || {
        runtime.block_on(async move {
            let line = Line::new(make(index), Arc::clone(&house), watch);
            receive(arrivals, line, &house).await;
        });
    };
    let thread = thread::Builder::new().name(format!("cistern-worker-{index}")).spawn(work)?;
    Ok((Desk { load, inbox }, thread))
}

/// A worker in the caller's runtime.
pub(super) fn here<S: Serve>(house: Arc<House>, watch: Arc<dyn Watch>, service: S) -> Desk {
    let (inbox, arrivals) = unbounded_channel();
    let line = Line::new(service, Arc::clone(&house), watch);
    tasks::tend(async move { receive(arrivals, line, &house).await });
    Desk { load: Arc::default(), inbox }
}

async fn receive<S: Serve>(mut arrivals: UnboundedReceiver<Arrival>, line: Line<S>, house: &House) {
    loop {
        tokio::select! {
            biased;
            () = house.reached(Stage::Over) => return,
            arrival = arrivals.recv() => match arrival {
                Some(arrival) => tasks::tend(conn::run(arrival, line.clone())),
                // No more can come; those that are here go on until the end.
                None => return house.reached(Stage::Over).await,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fewest_connections_win_and_equals_take_turns() {
        assert_eq!(least_loaded([3, 1, 2].into_iter(), 0), 1);
        assert_eq!(least_loaded([1, 1, 1].into_iter(), 0), 1);
        assert_eq!(least_loaded([1, 1, 1].into_iter(), 1), 2);
        assert_eq!(least_loaded([1, 1, 1].into_iter(), 2), 0);
        assert_eq!(least_loaded([0, 5, 0].into_iter(), 0), 2);
        assert_eq!(least_loaded([7].into_iter(), 0), 0);
        assert_eq!(least_loaded([].into_iter(), 0), 0);
    }
}
