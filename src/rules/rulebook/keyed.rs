//! What the key of a route says of requests: which of their parameters and credentials it holds.

use http::HeaderName;

use super::Unnamed;
use crate::entry::order::Glob;

/// What parameters mean on a route with a key.
#[derive(Clone, Debug, Default)]
pub(in crate::rules) struct QueryRule {
    pub(in crate::rules) sorted: bool,
    pub(in crate::rules) ignore: Vec<Glob>,
    pub(in crate::rules) unnamed: Option<Unnamed>,
    /// Parameters of the key, which may come once.
    pub(in crate::rules) in_key: Vec<Box<str>>,
    /// Parameters that anything in the rule names.
    pub(in crate::rules) named: Vec<Box<str>>,
    /// Whether `{query}` names all.
    pub(in crate::rules) all_named: bool,
}

/// Which credentials the key itself holds.
#[derive(Clone, Debug, Default)]
pub(in crate::rules) struct KeyIdentity {
    /// The digest of all.
    pub(in crate::rules) digest: bool,
    pub(in crate::rules) headers: Vec<HeaderName>,
    pub(in crate::rules) cookies: Vec<Box<str>>,
}

impl KeyIdentity {
    /// Whether the key has any identity part.
    pub(in crate::rules) fn any(&self) -> bool {
        self.digest || !self.headers.is_empty() || !self.cookies.is_empty()
    }
}
