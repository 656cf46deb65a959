//! Whether a server may be asked: a circuit breaker as a pure state machine. It opens when a server
//! had [`BREAKER_FAULTS`] faults within [`BREAKER_WINDOW`]; while it is open, nobody waits for that
//! server, and one probe at a time finds out whether it is back.
//!
//! What must never happen: that a request is the probe, or that two probes run at once.

use crate::base::clock::Timestamp;
use crate::base::limits::{BREAKER_FAULTS, BREAKER_WINDOW, PROBE_EVERY};

/// Where a breaker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The server is asked.
    Closed,
    /// It is not.
    Open,
    /// It is not, but a probe is under way.
    HalfOpen,
}

impl Phase {
    /// As it stands in logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half-open",
        }
    }
}

/// One server's breaker. It begins open: nothing shows yet that the server can be reached. Times
/// are moments of one clock that does not go back.
#[derive(Clone, Debug)]
pub struct Breaker {
    phase: Phase,
    /// When it last opened.
    opened: Timestamp,
    /// When the last probe began.
    probed: Option<Timestamp>,
    /// The last faults while it was closed, the oldest first; as many as the window holds.
    faults: [Option<Timestamp>; BREAKER_FAULTS],
}

impl Breaker {
    /// An open breaker that may be probed at once.
    pub const fn new(now: Timestamp) -> Self {
        Self { phase: Phase::Open, opened: now, probed: None, faults: [None; BREAKER_FAULTS] }
    }

    /// Where it stands.
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether a request may ask the server.
    pub const fn admits(&self) -> bool {
        matches!(self.phase, Phase::Closed)
    }

    /// When it last opened.
    pub const fn opened(&self) -> Timestamp {
        self.opened
    }

    /// Notes a fault of a call that was admitted; true if it opened the breaker. What calls from
    /// before an opening still find out changes nothing.
    pub fn fault(&mut self, now: Timestamp) -> bool {
        if self.phase != Phase::Closed {
            return false;
        }
        self.faults.rotate_left(1);
        if let Some(newest) = self.faults.last_mut() {
            *newest = Some(now);
        }
        let oldest = self.faults.first().copied().flatten();
        oldest.is_some_and(|oldest| now.since(oldest) <= BREAKER_WINDOW) && self.trip(now)
    }

    /// Opens, because the server is known to be away; true if it was closed.
    pub fn trip(&mut self, now: Timestamp) -> bool {
        if self.phase != Phase::Closed {
            return false;
        }
        *self = Self { phase: Phase::Open, opened: now, probed: self.probed, ..Self::new(now) };
        true
    }

    /// Asks for a probe; true if whoever asks is to make it now, and to [`Breaker::settle`] it.
    pub fn probe(&mut self, now: Timestamp) -> bool {
        let due = self.probed.is_none_or(|last| now.since(last) >= PROBE_EVERY);
        if self.phase != Phase::Open || !due {
            return false;
        }
        self.phase = Phase::HalfOpen;
        self.probed = Some(now);
        true
    }

    /// The outcome of the probe: closes the breaker, or leaves it open for the next.
    pub fn settle(&mut self, reached: bool) {
        if self.phase == Phase::HalfOpen {
            self.phase = if reached { Phase::Closed } else { Phase::Open };
        }
    }
}

#[cfg(test)]
mod tests;
