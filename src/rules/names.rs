//! The names that a route's matches give to parts of the path: one list for all of its matches, so
//! that a template can say `{id}` for each of them.

use super::charset::CharSet;

/// Names of a route in the order they were met.
#[derive(Clone, Debug, Default)]
pub(super) struct Names(Vec<Name>);

/// One name.
#[derive(Clone, Debug)]
pub(super) struct Name {
    text: Box<str>,
    /// What its value can hold in a key, over all matches.
    pub(super) chars: CharSet,
    /// Whether every match has it, so that it is never missing.
    pub(super) always: bool,
}

impl Names {
    /// The place of a name.
    pub(super) fn position(&self, text: &str) -> Option<usize> {
        self.0.iter().position(|name| *name.text == *text)
    }

    /// The name at a place.
    pub(super) fn get(&self, at: usize) -> Option<&Name> {
        self.0.get(at)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// All of them.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|name| &*name.text)
    }

    /// Adds the names of one match: those it has, each with what its value can hold.
    pub(super) fn add_match(&mut self, parts: &[(&str, CharSet, bool)], is_first: bool) {
        for name in &mut self.0 {
            name.always &= parts.iter().any(|(text, _, sure)| **text == *name.text && *sure);
        }
        for (text, chars, sure) in parts {
            match self.0.iter_mut().find(|name| *name.text == **text) {
                Some(name) => name.chars = name.chars.with(*chars),
                None => self.0.push(Name {
                    text: (*text).into(),
                    chars: *chars,
                    always: is_first && *sure,
                }),
            }
        }
    }
}
