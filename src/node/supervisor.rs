//! What a supervisor is told that started this process and wants to know: that the node serves,
//! reads its rules again, stops, and, under a watchdog, that every worker is alive (`sd_notify(3)`,
//! `sd_watchdog_enabled(3)`).

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::{Instant, sleep};

use crate::base::tasks;

/// The node serves, or goes on as it did after reading its rules.
pub(super) fn serves(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// The rules are being read, because the supervisor may have asked for it.
pub(super) fn reloads() {
    if let Ok(now) = NotifyState::monotonic_usec_now() {
        tell(&[NotifyState::Reloading, now]);
    }
}

/// The node drains, then ends.
pub(super) fn stops() {
    tell(&[NotifyState::Stopping, NotifyState::Status("draining")]);
}

/// Signs of life of the threads that a watchdog is to see alive.
#[derive(Debug)]
pub(super) struct Pulses {
    begun: Instant,
    /// How long the supervisor waits for a sign of life before it ends the process.
    patience: Option<Duration>,
    /// When each thread was alive last, in milliseconds from the beginning.
    all: Mutex<Vec<Arc<AtomicU64>>>,
}

impl Pulses {
    /// As the environment tells.
    pub(super) fn new() -> Self {
        Self::with(sd_notify::watchdog_enabled())
    }

    fn with(patience: Option<Duration>) -> Self {
        Self { begun: Instant::now(), patience, all: Mutex::default() }
    }

    /// Notes from now on that the runtime of this thread goes on.
    pub(super) fn pulse(&self) {
        let Some(patience) = self.patience else { return };
        let (begun, pulse) = (self.begun, Arc::new(AtomicU64::new(self.now())));
        self.all.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&pulse));
        tasks::tend(async move {
            // Ends with the runtime that it tells of.
            loop {
                pulse.store(begun.elapsed().as_millis() as u64, Ordering::Relaxed);
                sleep(patience / 8).await;
            }
        });
    }

    /// Tells the supervisor that the node is alive, for as long as each thread that pulses is.
    pub(super) fn watch(self: &Arc<Self>) {
        let Some(patience) = self.patience else { return };
        let pulses = Arc::clone(self);
        tasks::tend(async move {
            loop {
                if pulses.is_alive(patience / 2) {
                    tell(&[NotifyState::Watchdog]);
                }
                sleep(patience / 4).await;
            }
        });
    }

    fn is_alive(&self, within: Duration) -> bool {
        let since = self.now().saturating_sub(within.as_millis() as u64);
        let pulses = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        pulses.iter().all(|pulse| pulse.load(Ordering::Relaxed) >= since)
    }

    fn now(&self) -> u64 {
        self.begun.elapsed().as_millis() as u64
    }
}

/// A supervisor that does not listen is told nothing: the node serves without it.
fn tell(what: &[NotifyState<'_>]) {
    let _ = sd_notify::notify(what);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_thread_that_stands_still_is_missed() {
        let patience = Duration::from_secs(8);
        let pulses = Arc::new(Pulses::with(Some(patience)));
        pulses.pulse();
        sleep(patience * 8).await;
        assert!(pulses.is_alive(patience / 2));
        let stuck = Arc::new(AtomicU64::new(pulses.now()));
        pulses.all.lock().unwrap().push(Arc::clone(&stuck));
        sleep(patience / 2).await;
        assert!(pulses.is_alive(patience / 2));
        sleep(Duration::from_secs(1)).await;
        assert!(!pulses.is_alive(patience / 2));
        stuck.store(pulses.now(), Ordering::Relaxed);
        assert!(pulses.is_alive(patience / 2));
    }
}
