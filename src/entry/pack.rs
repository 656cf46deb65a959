//! Bodies made smaller for the shared level, by zstd. A packed body is a row of whole zstd frames,
//! one for each 256 KiB of the body: it can be made and read a segment at a time, and the row as it
//! stands is a valid `zstd` content coding (RFC 8878, 3.1). What is read never grows beyond the
//! length that was told beforehand.
//!
//! The head is left as it is. Measured with JSON of 863 bytes and a head of 342 (ids, times, names
//! and prices; level 3): the body alone packs to 440 bytes; head and body in one to 659, which is
//! 123 bytes less than 342 + 440, and costs the body its coding. Levels 6 and 9 save 4 bytes more.
//! A dictionary of eight answers of the same form makes the body 249 bytes; but a dictionary must
//! be made for each form, stand in Redis for as long as any frame that needs it, and reach each
//! reader before that frame does. A fifth of a small value in Redis is not worth that, since the
//! key, its expiry and its indexes take as much.
//!
//! A packed frame takes four times as long to write as a plain one with 1 KiB of JSON (a hundredth
//! of a millisecond) and eight times with 64 KiB (a fifth of one); to read, twice as long with
//! either (`benches/frame.rs`). So megabytes take milliseconds: no worker packs them between
//! requests.

use bytes::Bytes;
use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::{compress_bound, find_frame_compressed_size, get_frame_content_size};

use crate::entry::Body;

#[cfg(test)]
mod tests;

/// Bytes of a body in one zstd frame; all but the last have as many.
const BLOCK_BYTES: usize = 256 * 1_024;

/// A body must become shorter by one part of this many, or it stays as it is.
const SAVED_PART_MIN: u64 = 10;

/// How bodies are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packing {
    /// The level of zstd.
    pub level: i32,
    /// Shorter bodies, in bytes, stay as they are.
    pub min: u64,
}

impl Default for Packing {
    /// Level 3 from 1 KiB on.
    fn default() -> Self {
        Self { level: 3, min: 1_024 }
    }
}

impl Packing {
    /// The body packed; `None` when it is too short or saves too little.
    pub(super) fn pack(&self, body: &Body) -> Option<Vec<u8>> {
        if body.len() < self.min || body.is_empty() {
            return None;
        }
        let mut compressor = Compressor::new(self.level).ok()?;
        let mut packed = Vec::new();
        let whole;
        let segments = if is_even(body) {
            body.segments()
        } else {
            whole = [body.to_bytes()];
            &whole
        };
        let mut read = 0;
        for block in segments.iter().flat_map(|segment| segment.chunks(BLOCK_BYTES)) {
            let mut one = Vec::with_capacity(compress_bound(block.len()));
            compressor.compress_to_buffer(block, &mut one).ok()?;
            packed.extend_from_slice(&one);
            read += block.len() as u64;
            // What is packed already, like a picture, shows in its first block.
            if packed.len() as u64 > read - read / SAVED_PART_MIN {
                return None;
            }
        }
        Some(packed)
    }
}

/// Whether a body of this length packs into one frame. Only that goes out as it is: a row of frames
/// is as valid (RFC 8878, 3.1), but clients that name `zstd` take the first frame for the whole and
/// tell nobody: aiohttp 3.13.3 and urllib3 2.0.2 do.
pub const fn is_one_frame(len: u64) -> bool {
    len <= BLOCK_BYTES as u64
}

/// Whether blocks of the body are blocks of its segments.
fn is_even(body: &Body) -> bool {
    let but_last = body.segments().split_last().map_or(&[][..], |(_, others)| others);
    but_last.iter().all(|segment| segment.len().is_multiple_of(BLOCK_BYTES))
}

/// The segments of a body of `len` bytes from its packed form; `None` when that is not what it is.
/// Takes no more memory than blocks of that length, one by one as their packed forms are met.
pub(super) fn unpack(mut packed: &[u8], len: u64) -> Option<Vec<Bytes>> {
    let mut decompressor = Decompressor::new().ok()?;
    let mut segments = Vec::new();
    let mut left = len;
    while left > 0 {
        let size = left.min(BLOCK_BYTES as u64);
        let frame = find_frame_compressed_size(packed).ok()?;
        let (block, rest) = packed.split_at_checked(frame)?;
        if get_frame_content_size(block).ok()? != Some(size) {
            return None;
        }
        let mut plain = Vec::with_capacity(size as usize);
        decompressor.decompress_to_buffer(block, &mut plain).ok()?;
        if plain.len() as u64 != size {
            return None;
        }
        segments.push(Bytes::from(plain));
        left -= size;
        packed = rest;
    }
    packed.is_empty().then_some(segments)
}
