//! Floor 1: HTTP caching as pure functions of what is stored, what is asked, and the time.

pub mod date;
pub mod directives;
pub mod law;
pub mod manner;

pub use law::{CookieStrip, Law, Overrides, Ttl, TtlMode};
pub use manner::{Manner, Profile};
