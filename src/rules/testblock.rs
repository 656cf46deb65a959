//! `[[test]]` blocks: a request, and what the rules must make of it. They run on the rulebook
//! alone, with an empty cache and no origin, so they are as pure as the rules: every reload
//! runs them, and a rulebook whose tests fail is not taken. In a test `{identity}` is the word
//! `caller` where the request has credentials; the real digest is keyed anew by every
//! installation.

mod read;

use http::{HeaderMap, Method, StatusCode};

use super::carried::header_tags;
use super::diagnostic::{Code, Diagnostic, Place, Severity, Spot};
use super::extract::{Asked, Captures, RequestBody};
use super::json::Json;
use super::rulebook::{OnWrite, Role, Route, Rulebook, Share};
use super::tenant::Tenant;
use super::words::OutcomeWord;
use crate::base::clock::Timestamp;
use crate::base::ids::Tick;
use crate::base::reason::Reason;
use crate::entry::order::Selector;
use crate::policy::law::{Law, Ttl};
use crate::policy::{Credentials, Exchange, RequestDirectives, date, storable};

/// When tests happen, unless their answer has a `Date`: they know no other time.
const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

/// What `{identity}` is in tests.
const CALLER: &str = "caller";

/// One test, ready to run.
#[derive(Clone, Debug)]
pub struct TestCase {
    /// The request line as written.
    pub request: String,
    /// Where the test stands.
    pub place: Option<Place>,
    pub(super) spot: Spot,
    method: Method,
    scheme: &'static str,
    authority: String,
    target: String,
    fields: HeaderMap,
    body: Option<RequestBody>,
    response: Option<Response>,
    expected: Expected,
}

/// What the origin answers in a test.
#[derive(Clone, Debug, Default)]
struct Response {
    status: StatusCode,
    fields: HeaderMap,
    json: Option<Json>,
}

/// What a test says; `None`: nothing about it.
#[derive(Clone, Debug, Default)]
struct Expected {
    /// `none` is no route: no route can be called so.
    route: Option<String>,
    key: Option<String>,
    tenant: Option<String>,
    tags: Option<Vec<String>>,
    share: Option<Share>,
    ttl: Option<Ttl>,
    outcome: Option<OutcomeWord>,
    reason: Option<Reason>,
    purges: Option<Vec<Selector>>,
}

/// What came of one test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestResult {
    /// The request line as written.
    pub request: String,
    /// Where the test stands.
    pub place: Option<Place>,
    /// What is not as expected; empty: it passed.
    pub differences: Vec<Difference>,
}

impl TestResult {
    /// Whether everything is as expected.
    pub fn passed(&self) -> bool {
        self.differences.is_empty()
    }

    /// The failure as a finding; `None` when it passed.
    pub fn failure(&self) -> Option<Diagnostic> {
        (!self.passed()).then(|| Diagnostic {
            severity: Severity::Error,
            code: Code::TestFailed,
            message: format!("`{}` is not what its test expects", self.request),
            place: self.place.clone(),
            label: String::new(),
            related: Vec::new(),
            help: None,
            notes: self.differences.iter().map(Difference::to_string).collect(),
        })
    }
}

/// One thing that is not as expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The field of the test.
    pub field: &'static str,
    /// What it says.
    pub expected: String,
    /// What the rules make of it.
    pub found: String,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: expected {}, found {}", self.field, self.expected, self.found)
    }
}

impl std::fmt::Display for TestResult {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let word = if self.passed() { "ok" } else { "FAILED" };
        write!(f, "{word:6} {}", self.request)?;
        self.differences.iter().try_for_each(|difference| write!(f, "\n       {difference}"))
    }
}

/// What the rules make of a request.
struct Made<'b> {
    route: Option<&'b Route>,
    captures: Captures,
    key: Result<String, (Reason, String)>,
    has_identity: bool,
}

/// Runs all tests of a rulebook.
pub fn run(book: &Rulebook) -> Vec<TestResult> {
    book.tests.iter().map(|test| test.run(book)).collect()
}

impl TestCase {
    /// The request as rules see it.
    pub(super) fn asked(&self) -> Asked<'_> {
        Asked {
            method: &self.method,
            scheme: self.scheme,
            authority: &self.authority,
            target: &self.target,
            fields: &self.fields,
            // As it comes from a peer in `trust.peers`.
            trusted: true,
        }
    }

    /// Whether the test says that the request is not served from the cache.
    pub(super) fn expects_refusal(&self) -> bool {
        self.expected.reason.is_some() || self.expected.outcome == Some(OutcomeWord::Bypass)
    }

    /// Runs one test.
    pub fn run(&self, book: &Rulebook) -> TestResult {
        let made = self.make(book);
        let mut differences = Vec::new();
        let mut expect = |field, expected: Option<String>, found: &dyn Fn() -> String| {
            let Some(expected) = expected else { return };
            let found = found();
            if expected != found {
                differences.push(Difference { field, expected, found });
            }
        };
        let wanted = &self.expected;
        expect("route", wanted.route.clone(), &|| {
            made.route.map_or_else(|| "none".to_owned(), |route| route.name.to_string())
        });
        expect("key", wanted.key.clone(), &|| match &made.key {
            Ok(key) => key.clone(),
            Err((reason, detail)) => format!("no key: {reason} {detail}").trim_end().to_owned(),
        });
        expect("tenant", wanted.tenant.clone(), &|| match &made.captures.tenant {
            Tenant::Shared => "none".to_owned(),
            Tenant::Of(name) => name.to_string(),
            Tenant::Unknown(unknown) => format!("no tenant: {}", unknown.why),
        });
        let share = made.route.map_or(Share::Auto, |route| route.share);
        expect("share", wanted.share.map(|word| word.as_str().into()), &|| share.as_str().into());
        expect("ttl", wanted.ttl.map(ttl_text), &|| ttl_text(self.ttl(&made)));
        expect("tags", wanted.tags.clone().map(listed), &|| listed(self.tags(&made)));
        let purges = wanted.purges.as_deref().map(|list| listed(texts(list)));
        expect("purges", purges, &|| listed(self.purges(&made)));
        let refused = self.refused(book, &made);
        let outcome = if refused.is_some() { OutcomeWord::Bypass } else { OutcomeWord::Miss };
        let word = |word: OutcomeWord| word.as_str().to_owned();
        expect("outcome", wanted.outcome.map(word), &|| word(outcome));
        expect("reason", wanted.reason.map(|reason| reason.to_string()), &|| {
            let reason = refused.or_else(|| self.not_stored(book, &made));
            reason.map_or_else(|| "none".to_owned(), |reason| reason.to_string())
        });
        TestResult { request: self.request.clone(), place: self.place.clone(), differences }
    }

    fn make<'b>(&self, book: &'b Rulebook) -> Made<'b> {
        let asked = self.asked();
        let whole = || format!("{}://{}{}", self.scheme, self.authority, self.target);
        let Some((route, captures)) = book.route(&asked) else {
            let captures = book.unrouted(&asked);
            return Made { route: None, captures, key: Ok(whole()), has_identity: false };
        };
        let plan =
            route.read_plan(&asked, &captures, self.body.as_ref(), self.identity(book).into());
        let has_identity = plan.as_ref().is_ok_and(|plan| plan.has_identity);
        let key = plan.map(|plan| plan.key.unwrap_or_else(whole));
        Made { route: Some(route), captures, key, has_identity }
    }

    fn identity(&self, book: &Rulebook) -> Option<&'static str> {
        book.credentials.seen(&self.fields).then_some(CALLER)
    }

    /// Why the request is not looked up, as far as the rules know it.
    fn refused(&self, book: &Rulebook, made: &Made<'_>) -> Option<Reason> {
        let asked = self.asked();
        if book.origin_for(made.route, &asked).is_none() {
            return Some(Reason::NoOrigin);
        }
        let nobody = match &made.captures.tenant {
            Tenant::Unknown(unknown) => Some(unknown),
            _ => None,
        };
        let of_nobody = nobody.map(|_| Reason::TenantMissing);
        let Some(route) = made.route else {
            let read = matches!(self.method, Method::GET | Method::HEAD);
            return if read { of_nobody } else { Some(Reason::Method) };
        };
        match route.role(&self.method) {
            Role::Write if nobody.is_some_and(|one| one.refused) => return of_nobody,
            Role::Write | Role::Pass => return Some(Reason::Method),
            // The body of a GET could shape the answer, and no key holds it.
            Role::Read if self.body.is_some() => return Some(Reason::UnkeyedInput),
            Role::Read | Role::BodyRead if nobody.is_some() => return of_nobody,
            Role::Read | Role::BodyRead => {}
        }
        if let Err((reason, _)) = &made.key {
            return Some(*reason);
        }
        if !book.credentials.seen(&self.fields) {
            return None;
        }
        let apart = made.has_identity || !(route.has_key() || route.law.ruled);
        match route.share {
            Share::Never => Some(Reason::Credentials),
            Share::Auto if !apart => Some(Reason::Credentials),
            Share::Auto | Share::Identity | Share::Public => None,
        }
    }

    /// Why HTTP and the rules would not store the answer of the test, if it gives one.
    fn not_stored(&self, book: &Rulebook, made: &Made<'_>) -> Option<Reason> {
        let answer = self.response.as_ref()?;
        let plain = Law::default();
        let law = made.route.map_or(&plain, |route| &route.law);
        let by_body = made.route.is_some_and(|r| r.role(&self.method) == Role::BodyRead);
        let date = answer.fields.get(http::header::DATE).map(http::HeaderValue::as_bytes);
        let now = date.and_then(|date| date::parse(date, NOW)).unwrap_or(NOW);
        let exchange = Exchange {
            method: if by_body { &Method::GET } else { &self.method },
            target: &format!("{}://{}{}", self.scheme, self.authority, self.target),
            request: &self.fields,
            credentials: self.sharing(book, made),
            status: answer.status,
            response: &answer.fields,
            asked_at: now,
            answered_at: now,
            born: Tick::default(),
            directives: RequestDirectives::of(&self.fields, book.manner.obey_client),
        };
        storable(&exchange, law, &book.manner).err()
    }

    /// How the credentials of a request that is looked up stand to sharing.
    fn sharing(&self, book: &Rulebook, made: &Made<'_>) -> Credentials {
        if !book.credentials.seen(&self.fields) {
            return Credentials::Absent;
        }
        match made.route.map(|route| route.share) {
            Some(Share::Public | Share::Identity) => Credentials::Allowed,
            _ if made.has_identity => Credentials::Allowed,
            _ => Credentials::ByAnswer,
        }
    }

    /// The lifetime that the rules give to the answer of the test, or to a usual one.
    fn ttl(&self, made: &Made<'_>) -> Ttl {
        let Some(route) = made.route else { return Ttl::Origin };
        let law: &Law = &route.law;
        let status = self.response.as_ref().map(|response| response.status.as_u16());
        let Some(status) = status else { return law.ttl };
        match law.status_ttl.iter().find(|(code, _)| *code == status) {
            Some((_, span)) => Ttl::For(*span),
            None if law.statuses.contains(&status) => law.ttl,
            None => Ttl::Origin,
        }
    }

    fn tags(&self, made: &Made<'_>) -> Vec<String> {
        let answer = self.response.as_ref();
        let json = answer.and_then(|response| response.json.as_ref());
        let asked = self.asked();
        let mut all = made.route.map_or_else(Vec::new, |route| {
            route
                .tags(&asked, &made.captures, self.body.as_ref(), self.caller(route).into(), json)
                .tags
        });
        let sent = answer.and_then(|response| header_tags(&response.fields));
        for tag in sent.unwrap_or_default() {
            if !all.contains(&tag) {
                all.push(tag);
            }
        }
        all
    }

    fn caller(&self, route: &Route) -> Option<&'static str> {
        route.credentials.seen(&self.fields).then_some(CALLER)
    }

    /// What a write purges; nothing when the test's answer means that it failed.
    fn purges(&self, made: &Made<'_>) -> Vec<String> {
        let Some(route) = made.route else { return Vec::new() };
        let answer = self.response.as_ref();
        let done = |on_write: &OnWrite| answer.is_none_or(|a| on_write.is_success(a.status));
        if route.role(&self.method) != Role::Write || !done(&route.on_write) {
            return Vec::new();
        }
        let json = answer.and_then(|response| response.json.as_ref());
        let (asked, caller) = (self.asked(), self.caller(route).into());
        let planned =
            route.write_selectors(&asked, &made.captures, self.body.as_ref(), caller, json);
        planned.iter().map(|one| one.selector.to_string()).collect()
    }
}

fn texts(selectors: &[Selector]) -> Vec<String> {
    selectors.iter().map(Selector::to_string).collect()
}

/// Sets are compared as sorted lists.
fn listed(mut all: Vec<String>) -> String {
    all.sort_unstable();
    all.dedup();
    format!("[{}]", all.join(", "))
}

fn ttl_text(ttl: Ttl) -> String {
    match ttl {
        Ttl::Origin => "origin".to_owned(),
        Ttl::Forever => "forever".to_owned(),
        Ttl::For(span) => span.to_string(),
    }
}

#[cfg(test)]
mod tests;
