//! What a rule says over the origin's head. The rules compile into it and the policy reads it;
//! neither knows the other.

use crate::base::units::Span;

/// One route's word about what is kept, and for how long.
#[derive(Clone, Debug, PartialEq)]
pub struct Law {
    /// The lifetime.
    pub ttl: Ttl,
    /// How it meets the origin's own.
    pub ttl_mode: TtlMode,
    /// The statuses that get `ttl`.
    pub statuses: Vec<u16>,
    /// Statuses with a lifetime of their own.
    pub status_ttl: Vec<(u16, Span)>,
    /// RFC 5861, 3; `None` leaves it to the origin.
    pub stale_while_revalidate: Option<Span>,
    /// RFC 5861, 4; `None` leaves it to the origin.
    pub stale_if_error: Option<Span>,
    /// Which of the origin's words the rule reaches over.
    pub overrides: Overrides,
    /// Which cookies are left out of the stored copy.
    pub strip_cookies: CookieStrip,
    /// Media types that may be stored, `type/subtype` in lower case; empty for any.
    pub content_types: Vec<String>,
    /// The longest body that is stored, in bytes.
    pub max_object: Option<u64>,
    /// Whether a rule speaks at all.
    pub ruled: bool,
}

impl Default for Law {
    fn default() -> Self {
        Self {
            ttl: Ttl::Origin,
            ttl_mode: TtlMode::Replace,
            statuses: vec![200, 203, 204, 300, 301, 308],
            status_ttl: Vec::new(),
            stale_while_revalidate: None,
            stale_if_error: None,
            overrides: Overrides::default(),
            strip_cookies: CookieStrip::None,
            content_types: Vec::new(),
            max_object: None,
            ruled: false,
        }
    }
}

/// A lifetime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ttl {
    /// What the origin says.
    Origin,
    /// This long.
    For(Span),
    /// Until purged.
    Forever,
}

/// How the rule's lifetime meets the origin's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TtlMode {
    /// Instead of it.
    Replace,
    /// Only where it gives none.
    Silent,
    /// The shorter of the two.
    AtMost,
    /// The longer of the two.
    AtLeast,
}

/// Words of the origin that a rule reaches over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `no-store`.
    pub no_store: bool,
    /// `private`.
    pub private: bool,
    /// `no-cache`.
    pub no_cache: bool,
    /// `must-revalidate` and `proxy-revalidate`.
    pub must_revalidate: bool,
    /// `Vary`.
    pub vary: bool,
}

/// `Set-Cookie` lines that are left out of the stored copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CookieStrip {
    /// None of them.
    None,
    /// Those of these cookies.
    Named(Vec<String>),
    /// All.
    All,
}
