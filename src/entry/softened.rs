//! What soft orders have done to an entry: it is stale, remembers which orders made it so, and what
//! it was before. Undoing the last of them gives back exactly that.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::base::ids::SoftId;
use crate::base::limits;
use crate::entry::order::Soft;
use crate::entry::{Entry, cost};
use crate::policy::stamp::Stamp;

/// The soft orders that name an entry, and its stamp before them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Softened {
    before: Stamp,
    by: SmallVec<[Soft; 1]>,
}

impl Softened {
    /// Heap bytes it takes.
    pub(super) const fn heap_bytes() -> u64 {
        cost::block(size_of::<Self>())
    }
}

/// What becomes of an entry.
#[derive(Debug)]
pub enum Change {
    /// Nothing.
    None,
    /// Another one takes its place.
    To(Arc<Entry>),
    /// It goes.
    Gone,
}

impl Entry {
    /// What it becomes by soft orders: stale from the first of them on. By too many it goes.
    pub fn softened(&self, by: &[Soft]) -> Change {
        let mut marks: SmallVec<[Soft; 1]> = self.soft_orders().into();
        for one in by {
            if !marks.iter().any(|mark| mark.id == one.id) {
                marks.push(*one);
            }
        }
        if marks.len() == self.soft_orders().len() {
            return Change::None;
        }
        if marks.len() > limits::SOFT_MARKS_MAX {
            return Change::Gone;
        }
        Change::To(Arc::new(self.marked(marks)))
    }

    /// The same for one that nobody else holds; nothing of what goes.
    pub fn softly(self, by: &[Soft]) -> Option<Self> {
        match self.softened(by) {
            Change::None => Some(self),
            Change::To(other) => Arc::into_inner(other),
            Change::Gone => None,
        }
    }

    /// What it becomes where a soft order is taken back.
    pub fn restored(&self, id: SoftId) -> Change {
        let marks = self.soft_orders().iter().filter(|mark| mark.id != id).copied();
        let marks: SmallVec<[Soft; 1]> = marks.collect();
        if marks.len() == self.soft_orders().len() {
            return Change::None;
        }
        Change::To(Arc::new(self.marked(marks)))
    }

    /// The soft orders that name it.
    pub fn soft_orders(&self) -> &[Soft] {
        self.softened.as_ref().map_or(&[], |softened| &softened.by)
    }

    /// Whether soft orders name it.
    pub const fn is_soft(&self) -> bool {
        self.softened.is_some()
    }

    /// Its stamp as it was before any soft order.
    pub(super) fn stamp_before(&self) -> Stamp {
        self.softened.as_ref().map_or(self.stamp, |softened| softened.before)
    }

    fn marked(&self, by: SmallVec<[Soft; 1]>) -> Self {
        let before = self.stamp_before();
        let first = by.iter().map(|mark| mark.at).min();
        let stamp = first.map_or(before, |at| before.softened(at));
        let softened = first.map(|_| Box::new(Softened { before, by }));
        Self { stamp, softened, ..self.copied() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::Timestamp;
    use crate::base::units::Span;
    use crate::entry::samples;

    const START: Timestamp = Timestamp::from_secs(1_000);

    fn soft(id: u64, secs: u64) -> Soft {
        Soft { id: SoftId(id), at: START.plus(Span::from_secs(secs)) }
    }

    fn to(change: Change) -> Arc<Entry> {
        match change {
            Change::To(entry) => entry,
            other => panic!("{other:?}"),
        }
    }

    fn entry() -> Entry {
        let labels = crate::entry::Labels::default();
        let full = samples::full("text", labels, &[], samples::stamp(START, 600));
        Arc::try_unwrap(full).unwrap()
    }

    #[test]
    fn the_first_order_says_from_when_on_it_is_stale() {
        let before = entry();
        let one = to(before.softened(&[soft(1, 20)]));
        let two = to(one.softened(&[soft(2, 10), soft(1, 20)]));
        assert_eq!(one.stamp.fresh_until, soft(1, 20).at);
        assert_eq!(two.stamp.fresh_until, soft(2, 10).at);
        assert!(matches!(two.softened(&[soft(2, 30)]), Change::None));
        assert!(two.cost() > before.cost() && two.cost() < before.cost() + 512);
        assert_eq!(two.body.to_bytes(), before.body.to_bytes());
    }

    #[test]
    fn undoing_them_in_any_sequence_gives_back_what_it_was() {
        let before = entry();
        before.touch(START.plus(Span::from_secs(5)));
        let both = to(before.softened(&[soft(1, 20), soft(2, 10)]));
        let rest = to(both.restored(SoftId(2)));
        assert_eq!(rest.stamp.fresh_until, soft(1, 20).at);
        assert!(matches!(rest.restored(SoftId(2)), Change::None));
        for (first, last) in [(1, 2), (2, 1)] {
            let back = to(to(both.restored(SoftId(first))).restored(SoftId(last)));
            assert_eq!((back.stamp, back.is_soft()), (before.stamp, false));
            assert_eq!((back.cost(), back.used_secs()), (before.cost(), before.used_secs()));
            assert!(back.is_copy_of(&before));
        }
    }

    #[test]
    fn by_too_many_it_goes() {
        let many: Vec<Soft> = (0..limits::SOFT_MARKS_MAX as u64).map(|id| soft(id, id)).collect();
        let all = to(entry().softened(&many));
        assert!(matches!(all.softened(&[soft(99, 1)]), Change::Gone));
    }
}
