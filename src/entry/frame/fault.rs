//! Why an entry has no frame, or a frame no entry.

/// What is wrong. In every case the entry is missed, and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// It is something else.
    #[error("not a frame")]
    Foreign,
    /// It was written by a newer program, in this version of the format.
    #[error("a frame of version {0}, which is newer than this program")]
    Newer(u8),
    /// Its end is missing.
    #[error("a frame without its end")]
    Truncated,
    /// This part of it is not what it must be.
    #[error("a frame with a wrong {0}")]
    Corrupt(&'static str),
    /// It was changed, or stands under a key that it was not written for.
    #[error("a frame that was changed or belongs to another key")]
    Checksum,
    /// It is sealed with the key of this number, which is not in the ring.
    #[error("a frame sealed with key {0}, which is not in the ring")]
    NoKey(u8),
    /// It cannot be sealed, or was not sealed with this key, for this place and as it is.
    #[error("a frame that cannot be sealed or opened")]
    Sealed,
    /// A part of the entry is longer than a frame may be.
    #[error("an entry that is too long for a frame")]
    TooLong,
    /// A credential of a client selects it.
    #[error("an entry that a credential selects")]
    Secret,
}

impl FrameError {
    /// The stable word in metrics and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Foreign => "foreign",
            Self::Newer(_) => "newer",
            Self::Truncated => "truncated",
            Self::Corrupt(_) => "corrupt",
            Self::Checksum => "checksum",
            Self::NoKey(_) => "no-key",
            Self::Sealed => "sealed",
            Self::TooLong => "too-long",
            Self::Secret => "secret",
        }
    }
}
