//! What went wrong and whose doing it was. One function (`engine::respond`) turns a fault into a
//! status; nothing else does.

/// Who is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Culprit {
    /// The request cannot be served as it is.
    Client,
    /// The application behind us failed.
    Origin,
    /// We ran out of something, or are wrong.
    Cistern,
}

/// A failure that a client is told about.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// 400: the request is ambiguous or malformed.
    #[error("bad request: {0}")]
    BadRequest(String),
    /// 400: the rules refuse requests of no tenant, and this one says none or several.
    #[error("no tenant: {0}")]
    NoTenant(String),
    /// 403: a PURGE from someone who may not.
    #[error("not allowed: {0}")]
    Forbidden(&'static str),
    /// 404: no origin for this host.
    #[error("no origin serves this host; add one with `hosts`, or [defaults] origin")]
    NoOrigin,
    /// 502: refused, reset, or not HTTP.
    #[error("the origin failed: {0}")]
    Origin(String),
    /// 504: a time limit passed.
    #[error("the origin took longer than {limit} ({phase})")]
    Timeout {
        /// Which limit: `connect`, `first-byte`, `between-bytes`, `total`.
        phase: &'static str,
        /// Its length, as written in the rules.
        limit: String,
    },
    /// 504: `only-if-cached`, and nothing usable is there (RFC 9111, 5.2.1.7).
    #[error("only-if-cached, and nothing usable is in the cache")]
    OnlyIfCached,
    /// 503: a bound was reached.
    #[error("overloaded: {0}")]
    Overload(&'static str),
    /// 508: the request has been here before.
    #[error("this request has passed through this proxy already; check the origin's address")]
    Loop,
}

impl Fault {
    /// The status a client sees.
    pub const fn status(&self) -> http::StatusCode {
        use http::StatusCode as S;
        match self {
            Self::BadRequest(_) | Self::NoTenant(_) => S::BAD_REQUEST,
            Self::Forbidden(_) => S::FORBIDDEN,
            Self::NoOrigin => S::NOT_FOUND,
            Self::Origin(_) => S::BAD_GATEWAY,
            Self::Timeout { .. } | Self::OnlyIfCached => S::GATEWAY_TIMEOUT,
            Self::Overload(_) => S::SERVICE_UNAVAILABLE,
            Self::Loop => S::LOOP_DETECTED,
        }
    }

    /// The stable code in logs and problem documents.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::BadRequest(_) => "bad-request",
            Self::NoTenant(_) => "tenant-missing",
            Self::Forbidden(_) => "forbidden",
            Self::NoOrigin => "no-origin",
            Self::Origin(_) => "origin-failed",
            Self::Timeout { .. } => "origin-timeout",
            Self::OnlyIfCached => "only-if-cached",
            Self::Overload(_) => "overload",
            Self::Loop => "loop",
        }
    }

    /// Whose doing it was.
    pub const fn culprit(&self) -> Culprit {
        match self {
            Self::BadRequest(_) | Self::NoTenant(_) | Self::Forbidden(_) | Self::OnlyIfCached => {
                Culprit::Client
            }
            Self::Origin(_) | Self::Timeout { .. } => Culprit::Origin,
            Self::NoOrigin | Self::Overload(_) | Self::Loop => Culprit::Cistern,
        }
    }
}
