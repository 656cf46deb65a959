//! The rules as run: all is resolved, and no value means "ask elsewhere". A rulebook never changes:
//! a reload swaps the pointer to another, so that a request ends under the one it began under.

mod keyed;

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

pub(super) use keyed::{KeyIdentity, QueryRule};

use super::cascade::Cascades;
use super::compared::CompareRule;
use super::condition::Condition;
use super::credentials::CredentialNames;
use super::extract::{Asked, Captures, ValueOf};
use super::host::HostPattern;
use super::matcher::{Matcher, Table};
use super::names::Names;
use super::selector::SelectorTemplate;
use super::template::Template;
use super::tenant::{Tenancy, Tenant};
use super::testblock::TestCase;
use super::values::StatusPattern;
pub(super) use super::words::UnnamedWord as Unnamed;
pub use super::words::{ConfirmWord as Confirm, ModeWord as Mode, ShareWord as Share};
use crate::base::ids::{KindId, RouteId};
use crate::base::limits::{COMPRESS_BYTES_MIN, COMPRESS_LEVEL};
use crate::base::units::Span;
use crate::policy::{Law, Manner};

/// All rules of a node.
#[derive(Clone, Debug)]
pub struct Rulebook {
    /// In the order in which they are tried.
    pub routes: Vec<Arc<Route>>,
    /// The first is the nameless type of everything that names none.
    pub kinds: Vec<Kind>,
    /// The applications behind the proxy.
    pub origins: Vec<OriginSpec>,
    /// The place of the origin for requests that no origin's hosts fit.
    pub default_origin: Option<usize>,
    /// What counts as a credential.
    pub credentials: Arc<CredentialNames>,
    /// The channel on which any program may say what to purge.
    pub events: Option<EventsRule>,
    /// What goes as well when an order names something.
    pub cascades: Cascades,
    /// The `[[test]]` blocks.
    pub tests: Vec<TestCase>,
    pub(super) table: Table,
    /// Whose the requests are that no route takes.
    pub(super) tenancy: Option<Tenancy>,
    /// The manner of the profile, for tests.
    pub(super) manner: Manner,
}

impl Rulebook {
    /// No rules and no origins.
    pub fn empty() -> Self {
        Self {
            routes: Vec::new(),
            kinds: vec![Kind::default()],
            origins: Vec::new(),
            default_origin: None,
            credentials: Arc::default(),
            events: None,
            cascades: Cascades::default(),
            tests: Vec::new(),
            table: Table::default(),
            tenancy: None,
            manner: Manner::default(),
        }
    }

    /// The first route that takes a request, and the parts of its path.
    pub fn route(&self, asked: &Asked<'_>) -> Option<(&Arc<Route>, Captures)> {
        self.table.find(&self.routes, asked)
    }

    /// What is known of a request that no route takes: whose it is.
    pub fn unrouted(&self, asked: &Asked<'_>) -> Captures {
        let none = Captures::default();
        let tenancy = self.tenancy.as_ref();
        let tenant = tenancy.map_or(Tenant::Shared, |tenancy| tenancy.of(asked, &none));
        Captures { tenant, ..none }
    }

    /// Puts the fields that name the tenant of one request into another that is made for it.
    pub fn name_tenant(&self, from: &HeaderMap, to: &mut HeaderMap) {
        for name in self.tenancy.iter().flat_map(Tenancy::fields) {
            if !to.contains_key(name) {
                to.extend(from.get_all(name).iter().map(|value| (name.clone(), value.clone())));
            }
        }
    }

    /// Where a request goes: the origin that its route names, else the one whose hosts fit, else
    /// the default of the route's file, else that of all.
    pub fn origin_for(&self, route: Option<&Route>, asked: &Asked<'_>) -> Option<&OriginSpec> {
        let named = route.and_then(|route| route.origin);
        let by_host = || {
            self.origins
                .iter()
                .position(|origin| origin.hosts.iter().any(|host| host.fits(asked.authority)))
        };
        let by_file = || route.and_then(|route| route.default_origin);
        let at = named.or_else(by_host).or_else(by_file).or(self.default_origin)?;
        self.origins.get(at)
    }

    /// A type by its place; the nameless one when there is no such place.
    pub fn kind(&self, id: KindId) -> Option<&Kind> {
        self.kinds.get(usize::from(id.0))
    }

    /// A route by its name.
    pub fn route_named(&self, name: &str) -> Option<&Arc<Route>> {
        self.routes.iter().find(|route| *route.name == *name)
    }
}

impl Default for Rulebook {
    fn default() -> Self {
        Self::empty()
    }
}

/// A data type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kind {
    /// Its name; empty for the nameless one.
    pub name: Arc<str>,
    /// Put before the keys of its routes.
    pub prefix: String,
    /// The most memory that its entries take.
    pub max_bytes: Option<u64>,
    /// The most entries.
    pub max_entries: Option<u64>,
}

/// Where any program may say what to purge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventsRule {
    /// The channel's name in Redis.
    pub channel: String,
}

/// How and where the entries of a route are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keeping {
    /// In this process.
    pub l1: bool,
    /// In the shared level, where there is one.
    pub l2: bool,
    /// The level of compression, and the shortest body in bytes that is worth it.
    pub compress: Option<(i32, u64)>,
    /// Whether clients that accept zstd may get compressed bodies as they are kept.
    pub serve: bool,
    /// Sealed in the shared level.
    pub encrypt: bool,
    /// Whether the shared level may be read from a replica.
    pub replica: bool,
}

impl Default for Keeping {
    fn default() -> Self {
        let compress = Some((COMPRESS_LEVEL, COMPRESS_BYTES_MIN));
        Self { l1: true, l2: true, compress, serve: true, encrypt: false, replica: false }
    }
}

/// An application behind the proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginSpec {
    /// Its name in the rules; `--origin` for the one of the command line.
    pub name: Arc<str>,
    /// Its address.
    pub url: OriginUrl,
    /// Requests for these hosts go there.
    pub hosts: Vec<HostPattern>,
    /// The Host it gets instead of the client's.
    pub fixed_host: Option<String>,
    /// The longest a whole exchange may take.
    pub timeout: Span,
    /// The longest that connecting may take.
    pub connect_timeout: Span,
    /// The longest wait for the first byte of an answer.
    pub first_byte_timeout: Span,
    /// The longest silence between two bytes.
    pub idle_timeout: Span,
    /// How often a request that cannot have been processed is sent again.
    pub retries: u32,
    /// How many requests it gets at once.
    pub max_concurrent: Option<u32>,
    /// Fields that the proxy's own requests carry.
    pub job_fields: Vec<JobField>,
}

/// A field of the proxy's own requests. It may be a credential, so nothing prints its value.
#[derive(Clone, PartialEq, Eq)]
pub struct JobField {
    /// Its name.
    pub name: HeaderName,
    /// Its value; once the rules are loaded there is one.
    pub value: Option<HeaderValue>,
    /// The file that holds the value, as written.
    pub file: Option<String>,
    /// The file of rules that says so.
    pub said_in: String,
}

impl std::fmt::Debug for JobField {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JobField").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The address of an origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginUrl {
    /// `http`.
    pub scheme: String,
    /// A name or an address; IPv6 without brackets.
    pub host: String,
    /// The port, also when it is the scheme's own.
    pub port: u16,
}

impl std::fmt::Display for OriginUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { scheme, host, port } = self;
        let (open, close) = if host.contains(':') { ("[", "]") } else { ("", "") };
        write!(f, "{scheme}://{open}{host}{close}:{port}")
    }
}

/// What a route does with a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Looked up.
    Read,
    /// Looked up by what its body says.
    BodyRead,
    /// Passed on; a success purges.
    Write,
    /// Passed on, and nothing else.
    Pass,
}

/// Which requests, and what becomes of them.
#[derive(Clone, Debug)]
pub struct Route {
    /// Its place in the rulebook.
    pub id: RouteId,
    /// Its name: the `rule` of logs and selectors.
    pub name: Arc<str>,
    /// The type of its entries.
    pub kind: KindId,
    /// The type's name.
    pub kind_name: Arc<str>,
    /// The place of the origin that it names.
    pub origin: Option<usize>,
    /// The place of its file's default origin.
    pub default_origin: Option<usize>,
    /// What it says over the origin's head.
    pub law: Law,
    /// Who may share an entry.
    pub share: Share,
    /// Whether it caches at all.
    pub mode: Mode,
    /// The member that tells hit, ttl and key inside JSON answers.
    pub inject: Option<String>,
    /// The longest body that is read as JSON, in bytes.
    pub json_max: u64,
    /// What counts when answers are compared.
    pub compare: CompareRule,
    /// What a write does to the cache.
    pub on_write: OnWrite,
    /// How and where its entries are kept.
    pub keeping: Keeping,
    pub(super) matcher: Matcher,
    pub(super) names: Names,
    pub(super) bypass: Option<Condition>,
    /// With the type's prefix.
    pub(super) key: Option<Template>,
    pub(super) tags: Vec<Template>,
    pub(super) shard: Option<Template>,
    pub(super) query: QueryRule,
    pub(super) identity: KeyIdentity,
    pub(super) credentials: Arc<CredentialNames>,
}

/// What a write does to the cache, beside dropping its own target.
#[derive(Clone, Debug)]
pub struct OnWrite {
    /// Whether what it names becomes stale instead of going.
    pub soft: bool,
    /// Whether the answer is kept where it is the new state of its target.
    pub store: bool,
    /// How far its purge must have got before the writer is answered.
    pub confirm: Confirm,
    /// The longest wait for the confirmations of other nodes.
    pub wait: Span,
    /// The longest wait for what is fetched anew.
    pub refresh_wait: Span,
    /// How long after it the same purge runs once more.
    pub settle: Option<Span>,
    pub(super) when: Vec<StatusPattern>,
    pub(super) purge: Vec<SelectorTemplate>,
    /// What goes and is fetched anew.
    pub(super) refresh: Vec<SelectorTemplate>,
    pub(super) skip_missing: bool,
}

impl OnWrite {
    /// Whether anything is fetched anew.
    pub fn refreshes(&self) -> bool {
        !self.refresh.is_empty()
    }

    /// Whether an answer with this status means that the write was done.
    pub fn is_success(&self, status: StatusCode) -> bool {
        self.when.iter().any(|pattern| pattern.fits(status.as_u16()))
    }
}

impl Route {
    /// What becomes of a request with this method (RFC 9110, 9.2.1: what is not known to be safe
    /// is a write).
    pub fn role(&self, method: &Method) -> Role {
        match method.as_str() {
            "GET" | "HEAD" => Role::Read,
            "POST" | "QUERY" if self.reads_by_body() => Role::BodyRead,
            "OPTIONS" | "TRACE" | "CONNECT" | "QUERY" => Role::Pass,
            _ => Role::Write,
        }
    }

    /// Whether the key uses the request's body.
    fn reads_by_body(&self) -> bool {
        self.key.iter().flat_map(Template::sources).any(ValueOf::is_request_body)
    }

    /// Whether a request in this role needs its body read whole before anything is decided.
    pub fn needs_request_body(&self, role: Role) -> bool {
        match role {
            Role::Read | Role::Pass => false,
            Role::BodyRead => true,
            Role::Write => self.write_sources().any(ValueOf::is_request_body),
        }
    }

    /// Whether the answer to a request in this role is read as JSON: for tags, or for selectors.
    pub fn needs_response_json(&self, role: Role) -> bool {
        let is_answer = |of: &ValueOf| matches!(of, ValueOf::AnswerJson(_));
        match role {
            Role::Pass => false,
            Role::Read | Role::BodyRead => {
                self.tags.iter().flat_map(Template::sources).any(is_answer)
            }
            Role::Write => self.write_sources().any(is_answer),
        }
    }

    pub(super) fn write_sources(&self) -> impl Iterator<Item = &ValueOf> {
        let OnWrite { purge, refresh, .. } = &self.on_write;
        purge.iter().chain(refresh).flat_map(|selector| selector.template.sources())
    }

    /// Whether the key is a template; else it is the target itself.
    pub fn has_key(&self) -> bool {
        self.key.is_some()
    }

    /// Whether it says which entries lie in one slot of a cluster.
    pub fn has_shard(&self) -> bool {
        self.shard.is_some()
    }

    /// Whether anything that the route builds holds the digest of the caller: key, tags, or the
    /// selectors of a write.
    pub fn needs_identity(&self) -> bool {
        let read = self.key.iter().chain(&self.tags).flat_map(Template::sources);
        read.chain(self.write_sources()).any(|of| *of == ValueOf::Identity)
    }

    /// Whether its entries are of tenants.
    pub fn tells_tenants_apart(&self) -> bool {
        self.matcher.tenancy.is_some()
    }

    /// Whether the key has a part that tells callers apart.
    pub fn has_identity_part(&self) -> bool {
        self.identity.any()
    }
}
