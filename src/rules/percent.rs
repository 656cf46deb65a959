//! Percent-encoding, once each way. Values are decoded once when they are read from a target and
//! escaped once when they are written into a key; nothing else here or elsewhere touches it.

use std::borrow::Cow;

/// One decoded byte and how many raw ones it took.
fn unit(raw: &[u8]) -> Option<(u8, usize)> {
    match raw {
        [b'%', high, low, ..] => match (hex(*high), hex(*low)) {
            (Some(high), Some(low)) => Some((high << 4 | low, 3)),
            _ => Some((b'%', 1)),
        },
        [byte, ..] => Some((*byte, 1)),
        [] => None,
    }
}

const fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// The decoded bytes, with whether each was encoded.
pub(super) fn units(raw: &[u8]) -> impl Iterator<Item = (u8, bool)> {
    let mut rest = raw;
    std::iter::from_fn(move || {
        let (byte, took) = unit(rest)?;
        rest = rest.get(took..).unwrap_or_default();
        Some((byte, took > 1))
    })
}

/// The text with each `%XX` taken as its byte; what is no such triplet stays. Borrowed when there
/// is nothing to decode.
pub(super) fn decoded(raw: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'%', raw).is_none() {
        return Cow::Borrowed(raw);
    }
    Cow::Owned(units(raw).map(|(byte, _)| byte).collect())
}

/// Whether the decoded text is `plain`.
pub(super) fn equals(raw: &[u8], plain: &[u8]) -> bool {
    if memchr::memchr(b'%', raw).is_none() {
        return raw == plain;
    }
    units(raw).map(|(byte, _)| byte).eq(plain.iter().copied())
}

/// The raw text behind a beginning that decodes to `plain`.
pub(super) fn strip_prefix<'a>(raw: &'a [u8], plain: &[u8]) -> Option<&'a [u8]> {
    let mut rest = raw;
    for wanted in plain {
        let (byte, took) = unit(rest)?;
        if byte != *wanted {
            return None;
        }
        rest = rest.get(took..)?;
    }
    Some(rest)
}

/// The raw text before an end that decodes to `plain`.
pub(super) fn strip_suffix<'a>(raw: &'a [u8], plain: &[u8]) -> Option<&'a [u8]> {
    if plain.is_empty() {
        return Some(raw);
    }
    let mut at = 0;
    loop {
        let (before, rest) = raw.split_at_checked(at)?;
        if rest.len() < plain.len() {
            return None;
        }
        if rest.len() <= plain.len() * 3 && equals(rest, plain) {
            return Some(before);
        }
        at += unit(rest)?.1;
    }
}

/// Whether a target is in plain form, so that it names one thing for everybody who reads it: no
/// `;`, `//`, dot segment, backslash or control character, none of these encoded, no encoded slash,
/// and no percent sign that begins no triplet (two spellings would then decode alike).
pub(super) fn is_plain_target(target: &str) -> bool {
    let bytes = target.as_bytes();
    let path = target.split('?').next().unwrap_or_default();
    let mut rest = bytes;
    let mut slash_before = false;
    while let Some((byte, took)) = unit(rest) {
        let (encoded, slash) = (took > 1, byte == b'/');
        let odd = matches!(byte, b';' | b'\\' | 0..0x20 | 0x7f)
            || (slash && (encoded || slash_before))
            || (byte == b'%' && !encoded);
        if odd {
            return false;
        }
        slash_before = slash;
        rest = rest.get(took..).unwrap_or_default();
    }
    !path.split('/').any(|segment| {
        let segment = segment.as_bytes();
        segment.len() <= 6 && (equals(segment, b".") || equals(segment, b".."))
    })
}

const UPPER_HEX: &[u8; 16] = b"0123456789ABCDEF";

/// Writes one byte as `%XX`.
pub(super) fn push_escaped(byte: u8, out: &mut String) {
    let digit =
        |value: u8| char::from(UPPER_HEX.get(usize::from(value & 15)).copied().unwrap_or(0));
    out.push('%');
    out.push(digit(byte >> 4));
    out.push(digit(byte));
}

/// Writes bytes escaped as values are: two different ones never look alike.
pub(super) fn escape(bytes: &[u8], out: &mut String) {
    for byte in bytes {
        if is_kept(*byte) { out.push(char::from(*byte)) } else { push_escaped(*byte, out) }
    }
}

/// What values keep when they are escaped (RFC 3986, 2.3: unreserved).
pub(super) const fn is_kept(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn decoding_happens_once() {
        assert_eq!(decoded(b"a%20b%2525").as_ref(), b"a b%25");
        assert_eq!(decoded(b"%zz%4").as_ref(), b"%zz%4");
        assert!(matches!(decoded(b"plain"), Cow::Borrowed(_)));
        assert!(equals(b"%70roductos", b"productos"));
        assert!(!equals(b"%70roducto", b"productos"));
    }

    #[test]
    fn ends_are_stripped_in_any_spelling() {
        assert_eq!(strip_prefix(b"a%2Db", b"a-"), Some(&b"b"[..]));
        assert_eq!(strip_prefix(b"ab", b"a-"), None);
        assert_eq!(strip_suffix(b"7%2Ejson", b".json"), Some(&b"7"[..]));
        assert_eq!(strip_suffix(b"7.json", b".json"), Some(&b"7"[..]));
        assert_eq!(strip_suffix(b"json", b".json"), None);
        assert_eq!(strip_suffix(b"a%2", b"2"), Some(&b"a%"[..]));
        assert_eq!(strip_suffix(b"a%32", b"2"), Some(&b"a"[..]));
    }

    #[test]
    fn odd_targets_are_told_from_plain_ones() {
        for plain in ["/", "/a/b.c/", "/a..b/...", "/a%20b?q=a%2Bb&r=%C3%B1", "/a?b=..", "/~x"] {
            assert!(is_plain_target(plain), "{plain}");
        }
        let odd = [
            "/a;b",
            "/a//b",
            "//",
            "/a/./b",
            "/a/..",
            "/.",
            "/a/%2e%2E/b",
            "/%2e",
            "/a\\b",
            "/a%5Cb",
            "/a%2Fb",
            "/a%00",
            "/a\tb",
            "/a%7f",
            "/a%3bb",
            "/a?b=1;c=2",
            "/a?b=%0A",
            "/a%2",
            "/a%zz",
            "/a%2F%2fb",
            "/a/%2Fb",
            "/a?u=//x",
        ];
        for target in odd {
            assert!(!is_plain_target(target), "{target}");
        }
    }

    proptest! {
        #[test]
        fn escaping_and_decoding_are_inverse(
            bytes in proptest::collection::vec(any::<u8>(), 0..32),
        ) {
            let mut out = String::new();
            for byte in &bytes {
                push_escaped(*byte, &mut out);
            }
            let back = decoded(out.as_bytes());
            prop_assert_eq!(back.as_ref(), &bytes[..]);
        }

        #[test]
        fn stripping_agrees_with_decoding(raw in "[ab%2356E]{0,10}", plain in "[ab5]{0,3}") {
            let (raw, plain) = (raw.as_bytes(), plain.as_bytes());
            let whole = decoded(raw).into_owned();
            if let Some(rest) = strip_prefix(raw, plain) {
                prop_assert_eq!([plain, &decoded(rest)].concat(), whole.clone());
            }
            if let Some(rest) = strip_suffix(raw, plain) {
                prop_assert!(whole.ends_with(plain));
                prop_assert_eq!([&decoded(rest), plain].concat(), whole);
            }
        }
    }
}
