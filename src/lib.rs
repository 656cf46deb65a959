//! cistern, a transparent caching reverse proxy for HTTP APIs.
//!
//! The modules are floors: each imports only from floors below its own, and
//! `tests/architecture.rs` enforces it. Read [`engine::serve()`] for the story of one request.

pub mod base;

pub mod policy;

pub mod entry;
pub mod rules;
pub mod telemetry;

pub mod origin;
pub mod store;

pub mod engine;

pub mod edge;
pub mod jobs;

pub mod admin;

pub mod node;

pub mod cli;
