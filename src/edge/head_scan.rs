//! Reads request heads as raw bytes and says where one ends, how its content is framed, or why it
//! is refused (RFC 9112, sections 2, 3, 5 and 6). It stands before the HTTP library, which hides
//! what it finds odd: equal lengths are merged, a length beside a coding is dropped, a bare LF
//! passes. It is pure and resumes where it stopped: the same bytes give the same verdict however
//! they were cut into reads.

use smallvec::SmallVec;

use super::bytes_allowed::{TOKEN, has_control};
use super::refusal::Refusal;
use super::target::{self, RequestLine};
use crate::base::limits;

/// How the content of a request is delimited (RFC 9112, 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// There is none, or it has no bytes.
    Empty,
    /// So many bytes, at least one.
    Length(u64),
    /// Chunks.
    Chunked,
}

/// A head that may be handed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Passed {
    /// Its bytes, with the empty line that ends it.
    pub(super) len: usize,
    /// What follows it.
    pub(super) framing: Framing,
    /// The answer may end HTTP on this connection: CONNECT, or a request with Upgrade.
    pub(super) may_switch: bool,
}

/// Where things stand in a head, in bytes from its beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    from: u32,
    len: u32,
}

impl Place {
    const fn of(from: usize, len: usize) -> Self {
        // A head is shorter than 4 GiB: `limits::HEAD_BYTES_MAX`.
        Self { from: from as u32, len: len as u32 }
    }

    /// What stands there.
    pub(super) fn within(self, head: &[u8]) -> &[u8] {
        let from = self.from as usize;
        head.get(from..from + self.len as usize).unwrap_or_default()
    }
}

/// A head that passed, with its parts found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sound<'a> {
    /// All its bytes.
    pub(super) bytes: &'a [u8],
    /// Its request line.
    pub(super) line: &'a [u8],
    fields: &'a [(Place, Place)],
}

impl<'a> Sound<'a> {
    /// Names and trimmed values of its field lines, in order.
    pub(super) fn fields(&self) -> impl ExactSizeIterator<Item = (&'a [u8], &'a [u8])> {
        let bytes = self.bytes;
        self.fields.iter().map(|(name, value)| (name.within(bytes), value.within(bytes)))
    }
}

/// What is known of the head so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scan {
    /// It has not ended.
    Partial,
    /// It ended and is sound.
    Passed(Passed),
    /// It is refused, whatever follows.
    Refused(Refusal),
}

/// Empty lines before a request line that are forgiven (RFC 9112, 2.2).
const EMPTY_LINES_MAX: u8 = 2;

/// What the longest method, the version and the separators may add to a target.
const AROUND_TARGET_MAX: usize = 128;

/// Requests of programs have fewer fields than this.
const FIELDS_USUAL: usize = 8;

/// One head as far as it was read.
#[derive(Debug, Default)]
pub(super) struct HeadScan {
    /// Where the first line begins that has not been judged.
    at: usize,
    empty_lines: u8,
    /// Names and values of the lines that have been judged.
    fields: SmallVec<[(Place, Place); FIELDS_USUAL]>,
    line: Option<RequestLine>,
    line_at: Place,
    host: bool,
    length: Option<u64>,
    chunked: bool,
    upgrade: bool,
}

impl HeadScan {
    /// Whether anything but empty lines has come, given the bytes that are held.
    pub(super) fn has_begun(&self, head: &[u8]) -> bool {
        self.line.is_some() || head.len() > self.at
    }

    /// The head that passed: `head` is what [`HeadScan::read`] had, up to its end.
    pub(super) fn sound<'a>(&'a self, head: &'a [u8]) -> Sound<'a> {
        Sound { bytes: head, line: self.line_at.within(head), fields: &self.fields }
    }

    /// Goes on reading: `head` is what the call before had, and more behind it.
    pub(super) fn read(&mut self, head: &[u8]) -> Scan {
        match self.lines(head) {
            Ok(None) => Scan::Partial,
            Ok(Some(passed)) => Scan::Passed(passed),
            Err(refusal) => Scan::Refused(refusal),
        }
    }

    fn lines(&mut self, head: &[u8]) -> Result<Option<Passed>, Refusal> {
        loop {
            let rest = head.get(self.at..).unwrap_or_default();
            let end = memchr::memchr(b'\n', rest);
            self.check_room(rest, end)?;
            let Some(end) = end else { return Ok(None) };
            let [line @ .., b'\r'] = rest.get(..end).unwrap_or_default() else {
                return Err(Refusal::BareLf);
            };
            let from = self.at;
            self.at += end + 1;
            match (self.line, line.is_empty()) {
                (None, true) if self.empty_lines < EMPTY_LINES_MAX => self.empty_lines += 1,
                (None, _) => {
                    self.line = Some(target::request_line(line)?);
                    self.line_at = Place::of(from, line.len());
                }
                (Some(_), false) => self.field(line, from)?,
                (Some(first), true) => return self.finish(first).map(Some),
            }
        }
    }

    /// Limits are judged on the line that breaks them, finished or not.
    fn check_room(&self, rest: &[u8], end: Option<usize>) -> Result<(), Refusal> {
        let used = end.map_or(rest.len(), |end| end + 1);
        if self.line.is_none() {
            target::first_byte(rest)?;
            if used > limits::TARGET_BYTES_MAX + AROUND_TARGET_MAX {
                return Err(Refusal::TargetTooLong);
            }
        }
        if self.at + used > limits::HEAD_BYTES_MAX {
            return Err(Refusal::HeadTooLong);
        }
        Ok(())
    }

    fn field(&mut self, line: &[u8], from: usize) -> Result<(), Refusal> {
        if self.fields.len() >= limits::HEAD_LINES_MAX {
            return Err(Refusal::TooManyLines);
        }
        let (name, value) = field_line(line)?;
        let before = line.len() - value.len();
        let value = trim_end(value);
        let place = Place::of(from + before, value.len());
        self.fields.push((Place::of(from, name.len()), place));
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => {
                if std::mem::replace(&mut self.host, true) {
                    return Err(Refusal::HostRepeated);
                }
                target::host(value)
            }
            7 if name.eq_ignore_ascii_case(b"upgrade") => {
                self.upgrade = true;
                Ok(())
            }
            14 if name.eq_ignore_ascii_case(b"content-length") => {
                let length = decimal(value).ok_or(Refusal::LengthInvalid);
                if self.length.is_some() {
                    return Err(Refusal::LengthRepeated);
                }
                self.length = Some(length?);
                Ok(())
            }
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                if std::mem::replace(&mut self.chunked, true) {
                    return Err(Refusal::CodingRepeated);
                }
                let chunked = value.eq_ignore_ascii_case(b"chunked");
                if chunked { Ok(()) } else { Err(Refusal::Coding) }
            }
            _ => Ok(()),
        }
    }

    fn finish(&self, line: RequestLine) -> Result<Passed, Refusal> {
        if !self.host && !line.http10 {
            return Err(Refusal::HostMissing);
        }
        let framing = match (self.length, self.chunked) {
            (Some(_), true) => return Err(Refusal::LengthAndCoding),
            (None, true) if line.http10 => return Err(Refusal::CodingInHttp10),
            (None, true) => Framing::Chunked,
            (Some(0) | None, false) => Framing::Empty,
            (Some(length), false) => Framing::Length(length),
        };
        if line.connect && framing != Framing::Empty {
            return Err(Refusal::ConnectBody);
        }
        let may_switch = line.connect || (self.upgrade && !line.http10);
        Ok(Passed { len: self.at, framing, may_switch })
    }
}

/// Name and value of a field line without its CRLF; the value without the white space before it.
fn field_line(line: &[u8]) -> Result<(&[u8], &[u8]), Refusal> {
    let end = line.iter().position(|&byte| !TOKEN[usize::from(byte)]).unwrap_or(line.len());
    let (name, rest) = line.split_at_checked(end).unwrap_or_default();
    let value = match rest {
        [b' ' | b'\t', ..] if name.is_empty() => return Err(Refusal::Folded),
        [b' ' | b'\t', ..] => return Err(Refusal::SpaceBeforeColon),
        [b':', value @ ..] if !name.is_empty() => value,
        _ => return Err(Refusal::FieldName),
    };
    if has_control(value) {
        return Err(Refusal::Control);
    }
    Ok((name, trim_start(value)))
}

/// Optional white space is spaces and tabs only (RFC 9110, 5.6.3).
fn trim_start(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = value {
        value = rest;
    }
    value
}

fn trim_end(mut value: &[u8]) -> &[u8] {
    while let [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// `1*DIGIT` within what signed 64-bit readers behind us can hold.
pub(super) fn decimal(value: &[u8]) -> Option<u64> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let add = |n: u64, d: &u8| n.checked_mul(10)?.checked_add(u64::from(d - b'0'));
    value.iter().try_fold(0_u64, add).filter(|n| i64::try_from(*n).is_ok())
}
