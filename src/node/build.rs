//! Settings to an engine: opens the sinks, reads the rules, makes the key of identities.

use std::io::Read;
use std::sync::Arc;

use crate::base::clock::Clock;
use crate::base::units::ByteSize;
use crate::engine;
use crate::engine::options::Options;
use crate::engine::{Book, Engine, Parts};
use crate::entry::seal::KeyRing;
use crate::node::settings::Settings;
use crate::policy::{Law, Manner, Profile};
use crate::store::redis::config::{Address, Config, Layout};
use crate::store::redis::fleet::{Fleet, News};
use crate::telemetry::Telemetry;
use crate::telemetry::sink::{Sink, Target};

/// The engine's options of these settings.
pub fn options(settings: &Settings) -> Options {
    Options {
        manner: Manner { targeted: settings.targeted.clone(), ..Manner::of(settings.profile) },
        plain_law: Law::default(),
        cache_status: settings.cache_status,
        key_shown: settings.key_shown,
        via: settings.via,
        forwarding: settings.forwarded,
        x_cache: settings.x_cache,
        strip_tags: settings.strip_tags,
        trust_peers: settings.trust_peers.clone(),
        trust_clients: settings.trust_clients.clone(),
        purge_networks: settings.purge_networks.clone(),
        purge_token: settings.purge_token.clone(),
        max_object: settings.max_object,
        speaks_tls: settings.listen.iter().any(|listen| listen.tls.is_some()),
    }
}

/// Why no engine was made.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The settings of the shared level make no sense.
    #[error("{place}: {problem}")]
    Level {
        /// The part of the settings.
        place: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// Something could not be opened.
    #[error("{what}: {cause}")]
    System {
        /// What was tried.
        what: String,
        /// What the system said.
        cause: std::io::Error,
    },
}

fn wrong(place: &'static str, problem: impl ToString) -> BuildError {
    BuildError::Level { place, problem: problem.to_string() }
}

fn system(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> BuildError {
    let what = what.into();
    move |cause| BuildError::System { what, cause }
}

/// A log, and where it stands.
fn open(log: &str, target: &Target) -> Result<Sink, BuildError> {
    Sink::open(target).map_err(|cause| match target {
        Target::File { path, .. } => system(format!("the {log} log {}", path.display()))(cause),
        _ => system(format!("the {log} log"))(cause),
    })
}

/// An engine with its sinks open.
///
/// # Errors
/// Where a log cannot be opened, and as [`shared_level`].
pub fn engine(settings: &Settings, book: Book) -> Result<Engine, BuildError> {
    let clock = Clock::system();
    let access = open("access", &settings.access_log)?;
    let events = if settings.event_log == settings.access_log {
        access.clone()
    } else {
        open("event", &settings.event_log)?
    };
    let telemetry = Telemetry::new(access, events);
    let SharedLevel { fleet, identity_key } = shared_level(settings, &telemetry)?;
    Ok(Engine::new(Parts {
        book,
        shares_identities: fleet.is_some() && identity_key.is_some(),
        fleet,
        options: options(settings),
        l1_size: settings.l1_size,
        l1_policy: settings.l1_policy,
        transit_size: settings.transit_size,
        telemetry,
        clock,
        identity_key: match identity_key {
            Some(key) => key,
            None => random_key()?,
        },
    }))
}

/// What the settings say of the shared level.
#[derive(Debug)]
pub struct SharedLevel {
    /// This node in its fleet, where there is one.
    pub fleet: Option<Arc<Fleet>>,
    /// The key of identities that all nodes with the same key ring have.
    pub identity_key: Option<[u8; 32]>,
}

/// Makes it; nothing is connected yet.
///
/// # Errors
/// Where the key ring cannot be read, or the settings make no sense.
pub fn shared_level(settings: &Settings, telemetry: &Telemetry) -> Result<SharedLevel, BuildError> {
    let ring = settings.l2_keys.as_deref().map(KeyRing::parse).transpose();
    let ring = ring.map_err(|problem| wrong("the key ring", problem))?;
    // Nodes that have the same keys find what they keep for the same caller.
    let identity_key = ring.as_ref().map(KeyRing::identities);
    let fleet = match &settings.l2 {
        Some(config) => Some(fleet(config, ring, telemetry)?),
        None => None,
    };
    Ok(SharedLevel { fleet, identity_key })
}

fn fleet(
    config: &Config,
    ring: Option<KeyRing>,
    telemetry: &Telemetry,
) -> Result<Arc<Fleet>, BuildError> {
    let telemetry = telemetry.clone();
    let clock = Clock::system();
    let tell = move |told| {
        clock.align();
        engine::news::tell(&telemetry, clock.now(), &News::Servers(told));
    };
    let life = random_key()?.first_chunk().copied().map_or(1, u64::from_le_bytes);
    let fleet = Fleet::new(config.clone(), ring, life, tell);
    fleet.map(Arc::new).map_err(|problem| wrong("the shared level", problem))
}

fn random_key() -> Result<[u8; 32], BuildError> {
    let mut key = [0; 32];
    let source = std::fs::File::open("/dev/urandom");
    let read = source.and_then(|mut source| source.read_exact(&mut key));
    read.map_err(system("/dev/urandom"))?;
    Ok(key)
}

/// The first lines of standard output: what listens, what it forwards to, which levels are in use,
/// and how many rules.
pub fn banner(
    settings: &Settings,
    book: &Book,
    proxy: &[std::net::SocketAddr],
    admin: Option<std::net::SocketAddr>,
) -> String {
    let list = |all: &mut dyn Iterator<Item = String>| all.collect::<Vec<_>>().join(",");
    let listens = list(&mut proxy.iter().map(ToString::to_string));
    let origins =
        list(&mut book.upstreams().iter().map(|up| up.spec.target.authority().to_owned()));
    let origins = if origins.is_empty() { "no origin".to_owned() } else { origins };
    let admin = admin.map_or_else(|| "off".to_owned(), |admin| admin.to_string());
    let version = env!("CARGO_PKG_VERSION");
    let profile = match settings.profile {
        Profile::Safe => "safe",
        Profile::Rfc => "rfc",
    };
    let size = ByteSize(settings.l1_size).to_string();
    let digits = size.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = size.split_at(digits);
    let first = format!(
        "cistern {version}  proxy {listens} -> {origins}   admin {admin}   L1 {number} {unit}   \
         L2 {}",
        shared(settings.l2.as_ref())
    );
    let rules = book.rules.routes.len();
    let second = if rules == 0 {
        format!(
            "no rules, profile {profile}: following the origin's Cache-Control (RFC 9111), \
             credentials never shared"
        )
    } else {
        let from = settings.rules.as_ref().map(|path| path.display().to_string());
        format!("{rules} rules from {}, profile {profile}", from.unwrap_or_default())
    };
    format!("{first}\n{second}")
}

/// The shared level in a few words, without any secret.
fn shared(config: Option<&Config>) -> String {
    match config.map(|config| &config.layout) {
        None => "none".to_owned(),
        Some(Layout::Single(Address { host, port })) if host.contains(':') => {
            format!("redis [{host}]:{port}")
        }
        Some(Layout::Single(Address { host, port })) => format!("redis {host}:{port}"),
        Some(Layout::Sentinel { service, .. }) => format!("sentinel {service}"),
        Some(Layout::Cluster(nodes)) if nodes.len() == 1 => "cluster 1 node".to_owned(),
        Some(Layout::Cluster(nodes)) => format!("cluster {} nodes", nodes.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::settings::{Flags, resolve};

    #[test]
    fn the_shared_level_is_told_without_secrets() {
        let told = |url: &str| {
            let environment = [("REDIS_URL".to_owned(), url.to_owned())];
            shared(resolve(&Flags::default(), &environment).unwrap().l2.as_ref())
        };
        assert_eq!(shared(None), "none");
        assert_eq!(told("redis://ann:pw@cache:7/1"), "redis cache:7");
        assert_eq!(told("rediss://[::1]"), "redis [::1]:6379");
        assert_eq!(told("redis+sentinel://:pw@a,b/main"), "sentinel main");
        assert_eq!(told("redis+cluster://:pw@a,b"), "cluster 2 nodes");
        assert_eq!(told("redis+cluster://a"), "cluster 1 node");
    }
}
