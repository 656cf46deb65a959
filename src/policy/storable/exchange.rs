//! One request and its answer as `storable` sees them: borrowed, whole, and with the times of both.
//! Whoever fills it in has decided what counts as a credential; nothing here looks that up.

use http::{HeaderMap, Method, StatusCode};

use crate::base::clock::Timestamp;
use crate::base::ids::Tick;
use crate::policy::directives::RequestDirectives;

/// How the request's credentials stand to what may be shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// It carried none.
    Absent,
    /// The key separates them, or a rule says that all callers get the same.
    Allowed,
    /// RFC 9111, 3.5 decides by the answer.
    ByAnswer,
}

/// One request and its whole answer.
#[derive(Clone, Copy, Debug)]
pub struct Exchange<'a> {
    /// The method as the cache sees it: for a read that a rule keys by its body, `GET`.
    pub method: &'a Method,
    /// The absolute URI of the request, which `Content-Location` is compared with.
    pub target: &'a str,
    /// The request's fields as they were sent to the origin.
    pub request: &'a HeaderMap,
    /// What they say about who asks.
    pub credentials: Credentials,
    /// The answer's status.
    pub status: StatusCode,
    /// The answer's fields as they came, or as a renewal merged them.
    pub response: &'a HeaderMap,
    /// When the request was sent.
    pub asked_at: Timestamp,
    /// When the answer's head came.
    pub answered_at: Timestamp,
    /// The purge counter when the fetch began.
    pub born: Tick,
    /// The wishes of the client that caused it.
    pub directives: RequestDirectives,
}
