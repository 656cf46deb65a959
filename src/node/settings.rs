//! What belongs to the machine, resolved: built-in values, then the file, then the environment,
//! then flags. Everything here is plain data; nothing is opened or bound yet. Secrets are in no
//! text that is made from it.

mod l2;
mod listen;
mod memory;
mod redis_url;
mod resolve;
mod shown;
mod values;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use http::HeaderName;
use ipnet::IpNet;

use crate::admin::Aliases;
use crate::base::units::Span;
use crate::engine::options::{Forwarding, KeyShown, Told};
use crate::jobs::rounds::Rounds;
use crate::policy::Profile;
use crate::rules::{LoadContext, SharedLevel};
use crate::store::l1::Eviction;
use crate::store::redis::config::Config;
use crate::telemetry::sink::Target;

pub use listen::{CertFiles, Listen, TlsFiles};
pub use shown::Shown;

/// What flags say; each wins over environment and file.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `--rules`.
    pub rules: Option<PathBuf>,
    /// `--origin`.
    pub origin: Option<String>,
    /// `--listen`, as often as given.
    pub listen: Vec<String>,
    /// `--admin-listen`, or `off`.
    pub admin_listen: Option<String>,
    /// `--profile`.
    pub profile: Option<String>,
    /// `--workers`.
    pub workers: Option<usize>,
    /// `--demo`.
    pub demo: bool,
}

/// How a node runs.
#[derive(Clone)]
pub struct Settings {
    /// Which column of the profile table holds.
    pub profile: Profile,
    /// The rules: a file or a directory; none means that the origin's headers decide all.
    pub rules: Option<PathBuf>,
    /// `--origin`, for requests whose route names none.
    pub origin: Option<String>,
    /// Proxy listeners.
    pub listen: Vec<Listen>,
    /// The admin listener.
    pub admin: Option<SocketAddr>,
    /// Names that it may be called by, beside its address.
    pub admin_hosts: Vec<String>,
    /// Whether it answers the calls of the systems that this one replaces.
    pub aliases: Option<Aliases>,
    /// The file of tokens for it.
    pub tokens_file: Option<PathBuf>,
    /// Worker threads, one runtime each.
    pub workers: usize,
    /// Bytes that the whole process may hold resident.
    pub memory: u64,
    /// Bytes of L1, all types together.
    pub l1_size: u64,
    /// Bytes of answers on their way before large ones are no longer kept.
    pub transit_size: u64,
    /// Who leaves L1 first.
    pub l1_policy: Eviction,
    /// The longest body that is kept.
    pub max_object: u64,
    /// Access log.
    pub access_log: Target,
    /// Event log.
    pub event_log: Target,
    /// How long readiness says no before the listeners close.
    pub drain_delay: Span,
    /// How long requests in flight may take after that.
    pub drain_timeout: Span,
    /// Who is told what happened: `all`, `trusted` peers, or `off`.
    pub cache_status: Told,
    /// How keys appear in answers.
    pub key_shown: KeyShown,
    /// Whether `Via` is added.
    pub via: bool,
    /// Targeted fields that take the place of `Cache-Control` (RFC 9213), most specific first.
    pub targeted: Vec<HeaderName>,
    /// Which fields tell the origin where a request came from.
    pub forwarded: Forwarding,
    /// Whether `X-Cache` is added.
    pub x_cache: bool,
    /// Whether the fields that carry tags are kept from clients.
    pub strip_tags: bool,
    /// Networks whose forwarding fields count.
    pub trust_peers: Vec<IpNet>,
    /// Networks whose `no-cache` and kin count.
    pub trust_clients: Vec<IpNet>,
    /// Networks that may PURGE.
    pub purge_networks: Vec<IpNet>,
    /// The token that allows PURGE.
    pub purge_token: Option<String>,
    /// The shared level, where there is one.
    pub l2: Option<Config>,
    /// The text of the key ring that seals entries of the shared level. Never printed.
    pub l2_keys: Option<String>,
    /// How often entries are held against their origin, where that is wished.
    pub sync: Option<Rounds>,
    /// The lifetime of routes whose rules name none, though they have a key or a type.
    pub default_ttl: Option<Span>,
    /// The prefix of types that name none.
    pub default_prefix: Option<String>,
    /// What was said without effect, to be told at the start.
    pub warnings: Vec<String>,
    /// Runs the sample API too.
    pub demo: bool,
}

impl fmt::Debug for Settings {
    /// Says little: token and keys are among the rest.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("rules", &self.rules).finish_non_exhaustive()
    }
}

impl Settings {
    /// What the rules are told of the settings.
    pub fn context(&self) -> LoadContext {
        LoadContext {
            origin: self.origin.clone(),
            authorization_only: self.profile == Profile::Rfc,
            shared: self.l2.as_ref().map_or(SharedLevel::Absent, |l2| SharedLevel::Present {
                has_keys: self.l2_keys.is_some(),
                replicas: l2.replicas,
            }),
            default_ttl: self.default_ttl,
            default_prefix: self.default_prefix.clone(),
        }
    }
}

/// What is wrong with the settings, and where.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct SettingsError {
    /// The file and key, variable or flag.
    pub place: String,
    /// What is wrong and what would be right.
    pub problem: String,
}

impl SettingsError {
    pub(crate) fn new(place: impl Into<String>, problem: impl std::fmt::Display) -> Self {
        Self { place: place.into(), problem: redis_url::hidden(&problem.to_string()) }
    }
}

/// Resolves settings. `environment` is the process environment, given so that tests need none.
pub fn resolve(flags: &Flags, environment: &[(String, String)]) -> Result<Settings, SettingsError> {
    resolve::whole(flags, environment).map(|(settings, _)| settings)
}

/// The same settings, and each value with where it was said.
pub fn told(
    flags: &Flags,
    environment: &[(String, String)],
) -> Result<(Settings, Vec<Shown>), SettingsError> {
    let (settings, read) = resolve::whole(flags, environment)?;
    let shown = shown::all(&settings, &read);
    Ok((settings, shown))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_said_is_a_whole_setting() {
        let settings = resolve(&Flags::default(), &[]).unwrap();
        let [listen] = settings.listen.as_slice() else { panic!("not one listener") };
        assert_eq!(listen.address, "127.0.0.1:8080".parse().unwrap());
        assert!(listen.tls.is_none());
        assert_eq!(settings.admin, Some("127.0.0.1:9180".parse().unwrap()));
        assert_eq!(settings.profile, Profile::Safe);
        assert_eq!(settings.l1_size, 256_000_000);
        assert!(settings.purge_networks.is_empty());
    }

    #[test]
    fn flags_win_over_the_environment() {
        let environment = [("CISTERN_PROFILE".to_owned(), "rfc".to_owned())];
        let settings = resolve(&Flags::default(), &environment).unwrap();
        assert_eq!(settings.profile, Profile::Rfc);
        let flags = Flags { profile: Some("safe".to_owned()), ..Flags::default() };
        assert_eq!(resolve(&flags, &environment).unwrap().profile, Profile::Safe);
    }

    #[test]
    fn errors_name_the_place_and_the_remedy() {
        let wrong = |name: &str, value: &str| {
            let environment = [(name.to_owned(), value.to_owned())];
            resolve(&Flags::default(), &environment).unwrap_err().to_string()
        };
        assert!(wrong("CISTERN_PROFILE", "fast").contains("\"safe\", \"rfc\""));
        assert!(wrong("CISTERN_L1__SIZE", "5mb").contains("l1.size"));
        assert!(wrong("CISTERN_L1__SIZE", "900GB").contains("half of `memory`"));
        assert!(wrong("CISTERN_ADMIN__LISTEN", "0.0.0.0:9180").contains("loopback"));
        assert!(wrong("CISTERN_L1__SIZE", "5mb").starts_with("CISTERN_L1__SIZE (l1.size): "));
    }
}
