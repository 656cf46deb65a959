//! What can come of a call instead of an answer. A fault here is never a fault of the request: it
//! costs a hit. The error words of servers are kept, since scripts and operators know them.

use std::error::Error as _;
use std::io;
use std::sync::Arc;

use redis::{ErrorKind, RedisError, ServerError};

/// Why a call to a server gave nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TierFault {
    /// The server is known to be away; it was not asked.
    #[error("not asked: the server is away")]
    Open,
    /// As many calls as allowed are under way; it was not asked.
    #[error("not asked: too many calls are under way")]
    Busy,
    /// No server is known for the slot; nobody was asked.
    #[error("no server is known for this")]
    Unserved,
    /// No answer in time. The call may have been carried out, or may yet be.
    #[error("no answer in time")]
    Deadline,
    /// The connection ended. The call may have been carried out.
    #[error("connection lost: {0}")]
    Lost(String),
    /// The server's own error, beginning with its code word.
    #[error("{0}")]
    Refused(String),
    /// The slot belongs to another server now.
    #[error("the slot is elsewhere")]
    Moved,
    /// What came is not what was asked for. The connection was thrown away.
    #[error("answer not understood: {0}")]
    Garbage(String),
}

/// The words of [`TierFault::as_str`], in the order of [`TierFault::index`].
pub const FAULT_WORDS: [&str; 8] =
    ["open", "busy", "unserved", "deadline", "lost", "refused", "moved", "garbage"];

impl TierFault {
    /// The word for logs and labels.
    pub fn as_str(&self) -> &'static str {
        FAULT_WORDS.get(self.index()).copied().unwrap_or_default()
    }

    /// Its place in [`FAULT_WORDS`].
    pub const fn index(&self) -> usize {
        match self {
            Self::Open => 0,
            Self::Busy => 1,
            Self::Unserved => 2,
            Self::Deadline => 3,
            Self::Lost(_) => 4,
            Self::Refused(_) => 5,
            Self::Moved => 6,
            Self::Garbage(_) => 7,
        }
    }

    /// The first word of the server's own error: `OOM`, `READONLY`, `ASK`, `ERR`.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused(text) => text.split(' ').next(),
            Self::Moved => Some("MOVED"),
            _ => None,
        }
    }

    /// Whether it shows that the server cannot serve now, so that its breaker counts it. A server
    /// that says `OOM` or `READONLY` answers well; one that is loading does not.
    pub(super) fn is_outage(&self) -> bool {
        match self {
            Self::Deadline | Self::Lost(_) | Self::Garbage(_) => true,
            Self::Refused(_) => {
                matches!(self.code(), Some("LOADING" | "MASTERDOWN" | "CLUSTERDOWN" | "BUSY"))
            }
            Self::Open | Self::Busy | Self::Unserved | Self::Moved => false,
        }
    }

    /// Whether it shows that the servers stand differently to each other than was believed.
    pub(super) fn is_surprise(&self) -> bool {
        matches!(self.code(), Some("MOVED" | "READONLY" | "CLUSTERDOWN"))
    }

    /// One error reply.
    pub(super) fn of_reply(error: &ServerError) -> Self {
        match (error.code(), error.details()) {
            ("MOVED", _) => Self::Moved,
            (code, Some(details)) => Self::Refused(format!("{code} {details}")),
            (code, None) => Self::Refused(code.to_owned()),
        }
    }
}

impl From<RedisError> for TierFault {
    fn from(error: RedisError) -> Self {
        match error.kind() {
            ErrorKind::Parse | ErrorKind::UnexpectedReturnType => {
                return Self::Garbage(error.to_string());
            }
            ErrorKind::AuthenticationFailed => return Self::Refused(format!("NOAUTH {error}")),
            ErrorKind::Io => {
                let invalid = io_kind(&error) == Some(io::ErrorKind::InvalidData);
                let text = error.to_string();
                return if invalid { Self::Garbage(text) } else { Self::Lost(text) };
            }
            _ => {}
        }
        let text = error.to_string();
        match error.into_server_errors().as_deref() {
            Some([(_, first), ..]) => Self::of_reply(first),
            _ => Self::Lost(text),
        }
    }
}

fn io_kind(error: &RedisError) -> Option<io::ErrorKind> {
    // The cause is shared, and what is seen first is the share.
    let shared = error.source()?.downcast_ref::<Arc<dyn std::error::Error + Send + Sync>>()?;
    shared.downcast_ref::<io::Error>().map(io::Error::kind)
}

/// Where a `MOVED` reply points to: host, possibly empty, and port.
pub(super) fn moved_to(error: &RedisError) -> Option<(String, u16)> {
    let (address, _) = error.redirect_node()?;
    let (host, port) = address.rsplit_once(':')?;
    Some((host.to_owned(), port.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> TierFault {
        let wire = format!("-{line}\r\n");
        let value = redis::parse_redis_value(wire.as_bytes()).unwrap();
        TierFault::from(value.extract_error().unwrap_err())
    }

    #[test]
    fn errors_of_servers_keep_their_words() {
        let oom = of("OOM command not allowed when used memory > 'maxmemory'.");
        assert_eq!(oom.code(), Some("OOM"));
        assert_eq!(oom.to_string(), "OOM command not allowed when used memory > 'maxmemory'.");
        assert_eq!(of("MOVED 3999 127.0.0.1:6381"), TierFault::Moved);
        for code in ["ERR", "ASK", "TRYAGAIN", "NOSCRIPT", "WRONGTYPE", "READONLY", "NOAUTH"] {
            assert_eq!(of(&format!("{code} a b")).code(), Some(code));
        }
    }

    #[test]
    fn only_a_server_that_cannot_serve_has_an_outage() {
        for code in ["LOADING", "MASTERDOWN", "CLUSTERDOWN", "BUSY"] {
            assert!(of(&format!("{code} so")).is_outage(), "{code}");
        }
        for code in ["OOM", "READONLY", "MOVED 1 a:1", "ASK 1 a:1", "NOSCRIPT", "WRONGTYPE", "ERR"]
        {
            assert!(!of(&format!("{code} so")).is_outage(), "{code}");
        }
        assert!(TierFault::Deadline.is_outage() && !TierFault::Busy.is_outage());
    }

    #[test]
    fn moved_names_a_place() {
        let value = redis::parse_redis_value(b"-MOVED 7 ::1:6381\r\n").unwrap();
        let error = value.extract_error().unwrap_err();
        assert_eq!(moved_to(&error), Some(("::1".to_owned(), 6_381)));
        let value = redis::parse_redis_value(b"-MOVED 7 :6381\r\n").unwrap();
        let error = value.extract_error().unwrap_err();
        assert_eq!(moved_to(&error), Some((String::new(), 6_381)));
    }

    #[test]
    fn words_and_indexes_agree() {
        let all = [
            TierFault::Open,
            TierFault::Busy,
            TierFault::Unserved,
            TierFault::Deadline,
            TierFault::Lost(String::new()),
            TierFault::Refused(String::new()),
            TierFault::Moved,
            TierFault::Garbage(String::new()),
        ];
        assert_eq!(all.map(|fault| fault.as_str()), FAULT_WORDS);
    }
}
