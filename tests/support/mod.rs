//! What the stories are told with: the real binary in a process of its own, origins that answer
//! from a script or keep the state of a whole system, and a client that sees raw answers.
//!
//! Everything blocks, nothing sleeps: what must wait for something waits at a gate, with a limit.

pub(crate) mod caller;
pub(crate) mod cistern;
pub(crate) mod client;
pub(crate) mod clock;
pub(crate) mod curl;
pub(crate) mod exposition;
pub(crate) mod fleet;
pub(crate) mod frames;
pub(crate) mod history;
pub(crate) mod operator;
pub(crate) mod origin;
pub(crate) mod patience;
pub(crate) mod program;
pub(crate) mod redis;
pub(crate) mod relay;
pub(crate) mod resident;
pub(crate) mod schema;
pub(crate) mod stage;
pub(crate) mod system;
pub(crate) mod tls;
pub(crate) mod traffic;
pub(crate) mod trial;
pub(crate) mod versions;
pub(crate) mod wire;

use std::time::Duration;

/// Longer than anything here takes, so that a story that hangs ends and says where.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
