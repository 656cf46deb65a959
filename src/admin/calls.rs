//! Every call of the admin API, with the least role that may make it. The router is built from this
//! table alone, so that no call can be forgotten when roles are checked; the README lists the same.

use crate::admin::tokens::Role;
use crate::base::names;

/// One call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// Its method.
    pub method: &'static str,
    /// What stands behind [`names::ADMIN_ROOT`]; a whole path where it begins with a slash.
    pub name: &'static str,
    /// Who may make it; `None`: everybody.
    pub least: Option<Role>,
    /// What of it a token may have that is bound to selectors.
    pub bound: Bound,
}

/// What of a call a token may have that is bound to selectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// All: it tells and changes nothing of single entries.
    Whole,
    /// What lies within its selectors, or is its own; the call sees to that.
    Within,
    /// Nothing: what it tells or does reaches beyond any selector.
    Nothing,
}

impl Call {
    /// Every path of an alias: that of its system, also behind [`names::API_ROOT`].
    pub fn paths(&self) -> Vec<String> {
        let behind =
            self.name.starts_with('/').then(|| format!("{}{}", names::API_ROOT, self.name));
        std::iter::once(self.path()).chain(behind).collect()
    }

    /// Its path.
    pub fn path(&self) -> String {
        if self.name.starts_with('/') {
            return self.name.to_owned();
        }
        format!("{}/{}", names::ADMIN_ROOT, self.name)
    }
}

const fn open(name: &'static str) -> Call {
    Call { method: "GET", name, least: None, bound: Bound::Whole }
}

const fn call(method: &'static str, name: &'static str, least: Role, bound: Bound) -> Call {
    Call { method, name, least: Some(least), bound }
}

/// All of them.
pub const CALLS: [Call; 36] = [
    open("/livez"),
    open("/readyz"),
    open("/startupz"),
    open("health"),
    open("openapi.json"),
    call("GET", "stats", Role::Read, Bound::Whole),
    call("GET", names::METRICS, Role::Read, Bound::Whole),
    call("GET", "alerts", Role::Read, Bound::Whole),
    call("GET", "top", Role::Read, Bound::Nothing),
    call("GET", "events", Role::Read, Bound::Nothing),
    call("GET", "keys", Role::Read, Bound::Within),
    call("GET", "entry", Role::Read, Bound::Within),
    call("DELETE", "entry", Role::Purge, Bound::Within),
    call("PUT", "entry", Role::Operate, Bound::Within),
    call("GET", "bypass", Role::Read, Bound::Whole),
    call("POST", "bypass", Role::Operate, Bound::Nothing),
    call("GET", "rules", Role::Read, Bound::Whole),
    call("GET", "rules/status", Role::Read, Bound::Whole),
    call("GET", "rules/text", Role::Read, Bound::Nothing),
    call("GET", "rules/history", Role::Read, Bound::Nothing),
    call("GET", "rules/diff", Role::Read, Bound::Nothing),
    call("POST", "rules/reload", Role::Operate, Bound::Nothing),
    call("POST", "rules/rollback", Role::Operate, Bound::Nothing),
    call("POST", "explain", Role::Read, Bound::Nothing),
    call("POST", "purge", Role::Purge, Bound::Within),
    call("POST", "undo", Role::Purge, Bound::Within),
    call("POST", "warm", Role::Operate, Bound::Within),
    call("POST", "verify", Role::Operate, Bound::Within),
    call("POST", "sync", Role::Operate, Bound::Within),
    call("GET", "jobs", Role::Read, Bound::Within),
    call("GET", "jobs/{id}", Role::Read, Bound::Within),
    call("DELETE", "jobs/{id}", Role::Operate, Bound::Within),
    call("POST", "jobs/{id}/pause", Role::Operate, Bound::Within),
    call("POST", "jobs/{id}/resume", Role::Operate, Bound::Within),
    call("GET", "audit", Role::Operate, Bound::Nothing),
    call("GET", "tokens", Role::Admin, Bound::Nothing),
];

/// The calls of the systems that this one replaces, answered where `compat.aliases` wants them.
pub const ALIASES: [Call; 8] = [
    call("GET", "/cache/stats", Role::Read, Bound::Whole),
    call("POST", "/cache/invalidate/{*key}", Role::Purge, Bound::Within),
    call("POST", "/cache/invalidate-pattern/{*pattern}", Role::Purge, Bound::Within),
    call("POST", "/cache/clear", Role::Operate, Bound::Within),
    call("POST", "/stats/invalidate/user/{id}", Role::Purge, Bound::Within),
    call("GET", "cache/stats", Role::Read, Bound::Whole),
    call("POST", "cache/invalidate", Role::Purge, Bound::Within),
    call("POST", "cache/warm", Role::Operate, Bound::Within),
];
