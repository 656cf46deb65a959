//! Floor 5: work that nobody waits for. What is found is told in the event log and to operators;
//! no request depends on any of it.

pub mod alerts;
pub mod lanes;
pub mod measure;
pub mod ranges;
pub mod registry;
pub mod rounds;
pub mod runner;
mod setbacks;
pub mod sync;
pub mod verify;
pub mod warm;
pub mod watch;
