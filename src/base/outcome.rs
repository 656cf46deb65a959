//! What came of a request and which level answered it, in the words that logs, metrics and
//! `X-Cache` share.

/// What came of a request, in one word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// Fresh, from the cache.
    Hit,
    /// From the cache, past its lifetime.
    Stale,
    /// From the cache, after the origin confirmed it.
    Revalidated,
    /// From a fetch that another request had begun.
    Coalesced,
    /// From the origin, through the cache.
    #[default]
    Miss,
    /// From the origin, past the cache.
    Bypass,
    /// From ourselves, because something failed.
    Error,
}

impl Outcome {
    /// Every outcome, in the order of [`Outcome::index`].
    pub const ALL: [Self; 7] = [
        Self::Hit,
        Self::Stale,
        Self::Revalidated,
        Self::Coalesced,
        Self::Miss,
        Self::Bypass,
        Self::Error,
    ];

    /// Its place in [`Outcome::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The word in logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Stale => "stale",
            Self::Revalidated => "revalidated",
            Self::Coalesced => "coalesced",
            Self::Miss => "miss",
            Self::Bypass => "bypass",
            Self::Error => "error",
        }
    }

    /// The word in `X-Cache`.
    pub const fn as_x_cache(self) -> &'static str {
        match self {
            Self::Hit => "HIT",
            Self::Stale => "STALE",
            Self::Revalidated => "REVALIDATED",
            Self::Coalesced => "COALESCED",
            Self::Miss => "MISS",
            Self::Bypass => "BYPASS",
            Self::Error => "ERROR",
        }
    }

    /// Whether the cache was looked into for it: what goes past it or fails says nothing of how
    /// well it works.
    pub const fn is_cacheable(self) -> bool {
        !matches!(self, Self::Bypass | Self::Error)
    }

    /// Whether the answer came from the store (RFC 9211, `hit`).
    pub const fn is_hit(self) -> bool {
        matches!(self, Self::Hit | Self::Stale)
    }
}

/// A level of the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Level {
    /// In this process.
    #[default]
    One,
    /// Shared by all nodes.
    Two,
}

impl Level {
    /// Every level, in the order of [`Level::index`].
    pub const ALL: [Self; 2] = [Self::One, Self::Two];

    /// Its place in [`Level::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The word in `Cache-Status`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::One => "L1",
            Self::Two => "L2",
        }
    }

    /// The word in the access log.
    pub const fn as_word(self) -> &'static str {
        match self {
            Self::One => "l1",
            Self::Two => "l2",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_those_of_the_lists() {
        assert!(Outcome::ALL.iter().enumerate().all(|(at, outcome)| outcome.index() == at));
        assert!(Level::ALL.iter().enumerate().all(|(at, level)| level.index() == at));
    }
}
