//! Numbers in log lines. Two lines are written for each request, and formatting their numbers the
//! general way took longer than the look into the cache.

/// Appends a number.
pub(super) fn decimal(mut value: u64, out: &mut Vec<u8>) {
    let mut text = [b'0'; 20];
    let mut from = text.len();
    for place in text.iter_mut().rev() {
        *place += (value % 10) as u8;
        value /= 10;
        from -= 1;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(text.get(from..).unwrap_or_default());
}

/// Appends a number in lower-case hexadecimal digits.
pub(super) fn hex(mut value: u64, out: &mut Vec<u8>) {
    let mut text = [0; 16];
    let mut from = text.len();
    for place in text.iter_mut().rev() {
        let digit = (value % 16) as u8;
        *place = digit + if digit < 10 { b'0' } else { b'a' - 10 };
        value /= 16;
        from -= 1;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(text.get(from..).unwrap_or_default());
}

/// Appends a number that may be negative.
pub(super) fn signed(value: i64, out: &mut Vec<u8>) {
    if value < 0 {
        out.push(b'-');
    }
    decimal(value.unsigned_abs(), out);
}

/// Appends the last `N` digits of a number, with zeros before it.
pub(super) fn last_digits<const N: usize>(mut value: u64, out: &mut Vec<u8>) {
    let mut text = [b'0'; N];
    for place in text.iter_mut().rev() {
        *place += (value % 10) as u8;
        value /= 10;
    }
    out.extend_from_slice(&text);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_read_as_they_are() {
        for value in [0, 9, 10, 4_096, u64::MAX] {
            assert_eq!(text(|out| decimal(value, out)), value.to_string());
        }
        for value in [0, 9, 10, 255, u64::MAX] {
            assert_eq!(text(|out| hex(value, out)), format!("{value:x}"));
        }
        for value in [i64::MIN, -1, 0, 1, i64::MAX] {
            assert_eq!(text(|out| signed(value, out)), value.to_string());
        }
        assert_eq!(text(|out| last_digits::<3>(7, out)), "007");
        assert_eq!(text(|out| last_digits::<2>(1_234, out)), "34");
    }
}
