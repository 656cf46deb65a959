//! Counts what a server sends before it is parsed. The parser of the `redis` crate buffers a reply
//! until it is whole, whatever its length says, and makes a value of every element; here a reply
//! that is longer, deeper or of more parts than any we ask for ends the connection. Only RESP2 is
//! let through, since nothing else is asked for.
//!
//! What must never happen: that the memory of a node depends on what a server says.

use std::num::NonZeroU64;

use crate::base::limits::{REPLY_DEPTH_MAX, REPLY_LINE_BYTES_MAX, REPLY_PARTS_MAX};

/// Longest text of a number: a sign and 19 digits.
const NUMBER_BYTES_MAX: usize = 20;

/// Follows the replies on one connection.
#[derive(Debug)]
pub(super) struct Replies {
    at: At,
    /// Elements that are still to come, for each array that has begun.
    open: Vec<NonZeroU64>,
    /// Of the reply that has begun.
    parts: u64,
    bytes: u64,
    bytes_max: u64,
}

#[derive(Debug)]
enum At {
    /// Before the mark of a type.
    Mark,
    /// In the line behind it.
    Line { mark: u8, length: usize, number: Vec<u8>, cr: bool },
    /// In a string, so many bytes from the end of its line.
    Text { left: u64 },
}

/// What is wrong with a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Excess {
    #[error("a reply of too many bytes")]
    Bytes,
    #[error("a reply of too many parts")]
    Parts,
    #[error("a reply that is nested too deep")]
    Depth,
    #[error("not a reply")]
    Shape,
}

impl Replies {
    /// At the beginning of a connection. No reply may be longer than `bytes_max`.
    pub(super) const fn new(bytes_max: u64) -> Self {
        Self { at: At::Mark, open: Vec::new(), parts: 0, bytes: 0, bytes_max }
    }

    /// Takes what came next.
    pub(super) fn take(&mut self, mut bytes: &[u8]) -> Result<(), Excess> {
        while let Some((first, behind)) = bytes.split_first() {
            bytes = match &mut self.at {
                At::Mark if b"+-:$*".contains(first) => {
                    self.at = At::Line { mark: *first, length: 0, number: Vec::new(), cr: false };
                    behind
                }
                At::Mark => return Err(Excess::Shape),
                At::Text { left } => {
                    let step = (*left).min(bytes.len() as u64);
                    *left -= step;
                    if *left == 0 {
                        self.end_part();
                    }
                    bytes.get(step as usize..).unwrap_or_default()
                }
                At::Line { .. } => self.line(bytes)?,
            };
        }
        Ok(())
    }

    /// Up to the end of a line, or of what there is of it; gives what is behind.
    fn line<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], Excess> {
        let At::Line { mark, length, number, cr } = &mut self.at else { return Ok(bytes) };
        let end = memchr::memchr(b'\n', bytes);
        let part = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default();
        *length += part.len();
        if *length > REPLY_LINE_BYTES_MAX {
            return Err(Excess::Bytes);
        }
        if let Some(last) = part.last() {
            *cr = *last == b'\r';
        }
        if matches!(mark, b'$' | b'*' | b':') {
            if *length > NUMBER_BYTES_MAX + 1 {
                return Err(Excess::Shape);
            }
            number.extend_from_slice(part);
        }
        let Some(end) = end else { return Ok(&[]) };
        if !*cr {
            return Err(Excess::Shape);
        }
        let (mark, length, number) = (*mark, *length as u64, std::mem::take(number));
        self.add_bytes(length)?;
        self.end_line(mark, &number)?;
        Ok(bytes.get(end + 1..).unwrap_or_default())
    }

    fn end_line(&mut self, mark: u8, number: &[u8]) -> Result<(), Excess> {
        if matches!(mark, b'+' | b'-') {
            self.end_part();
            return Ok(());
        }
        let text = number.strip_suffix(b"\r").unwrap_or(number);
        let text = std::str::from_utf8(text).map_err(|_| Excess::Shape)?;
        let count: i64 = text.parse().map_err(|_| Excess::Shape)?;
        if mark == b':' {
            self.end_part();
            return Ok(());
        }
        // -1 is nil; anything below has no meaning.
        let Ok(count) = u64::try_from(count) else {
            self.end_part();
            return if count == -1 { Ok(()) } else { Err(Excess::Shape) };
        };
        if mark == b'$' {
            self.add_bytes(count)?;
            self.at = At::Text { left: count.saturating_add(2) };
            return Ok(());
        }
        let Some(elements) = NonZeroU64::new(count) else {
            self.end_part();
            return Ok(());
        };
        self.parts = self.parts.saturating_add(count);
        if self.parts > REPLY_PARTS_MAX {
            return Err(Excess::Parts);
        }
        if self.open.len() == REPLY_DEPTH_MAX {
            return Err(Excess::Depth);
        }
        self.open.push(elements);
        self.at = At::Mark;
        Ok(())
    }

    fn add_bytes(&mut self, count: u64) -> Result<(), Excess> {
        self.bytes = self.bytes.saturating_add(count);
        if self.bytes > self.bytes_max { Err(Excess::Bytes) } else { Ok(()) }
    }

    /// An element has ended, and with it every array of which it was the last.
    fn end_part(&mut self) {
        self.at = At::Mark;
        while let Some(elements) = self.open.last_mut() {
            if let Some(left) = NonZeroU64::new(elements.get() - 1) {
                *elements = left;
                return;
            }
            self.open.pop();
        }
        (self.parts, self.bytes) = (0, 0);
    }
}

#[cfg(test)]
mod tests;
