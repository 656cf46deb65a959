//! Floor 7: putting it together. Reads settings and rules, opens sinks and sockets, starts the
//! workers, reloads, drains. Nothing here decides what happens to a request.

pub mod build;
pub mod certs;
pub mod demo;
mod diff;
mod file;
mod follow;
pub mod front;
mod history;
pub mod load;
pub mod reload;
pub mod run;
pub mod settings;
mod signals;
pub mod sockets;
mod supervisor;
mod tend;
pub mod tokens;
mod watch;

pub(crate) use file::secret_of;
