//! Floor 3: the application behind us. One worker owns one [`Upstreams`]: its idle connections and
//! what it knows of addresses. [`Upstreams::ask`] sends one request and hands back the head of the
//! answer with a body that streams; nothing here knows what a cache is.
//!
//! What must never happen: a request that may have been processed is sent again; a connection that
//! is half used is used again; an answer that broke off looks complete.

mod addresses;
mod answer;
mod ask;
mod body;
mod dial;
mod fault;
mod interim;
mod link;
mod outbound;
mod pool;
mod resolve;
mod slots;
mod spec;
mod target;
mod tunnel;
mod upgrade;
mod upload;
mod whole;
mod wire;

#[cfg(test)]
mod tests;

pub use ask::Inbound;
pub use body::InBody;
pub use fault::{BodyFault, OriginFault, Phase, Sent};
pub use interim::Interim;
pub use pool::Upstreams;
pub use resolve::{Looked, Lookup, SystemLookup};
pub use slots::{Slot, Slots};
pub use spec::{AskOptions, Keep, OnInterim, PhaseLimits, Spec};
pub use target::{Target, TargetError};
pub use tunnel::{TunnelEnd, Tunnelled, tunnel};
pub use upgrade::{Lane, Upgrade};
pub use whole::{Cut, Resumed, Whole, whole};

/// Any error a body may end with.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
