use http::HeaderMap;

use super::*;
use crate::policy::manner::Profile;
use crate::policy::testing::*;

fn age(lines: &[(&str, &str)], delay_ms: u64) -> u64 {
    let fields = map(lines);
    let times = Times::of(&fields, NOW.minus(Span::from_millis(delay_ms)), NOW);
    initial_age(&fields, times, &Manner::of(Profile::Rfc)).as_millis()
}

#[test]
fn age_is_the_largest_of_what_the_origin_says_and_what_the_clock_says() {
    let now = date(0);
    assert_eq!(age(&[], 0), 0);
    assert_eq!(age(&[("date", &now)], 0), 0);
    assert_eq!(age(&[("date", &now), ("age", "30")], 0), 30_000);
    // The delay of the answer is added to what it says (RFC 9111, 4.2.3).
    assert_eq!(age(&[("date", &now), ("age", "30")], 1_500), 31_500);
    assert_eq!(age(&[("date", &now)], 700), 700);
    // An old date shows where `Age` is missing; a fast clock gives no youth.
    assert_eq!(age(&[("date", &date(-7_200))], 0), 7_200_000);
    assert_eq!(age(&[("date", &date(-7_200)), ("age", "9000")], 0), 9_000_000);
    assert_eq!(age(&[("date", &date(500)), ("age", "15")], 0), 15_000);
    assert_eq!(age(&[("date", "nonsense"), ("age", "15")], 0), 15_000);
    assert_eq!(age(&[("date", "Thu, 01 Jan 1970 00:00:00 GMT")], 0), NOW.as_millis());
}

const ANCIENT: u64 = DELTA_SECONDS_MAX * 1_000;

#[test]
fn a_doubtful_age_is_a_great_one() {
    for value in
        ["abc", "-7200", "7200.0", "0, 0", "3600, 3600", "7200;foo=bar", "\"5\"", "x, 5", "", ","]
    {
        assert_eq!(age(&[("age", value)], 0), ANCIENT, "{value}");
    }
    assert_eq!(age(&[("age", "0"), ("age", "0")], 0), ANCIENT);
    assert_eq!(age(&[("age", "0"), ("age", "7200")], 0), ANCIENT);
    assert_eq!(age(&[("age", "0,7200")], 0), 0);
    assert_eq!(age(&[("age", "7200, 0")], 0), 7_200_000);
}

#[test]
fn the_lenient_reading_takes_the_first_number_and_ignores_what_is_none() {
    let manner = Manner { doubtful_age_is_stale: false, ..Manner::of(Profile::Rfc) };
    let read = |lines: &[(&str, &str)]| {
        let fields = map(lines);
        initial_age(&fields, Times::of(&fields, NOW, NOW), &manner).as_secs()
    };
    for (value, secs) in [("abc", 0), ("-7200", 0), ("7200.0", 0), ("0, 0", 0), ("7200, 0", 7_200)]
    {
        assert_eq!(read(&[("age", value)]), secs, "{value}");
    }
    assert_eq!(read(&[("age", "7200"), ("age", "0")]), 7_200);
    assert_eq!(read(&[("age", "0"), ("age", "7200")]), 0);
}

#[test]
fn an_age_of_any_size_saturates() {
    for value in ["2147483648", "99999999999", "18446744073709551615", "99999999999999999999999"] {
        assert_eq!(age(&[("age", value)], 5_000), ANCIENT, "{value}");
    }
}

fn life(lines: &[(&str, &str)]) -> Option<(u64, TtlBy)> {
    let fields = map(lines);
    let directives = ResponseDirectives::of(&fields, &Manner::default().targeted);
    let found = lifetime(&fields, &directives, Times::of(&fields, NOW, NOW));
    found.map(|found| (found.span.as_secs(), found.by))
}

#[test]
fn the_more_specific_directive_wins() {
    let far = date(9_999);
    assert_eq!(life(&[]), None);
    assert_eq!(life(&[("expires", &date(60))]), Some((60, TtlBy::Expires)));
    assert_eq!(
        life(&[("expires", &far), ("cache-control", "max-age=5")]),
        Some((5, TtlBy::MaxAge))
    );
    assert_eq!(
        life(&[("cache-control", "max-age=5"), ("cache-control", "s-maxage=7")]),
        Some((7, TtlBy::SMaxage))
    );
    let targeted = [
        ("expires", far.as_str()),
        ("cache-control", "max-age=5, s-maxage=7"),
        ("cdn-cache-control", "max-age=9"),
    ];
    assert_eq!(life(&targeted), Some((9, TtlBy::Targeted)));
}

#[test]
fn a_malformed_value_is_not_passed_over() {
    let far = date(9_999);
    for cache_control in ["max-age=x", "max-age=-1", "s-maxage=x, max-age=60", "max-age='60'"] {
        let lines = [("expires", far.as_str()), ("cache-control", cache_control)];
        assert_eq!(life(&lines).unwrap().0, 0, "{cache_control}");
    }
    assert_eq!(life(&[("expires", &far), ("cdn-cache-control", "max-age=\"60\"")]).unwrap().0, 0);
    // What is no dictionary is not there at all, and what speaks silences the rest.
    assert_eq!(life(&[("expires", &far), ("cdn-cache-control", "max-age=60,")]).unwrap().0, 9_999);
    assert_eq!(life(&[("expires", &far), ("cdn-cache-control", "foo")]), None);
}

#[test]
fn expires_counts_from_date_and_otherwise_from_receipt() {
    assert_eq!(life(&[("expires", &date(300)), ("date", &date(400))]).unwrap().0, 0);
    assert_eq!(life(&[("expires", &date(410)), ("date", &date(400))]).unwrap().0, 10);
    assert_eq!(life(&[("expires", &date(10)), ("date", &date(-10))]).unwrap().0, 20);
    assert_eq!(life(&[("expires", &date(10)), ("date", "foo")]).unwrap().0, 10);
    assert_eq!(life(&[("expires", &date(0)), ("date", &date(0))]).unwrap().0, 0);
}

#[test]
fn what_is_no_date_has_expired() {
    for value in ["0", "", "-1", "tomorrow", "Thu, 18 Aug 2050 02:01:18 UTC"] {
        assert_eq!(life(&[("expires", value)]), Some((0, TtlBy::Expires)), "{value}");
    }
    let far = date(500);
    assert_eq!(life(&[("expires", &far), ("expires", &far)]), Some((0, TtlBy::Expires)));
    for value in ["Thursday, 18-Aug-50 02:01:18 GMT", "Thu Aug 18 02:01:18 2050"] {
        assert!(life(&[("expires", value)]).unwrap().0 > 600_000_000, "{value}");
    }
}

fn lm(text: &str) -> [(&str, &str); 1] {
    [("last-modified", text)]
}

#[test]
fn a_tenth_of_the_time_since_the_last_change_and_at_most_a_day() {
    let guess = |status: u16, lines: &[(&str, &str)]| {
        let fields = map(lines);
        let directives = ResponseDirectives::of(&fields, &[]);
        let status = StatusCode::from_u16(status).unwrap();
        let times = Times::of(&fields, NOW, NOW);
        heuristic(&fields, status, &directives, times).map(|found| found.span.as_secs())
    };
    let modified = |secs: i64| date(-secs);
    assert_eq!(guess(200, &lm(&modified(600))), Some(60));
    assert_eq!(guess(200, &lm(&modified(86_400 * 365))), Some(86_400));
    assert_eq!(guess(200, &lm(&modified(0))), None);
    assert_eq!(guess(200, &lm(&date(50))), None);
    assert_eq!(guess(200, &lm("yesterday")), None);
    assert_eq!(guess(200, &[]), None);
    let known: Vec<u16> =
        (200..600).filter(|status| guess(*status, &lm(&modified(600))).is_some()).collect();
    assert_eq!(known, [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501]);
    let public = [("last-modified", &*modified(600)), ("cache-control", "public")];
    assert_eq!(guess(599, &public), Some(60));
}

fn end(origin: Option<u64>, ttl: Ttl, mode: TtlMode, age: u64) -> Option<(i64, TtlBy)> {
    let law = Law { ttl, ttl_mode: mode, ..Law::default() };
    let by = TtlBy::MaxAge;
    let origin = origin.map(|secs| Lifetime { span: Span::from_secs(secs), by });
    let found = end_of_life(origin, &law, StatusCode::OK, Span::from_secs(age), NOW);
    let left = |at: Timestamp| at.as_secs().cast_signed() - NOW.as_secs().cast_signed();
    found.map(|end| (left(end.at), end.by))
}

#[test]
fn a_rule_replaces_fills_in_caps_or_extends() {
    let minute = Ttl::For(Span::from_secs(60));
    let (rule, origin) = (TtlBy::Rule, TtlBy::MaxAge);
    for (mode, said, expected) in [
        (TtlMode::Replace, Some(5), (60, rule)),
        (TtlMode::Replace, Some(500), (60, rule)),
        (TtlMode::Silent, Some(5), (5, origin)),
        (TtlMode::Silent, Some(500), (500, origin)),
        (TtlMode::AtMost, Some(5), (5, origin)),
        (TtlMode::AtMost, Some(500), (60, rule)),
        (TtlMode::AtLeast, Some(5), (60, rule)),
        (TtlMode::AtLeast, Some(500), (500, origin)),
        (TtlMode::Replace, None, (60, rule)),
        (TtlMode::Silent, None, (60, rule)),
        (TtlMode::AtMost, None, (60, rule)),
        (TtlMode::AtLeast, None, (60, rule)),
    ] {
        assert_eq!(end(said, minute, mode, 0), Some(expected), "{mode:?} {said:?}");
    }
    assert_eq!(end(Some(5), Ttl::Origin, TtlMode::Replace, 0), Some((5, origin)));
    assert_eq!(end(None, Ttl::Origin, TtlMode::Replace, 0), None);
}

#[test]
fn a_rule_counts_from_receipt_and_the_origin_from_the_making() {
    let minute = Ttl::For(Span::from_secs(60));
    assert_eq!(end(Some(100), Ttl::Origin, TtlMode::Replace, 30).unwrap().0, 70);
    assert_eq!(end(Some(100), Ttl::Origin, TtlMode::Replace, 130).unwrap().0, -30);
    assert_eq!(end(Some(100), minute, TtlMode::Replace, 3_000).unwrap().0, 60);
    assert_eq!(end(Some(100), minute, TtlMode::AtMost, 90), Some((10, TtlBy::MaxAge)));
    let forever = end_of_life(
        None,
        &Law { ttl: Ttl::Forever, ..Law::default() },
        StatusCode::OK,
        Span::ZERO,
        NOW,
    );
    assert_eq!(forever.unwrap().at, Timestamp::NEVER);
}

#[test]
fn a_guess_never_outweighs_a_rule() {
    let law =
        Law { ttl: Ttl::For(Span::from_secs(60)), ttl_mode: TtlMode::Silent, ..Law::default() };
    let guess = Lifetime { span: Span::from_secs(500), by: TtlBy::Heuristic };
    let end = end_of_life(Some(guess), &law, StatusCode::OK, Span::ZERO, NOW).unwrap();
    assert_eq!(end.by, TtlBy::Rule);
    let manner = Manner::of(Profile::Rfc);
    assert!(may_guess(&law, &manner, StatusCode::OK));
    assert!(!may_guess(&law, &manner, StatusCode::NOT_FOUND));
    assert!(!may_guess(&Law::default(), &Manner::default(), StatusCode::OK));
}

proptest::proptest! {
    #[test]
    fn any_bytes_give_bounded_ages_and_lifetimes(
        name in proptest::sample::select(vec!["age", "date", "expires", "last-modified"]),
        values in proptest::collection::vec(proptest::collection::vec(32_u8..=255, 0..40), 1..3),
    ) {
        let mut fields = HeaderMap::new();
        for value in &values {
            if let Ok(value) = http::HeaderValue::from_bytes(value) {
                fields.append(name, value);
            }
        }
        let times = Times::of(&fields, NOW, NOW);
        let limit = Span::from_secs(DELTA_SECONDS_MAX);
        let directives = ResponseDirectives::default();
        proptest::prop_assert!(initial_age(&fields, times, &Manner::default()) <= limit);
        if let Some(found) = lifetime(&fields, &directives, times) {
            proptest::prop_assert!(found.span <= limit);
        }
        if let Some(found) = heuristic(&fields, StatusCode::OK, &directives, times) {
            proptest::prop_assert!(found.span <= HEURISTIC_MAX);
        }
    }
}
