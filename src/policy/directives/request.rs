//! What a client wishes. Read on every hit: it allocates nothing, and where neither field is there
//! it looks at nothing else.

use http::header::{self, HeaderMap};

use super::{Argument, delta_seconds};
use crate::base::fields;
use crate::base::units::Span;

/// The wishes of one request (RFC 9111, 5.2.1). A wish that cannot be read is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestDirectives {
    /// Ask the origin before using anything stored; also `Pragma: no-cache` (RFC 9111, 5.4).
    pub no_cache: bool,
    /// Store nothing of this exchange.
    pub no_store: bool,
    /// Do not ask the origin.
    pub only_if_cached: bool,
    /// Nothing older than this.
    pub max_age: Option<Span>,
    /// Nothing that is not fresh for at least this long.
    pub min_fresh: Option<Span>,
    /// Something stale for at most this long will do; [`Span::FOREVER`] when without a value.
    pub max_stale: Option<Span>,
}

impl RequestDirectives {
    /// Reads `Cache-Control`, and `Pragma` only where that is missing. Without `obey` only
    /// `only-if-cached` counts, which costs the origin nothing.
    pub fn of(fields: &HeaderMap, obey: bool) -> Self {
        let mut wishes = Self::default();
        if fields.contains_key(header::CACHE_CONTROL) {
            for member in fields::members(fields, &header::CACHE_CONTROL) {
                wishes.add(member);
            }
        } else if obey && fields.contains_key(header::PRAGMA) {
            wishes.no_cache = fields::members(fields, &header::PRAGMA)
                .any(|member| member.eq_ignore_ascii_case(b"no-cache"));
        }
        if obey {
            wishes
        } else {
            Self { only_if_cached: wishes.only_if_cached, ..Self::default() }
        }
    }

    fn add(&mut self, member: &[u8]) {
        let (name, argument) = Argument::of(member);
        let is = |directive: &str| name.eq_ignore_ascii_case(directive.as_bytes());
        let span = || match argument {
            Argument::Text(value) => delta_seconds(value),
            _ => None,
        };
        if is("no-cache") {
            self.no_cache = true;
        } else if is("no-store") {
            self.no_store = true;
        } else if is("only-if-cached") {
            self.only_if_cached = true;
        } else if is("max-age") {
            self.max_age = self.max_age.or_else(span);
        } else if is("min-fresh") {
            self.min_fresh = self.min_fresh.or_else(span);
        } else if is("max-stale") {
            let any = (argument == Argument::None).then_some(Span::FOREVER);
            self.max_stale = self.max_stale.or(any).or_else(span);
        }
    }
}
