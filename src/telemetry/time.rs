//! Timestamps in log lines: RFC 3339 in UTC with milliseconds.

use crate::base::clock::Timestamp;

/// Appends `2026-01-05T10:00:00.123Z`. Every line of every log begins with it, so its digits are
/// set one by one instead of being formatted.
pub fn write_rfc3339(at: Timestamp, out: &mut Vec<u8>) {
    let (days, second) = (at.as_secs() / 86_400, at.as_secs() % 86_400);
    let (year, month, day) = civil(days);
    let mut text = *b"0000-00-00T00:00:00.000Z";
    for (end, digits, value) in [
        (4, 4, year),
        (7, 2, month),
        (10, 2, day),
        (13, 2, second / 3_600),
        (16, 2, second / 60 % 60),
        (19, 2, second % 60),
        (23, 3, at.as_millis() % 1_000),
    ] {
        set_digits(text.get_mut(end - digits..end).unwrap_or_default(), value);
    }
    out.extend_from_slice(&text);
}

/// The last digits of a number, as many as there is room for.
fn set_digits(text: &mut [u8], mut value: u64) {
    for place in text.iter_mut().rev() {
        *place = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

/// Year, month and day of a day since the epoch, by eras of 400 years that begin in March.
const fn civil(days_since_epoch: u64) -> (u64, u64, u64) {
    let days = days_since_epoch + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(secs: u64, ms: u64) -> String {
        let mut out = Vec::new();
        write_rfc3339(Timestamp::from_millis(secs * 1_000 + ms), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn known_moments() {
        assert_eq!(show(0, 0), "1970-01-01T00:00:00.000Z");
        assert_eq!(show(951_782_400, 7), "2000-02-29T00:00:00.007Z");
        assert_eq!(show(1_767_607_200, 123), "2026-01-05T10:00:00.123Z");
        assert_eq!(show(4_107_542_399, 999), "2100-02-28T23:59:59.999Z");
    }
}
