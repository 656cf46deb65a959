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
mod jobs;
mod metrics;
mod purge;
mod rules;
mod stats;
pub mod tokens;
mod top;
mod warm;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::engine::Engine;
use crate::jobs::registry::Jobs;
use crate::jobs::watch::Watchman;

pub use aliases::Aliases;
pub use audit::{Audit, Change};
pub use purge::Remembered;
pub use rules::{Rules, RulesDiff, RulesStatus, RulesText, RulesVersion};
use tokens::Tokens;

/// Whether the node serves.
#[derive(Debug, Default)]
pub struct Health {
    /// Listeners are up, rules are in force, and no drain has begun.
    pub ready: AtomicBool,
}

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
    /// Who may call.
    pub tokens: Arc<Tokens>,
    /// Names under which it may be called, beside its address.
    pub hosts: Arc<[String]>,
    /// What was changed.
    pub audit: Arc<Audit>,
    /// Whether the replaced systems' calls are answered.
    pub aliases: Option<Arc<Aliases>>,
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
    /// Listens and serves in the background; gives back the address taken.
    pub async fn start(self, address: SocketAddr) -> std::io::Result<SocketAddr> {
        let listener = tokio::net::TcpListener::bind(address).await?;
        let taken = listener.local_addr()?;
        let router = api::router(self, taken);
        crate::base::tasks::tend(async move {
            // The listener fails only with the process.
            drop(axum::serve(listener, router).await);
        });
        Ok(taken)
    }
}
