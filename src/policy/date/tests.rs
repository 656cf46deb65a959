use proptest::prelude::*;

use super::*;

/// 2026-01-01, when these tests look at two-digit years.
const NEAR: Timestamp = Timestamp::from_secs(1_767_225_600);
const EXAMPLE: Timestamp = Timestamp::from_secs(784_111_777);

fn read(text: &str) -> Option<u64> {
    parse(text.as_bytes(), NEAR).map(Timestamp::as_secs)
}

#[test]
fn the_three_formats_of_rfc_9110_mean_the_same() {
    for text in [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "  Sun, 06 Nov 1994 08:49:37 GMT\t",
    ] {
        assert_eq!(parse(text.as_bytes(), NEAR), Some(EXAMPLE), "{text}");
    }
}

#[test]
fn case_and_a_wrong_weekday_do_not_matter() {
    for text in [
        "THU, 18 Aug 2050 02:01:18 GMT",
        "Thu, 18 AUG 2050 02:01:18 GMT",
        "Thu, 18 Aug 2050 02:01:18 gMT",
        "Mon, 18 Aug 2050 02:01:18 GMT",
        "Thursday, 18-Aug-50 02:01:18 GMT",
        "Thu Aug 18 02:01:18 2050",
    ] {
        assert_eq!(read(text), Some(2_544_400_878), "{text}");
    }
    assert!(read("Tue, 19 Jan 2038 14:14:08 GMT").is_some_and(|secs| secs > 1 << 31));
    assert_eq!(read("Sun, 21 Nov 2286 04:46:39 GMT"), Some(10_000_039_599));
}

#[test]
fn what_does_not_fit_is_no_date() {
    for text in [
        "",
        "0",
        "-1",
        "foo",
        "Thu, 18 Aug 2050 02:01:18 UTC",
        "Thu, 18 Aug 2050 02:01:18 AEST",
        "Thu, 18 Aug 2050 02:01:18 +0000",
        "Thu, 18 Aug 50 02:01:18 GMT",
        "Thu 18 Aug 2050 02:01:18 GMT",
        "Thu, 18  Aug  2050 02:01:18 GMT",
        "Thu, 18-Aug-2050 02:01:18 GMT",
        "Thu, 18 Aug 2050 02.01.18 GMT",
        "Thu, 18 Aug 2050 2:01:18 GMT",
        "Thu, 18 Aug 2050 24:00:00 GMT",
        "Thu, 18 Aug 2050 02:60:18 GMT",
        "Thu, 18 Aug 2050 02:01:61 GMT",
        "Thu, 31 Feb 2050 02:01:18 GMT",
        "Thu, 00 Feb 2050 02:01:18 GMT",
        "Xyz, 18 Aug 2050 02:01:18 GMT",
        "Thu, 18 Aug 2050 02:01:18 GMT, Thu, 18 Aug 2050 02:01:18 GMT",
        "Thu, 18 Aug 2050 02:01:18 GMT x",
        "Thu, 18-Aug-50 02:01:18 GMT",
        "Thu Aug 8 02:01:18 2050",
        "2050-08-18T02:01:18Z",
    ] {
        assert_eq!(read(text), None, "{text}");
    }
}

#[test]
fn a_two_digit_year_is_within_fifty_years() {
    let year = |text| read(text).map(|secs| civil(secs.cast_signed() / DAY_SECS).0);
    assert_eq!(year("Monday, 01-Jan-75 00:00:00 GMT"), Some(2075));
    assert_eq!(year("Monday, 01-Feb-77 00:00:00 GMT"), Some(1977));
    assert_eq!(year("Monday, 01-Jan-26 00:00:00 GMT"), Some(2026));
    let late = Timestamp::from_secs(4_070_908_800); // 2099
    let secs = parse(b"Monday, 01-Jan-10 00:00:00 GMT", late).unwrap().as_secs();
    assert_eq!(civil(secs.cast_signed() / DAY_SECS).0, 2110);
}

#[test]
fn before_the_epoch_is_the_epoch() {
    assert_eq!(read("Wed, 31 Dec 1969 23:59:59 GMT"), Some(0));
    assert_eq!(read("Sat, 01 Jan 0000 00:00:00 GMT"), Some(0));
}

#[test]
fn leap_days_and_seconds() {
    assert!(read("Thu, 29 Feb 2024 00:00:00 GMT").is_some());
    assert!(read("Thu, 29 Feb 2023 00:00:00 GMT").is_none());
    assert!(read("Mon, 29 Feb 2100 00:00:00 GMT").is_none());
    assert_eq!(read("Sat, 31 Dec 2016 23:59:60 GMT"), read("Sat, 31 Dec 2016 23:59:59 GMT"),);
}

#[test]
fn written_as_the_rfc_wants_it() {
    assert_eq!(write(EXAMPLE), "Sun, 06 Nov 1994 08:49:37 GMT");
    assert_eq!(write(Timestamp::NEVER), "Fri, 31 Dec 9999 23:59:59 GMT");
    assert_eq!(write(Timestamp::default()), "Thu, 01 Jan 1970 00:00:00 GMT");
}

#[test]
fn several_lines_hold_no_date() {
    let mut fields = HeaderMap::new();
    fields.append(http::header::EXPIRES, write(EXAMPLE));
    assert_eq!(field(&fields, &http::header::EXPIRES, NEAR), Some(EXAMPLE));
    fields.append(http::header::EXPIRES, write(EXAMPLE));
    assert_eq!(field(&fields, &http::header::EXPIRES, NEAR), None);
}

proptest! {
    #[test]
    fn what_is_written_reads_back(secs in 0..WRITABLE_SECS_MAX) {
        let moment = Timestamp::from_secs(secs);
        prop_assert_eq!(parse(write(moment).as_bytes(), NEAR), Some(moment));
    }

    #[test]
    fn any_bytes_are_a_date_or_not(
        bytes in proptest::collection::vec(any::<u8>(), 0..48),
        near: u64,
    ) {
        let _ = parse(&bytes, Timestamp::from_millis(near));
    }

    #[test]
    fn nearly_dates_do_not_panic(
        text in "[A-Za-z]{3,9},? ?[0-9 -]{1,3}[A-Za-z]{0,3}[ -][0-9]{0,5} [0-9:]{5,8} ?G?M?T?",
    ) {
        let _ = parse(text.as_bytes(), NEAR);
    }
}

#[test]
fn days_are_read_and_written() {
    for text in ["1970-01-01", "1969-12-31", "2024-02-29", "2026-11-28", "0001-01-01"] {
        assert_eq!(day_text(day(text).unwrap()), text);
    }
    assert_eq!(day("1970-01-02"), Some(1));
    for wrong in ["2026-02-29", "2026-13-01", "26-01-01", "2026-1-1", "2026-01-01T", ""] {
        assert_eq!(day(wrong), None, "{wrong}");
    }
}
