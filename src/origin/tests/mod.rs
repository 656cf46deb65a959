//! The client against an origin that does exactly what the script says, over real sockets.

mod answers;
mod basics;
mod bodies;
mod limits;
mod names;
mod reuse;
mod script;
mod upgrades;
mod uploads;
