//! Whether text needs no escape, eight bytes at a time: every answer and every log line asks that
//! of its longest parts, and nearly always the answer is yes.

const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Whether all of `text` is printable ASCII without quotation mark and backslash: it stands for
/// itself in a string of JSON (RFC 8259, 7) and of a structured field (RFC 9651, 3.3.3). `false`
/// may also be said of text that one of the two would take as it is.
pub fn is_plain(text: &[u8]) -> bool {
    let Some(last) = text.last_chunk::<8>() else {
        return text.iter().all(|b| matches!(b, b' '..=b'~') && !matches!(b, b'"' | b'\\'));
    };
    // The last word overlaps the one before it where the length is no multiple of eight.
    let (words, _) = text.as_chunks::<8>();
    let odd = words.iter().chain([last]).fold(0, |odd, w| odd | odd_bytes(u64::from_le_bytes(*w)));
    odd == 0
}

/// Not zero where a byte is below space, above tilde, a quotation mark or a backslash.
const fn odd_bytes(word: u64) -> u64 {
    let below_space = word.wrapping_sub(LOW * 0x20);
    let is_quote = (word ^ (LOW * b'"' as u64)).wrapping_sub(LOW);
    let is_backslash = (word ^ (LOW * b'\\' as u64)).wrapping_sub(LOW);
    let above_tilde = word.wrapping_add(LOW);
    (below_space | is_quote | is_backslash | above_tilde | word) & HIGH
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_at_every_place() {
        for len in 1..20 {
            for at in 0..len {
                for byte in 0..=255_u8 {
                    let mut text = vec![b'a'; len];
                    text[at] = byte;
                    let plain = matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\';
                    assert_eq!(is_plain(&text), plain, "{byte} at {at} of {len}");
                }
            }
        }
        assert!(is_plain(b""));
    }

    #[test]
    fn neighbours_do_not_hide_each_other() {
        for first in 0..=255_u8 {
            for second in 0..=255_u8 {
                let text = [b'a', first, second, b'a', b'~', b' ', first, second];
                let plain = |b: u8| matches!(b, b' '..=b'~') && b != b'"' && b != b'\\';
                assert_eq!(is_plain(&text), plain(first) && plain(second), "{text:?}");
            }
        }
    }
}
