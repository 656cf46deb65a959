//! Floor 2: what happened. A happening is a value; telling it moves its counter and writes its
//! line. Nothing here decides anything, and nothing here may make a request wait: a sink whose
//! writer falls behind drops lines and counts them.

pub mod access;
mod digits;
pub mod event;
pub mod exposition;
pub mod histogram;
pub mod ledger;
pub mod meter;
pub mod process;
pub mod recent;
pub mod sink;
pub mod synced;
pub mod time;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::base::clock::Timestamp;
use access::Access;
use event::Event;
use ledger::Ledger;
use recent::Recent;
use sink::Sink;

/// Where happenings go: two sinks and the counters.
#[derive(Clone, Debug, Default)]
pub struct Telemetry {
    /// One JSON object per request.
    pub access: Sink,
    /// One line per HIT, MISS, STORE, PURGE, EVICT, RELOAD and their kin.
    pub events: Sink,
    /// What requests, origins and orders came to.
    pub ledger: Arc<Ledger>,
    /// The last happenings, and who follows them.
    pub recent: Arc<Recent>,
    counters: Arc<Counters>,
}

/// What has been counted since the process began.
#[derive(Debug, Default)]
struct Counters {
    kinds: [AtomicU64; event::KINDS],
    purged: AtomicU64,
}

impl Telemetry {
    /// Writes to these sinks.
    pub fn new(access: Sink, events: Sink) -> Self {
        Self { access, events, ..Self::default() }
    }

    /// Counts a happening and writes its line.
    pub fn tell(&self, now: Timestamp, event: &Event<'_>) {
        if let Some(count) = self.counters.kinds.get(event.index()) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        if let Event::Purge { count, .. } = event {
            self.counters.purged.fetch_add(*count, Ordering::Relaxed);
        }
        self.recent.note(now, event);
        self.events.line(|out| event.write(now, out));
    }

    /// Writes the access line of one request.
    pub fn served(&self, access: &Access<'_>) {
        self.access.line(|out| access.write(out));
    }

    /// Every counter with its name, for the admin API.
    pub fn counts(&self) -> Vec<(&'static str, u64)> {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let kinds = event::WORDS.iter().zip(&self.counters.kinds).map(|(w, c)| (*w, load(c)));
        let others = [
            ("purged_entries", load(&self.counters.purged)),
            ("log_lines_dropped", self.access.dropped() + self.events.dropped()),
        ];
        kinds.chain(others).collect()
    }

    /// Opens log files anew, after something outside has moved them away.
    pub fn reopen(&self) {
        self.access.reopen();
        self.events.reopen();
    }

    /// Waits until what was said so far has been written, at most a second.
    pub fn flush(&self) {
        self.access.flush();
        self.events.flush();
    }
}
