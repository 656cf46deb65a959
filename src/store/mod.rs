//! Floor 3: where entries live. The first level keeps them in memory under byte budgets
//! ([`l1`]); the index beside it knows them by order, tag, rule, type and target, so that purges
//! are exact; [`fence`] decides whether what was fetched may still be stored; [`unshareable`]
//! remembers, in fixed memory, which keys gave answers that nobody may share.
//!
//! What must never happen: that an answer fetched before an order stands here after it. There is
//! one way in, [`l1::L1::land`], and it asks the fences while nothing can come between.

pub mod coherence;
pub mod fence;
pub mod gone;
mod index;
pub mod l1;
pub mod redis;
pub mod unshareable;
