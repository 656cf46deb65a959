//! Floor 1: HTTP caching as pure functions of what is stored, what is asked, and the time. No
//! clock, no lock, no IO, nothing asynchronous: `now` is an argument. What may be stored and reused
//! by RFC 9110, 9111, 5861, 9211 and 9213 is decided here and nowhere else.
//!
//! ```text
//!            request                                      stored head + Stamp
//!               │                                                 │
//!   RequestDirectives::of(fields, manner.obey_client)             │
//!               │            Selecting::matches ── which variant ─┤
//!               └──────────────────► judge(stamp, wishes, now) ◄──┘
//!                                      │
//!     Fresh ───────────────────────────┤ serve: form, ranges, condition, answer::*
//!     WhileRevalidate ─────────────────┤ serve, and renew behind
//!     Validate(why) ── conditions() ───┘ ask the origin first
//!                          │
//!                      its answer ── error, none at all ──► serves_on_error ─► serve stale
//!                          │
//!              304 ── renewal() ── Other ──► ask again without a condition
//!               │        └─ Renewed ─► merge() ─┐
//!               └─ any other status ────────────┤
//!                                               ▼
//!                         storable(exchange, law, manner)
//!            kind ─ prohibitions ─ credentials ─ vary ─ cookies ─ body ─ lifetime ─ windows
//!                     │                                        │
//!                  Err(Reason): pass it on            Ok(Keep): stored_fields(), Stamp,
//!                                                     Selecting::of(keep.vary, request)
//! ```
//!
//! A [`Law`] is what a rule says over the origin's head, a [`Manner`] what the profile says where
//! the RFCs leave a choice.

pub mod answer;
pub mod breaker;
pub mod coded;
pub mod date;
pub mod directives;
pub mod freshness;
pub mod groups;
pub mod law;
pub mod manner;
pub mod range;
pub mod reference;
pub mod semantics;
pub mod stamp;
pub mod storable;
#[cfg(test)]
pub(crate) mod testing;
pub mod validate;
pub mod vary;
pub mod verdict;

#[cfg(test)]
mod tests;

pub use answer::{CacheStatus, Fwd};
pub use coded::{Form, form, may_be_coded};
pub use directives::{RequestDirectives, ResponseDirectives};
pub use freshness::TtlBy;
pub use groups::groups;
pub use law::{CookieStrip, Law, Overrides, Ttl, TtlMode};
pub use manner::{Manner, Profile};
pub use range::{Ranges, ranges};
pub use stamp::{Stamp, StampFlags};
pub use storable::{Credentials, Exchange, Keep, represents, storable, stored_fields};
pub use validate::{
    Condition, HeadEffect, Renewal, condition, conditions, head_effect, is_proven, merge,
    strong_condition,
};
pub use vary::{Selecting, vary_names};
pub use verdict::{Verdict, Why, is_error_for_stale, judge, serves_on_error};
