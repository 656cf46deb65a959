//! May this stored answer be used for this request, now? The hit path asks it every time: it
//! compares numbers and allocates nothing. It never decides which variant is meant, nor whether
//! the caller may see it.

use http::StatusCode;

use super::answer::Fwd;
use super::directives::RequestDirectives;
use super::stamp::{Stamp, StampFlags};
use crate::base::clock::Timestamp;
use crate::base::units::Span;

/// What to do with a stored answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Serve it: it is fresh, or the client said that a stale one will do.
    Fresh,
    /// Serve it, and renew it behind the client's back (RFC 5861, 3).
    WhileRevalidate,
    /// Ask the origin first.
    Validate(Why),
}

/// Why the origin must be asked first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Its lifetime is over.
    Expired,
    /// It says `no-cache`.
    NoCache,
    /// The client wants something newer.
    ClientAsked,
    /// Orders of other nodes may have been missed that name it.
    Gap,
}

impl Verdict {
    /// The word in logs and `explain`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::WhileRevalidate => "stale-while-revalidate",
            Self::Validate(why) => why.as_str(),
        }
    }
}

impl Why {
    /// The word in logs and `explain`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::NoCache => "no-cache",
            Self::ClientAsked => "client-no-cache",
            Self::Gap => "coherence-gap",
        }
    }

    /// What `Cache-Status` says about it (RFC 9211, 2.2).
    pub const fn fwd(self) -> Fwd {
        match self {
            Self::Expired | Self::NoCache | Self::Gap => Fwd::Stale,
            Self::ClientAsked => Fwd::Request,
        }
    }
}

/// Judges a stored answer by RFC 9111, 4 and 5.2.1, and RFC 5861, 3.
pub fn judge(stamp: &Stamp, wishes: &RequestDirectives, now: Timestamp) -> Verdict {
    if asks_for_origin(stamp, wishes, now) {
        return Verdict::Validate(Why::ClientAsked);
    }
    if stamp.flags.has(StampFlags::ALWAYS_VALIDATE) {
        return Verdict::Validate(Why::NoCache);
    }
    if stamp.is_fresh(now) {
        return Verdict::Fresh;
    }
    if stamp.flags.has(StampFlags::NEVER_STALE) {
        return Verdict::Validate(Why::Expired);
    }
    match wishes.max_stale {
        Some(most) if now.since(stamp.fresh_until) <= stamp.stale_for(most) => Verdict::Fresh,
        Some(_) => Verdict::Validate(Why::ClientAsked),
        // A limit on age speaks against stale answers, unless the client names one for those too
        // (RFC 9111, 5.2.1.1).
        None if wishes.max_age.is_some() => Verdict::Validate(Why::ClientAsked),
        None if now < stamp.revalidate_until => Verdict::WhileRevalidate,
        None => Verdict::Validate(Why::Expired),
    }
}

/// Whether this may be served because the origin cannot be reached or answered with
/// [an error](is_error_for_stale) (RFC 5861, 4; RFC 9111, 4.2.4). Who asked for the origin's own
/// word gets its error.
pub fn serves_on_error(stamp: &Stamp, wishes: &RequestDirectives, now: Timestamp) -> bool {
    let refused =
        asks_for_origin(stamp, wishes, now) || stamp.flags.has(StampFlags::ALWAYS_VALIDATE);
    let allowed = stamp.is_fresh(now)
        || (!stamp.flags.has(StampFlags::NEVER_STALE) && now < stamp.error_until);
    !refused && allowed
}

/// The statuses that a stale answer may stand in for (RFC 5861, 4).
pub fn is_error_for_stale(status: StatusCode) -> bool {
    matches!(status.as_u16(), 500 | 502 | 503 | 504)
}

/// Whether the client's wishes (RFC 9111, 5.2.1) exclude this answer, as old or as fresh as it is.
fn asks_for_origin(stamp: &Stamp, wishes: &RequestDirectives, now: Timestamp) -> bool {
    // `max-age=0` is how browsers reload, whatever the age.
    let too_old = |most| most == Span::ZERO || stamp.age(now) > most;
    wishes.no_cache
        || wishes.no_store
        || wishes.max_age.is_some_and(too_old)
        || wishes.min_fresh.is_some_and(|least| !stamp.is_fresh(now.plus(least)))
}

#[cfg(test)]
mod tests;
