//! May this exchange be kept, for how long, and what of it? (RFC 9111, 3.) Every refusal is a
//! [`Reason`]. The origin's prohibitions come first; a rule or a manner passes over one only where
//! it names it. What cannot be read counts as a prohibition.

mod exchange;
mod head;
#[cfg(test)]
mod tests;

use http::header::{self, HeaderMap, HeaderName};
use http::{Method, StatusCode};

use super::directives::{Extent, ResponseDirectives};
use super::freshness::{self, End, Lifetime, Times, TtlBy};
use super::law::Law;
use super::manner::Manner;
use super::reference;
use super::semantics;
use super::stamp::{Stamp, StampFlags};
use super::validate;
use super::vary;
use crate::base::reason::Reason;
use crate::base::units::Span;

pub use exchange::{Credentials, Exchange};
pub use head::stored_fields;

/// How an answer is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Until when it is good for what.
    pub stamp: Stamp,
    /// Fields that the stored copy does without.
    pub omit: Vec<HeaderName>,
    /// The request fields that select it, implied ones included.
    pub vary: Vec<HeaderName>,
    /// What is left of its lifetime at receipt.
    pub ttl: Span,
    /// Who set the lifetime.
    pub ttl_by: TtlBy,
}

impl Keep {
    /// The same, for at most this long; see [`Stamp::within`].
    #[must_use]
    pub fn within(self, most: Span) -> Self {
        Self { stamp: self.stamp.within(most), ttl: self.ttl.min(most), ..self }
    }
}

/// Judges a finished exchange.
pub fn storable(x: &Exchange<'_>, law: &Law, manner: &Manner) -> Result<Keep, Reason> {
    let directives = ResponseDirectives::of(x.response, &manner.targeted);
    check_kind(x, manner)?;
    check_prohibitions(x, &directives, law)?;
    check_credentials(x, &directives)?;
    let vary = vary::vary_names(x.response, x.request, law)?;
    let omit = omitted(&directives, law);
    check_cookies(x, &omit, law, manner)?;
    check_body(x, law)?;
    let origin = origin_lifetime(x, &directives, law, manner);
    check_post(x, origin)?;
    let lived = Lived { directives, origin, vary, omit };
    lived.keep(x, law, manner)
}

/// Method and status: what can be kept at all.
fn check_kind(x: &Exchange<'_>, manner: &Manner) -> Result<(), Reason> {
    match *x.method {
        Method::GET => {}
        Method::POST if manner.post_answers => {}
        _ => return Err(Reason::Method),
    }
    match x.status.as_u16() {
        206 | 416 => Err(Reason::Range),
        // Interim answers, answers to a condition, an expectation or this hop alone: another
        // request for the same target would have got something else.
        ..200 | 304 | 407 | 412 | 417 => Err(Reason::Status),
        _ => Ok(()),
    }
}

fn check_prohibitions(
    x: &Exchange<'_>,
    directives: &ResponseDirectives,
    law: &Law,
) -> Result<(), Reason> {
    if x.directives.no_store {
        return Err(Reason::NoStore);
    }
    if directives.must_understand && !is_understood(x.status) {
        return Err(Reason::Status);
    }
    // `must-understand` lifts `no-store` for those who do understand (RFC 9111, 5.2.2.3).
    if directives.no_store && !directives.must_understand && !law.overrides.no_store {
        return Err(Reason::NoStore);
    }
    if directives.private == Extent::Whole && !law.overrides.private {
        return Err(Reason::Private);
    }
    Ok(())
}

/// The statuses whose demands on caches this one meets: the final ones of RFC 9110.
fn is_understood(status: StatusCode) -> bool {
    matches!(
        status.as_u16(),
        200..=205 | 300..=303 | 307 | 308 | 400..=411 | 413..=415 | 421 | 422 | 426 | 500..=505
    )
}

fn check_credentials(x: &Exchange<'_>, directives: &ResponseDirectives) -> Result<(), Reason> {
    let separate = match x.credentials {
        Credentials::Allowed => true,
        // Whoever asked, the field itself is a credential (RFC 9111, 3.5).
        Credentials::Absent => !x.request.contains_key(header::AUTHORIZATION),
        Credentials::ByAnswer => false,
    };
    if separate || directives.shares_credentials() { Ok(()) } else { Err(Reason::Credentials) }
}

/// The fields named by qualified directives.
fn omitted(directives: &ResponseDirectives, law: &Law) -> Vec<HeaderName> {
    let mut omit = Vec::new();
    if !law.overrides.no_cache {
        omit.extend_from_slice(directives.no_cache.fields());
    }
    if !law.overrides.private {
        omit.extend_from_slice(directives.private.fields());
    }
    omit.sort_unstable_by(|one, other| one.as_str().cmp(other.as_str()));
    omit.dedup();
    omit
}

fn check_cookies(
    x: &Exchange<'_>,
    omit: &[HeaderName],
    law: &Law,
    manner: &Manner,
) -> Result<(), Reason> {
    if manner.store_set_cookie || omit.contains(&header::SET_COOKIE) {
        return Ok(());
    }
    let mut lines = x.response.get_all(header::SET_COOKIE).into_iter();
    let kept = lines.any(|line| law.keeps_cookie(line.as_bytes()));
    if kept { Err(Reason::SetCookie) } else { Ok(()) }
}

fn check_body(x: &Exchange<'_>, law: &Law) -> Result<(), Reason> {
    let media_type = x.response.get(header::CONTENT_TYPE).map(|value| {
        let bare = value.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
        bare.trim_ascii().to_ascii_lowercase()
    });
    let is = |listed: &str| media_type.as_deref() == Some(listed.as_bytes());
    if is("text/event-stream") || is("multipart/x-mixed-replace") {
        return Err(Reason::Streaming);
    }
    if !law.content_types.is_empty() && !law.content_types.iter().any(|listed| is(listed)) {
        return Err(Reason::ContentType);
    }
    let length = x.response.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let length = length.and_then(|length| length.trim().parse::<u64>().ok());
    match (law.max_object, length) {
        (Some(most), Some(length)) if length > most => Err(Reason::TooLarge),
        _ => Ok(()),
    }
}

fn origin_lifetime(
    x: &Exchange<'_>,
    directives: &ResponseDirectives,
    law: &Law,
    manner: &Manner,
) -> Option<Lifetime> {
    let times = x.times();
    let Some(mut named) = freshness::lifetime(x.response, directives, times) else {
        let guess = freshness::may_guess(law, manner, x.status);
        return guess.then(|| freshness::heuristic(x.response, x.status, directives, times))?;
    };
    // Two readers, and the shorter reading counts.
    if let Some(second) = semantics::second_voice(x.response, named.by, times.date) {
        named.span = named.span.min(second);
    }
    Some(named)
}

/// An answer to POST stands for a later GET only when it says so (RFC 9110, 9.3.3).
fn check_post(x: &Exchange<'_>, origin: Option<Lifetime>) -> Result<(), Reason> {
    if x.method != Method::POST {
        return Ok(());
    }
    let is_target = represents(x.target, x.response);
    let is_fresh =
        origin.is_some_and(|lifetime| lifetime.is_explicit() && lifetime.span > Span::ZERO);
    if is_target && is_fresh { Ok(()) } else { Err(Reason::Method) }
}

/// Whether the answer to a write says of itself that it is what a GET of `target` would get now:
/// its one `Content-Location` names the target (RFC 9110, 8.7 and 9.3.4).
pub fn represents(target: &str, response: &HeaderMap) -> bool {
    let mut locations = response.get_all(header::CONTENT_LOCATION).into_iter();
    let location = locations.next().filter(|_| locations.next().is_none());
    location.is_some_and(|at| reference::names_target(target, at.as_bytes()))
}

/// An exchange that nothing forbids to keep.
struct Lived {
    directives: ResponseDirectives,
    origin: Option<Lifetime>,
    vary: Vec<HeaderName>,
    omit: Vec<HeaderName>,
}

impl Lived {
    fn keep(self, x: &Exchange<'_>, law: &Law, manner: &Manner) -> Result<Keep, Reason> {
        let times = x.times();
        let age = freshness::initial_age(x.response, times, manner);
        let always = self.directives.no_cache == Extent::Whole && !law.overrides.no_cache;
        let end = freshness::end_of_life(self.origin, law, x.status, age, x.answered_at);
        let end = end.filter(|_| !always);
        let never_stale =
            always || (self.directives.forbids_stale() && !law.overrides.must_revalidate);
        let validator = validate::has_validator(x.response);
        if end.is_none() && !always {
            return Err(unnamed_lifetime(x.status));
        }
        let none = End { at: x.answered_at, by: TtlBy::None };
        let End { at: fresh_until, by } = end.unwrap_or(none);
        let by_rule = by == TtlBy::Rule;
        let window = |own: Option<Span>, rule: Option<Span>| {
            if never_stale {
                fresh_until
            } else {
                fresh_until.plus(own.or(rule).unwrap_or(Span::ZERO))
            }
        };
        let stamp = Stamp {
            stored_at: x.answered_at,
            age_at_store: age,
            date: times.date,
            fresh_until,
            revalidate_until: window(
                self.directives.stale_while_revalidate,
                law.stale_while_revalidate,
            ),
            error_until: window(self.directives.stale_if_error, law.stale_if_error),
            born: x.born,
            flags: StampFlags::default()
                .with(StampFlags::ALWAYS_VALIDATE, always)
                .with(StampFlags::NEVER_STALE, never_stale)
                .with(StampFlags::HAS_VALIDATOR, validator)
                .with(StampFlags::HEURISTIC, by == TtlBy::Heuristic)
                .with(StampFlags::BY_RULE, by_rule)
                .with(StampFlags::STALE_ON_REQUEST, manner.obey_client && !never_stale),
        };
        let ever_used = stamp.revalidate_until.max(stamp.error_until) > x.answered_at;
        if !validator && !ever_used {
            let asks = always || (by_rule && fresh_until <= x.answered_at);
            return Err(if asks { Reason::NoCache } else { Reason::NoLifetime });
        }
        let ttl = fresh_until.since(x.answered_at);
        Ok(Keep { stamp, omit: self.omit, vary: self.vary, ttl, ttl_by: by })
    }
}

/// Why an answer without any lifetime is not kept.
fn unnamed_lifetime(status: StatusCode) -> Reason {
    if freshness::is_heuristically_cacheable(status) { Reason::NoLifetime } else { Reason::Status }
}

impl Exchange<'_> {
    fn times(&self) -> Times {
        Times::of(self.response, self.asked_at, self.answered_at)
    }
}
