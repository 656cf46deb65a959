//! What the shared level is made from: plain data, resolved by `node::settings`.

use std::fmt;
use std::path::PathBuf;

use crate::base::units::Span;

/// One server's address.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    /// Name or address, without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
}

/// How the servers stand to each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layout {
    /// One server.
    Single(Address),
    /// Sentinels that know the master of `service`.
    Sentinel {
        /// Their addresses.
        sentinels: Vec<Address>,
        /// The name under which they know the master.
        service: String,
    },
    /// A Redis Cluster; some of its nodes, the others are learned.
    Cluster(Vec<Address>),
}

/// A name and password for `AUTH`. Its debug form is silent.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Login {
    /// The ACL user; none is `default`.
    pub user: Option<String>,
    /// The password.
    pub password: Option<String>,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let password = self.password.as_ref().map(|_| "<hidden>");
        let user = self.user.as_ref().map(|_| "<hidden>");
        f.debug_struct("Login").field("user", &user).field("password", &password).finish()
    }
}

/// TLS towards the servers, all in PEM. Without a CA the system's roots count.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// Who may have signed the servers' certificates.
    pub ca: Option<Vec<u8>>,
    /// Our own certificate and its key.
    pub identity: Option<(Vec<u8>, Vec<u8>)>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (ca, identity) = (self.ca.is_some(), self.identity.is_some());
        f.debug_struct("Tls").field("ca", &ca).field("identity", &identity).finish()
    }
}

/// What is done with entries of L1 while this node does not know what was purged elsewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenDeaf {
    /// The origin is asked whether they still hold.
    #[default]
    Revalidate,
    /// They are served to the end of their lifetime, and the bound is given up.
    Serve,
}

/// The shared level's settings.
#[derive(Clone, Debug)]
pub struct Config {
    /// The servers.
    pub layout: Layout,
    /// How to log in at the servers.
    pub login: Login,
    /// How to log in at the sentinels.
    pub sentinel_login: Login,
    /// TLS, if wanted.
    pub tls: Option<Tls>,
    /// The database; 0 in a cluster.
    pub db: i64,
    /// Stands before every key. Without braces.
    pub prefix: String,
    /// The most that a request may wait for one call.
    pub budget: Span,
    /// The most that a purge waits for its order to be numbered.
    pub purge_budget: Span,
    /// The most that connecting may take; never waited for by a request.
    pub connect_timeout: Span,
    /// Multiplexed connections to each server.
    pub connections: usize,
    /// Calls under way at once to each server; the next is refused.
    pub calls_max: usize,
    /// The longest frame that is written.
    pub max_object: u64,
    /// How old a node's knowledge of purges may grow before its L1 is asked for again.
    pub lag_max: Span,
    /// What happens then.
    pub when_deaf: WhenDeaf,
    /// Whether replicas may be read where a rule allows it.
    pub replicas: bool,
    /// The folder of the journal; none keeps waiting purges in memory only.
    pub journal: Option<PathBuf>,
}

/// Why settings cannot be used, told at start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// There is nobody to ask.
    #[error("no server is named")]
    NoServers,
    /// An address without a name or with port 0.
    #[error("{0} is not the address of a server")]
    Address(Address),
    /// A cluster has database 0 only.
    #[error("a Redis Cluster has no database {0}, only 0")]
    Database(i64),
    /// A user logs in with a password. What stands for a user may be one that was written in the
    /// wrong place, so it is not told.
    #[error("a user is named without a password")]
    NoPassword,
    /// A number that must be at least one.
    #[error("{0} must be at least 1")]
    Zero(&'static str),
    /// Certificates that cannot be read, or that do not fit together.
    #[error("TLS: {0}")]
    Tls(String),
}

impl Config {
    /// Whether these settings make sense, as far as that shows without asking anybody.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let addresses = self.layout.addresses();
        if addresses.is_empty() {
            return Err(ConfigError::NoServers);
        }
        if let Some(wrong) = addresses.iter().find(|at| at.host.is_empty() || at.port == 0) {
            return Err(ConfigError::Address(wrong.clone()));
        }
        if matches!(self.layout, Layout::Cluster(_)) && self.db != 0 {
            return Err(ConfigError::Database(self.db));
        }
        for login in [&self.login, &self.sentinel_login] {
            if login.user.is_some() && login.password.is_none() {
                return Err(ConfigError::NoPassword);
            }
        }
        let zero =
            |name, is_zero: bool| if is_zero { Err(ConfigError::Zero(name)) } else { Ok(()) };
        zero("connections", self.connections == 0)?;
        zero("calls_max", self.calls_max == 0)?;
        zero("budget", self.budget == Span::ZERO)?;
        zero("connect_timeout", self.connect_timeout == Span::ZERO)
    }
}

impl Layout {
    /// The addresses that the settings name: servers, sentinels, or nodes of a cluster.
    pub fn addresses(&self) -> &[Address] {
        match self {
            Self::Single(address) => std::slice::from_ref(address),
            Self::Sentinel { sentinels: addresses, .. } | Self::Cluster(addresses) => addresses,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}
