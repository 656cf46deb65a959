//! Until when a certificate holds: the one thing about it that the TLS library does not tell. It
//! reads no further into the certificate than it must (RFC 5280, 4.1), and never beyond its end.

use crate::base::clock::Timestamp;
use crate::policy::date;

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// From when, and until when, a certificate in DER holds; `None` where that cannot be read.
pub(super) fn of(der: &[u8]) -> Option<(Timestamp, Timestamp)> {
    let (certificate, _) = expect(der, SEQUENCE)?;
    let (mut rest, _) = expect(certificate, SEQUENCE)?;
    if let Some((_, behind)) = expect(rest, VERSION) {
        rest = behind;
    }
    // Serial number, signature algorithm, issuer.
    for _ in 0..3 {
        rest = element(rest)?.2;
    }
    let (validity, _) = expect(rest, SEQUENCE)?;
    let (from, rest) = time(validity)?;
    let (until, _) = time(rest)?;
    Some((from, until))
}

/// Tag and content of the first element, and what stands behind it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, first], rest) = der.split_first_chunk()?;
    let (len, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first - 0x80))?;
            let add = |len: usize, digit: &u8| (len << 8) | usize::from(*digit);
            (digits.iter().fold(0, add), rest)
        }
        _ => return None,
    };
    let (content, behind) = rest.split_at_checked(len)?;
    Some((tag, content, behind))
}

fn expect(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    element(der).filter(|(found, ..)| *found == tag).map(|(_, content, rest)| (content, rest))
}

/// A moment as RFC 5280, 4.1.2.5 has it written, and what stands behind it.
fn time(der: &[u8]) -> Option<(Timestamp, &[u8])> {
    let (tag, text, rest) = element(der)?;
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let text = match tag {
        GENERALIZED_TIME => text.to_owned(),
        UTC_TIME => {
            let century = if text.get(..2)?.parse::<u8>().ok()? < 50 { "20" } else { "19" };
            format!("{century}{text}")
        }
        _ => return None,
    };
    if text.len() != 14 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part = |from: usize, to: usize| text.get(from..to);
    let days = date::day(&format!("{}-{}-{}", part(0, 4)?, part(4, 6)?, part(6, 8)?))?;
    let number = |from, to| part(from, to)?.parse::<i64>().ok();
    let seconds = number(8, 10)? * 3_600 + number(10, 12)? * 60 + number(12, 14)?;
    let since_epoch = days.checked_mul(86_400)?.checked_add(seconds)?;
    // A certificate from before 1970 holds from then on.
    Some((Timestamp::from_secs(u64::try_from(since_epoch).unwrap_or(0)), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn der(tag: u8, content: &[u8]) -> Vec<u8> {
        let mut all = vec![tag];
        match content.len() {
            len @ 0..=0x7f => all.push(len as u8),
            len => all.extend([0x82, (len >> 8) as u8, len as u8]),
        }
        all.extend_from_slice(content);
        all
    }

    fn certificate(times: [Vec<u8>; 2], version: bool) -> Vec<u8> {
        let mut inner = if version { der(VERSION, &der(2, &[2])) } else { Vec::new() };
        inner.extend(der(2, &[7; 20]));
        inner.extend(der(SEQUENCE, &[6, 1, 1]));
        inner.extend(der(SEQUENCE, &[9; 300]));
        inner.extend(der(SEQUENCE, &times.concat()));
        inner.extend(der(SEQUENCE, b"subject"));
        der(SEQUENCE, &der(SEQUENCE, &inner))
    }

    #[test]
    fn both_forms_of_time_are_read() {
        let utc = der(UTC_TIME, b"700101000010Z");
        let general = der(GENERALIZED_TIME, b"20360101000000Z");
        for version in [true, false] {
            let both = of(&certificate([utc.clone(), general.clone()], version)).unwrap();
            assert_eq!(both.0, Timestamp::from_secs(10));
            assert_eq!(both.1, Timestamp::from_secs(2_082_758_400));
        }
        let early = der(UTC_TIME, b"500101000000Z");
        let (from, _) = of(&certificate([early, general], true)).unwrap();
        assert_eq!(from, Timestamp::from_secs(0));
    }

    #[test]
    fn what_is_cut_or_odd_has_no_validity() {
        let utc = der(UTC_TIME, b"260101000000Z");
        let whole = certificate([utc.clone(), utc.clone()], true);
        assert!(of(&whole).is_some());
        for end in 0..whole.len() {
            assert_eq!(of(&whole[..end]), None, "{end}");
        }
        for odd in ["260101000000", "2601010000Z", "26010100000xZ", "261301000000Z"] {
            assert_eq!(of(&certificate([utc.clone(), der(UTC_TIME, odd.as_bytes())], true)), None);
        }
    }
}
