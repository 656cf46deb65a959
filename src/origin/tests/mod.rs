//! The client against an origin that does exactly what the script says, over real sockets.

mod basics;
mod script;
