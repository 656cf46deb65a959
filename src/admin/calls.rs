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
    Call { method: "GET", name, least: None }
}

const fn call(method: &'static str, name: &'static str, least: Role) -> Call {
    Call { method, name, least: Some(least) }
}

/// All of them.
pub const CALLS: [Call; 36] = [
    open("/livez"),
    open("/readyz"),
    open("/startupz"),
    open("health"),
    open("openapi.json"),
    call("GET", "stats", Role::Read),
    call("GET", names::METRICS, Role::Read),
    call("GET", "alerts", Role::Read),
    call("GET", "top", Role::Read),
    call("GET", "events", Role::Read),
    call("GET", "keys", Role::Read),
    call("GET", "entry", Role::Read),
    call("DELETE", "entry", Role::Purge),
    call("PUT", "entry", Role::Operate),
    call("GET", "bypass", Role::Read),
    call("POST", "bypass", Role::Operate),
    call("GET", "rules", Role::Read),
    call("GET", "rules/status", Role::Read),
    call("GET", "rules/text", Role::Read),
    call("GET", "rules/history", Role::Read),
    call("GET", "rules/diff", Role::Read),
    call("POST", "rules/reload", Role::Operate),
    call("POST", "rules/rollback", Role::Operate),
    call("POST", "explain", Role::Read),
    call("POST", "purge", Role::Purge),
    call("POST", "undo", Role::Purge),
    call("POST", "warm", Role::Operate),
    call("POST", "verify", Role::Operate),
    call("POST", "sync", Role::Operate),
    call("GET", "jobs", Role::Read),
    call("GET", "jobs/{id}", Role::Read),
    call("DELETE", "jobs/{id}", Role::Operate),
    call("POST", "jobs/{id}/pause", Role::Operate),
    call("POST", "jobs/{id}/resume", Role::Operate),
    call("GET", "audit", Role::Operate),
    call("GET", "tokens", Role::Admin),
];

/// The calls of the systems that this one replaces, answered where `compat.aliases` wants them.
pub const ALIASES: [Call; 8] = [
    call("GET", "/cache/stats", Role::Read),
    call("POST", "/cache/invalidate/{*key}", Role::Purge),
    call("POST", "/cache/invalidate-pattern/{*pattern}", Role::Purge),
    call("POST", "/cache/clear", Role::Operate),
    call("POST", "/stats/invalidate/user/{id}", Role::Purge),
    call("GET", "cache/stats", Role::Read),
    call("POST", "cache/invalidate", Role::Purge),
    call("POST", "cache/warm", Role::Operate),
];
