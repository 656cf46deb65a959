//! What a purge names. Selectors are typed by people, sent in fields and built by rules; all of
//! them meet here, as text that parses and prints back. They name keys as stored: with the type's
//! prefix, escaped. A selector that is built from parts must never cover less than it was meant to;
//! one that people type must never cover everything by an accident of spelling.

use std::fmt;
use std::sync::Arc;

use crate::base::clock::Timestamp;
use crate::base::ids::SoftId;
use crate::base::limits::KEY_BYTES_MAX;
use crate::base::names::RESOURCE_MARK;
use crate::entry::tenant;

/// A pattern: `*` is any run of characters, also none; everything else is itself. A star that is
/// meant as such stands as `%2A` in keys and patterns alike.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Glob(String);

impl Glob {
    /// From its text. Neighbouring stars mean what one means.
    pub fn new(text: &str) -> Self {
        let mut kept = String::with_capacity(text.len());
        for c in text.chars() {
            if c != '*' || !kept.ends_with('*') {
                kept.push(c);
            }
        }
        Self(kept)
    }

    /// The text before the first star: no key that fits begins otherwise.
    pub fn prefix(&self) -> &str {
        self.0.split('*').next().unwrap_or_default()
    }

    /// Whether the whole of `text` fits, in time linear to its length.
    ///
    /// Between stars the leftmost find is the best one: whatever a later find allows, the leftmost
    /// allows too, so nothing is ever tried twice.
    pub fn matches(&self, text: &str) -> bool {
        let mut parts = self.0.split('*');
        let first = parts.next().unwrap_or_default();
        let Some(rest) = text.as_bytes().strip_prefix(first.as_bytes()) else { return false };
        let Some(last) = parts.next_back() else { return rest.is_empty() };
        let Some(mut rest) = rest.strip_suffix(last.as_bytes()) else { return false };
        for part in parts {
            let Some(at) = memchr::memmem::find(rest, part.as_bytes()) else { return false };
            rest = rest.get(at + part.len()..).unwrap_or_default();
        }
        true
    }

    /// Whether it is a beginning and a star: then what begins so fits.
    fn is_beginning(&self) -> bool {
        self.0.strip_suffix('*').is_some_and(|rest| !rest.contains('*'))
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.0
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
    /// One key, with all its sites, callers and variants.
    Key(String),
    /// All keys that begin so.
    Prefix(String),
    /// All keys that fit.
    Pattern(Glob),
    /// All entries with this tag. A tenant's is the one that its entries have by themselves.
    Tag(String),
    /// All entries with a tag that fits.
    Tags(Glob),
    /// All entries of this type.
    Type(String),
    /// All entries stored by this rule.
    Rule(String),
    /// What a GET of this target finds.
    Url(String),
    /// Everything.
    All,
}

/// Why a text is not a selector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectorError {
    /// Nothing after the colon, or nothing at all.
    #[error("`{0}` names nothing; everything is `all`")]
    Empty(String),
    /// No name of a tenant.
    #[error(
        "`tenant:` takes one name as keys have it, letters, digits and -._~ with other bytes as \
         %XX, and no `*`; it is not `{0}`"
    )]
    NoTenant(String),
    /// Keys are stored in printable ASCII.
    #[error(
        "a selector holds printable ASCII without spaces; write other bytes as they are stored, \
         for example %20"
    )]
    Unescaped,
    /// Not a target.
    #[error("`url:` takes a target such as /a?b=1 or https://shop.example/a, not `{0}`")]
    NotATarget(String),
    /// Longer than any key.
    #[error("a selector is at most {KEY_BYTES_MAX} bytes long")]
    TooLong,
}

impl Selector {
    /// Reads a selector as people write it. Bare text is a key, and with a `*` a pattern.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        if !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(SelectorError::Unescaped);
        }
        let (word, rest) = text.split_once(':').unwrap_or(("", text));
        // The word does not count: whatever can be a key can be named.
        let named = match word {
            "key" | "prefix" | "pattern" | "tag" | "type" | "rule" | "tenant" | "url" => rest,
            _ => text,
        };
        if named.is_empty() {
            return Err(SelectorError::Empty(text.to_owned()));
        }
        if named.len() > KEY_BYTES_MAX {
            return Err(SelectorError::TooLong);
        }
        Ok(match word {
            "key" => Self::key(rest),
            "prefix" => Self::Prefix(rest.to_owned()),
            "pattern" => Self::Pattern(Glob::new(rest)),
            "tag" if rest.contains('*') => Self::Tags(Glob::new(rest)),
            "tag" => Self::Tag(rest.to_owned()),
            "type" => Self::Type(rest.to_owned()),
            "rule" => Self::Rule(rest.to_owned()),
            "tenant" if tenant::is_name(rest) => Self::of_tenant(rest),
            "tenant" => return Err(SelectorError::NoTenant(rest.to_owned())),
            "url" if is_target(rest) => Self::Url(rest.to_owned()),
            "url" => return Err(SelectorError::NotATarget(rest.to_owned())),
            _ if text == "all" => Self::All,
            _ => Self::key(text),
        })
    }

    /// A key, or a pattern where a star stands in it.
    fn key(text: &str) -> Self {
        if text.contains('*') { Self::Pattern(Glob::new(text)) } else { Self::Key(text.to_owned()) }
    }

    /// All entries of the tenant with this name.
    pub fn of_tenant(name: &str) -> Self {
        Self::Tag(tenant::tag(name).as_ref().to_owned())
    }

    /// The tenant that it names.
    pub fn tenant(&self) -> Option<&str> {
        match self {
            Self::Tag(tag) => tenant::of_tag(tag),
            _ => None,
        }
    }

    /// Whether it is a tag that entries have by themselves, known before there is an answer.
    pub fn is_own_tag(&self) -> bool {
        matches!(self, Self::Tag(tag) if tag.starts_with(RESOURCE_MARK))
    }

    /// Whether people name it so; not the tag that a resource has by itself.
    pub fn is_said(&self) -> bool {
        !self.is_own_tag() || self.tenant().is_some()
    }

    /// Bytes of what it names, without its word.
    pub fn text_bytes(&self) -> usize {
        match self {
            Self::Key(text)
            | Self::Prefix(text)
            | Self::Tag(text)
            | Self::Type(text)
            | Self::Rule(text)
            | Self::Url(text) => text.len(),
            Self::Pattern(glob) | Self::Tags(glob) => glob.as_str().len(),
            Self::All => 0,
        }
    }

    /// Whether everything that `other` may name lies within what this names, as far as their texts
    /// tell: never yes where it might not.
    pub fn holds(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::All, _) => true,
            (Self::Prefix(text), Self::Key(one) | Self::Prefix(one)) => one.starts_with(text),
            (Self::Prefix(text), Self::Pattern(glob)) => glob.prefix().starts_with(text),
            (Self::Pattern(glob), Self::Key(one)) => glob.matches(one),
            (Self::Tags(glob), Self::Tag(one)) => !other.is_own_tag() && glob.matches(one),
            (Self::Tags(glob), Self::Tags(one)) | (Self::Pattern(glob), Self::Pattern(one)) => {
                glob.is_beginning() && one.prefix().starts_with(glob.prefix()) || glob == one
            }
            _ => self == other,
        }
    }

    /// Whether an entry with these facts is meant. A target is compared with the key's text, which
    /// is a target where no rule gave a key; whoever knows the rules resolves it first.
    pub fn covers(&self, key_text: &str, tags: &[Arc<str>], kind: &str, rule: &str) -> bool {
        match self {
            Self::Key(text) | Self::Url(text) => key_text == text,
            Self::Prefix(text) => key_text.starts_with(text.as_str()),
            Self::Pattern(glob) => glob.matches(key_text),
            Self::Tag(text) => tags.iter().any(|tag| **tag == **text),
            Self::Tags(glob) => {
                tags.iter().any(|tag| !tag.starts_with(RESOURCE_MARK) && glob.matches(tag))
            }
            Self::Type(text) => kind == text,
            Self::Rule(text) => rule == text,
            Self::All => true,
        }
    }
}

fn is_target(text: &str) -> bool {
    let scheme = text.split_once("://").map(|(scheme, _)| scheme);
    let web = |scheme: &str| ["http", "https"].iter().any(|one| scheme.eq_ignore_ascii_case(one));
    text.starts_with('/') || scheme.is_some_and(web)
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(text) => write!(f, "key:{text}"),
            Self::Prefix(text) => write!(f, "prefix:{text}"),
            Self::Pattern(glob) => write!(f, "pattern:{glob}"),
            Self::Tag(text) => match tenant::of_tag(text) {
                Some(name) => write!(f, "tenant:{name}"),
                None => write!(f, "tag:{text}"),
            },
            Self::Tags(glob) => write!(f, "tag:{glob}"),
            Self::Type(name) => write!(f, "type:{name}"),
            Self::Rule(name) => write!(f, "rule:{name}"),
            Self::Url(target) => write!(f, "url:{target}"),
            Self::All => f.write_str("all"),
        }
    }
}

impl std::str::FromStr for Selector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, SelectorError> {
        Self::parse(text)
    }
}

/// A soft order, as what it named remembers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Soft {
    /// What it is called.
    pub id: SoftId,
    /// From when on what it names is stale.
    pub at: Timestamp,
}

/// What becomes of what an order names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// It goes.
    #[default]
    Delete,
    /// It is stale from now on, and may be used as such where the rules allow that.
    Soft(Soft),
    /// What this soft order did to it is taken back, and what one of that name did before it.
    Undo(Soft),
}

/// One invalidation: all that goes with one write, PURGE or call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// What becomes of what it names.
    pub mode: Mode,
    /// What it names: an entry is meant when any of them covers it.
    pub selectors: Vec<Selector>,
}

impl Order {
    /// The same, with what becomes of what it names.
    #[must_use]
    pub fn as_mode(self, mode: Mode) -> Self {
        Self { mode, ..self }
    }

    /// Whether what it names goes.
    pub fn deletes(&self) -> bool {
        self.mode == Mode::Delete
    }

    /// An order that takes these selectors, each once.
    pub fn of(selectors: impl IntoIterator<Item = Selector>) -> Self {
        let mut order = Self::default();
        for one in selectors {
            if !order.selectors.contains(&one) {
                order.selectors.push(one);
            }
        }
        order
    }

    /// Whether an entry with these facts goes; see [`Selector::covers`].
    pub fn covers(&self, key_text: &str, tags: &[Arc<str>], kind: &str, rule: &str) -> bool {
        self.selectors.iter().any(|one| one.covers(key_text, tags, kind, rule))
    }

    /// What it names, as people write it.
    pub fn said(&self) -> Vec<String> {
        self.selectors.iter().filter(|one| one.is_said()).map(ToString::to_string).collect()
    }

    /// Bytes of all that it names.
    pub fn text_bytes(&self) -> usize {
        self.selectors.iter().map(Selector::text_bytes).sum()
    }

    /// Whether it names nothing.
    pub fn is_empty(&self) -> bool {
        self.selectors.is_empty()
    }
}

#[cfg(test)]
mod tests;
