//! One entry as the shared level keeps it: the bytes of one value in Redis. A frame says its
//! version and all its lengths, is bound to the key it was written for, and carries the number that
//! the origin was asked under. What cannot be read is a miss: decoding never panics, never takes
//! more memory than the told and checked lengths, and never gives anything back that is not exactly
//! what was written under this key.
//!
//! # Version 1
//!
//! All numbers are little-endian. `text16` is a length of two bytes and so many bytes of UTF-8.
//!
//! | at | bytes | what |
//! |---|---|---|
//! | 0 | 4 | `C1 63 73 66`; no text in UTF-8 has the byte `C1` |
//! | 4 | 1 | the version, 1 |
//! | 5 | 1 | flags: 1 the body is packed, 2 sealed, 4 has a rule, 8 has a target; no others |
//! | 6 | 1 | the number of the key it is sealed with, else 0 |
//! | 7 | 1 | how many tags, at most 65 |
//! | 8 | 8 | the order number under which the origin was asked |
//! | 16 | 8 | checksum, see below |
//! | 24 | 4 | length of the labels, at most 640 KiB |
//! | 28 | 4 | length of the details, at most 320 KiB |
//! | 32 | 4 | length of the body when it is not packed, at most 64 MiB |
//! | 36 | 4 | length of all behind the labels |
//! | 40 | | labels: type, rule if it has one, target if it has one, each tag; each a `text16` |
//! | | 12 | the nonce, if sealed |
//! | | | details |
//! | | | body, packed ([`pack`]) or not |
//! | | 16 | the tag of AES-256-GCM, if sealed |
//!
//! The checksum is the first bytes of BLAKE3 over the length of the key's identity (8 bytes), the
//! identity, bytes 0 to 15, and all from byte 24 on. Details and body are what is sealed, bound to
//! the same without themselves: length of the identity, identity, bytes 0 to 15, and all from byte
//! 24 to the end of the labels. The details:
//!
//! | at | bytes | what |
//! |---|---|---|
//! | 0 | 8 | when the answer came: milliseconds since 1970 by Redis' clock |
//! | 8 | 8 | its age then, in milliseconds |
//! | 16 | 8 | the `Date` it is served with: milliseconds since 1970, as the origin said |
//! | 24 | 8 | from when it came to the end of its lifetime: signed milliseconds; 2^63-1 is never |
//! | 32 | 8 | the same to the end of stale-while-revalidate |
//! | 40 | 8 | the same to the end of stale-if-error |
//! | 48 | 2 | the status, 200 to 999 without 304 |
//! | 50 | 1 | flags of the stamp ([`StampFlags`](crate::policy::stamp::StampFlags)) |
//! | 51 | 1 | how many selecting fields, at most 16 |
//! | 52 | 2 | how many field lines, at most 256 |
//! | 54 | | each selecting field: its name as `text16`, then what was said |
//! | | | the name of each line as `text16`, in lower case |
//! | | | the end of each value in the block of values: 4 bytes each |
//! | | | the values |
//!
//! What a request said is a byte 0 for nothing; or 1, a length of one byte, and a value of at most
//! 128; or 2 and a BLAKE3 digest of 32 bytes.
//!
//! Labels are never sealed, because a sweep must judge values it has no key for; a tag or a URI
//! that is secret belongs into no rule. Sealing hides contents, not lengths. No credential of a
//! client is in a frame: an answer selected by one is not framed at all ([`FrameError::Secret`]).

mod cursor;
mod details;
mod fault;
mod glimpse;
mod header;
mod labels;
mod skew;
#[cfg(test)]
mod tests;

use std::ops::Range;

use bytes::Bytes;

use crate::base::ids::{Number, Tick};
use crate::base::limits::{FRAME_BODY_BYTES_MAX, FRAME_DETAILS_BYTES_MAX, FRAME_LABELS_BYTES_MAX};
use crate::entry::pack::{self, Packing};
use crate::entry::seal::{KeyRing, NONCE_BYTES, TAG_BYTES, Unopened};
use crate::entry::{Body, Entry, Key, Shapes};
use crate::policy;
use details::Details;
use header::{HEADER_BYTES, Header};

pub use fault::FrameError;
pub use glimpse::{Glimpse, glimpse};
pub use labels::Outline;
pub use skew::Skew;

/// Where in a frame the number stands, for who compares numbers without reading frames.
pub const NUMBER_AT: Range<usize> = 8..16;

const SEAL_BYTES: usize = NONCE_BYTES + TAG_BYTES;

/// What is done to an entry on its way out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Treatment<'a> {
    /// How its body is packed, if that saves anything.
    pub packing: Option<Packing>,
    /// What it is sealed with.
    pub seal: Option<&'a KeyRing>,
}

/// A frame that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Framed {
    /// Its bytes.
    pub bytes: Bytes,
    /// The packed body in it, where it is not sealed and one zstd frame: as it stands a `zstd`
    /// coding of the body that every client can read.
    pub packed: Option<Vec<u8>>,
}

/// What was in a frame.
#[derive(Debug)]
pub struct Opened {
    /// The order number under which its origin was asked.
    pub number: Number,
    /// Whether it was sealed, and with a key of the ring. Where a type is to be sealed, a frame
    /// that is not may have been written by anybody.
    pub sealed: bool,
    /// The entry, its body in both forms where it was packed and may go out so. They count nowhere
    /// yet ([`Entry::counted_in`]).
    pub entry: Entry,
}

/// Writes the frame of an entry that is kept under `key` and whose origin was asked under `born`.
///
/// # Errors
/// [`FrameError::Secret`], [`FrameError::TooLong`], or [`FrameError::Corrupt`] for an entry that no
/// frame can hold, [`FrameError::Sealed`] when there is no randomness: it stays where it is.
pub fn encode(
    key: &Key,
    entry: &Entry,
    born: Number,
    skew: Skew,
    how: &Treatment<'_>,
) -> Result<Framed, FrameError> {
    if entry.selecting.holds_secret() {
        return Err(FrameError::Secret);
    }
    let details = details::write(entry, skew)?;
    let labels = labels::write(&entry.labels)?;
    let body_len = entry.body.len();
    if body_len > FRAME_BODY_BYTES_MAX
        || details.len() > FRAME_DETAILS_BYTES_MAX
        || labels.len() > FRAME_LABELS_BYTES_MAX
    {
        return Err(FrameError::TooLong);
    }
    let packing = how.packing.filter(|_| !details::is_coded(&entry.head));
    let packed = packing.and_then(|packing| packing.pack(&entry.body));
    let stored = packed.as_ref().map_or(body_len as usize, Vec::len);
    let payload = details.len() + stored + how.seal.map_or(0, |_| SEAL_BYTES);
    let header = Header {
        packed: packed.is_some(),
        key_id: how.seal.map(KeyRing::id),
        has_rule: entry.labels.place.rule.is_some(),
        has_target: entry.labels.target.is_some(),
        tags: entry.labels.tags.len() as u8,
        number: born,
        checksum: [0; 8],
        labels: labels.len() as u32,
        details: details.len() as u32,
        body: body_len as u32,
        payload: payload as u32,
    };
    let mut frame = Vec::with_capacity(HEADER_BYTES + labels.len() + payload);
    frame.extend_from_slice(&header.write());
    frame.extend_from_slice(&labels);
    if how.seal.is_some() {
        frame.extend_from_slice(&[0; NONCE_BYTES]);
    }
    frame.extend_from_slice(&details);
    match &packed {
        Some(packed) => frame.extend_from_slice(packed),
        None => entry.body.segments().iter().for_each(|part| frame.extend_from_slice(part)),
    }
    if let Some(ring) = how.seal {
        seal(&mut frame, HEADER_BYTES + labels.len(), key, ring).ok_or(FrameError::Sealed)?;
    }
    header::sign(&mut frame, key);
    let packed = packed.filter(|_| how.seal.is_none() && pack::is_one_frame(body_len));
    Ok(Framed { bytes: Bytes::from(frame), packed })
}

/// Seals what stands behind the labels and the room for the nonce.
fn seal(frame: &mut Vec<u8>, labels_end: usize, key: &Key, ring: &KeyRing) -> Option<()> {
    let (open, closed) = frame.split_at_mut_checked(labels_end)?;
    let (room, text) = closed.split_first_chunk_mut::<NONCE_BYTES>()?;
    let (nonce, tag) = ring.seal(&header::bound(open, key), text)?;
    *room = nonce;
    frame.extend_from_slice(&tag);
    Some(())
}

/// Reads a frame that was found under `key`. The entry counts as born under `born`.
///
/// # Errors
/// Says what is wrong with it; whatever it is, the value is of no use here.
pub fn decode(
    key: &Key,
    bytes: &Bytes,
    skew: Skew,
    ring: Option<&KeyRing>,
    born: Tick,
    shapes: &Shapes,
) -> Result<Opened, FrameError> {
    let header = Header::read(bytes)?;
    let labels_end = HEADER_BYTES + header.labels as usize;
    let end = labels_end + header.payload as usize;
    if bytes.len() < end {
        return Err(FrameError::Truncated);
    }
    if bytes.len() > end {
        return Err(FrameError::Corrupt("length"));
    }
    if header::checksum(bytes, key) != header.checksum {
        return Err(FrameError::Checksum);
    }
    let (open, _) = bytes.split_at_checked(labels_end).ok_or(FrameError::Truncated)?;
    let labels = Outline::read(&header, open.get(HEADER_BYTES..).unwrap_or_default())?;
    let stored = bytes.slice(labels_end..);
    let plain = match header.key_id {
        Some(id) => {
            let ring = ring.ok_or(FrameError::NoKey(id))?;
            let plain = ring.open(id, &header::bound(open, key), &stored);
            Bytes::from(plain.map_err(|error| match error {
                Unopened::NoKey => FrameError::NoKey(id),
                Unopened::Refused => FrameError::Sealed,
            })?)
        }
        None => stored,
    };
    // The lengths of a header that was read fit each other.
    let details = plain.slice(..(header.details as usize).min(plain.len()));
    let rest = plain.slice(details.len()..);
    let Details { head, stamp, selecting } = details::read(&details, skew, born, shapes)?;
    let body_len = u64::from(header.body);
    let body = if header.packed {
        let segments = pack::unpack(&rest, body_len).ok_or(FrameError::Corrupt("packed body"))?;
        let open = header.key_id.is_none() && pack::is_one_frame(body_len);
        // What was sealed is not told by its length either. Another copy, as below.
        let coded = (open && policy::may_be_coded(head.status(), head.lines()))
            .then(|| Body::from_chunks(vec![rest]));
        Body::from_segments(segments).coded_as(coded)
    } else {
        // A copy, so that an entry does not pin what was read from a connection.
        Body::from_chunks(vec![rest])
    };
    let labels = labels.to_labels(shapes);
    let entry = Entry::new(head, body, stamp, selecting, labels);
    Ok(Opened { number: header.number, sealed: header.key_id.is_some(), entry })
}

/// What a sweep judges an entry by, from the beginning of its frame; [`outline_bytes`] says how
/// much of it is needed. Neither opened nor checked: who acts on it may at worst drop the wrong
/// value.
///
/// # Errors
/// [`FrameError::Truncated`] when the beginning is too short; others for what is no frame.
pub fn outline(prefix: &[u8]) -> Result<Outline<'_>, FrameError> {
    let header = Header::read(prefix)?;
    let end = HEADER_BYTES + header.labels as usize;
    let labels = prefix.get(HEADER_BYTES..end).ok_or(FrameError::Truncated)?;
    Outline::read(&header, labels)
}

/// How many bytes of a frame [`outline`] needs, from its first 40.
///
/// # Errors
/// [`FrameError::Truncated`] when there are fewer; others for what is no frame.
pub fn outline_bytes(prefix: &[u8]) -> Result<usize, FrameError> {
    Ok(HEADER_BYTES + Header::read(prefix)?.labels as usize)
}
