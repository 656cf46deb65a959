//! All that a verdict needs to know about a stored answer: plain data without a heap, so that
//! judging a hit touches one cache line. Moments in it only ever come from `storable`; a stamp
//! never outlives the entry it was made for.

use crate::base::clock::Timestamp;
use crate::base::ids::Tick;
use crate::base::limits::{DELTA_SECONDS_MAX, SOFT_FOR};
use crate::base::units::Span;

/// How long an answer that can be validated is kept past its use: a 304 costs the origin less than
/// a body, and nightly jobs come back within a day.
const VALIDATION_KEEP: Span = Span::from_secs(86_400);

/// How long an answer is kept past its lifetime for clients that take stale ones. Few ask for more.
const STALE_KEEP: Span = Span::from_secs(3_600);

/// When an answer came, how old it was, and until when it is good for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The time of receipt.
    pub stored_at: Timestamp,
    /// The corrected initial age (RFC 9111, 4.2.3).
    pub age_at_store: Span,
    /// The `Date` it is served with.
    pub date: Timestamp,
    /// The end of its lifetime.
    pub fresh_until: Timestamp,
    /// Until when it may be served while it is renewed (RFC 5861, 3); not before `fresh_until`.
    pub revalidate_until: Timestamp,
    /// Until when it may stand in for an error (RFC 5861, 4); not before `fresh_until`.
    pub error_until: Timestamp,
    /// The purge counter when its fetch began.
    pub born: Tick,
    /// The rest.
    pub flags: StampFlags,
}

/// What is true of an answer for as long as it is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StampFlags(u8);

impl StampFlags {
    /// `no-cache`: ask before each use.
    pub const ALWAYS_VALIDATE: Self = Self(1);
    /// `must-revalidate` and its kin: stale use is forbidden to everybody.
    pub const NEVER_STALE: Self = Self(1 << 1);
    /// It can be validated.
    pub const HAS_VALIDATOR: Self = Self(1 << 2);
    /// Its lifetime was guessed (RFC 9111, 4.2.2).
    pub const HEURISTIC: Self = Self(1 << 3);
    /// Its lifetime is a rule's.
    pub const BY_RULE: Self = Self(1 << 4);
    /// Clients may ask for it when it is stale.
    pub const STALE_ON_REQUEST: Self = Self(1 << 5);
    /// A soft order made it stale. Said of no frame: who reads one knows the orders.
    pub const SOFT: Self = Self(1 << 6);

    const ALL: u8 = (1 << 6) - 1;

    /// As a number that [`StampFlags::from_bits`] reads.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// From such a number; `None` when it says something unknown.
    pub const fn from_bits(bits: u8) -> Option<Self> {
        if bits & !Self::ALL == 0 { Some(Self(bits)) } else { None }
    }

    /// Whether all of `others` are true.
    pub const fn has(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }

    /// With `others` true as well, if `so`.
    #[must_use]
    pub const fn with(self, others: Self, so: bool) -> Self {
        if so { Self(self.0 | others.0) } else { self }
    }
}

impl Stamp {
    /// The age now (RFC 9111, 4.2.3).
    pub const fn age(&self, now: Timestamp) -> Span {
        self.age_at_store.plus(now.since(self.stored_at))
    }

    /// Seconds of lifetime left, rounded down: 0 in its last second, negative when it is stale.
    /// Saturates at 2^31 either way, which every structured field can hold. Never more than the
    /// whole lifetime, even if the clock was set back since the receipt.
    pub fn left(&self, now: Timestamp) -> i64 {
        let now = now.max(self.stored_at);
        let secs = |millis: u64| millis.min(DELTA_SECONDS_MAX * 1_000).cast_signed();
        if self.is_fresh(now) {
            secs(self.fresh_until.since(now).as_millis()) / 1_000
        } else {
            -(secs(now.since(self.fresh_until).as_millis()) + 999) / 1_000
        }
    }

    /// Whether its lifetime has not ended (RFC 9111, 4.2): the lifetime is greater than the age.
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        now < self.fresh_until
    }

    /// The same answer, good for `most` from its receipt and for nothing afterwards: it is not
    /// served stale, not even where something failed, and not validated.
    #[must_use]
    pub fn within(self, most: Span) -> Self {
        let end = self.fresh_until.min(self.stored_at.plus(most));
        let drop = StampFlags::HAS_VALIDATOR.0 | StampFlags::STALE_ON_REQUEST.0;
        let flags = StampFlags(self.flags.0 & !drop).with(StampFlags::NEVER_STALE, true);
        Self { fresh_until: end, revalidate_until: end, error_until: end, flags, ..self }
    }

    /// The same answer, stale from `at` on: its windows keep their lengths from there, but none is
    /// longer than [`SOFT_FOR`]. What is never stale stays so, and is of no more use.
    #[must_use]
    pub fn softened(self, at: Timestamp) -> Self {
        let (fresh_until, end) = (self.fresh_until.min(at), at.plus(SOFT_FOR));
        let window = |until: Timestamp| fresh_until.plus(until.since(self.fresh_until)).min(end);
        Self {
            fresh_until,
            revalidate_until: window(self.revalidate_until),
            error_until: window(self.error_until),
            flags: self.flags.with(StampFlags::SOFT, true),
            ..self
        }
    }

    /// How long after its lifetime a client may have it that asks for stale answers.
    pub fn stale_for(&self, wished: Span) -> Span {
        if self.flags.has(StampFlags::SOFT) { wished.min(SOFT_FOR) } else { wished }
    }

    /// When the store may forget it: its lifetime and windows are over, and so is the time for
    /// which it is worth a validation.
    pub fn useful_until(&self) -> Timestamp {
        let used = self.fresh_until.max(self.revalidate_until).max(self.error_until);
        if self.flags.has(StampFlags::SOFT) {
            return used.max(self.fresh_until.plus(SOFT_FOR));
        }
        if self.flags.has(StampFlags::HAS_VALIDATOR) {
            used.max(self.stored_at).plus(VALIDATION_KEEP)
        } else if self.flags.has(StampFlags::STALE_ON_REQUEST) {
            used.max(self.fresh_until.plus(STALE_KEEP))
        } else {
            used
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_secs(1_000);

    fn stamp(lifetime: u64, flags: StampFlags) -> Stamp {
        let until = START.plus(Span::from_secs(lifetime));
        Stamp {
            stored_at: START,
            age_at_store: Span::from_secs(7),
            date: START,
            fresh_until: until,
            revalidate_until: until.plus(Span::from_secs(5)),
            error_until: until.plus(Span::from_secs(10)),
            born: Tick(0),
            flags,
        }
    }

    #[test]
    fn a_stamp_is_one_cache_line() {
        assert!(size_of::<Stamp>() <= 64);
    }

    #[test]
    fn age_counts_on_from_where_it_began() {
        let stamp = stamp(60, StampFlags::default());
        assert_eq!(stamp.age(START), Span::from_secs(7));
        assert_eq!(stamp.age(START.plus(Span::from_secs(3))), Span::from_secs(10));
        assert_eq!(stamp.age(Timestamp::default()), Span::from_secs(7));
    }

    #[test]
    fn what_is_left_is_rounded_down_and_negative_when_stale() {
        let stamp = stamp(60, StampFlags::default());
        let at = |millis| stamp.left(START.plus(Span::from_millis(millis)));
        assert_eq!(
            [at(0), at(1), at(59_500), at(60_000), at(60_001), at(61_001)],
            [60, 59, 0, 0, -1, -2]
        );
        assert_eq!(stamp.left(Timestamp::default()), 60, "the clock was set back");
        let forever = Stamp { fresh_until: Timestamp::NEVER, ..stamp };
        assert_eq!(forever.left(START), 1 << 31);
        let ancient = Stamp { fresh_until: Timestamp::default(), ..stamp };
        assert_eq!(ancient.left(Timestamp::NEVER), -(1 << 31));
    }

    #[test]
    fn what_can_still_be_used_is_not_forgotten() {
        let end = START.plus(Span::from_secs(70));
        assert_eq!(stamp(60, StampFlags::default()).useful_until(), end);
        let validated = stamp(60, StampFlags::HAS_VALIDATOR);
        assert_eq!(validated.useful_until(), end.plus(VALIDATION_KEEP));
        let asked = stamp(60, StampFlags::STALE_ON_REQUEST);
        assert_eq!(asked.useful_until(), START.plus(Span::from_secs(60)).plus(STALE_KEEP));
    }

    #[test]
    fn what_is_good_for_a_moment_is_good_for_nothing_after_it() {
        let flags = StampFlags::HAS_VALIDATOR.with(StampFlags::STALE_ON_REQUEST, true);
        let short = stamp(60, flags).within(Span::from_secs(1));
        let end = START.plus(Span::from_secs(1));
        assert_eq!([short.fresh_until, short.revalidate_until, short.error_until], [end; 3]);
        assert_eq!(short.useful_until(), end);
        assert!(short.flags.has(StampFlags::NEVER_STALE));
        let shorter = stamp(0, StampFlags::BY_RULE).within(Span::from_secs(1));
        assert_eq!((shorter.useful_until(), shorter.is_fresh(START)), (START, false));
        assert!(shorter.flags.has(StampFlags::BY_RULE));
    }

    #[test]
    fn a_soft_order_moves_the_windows_and_lengthens_none() {
        let at = START.plus(Span::from_secs(20));
        let soft = stamp(60, StampFlags::HAS_VALIDATOR).softened(at);
        let after = |secs| at.plus(Span::from_secs(secs));
        assert_eq!([soft.fresh_until, soft.revalidate_until], [at, after(5)]);
        assert_eq!((soft.error_until, soft.useful_until()), (after(10), at.plus(SOFT_FOR)));
        assert_eq!(soft.age(at), stamp(60, StampFlags::default()).age(at));
        // What was stale already stays as stale as it was.
        let late = START.plus(Span::from_secs(62));
        let stale = stamp(60, StampFlags::default());
        let both = stale.softened(late);
        assert_eq!(both.revalidate_until, stale.revalidate_until);
        assert_eq!(both.fresh_until, stale.fresh_until);
        let wide = Stamp { error_until: Timestamp::NEVER, ..stale };
        assert_eq!(wide.softened(at).error_until, at.plus(SOFT_FOR));
        assert_eq!(wide.stale_for(Span::FOREVER), Span::FOREVER);
        assert_eq!(wide.softened(at).stale_for(Span::FOREVER), SOFT_FOR);
        assert!(wide.flags.bits() == 0 && wide.softened(at).flags.has(StampFlags::SOFT));
        assert_eq!(StampFlags::from_bits(StampFlags::SOFT.bits()), None, "no frame says so");
    }

    #[test]
    fn flags_are_numbers_and_unknown_ones_are_none() {
        for bits in 0..=u8::MAX {
            let known = StampFlags::from_bits(bits).map(StampFlags::bits);
            assert_eq!(known, (bits <= StampFlags::ALL).then_some(bits));
        }
        assert!(StampFlags::from_bits(StampFlags::ALL).unwrap().has(StampFlags::STALE_ON_REQUEST));
        assert_eq!(StampFlags::STALE_ON_REQUEST.bits() << 1, StampFlags::ALL + 1);
    }

    #[test]
    fn flags_do_not_touch_each_other() {
        let flags = StampFlags::default()
            .with(StampFlags::NEVER_STALE, true)
            .with(StampFlags::HEURISTIC, false);
        assert!(flags.has(StampFlags::NEVER_STALE) && !flags.has(StampFlags::HEURISTIC));
        assert!(!flags.has(StampFlags::NEVER_STALE.with(StampFlags::BY_RULE, true)));
    }
}
