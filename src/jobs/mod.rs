//! Floor 5: work that nobody waits for. What is found is told in the event log and to operators;
//! no request depends on any of it.

pub mod alerts;
pub mod measure;
pub mod watch;
