//! The first 40 bytes of a frame, and what binds the rest of it to them and to the key.

use super::cursor::Cursor;
use super::fault::FrameError;
use super::{NUMBER_AT, SEAL_BYTES};
use crate::base::ids::Number;
use crate::base::limits::{
    FRAME_BODY_BYTES_MAX, FRAME_DETAILS_BYTES_MAX, FRAME_LABELS_BYTES_MAX, LABEL_TAGS_MAX,
};
use crate::entry::Key;

pub(super) const HEADER_BYTES: usize = 40;

const MAGIC: [u8; 4] = [0xc1, b'c', b's', b'f'];
const VERSION: u8 = 1;

const PACKED: u8 = 1;
const SEALED: u8 = 1 << 1;
const HAS_RULE: u8 = 1 << 2;
const HAS_TARGET: u8 = 1 << 3;
const KNOWN: u8 = PACKED | SEALED | HAS_RULE | HAS_TARGET;

const CHECKSUM_BYTES: usize = 8;
const CHECKSUM_ENDS: usize = NUMBER_AT.end + CHECKSUM_BYTES;

#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    pub(super) packed: bool,
    /// `None` when it is not sealed.
    pub(super) key_id: Option<u8>,
    pub(super) has_rule: bool,
    pub(super) has_target: bool,
    pub(super) tags: u8,
    pub(super) number: Number,
    pub(super) checksum: [u8; CHECKSUM_BYTES],
    pub(super) labels: u32,
    pub(super) details: u32,
    /// Length of the body when it is not packed.
    pub(super) body: u32,
    /// Length of all behind the labels.
    pub(super) payload: u32,
}

impl Header {
    pub(super) fn write(&self) -> Vec<u8> {
        let flag = |flag: u8, so: bool| if so { flag } else { 0 };
        let flags = flag(PACKED, self.packed)
            | flag(SEALED, self.key_id.is_some())
            | flag(HAS_RULE, self.has_rule)
            | flag(HAS_TARGET, self.has_target);
        let mut out = Vec::with_capacity(HEADER_BYTES);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&[VERSION, flags, self.key_id.unwrap_or(0), self.tags]);
        out.extend_from_slice(&self.number.0.to_le_bytes());
        out.extend_from_slice(&self.checksum);
        for length in [self.labels, self.details, self.body, self.payload] {
            out.extend_from_slice(&length.to_le_bytes());
        }
        out
    }

    /// Reads a header whose bounds hold and whose lengths fit each other.
    pub(super) fn read(frame: &[u8]) -> Result<Self, FrameError> {
        let begins = frame.len().min(MAGIC.len());
        if frame.get(..begins) != MAGIC.get(..begins) {
            return Err(FrameError::Foreign);
        }
        match frame.get(MAGIC.len()) {
            None => return Err(FrameError::Truncated),
            Some(0) => return Err(FrameError::Foreign),
            Some(&VERSION) => {}
            Some(newer) => return Err(FrameError::Newer(*newer)),
        }
        let mut cursor = Cursor::new(frame.get(MAGIC.len() + 1..).unwrap_or_default());
        let header = Self::fields(&mut cursor).ok_or(FrameError::Truncated)??;
        header.bounded()
    }

    fn fields(cursor: &mut Cursor<'_>) -> Option<Result<Self, FrameError>> {
        let (flags, key_id, tags) = (cursor.u8()?, cursor.u8()?, cursor.u8()?);
        let header = Self {
            packed: flags & PACKED != 0,
            key_id: (flags & SEALED != 0).then_some(key_id),
            has_rule: flags & HAS_RULE != 0,
            has_target: flags & HAS_TARGET != 0,
            tags,
            number: Number(cursor.u64()?),
            checksum: *cursor.array()?,
            labels: cursor.u32()?,
            details: cursor.u32()?,
            body: cursor.u32()?,
            payload: cursor.u32()?,
        };
        let wrong = flags & !KNOWN != 0 || (key_id != 0) != header.key_id.is_some();
        Some(if wrong { Err(FrameError::Corrupt("flag")) } else { Ok(header) })
    }

    fn bounded(self) -> Result<Self, FrameError> {
        if usize::from(self.tags) > LABEL_TAGS_MAX {
            return Err(FrameError::Corrupt("count of tags"));
        }
        if self.labels as usize > FRAME_LABELS_BYTES_MAX
            || self.details as usize > FRAME_DETAILS_BYTES_MAX
            || u64::from(self.body) > FRAME_BODY_BYTES_MAX
        {
            return Err(FrameError::TooLong);
        }
        let seal = self.key_id.map_or(0, |_| SEAL_BYTES as u64);
        let stored = u64::from(self.payload).checked_sub(u64::from(self.details) + seal);
        let body = u64::from(self.body);
        // What is packed is shorter, or it would not be.
        let fits = stored.is_some_and(|stored| {
            if self.packed { stored > 0 && stored < body } else { stored == body }
        });
        if fits { Ok(self) } else { Err(FrameError::Corrupt("length")) }
    }
}

/// Writes the checksum into a frame that is whole but for it.
pub(super) fn sign(frame: &mut [u8], key: &Key) {
    let sum = checksum(frame, key);
    if let Some(place) = frame.get_mut(NUMBER_AT.end..CHECKSUM_ENDS) {
        place.copy_from_slice(&sum);
    }
}

/// The checksum of a whole frame under this key, whatever stands in its place.
pub(super) fn checksum(frame: &[u8], key: &Key) -> [u8; CHECKSUM_BYTES] {
    let mut hasher = blake3::Hasher::new();
    parts(frame, key, |part| {
        hasher.update(part);
    });
    let mut sum = [0; CHECKSUM_BYTES];
    hasher.finalize_xof().fill(&mut sum);
    sum
}

/// What a sealed frame is bound to: its key, its header and its labels.
pub(super) fn bound(open: &[u8], key: &Key) -> Vec<u8> {
    let mut all = Vec::with_capacity(CHECKSUM_BYTES + key.identity().len() + open.len());
    parts(open, key, |part| all.extend_from_slice(part));
    all
}

/// The key, its length before it, and the frame without the place of the checksum.
fn parts(frame: &[u8], key: &Key, mut each: impl FnMut(&[u8])) {
    let identity = key.identity();
    each(&(identity.len() as u64).to_le_bytes());
    each(identity.as_bytes());
    each(frame.get(..NUMBER_AT.end).unwrap_or_default());
    each(frame.get(CHECKSUM_ENDS..).unwrap_or_default());
}
