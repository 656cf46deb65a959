//! What was changed through the admin API, by whom: a line of the event log for each, and the last
//! of them at hand.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::http::Method;
use schemars::JsonSchema;
use serde::Serialize;

use crate::base::limits;
use crate::engine::Engine;
use crate::telemetry::access::redacted;
use crate::telemetry::event::Event;

/// One change, or one that was refused.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct Change {
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// The name of the token; `-` for none.
    pub who: String,
    /// What was called.
    pub call: &'static str,
    /// What it was called with.
    pub what: String,
    /// What came of it.
    pub outcome: String,
}

/// The last changes and the last refusals, oldest first. Each have a bound of their own.
#[derive(Debug, Default)]
pub struct Audit {
    changes: Mutex<VecDeque<Change>>,
    refused: Mutex<VecDeque<Change>>,
}

impl Audit {
    /// Notes a change.
    pub(super) fn note(
        &self,
        engine: &Engine,
        who: &str,
        call: &'static str,
        what: &str,
        outcome: &str,
    ) {
        let change = told(engine, who, call, what, outcome);
        keep(&self.changes, change, limits::AUDIT_KEPT_MAX);
    }

    /// Notes a call that its caller may not make.
    pub(super) fn refused(&self, engine: &Engine, method: &Method, path: &str) {
        let change = told(engine, "-", "refused", &format!("{method} {path}"), "refused");
        keep(&self.refused, change, limits::AUDIT_REFUSED_MAX);
    }

    /// The last changes and refusals, newest first.
    pub(super) fn last(&self) -> Vec<Change> {
        let mut all: Vec<Change> = locked(&self.changes).iter().cloned().collect();
        all.extend(locked(&self.refused).iter().cloned());
        // Those of one moment stay as they were.
        all.sort_by_key(|change| change.at_ms);
        all.reverse();
        all
    }
}

fn locked(kept: &Mutex<VecDeque<Change>>) -> MutexGuard<'_, VecDeque<Change>> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

fn keep(kept: &Mutex<VecDeque<Change>>, change: Change, most: usize) {
    let mut kept = locked(kept);
    kept.push_back(change);
    if kept.len() > most {
        kept.pop_front();
    }
}

/// Tells the event log, and gives what is kept.
fn told(engine: &Engine, who: &str, call: &'static str, what: &str, outcome: &str) -> Change {
    let now = engine.clock.now();
    engine.telemetry.tell(now, &Event::Audit { who, call, what, outcome });
    Change {
        at_ms: now.as_millis(),
        who: who.to_owned(),
        call,
        what: shortened(&redacted(what)),
        outcome: outcome.to_owned(),
    }
}

/// What stays in memory of a text that callers make.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(limits::AUDIT_CHARS_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(at_ms: u64, call: &'static str) -> Change {
        let text = String::new;
        Change { at_ms, who: text(), call, what: text(), outcome: text() }
    }

    #[test]
    fn refusals_push_no_change_out() {
        let audit = Audit::default();
        keep(&audit.changes, change(1, "purge"), limits::AUDIT_KEPT_MAX);
        for at in 0..2_000 {
            keep(&audit.refused, change(at, "refused"), limits::AUDIT_REFUSED_MAX);
        }
        keep(&audit.changes, change(1_900, "put"), limits::AUDIT_KEPT_MAX);
        let all = audit.last();
        assert_eq!(all.len(), 2 + limits::AUDIT_REFUSED_MAX);
        assert_eq!(all.last().map(|change| change.call), Some("purge"));
        assert!(all.is_sorted_by_key(|change| std::cmp::Reverse(change.at_ms)));
        assert!(all[98..102].iter().any(|change| change.call == "put"), "in its place");
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(shortened("key:a"), "key:a");
        let long = "ñ".repeat(limits::AUDIT_CHARS_MAX + 1);
        assert_eq!(shortened(&long).chars().count(), limits::AUDIT_CHARS_MAX + 1);
    }
}
