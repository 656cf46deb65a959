//! The body of a stored answer: bytes that nobody changes, in one exact block or in segments. What
//! came over a connection is packed again, so that an entry never pins a large read buffer for a
//! few bytes of it, and its cost is what it says.

use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::entry::cost;

/// Longer bodies are held in segments of this length: no single allocation grows with an object,
/// and packing never needs more than one segment beyond what is already there.
pub const SEGMENT_BYTES: usize = 256 * 1_024;

/// Bytes of one stored answer; clones and slices share them.
#[derive(Clone, Debug)]
pub struct Body(Held);

#[derive(Clone, Debug)]
enum Held {
    One(Bytes),
    Many { segments: Arc<[Bytes]>, len: u64 },
}

impl Body {
    /// No bytes.
    pub const fn empty() -> Self {
        Self(Held::One(Bytes::new()))
    }

    /// Packs what came in pieces. Each piece is let go as soon as it is copied.
    pub fn from_chunks(chunks: Vec<Bytes>) -> Self {
        let total: u64 = chunks.iter().map(|chunk| chunk.len() as u64).sum();
        let mut left = total;
        let mut segments = Vec::with_capacity(total.div_ceil(SEGMENT_BYTES as u64) as usize);
        let mut segment = Vec::with_capacity(left.min(SEGMENT_BYTES as u64) as usize);
        for mut chunk in chunks {
            while !chunk.is_empty() {
                let room = SEGMENT_BYTES - segment.len();
                let part = chunk.split_to(room.min(chunk.len()));
                segment.extend_from_slice(&part);
                left -= part.len() as u64;
                if segment.len() == SEGMENT_BYTES || left == 0 {
                    let next = Vec::with_capacity(left.min(SEGMENT_BYTES as u64) as usize);
                    segments.push(Bytes::from(std::mem::replace(&mut segment, next)));
                }
            }
        }
        Self::of(segments, total)
    }

    /// From a block that holds nothing else, or whose rest is wanted as well.
    pub(super) const fn from_block(block: Bytes) -> Self {
        Self(Held::One(block))
    }

    fn of(mut segments: Vec<Bytes>, len: u64) -> Self {
        match segments.len() {
            0 => Self::empty(),
            1 => Self(Held::One(segments.pop().unwrap_or_default())),
            _ => Self(Held::Many { segments: segments.into(), len }),
        }
    }

    /// Its length in bytes.
    pub fn len(&self) -> u64 {
        match &self.0 {
            Held::One(block) => block.len() as u64,
            Held::Many { len, .. } => *len,
        }
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its bytes in order; no segment is empty.
    pub fn segments(&self) -> &[Bytes] {
        match &self.0 {
            Held::One(block) if block.is_empty() => &[],
            Held::One(block) => std::slice::from_ref(block),
            Held::Many { segments, .. } => segments,
        }
    }

    /// The part from `range.start` up to before `range.end`, cut to what is there, without a copy.
    #[must_use]
    pub fn slice(&self, range: Range<u64>) -> Self {
        let end = range.end.min(self.len());
        let start = range.start.min(end);
        if start == 0 && end == self.len() {
            return self.clone();
        }
        let mut parts = Vec::new();
        let mut at = 0;
        for segment in self.segments() {
            let (from, to) = (at, at + segment.len() as u64);
            at = to;
            if to > start && from < end {
                let cut = (start.max(from) - from) as usize..(end.min(to) - from) as usize;
                parts.push(segment.slice(cut));
            }
        }
        Self::of(parts, end - start)
    }

    /// All of it in one piece: shared when it is one already, copied otherwise.
    pub fn to_bytes(&self) -> Bytes {
        match &self.0 {
            Held::One(block) => block.clone(),
            Held::Many { segments, len } => {
                let mut whole = BytesMut::with_capacity(*len as usize);
                for segment in segments.iter() {
                    whole.extend_from_slice(segment);
                }
                whole.freeze()
            }
        }
    }

    /// Heap bytes it holds when nothing else shares its block.
    pub fn heap_bytes(&self) -> u64 {
        let blocks: u64 =
            self.segments().iter().map(|s| cost::block(s.len()) + cost::SHARED_BLOCK).sum();
        match &self.0 {
            Held::One(_) => blocks,
            Held::Many { segments, .. } => {
                blocks + cost::block(size_of_val(segments.as_ref()) + cost::COUNTS)
            }
        }
    }

    /// What [`Body::heap_bytes`] will say of a packed body of this length.
    pub fn heap_bytes_of(len: u64) -> u64 {
        let (full, rest) = (len / SEGMENT_BYTES as u64, len % SEGMENT_BYTES as u64);
        let count = full + u64::from(rest > 0);
        let list = if count > 1 { count as usize * size_of::<Bytes>() + cost::COUNTS } else { 0 };
        full * cost::block(SEGMENT_BYTES)
            + cost::block(rest as usize)
            + count * cost::SHARED_BLOCK
            + cost::block(list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(len: usize) -> Vec<u8> {
        (0..len).map(|i| (i % 251) as u8).collect()
    }

    fn chunked(whole: &[u8], size: usize) -> Body {
        Body::from_chunks(whole.chunks(size).map(Bytes::copy_from_slice).collect())
    }

    #[test]
    fn the_cost_of_a_body_follows_from_its_length() {
        const S: usize = SEGMENT_BYTES;
        for len in [0, 1, 16, 1_000, S - 1, S, S + 1, 2 * S, 3 * S + 77_777] {
            let body = Body::from_chunks(vec![Bytes::from(vec![7; len])]);
            assert_eq!(Body::heap_bytes_of(len as u64), body.heap_bytes(), "{len}");
        }
    }

    #[test]
    fn small_bodies_are_one_exact_block() {
        let whole = pattern(1_000);
        let body = chunked(&whole, 7);
        assert_eq!(body.segments().len(), 1);
        assert_eq!(body.len(), 1_000);
        assert_eq!(body.to_bytes(), whole);
        assert!(chunked(&[], 1).is_empty());
        assert!(Body::from_chunks(vec![Bytes::new()]).segments().is_empty());
    }

    #[test]
    fn large_bodies_are_exact_segments() {
        for len in [SEGMENT_BYTES, SEGMENT_BYTES + 1, 3 * SEGMENT_BYTES, 3 * SEGMENT_BYTES + 17] {
            let whole = pattern(len);
            let body = chunked(&whole, 60_000);
            assert_eq!(body.len(), len as u64);
            assert_eq!(body.segments().len(), len.div_ceil(SEGMENT_BYTES));
            assert!(body.segments().iter().all(|s| !s.is_empty() && s.len() <= SEGMENT_BYTES));
            assert_eq!(body.to_bytes(), whole);
        }
    }

    #[test]
    fn packing_pins_no_foreign_buffer() {
        let read = Bytes::from(pattern(64 * 1_024));
        let body = Body::from_chunks(vec![read.slice(5..15)]);
        assert!(read.is_unique(), "ten bytes must not hold 64 KiB");
        assert_eq!(body.len(), 10);
    }

    #[test]
    fn slices_are_exact_and_cut_to_what_is_there() {
        let whole = pattern(2 * SEGMENT_BYTES + 100);
        let body = chunked(&whole, 100_000);
        let edge = SEGMENT_BYTES as u64;
        for range in [0..0, 0..1, edge - 1..edge + 1, 5..2 * edge + 3, edge..2 * edge, 7..7] {
            let want = &whole[range.start as usize..range.end as usize];
            assert_eq!(body.slice(range.clone()).to_bytes(), want, "{range:?}");
            assert_eq!(body.slice(range.clone()).len(), want.len() as u64);
        }
        assert_eq!(body.slice(2 * edge..u64::MAX).len(), 100);
        assert!(body.slice(u64::MAX - 1..u64::MAX).is_empty());
        assert_eq!(body.slice(0..u64::MAX).len(), body.len());
    }
}
