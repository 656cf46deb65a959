//! Looks at the node each second and tells when somebody must be told.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::alerts::{Alert, Alerts};
use super::measure::Reading;
use crate::base::clock::{Clock, Timestamp};
use crate::engine::Engine;
use crate::store::l1::Evicted;
use crate::store::redis::fleet::Filled;
use crate::telemetry::event::Event;
use crate::telemetry::process::Usage;

/// Who looks.
#[derive(Debug)]
pub struct Watchman {
    /// Never aligned, so that its time does not go back.
    clock: Clock,
    memory: u64,
    evicted: AtomicU64,
    evicted_early: AtomicU64,
    /// When the first certificate ends, in milliseconds; `u64::MAX` without any.
    certificate_end: AtomicU64,
    alerts: Mutex<Alerts>,
}

impl Watchman {
    /// Over a process that may hold so many bytes.
    pub fn new(memory: u64) -> Self {
        Self {
            clock: Clock::system(),
            memory,
            evicted: AtomicU64::new(0),
            evicted_early: AtomicU64::new(0),
            certificate_end: AtomicU64::new(u64::MAX),
            alerts: Mutex::default(),
        }
    }

    /// Hears of an entry that left by itself.
    pub fn note(&self, gone: &Evicted, now: Timestamp) {
        if gone.by_ttl {
            return;
        }
        self.evicted.fetch_add(1, Ordering::Relaxed);
        let early = u64::from(now < gone.half_life);
        self.evicted_early.fetch_add(early, Ordering::Relaxed);
    }

    /// Hears when the first certificate ends.
    pub fn note_certificate(&self, end: Timestamp) {
        self.certificate_end.store(end.as_millis(), Ordering::Relaxed);
    }

    /// Looks once, and tells what has changed.
    pub fn look(&self, engine: &Engine) {
        let changes = self.alerts().take(self.reading(engine));
        for change in changes {
            let alert = &change.alert;
            let event = Event::Alert {
                raised: change.raised,
                alert: alert.alert,
                severity: alert.severity.as_str(),
                value: alert.value.as_deref().unwrap_or("-"),
                cause: alert.cause,
                command: alert.command,
            };
            engine.telemetry.tell(engine.clock.now(), &event);
        }
    }

    /// Every alert, the worst first.
    pub fn all(&self) -> Vec<Alert> {
        self.alerts().all()
    }

    fn alerts(&self) -> MutexGuard<'_, Alerts> {
        self.alerts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// By the wall's time, which is what certificates speak of.
    fn certificate_days(&self, now: Timestamp) -> Option<f64> {
        let end = Some(self.certificate_end.load(Ordering::Relaxed)).filter(|ms| *ms < u64::MAX)?;
        let left = end.cast_signed().saturating_sub(now.as_millis().cast_signed());
        Some(left as f64 / 86_400_000.0)
    }

    fn reading(&self, engine: &Engine) -> Reading {
        Reading {
            at: self.clock.now(),
            overhead: engine.telemetry.ledger.overhead.read(),
            evicted: self.evicted.load(Ordering::Relaxed),
            evicted_early: self.evicted_early.load(Ordering::Relaxed),
            resident: Usage::resident(),
            memory: self.memory,
            certificate_days: self.certificate_days(engine.clock.now()),
            servers_full: engine
                .fleet
                .as_ref()
                .and_then(|fleet| fleet.fullest())
                .map(Filled::percent),
            servers_away: engine.fleet.as_ref().map(|fleet| {
                let servers = fleet.snapshot().servers;
                let mut masters = servers.iter().filter(|server| server.role == "master");
                if masters.clone().next().is_none() {
                    // Nobody has said yet who they are.
                    return 1;
                }
                masters.by_ref().filter(|server| server.state != "closed").count()
            }),
        }
    }
}
