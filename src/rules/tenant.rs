//! Whose a request is. Where one application serves many customers, the tenant is a part of every
//! entry's identity, whatever the keys hold. Where its name comes from is said once for all routes;
//! whatever names it must agree, and what a client can write into a field as it likes counts only
//! from peers that are trusted to have checked it.

use std::sync::Arc;

use http::HeaderName;
use regex::bytes::Regex;

use super::extract::{Asked, Captures, Datum, Given, ValueOf};
use super::names::Names;
use super::percent;
use crate::base::limits::TENANT_BYTES_MAX;

/// Whose a request is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Tenant {
    /// Of all: the rules know no tenants, or the route has data for all of them.
    #[default]
    Shared,
    /// Of the tenant with this name, escaped as in keys.
    Of(Arc<str>),
    /// Of one that is not known.
    Unknown(Box<Unknown>),
}

/// Why nobody knows whose a request is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// In words, without the values.
    pub why: String,
    /// Whether such a request is refused; else it passes uncached.
    pub refused: bool,
}

impl Tenant {
    /// The name, where there is one.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Of(name) => Some(name),
            Self::Shared | Self::Unknown(_) => None,
        }
    }

    /// The same, to be kept.
    pub fn shared_name(&self) -> Option<Arc<str>> {
        match self {
            Self::Of(name) => Some(Arc::clone(name)),
            Self::Shared | Self::Unknown(_) => None,
        }
    }

    /// As values of templates are, with the bytes that were sent.
    pub(super) fn datum(&self) -> Option<Datum<'_>> {
        self.name().map(|name| Datum::plain(percent::decoded(name.as_bytes())))
    }
}

/// What `[tenant]` says.
#[derive(Clone, Debug)]
pub(super) struct TenantRule {
    pub(super) from: Vec<NameFrom>,
    /// What the whole value must fit.
    pub(super) pattern: Option<Regex>,
    /// Whether a request of nobody is refused.
    pub(super) required: bool,
}

/// One place that names the tenant.
#[derive(Clone, Debug)]
pub(super) struct NameFrom {
    pub(super) of: From,
    /// As it stands in the file.
    pub(super) written: Box<str>,
}

/// What kind of place it is.
#[derive(Clone, Debug)]
pub(super) enum From {
    /// A part of the path, by its name in the route that takes the request.
    Part,
    /// Anything else; with it whether it counts only from a trusted peer.
    Value(ValueOf, bool),
}

/// The same for one route, or for what no route takes.
#[derive(Clone, Debug)]
pub(super) struct Tenancy {
    rule: Arc<TenantRule>,
    sources: Box<[NameSource]>,
}

#[derive(Clone, Debug)]
struct NameSource {
    of: ValueOf,
    from_peers: bool,
    written: Box<str>,
}

/// What the places of a request say.
#[derive(Default)]
struct Said<'s> {
    /// The name, and who was first to say it.
    name: Option<(Vec<u8>, &'s str)>,
    /// Two that count and name different tenants.
    conflict: Option<(&'s str, &'s str)>,
    /// What does not count, by who sent it.
    ignored: Vec<(Vec<u8>, &'s str)>,
}

impl Tenancy {
    /// For a route whose path has these parts.
    pub(super) fn new(rule: &Arc<TenantRule>, names: &Names) -> Self {
        let source = |from: &NameFrom| {
            let written = from.written.clone();
            let (of, from_peers) = match &from.of {
                From::Value(of, from_peers) => (of.clone(), *from_peers),
                From::Part => (ValueOf::Part(names.position(&written)?), false),
            };
            Some(NameSource { of, from_peers, written })
        };
        Self { rule: Arc::clone(rule), sources: rule.from.iter().filter_map(source).collect() }
    }

    /// Whose this request is.
    pub(super) fn of(&self, asked: &Asked<'_>, captures: &Captures) -> Tenant {
        let given = Given::request(asked, captures);
        let mut said = Said::default();
        for source in &self.sources {
            // Each line and each cookie counts: which of two the application takes is unknown.
            given.any(&source.of, &mut |value| {
                said.hear(value, &source.written, asked.trusted || !source.from_peers);
                false
            });
            // Many applications read `_` in a name as `-`.
            if let ValueOf::Header(name) = &source.of {
                for (_, value) in asked.fields.iter().filter(|(other, _)| is_alike(other, name)) {
                    said.hear(value.as_bytes(), &source.written, false);
                }
            }
        }
        match self.judge(said) {
            Ok(name) => Tenant::Of(name.into()),
            Err(unknown) => Tenant::Unknown(Box::new(unknown)),
        }
    }

    /// The fields that name it.
    pub(super) fn fields(&self) -> impl Iterator<Item = &HeaderName> {
        self.sources.iter().filter_map(|source| match &source.of {
            ValueOf::Header(name) => Some(name),
            _ => None,
        })
    }

    fn judge(&self, said: Said<'_>) -> Result<String, Unknown> {
        let unknown = |why: String| Unknown { why, refused: self.rule.required };
        if let Some((one, other)) = said.conflict {
            let why = format!("`{one}` and `{other}` name different tenants");
            return Err(Unknown { why, refused: true });
        }
        let Some((name, by)) = said.name else {
            let why = match said.ignored.first() {
                Some((_, by)) => format!("`{by}` names one, but counts only from trust.peers"),
                None => self.nowhere(),
            };
            return Err(unknown(why));
        };
        // The application may believe what does not count here: then the answer is another's.
        if let Some((_, other)) = said.ignored.iter().find(|(ignored, _)| *ignored != name) {
            return Err(unknown(format!(
                "`{other}` names another one than `{by}`, and counts only from trust.peers"
            )));
        }
        if name.is_empty() || name.len() > TENANT_BYTES_MAX {
            return Err(unknown(format!(
                "what `{by}` says is no name: one has 1 to {TENANT_BYTES_MAX} bytes"
            )));
        }
        if self.rule.pattern.as_ref().is_some_and(|pattern| !pattern.is_match(&name)) {
            return Err(unknown(format!("what `{by}` says does not fit `pattern`")));
        }
        let mut escaped = String::with_capacity(name.len());
        Datum::plain(name).write_escaped(&mut escaped);
        Ok(escaped)
    }

    fn nowhere(&self) -> String {
        let all: Vec<_> = self.sources.iter().map(|one| format!("`{}`", one.written)).collect();
        match all.as_slice() {
            [] => "this path has no part that `from` names".to_owned(),
            [one] => format!("{one} is not there"),
            all => format!("none of {} is there", all.join(", ")),
        }
    }
}

impl<'s> Said<'s> {
    fn hear(&mut self, value: &[u8], by: &'s str, counts: bool) {
        if !counts {
            self.ignored.push((value.to_vec(), by));
            return;
        }
        match &self.name {
            None => self.name = Some((value.to_vec(), by)),
            Some((name, _)) if **name == *value => {}
            Some((_, first)) => self.conflict = Some((first, by)),
        }
    }
}

/// Whether a name differs from another by `_` in place of `-` alone.
fn is_alike(other: &HeaderName, name: &HeaderName) -> bool {
    let (other, name) = (other.as_str().as_bytes(), name.as_str().as_bytes());
    other.len() == name.len()
        && other != name
        && other.iter().zip(name).all(|(a, b)| a == b || (*a == b'_' && *b == b'-'))
}

#[cfg(test)]
mod tests;
