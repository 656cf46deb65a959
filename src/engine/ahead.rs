//! What is fetched before anybody asks for it: requests of our own, each one like any other, with a
//! birth of its own. Clients join it, the next purge overtakes it, the shared level is looked into
//! first. It carries no client's credentials; what needs some that no rule gives is left alone.

mod standing;
pub mod sync;

use std::net::SocketAddr;
use std::sync::Arc;

use http::{HeaderMap, Method, StatusCode, Uri};

use crate::base::fault::Fault;
use crate::base::reason::Reason;
use crate::engine::admit::{self, Admission, Plan};
use crate::engine::errand::Errand;
use crate::engine::explain::LOOPBACK;
use crate::engine::fetch;
use crate::engine::flight::{Flight, FlightKey, Landing, Seat};
use crate::engine::lookup::{self, Look};
use crate::engine::refresh::{Writer, asking};
use crate::engine::transit::{Caller, Gist, Transit, canonical};
use crate::engine::{Engine, Worker};
use crate::entry::{Entry, Key};
use crate::policy::{Selecting, Why};

pub use standing::{Page, Walk, hottest};

/// How often another's fetch is waited for, which may bring another variant.
const ATTEMPTS: usize = 3;

/// One answer that is to be there.
#[derive(Clone, Debug)]
pub struct Target {
    /// The identity that it stands under, where that is known: another one is left alone.
    pub(super) key: Option<Key>,
    /// The absolute URI.
    pub(super) uri: String,
    /// What a request says to get this variant.
    pub(super) selecting: Selecting,
}

/// Why a text names nothing that could be fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoTarget {
    /// Not an absolute URI of HTTP.
    #[error("write the whole URL, such as https://shop.example/a?b=1")]
    Relative,
    /// A password in it would be logged.
    #[error("a URL with a user or a password is not fetched; see `job_headers` of the origin")]
    Login,
}

/// What came of a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Brought {
    /// The origin gave it, and it is stored.
    Fetched,
    /// The shared level had it.
    Found,
    /// It stood here and is fresh.
    Fresh,
    /// It may not be stored.
    NotCacheable(&'static str),
    /// It is for who shows a credential that is not at hand.
    NoCredentials,
    /// There is no answer.
    Failed(String),
}

impl Target {
    /// What a GET of this URL gets, in the key's spelling of scheme and authority.
    ///
    /// # Errors
    /// Where the text is none.
    pub fn of_url(text: &str) -> Result<Self, NoTarget> {
        let uri: Uri = text.parse().map_err(|_| NoTarget::Relative)?;
        let scheme = match uri.scheme_str() {
            Some("http") => "http",
            Some("https") => "https",
            _ => return Err(NoTarget::Relative),
        };
        let authority = uri.authority().map(http::uri::Authority::as_str).unwrap_or_default();
        if authority.contains('@') {
            return Err(NoTarget::Login);
        }
        let authority = canonical(authority, scheme);
        let path = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        let uri = [scheme, "://", &*authority, path].concat();
        Ok(Self { key: None, uri, selecting: Selecting::default() })
    }

    /// What stands under a key, as it was asked for.
    pub fn of_entry(key: &Key, entry: &Entry) -> Self {
        let uri = entry.labels.target.as_deref().unwrap_or(key.text()).to_owned();
        Self { key: Some(key.clone()), uri, selecting: entry.selecting.clone() }
    }

    /// What is kept in the shared level under a key that nothing else selects.
    pub fn of_kept(key: &Key, target: Option<&str>) -> Self {
        let uri = target.unwrap_or(key.text()).to_owned();
        Self { key: Some(key.clone()), uri, selecting: Selecting::default() }
    }

    /// The absolute URI.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// The identity that it stands under, where that is known.
    pub const fn key(&self) -> Option<&Key> {
        self.key.as_ref()
    }
}

/// Who asks where nobody does: this node, without any credentials.
pub(super) fn nobody(engine: &Engine) -> Writer {
    let gist = Gist {
        method: Method::GET,
        scheme: "http",
        authority: "".into(),
        target: "/".to_owned(),
        fields: HeaderMap::new(),
        trusted: false,
        book: engine.book.load_full(),
    };
    let here = SocketAddr::from((LOOPBACK, 0));
    let caller = Caller { peer: here, local: here, secure: false };
    Writer { caller, gist, rule: None, tenant: None }
}

/// The request and its plan; why not, where there can be none.
pub(super) fn planned(
    engine: &Engine,
    writer: &Writer,
    target: &Target,
) -> Result<(Transit, Plan), Brought> {
    let transit = asking(engine, writer, &target.uri, &target.selecting);
    let transit = transit.ok_or(Brought::NoCredentials)?;
    match admit::admit(engine, &transit, false) {
        Admission::Read(plan)
            if target.key.as_ref().is_none_or(|key| plan.key == *key) && writer.may_ask(&plan) =>
        {
            Ok((transit, plan))
        }
        // Only a request of its own caller finds it.
        Admission::Read(_)
        | Admission::Pass(_, Reason::Credentials | Reason::TenantMissing)
        | Admission::Refuse(Fault::NoTenant(_)) => Err(Brought::NoCredentials),
        Admission::Pass(_, reason) => Err(Brought::NotCacheable(reason.as_str())),
        Admission::Refuse(fault) => Err(Brought::Failed(fault.to_string())),
        _ => Err(Brought::NotCacheable(Reason::Method.as_str())),
    }
}

/// What will come of a target, where nobody need be asked for that.
pub fn known(engine: &Engine, target: &Target) -> Option<Brought> {
    match planned(engine, &nobody(engine), target) {
        Err(why) => Some(why),
        Ok((transit, plan)) => match lookup::peek(engine, &transit, &plan) {
            Look::Fresh(_) => Some(Brought::Fresh),
            _ => None,
        },
    }
}

/// Fetches one answer, if it does not stand here fresh.
pub async fn bring(worker: &Worker, target: &Target) -> Brought {
    bring_for(worker, &nobody(&worker.engine), target).await
}

/// The same, as a writer asks for what it has changed.
pub(super) async fn bring_for(worker: &Worker, writer: &Writer, target: &Target) -> Brought {
    let engine = &worker.engine;
    let (transit, plan) = match planned(engine, writer, target) {
        Ok(planned) => planned,
        Err(why) => return why,
    };
    let mut waited = false;
    for _ in 0..ATTEMPTS {
        // Before the look: what comes in between is seen by one of them.
        let birth = engine.fences.begin();
        let (selecting, stale) = match lookup::look(engine, &transit, &plan) {
            Look::Fresh(_) => return if waited { Brought::Fetched } else { Brought::Fresh },
            // What a soft order made stale is not new.
            Look::Behind(entry) if waited && !entry.is_soft() => return Brought::Fetched,
            Look::Behind(entry) => (Some(entry.selecting.clone()), Some((entry, false))),
            Look::Stale(entry, why) => {
                (Some(entry.selecting.clone()), Some((entry, why == Why::Gap)))
            }
            Look::OtherVariant(selecting) => (Some(selecting), None),
            Look::Absent => (None, None),
        };
        let listed = FlightKey { key: plan.key.clone(), selecting };
        let flight = Flight::new(listed, plan.labels(&transit), birth);
        match led(worker, &transit, &plan, flight, stale).await {
            Some(brought) => return brought,
            None => waited = true,
        }
    }
    Brought::Failed("others fetched it, each time another variant".to_owned())
}

/// Leads the flight, or waits for the one that runs. `None`: look again.
async fn led(
    worker: &Worker,
    transit: &Transit,
    plan: &Plan,
    flight: Arc<Flight>,
    stale: Option<(Arc<Entry>, bool)>,
) -> Option<Brought> {
    let (flight, leads) = match worker.engine.flights.seat(flight) {
        Seat::Leader(flight) => {
            let (stale, gap) = stale.map_or((None, false), |(entry, gap)| (Some(entry), gap));
            let mut errand = Errand::new(worker, transit, plan, stale, false);
            errand.gap = gap;
            fetch::lead(worker, Arc::clone(&flight), errand);
            (flight, true)
        }
        Seat::Follower(flight) => (flight, false),
    };
    let found = match flight.landing().await {
        Landing::Shared(_) => {
            flight.stream.settled().await;
            false
        }
        Landing::Found { .. } => true,
        Landing::Renewed(_) | Landing::Stored => false,
        Landing::Alone(alone) => return Some(refused(alone.status, alone.reason)),
        Landing::Failed(why) => return Some(Brought::Failed(why.to_string())),
        Landing::Abandoned => {
            return Some(Brought::Failed("the fetch ended without an answer".to_owned()));
        }
    };
    if !leads {
        return None;
    }
    Some(match flight.fate.refusal() {
        Some(Reason::Incomplete) => Brought::Failed(Reason::Incomplete.text().to_owned()),
        Some(reason) => Brought::NotCacheable(reason.as_str()),
        None if found => Brought::Found,
        None => Brought::Fetched,
    })
}

/// What an answer means that is not stored.
fn refused(status: StatusCode, reason: Reason) -> Brought {
    if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
        return Brought::NoCredentials;
    }
    if status.is_server_error() {
        return Brought::Failed(format!("the origin answered {}", status.as_u16()));
    }
    Brought::NotCacheable(reason.as_str())
}

#[cfg(test)]
mod tests;
