//! Selecting fields (RFC 9111, 4.1).

use http::{HeaderMap, HeaderName};

use crate::base::fields::combined;

/// The names and values that select one stored variant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Selecting {
    names: Box<[HeaderName]>,
    values: Box<[Option<Box<[u8]>>]>,
}

impl Selecting {
    /// What `request` says in the fields `names`.
    pub fn of(names: &[HeaderName], request: &HeaderMap) -> Self {
        let values = names.iter().map(|n| combined(request, n).map(Into::into)).collect();
        Self { names: names.into(), values }
    }

    /// Whether `request` selects this variant.
    pub fn matches(&self, request: &HeaderMap) -> bool {
        self.names
            .iter()
            .zip(&self.values)
            .all(|(name, value)| combined(request, name).as_deref() == value.as_deref())
    }

    /// The field names.
    pub fn names(&self) -> &[HeaderName] {
        &self.names
    }

    /// Heap bytes held.
    pub fn bytes(&self) -> usize {
        self.values.iter().flatten().map(|v| v.len() + 16).sum::<usize>() + self.names.len() * 48
    }
}
