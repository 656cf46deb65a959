//! How asking an origin fails. Each fault says whether the request may have reached the origin:
//! whoever wants to send it again, or to count a write as done, must know that.

use std::io;
use std::net::SocketAddr;

use crate::base::fault::Fault;
use crate::base::units::Span;
use crate::origin::BoxError;

/// How far a request came before it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// No byte of it left: nobody has processed it.
    Nothing,
    /// Some of it left: the origin may have processed it.
    Maybe,
}

/// Which time limit passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Waiting for a place among `max_concurrent`.
    Queue,
    /// Name lookup and TCP connection.
    Connect,
    /// From the last byte sent to the head of the answer.
    FirstByte,
    /// Between two parts of the answer's body.
    BetweenBytes,
    /// The whole exchange.
    Total,
}

impl Phase {
    /// The word in faults and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Connect => "connect",
            Self::FirstByte => "first-byte",
            Self::BetweenBytes => "between-bytes",
            Self::Total => "total",
        }
    }
}

/// Why there is no answer head.
#[derive(Debug, thiserror::Error)]
pub enum OriginFault {
    /// The origin's name has no address.
    #[error("{host} could not be resolved: {cause}")]
    Resolve {
        /// The name.
        host: String,
        /// What the resolver said.
        cause: io::Error,
    },
    /// No address took the connection.
    #[error("{authority} took no connection: {cause}")]
    Connect {
        /// Where to.
        authority: String,
        /// The last address tried.
        address: Option<SocketAddr>,
        /// What the system said.
        cause: io::Error,
    },
    /// The connection ended before the head of the answer was complete.
    #[error("the connection ended before the answer: {cause}")]
    Reset {
        /// How far the request came.
        sent: Sent,
        /// What happened.
        cause: String,
    },
    /// A time limit passed.
    #[error("no answer within {limit} ({})", phase.as_str())]
    Timeout {
        /// Which limit.
        phase: Phase,
        /// Its length.
        limit: Span,
        /// How far the request came.
        sent: Sent,
    },
    /// What came is not HTTP, or not HTTP that one may pass on.
    #[error("not a valid answer: {0}")]
    BadAnswer(String),
    /// As many requests as allowed are on their way, and as many as allowed wait.
    #[error("the origin has as many requests as `max_concurrent` and `queue` allow")]
    Overload,
    /// There is no memory for its answer.
    #[error("the memory for answers on their way is used up")]
    Memory,
    /// The request cannot be sent, or its body broke off or stalled on the client's side.
    #[error("the request cannot be sent: {cause}")]
    Request {
        /// How far the request came.
        sent: Sent,
        /// What is wrong with it.
        cause: String,
    },
}

impl OriginFault {
    /// Whether the request may have been processed.
    pub const fn sent(&self) -> Sent {
        match self {
            Self::Resolve { .. } | Self::Connect { .. } | Self::Overload | Self::Memory => {
                Sent::Nothing
            }
            Self::BadAnswer(_) => Sent::Maybe,
            Self::Reset { sent, .. } | Self::Timeout { sent, .. } | Self::Request { sent, .. } => {
                *sent
            }
        }
    }

    /// The limit that passed, if one did.
    pub const fn timeout(&self) -> Option<(Phase, Span)> {
        match self {
            Self::Timeout { phase, limit, .. } => Some((*phase, *limit)),
            _ => None,
        }
    }

    /// What a client is told.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Overload | Self::Timeout { phase: Phase::Queue, .. } => {
                Fault::Overload("the origin is busy; see max_concurrent and queue")
            }
            Self::Memory => Fault::Overload("memory; see the settings `memory` and `l1.size`"),
            Self::Timeout { phase, limit, .. } => {
                Fault::Timeout { phase: phase.as_str(), limit: limit.to_string() }
            }
            Self::Request { cause, .. } => Fault::BadRequest(cause.clone()),
            other => Fault::Origin(other.to_string()),
        }
    }
}

/// Why an answer's body broke off. The error of [`crate::origin::InBody`] is always one of these,
/// boxed.
#[derive(Debug, thiserror::Error)]
pub enum BodyFault {
    /// The connection ended, or the framing broke, before the end (RFC 9112, 8).
    #[error("the answer broke off after {received} bytes: {cause}")]
    Incomplete {
        /// Bytes that came.
        received: u64,
        /// What happened.
        cause: String,
    },
    /// A time limit passed.
    #[error("the answer stalled after {received} bytes: {limit} ({})", phase.as_str())]
    Timeout {
        /// Bytes that came.
        received: u64,
        /// Which limit: [`Phase::BetweenBytes`] or [`Phase::Total`].
        phase: Phase,
        /// Its length.
        limit: Span,
    },
}

impl BodyFault {
    /// The fault inside a body's error, when it is one.
    pub fn of(error: &BoxError) -> Option<&Self> {
        error.downcast_ref()
    }

    /// What a client is told when nothing has been sent to it yet.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Incomplete { .. } => Fault::Origin(self.to_string()),
            Self::Timeout { phase, limit, .. } => {
                Fault::Timeout { phase: phase.as_str(), limit: limit.to_string() }
            }
        }
    }
}
