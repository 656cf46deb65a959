//! What a purge names.

use std::fmt;
use std::sync::Arc;

/// A pattern: `*` is any run of characters, everything else is itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Glob(String);

impl Glob {
    /// From its text.
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Whether the whole of `text` fits.
    pub fn matches(&self, text: &str) -> bool {
        let mut parts = self.0.split('*');
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = text.strip_prefix(first) else { return false };
        let Some(last) = parts.next_back() else { return rest.is_empty() };
        for part in parts {
            let Some((_, after)) = rest.split_once(part) else { return false };
            rest = after;
        }
        rest.len() >= last.len() && rest.ends_with(last)
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One thing that an order names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Selector {
    /// One key.
    Key(String),
    /// All keys that begin so.
    Prefix(String),
    /// All keys that fit.
    Pattern(Glob),
    /// All entries with this tag.
    Tag(String),
    /// All entries of this type.
    Type(String),
    /// All entries stored by this rule.
    Rule(String),
    /// What a GET of this target finds.
    Url(String),
    /// Everything.
    All,
}

impl Selector {
    /// Whether an entry with these facts is meant.
    pub fn covers(&self, key_text: &str, tags: &[Arc<str>], kind: &str, rule: &str) -> bool {
        match self {
            Self::Key(text) | Self::Url(text) => key_text == text,
            Self::Prefix(text) => key_text.starts_with(text.as_str()),
            Self::Pattern(glob) => glob.matches(key_text),
            Self::Tag(text) => tags.iter().any(|tag| **tag == **text),
            Self::Type(text) => kind == text,
            Self::Rule(text) => rule == text,
            Self::All => true,
        }
    }
}

/// One invalidation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// What it names.
    pub selectors: Vec<Selector>,
}
