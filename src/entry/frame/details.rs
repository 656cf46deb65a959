//! Stamp, selecting values and head: the part of a frame that stands before the body.

use bytes::Bytes;
use http::{HeaderName, StatusCode, header};

use super::cursor::{Cursor, write16};
use super::fault::FrameError;
use super::skew::Skew;
use crate::base::clock::Timestamp;
use crate::base::fields::HOP_BY_HOP;
use crate::base::ids::Tick;
use crate::base::limits::{ORIGIN_HEAD_LINES_MAX, VARY_NAMES_MAX};
use crate::base::units::Span;
use crate::entry::{Entry, Head, Shapes};
use crate::policy::stamp::{Stamp, StampFlags};
use crate::policy::vary::{Said, Selecting};

/// Bytes before the first selecting field.
const FIXED_BYTES: usize = 54;

/// The distance to a moment that never comes.
const NEVER: i64 = i64::MAX;

const ABSENT: u8 = 0;
const TEXT: u8 = 1;
const DIGEST: u8 = 2;

/// What was read.
#[derive(Debug)]
pub(super) struct Details {
    pub(super) head: Head,
    pub(super) stamp: Stamp,
    pub(super) selecting: Selecting,
}

/// Whether a body has a content coding already.
pub(super) fn is_coded(head: &Head) -> bool {
    let coding = |(name, value): (&HeaderName, &[u8])| {
        name == header::CONTENT_ENCODING && !value.trim_ascii().eq_ignore_ascii_case(b"identity")
    };
    head.lines().any(coding)
}

/// The details of an entry as [`read`] takes them.
pub(super) fn write(entry: &Entry, skew: Skew) -> Result<Vec<u8>, FrameError> {
    let Entry { head, stamp, selecting, .. } = entry;
    let lines = head.names().len();
    if lines > ORIGIN_HEAD_LINES_MAX || selecting.names().len() > VARY_NAMES_MAX {
        return Err(FrameError::TooLong);
    }
    if !is_final(head.status()) {
        return Err(FrameError::Corrupt("status"));
    }
    let mut out = Vec::with_capacity(FIXED_BYTES + selecting.bytes() + 24 * lines + head.bytes());
    let distance = |until| distance(stamp.stored_at, until);
    out.extend_from_slice(&skew.to_redis(stamp.stored_at).as_millis().to_le_bytes());
    out.extend_from_slice(&stamp.age_at_store.as_millis().to_le_bytes());
    out.extend_from_slice(&stamp.date.as_millis().to_le_bytes());
    out.extend_from_slice(&distance(stamp.fresh_until).to_le_bytes());
    out.extend_from_slice(&distance(stamp.revalidate_until).to_le_bytes());
    out.extend_from_slice(&distance(stamp.error_until).to_le_bytes());
    out.extend_from_slice(&head.status().as_u16().to_le_bytes());
    out.extend_from_slice(&[stamp.flags.bits(), selecting.names().len() as u8]);
    out.extend_from_slice(&(lines as u16).to_le_bytes());
    for (name, said) in selecting.parts() {
        write16(&mut out, name.as_str().as_bytes()).ok_or(FrameError::TooLong)?;
        match said {
            Said::Absent => out.push(ABSENT),
            Said::Text(text) => {
                let len = u8::try_from(text.len()).map_err(|_| FrameError::TooLong)?;
                out.extend_from_slice(&[TEXT, len]);
                out.extend_from_slice(text);
            }
            Said::Digest(digest) => {
                out.push(DIGEST);
                out.extend_from_slice(digest);
            }
        }
    }
    for name in head.names() {
        if !may_be_kept(name) {
            return Err(FrameError::Corrupt("field name"));
        }
        write16(&mut out, name.as_str().as_bytes()).ok_or(FrameError::TooLong)?;
    }
    out.extend_from_slice(head.block());
    Ok(out)
}

/// Reads details; all of the bytes must belong to them.
pub(super) fn read(
    bytes: &Bytes,
    skew: Skew,
    born: Tick,
    shapes: &Shapes,
) -> Result<Details, FrameError> {
    let mut cursor = Cursor::new(bytes);
    let stamp = stamp(&mut cursor, skew, born).ok_or(FrameError::Corrupt("stamp"))?;
    let status = cursor.u16().and_then(|status| StatusCode::from_u16(status).ok());
    let status = status.filter(|status| is_final(*status)).ok_or(FrameError::Corrupt("status"))?;
    let flags = cursor.u8().and_then(StampFlags::from_bits).ok_or(FrameError::Corrupt("stamp"))?;
    let stamp = Stamp { flags, ..stamp };
    let count = cursor.u8().ok_or(FrameError::Corrupt("selecting field"))?;
    let lines = cursor.u16().map_or(usize::MAX, usize::from);
    if lines > ORIGIN_HEAD_LINES_MAX {
        return Err(FrameError::Corrupt("count of lines"));
    }
    let selecting = selecting(&mut cursor, count).ok_or(FrameError::Corrupt("selecting field"))?;
    if selecting.holds_secret() {
        return Err(FrameError::Secret);
    }
    let names = (0..lines).map(|_| name(&mut cursor).filter(may_be_kept));
    let names = names.collect::<Option<Vec<_>>>().ok_or(FrameError::Corrupt("field name"))?;
    // A copy, so that a head does not pin the frame it came in.
    let block = Bytes::copy_from_slice(cursor.rest());
    let head = Head::of_block(status, names, block, shapes);
    let head = head.ok_or(FrameError::Corrupt("field value"))?;
    Ok(Details { head, stamp, selecting })
}

/// Times and status alone, from the beginning of details.
pub(super) fn beginning(bytes: &[u8], skew: Skew) -> Option<(Stamp, StatusCode)> {
    let mut cursor = Cursor::new(bytes);
    let stamp = stamp(&mut cursor, skew, Tick::default())?;
    let status = StatusCode::from_u16(cursor.u16()?).ok()?;
    let flags = StampFlags::from_bits(cursor.u8()?)?;
    Some((Stamp { flags, ..stamp }, status))
}

/// The times of a stamp; its flags stand further on.
fn stamp(cursor: &mut Cursor<'_>, skew: Skew, born: Tick) -> Option<Stamp> {
    let stored_at = skew.to_own(Timestamp::from_millis(cursor.u64()?));
    let age_at_store = Span::from_millis(cursor.u64()?);
    let date = Timestamp::from_millis(cursor.u64()?);
    let fresh_until = moment(stored_at, cursor.i64()?);
    Some(Stamp {
        stored_at,
        age_at_store,
        date,
        fresh_until,
        revalidate_until: moment(stored_at, cursor.i64()?).max(fresh_until),
        error_until: moment(stored_at, cursor.i64()?).max(fresh_until),
        born,
        flags: StampFlags::default(),
    })
}

/// Milliseconds from one moment to another.
fn distance(from: Timestamp, to: Timestamp) -> i64 {
    let signed = |span: Span| i64::try_from(span.as_millis()).unwrap_or(NEVER).min(NEVER - 1);
    if to == Timestamp::NEVER {
        NEVER
    } else if to >= from {
        signed(to.since(from))
    } else {
        -signed(from.since(to))
    }
}

/// The moment at such a distance.
const fn moment(from: Timestamp, distance: i64) -> Timestamp {
    if distance == NEVER {
        return Timestamp::NEVER;
    }
    Timestamp::from_millis(from.as_millis().saturating_add_signed(distance))
}

fn selecting(cursor: &mut Cursor<'_>, count: u8) -> Option<Selecting> {
    if usize::from(count) > VARY_NAMES_MAX {
        return None;
    }
    let mut parts = Vec::with_capacity(usize::from(count));
    for _ in 0..count {
        let name = name(cursor)?;
        let said = match cursor.u8()? {
            ABSENT => Said::Absent,
            TEXT => {
                let len = cursor.u8()?;
                Said::Text(cursor.bytes(usize::from(len))?)
            }
            DIGEST => Said::Digest(cursor.array()?),
            _ => return None,
        };
        parts.push((name, said));
    }
    Selecting::of_parts(parts)
}

/// A field name in the one spelling that is written.
fn name(cursor: &mut Cursor<'_>) -> Option<HeaderName> {
    HeaderName::from_lowercase(cursor.bytes16()?).ok()
}

/// Fields of one hop are in no entry. Served from one, they would frame an answer anew.
fn may_be_kept(name: &HeaderName) -> bool {
    !HOP_BY_HOP.contains(name)
}

/// Neither an interim answer nor one that means another answer.
fn is_final(status: StatusCode) -> bool {
    !status.is_informational() && status != StatusCode::NOT_MODIFIED
}
