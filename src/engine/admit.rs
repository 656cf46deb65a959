//! What a request is: something to look up, to write, to purge, to pass, or to refuse. Every way
//! past the cache has a reason, and nothing here awaits.

mod identity;

use std::sync::Arc;

use http::{HeaderName, Method, header};
use smallvec::SmallVec;

use crate::base::fault::Fault;
use crate::base::fields::secret_parameters;
use crate::base::forwarded;
use crate::base::ids::KindId;
use crate::base::limits::KEY_BYTES_MAX;
use crate::base::names;
use crate::base::reason::Reason;
use crate::engine::Engine;
use crate::engine::book::Upstream;
use crate::engine::marks::{Marks, overrides};
use crate::engine::outbound;
use crate::engine::transit::{Account, Outcome, Transit};
use crate::entry::{Key, Labels, resource, tenant};
use crate::policy::{Credentials, Fwd, Law, RequestDirectives};
use crate::rules::{Captures, Keeping, Mode, RequestBody, Role, Route, Share, Tenant, Veil};

pub(super) use identity::digest as identity;

/// What a request is.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "most are reads, and a hit should not allocate")]
pub enum Admission {
    /// A read that the cache may answer.
    Read(Plan),
    /// A read whose key needs the request's body first.
    BodyRead(Routed),
    /// A method that changes something.
    Write(Routed),
    /// An operator's PURGE.
    Purge,
    /// Goes to the origin, past the cache.
    Pass(Routed, Reason),
    /// Is answered with an error of ours.
    Refuse(Fault),
}

/// A request with its route and its origin.
#[derive(Clone, Debug)]
pub struct Routed {
    /// The rule that matched.
    pub route: Option<Arc<Route>>,
    /// What its path gave.
    pub captures: Captures,
    /// Where it goes.
    pub origin: Arc<Upstream>,
    /// More words on why it passes.
    pub note: String,
}

/// Why an answer stays on its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Withheld {
    /// What identifies it holds a digest of credentials that no other node can make.
    Digest,
    /// Its URL, which is a label of every frame, has a parameter that usually holds a secret.
    Parameter,
}

/// A read with everything that identifies its answer.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where it goes when the cache has no answer.
    pub routed: Routed,
    /// The entry's identity.
    pub key: Key,
    /// The type it is kept under.
    pub kind: KindId,
    /// How credentials stand to sharing.
    pub credentials: Credentials,
    /// What the client asks of a cache, as far as it counts.
    pub wishes: RequestDirectives,
    /// The target to send instead, where the rule strips parameters.
    pub send_target: Option<String>,
    /// The digest of the request's credentials, where the rule needs one.
    pub identity: Option<String>,
    /// The request body, for reads that have one.
    pub body: bytes::Bytes,
    /// How and where its answer is kept.
    pub keeping: Keeping,
    /// Why it is not shared with other nodes, whatever the rule says.
    pub withheld: Option<Withheld>,
    /// What decides where in a cluster it stands, if its key does not.
    pub shard: Option<String>,
}

impl Plan {
    /// What the rule says over the origin's head.
    pub fn law<'a>(&'a self, engine: &'a Engine) -> &'a Law {
        self.routed.route.as_ref().map_or(&engine.options.plain_law, |route| &route.law)
    }

    /// What the request alone tells of the entry that its answer would be; tags come with the
    /// answer.
    pub fn labels(&self, transit: &Transit) -> Labels {
        let route = self.routed.route.as_deref();
        let place = Arc::clone(transit.book.place(route));
        // All hosts lead to it, and an order through another one may find another route's key.
        let apart = transit.book.keeps_apart && self.key.site().is_empty();
        let resource = apart.then(|| resource::tag(transit.target()));
        let own: SmallVec<[_; 2]> =
            resource.into_iter().chain(self.key.tenant().map(tenant::tag)).collect();
        Labels::new(place, &own, &transit.absolute(), &self.key)
    }

    /// Whether its answer may go out as it is packed, where the answer itself allows it. What is
    /// one caller's or sealed may not: the length of a packed text tells of what is in it to who
    /// can place words beside a secret.
    pub fn serves_packed(&self) -> bool {
        let Keeping { compress, serve, encrypt, .. } = self.keeping;
        let apart = self.identity.is_some() || !matches!(self.key.caller(), "" | "*");
        let route = self.routed.route.as_deref();
        serve
            && compress.is_some()
            && !encrypt
            && !apart
            && route.is_none_or(|route| {
                route.share != Share::Identity
                    && !route.has_identity_part()
                    && route.inject.is_none()
            })
    }

    /// What is said about it so far.
    pub fn account(&self, outcome: Outcome) -> Account {
        Account {
            outcome,
            key: Some(self.key.clone()),
            tenant: self.routed.captures.tenant.shared_name(),
            route: self.routed.route.clone(),
            origin: Some(self.routed.origin.id),
            ..Account::default()
        }
    }
}

impl Routed {
    /// What is said about a request that goes past the cache.
    pub fn account(&self, reason: Reason) -> Account {
        let fwd = if reason == Reason::Method { Fwd::Method } else { Fwd::Bypass };
        Account {
            outcome: Outcome::Bypass,
            fwd: Some(fwd),
            reason: Some(reason),
            note: self.note.clone().into(),
            tenant: self.captures.tenant.shared_name(),
            route: self.route.clone(),
            origin: Some(self.origin.id),
            ..Account::default()
        }
    }
}

/// Passing the same proxy this often is a loop: chains of proxies are short.
const OWN_HOPS_MAX: usize = 8;

/// Decides what a request is.
pub fn admit(engine: &Engine, transit: &Transit, has_body: bool) -> Admission {
    let parts = &transit.parts;
    if parts.method.as_str() == names::PURGE {
        return Admission::Purge;
    }
    if parts.method == Method::CONNECT {
        let problem = "CONNECT asks for a forward proxy; this is a reverse proxy".to_owned();
        return Admission::Refuse(Fault::BadRequest(problem));
    }
    let marks = transit.marks;
    if marks.has(Marks::VIA) && forwarded::times_here(&parts.headers) >= OWN_HOPS_MAX {
        return Admission::Refuse(Fault::Loop);
    }
    let asked = transit.asked();
    let (route, captures) = match transit.book.route(&asked) {
        Some((route, captures)) => (Some(Arc::clone(route)), captures),
        None => (None, transit.book.rules.unrouted(&asked)),
    };
    let Some(origin) = transit.book.origin_for(route.as_deref(), &asked) else {
        return Admission::Refuse(Fault::NoOrigin);
    };
    let routed = Routed { route, captures, origin: Arc::clone(origin), note: String::new() };
    let role = role(routed.route.as_deref(), &parts.method);
    if let Tenant::Unknown(unknown) = &routed.captures.tenant
        && unknown.refused
        // What asks how it may ask has no credentials yet (CORS).
        && role != Role::Pass
    {
        return Admission::Refuse(Fault::NoTenant(unknown.why.clone()));
    }
    if marks.has(Marks::UPGRADE) && outbound::asks_for_tunnel(parts) {
        return Admission::Pass(routed, Reason::Upgrade);
    }
    match role {
        // What a framework takes for another method may change something.
        Role::Read | Role::BodyRead if marks.has(Marks::METHOD_OVERRIDE) => {
            Admission::Write(routed)
        }
        Role::Read | Role::BodyRead if engine.bypass.is_on(transit.began) => {
            Admission::Pass(routed, Reason::BypassSwitch)
        }
        Role::Read if has_body => pass(routed, Reason::UnkeyedInput, "a body on a read"),
        Role::Read => read(engine, transit, routed, None),
        Role::BodyRead => Admission::BodyRead(routed),
        Role::Write => Admission::Write(routed),
        Role::Pass => Admission::Pass(routed, Reason::Method),
    }
}

fn role(route: Option<&Route>, method: &Method) -> Role {
    if let Some(route) = route {
        return route.role(method);
    }
    match *method {
        Method::GET | Method::HEAD => Role::Read,
        Method::OPTIONS | Method::TRACE => Role::Pass,
        _ => Role::Write,
    }
}

fn pass(routed: Routed, reason: Reason, note: impl Into<String>) -> Admission {
    Admission::Pass(Routed { note: note.into(), ..routed }, reason)
}

/// Builds the plan of a read. `body` is the request's, for reads that have one.
pub fn read(
    engine: &Engine,
    transit: &Transit,
    routed: Routed,
    body: Option<&RequestBody>,
) -> Admission {
    let fields = &transit.parts.headers;
    if let Some(name) = unkeyed(engine, transit) {
        return pass(routed, Reason::UnkeyedInput, name.as_str());
    }
    let route = routed.route.as_deref();
    if route.is_some_and(|route| route.mode == Mode::Pass) {
        return Admission::Pass(routed, Reason::ModePass);
    }
    if let Tenant::Unknown(unknown) = &routed.captures.tenant {
        let why = unknown.why.clone();
        return pass(routed, Reason::TenantMissing, why);
    }
    let identity = identity::digest(engine, transit, route);
    let veil = engine.veil(identity.as_deref());
    let planned = match route {
        None => None,
        Some(route) => {
            let asked = transit.asked();
            match route.read_plan(&asked, &routed.captures, body, veil) {
                Ok(planned) => Some(planned),
                Err((reason, note)) => return pass(routed, reason, note),
            }
        }
    };
    let has_identity = planned.as_ref().is_some_and(|planned| planned.has_identity);
    let credentials = match sharing(engine, transit, route, has_identity) {
        Ok(credentials) => credentials,
        Err(note) => return pass(routed, Reason::Credentials, note),
    };
    let text = planned.as_ref().and_then(|planned| planned.key.as_deref());
    let Some(key) = identity::key(transit, &routed, text, identity.as_deref()) else {
        return pass(routed, Reason::TooLarge, format!("a key over {KEY_BYTES_MAX} bytes"));
    };
    let wishes = if transit.marks.has(Marks::DIRECTIVES) {
        RequestDirectives::of(fields, engine.options.obeys(transit.caller.peer.ip()))
    } else {
        RequestDirectives::default()
    };
    let withheld = withheld(engine, transit, route, text.is_some(), identity.is_some());
    let keeping = route.map_or_else(Keeping::default, |route| route.keeping);
    let (send_target, shard) = match planned {
        Some(planned) => (planned.forward_target, planned.shard),
        None => (None, None),
    };
    Admission::Read(Plan {
        keeping,
        withheld,
        shard,
        key,
        kind: route.map_or(KindId(0), |route| route.kind),
        credentials,
        wishes,
        send_target,
        body: bytes::Bytes::new(),
        identity,
        routed,
    })
}

/// A field that is in no key and could change the answer.
fn unkeyed(engine: &Engine, transit: &Transit) -> Option<HeaderName> {
    let fields = &transit.parts.headers;
    let trusted = || engine.options.trusts_peer(transit.caller.peer.ip());
    if transit.marks.has(Marks::OVERRIDE) && !trusted() {
        return fields.keys().find(|name| overrides(name)).cloned();
    }
    // What a trusted peer says of the host goes to the origin: it must be in the key.
    if transit.marks.has(Marks::FORWARDED)
        && trusted()
        && let Some(told) = fields.get(names::X_FORWARDED_HOST)
        && !told.as_bytes().eq_ignore_ascii_case(transit.authority.as_bytes())
    {
        return Some(names::X_FORWARDED_HOST);
    }
    None
}

impl Engine {
    /// What stands for the credentials of a request of this identity.
    pub(super) fn veil<'a>(&'a self, identity: Option<&'a str>) -> Veil<'a> {
        let is_apart = self.fleet.is_some() && !self.shares_identities;
        Veil { identity, key: Some(&self.identity_key), is_apart }
    }
}

/// Why the answer stays on this node.
fn withheld(
    engine: &Engine,
    transit: &Transit,
    route: Option<&Route>,
    has_key: bool,
    has_identity: bool,
) -> Option<Withheld> {
    engine.fleet.as_ref()?;
    let hides = || route.is_some_and(|route| route.hides(&transit.parts.headers));
    if !engine.shares_identities && (has_identity || hides()) {
        return Some(Withheld::Digest);
    }
    // A parameter that the key names is there by the rule's own word.
    let named = |name: &str| has_key && route.is_some_and(|route| route.keys_by(name));
    secret_parameters(transit.target()).any(|name| !named(name)).then_some(Withheld::Parameter)
}

/// Whether the request's credentials keep it out of the cache, and else what they allow.
fn sharing(
    engine: &Engine,
    transit: &Transit,
    route: Option<&Route>,
    has_identity: bool,
) -> Result<Credentials, &'static str> {
    let fields = &transit.parts.headers;
    let seen = if route.is_none() && !engine.options.manner.cookies_are_credentials {
        fields.contains_key(header::AUTHORIZATION)
    } else {
        transit.book.rules.credentials.seen(fields)
    };
    let Some(route) = route else {
        return Ok(if seen { Credentials::ByAnswer } else { Credentials::Absent });
    };
    match route.share {
        Share::Public | Share::Identity => Ok(Credentials::Allowed),
        _ if !seen => Ok(Credentials::Absent),
        Share::Never => Err("share = \"never\""),
        Share::Auto if has_identity => Ok(Credentials::Allowed),
        Share::Auto if !route.has_key() && !route.law.ruled => Ok(Credentials::ByAnswer),
        Share::Auto => Err("key has no identity part"),
    }
}
