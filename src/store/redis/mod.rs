//! The shared level: Redis, Sentinel or Redis Cluster. Nothing that happens to a server may fail a
//! request or hold one up for longer than its budget; what a server says is checked before use.

pub mod config;
pub mod keys;
pub mod scripts;
