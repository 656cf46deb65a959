//! Where an entry must stand so that a GET whose rule makes its key finds it. A key alone does not
//! say that: sites and, where a rule shares by it, a word for all callers belong to an identity.

use std::net::SocketAddr;
use std::sync::Arc;

use http::Method;

use crate::base::limits;
use crate::base::units::Span;
use crate::engine::admit::Plan;
use crate::engine::explain::{self, NoRead};
use crate::engine::transit::Transit;
use crate::engine::{Book, Engine};
use crate::entry::order::Selector;
use crate::entry::{Key, Place};
use crate::policy::{Law, Ttl};
use crate::rules::{Keeping, Mode, Role, Route, Share};

/// What says where an entry is to stand.
#[derive(Clone, Copy, Debug)]
pub struct Named<'a> {
    /// The key with its type's prefix; with a URL it may be left out.
    pub key: Option<&'a str>,
    /// A URL that a GET finds it by.
    pub url: Option<&'a str>,
    /// The type, where no URL is said.
    pub kind: Option<&'a str>,
    /// The rule among several of the type.
    pub rule: Option<&'a str>,
    /// Scheme and authority under which clients ask.
    pub sites: &'a [String],
    /// Where the node listens.
    pub node: Option<SocketAddr>,
}

/// Why it cannot be said where.
#[derive(Debug, thiserror::Error)]
pub enum NoSpot {
    /// Neither key nor URL.
    #[error("name the entry: key=KEY or url=URL")]
    Nothing,
    /// A key that no key can be.
    #[error("a key is 1 to {} bytes of printable ASCII without spaces", limits::KEY_BYTES_MAX)]
    Key,
    /// A GET of the URL is looked up under another key.
    #[error("a GET of this URL is looked up under {0}, not under this key")]
    OtherKey(String),
    /// A GET of the URL is not looked up.
    #[error(transparent)]
    NoRead(#[from] NoRead),
    /// Nothing says which rule reads the key.
    #[error("say type=TYPE, or url=URL: the rule that reads the key decides where it stands")]
    NoType,
    /// No rule of the type makes keys.
    #[error("no rule of the type `{0}` looks GETs up by a key")]
    NoRule(String),
    /// A purge by a tag of the rule would miss it.
    #[error(
        "the rule `{0}` gives its entries tags by which they go: say tag=TAG for each, or url=URL, \
         of which it makes them"
    )]
    Tags(String),
    /// No rule of the type makes such keys.
    #[error("keys of the type `{kind}` begin with `{prefix}`")]
    Prefix {
        /// The type.
        kind: String,
        /// What its keys begin with.
        prefix: String,
    },
    /// Each caller has an entry of his own.
    #[error("the rule `{0}` keeps an entry for each caller (share = \"identity\")")]
    Own(String),
    /// The place is made from more than the key.
    #[error("the rule `{0}` places keys by a shard: say url=URL instead of a type")]
    Shard(String),
    /// Each tenant has an entry of its own.
    #[error(
        "the rule `{0}` keeps an entry for each tenant: say url=URL, where host or path name it"
    )]
    Tenant(String),
    /// Not a site.
    #[error("a site is such as http://api.example or https://api.example:8443, not `{0}`")]
    Site(String),
    /// More sites than an entry is put under.
    #[error("at most {} sites can be named", limits::SITES_NAMED_MAX)]
    Sites,
}

/// Where an entry is to stand, and how it is kept there.
#[derive(Debug)]
pub(super) struct Spot {
    /// The key as rules and people name it.
    pub(super) text: String,
    /// The identities that find it, at least one.
    pub(super) keys: Vec<Key>,
    pub(super) place: Arc<Place>,
    pub(super) keeping: Keeping,
    /// Whether other nodes may have it.
    pub(super) shared: bool,
    pub(super) shard: Option<String>,
    /// The lifetime that the rule gives.
    pub(super) ttl: Option<Span>,
    /// The longest body that the rule keeps.
    pub(super) max_object: Option<u64>,
    /// The read of the URL that was named.
    pub(super) read: Option<Box<(Transit, Plan)>>,
}

impl Spot {
    /// `tagged`: the call itself says by which tags the entry goes.
    pub(super) fn of(engine: &Engine, named: &Named<'_>, tagged: bool) -> Result<Self, NoSpot> {
        if named.key.is_some_and(|key| !is_key(key)) {
            return Err(NoSpot::Key);
        }
        match (named.url, named.key, named.kind) {
            (Some(url), key, _) => by_url(engine, url, key, named.node),
            (None, Some(key), Some(kind)) => by_type(engine, key, kind, named, tagged),
            (None, Some(_), None) => Err(NoSpot::NoType),
            (None, None, _) => Err(NoSpot::Nothing),
        }
    }
}

/// Whether a text can be a key as it is stored.
pub(super) fn is_key(text: &str) -> bool {
    let fits = !text.is_empty() && text.len() <= limits::KEY_BYTES_MAX;
    fits && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn by_url(
    engine: &Engine,
    url: &str,
    key: Option<&str>,
    node: Option<SocketAddr>,
) -> Result<Spot, NoSpot> {
    let (transit, plan) = explain::plan_of(engine, url, node)?;
    if key.is_some_and(|key| key != plan.key.text()) {
        return Err(NoSpot::OtherKey(plan.key.text().to_owned()));
    }
    let route = plan.routed.route.as_deref();
    let law = plan.law(engine);
    Ok(Spot {
        text: plan.key.text().to_owned(),
        keys: vec![plan.key.clone()],
        place: Arc::clone(transit.book.place(route)),
        keeping: plan.keeping,
        shared: engine.shares(&plan).is_some(),
        shard: plan.shard.clone(),
        ttl: lifetime(law),
        max_object: law.max_object,
        read: Some(Box::new((transit, plan))),
    })
}

fn by_type(
    engine: &Engine,
    key: &str,
    kind: &str,
    named: &Named<'_>,
    tagged: bool,
) -> Result<Spot, NoSpot> {
    let book = engine.book.load_full();
    let fits = |route: &&Arc<Route>| {
        *route.kind_name == *kind
            && route.has_key()
            && route.mode != Mode::Pass
            && route.role(&Method::GET) == Role::Read
            && named.rule.is_none_or(|name| *route.name == *name)
    };
    let routes: Vec<&Arc<Route>> = book.rules.routes.iter().filter(fits).collect();
    let Some(first) = routes.first() else { return Err(NoSpot::NoRule(kind.to_owned())) };
    let prefix = book.rules.kind(first.kind).map_or("", |kind| &kind.prefix);
    if !key.starts_with(prefix) {
        return Err(NoSpot::Prefix { kind: kind.to_owned(), prefix: prefix.to_owned() });
    }
    let name = |route: &Route| route.name.to_string();
    if let Some(own) = routes.iter().find(|route| route.share == Share::Identity) {
        return Err(NoSpot::Own(name(own)));
    }
    if let Some(sharded) = routes.iter().find(|route| route.has_shard()) {
        return Err(NoSpot::Shard(name(sharded)));
    }
    if let Some(route) = routes.iter().find(|route| route.gives_tags() && !tagged) {
        return Err(NoSpot::Tags(name(route)));
    }
    if let Some(route) = routes.iter().find(|route| route.tells_tenants_apart()) {
        return Err(NoSpot::Tenant(name(route)));
    }
    let digests = routes.iter().any(|route| route.needs_identity() || route.has_identity_part());
    Ok(Spot {
        text: key.to_owned(),
        keys: identities(engine, &book, &routes, key, named.sites)?,
        place: Arc::clone(book.place(Some(first))),
        keeping: first.keeping,
        shared: first.keeping.l2 && (!digests || engine.shares_identities),
        shard: None,
        ttl: lifetime(&first.law),
        max_object: first.law.max_object,
        read: None,
    })
}

/// All identities under which these routes would look for the key: by the sites that were named,
/// those that stand there by now, and none, which is that of a node that is asked by its address
/// and of an origin with a fixed host.
fn identities(
    engine: &Engine,
    book: &Book,
    routes: &[&Arc<Route>],
    key: &str,
    named: &[String],
) -> Result<Vec<Key>, NoSpot> {
    if named.len() > limits::SITES_NAMED_MAX {
        return Err(NoSpot::Sites);
    }
    let mut sites = vec![String::new()];
    for site in named {
        sites.push(plain_site(site).ok_or_else(|| NoSpot::Site(site.clone()))?);
    }
    let stand = [Selector::Key(key.to_owned())];
    let stand = engine.l1.list(&stand, None, limits::SITES_NAMED_MAX);
    sites.extend(stand.found.iter().map(|listed| listed.key.site().to_owned()));
    sites.sort_unstable();
    sites.dedup();
    if !routes.iter().any(|route| book.tells_sites_apart(route)) {
        sites.truncate(1);
    }
    let caller = |route: &&Arc<Route>| if route.share == Share::Public { "*" } else { "" };
    let mut callers: Vec<&str> = routes.iter().map(caller).collect();
    callers.sort_unstable();
    callers.dedup();
    let pairs = sites.iter().flat_map(|site| callers.iter().map(move |caller| (site, caller)));
    Ok(pairs.map(|(site, caller)| Key::new(key, site, caller)).collect())
}

/// A site as keys have it (RFC 9110, 4.2.3).
fn plain_site(site: &str) -> Option<String> {
    let uri: http::Uri = site.parse().ok()?;
    let scheme = uri.scheme_str().filter(|scheme| matches!(*scheme, "http" | "https"))?;
    let authority = uri.authority()?.as_str().to_ascii_lowercase();
    let port = if scheme == "https" { ":443" } else { ":80" };
    let bare = matches!(uri.path(), "" | "/") && uri.query().is_none();
    bare.then(|| format!("{scheme}://{}", authority.strip_suffix(port).unwrap_or(&authority)))
}

fn lifetime(law: &Law) -> Option<Span> {
    if let Ttl::For(span) = law.ttl { Some(span) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_is_what_keys_have() {
        for (said, site) in [
            ("http://Api.example", Some("http://api.example")),
            ("http://api.example:80/", Some("http://api.example")),
            ("https://api.example:443", Some("https://api.example")),
            ("https://api.example:80", Some("https://api.example:80")),
            ("api.example", None),
            ("ftp://api.example", None),
            ("http://api.example/a", None),
        ] {
            assert_eq!(plain_site(said).as_deref(), site, "{said}");
        }
    }

    #[test]
    fn a_key_is_plain_text() {
        assert!(is_key("doc:1") && !is_key("") && !is_key("a b") && !is_key("ñ"));
        assert!(!is_key(&"k".repeat(limits::KEY_BYTES_MAX + 1)));
    }
}
