//! All that a verdict needs to know about a stored answer.

use crate::base::clock::Timestamp;
use crate::base::ids::Tick;
use crate::base::units::Span;

/// Yes-or-no facts about a stored answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StampFlags {
    /// It carries an `ETag` or `Last-Modified`.
    pub has_validator: bool,
}

/// Times and facts of one stored answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// When it was received.
    pub stored_at: Timestamp,
    /// Its corrected initial age (RFC 9111, 4.2.3).
    pub age_at_store: Span,
    /// The `Date` it is served with.
    pub date: Timestamp,
    /// End of its lifetime.
    pub fresh_until: Timestamp,
    /// End of stale-while-revalidate.
    pub revalidate_until: Timestamp,
    /// End of stale-if-error.
    pub error_until: Timestamp,
    /// The tick its fetch was born under.
    pub born: Tick,
    /// Further facts.
    pub flags: StampFlags,
}

impl Stamp {
    /// When the store may forget it.
    pub fn useful_until(&self) -> Timestamp {
        self.fresh_until.max(self.revalidate_until).max(self.error_until)
    }
}
