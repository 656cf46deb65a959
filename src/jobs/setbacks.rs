//! How long a job waits for origins that fail: a moment for one entry, longer for each failure in a
//! row, and at last no more. What the origin of one entry does holds up no entry of another.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::base::limits;

/// What a job has met with, by the names of origins.
#[derive(Debug, Default)]
pub(super) struct Setbacks(Mutex<HashMap<Arc<str>, Row>>);

/// Failures of one origin, without an answer between them.
#[derive(Debug, Default)]
struct Row {
    failures: u32,
    why: String,
}

/// When an origin may be asked.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// After this time.
    In(Duration),
    /// Not any more, for this reason.
    Never(String),
}

impl Setbacks {
    /// When this origin may be asked about an entry that was asked about so often in vain.
    pub(super) fn turn(&self, origin: &Arc<str>, tries: u32) -> Turn {
        let rows = self.rows();
        let Some(row) = rows.get(origin) else { return Turn::In(pause(tries)) };
        if row.failures >= limits::SYNC_FAILURES_MAX {
            return Turn::Never(row.given_up(origin));
        }
        // A few failures may be those of single entries; many are the origin's.
        Turn::In(pause(tries.max(row.failures.saturating_sub(limits::SYNC_FAILURES_ALLOWED))))
    }

    /// It gave an answer that counts.
    pub(super) fn answered(&self, origin: &Arc<str>) {
        let mut rows = self.rows();
        if rows.get(origin).is_some_and(|row| row.failures < limits::SYNC_FAILURES_MAX) {
            rows.remove(origin);
        }
    }

    /// It gave none.
    pub(super) fn failed(&self, origin: &Arc<str>, why: &str) {
        let mut rows = self.rows();
        let row = rows.entry(Arc::clone(origin)).or_default();
        row.failures = row.failures.saturating_add(1);
        why.clone_into(&mut row.why);
    }

    /// Why an origin was given up, if one was.
    pub(super) fn given_up(&self) -> Option<String> {
        let rows = self.rows();
        let mut away = rows.iter().filter(|(_, row)| row.failures >= limits::SYNC_FAILURES_MAX);
        away.next().map(|(origin, row)| row.given_up(origin))
    }

    fn rows(&self) -> MutexGuard<'_, HashMap<Arc<str>, Row>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Row {
    fn given_up(&self, origin: &str) -> String {
        format!("origin {origin} failed {} times in a row: {}", self.failures, self.why)
    }
}

/// Twice as long each time, within its bound.
fn pause(failures: u32) -> Duration {
    let Some(doubled) = failures.checked_sub(1) else { return Duration::ZERO };
    let first = limits::SYNC_PAUSE.to_duration();
    first.saturating_mul(1 << doubled.min(16)).min(limits::SYNC_PAUSE_MAX.to_duration())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_waits_longer_each_time_and_then_no_more() {
        let setbacks = Setbacks::default();
        let (away, up): (Arc<str>, Arc<str>) = ("away".into(), "up".into());
        let secs = |origin: &Arc<str>, tries: u32| match setbacks.turn(origin, tries) {
            Turn::In(wait) => Some(wait.as_secs()),
            Turn::Never(_) => None,
        };
        assert_eq!([0, 1, 2, 3].map(|tries| secs(&away, tries)), [0, 1, 2, 4].map(Some));
        for _ in 0..limits::SYNC_FAILURES_ALLOWED {
            setbacks.failed(&away, "refused");
            assert_eq!(secs(&away, 0), Some(0), "of single entries");
        }
        let mut waits = Vec::new();
        while secs(&away, 0).is_some() {
            setbacks.failed(&away, "refused");
            waits.extend(secs(&away, 0));
        }
        assert!(waits.is_sorted() && waits.starts_with(&[1, 2, 4, 8]), "{waits:?}");
        assert!(waits.iter().all(|wait| *wait <= limits::SYNC_PAUSE_MAX.as_secs()), "{waits:?}");
        assert_eq!(secs(&up, 0), Some(0), "the other origin has nothing to do with it");
        setbacks.answered(&away);
        assert!(setbacks.given_up().unwrap().starts_with("origin away failed"));
        setbacks.failed(&up, "500");
        setbacks.answered(&up);
        assert_eq!(secs(&up, 0), Some(0));
    }
}
