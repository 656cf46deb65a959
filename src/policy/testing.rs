//! Words for the tests of this floor: fields and exchanges in one line each.

use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};

use super::directives::RequestDirectives;
use super::law::Law;
use super::manner::{Manner, Profile};
use super::storable::{Credentials, Exchange, Keep, storable, stored_fields};
use crate::base::clock::Timestamp;
use crate::base::ids::Tick;
use crate::base::reason::Reason;
use crate::base::units::Span;

/// 2026-11-20 12:00:00, when every test begins.
pub(crate) const NOW: Timestamp = Timestamp::from_secs(1_795_176_000);

/// `NOW` and so many seconds.
pub(crate) fn at(secs: i64) -> Timestamp {
    let span = Span::from_secs(secs.unsigned_abs());
    if secs < 0 { NOW.minus(span) } else { NOW.plus(span) }
}

/// The HTTP date so many seconds from `NOW`.
pub(crate) fn date(secs: i64) -> String {
    super::date::write(at(secs)).to_str().unwrap().to_owned()
}

/// Field lines in order.
pub(crate) fn map(lines: &[(&str, &str)]) -> HeaderMap {
    let mut fields = HeaderMap::new();
    for (name, value) in lines {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        fields.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    fields
}

/// All values of a field, in order.
pub(crate) fn lines(fields: &HeaderMap, name: &str) -> Vec<String> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    fields.get_all(name).iter().map(text).collect()
}

/// An exchange that tests change in the points they are about. Answered at `NOW`, at once.
#[derive(Clone)]
pub(crate) struct Scene {
    pub(crate) method: Method,
    pub(crate) request: HeaderMap,
    pub(crate) credentials: Credentials,
    pub(crate) status: u16,
    pub(crate) response: HeaderMap,
    pub(crate) delay: Span,
    pub(crate) wishes: RequestDirectives,
    pub(crate) law: Law,
    pub(crate) manner: Manner,
}

impl Scene {
    pub(crate) const TARGET: &str = "http://shop.example/goods?page=1";

    /// A GET answered 200 with these lines, under the RFC profile and without a rule.
    pub(crate) fn with(response: &[(&str, &str)]) -> Self {
        Self {
            method: Method::GET,
            request: HeaderMap::new(),
            credentials: Credentials::Absent,
            status: 200,
            response: map(response),
            delay: Span::ZERO,
            wishes: RequestDirectives::default(),
            law: Law::default(),
            manner: Manner::of(Profile::Rfc),
        }
    }

    /// As [`Scene::with`], with one `Cache-Control` line.
    pub(crate) fn cached(cache_control: &str) -> Self {
        Self::with(&[("cache-control", cache_control)])
    }

    pub(crate) fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    pub(crate) fn request(mut self, lines: &[(&str, &str)]) -> Self {
        self.request = map(lines);
        self
    }

    pub(crate) fn safe(mut self) -> Self {
        self.manner = Manner::of(Profile::Safe);
        self
    }

    pub(crate) fn law(mut self, law: Law) -> Self {
        self.law = Law { ruled: true, ..law };
        self
    }

    pub(crate) fn exchange(&self) -> Exchange<'_> {
        Exchange {
            method: &self.method,
            target: Self::TARGET,
            request: &self.request,
            credentials: self.credentials,
            status: StatusCode::from_u16(self.status).unwrap(),
            response: &self.response,
            asked_at: NOW.minus(self.delay),
            answered_at: NOW,
            born: Tick(7),
            directives: self.wishes,
        }
    }

    pub(crate) fn storable(&self) -> Result<Keep, Reason> {
        storable(&self.exchange(), &self.law, &self.manner)
    }

    pub(crate) fn keep(&self) -> Keep {
        self.storable().unwrap()
    }

    /// Seconds of lifetime at receipt; nothing when it is not stored.
    pub(crate) fn ttl(&self) -> Option<u64> {
        self.storable().ok().map(|keep| keep.ttl.as_secs())
    }

    pub(crate) fn refusal(&self) -> Option<Reason> {
        self.storable().err()
    }

    pub(crate) fn stored(&self) -> HeaderMap {
        stored_fields(&self.exchange(), &self.keep(), &self.law, &self.manner)
    }
}
