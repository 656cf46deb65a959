//! What one request carries from its head to its answer, and what is said about it in the end.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, StatusCode, header};
use hyper::ext::ReasonPhrase;
use tokio::time::Instant;

use crate::base::clock::Timestamp;
use crate::base::ids::OriginId;
use crate::base::reason::Reason;
use crate::engine::book::Book;
use crate::engine::fate::Fate;
use crate::engine::marks::Marks;
use crate::engine::reply::Reply;
use crate::entry::Key;
use crate::policy::Fwd;
use crate::rules::{Asked, Route};

pub use crate::base::outcome::{Level, Outcome};

/// `Shop.example:80` and `shop.example` are one authority (RFC 9110, 4.2.3).
pub(super) fn canonical(authority: &str, scheme: &str) -> Box<str> {
    let port = if scheme == "https" { ":443" } else { ":80" };
    let mut one = Box::<str>::from(authority.strip_suffix(port).unwrap_or(authority));
    one.make_ascii_lowercase();
    one
}

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    /// The client's address, or that of the proxy before us.
    pub peer: SocketAddr,
    /// The address the connection arrived at.
    pub local: SocketAddr,
    /// The connection is under TLS.
    pub secure: bool,
}

/// One request on its way.
#[derive(Debug)]
pub struct Transit {
    /// When it began, on the timer's clock.
    pub began: Instant,
    /// When it began, on the wall clock.
    pub at: Timestamp,
    /// A number that no other request of this process has.
    pub id: u64,
    /// Who asks.
    pub caller: Caller,
    /// The request without its body.
    pub parts: Parts,
    /// Which kinds of fields it has.
    pub marks: Marks,
    /// Whether the peer is trusted to say for whom it asks.
    pub trusted: bool,
    /// The scheme the client used: what a trusted peer tells, else that of its connection.
    pub scheme: &'static str,
    /// The authority asked for, in lower case and without its scheme's default port, as keys have
    /// it.
    pub authority: Box<str>,
    /// The rules this request is served by, from beginning to end.
    pub book: Arc<Book>,
}

impl Transit {
    /// Path and query as they were sent.
    pub fn target(&self) -> &str {
        self.parts.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str)
    }

    /// The absolute URI: what identifies the target without a rule.
    pub fn absolute(&self) -> String {
        [self.scheme, "://", &*self.authority, self.target()].concat()
    }

    /// As the rules look at it.
    pub fn asked(&self) -> Asked<'_> {
        Asked {
            method: &self.parts.method,
            scheme: self.scheme,
            authority: &self.authority,
            target: self.target(),
            fields: &self.parts.headers,
            trusted: self.trusted,
        }
    }

    /// What tasks need of the request that outlive it.
    pub fn gist(&self) -> Gist {
        Gist {
            method: self.parts.method.clone(),
            scheme: self.scheme,
            authority: self.authority.clone(),
            target: self.target().to_owned(),
            fields: self.parts.headers.clone(),
            trusted: self.trusted,
            book: Arc::clone(&self.book),
        }
    }

    /// A GET of the same target by the same client.
    #[must_use]
    pub fn as_get(&self) -> Self {
        let mut parts = self.parts.clone();
        parts.method = http::Method::GET;
        for name in [header::CONTENT_LENGTH, header::CONTENT_TYPE, header::TRANSFER_ENCODING] {
            parts.headers.remove(name);
        }
        Self { parts, authority: self.authority.clone(), book: Arc::clone(&self.book), ..*self }
    }

    /// The moment from which on what it gets must be current.
    pub const fn looks_at(&self) -> Instant {
        self.began
    }

    /// Microseconds since it began.
    pub fn micros(&self) -> u64 {
        self.began.elapsed().as_micros() as u64
    }
}

/// A request without its client: what a fetch or a write knows of the one that caused it.
#[derive(Clone, Debug)]
pub struct Gist {
    /// The method.
    pub method: http::Method,
    /// The scheme.
    pub scheme: &'static str,
    /// The authority.
    pub authority: Box<str>,
    /// Path and query.
    pub target: String,
    /// The fields, as the client sent them.
    pub fields: HeaderMap,
    /// Whether the peer was trusted to say for whom it asked.
    pub trusted: bool,
    /// The rules it is served by.
    pub book: Arc<Book>,
}

impl Gist {
    /// As the rules look at it.
    pub fn asked(&self) -> Asked<'_> {
        Asked {
            method: &self.method,
            scheme: self.scheme,
            authority: &self.authority,
            target: &self.target,
            fields: &self.fields,
            trusted: self.trusted,
        }
    }

    /// The absolute URI.
    pub fn absolute(&self) -> String {
        format!("{}://{}{}", self.scheme, self.authority, self.target)
    }
}

/// What is said about a request, in its answer and in the logs.
#[derive(Clone, Debug, Default)]
pub struct Account {
    /// In one word.
    pub outcome: Outcome,
    /// Why it went forward, if it did (RFC 9211, 2.2).
    pub fwd: Option<Fwd>,
    /// The origin's status, where the client gets another.
    pub fwd_status: Option<StatusCode>,
    /// Whether the answer is being kept.
    pub stored: bool,
    /// Whether the store takes it in the end, where that is not known with its head.
    pub fate: Option<Fate>,
    /// Whether another request's fetch was shared.
    pub collapsed: bool,
    /// Seconds of freshness left.
    pub ttl: Option<i64>,
    /// Seconds of age, on everything that comes from the store.
    pub age: Option<u64>,
    /// The key.
    pub key: Option<Key>,
    /// Why it was not served from the cache, or not put into it.
    pub reason: Option<Reason>,
    /// More words.
    pub note: Cow<'static, str>,
    /// Microseconds until the origin's head.
    pub origin_micros: Option<u64>,
    /// How long a fetch was waited for, one's own or another's.
    pub waited: Option<Waited>,
    /// The origin that the request belongs to, whether it was asked or not.
    pub origin: Option<OriginId>,
    /// The tenant whose request it is, where it is one's.
    pub tenant: Option<Arc<str>>,
    /// The rule that matched.
    pub route: Option<Arc<Route>>,
    /// The origin's reason phrase, where it is not the usual one.
    pub phrase: Option<ReasonPhrase>,
    /// Where a stored answer came from, or goes to.
    pub level: Level,
}

/// A wait for the head of a fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waited {
    /// How long, in microseconds.
    pub micros: u64,
    /// Another node made the fetch.
    pub elsewhere: bool,
}

impl Account {
    /// The same with what has become of the answer, if that is known by now.
    #[must_use]
    pub fn with_fate_known(self) -> Self {
        match self.fate.clone().filter(Fate::is_decided) {
            None => self,
            Some(fate) => Self { fate: None, ..self }.refused(fate.refusal()),
        }
    }

    /// The same, of an answer that the store did not take, if there is a reason why not.
    #[must_use]
    pub fn refused(self, refusal: Option<Reason>) -> Self {
        match refusal {
            None => self,
            Some(_) => Self { stored: false, reason: refusal, ..self },
        }
    }
}

/// An answer before the last fields are put on it.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its fields.
    pub fields: HeaderMap,
    /// Its body.
    pub reply: Reply,
    /// What is said about it.
    pub account: Account,
}
