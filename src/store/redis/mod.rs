//! The shared level: Redis, Sentinel or Redis Cluster. Nothing that happens to a server may fail a
//! request or hold one up for longer than its budget; what a server says is checked before use.

mod cluster;
pub mod config;
pub mod doctor;
mod fault;
pub mod fleet;
mod keep;
pub mod keys;
mod link;
mod replies;
#[cfg(test)]
pub(crate) mod samples;
mod script;
pub mod scripts;
mod sentinel;
mod server;
mod servers;
mod slot;
#[cfg(test)]
mod tests;
mod tls;
mod topology;
mod watch;
mod way;
mod wire;

pub use fault::{FAULT_WORDS, TierFault};
pub use link::Role;
pub use script::{Script, ScriptCall, Step};
pub use server::{Server, State};
pub use servers::Servers;
pub use slot::{SLOTS, Slot};
pub use watch::Told;
