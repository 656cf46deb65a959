//! Floor 5: the sockets towards clients. One acceptor hands connections to workers, each worker
//! guards and serves its own, and every request that comes through is unambiguous. It knows how a
//! service is called and nothing of what a service does; it decides nothing about caching.

mod accept;
mod bytes_allowed;
mod chunk_scan;
mod closing;
mod conn;
mod deadline;
mod greet;
mod head_guard;
mod head_scan;
mod http2;
mod refusal;
mod request_head;
mod serve;
mod switch;
mod target;
mod tls;
mod workers;

#[cfg(test)]
mod tests;

/// A request body as it comes from a client.
pub use hyper::body::Incoming;

pub use accept::{Listener, Speech};
pub use chunk_scan::ChunkFault;
pub use conn::{Socket, attend};
pub use head_guard::Outgoing;
pub use refusal::Refusal;
pub use serve::{AtOnce, BoxError, Drained, Edge, Offer, Peer, Serve, Settings, Watch};
pub use tls::{HANDSHAKE_ENDS, Pair, PairFault, Tls};
