//! What stands under one identity: the variants of an answer, one for each set of selecting values
//! (RFC 9111, 4.1). A bundle never changes; storing and dropping make a new one, so that a reader
//! keeps what it found. It holds at most [`limits::VARIANTS_PER_KEY_MAX`] and is never empty.
//!
//! Only a store makes bundles. A body in one is kept; when the last bundle that has it is gone, it
//! counts as in transit.

use std::sync::Arc;

use http::HeaderMap;
use smallvec::SmallVec;

use crate::base::clock::Timestamp;
use crate::base::limits;
use crate::base::units::Span;
use crate::entry::{Change, Entry, cost};
use crate::policy::stamp::Stamp;

/// The variants of one identity.
#[derive(Debug)]
pub struct Bundle {
    variants: SmallVec<[Arc<Entry>; 1]>,
}

impl Bundle {
    /// A bundle of one.
    pub fn of(entry: Arc<Entry>) -> Self {
        Self::keeping(SmallVec::from_buf([entry]))
    }

    fn keeping(variants: SmallVec<[Arc<Entry>; 1]>) -> Self {
        for deposit in variants.iter().flat_map(|entry| entry.body.deposits()) {
            deposit.keep();
        }
        Self { variants }
    }

    /// The variants, in no particular order.
    pub fn variants(&self) -> &[Arc<Entry>] {
        &self.variants
    }

    /// The variant that answers a request with these fields, marked as used: of several that match
    /// the one with the newest `Date` (RFC 9111, 4.1), and of those the one stored last.
    pub fn choose(&self, request: &HeaderMap, now: Timestamp) -> Option<&Arc<Entry>> {
        let chosen = self.peek(request)?;
        chosen.touch(now);
        Some(chosen)
    }

    /// The same, without counting as a use.
    pub fn peek(&self, request: &HeaderMap) -> Option<&Arc<Entry>> {
        let matching = self.variants.iter().filter(|entry| entry.selecting.matches(request));
        matching.max_by_key(|entry| (entry.stamp.date, entry.stamp.stored_at))
    }

    /// This bundle with `entry` in it. It takes the place of a variant with the same selecting
    /// values; variants of no more use go, and beyond the count or `cost_max` the least recently
    /// used ones.
    #[must_use]
    pub fn with(&self, entry: Arc<Entry>, cost_max: u64) -> Self {
        let now = entry.stamp.stored_at;
        let mut variants: SmallVec<[Arc<Entry>; 1]> = self
            .variants
            .iter()
            .filter(|old| old.selecting != entry.selecting && old.stamp.useful_until() > now)
            .cloned()
            .collect();
        let mut total = entry.cost() + variants.iter().map(|old| old.cost()).sum::<u64>();
        while variants.len() >= limits::VARIANTS_PER_KEY_MAX || total > cost_max {
            let least = variants.iter().enumerate().min_by_key(|(_, old)| old.used_secs());
            let Some((at, _)) = least else { break };
            total -= variants.swap_remove(at).cost();
        }
        variants.push(entry);
        variants.shrink_to_fit();
        Self::keeping(variants)
    }

    /// This bundle without the variants that `covers` names; `None` when nothing is left.
    pub fn without(&self, covers: impl Fn(&Arc<Entry>) -> bool) -> Option<Self> {
        let variants: SmallVec<_> =
            self.variants.iter().filter(|entry| !covers(entry)).cloned().collect();
        (!variants.is_empty()).then(|| Self::keeping(variants))
    }

    /// This bundle with each variant as `change` has it; `None` when nothing is left.
    pub fn changed(&self, mut change: impl FnMut(&Arc<Entry>) -> Change) -> Option<Self> {
        let variants = self.variants.iter().filter_map(|entry| match change(entry) {
            Change::None => Some(Arc::clone(entry)),
            Change::To(other) => Some(other),
            Change::Gone => None,
        });
        let variants: SmallVec<_> = variants.collect();
        (!variants.is_empty()).then(|| Self::keeping(variants))
    }

    /// This bundle with `new` where that very entry stands; `None` when it does not.
    pub fn with_in_place_of(&self, old: &Arc<Entry>, new: Arc<Entry>) -> Option<Self> {
        let at = self.variants.iter().position(|entry| Arc::ptr_eq(entry, old))?;
        let mut variants = self.variants.clone();
        *variants.get_mut(at)? = new;
        Some(Self::keeping(variants))
    }

    /// The type its variants were stored by. They share one: a store of another type takes the
    /// place of all.
    pub fn kind(&self) -> &str {
        self.variants.first().map_or("", |entry| &entry.labels.place.kind)
    }

    /// How long it is of use from the time its newest variant was stored.
    pub fn useful_for(&self) -> Span {
        let stamps = || self.variants.iter().map(|entry| &entry.stamp);
        let end = stamps().map(Stamp::useful_until).max().unwrap_or_default();
        let newest = stamps().map(|stamp| stamp.stored_at).max().unwrap_or_default();
        if end == Timestamp::NEVER { Span::FOREVER } else { end.since(newest) }
    }

    /// When any of its variants was used last, in seconds since the epoch.
    pub fn used_secs(&self) -> u32 {
        self.variants.iter().map(|entry| entry.used_secs()).max().unwrap_or_default()
    }

    /// When its newest variant was stored, in milliseconds since the epoch.
    pub fn stored_millis(&self) -> u64 {
        let times = self.variants.iter().map(|entry| entry.stamp.stored_at.as_millis());
        times.max().unwrap_or_default()
    }

    /// What a bundle of one entry takes beside the entry.
    pub fn cost_of_one() -> u64 {
        cost::block(size_of::<Self>() + cost::COUNTS)
    }

    /// Every byte it takes, its entries included.
    pub fn cost(&self) -> u64 {
        let list = if self.variants.spilled() { size_of_val(self.variants.as_slice()) } else { 0 };
        Self::cost_of_one()
            + cost::block(list)
            + self.variants.iter().map(|entry| entry.cost()).sum::<u64>()
    }
}

impl Drop for Bundle {
    fn drop(&mut self) {
        for deposit in self.variants.iter().flat_map(|entry| entry.body.deposits()) {
            deposit.let_go();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::budget::Budget;
    use crate::entry::samples::{self, fields, stamp};
    use crate::entry::{Body, Head, Labels};

    fn variant(text: &str, value: &str, at_secs: u64) -> Arc<Entry> {
        let at = Timestamp::from_secs(at_secs);
        samples::full(text, Labels::default(), &[value], stamp(at, 3_600))
    }

    fn asked(value: &str) -> HeaderMap {
        fields(&[("x-v", value)])
    }

    fn chosen(bundle: &Bundle, value: &str) -> Option<String> {
        let now = Timestamp::from_secs(2_000);
        bundle.choose(&asked(value), now).map(|entry| samples::text_of(entry))
    }

    #[test]
    fn each_request_gets_its_variant() {
        let bundle = Bundle::of(variant("1", "a", 10)).with(variant("2", "b", 10), u64::MAX);
        assert_eq!(chosen(&bundle, "a").as_deref(), Some("1"));
        assert_eq!(chosen(&bundle, "b").as_deref(), Some("2"));
        assert_eq!(chosen(&bundle, "c"), None);
    }

    #[test]
    fn the_newest_date_wins_among_those_that_match() {
        let open = |text, at| {
            let stamp = stamp(Timestamp::from_secs(at), 3_600);
            samples::full(text, Labels::default(), &[], stamp)
        };
        let bundle = Bundle::of(open("old", 10)).with(variant("new", "a", 20), u64::MAX);
        assert_eq!(chosen(&bundle, "a").as_deref(), Some("new"));
        assert_eq!(chosen(&bundle, "b").as_deref(), Some("old"));
        let bundle = Bundle::of(variant("old", "a", 20)).with(open("new", 30), u64::MAX);
        assert_eq!(chosen(&bundle, "a").as_deref(), Some("new"));
    }

    #[test]
    fn an_equal_variant_is_replaced() {
        let bundle = Bundle::of(variant("1", "a", 10)).with(variant("2", "a", 11), u64::MAX);
        assert_eq!(bundle.variants().len(), 1);
        assert_eq!(chosen(&bundle, "a").as_deref(), Some("2"));
    }

    #[test]
    fn the_least_used_variant_makes_room() {
        let mut bundle = Bundle::of(variant("v0", "0", 10));
        for i in 1..limits::VARIANTS_PER_KEY_MAX {
            bundle = bundle.with(variant(&format!("v{i}"), &i.to_string(), 10), u64::MAX);
        }
        for i in (0..limits::VARIANTS_PER_KEY_MAX).filter(|i| *i != 5) {
            assert!(chosen(&bundle, &i.to_string()).is_some());
        }
        bundle = bundle.with(variant("next", "next", 10), u64::MAX);
        assert_eq!(bundle.variants().len(), limits::VARIANTS_PER_KEY_MAX);
        assert_eq!(chosen(&bundle, "5"), None);
        assert_eq!(chosen(&bundle, "next").as_deref(), Some("next"));
    }

    #[test]
    fn useless_variants_and_those_beyond_the_cost_go() {
        let one = Bundle::of(variant("1", "a", 10));
        assert_eq!(one.with(variant("2", "b", 10_000), u64::MAX).variants().len(), 1);
        let room = one.variants()[0].cost() * 2;
        let two = one.with(variant("2", "b", 11), room);
        assert_eq!(two.variants().len(), 2);
        let two = two.with(variant("3", "c", 12), room);
        assert_eq!(two.variants().len(), 2);
        assert!(chosen(&two, "c").is_some());
    }

    #[test]
    fn dropping_the_last_variant_leaves_nothing() {
        let (a, b) = (variant("1", "a", 10), variant("2", "b", 10));
        let both = Bundle::of(Arc::clone(&a)).with(Arc::clone(&b), u64::MAX);
        let left = both.without(|entry| Arc::ptr_eq(entry, &a)).unwrap();
        assert!(Arc::ptr_eq(&left.variants()[0], &b) && left.variants().len() == 1);
        assert!(left.without(|entry| Arc::ptr_eq(entry, &b)).is_none());
        assert_eq!(left.without(|_| false).unwrap().variants().len(), 1);
    }

    #[test]
    fn a_body_that_is_still_sent_counts_from_when_no_bundle_has_it() {
        let (budget, len) = (Budget::new(u64::MAX), 300_000);
        let body = Body::in_transit(vec![vec![7; len as usize].into()], &budget);
        let entry =
            Arc::new(samples::entry_of(Head::new(http::StatusCode::OK, &fields(&[])), body));
        let one = Bundle::of(Arc::clone(&entry));
        let sent = entry.body.segments().to_vec();
        assert_eq!(budget.used(), 0, "the store counts it");
        let two = one.with(variant("2", "b", 10), u64::MAX);
        drop((one, entry));
        assert_eq!(budget.used(), 0, "another bundle keeps it");
        let rest = two.without(|entry| entry.body.deposit().is_some()).unwrap();
        drop(two);
        assert_eq!((budget.used(), rest.variants().len()), (len, 1));
        drop(sent);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn both_forms_are_kept_and_let_go_with_their_bundle() {
        let (budget, fields) = (Budget::new(u64::MAX), fields(&[]));
        let of = |len: usize| Body::in_transit(vec![vec![7; len].into()], &budget);
        let plain = samples::entry_of(Head::new(http::StatusCode::OK, &fields), of(300_000));
        let both = Arc::new(plain.with_coded(of(20_000)).unwrap());
        let plain = Arc::new(plain);
        assert_eq!(budget.used(), 320_000);
        let one = Bundle::of(Arc::clone(&plain)).with(variant("2", "b", 10), u64::MAX);
        assert_eq!(budget.used(), 20_000, "the store has the plain one");
        let two = one.with_in_place_of(&plain, Arc::clone(&both)).unwrap();
        assert_eq!((budget.used(), two.variants().len()), (0, 2));
        assert!(two.with_in_place_of(&plain, both).is_none(), "it stands there no more");
        drop((one, plain));
        assert_eq!(budget.used(), 0);
        let sent = two.variants()[0].body.coded().unwrap().segments().to_vec();
        drop(two);
        assert_eq!(budget.used(), 20_000, "it is still sent");
        drop(sent);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn usefulness_counts_from_the_newest_storing() {
        let bundle = Bundle::of(variant("1", "a", 10)).with(variant("2", "b", 110), u64::MAX);
        assert_eq!(bundle.useful_for(), Span::from_secs(3_600));
    }
}
