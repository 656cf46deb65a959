//! What asking needs to know about an origin and about one request. Plain data: built when rules
//! are loaded, shared by all workers.

use std::sync::Arc;

use tokio::time::{Duration, Instant};

use crate::base::limits;
use crate::base::units::Span;
use crate::origin::interim::Interim;
use crate::origin::slots::Slots;
use crate::origin::target::Target;

/// One origin, as the rules describe it.
#[derive(Clone, Debug)]
pub struct Spec {
    /// Where it is.
    pub target: Target,
    /// Time limits of requests that bring none of their own.
    pub limits: PhaseLimits,
    /// How connections are kept.
    pub keep: Keep,
    /// The places for requests at once; all workers and clones share them. `None`: no bound.
    pub slots: Option<Arc<Slots>>,
}

impl Spec {
    /// An origin with the default limits.
    pub fn new(target: Target) -> Self {
        Self { target, limits: PhaseLimits::default(), keep: Keep::default(), slots: None }
    }
}

/// How long each part of an exchange may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PhaseLimits {
    /// Name lookup and connection together, over all addresses.
    pub connect: Span,
    /// From the last byte of the request that left to the answer's head. While a body is still
    /// being sent, every part of it that leaves starts the clock again.
    pub first_byte: Span,
    /// Silence within the answer's body, while somebody waits for it. A reader that is slow itself
    /// never makes it pass.
    pub between_bytes: Span,
    /// From the call to the last byte of the body, waiting for a place included. `None` where an
    /// answer may be endless.
    pub total: Option<Span>,
}

impl Default for PhaseLimits {
    fn default() -> Self {
        Self {
            connect: Span::from_secs(2),
            first_byte: Span::from_secs(30),
            between_bytes: Span::from_secs(60),
            total: None,
        }
    }
}

/// How idle connections are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// How long; must be shorter than the origin's own keep-alive, or requests meet connections
    /// that are just being closed.
    pub idle_timeout: Span,
    /// How many per worker.
    pub idle_max: usize,
}

impl Default for Keep {
    fn default() -> Self {
        Self { idle_timeout: Span::from_secs(30), idle_max: limits::ORIGIN_IDLE_MAX }
    }
}

/// Called with each interim answer other than 100, on the worker's thread: it must not block.
pub type OnInterim = Arc<dyn Fn(&Interim<'_>) + Send + Sync>;

/// What one request wants besides itself.
#[derive(Clone, Default)]
pub struct AskOptions {
    /// Limits in place of the origin's.
    pub limits: Option<PhaseLimits>,
    /// Who hears of interim answers (RFC 9110, 15.2). They are never part of the final one.
    pub on_interim: Option<OnInterim>,
    /// Gives up the one repetition that is allowed when a kept connection turns out dead.
    pub once: bool,
}

impl std::fmt::Debug for AskOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AskOptions")
            .field("limits", &self.limits)
            .field("on_interim", &self.on_interim.is_some())
            .field("once", &self.once)
            .finish()
    }
}

/// The moment `span` after `from`; far away, but representable, where it is longer than any
/// exchange.
pub(super) fn after(from: Instant, span: Span) -> Instant {
    const FAR: Duration = Duration::from_hours(10 * 365 * 24);
    from + span.to_duration().min(FAR)
}
