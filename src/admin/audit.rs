//! What was changed through the admin API, by whom: a line of the event log for each, and the last
//! of them at hand.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use axum::http::Method;
use schemars::JsonSchema;
use serde::Serialize;

use crate::base::limits;
use crate::engine::Engine;
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

/// The last changes, oldest first.
#[derive(Debug, Default)]
pub struct Audit {
    last: Mutex<VecDeque<Change>>,
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
        let now = engine.clock.now();
        engine.telemetry.tell(now, &Event::Audit { who, call, what, outcome });
        let change = Change {
            at_ms: now.as_millis(),
            who: who.to_owned(),
            call,
            what: shortened(what),
            outcome: outcome.to_owned(),
        };
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.push_back(change);
        if last.len() > limits::AUDIT_KEPT_MAX {
            last.pop_front();
        }
    }

    /// Notes a call that its caller may not make.
    pub(super) fn refused(&self, engine: &Engine, method: &Method, path: &str) {
        self.note(engine, "-", "refused", &format!("{method} {path}"), "refused");
    }

    /// The last changes, newest first.
    pub(super) fn last(&self, most: usize) -> Vec<Change> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.iter().rev().take(most).cloned().collect()
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

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(shortened("key:a"), "key:a");
        let long = "ñ".repeat(limits::AUDIT_CHARS_MAX + 1);
        assert_eq!(shortened(&long).chars().count(), limits::AUDIT_CHARS_MAX + 1);
    }
}
