//! Floor 2: text in, [`Rulebook`] or diagnostics out. A rules file is parsed into a tree with
//! places (`parse`), read into a document (`read`, `document`), compiled (`compile`) and judged
//! (`check`); everything that is wrong is told at once. What remains is a rulebook in which
//! nothing is left to decide per request but the request itself: which route takes it
//! (`matcher`), what its key is (`plan`), what a write of it purges (`selector`).
//!
//! Nothing here opens a file, knows the time, or keeps anything between two requests. A value
//! of a request can never look like the text of a template, and no field of a file is without
//! effect.

mod canonical;
mod carried;
mod cascade;
mod charset;
mod check;
pub mod code;
mod compared;
mod compile;
mod condition;
mod credentials;
pub mod diagnostic;
mod document;
#[cfg(test)]
mod examples;
mod expr;
mod extract;
mod host;
mod json;
mod matcher;
mod names;
mod nearest;
mod node;
mod parse;
mod pattern;
mod percent;
mod plan;
mod purging;
mod query;
mod read;
mod render;
mod rulebook;
#[cfg(test)]
mod samples;
mod scan;
pub mod schema;
mod selector;
mod template;
mod tenant;
pub mod testblock;
mod values;
mod veil;
mod words;

pub use carried::{TAG_FIELDS, all_groups, field_tags, group_tag, header_tags};
pub use cascade::Cascades;
pub use compared::CompareRule;
pub use credentials::CredentialNames;
pub use diagnostic::{Code, Diagnostic, Place, Severity, Source};
pub use extract::{Asked, Captures, RequestBody};
pub use host::HostPattern;
pub use json::{Json, JsonError};
pub use plan::{PartNote, PlannedSelector, ReadPlan, Tags};
pub use rulebook::{
    Confirm, EventsRule, JobField, Keeping, Kind, Mode, OnWrite, OriginSpec, OriginUrl, Role,
    Route, Rulebook, Share,
};
pub use tenant::{Tenant, Unknown};
pub use veil::Veil;

use crate::base::units::Span;

/// What the rest of the program tells the rules.
#[derive(Clone, Debug, Default)]
pub struct LoadContext {
    /// The origin of the command line.
    pub origin: Option<String>,
    /// Whether the profile is `rfc`: only `Authorization` then counts as a credential (RFC 9111,
    /// 3.5), where the files do not say otherwise, and tests are judged by that profile.
    pub authorization_only: bool,
    /// What is known of the shared level.
    pub shared: SharedLevel,
    /// The lifetime of routes that have a key or a type and for which no rule names one.
    pub default_ttl: Option<Span>,
    /// The prefix of types that name none.
    pub default_prefix: Option<String>,
}

/// What the rules are told of the shared level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SharedLevel {
    /// Nothing: rules are judged by themselves.
    #[default]
    Unknown,
    /// There is none.
    Absent,
    /// There is one.
    Present {
        /// Whether there are keys to encrypt with.
        has_keys: bool,
        /// Whether the settings allow reading from replicas.
        replicas: bool,
    },
}

/// Rules that can be run.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The rules.
    pub book: Rulebook,
    /// What is probably not meant.
    pub warnings: Vec<Diagnostic>,
}

/// Reads and compiles all files of rules; they form one name space. On any error nothing is taken,
/// and every error and warning is told.
pub fn load(sources: &[Source], ctx: &LoadContext) -> Result<Loaded, Vec<Diagnostic>> {
    compile::load(sources, ctx)
}
