//! The body of a stored answer: bytes that nobody changes, in one exact block or in segments. What
//! came over a connection is packed again, so that an entry never pins a large read buffer for a
//! few bytes of it, and its cost is what it says.
//!
//! A body may bring a second form of the same content along: coded, as the shared level keeps it. A
//! body without one is no larger for that.

use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::base::budget::{Budget, Deposit};
use crate::entry::cost;

/// Longer bodies are held in segments of this length: no single allocation grows with an object,
/// and packing never needs more than one segment beyond what is already there.
pub const SEGMENT_BYTES: usize = 256 * 1_024;

/// Longer bodies count as bytes in transit where no store keeps them. What is shorter fits into the
/// buffers that every connection has, and is not worth the count.
const COUNTED_BYTES_MIN: u64 = 16 * 1_024;

/// Bytes of one stored answer; clones and slices share them.
#[derive(Clone, Debug)]
pub struct Body(Held);

#[derive(Clone, Debug)]
enum Held {
    One(Bytes),
    Many(Arc<Packed>),
}

#[derive(Debug)]
struct Packed {
    segments: Vec<Bytes>,
    len: u64,
    deposit: Option<Arc<Deposit>>,
    coded: Option<Box<Body>>,
}

impl Body {
    /// No bytes.
    pub const fn empty() -> Self {
        Self(Held::One(Bytes::new()))
    }

    /// Packs what came in pieces. Each piece is let go as soon as it is copied.
    pub fn from_chunks(chunks: Vec<Bytes>) -> Self {
        let (segments, len) = pack(chunks, Bytes::from);
        Self::of(segments, len)
    }

    /// The same, counted in `budget` while no store keeps it.
    pub fn in_transit(chunks: Vec<Bytes>, budget: &Arc<Budget>) -> Self {
        if chunks.iter().map(|chunk| chunk.len() as u64).sum::<u64>() <= COUNTED_BYTES_MIN {
            return Self::from_chunks(chunks);
        }
        let deposit = Deposit::new(budget);
        let (segments, len) = pack(chunks, |block| deposit.seal(block));
        let deposit = Some(deposit);
        Self(Held::Many(Arc::new(Packed { segments, len, deposit, coded: None })))
    }

    /// From a block that holds nothing else, or whose rest is wanted as well.
    pub(super) const fn from_block(block: Bytes) -> Self {
        Self(Held::One(block))
    }

    /// From segments as [`Body::segments`] gave them: exact blocks, full but for the last.
    pub(super) fn from_segments(segments: Vec<Bytes>) -> Self {
        let len = segments.iter().map(|segment| segment.len() as u64).sum();
        Self::of(segments, len)
    }

    /// The same bytes, and those of its coded form, counted in `budget` while no store keeps them,
    /// if they are worth it. Nothing is copied where nobody else holds them.
    #[must_use]
    pub fn counted_in(self, budget: &Arc<Budget>) -> Self {
        if self.len() <= COUNTED_BYTES_MIN || self.deposit().is_some() {
            return self;
        }
        let len = self.len();
        let (segments, coded) = match self.0 {
            Held::One(block) => (vec![block], None),
            Held::Many(packed) => Arc::try_unwrap(packed).map_or_else(
                |held| (held.segments.clone(), held.coded.clone()),
                |own| (own.segments, own.coded),
            ),
        };
        let coded = coded.map(|coded| Box::new(coded.counted_in(budget)));
        let deposit = Deposit::new(budget);
        let segments = segments.into_iter().map(|block| deposit.seal(Vec::from(block))).collect();
        Self(Held::Many(Arc::new(Packed { segments, len, deposit: Some(deposit), coded })))
    }

    fn of(mut segments: Vec<Bytes>, len: u64) -> Self {
        match segments.len() {
            0 => Self::empty(),
            1 => Self(Held::One(segments.pop().unwrap_or_default())),
            _ => Self(Held::Many(Arc::new(Packed { segments, len, deposit: None, coded: None }))),
        }
    }

    /// The same bytes with this coded form of theirs, or without one.
    #[must_use]
    pub(super) fn coded_as(self, coded: Option<Self>) -> Self {
        if self.coded().is_none() && coded.is_none() {
            return self;
        }
        let (len, deposit) = (self.len(), self.deposit().cloned());
        let segments = self.segments().to_vec();
        if coded.is_none() && deposit.is_none() {
            return Self::of(segments, len);
        }
        let coded = coded.map(Box::new);
        Self(Held::Many(Arc::new(Packed { segments, len, deposit, coded })))
    }

    /// The coded form of the same content, if it has one.
    pub fn coded(&self) -> Option<&Self> {
        match &self.0 {
            Held::One(_) => None,
            Held::Many(packed) => packed.coded.as_deref(),
        }
    }

    /// Where its bytes are counted; nothing for one too short for that.
    pub fn deposit(&self) -> Option<&Arc<Deposit>> {
        match &self.0 {
            Held::One(_) => None,
            Held::Many(packed) => packed.deposit.as_ref(),
        }
    }

    /// Where its bytes and those of its coded form are counted.
    pub fn deposits(&self) -> impl Iterator<Item = &Arc<Deposit>> {
        self.deposit().into_iter().chain(self.coded().and_then(Self::deposit))
    }

    /// Its length in bytes.
    pub fn len(&self) -> u64 {
        match &self.0 {
            Held::One(block) => block.len() as u64,
            Held::Many(packed) => packed.len,
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
            Held::Many(packed) => &packed.segments,
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
        if let [one] = self.segments() {
            return one.clone();
        }
        let mut whole = BytesMut::with_capacity(self.len() as usize);
        for segment in self.segments() {
            whole.extend_from_slice(segment);
        }
        whole.freeze()
    }

    /// Heap bytes of its coded form, and of what holds the two together.
    pub fn coded_heap_bytes(&self) -> u64 {
        let holder = cost::block(size_of::<Packed>() + cost::COUNTS)
            + cost::block(size_of_val(self.segments()));
        self.coded().map_or(0, |coded| coded.heap_bytes() + cost::block(size_of::<Self>()) + holder)
    }

    /// Heap bytes it holds when nothing else shares its block, without its coded form.
    pub fn heap_bytes(&self) -> u64 {
        let blocks: u64 =
            self.segments().iter().map(|s| cost::block(s.len()) + cost::SHARED_BLOCK).sum();
        match &self.0 {
            Held::One(_) => blocks,
            Held::Many(packed) => blocks + bookkeeping(packed.segments.len()),
        }
    }

    /// What [`Body::heap_bytes`] will say of a body of this length that came as one in transit.
    pub fn heap_bytes_of(len: u64) -> u64 {
        let (full, rest) = (len / SEGMENT_BYTES as u64, len % SEGMENT_BYTES as u64);
        let count = full + u64::from(rest > 0);
        let blocks = full * cost::block(SEGMENT_BYTES)
            + cost::block(rest as usize)
            + count * cost::SHARED_BLOCK;
        if len <= COUNTED_BYTES_MIN { blocks } else { blocks + bookkeeping(count as usize) }
    }
}

/// Heap bytes of what holds packed segments and counts them.
fn bookkeeping(segments: usize) -> u64 {
    // A block that carries its deposit has a larger head than a plain one.
    segments as u64 * cost::SHARED_BLOCK
        + cost::block(segments * size_of::<Bytes>())
        + cost::block(size_of::<Deposit>() + cost::COUNTS)
        + cost::block(size_of::<Packed>() + cost::COUNTS)
}

/// Copies pieces into segments of the full length, the last one as long as needed.
fn pack(chunks: Vec<Bytes>, mut seal: impl FnMut(Vec<u8>) -> Bytes) -> (Vec<Bytes>, u64) {
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
                segments.push(seal(std::mem::replace(&mut segment, next)));
            }
        }
    }
    (segments, total)
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
        for len in [0, 1, 16, 1_000, 16_384, 16_385, S - 1, S, S + 1, 2 * S, 3 * S + 77_777] {
            let body = Body::in_transit(vec![Bytes::from(vec![7; len])], &Budget::new(u64::MAX));
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
    fn packing_counts_each_byte_once() {
        let budget = Budget::new(u64::MAX);
        let whole = pattern(2 * SEGMENT_BYTES + 17);
        let came = |part: &[u8]| budget.take(part.len() as u64).hold(Bytes::copy_from_slice(part));
        let chunks: Vec<_> = whole.chunks(60_000).map(came).collect();
        assert_eq!(budget.used(), whole.len() as u64);
        let body = Body::in_transit(chunks, &budget);
        assert_eq!((budget.used(), body.to_bytes()), (whole.len() as u64, whole.into()));
        let sent = body.slice(5..6);
        drop(body);
        let first = SEGMENT_BYTES as u64;
        assert_eq!(budget.used(), first, "a byte of the first segment is still being sent");
        drop(sent);
        assert_eq!(budget.used(), 0);
        let short = Body::in_transit(vec![came(b"short")], &budget);
        assert_eq!((budget.used(), short.to_bytes()), (0, Bytes::from_static(b"short")));
    }

    #[test]
    fn what_was_put_together_uncounted_can_be_counted_later_without_a_copy() {
        let budget = Budget::new(u64::MAX);
        for len in [COUNTED_BYTES_MIN as usize + 1, SEGMENT_BYTES, 2 * SEGMENT_BYTES + 17] {
            let whole = pattern(len);
            let segments = whole.chunks(SEGMENT_BYTES).map(|part| Bytes::from(part.to_vec()));
            let body = Body::from_segments(segments.collect());
            let at = body.segments()[0].as_ptr();
            let body = body.counted_in(&budget);
            assert_eq!((budget.used(), body.segments()[0].as_ptr()), (len as u64, at));
            assert_eq!(body.heap_bytes(), Body::heap_bytes_of(len as u64));
            let again = body.clone().counted_in(&budget);
            assert_eq!((budget.used(), again.to_bytes()), (len as u64, whole.into()));
        }
        assert!(Body::empty().counted_in(&budget).deposit().is_none());
        assert_eq!(budget.used(), 0);
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

    #[test]
    fn a_coded_form_goes_along_and_comes_off() {
        let (whole, packed) = (pattern(3 * SEGMENT_BYTES), pattern(SEGMENT_BYTES + 9));
        for len in [9, SEGMENT_BYTES, whole.len()] {
            let (plain, coded) = (chunked(&whole[..len], 70_000), chunked(&packed[..len / 3], 9));
            let both = plain.clone().coded_as(Some(coded.clone()));
            assert_eq!((both.len(), both.to_bytes()), (len as u64, plain.to_bytes()));
            assert!(both.heap_bytes() >= plain.heap_bytes());
            assert_eq!(both.coded().unwrap().to_bytes(), coded.to_bytes());
            assert!(both.coded_heap_bytes() > coded.heap_bytes());
            assert_eq!(both.segments()[0].as_ptr(), plain.segments()[0].as_ptr());
            let bare = both.coded_as(None);
            assert!(bare.coded().is_none() && bare.coded_heap_bytes() == 0);
            assert_eq!(
                (bare.to_bytes(), bare.heap_bytes()),
                (plain.to_bytes(), plain.heap_bytes())
            );
        }
        assert!(Body::empty().coded_as(None).coded().is_none());
    }

    #[test]
    fn both_forms_are_counted_without_a_copy() {
        let budget = Budget::new(u64::MAX);
        let uncounted = |len: usize| Body::from_segments(vec![pattern(len).into()]);
        let both = uncounted(SEGMENT_BYTES).coded_as(Some(uncounted(50_000)));
        let at = both.coded().unwrap().segments()[0].as_ptr();
        let both = both.counted_in(&budget);
        assert_eq!(budget.used(), SEGMENT_BYTES as u64 + 50_000);
        assert_eq!(both.coded().unwrap().segments()[0].as_ptr(), at);
        assert_eq!(both.deposits().count(), 2);
        let plain = both.coded_as(None);
        assert_eq!((budget.used(), plain.deposits().count()), (SEGMENT_BYTES as u64, 1));
    }
}
