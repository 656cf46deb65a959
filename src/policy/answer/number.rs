//! Numbers as values of fields. Every answer from the store says its age and its length.

use http::HeaderValue;

/// A number as a value, in one allocation of its size.
pub fn number(mut value: u64) -> HeaderValue {
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
    let digits = text.get(from..).unwrap_or_default();
    HeaderValue::from_bytes(digits).unwrap_or(HeaderValue::from_static("0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_they_are() {
        for value in [0, 7, 10, 1_024, 9_999_999_999, u64::MAX] {
            assert_eq!(number(value), value.to_string());
        }
    }
}
