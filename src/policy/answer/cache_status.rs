//! This cache's member of `Cache-Status` (RFC 9211). Keys and reasons may hold any text; what
//! leaves here must parse as a structured field all the same.

use std::fmt;

use http::HeaderValue;
use smallvec::SmallVec;

use super::number::Digits;
use crate::base::names;
use crate::base::plain::is_plain;

/// Why a request went to the origin (RFC 9211, 2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fwd {
    /// The cache was told to keep out of it.
    Bypass,
    /// The method is not read from a cache.
    Method,
    /// Nothing is stored under this URI.
    UriMiss,
    /// What is stored was selected by other request fields.
    VaryMiss,
    /// Nothing is stored that fits; which of the two it was is not known.
    Miss,
    /// The client asked for the origin.
    Request,
    /// What is stored is stale, or must be validated before each use.
    Stale,
    /// Only a part is stored.
    Partial,
}

impl Fwd {
    /// The token of RFC 9211.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bypass => "bypass",
            Self::Method => "method",
            Self::UriMiss => "uri-miss",
            Self::VaryMiss => "vary-miss",
            Self::Miss => "miss",
            Self::Request => "request",
            Self::Stale => "stale",
            Self::Partial => "partial",
        }
    }
}

/// This cache's member of `Cache-Status`. Its text is a valid structured field whatever stands in
/// `key` and `detail`: bytes that a string cannot hold appear as `%XX`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheStatus<'a> {
    /// Served from the cache. Excludes `fwd` (RFC 9211, 2.1).
    pub hit: bool,
    /// Why it went to the origin.
    pub fwd: Option<Fwd>,
    /// The status the origin gave, where it differs from the one sent.
    pub fwd_status: Option<u16>,
    /// The answer was stored.
    pub stored: bool,
    /// The request waited for another one's answer.
    pub collapsed: bool,
    /// Seconds of lifetime left, negative when stale.
    pub ttl: Option<i64>,
    /// The key.
    pub key: Option<&'a str>,
    /// Reasons in words, each of two parts; left out when there are none.
    pub detail: &'a [[&'a str; 2]],
}

impl CacheStatus<'_> {
    /// The member as a line of its own, to be appended after those of caches behind this one.
    pub fn value(&self) -> HeaderValue {
        let mut line = Line(SmallVec::new());
        // Writing to it cannot fail.
        let _ = self.tell(&mut line);
        HeaderValue::from_bytes(&line.0).unwrap_or(HeaderValue::from_static(names::SELF))
    }

    /// Writes the member as text.
    ///
    /// # Errors
    /// Those of `f`.
    pub fn tell(&self, f: &mut impl fmt::Write) -> fmt::Result {
        f.write_str(names::SELF)?;
        if self.hit {
            f.write_str("; hit")?;
        } else if let Some(fwd) = self.fwd {
            f.write_str("; fwd=")?;
            f.write_str(fwd.as_str())?;
        }
        if let Some(status) = self.fwd_status {
            f.write_str("; fwd-status=")?;
            f.write_str(Digits::of(u64::from(status)).as_str())?;
        }
        if self.collapsed {
            f.write_str("; collapsed")?;
        }
        if self.stored {
            f.write_str("; stored")?;
        }
        if let Some(ttl) = self.ttl {
            f.write_str(if ttl < 0 { "; ttl=-" } else { "; ttl=" })?;
            f.write_str(Digits::of(ttl.unsigned_abs().min(INTEGER_MAX)).as_str())?;
        }
        if let Some(key) = self.key {
            f.write_str("; key=\"")?;
            write_escaped(f, key)?;
            f.write_str("\"")?;
        }
        if let Some((first, others)) = self.detail.split_first() {
            f.write_str("; detail=\"")?;
            first.iter().try_for_each(|part| write_escaped(f, part))?;
            for words in others {
                f.write_str("; ")?;
                words.iter().try_for_each(|part| write_escaped(f, part))?;
            }
            f.write_str("\"")?;
        }
        Ok(())
    }
}

/// Where a value is gathered, on the stack as a rule: every answer has one, and it is to cost one
/// allocation of the right size.
struct Line(SmallVec<[u8; 256]>);

impl fmt::Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

/// The range of a structured field's integer (RFC 9651, 3.3.1).
const INTEGER_MAX: u64 = 999_999_999_999_999;

impl fmt::Display for CacheStatus<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tell(f)
    }
}

/// The inside of a string of a structured field (RFC 9651, 3.3.3).
fn write_escaped(f: &mut impl fmt::Write, text: &str) -> fmt::Result {
    if is_plain(text.as_bytes()) {
        return f.write_str(text);
    }
    text.chars().try_for_each(|character| match character {
        ' '..='~' if !matches!(character, '"' | '\\') => f.write_char(character),
        odd => write_odd(f, odd),
    })
}

fn write_odd(f: &mut impl fmt::Write, character: char) -> fmt::Result {
    if matches!(character, '"' | '\\') {
        return write!(f, "\\{character}");
    }
    let mut buffer = [0; 4];
    character.encode_utf8(&mut buffer).bytes().try_for_each(|byte| write!(f, "%{byte:02X}"))
}
