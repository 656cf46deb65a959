//! How old an answer is and how long it lives (RFC 9111, 4.2), by its own fields and by what a rule
//! says over them. Where something cannot be read, the answer is older or shorter-lived, never the
//! other way round. Whether it may be stored at all is decided elsewhere.

use http::StatusCode;
use http::header::{self, HeaderMap};

use super::date;
use super::directives::{ResponseDirectives, Seconds, delta_seconds};
use super::law::{Law, Ttl, TtlMode};
use super::manner::Manner;
use crate::base::clock::Timestamp;
use crate::base::fields;
use crate::base::limits::{DELTA_SECONDS_MAX, HEURISTIC_MAX};
use crate::base::units::Span;

#[cfg(test)]
mod tests;

/// Who set a lifetime.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TtlBy {
    /// A rule.
    Rule,
    /// A targeted field (RFC 9213).
    Targeted,
    /// `s-maxage`.
    SMaxage,
    /// `max-age`.
    MaxAge,
    /// `Expires`.
    Expires,
    /// The last modification (RFC 9111, 4.2.2).
    Heuristic,
    /// Nobody: it is kept to be validated.
    None,
}

impl TtlBy {
    /// The word in logs and `explain`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rule => "rule",
            Self::Targeted => "targeted-field",
            Self::SMaxage => "s-maxage",
            Self::MaxAge => "max-age",
            Self::Expires => "expires",
            Self::Heuristic => "heuristic",
            Self::None => "none",
        }
    }
}

/// The lifetime that an origin gives, counted from the moment the answer was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lifetime {
    pub(crate) span: Span,
    pub(crate) by: TtlBy,
}

impl Lifetime {
    /// Whether the origin named it, rather than this cache guessed it.
    pub(crate) fn is_explicit(self) -> bool {
        self.by != TtlBy::Heuristic
    }
}

/// When an exchange took place, and the `Date` of its answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) asked_at: Timestamp,
    pub(crate) answered_at: Timestamp,
    /// `Date`; the time of receipt where it is missing or invalid (RFC 9110, 6.6.1).
    pub(crate) date: Timestamp,
}

impl Times {
    pub(crate) fn of(response: &HeaderMap, asked_at: Timestamp, answered_at: Timestamp) -> Self {
        let date = date::field(response, &header::DATE, answered_at).unwrap_or(answered_at);
        Self { asked_at, answered_at, date }
    }
}

/// The corrected initial age (RFC 9111, 4.2.3). `Date` has whole seconds, so the apparent age is
/// counted in those: an answer of this very second has none.
pub(crate) fn initial_age(response: &HeaderMap, times: Times, manner: &Manner) -> Span {
    let apparent = times.answered_at.as_secs().saturating_sub(times.date.as_secs());
    let delay = times.answered_at.since(times.asked_at);
    let corrected = age_value(response, manner).plus(delay);
    let limit = Span::from_secs(DELTA_SECONDS_MAX);
    Span::from_secs(apparent).max(corrected).min(limit)
}

/// The value of `Age` (RFC 9111, 5.1). By default one that is not a single number counts as very
/// old; see [`Manner::doubtful_age_is_stale`].
fn age_value(response: &HeaderMap, manner: &Manner) -> Span {
    if !response.contains_key(header::AGE) {
        return Span::ZERO;
    }
    let mut members = fields::members(response, &header::AGE);
    let first = members.next().unwrap_or_default();
    let value = delta_seconds(first);
    if !manner.doubtful_age_is_stale {
        return value.unwrap_or(Span::ZERO);
    }
    // A line that lists the ages of several hops begins with the oldest, and counts by it. The
    // same number twice, or several lines, come from heads that were merged: nobody knows whose
    // age they tell.
    let repeated = members.any(|member| member == first);
    let several_lines = response.get_all(header::AGE).iter().nth(1).is_some();
    match value {
        Some(age) if !repeated && !several_lines => age,
        _ => Span::from_secs(DELTA_SECONDS_MAX),
    }
}

/// The lifetime that the origin gives, by the precedence of RFC 9111, 4.2.1. A malformed value that
/// precedes a good one is not passed over: it makes the answer stale.
pub(crate) fn lifetime(
    response: &HeaderMap,
    directives: &ResponseDirectives,
    times: Times,
) -> Option<Lifetime> {
    let by_field = |by| if directives.by_targeted_field { TtlBy::Targeted } else { by };
    for (seconds, by) in
        [(directives.s_maxage, TtlBy::SMaxage), (directives.max_age, TtlBy::MaxAge)]
    {
        if seconds != Seconds::Absent {
            let span = seconds.span().unwrap_or(Span::ZERO);
            return Some(Lifetime { span, by: by_field(by) });
        }
    }
    if directives.by_targeted_field || !response.contains_key(header::EXPIRES) {
        return None;
    }
    // Several lines, `0` and whatever else is no date mean that it has expired (RFC 9111, 5.3).
    let expires = date::field(response, &header::EXPIRES, times.answered_at);
    let span = expires.map_or(Span::ZERO, |expires| {
        // Without a `Date` the receipt stands for it, to the second, as the origin would have
        // written it.
        Span::from_secs(expires.as_secs().saturating_sub(times.date.as_secs()))
    });
    let limit = Span::from_secs(DELTA_SECONDS_MAX);
    Some(Lifetime { span: span.min(limit), by: TtlBy::Expires })
}

/// The lifetime that may be guessed: a tenth of the time since the last modification, at most a day
/// (RFC 9111, 4.2.2).
pub(crate) fn heuristic(
    response: &HeaderMap,
    status: StatusCode,
    directives: &ResponseDirectives,
    times: Times,
) -> Option<Lifetime> {
    if !directives.public && !is_heuristically_cacheable(status) {
        return None;
    }
    let modified = date::field(response, &header::LAST_MODIFIED, times.answered_at)?;
    let span = Span::from_millis(times.date.since(modified).as_millis() / 10).min(HEURISTIC_MAX);
    (span > Span::ZERO).then_some(Lifetime { span, by: TtlBy::Heuristic })
}

/// The statuses that RFC 9110, 15.1 defines so; 206 is never stored here.
pub(crate) fn is_heuristically_cacheable(status: StatusCode) -> bool {
    matches!(status.as_u16(), 200 | 203 | 204 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501)
}

/// The end of an answer's life, and who set it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) at: Timestamp,
    pub(crate) by: TtlBy,
}

/// Weighs the origin's lifetime against the rule's. The rule's counts from receipt, whatever `Age`
/// the origin's answer has; the origin's counts from when the answer was made.
pub(crate) fn end_of_life(
    origin: Option<Lifetime>,
    law: &Law,
    status: StatusCode,
    initial_age: Span,
    answered_at: Timestamp,
) -> Option<End> {
    let by_origin = origin.map(|lifetime| End {
        at: answered_at.plus(lifetime.span).minus(initial_age),
        by: lifetime.by,
    });
    let Some(ttl) = law.ttl_for(status) else { return by_origin };
    let by_rule = End { at: answered_at.plus(ttl), by: TtlBy::Rule };
    let said = by_origin.filter(|_| origin.is_some_and(Lifetime::is_explicit));
    Some(match (law.ttl_mode, said) {
        (TtlMode::Replace, _) | (_, None) => by_rule,
        (TtlMode::Silent, Some(said)) => said,
        (TtlMode::AtMost, Some(said)) => {
            if said.at <= by_rule.at {
                said
            } else {
                by_rule
            }
        }
        (TtlMode::AtLeast, Some(said)) => {
            if said.at >= by_rule.at {
                said
            } else {
                by_rule
            }
        }
    })
}

/// Whether a lifetime may be guessed under this rule: where a rule gives lifetimes to some
/// statuses, the others live only by the origin's own word.
pub(crate) fn may_guess(law: &Law, manner: &Manner, status: StatusCode) -> bool {
    manner.heuristics && (law.ttl == Ttl::Origin || law.ttl_for(status).is_some())
}
