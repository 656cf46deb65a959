//! Every combination of the inputs that `judge` reduces to, against the promises it makes.

use super::*;
use crate::base::ids::Tick;

const START: Timestamp = Timestamp::from_secs(100_000);

fn secs(count: u64) -> Span {
    Span::from_secs(count)
}

fn stamp(lifetime: u64, while_revalidate: u64, if_error: u64, flags: StampFlags) -> Stamp {
    let fresh_until = START.plus(secs(lifetime));
    Stamp {
        stored_at: START,
        age_at_store: secs(3),
        date: START,
        fresh_until,
        revalidate_until: fresh_until.plus(secs(while_revalidate)),
        error_until: fresh_until.plus(secs(if_error)),
        born: Tick(0),
        flags,
    }
}

fn all_flags() -> Vec<StampFlags> {
    let all = [
        StampFlags::ALWAYS_VALIDATE,
        StampFlags::NEVER_STALE,
        StampFlags::HAS_VALIDATOR,
        StampFlags::BY_RULE,
    ];
    (0..16_u8)
        .map(|bits| {
            all.iter().enumerate().fold(StampFlags::default(), |flags, (at, flag)| {
                flags.with(*flag, bits & (1 << at) != 0)
            })
        })
        .collect()
}

fn all_wishes() -> Vec<RequestDirectives> {
    let mut all = Vec::new();
    for bits in 0..4_u8 {
        for max_age in [None, Some(Span::ZERO), Some(secs(20)), Some(secs(500))] {
            for min_fresh in [None, Some(Span::ZERO), Some(secs(20))] {
                for max_stale in [None, Some(Span::ZERO), Some(secs(15)), Some(Span::FOREVER)] {
                    all.push(RequestDirectives {
                        no_cache: bits & 1 != 0,
                        no_store: bits & 2 != 0,
                        only_if_cached: false,
                        max_age,
                        min_fresh,
                        max_stale,
                    });
                }
            }
        }
    }
    all
}

struct Case {
    stamp: Stamp,
    wishes: RequestDirectives,
    now: Timestamp,
}

/// Ages on both sides of every bound, times windows, flags and wishes.
fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    for (lifetime, while_revalidate, if_error) in
        [(0, 0, 0), (0, 30, 60), (50, 0, 0), (50, 0, 60), (50, 30, 0), (50, 30, 60)]
    {
        for flags in all_flags() {
            let stamp = stamp(lifetime, while_revalidate, if_error, flags);
            for wishes in all_wishes() {
                for after in [0, 16, 18, 31, 49, 50, 51, 64, 79, 80, 109, 110, 9_999] {
                    all.push(Case { stamp, wishes, now: START.plus(secs(after)) });
                }
            }
        }
    }
    all
}

impl Case {
    fn verdict(&self) -> Verdict {
        judge(&self.stamp, &self.wishes, self.now)
    }

    fn is_stale(&self) -> bool {
        self.now >= self.stamp.fresh_until
    }

    fn is_within_max_stale(&self) -> bool {
        self.wishes.max_stale.is_some_and(|most| self.now.since(self.stamp.fresh_until) <= most)
    }
}

#[test]
fn there_are_enough_cases() {
    assert!(cases().len() > 200_000);
}

#[test]
fn stale_is_served_as_it_stands_only_to_who_asked_for_stale() {
    for case in cases() {
        if case.is_stale() && case.verdict() == Verdict::Fresh {
            assert!(case.is_within_max_stale(), "{:?} {:?}", case.stamp, case.wishes);
        }
    }
}

#[test]
fn nobody_gets_stale_where_it_is_forbidden() {
    for case in cases() {
        if case.is_stale() && case.stamp.flags.has(StampFlags::NEVER_STALE) {
            assert!(matches!(case.verdict(), Verdict::Validate(_)));
            assert!(!serves_on_error(&case.stamp, &case.wishes, case.now));
        }
    }
}

#[test]
fn no_cache_asks_each_time_and_never_stands_in_for_an_error() {
    for case in cases() {
        if case.stamp.flags.has(StampFlags::ALWAYS_VALIDATE) {
            assert!(matches!(case.verdict(), Verdict::Validate(_)));
            assert!(!serves_on_error(&case.stamp, &case.wishes, case.now));
        }
    }
}

#[test]
fn clients_that_ask_for_the_origin_get_it() {
    for case in cases() {
        if case.wishes.no_cache || case.wishes.no_store || case.wishes.max_age == Some(Span::ZERO) {
            assert_eq!(case.verdict(), Verdict::Validate(Why::ClientAsked));
            assert!(!serves_on_error(&case.stamp, &case.wishes, case.now));
        }
    }
}

#[test]
fn limits_of_the_client_hold() {
    for case in cases() {
        if matches!(case.verdict(), Verdict::Validate(_)) {
            continue;
        }
        if let Some(most) = case.wishes.max_age {
            assert!(case.stamp.age(case.now) <= most);
            assert!(!case.is_stale() || case.wishes.max_stale.is_some());
        }
        if let Some(least) = case.wishes.min_fresh {
            assert!(case.now.plus(least) < case.stamp.fresh_until);
        }
    }
}

#[test]
fn windows_open_at_the_end_of_the_lifetime_and_shut_on_time() {
    for case in cases() {
        if case.verdict() == Verdict::WhileRevalidate {
            assert!(case.is_stale() && case.now < case.stamp.revalidate_until);
        }
        if case.is_stale() && serves_on_error(&case.stamp, &case.wishes, case.now) {
            assert!(case.now < case.stamp.error_until);
        }
    }
}

#[test]
fn without_wishes_what_is_fresh_is_served() {
    for case in cases() {
        let wishless = case.wishes == RequestDirectives::default();
        if wishless && !case.is_stale() && !case.stamp.flags.has(StampFlags::ALWAYS_VALIDATE) {
            assert_eq!(case.verdict(), Verdict::Fresh);
            assert!(serves_on_error(&case.stamp, &case.wishes, case.now));
        }
    }
}

#[test]
fn nothing_but_time_makes_a_verdict_worse() {
    // Fresh, then while-revalidate, then validate; never back.
    let rank = |verdict| match verdict {
        Verdict::Fresh => 0,
        Verdict::WhileRevalidate => 1,
        Verdict::Validate(_) => 2,
    };
    for flags in all_flags() {
        let stamp = stamp(50, 30, 60, flags);
        let wishes = RequestDirectives::default();
        let ranks: Vec<_> =
            (0..200).map(|after| rank(judge(&stamp, &wishes, START.plus(secs(after))))).collect();
        assert!(ranks.is_sorted());
    }
}

#[test]
fn the_statuses_of_rfc_5861() {
    let errors: Vec<u16> = (100..600)
        .filter(|code| StatusCode::from_u16(*code).is_ok_and(is_error_for_stale))
        .collect();
    assert_eq!(errors, [500, 502, 503, 504]);
}

#[test]
fn words_are_stable() {
    assert_eq!(Verdict::Fresh.as_str(), "fresh");
    assert_eq!(Verdict::WhileRevalidate.as_str(), "stale-while-revalidate");
    let whys = [Why::Expired, Why::NoCache, Why::ClientAsked];
    assert_eq!(
        whys.map(|why| Verdict::Validate(why).as_str()),
        ["expired", "no-cache", "client-no-cache"]
    );
    assert_eq!(whys.map(Why::fwd), [Fwd::Stale, Fwd::Stale, Fwd::Request]);
}
