//! Numbers as values of fields. Every answer from the store says its age and its length.

use http::HeaderValue;

/// A number as a value, in one allocation of its size.
pub fn number(value: u64) -> HeaderValue {
    Digits::of(value).value()
}

/// The decimal digits of a number, on the stack.
pub struct Digits {
    text: [u8; 20],
    from: usize,
}

impl Digits {
    /// The digits of `value`.
    pub fn of(mut value: u64) -> Self {
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
        Self { text, from }
    }

    /// They as text.
    pub fn as_str(&self) -> &str {
        let digits = self.text.get(self.from..).unwrap_or_default();
        str::from_utf8(digits).unwrap_or_default()
    }

    fn value(&self) -> HeaderValue {
        HeaderValue::from_str(self.as_str()).unwrap_or(HeaderValue::from_static("0"))
    }
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
