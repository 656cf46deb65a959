//! Follows a chunked body byte by byte (RFC 9112, 7.1) to find its end and everything in it that
//! two readers could understand differently. It changes nothing and holds nothing: it says how many
//! of the bytes may be handed on. After a violation nothing more of the body may pass, so that it
//! never looks complete.

use super::bytes_allowed::TOKEN;
use crate::base::limits;

/// What is wrong with a chunked body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChunkFault {
    /// No size, a size that is not hexadecimal, or one beyond 2^63.
    #[error("a chunk size is not a hexadecimal number")]
    Size,
    /// Something else than CRLF where a line or chunk ends.
    #[error("a chunk line does not end with CRLF")]
    LineEnd,
    /// A control character in an extension or a trailer.
    #[error("a chunk extension or trailer holds a control character")]
    Control,
    /// A trailer line that is not a field line.
    #[error("a trailer is not a field line")]
    Trailer,
    /// A trailer that would change framing or routing (RFC 9110, 6.5.1).
    #[error("a trailer names a field that may not be one")]
    TrailerName,
    /// See [`limits::CHUNK_BALLAST_BYTES_MAX`].
    #[error("chunk extensions and trailers are too long")]
    Ballast,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    SizeStart,
    Size,
    SizeSpace,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    TrailerStart,
    TrailerName,
    TrailerValue,
    TrailerLf,
    EndLf,
    End,
}

/// Trailers that are refused: they frame, route or authenticate.
const FORBIDDEN_TRAILERS: [&[u8]; 6] =
    [b"content-length", b"transfer-encoding", b"host", b"connection", b"authorization", b"trailer"];

/// One more than the longest forbidden name, so that a longer name is not taken for its beginning.
const NAME_KEPT: usize = 18;

/// The place in a chunked body.
#[derive(Debug)]
pub(super) struct ChunkScan {
    at: At,
    /// The size being read, then what is left of the chunk.
    left: u64,
    ballast: usize,
    name: [u8; NAME_KEPT],
    name_len: usize,
}

impl Default for ChunkScan {
    fn default() -> Self {
        Self { at: At::SizeStart, left: 0, ballast: 0, name: [0; NAME_KEPT], name_len: 0 }
    }
}

impl ChunkScan {
    /// Whether the body has ended.
    pub(super) fn is_done(&self) -> bool {
        self.at == At::End
    }

    /// How many of `bytes` belong to the body and are sound, and what is wrong with the next.
    pub(super) fn read(&mut self, bytes: &[u8]) -> (usize, Option<ChunkFault>) {
        let mut rest = bytes;
        while let [byte, after @ ..] = rest {
            match self.at {
                At::End => break,
                At::Data => {
                    let taken = usize::try_from(self.left).unwrap_or(usize::MAX).min(rest.len());
                    self.left -= taken as u64;
                    if self.left == 0 {
                        self.at = At::DataCr;
                    }
                    rest = rest.get(taken..).unwrap_or_default();
                }
                _ => {
                    if let Err(fault) = self.step(*byte) {
                        return (bytes.len() - rest.len(), Some(fault));
                    }
                    rest = after;
                }
            }
        }
        (bytes.len() - rest.len(), None)
    }

    fn step(&mut self, byte: u8) -> Result<(), ChunkFault> {
        self.at = match self.at {
            At::SizeStart | At::Size | At::SizeSpace | At::Extension => self.size_line(byte)?,
            At::SizeLf => match (expect(byte, b'\n')?, self.left) {
                ((), 0) => At::TrailerStart,
                ((), _) => At::Data,
            },
            At::DataCr => expect(byte, b'\r').map(|()| At::DataLf)?,
            At::DataLf => expect(byte, b'\n').map(|()| At::SizeStart)?,
            At::TrailerStart | At::TrailerName | At::TrailerValue => self.trailer(byte)?,
            At::TrailerLf => expect(byte, b'\n').map(|()| At::TrailerStart)?,
            At::EndLf => expect(byte, b'\n').map(|()| At::End)?,
            at @ (At::Data | At::End) => at,
        };
        Ok(())
    }

    fn size_line(&mut self, byte: u8) -> Result<At, ChunkFault> {
        if let (At::SizeStart | At::Size, Some(digit)) = (self.at, char::from(byte).to_digit(16)) {
            // Sizes stay below 2^60: no reader behind us takes the sign bit for one.
            if self.left >> 56 != 0 {
                return Err(ChunkFault::Size);
            }
            if self.at == At::Size && self.left == 0 {
                // Leading zeros could go on for ever.
                self.ballast()?;
            }
            self.left = self.left << 4 | u64::from(digit);
            return Ok(At::Size);
        }
        match (self.at, byte) {
            (At::Size | At::Extension, b'\r') => Ok(At::SizeLf),
            (At::Size | At::SizeSpace, b';') => self.ballast().map(|()| At::Extension),
            // White space before the semicolon is bad but has to be read (RFC 9110, 5.6.3).
            (At::Size | At::SizeSpace, b' ' | b'\t') => self.ballast().map(|()| At::SizeSpace),
            (At::Extension, _) if !is_control(byte) => self.ballast().map(|()| At::Extension),
            (At::Extension | At::Size, b'\n') => Err(ChunkFault::LineEnd),
            (At::Extension, _) => Err(ChunkFault::Control),
            _ => Err(ChunkFault::Size),
        }
    }

    fn trailer(&mut self, byte: u8) -> Result<At, ChunkFault> {
        if self.at == At::TrailerStart && byte == b'\r' {
            return Ok(At::EndLf);
        }
        self.ballast()?;
        match (self.at, byte) {
            (At::TrailerValue, b'\r') => Ok(At::TrailerLf),
            (At::TrailerValue, _) if !is_control(byte) => Ok(At::TrailerValue),
            (At::TrailerValue, b'\n') => Err(ChunkFault::LineEnd),
            (At::TrailerValue, _) => Err(ChunkFault::Control),
            (At::TrailerName, b':') => self.trailer_named(),
            (at, _) if TOKEN[usize::from(byte)] => {
                if at == At::TrailerStart {
                    self.name_len = 0;
                }
                if let Some(place) = self.name.get_mut(self.name_len) {
                    *place = byte;
                    self.name_len += 1;
                }
                Ok(At::TrailerName)
            }
            _ => Err(ChunkFault::Trailer),
        }
    }

    fn trailer_named(&self) -> Result<At, ChunkFault> {
        let name = self.name.get(..self.name_len).unwrap_or_default();
        let forbidden = FORBIDDEN_TRAILERS.iter().any(|f| name.eq_ignore_ascii_case(f));
        if forbidden { Err(ChunkFault::TrailerName) } else { Ok(At::TrailerValue) }
    }

    fn ballast(&mut self) -> Result<(), ChunkFault> {
        self.ballast += 1;
        let fits = self.ballast <= limits::CHUNK_BALLAST_BYTES_MAX;
        if fits { Ok(()) } else { Err(ChunkFault::Ballast) }
    }
}

fn expect(byte: u8, wanted: u8) -> Result<(), ChunkFault> {
    if byte == wanted { Ok(()) } else { Err(ChunkFault::LineEnd) }
}

fn is_control(byte: u8) -> bool {
    (byte < 0x20 && byte != b'\t') || byte == 0x7f
}
