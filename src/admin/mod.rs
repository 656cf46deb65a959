//! Floor 6: the operators' door, a listener of its own. It tells (health, rules, `explain`,
//! numbers), and for who shows a token it purges and reloads. A Host name it was not told of is
//! refused, so that no web page can reach it through a name that points here.

mod aliases;
mod api;
mod audit;
mod bypass;
pub mod calls;
mod door;
mod entries;
mod events;
mod jobs;
mod metrics;
mod openapi;
mod purge;
mod rules;
mod service;
mod stats;
pub mod tokens;
mod top;
mod undo;
mod warm;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::base::limits;
use crate::edge::{self, Edge, Listener, Tls, Watch};
use crate::engine::Engine;
use crate::jobs::registry::Jobs;
use crate::jobs::watch::Watchman;

pub use aliases::Aliases;
pub use audit::{Audit, Change};
pub use openapi::Document;
pub use purge::Remembered;
pub use rules::{Rules, RulesDiff, RulesStatus, RulesText, RulesVersion};
pub use service::{Answered, Calls, OnProxy};
use tokens::Tokens;

/// Whether the node serves.
#[derive(Debug, Default)]
pub struct Health {
    /// Listeners are up, rules are in force, and no drain has begun.
    pub ready: AtomicBool,
}

/// How it stands with certificates.
#[derive(Clone, Debug, Default)]
pub struct CertsStatus {
    /// What was read last is in use.
    pub ok: bool,
    /// Each listener that speaks TLS.
    pub listeners: Vec<Arc<Tls>>,
}

/// Who reads certificates.
pub type Certs = dyn Fn() -> CertsStatus + Send + Sync;

/// What the door opens to.
#[derive(Clone)]
pub struct Admin {
    /// The engine.
    pub engine: Arc<Engine>,
    /// Whether the node serves.
    pub health: Arc<Health>,
    /// Who looks at how it does.
    pub watchman: Arc<Watchman>,
    /// Where the proxy listens.
    pub proxy: Option<SocketAddr>,
    /// Who reads the rules.
    pub rules: Arc<dyn Rules>,
    /// Who reads certificates.
    pub certs: Arc<Certs>,
    /// Who may call.
    pub tokens: Arc<Tokens>,
    /// Names under which it may be called, beside its address.
    pub hosts: Arc<[String]>,
    /// What was changed.
    pub audit: Arc<Audit>,
    /// Whether the replaced systems' calls are answered.
    pub aliases: Option<Arc<Aliases>>,
    /// What it says of itself.
    pub document: Document,
    /// Calls that may come again.
    pub remembered: Arc<Remembered>,
    /// Work that is done behind calls.
    pub jobs: Arc<Jobs>,
}

impl std::fmt::Debug for Admin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Admin").field("health", &self.health).finish_non_exhaustive()
    }
}

impl Admin {
    /// Listens and serves in the background until what comes back is dropped.
    ///
    /// # Errors
    /// Where the address cannot be bound.
    pub fn start(self, address: SocketAddr, watch: Arc<dyn Watch>) -> std::io::Result<Edge> {
        let listeners = Listener::bind(&[address])?;
        let own = listeners.first().map_or(address, Listener::address);
        let calls = Calls::new(api::router(self, own));
        let settings = edge::Settings {
            connections_max: limits::ADMIN_CONNECTIONS_MAX,
            ..edge::Settings::new(watch)
        };
        Ok(Edge::here(listeners, settings, calls))
    }

    /// The replaced systems' calls for the proxy's port, where they are wanted there.
    pub fn on_proxy(&self) -> Option<OnProxy> {
        let aliases = self.aliases.as_ref().filter(|aliases| aliases.on_proxy);
        aliases.map(|_| OnProxy::new(Calls::new(api::aliases(self))))
    }
}
