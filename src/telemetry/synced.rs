//! What syncing came to: for each rule by its result, and the last time as a whole.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::base::clock::Timestamp;

/// What may come of an entry that its origin is asked about.
pub const SYNC_RESULTS: [&str; 8] = [
    "unchanged",
    "changed",
    "gone",
    "older",
    "not-cacheable",
    "no-credentials",
    "skipped",
    "failed",
];

/// How many entries of a rule came to which of [`SYNC_RESULTS`].
#[derive(Debug, Default)]
pub struct SyncCounts([AtomicU64; SYNC_RESULTS.len()]);

impl SyncCounts {
    /// One more came to this.
    pub fn count(&self, result: &str) {
        let place = SYNC_RESULTS.iter().position(|word| *word == result);
        if let Some(count) = place.and_then(|place| self.0.get(place)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Those that came, with their counts.
    pub fn read(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = SYNC_RESULTS.into_iter().zip(&self.0);
        let read = counts.map(|(word, count)| (word, count.load(Ordering::Relaxed)));
        read.filter(|(_, count)| *count > 0)
    }
}

/// The last time that entries were synced, as it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Synced {
    /// When it ended.
    pub at: Timestamp,
    /// Entries that were asked about.
    pub entries: u64,
    /// Those that did not stay as they were.
    pub changed: u64,
    /// Those of which the origin said nothing.
    pub failed: u64,
    /// How long it took.
    pub took: Duration,
}

/// The last time, once there was one.
#[derive(Debug, Default)]
pub struct LastSync(Mutex<Option<Synced>>);

impl LastSync {
    /// Takes the place of the one before.
    pub fn set(&self, synced: Synced) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(synced);
    }

    /// What it came to.
    pub fn get(&self) -> Option<Synced> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_counted_by_their_words() {
        let counts = SyncCounts::default();
        for word in ["failed", "changed", "changed", "what"] {
            counts.count(word);
        }
        assert_eq!(counts.read().collect::<Vec<_>>(), [("changed", 2), ("failed", 1)]);
    }
}
