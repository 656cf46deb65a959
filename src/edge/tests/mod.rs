//! Raw TCP clients, and streams in memory, against a small service that notes what reaches it.

mod bodies;
mod client;
mod drains;
mod heads;
mod http2;
mod lane;
mod lives;
mod reference;
mod service;
mod slowness;
mod splits;
mod upgrades;
