//! How long a story waits for what must come, when nothing rings a bell for it.

use std::time::{Duration, Instant};

use crate::support::PATIENCE;

/// Waits that end.
pub(crate) struct Patience {
    until: Instant,
}

impl Patience {
    /// As long as anything may take.
    pub(crate) fn begins() -> Self {
        Self::of(PATIENCE)
    }

    /// So long, and no longer.
    #[expect(clippy::disallowed_methods, reason = "a story waits in the time of this world")]
    pub(crate) fn of(length: Duration) -> Self {
        Self { until: Instant::now() + length }
    }

    /// Whether it has not ended yet.
    #[expect(clippy::disallowed_methods, reason = "a story waits in the time of this world")]
    pub(crate) fn lasts(&self) -> bool {
        Instant::now() < self.until
    }
}
