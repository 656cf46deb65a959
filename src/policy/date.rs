//! HTTP dates (RFC 9110, 5.6.7): three formats read, one written. Day and month names in any case,
//! the weekday's name but not its truth, `GMT` alone as the zone, single spaces. Whatever does not
//! fit is no date at all: a guess would make something fresh that is not.

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::base::clock::Timestamp;

const DAY_SECS: i64 = 86_400;
const DAYS: [&str; 7] =
    ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/// The last second that the written form has digits for: the end of the year 9999.
const WRITABLE_SECS_MAX: u64 = 253_402_300_799;

/// Reads a date. A two-digit year is taken within fifty years of `near` (RFC 9110, 5.6.7). A moment
/// before 1970 counts as 1970: every use compares with times long after that.
pub fn parse(value: &[u8], near: Timestamp) -> Option<Timestamp> {
    let text = value.trim_ascii();
    let secs = match text.iter().position(|byte| *byte == b',') {
        Some(3) => fixdate(text)?,
        Some(_) => rfc850(text, near)?,
        None => asctime(text)?,
    };
    Some(Timestamp::from_secs(u64::try_from(secs).unwrap_or(0)))
}

/// The date in a field of an answer. A field on several lines holds none.
pub(crate) fn field(fields: &HeaderMap, name: &HeaderName, near: Timestamp) -> Option<Timestamp> {
    let mut lines = fields.get_all(name).into_iter();
    let first = lines.next()?;
    if lines.next().is_some() { None } else { parse(first.as_bytes(), near) }
}

/// Writes a date as RFC 9110 wants it sent, such as `Sun, 06 Nov 1994 08:49:37 GMT`.
pub fn write(moment: Timestamp) -> HeaderValue {
    let secs = moment.as_secs().min(WRITABLE_SECS_MAX).cast_signed();
    let (days, rest) = (secs / DAY_SECS, secs % DAY_SECS);
    let (year, month, day) = civil(days);
    let weekday = usize::try_from(days % 7).ok().and_then(|at| DAYS.get(at)).unwrap_or(&"");
    let month = usize::try_from(month - 1).ok().and_then(|at| MONTHS.get(at)).unwrap_or(&"");
    let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
    let text =
        format!("{weekday:.3}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT");
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("Thu, 01 Jan 1970 00:00:00 GMT"))
}

/// Days since 1970-01-01 of a day such as `2026-01-31`; nothing of one that is in no calendar.
pub fn day(text: &str) -> Option<i64> {
    let mut read = Reader(text.as_bytes());
    let year = read.digits(4)?;
    read.literal(b"-")?;
    let month = read.digits(2)?;
    read.literal(b"-")?;
    let day = read.digits(2)?;
    read.end(year, month, day, 0).map(|secs| secs / DAY_SECS)
}

/// The day of a count that [`day`] has given.
pub fn day_text(days: i64) -> String {
    let (year, month, day) = civil(days);
    format!("{year:04}-{month:02}-{day:02}")
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`
fn fixdate(text: &[u8]) -> Option<i64> {
    let mut read = Reader(text);
    read.weekday(3)?;
    read.literal(b", ")?;
    let day = read.digits(2)?;
    read.literal(b" ")?;
    let month = read.month()?;
    read.literal(b" ")?;
    let year = read.digits(4)?;
    read.literal(b" ")?;
    let time = read.time()?;
    read.literal(b" gmt")?;
    read.end(year, month, day, time)
}

/// `Sunday, 06-Nov-94 08:49:37 GMT`
fn rfc850(text: &[u8], near: Timestamp) -> Option<i64> {
    let mut read = Reader(text);
    let comma = text.iter().position(|byte| *byte == b',')?;
    read.weekday(comma)?;
    read.literal(b", ")?;
    let day = read.digits(2)?;
    read.literal(b"-")?;
    let month = read.month()?;
    read.literal(b"-")?;
    let short = read.digits(2)?;
    read.literal(b" ")?;
    let time = read.time()?;
    read.literal(b" gmt")?;
    let (this_year, _, _) = civil((near.as_secs().min(WRITABLE_SECS_MAX)).cast_signed() / DAY_SECS);
    let year = this_year - this_year % 100 + short;
    // Candidates a century apart; the first that is not more than fifty years ahead is meant.
    let limit = near.as_secs().cast_signed().saturating_add(fifty_years());
    [year + 100, year, year - 100]
        .into_iter()
        .filter_map(|year| Reader(read.0).end(year, month, day, time))
        .find(|secs| *secs <= limit)
}

/// `Sun Nov  6 08:49:37 1994`
fn asctime(text: &[u8]) -> Option<i64> {
    let mut read = Reader(text);
    read.weekday(3)?;
    read.literal(b" ")?;
    let month = read.month()?;
    read.literal(b" ")?;
    let day = if read.literal(b" ").is_some() { read.digits(1)? } else { read.digits(2)? };
    read.literal(b" ")?;
    let time = read.time()?;
    read.literal(b" ")?;
    let year = read.digits(4)?;
    read.end(year, month, day, time)
}

const fn fifty_years() -> i64 {
    // Fifty Julian years; the half day more or less decides nothing.
    50 * 365 * DAY_SECS + 12 * DAY_SECS
}

/// What is left to read.
#[derive(Clone, Copy)]
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(head)
    }

    fn literal(&mut self, expected: &[u8]) -> Option<()> {
        let mut ahead = *self;
        ahead.take(expected.len())?.eq_ignore_ascii_case(expected).then(|| *self = ahead)
    }

    fn digits(&mut self, count: usize) -> Option<i64> {
        self.take(count)?.iter().try_fold(0_i64, |number, byte| {
            byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0'))
        })
    }

    /// A weekday's name: its first three letters when `length` is 3, else all of it.
    fn weekday(&mut self, length: usize) -> Option<()> {
        let name = self.take(length)?;
        let fits = |day: &&str| {
            let day = if length == 3 { day.get(..3).unwrap_or(day) } else { day };
            day.as_bytes().eq_ignore_ascii_case(name)
        };
        DAYS.iter().any(fits).then_some(())
    }

    fn month(&mut self) -> Option<i64> {
        let name = self.take(3)?;
        let at = MONTHS.iter().position(|month| month.as_bytes().eq_ignore_ascii_case(name))?;
        i64::try_from(at + 1).ok()
    }

    /// Seconds since midnight. A leap second counts as the one before it.
    fn time(&mut self) -> Option<i64> {
        let hour = self.digits(2)?;
        self.literal(b":")?;
        let minute = self.digits(2)?;
        self.literal(b":")?;
        let second = self.digits(2)?;
        (hour < 24 && minute < 60 && second <= 60)
            .then(|| hour * 3_600 + minute * 60 + second.min(59))
    }

    /// Seconds since the epoch, if nothing is left over and the day exists.
    fn end(self, year: i64, month: i64, day: i64, time: i64) -> Option<i64> {
        let days = days_from_civil(year, month, day);
        (self.0.is_empty() && civil(days) == (year, month, day)).then(|| days * DAY_SECS + time)
    }
}

/// Days since 1970-01-01 of a date in the Gregorian calendar. Years run from March, so that the
/// leap day is the last of its year; an era is the 400 years after which the calendar repeats.
const fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Year, month and day of a count of days since 1970-01-01; the inverse of [`days_from_civil`].
const fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let leaps = day_of_era / 1_460 - day_of_era / 36_524 + day_of_era / 146_096;
    let year_of_era = (day_of_era - leaps) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

#[cfg(test)]
mod tests;
