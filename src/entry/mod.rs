//! Floor 2: the thing that is kept. A key finds a bundle, a bundle holds the variants of one
//! identity, each variant is an entry: head, body, stamp, what selects it and what purges it.
//! Entries never change; a renewed one replaces the old. Nothing here does IO or reads a clock,
//! only the frame of a large body takes more than a moment, and every byte an entry holds is
//! counted by [`Entry::cost`].

pub mod body;
pub mod bundle;
pub mod cost;
pub mod frame;
pub mod head;
pub mod key;
pub mod order;
pub mod pack;
pub mod resource;
#[cfg(test)]
pub(crate) mod samples;
pub mod seal;
mod softened;
pub mod tenant;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;

use crate::base::budget::Budget;
use crate::base::clock::Timestamp;
use crate::policy;
use crate::policy::stamp::Stamp;
use crate::policy::vary::Selecting;

pub use body::Body;
pub use bundle::Bundle;
pub use head::{Head, Shapes};
pub use key::Key;
pub use softened::Change;

use softened::Softened;

/// Up to this many bytes, head and body lie in one block: one allocation and one reference count
/// for a small object. For larger ones the saving is not worth the copy.
const ONE_BLOCK_BYTES_MAX: usize = 16 * 1_024;

/// Where in the rules an answer came from: one shared value for each route. Names, not numbers,
/// because an entry outlives the rulebook that stored it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Place {
    /// The route's name; `None` without a route.
    pub rule: Option<Arc<str>>,
    /// The type's name; empty for the nameless one.
    pub kind: Arc<str>,
}

/// What an order can name an entry by, besides its key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels {
    /// Rule and type.
    pub place: Arc<Place>,
    /// Tags, as orders name them.
    pub tags: Box<[Arc<str>]>,
    /// The absolute URI it was stored for; `None` when that is the key's own text.
    pub target: Option<Arc<str>>,
}

impl Labels {
    /// Labels of an answer to `target` that is kept under `key`.
    pub fn new(place: Arc<Place>, tags: &[Arc<str>], target: &str, key: &Key) -> Self {
        let target = (key.text() != target).then(|| Arc::from(target));
        Self { place, tags: tags.into(), target }
    }

    /// How many there are that not every entry has.
    pub fn count(&self) -> usize {
        self.tags.len() + usize::from(self.target.is_some())
    }

    /// Heap bytes they hold; the place is shared by all entries of a route.
    fn heap_bytes(&self) -> u64 {
        let tags: u64 = self.tags.iter().map(|tag| cost::text(tag.len())).sum();
        let target = self.target.as_ref().map_or(0, |target| cost::text(target.len()));
        cost::block(size_of_val(self.tags.as_ref())) + tags + target
    }
}

/// One stored answer.
#[derive(Debug)]
pub struct Entry {
    /// Status and fields, as they are served.
    pub head: Head,
    /// The whole body.
    pub body: Body,
    /// Times and facts for verdicts.
    pub stamp: Stamp,
    /// What a request must say to get this variant.
    pub selecting: Selecting,
    /// What orders name it by.
    pub labels: Labels,
    /// When it was last known to be current, by the steady clock of the node, in milliseconds.
    pub known_ms: u64,
    used_secs: AtomicU32,
    /// What soft orders did to it; nothing of an entry that none names.
    softened: Option<Box<Softened>>,
}

impl Entry {
    /// Puts an entry together. A small body moves into one block with its head. Its coded form
    /// stays where an answer with this head may go out so.
    pub fn new(head: Head, body: Body, stamp: Stamp, selecting: Selecting, labels: Labels) -> Self {
        let coded = body.coded().filter(|_| may_be_coded(&head, &selecting)).cloned();
        let (head, body) = in_one_block(head, body);
        let body = body.coded_as(coded);
        let used_secs = AtomicU32::new(secs(stamp.stored_at));
        Self { head, body, stamp, selecting, labels, known_ms: 0, used_secs, softened: None }
    }

    /// The same entry, its body counted in `budget` while no store keeps it.
    #[must_use]
    pub fn counted_in(self, budget: &Arc<Budget>) -> Self {
        Self { body: self.body.counted_in(budget), ..self }
    }

    /// The same entry with a coded form of its body beside it; nothing where the answer may not go
    /// out so.
    pub fn with_coded(&self, coded: Body) -> Option<Self> {
        may_be_coded(&self.head, &self.selecting).then(|| self.with_body(Some(coded)))
    }

    /// The same entry without the coded form of its body.
    #[must_use]
    pub fn without_coded(&self) -> Self {
        self.with_body(None)
    }

    fn with_body(&self, coded: Option<Body>) -> Self {
        Self { body: self.body.clone().coded_as(coded), ..self.copied() }
    }

    fn copied(&self) -> Self {
        Self {
            head: self.head.clone(),
            body: self.body.clone(),
            stamp: self.stamp,
            selecting: self.selecting.clone(),
            labels: self.labels.clone(),
            known_ms: self.known_ms,
            used_secs: AtomicU32::new(self.used_secs()),
            softened: self.softened.clone(),
        }
    }

    /// The same entry with another head.
    #[must_use]
    pub fn with_head(self, head: Head) -> Self {
        Self { head, ..self }
    }

    /// Whether this is `other`, whatever forms of its body they have and whichever soft orders name
    /// them: the same bytes, not equal ones.
    pub fn is_copy_of(&self, other: &Self) -> bool {
        let first = |entry: &Self| entry.body.segments().first().map(|part| part.as_ptr_range());
        let block = |entry: &Self| entry.head.block().as_ptr_range();
        self.stamp_before() == other.stamp_before()
            && self.known_ms == other.known_ms
            && block(self) == block(other)
            && first(self) == first(other)
    }

    /// Notes that it is used now. Coarse: readers of a hot entry write once a second at most.
    pub fn touch(&self, now: Timestamp) {
        let now = secs(now);
        if self.used_secs.load(Ordering::Relaxed) < now {
            self.used_secs.store(now, Ordering::Relaxed);
        }
    }

    /// Seconds since the epoch at its last use, or at its storing.
    pub fn used_secs(&self) -> u32 {
        self.used_secs.load(Ordering::Relaxed)
    }

    /// Every byte it takes: itself, head, both forms of its body, names, selecting values, tags.
    pub fn cost(&self) -> u64 {
        let body = (self.body.len(), || self.body.heap_bytes());
        let coded = self.body.coded_heap_bytes();
        let softened = if self.is_soft() { Softened::heap_bytes() } else { 0 };
        Self::cost_of(&self.head, body, &self.selecting, &self.labels) + coded + softened
    }

    /// What it will take with a body of this length that has no coded form.
    pub fn cost_with_body(&self, len: u64) -> u64 {
        let body = (len, || Body::heap_bytes_of(len));
        Self::cost_of(&self.head, body, &self.selecting, &self.labels)
    }

    fn cost_of(
        head: &Head,
        (len, heap_bytes): (u64, impl Fn() -> u64),
        selecting: &Selecting,
        labels: &Labels,
    ) -> u64 {
        let of_head = head.bytes();
        let one = len.saturating_add(of_head as u64) <= ONE_BLOCK_BYTES_MAX as u64;
        let blocks = if one {
            cost::block(of_head + len as usize) + cost::SHARED_BLOCK
        } else {
            cost::block(of_head) + cost::SHARED_BLOCK + heap_bytes()
        };
        cost::block(size_of::<Self>() + cost::COUNTS)
            + blocks
            + head.name_bytes()
            + labels.heap_bytes()
            + selecting.bytes() as u64
    }
}

/// Whether an answer may go out in a coded form. One that is selected by a secret is its caller's
/// own: the length of a coded text tells of what is in it.
fn may_be_coded(head: &Head, selecting: &Selecting) -> bool {
    !selecting.holds_secret() && policy::may_be_coded(head.status(), head.lines())
}

fn secs(at: Timestamp) -> u32 {
    u32::try_from(at.as_secs()).unwrap_or(u32::MAX)
}

fn in_one_block(head: Head, body: Body) -> (Head, Body) {
    let (of_head, whole) = (head.bytes(), head.bytes() as u64 + body.len());
    if whole > ONE_BLOCK_BYTES_MAX as u64 {
        return (head, body);
    }
    let mut block = Vec::with_capacity(whole as usize);
    block.extend_from_slice(head.block());
    for segment in body.segments() {
        block.extend_from_slice(segment);
    }
    let block = Bytes::from(block);
    (head.in_block(block.slice(..of_head)), Body::from_block(block.slice(of_head..)))
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;
    use crate::entry::samples::{self, fields};

    #[test]
    fn a_small_entry_is_one_block_and_reads_back() {
        let sent = fields(&[("content-type", "text/plain"), ("etag", "\"1\"")]);
        let body =
            Body::from_chunks(vec![Bytes::from_static(b"hello "), Bytes::from_static(b"you")]);
        let entry = samples::entry_of(Head::new(StatusCode::OK, &sent), body);
        assert_eq!(entry.head.to_header_map(), sent);
        assert_eq!(entry.body.to_bytes(), "hello you");
        let end_of_head = entry.head.block().as_ptr_range().end;
        assert_eq!(end_of_head, entry.body.segments()[0].as_ptr());
    }

    #[test]
    fn large_and_empty_bodies_read_back() {
        let sent = fields(&[("etag", "\"1\"")]);
        for len in [0, ONE_BLOCK_BYTES_MAX, 3 * body::SEGMENT_BYTES + 1] {
            let body = Body::in_transit(vec![Bytes::from(vec![7; len])], &Budget::new(u64::MAX));
            let entry = samples::entry_of(Head::new(StatusCode::OK, &sent), body);
            assert_eq!(entry.head.to_header_map(), sent);
            assert_eq!(entry.body.len(), len as u64);
            assert!(entry.body.segments().iter().flatten().all(|byte| *byte == 7));
            assert!(entry.cost() > len as u64 + size_of::<Entry>() as u64);
            let bodiless = samples::entry_of(Head::new(StatusCode::OK, &sent), Body::empty());
            assert_eq!(bodiless.cost_with_body(len as u64), entry.cost(), "{len}");
        }
    }

    fn coded(entry: &Entry) -> Option<Entry> {
        let coded = Body::from_chunks(vec![Bytes::from_static(&[7; 40])]);
        entry.with_coded(coded)
    }

    #[test]
    fn a_coded_form_costs_what_it_holds_and_no_more_when_it_is_gone() {
        for len in [100, ONE_BLOCK_BYTES_MAX, 3 * body::SEGMENT_BYTES] {
            let body = Body::from_chunks(vec![Bytes::from(vec![7; len])]);
            let head = Head::new(StatusCode::OK, &fields(&[("etag", "W/\"1\"")]));
            let plain = samples::entry_of(head, body);
            plain.touch(Timestamp::from_secs(7_000));
            let both = coded(&plain).unwrap();
            assert!(both.cost() >= plain.cost() + 40);
            assert!(both.cost() <= plain.cost() + 1_024, "{}", both.cost() - plain.cost());
            assert_eq!(both.used_secs(), 7_000);
            assert_eq!(both.without_coded().cost(), plain.cost());
            assert!(both.is_copy_of(&plain) && plain.is_copy_of(&both));
            let other = samples::entry_of(plain.head.clone(), plain.body.clone());
            assert_eq!(both.is_copy_of(&other), len >= ONE_BLOCK_BYTES_MAX, "its own block");
            let later = Entry { known_ms: 1, ..plain.without_coded() };
            assert!(!both.is_copy_of(&later));
        }
    }

    #[test]
    fn a_head_that_forbids_the_coded_form_drops_it() {
        let weak = &[("etag", "W/\"1\"")][..];
        let of = |lines: &[(&str, &str)], body: Body| {
            samples::entry_of(Head::new(StatusCode::OK, &fields(lines)), body)
        };
        for len in [10, 2 * ONE_BLOCK_BYTES_MAX] {
            let plain = of(weak, Body::from_chunks(vec![Bytes::from(vec![7; len])]));
            let both = coded(&plain).unwrap();
            let kept = of(weak, both.body.clone());
            assert_eq!(kept.body.coded().map(Body::len), Some(40));
            assert_eq!(kept.body.len(), len as u64);
            let strong = of(&[("etag", "\"1\"")], both.body.clone());
            assert!(strong.body.coded().is_none() && coded(&strong).is_none());
            assert_eq!(strong.body.len(), len as u64);
        }
    }

    #[test]
    fn what_a_secret_selects_has_no_coded_form() {
        let plain = samples::entry("text", &[]);
        assert!(coded(&plain).is_some());
        let request = fields(&[("cookie", "a=b")]);
        let selecting = Selecting::of(&[http::header::COOKIE], &request);
        let own = Entry { selecting, ..plain.without_coded() };
        assert!(coded(&own).is_none());
    }

    #[test]
    fn tags_and_targets_cost() {
        let key = Key::new("k", "", "");
        let bare = Labels::new(Arc::default(), &[], "k", &key);
        assert_eq!((bare.target.clone(), bare.heap_bytes()), (None, 0));
        let tags: Vec<Arc<str>> = vec!["rut:1".into(), "a-tag-that-is-longer".into()];
        let full = Labels::new(Arc::default(), &tags, "http://h/k", &key);
        assert_eq!(full.target.as_deref(), Some("http://h/k"));
        assert!(full.heap_bytes() >= 2 * 32 + 25 + 10);
    }

    #[test]
    fn use_marks_only_grow() {
        let entry = samples::entry("k", &[]);
        entry.touch(Timestamp::from_secs(5_000));
        entry.touch(Timestamp::from_secs(4_000));
        assert_eq!(entry.used_secs(), 5_000);
    }
}
