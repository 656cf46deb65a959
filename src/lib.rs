//! cistern, a transparent caching reverse proxy. The modules are floors: each imports only from
//! floors below its own, and `tests/architecture.rs` enforces it.

pub mod base;
pub mod entry;
pub mod policy;
pub mod rules;
