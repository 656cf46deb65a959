//! Which characters a part of a key can hold. Whether two values can be told apart, and whether two
//! keys can be equal, is decided from these sets before any request comes.

/// A set of ASCII characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CharSet(u128);

impl CharSet {
    /// What every escaped value can hold.
    pub(super) const VALUE: Self =
        Self::of(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~%");
    /// A tail: its slashes too.
    pub(super) const TAIL: Self = Self::VALUE.with(Self::of(b"/"));
    /// A value of the query: its plus signs too.
    pub(super) const QUERY: Self = Self::VALUE.with(Self::of(b"+"));
    /// Digits and a minus sign.
    pub(super) const INT: Self = Self::of(b"0123456789-");
    /// Hexadecimal digits.
    pub(super) const HEX: Self = Self::of(b"0123456789abcdefABCDEF");
    /// Hexadecimal digits and `-`.
    pub(super) const UUID: Self = Self::HEX.with(Self::of(b"-"));
    /// Letters, digits, `_` and `-`.
    pub(super) const WORD: Self =
        Self::of(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");
    /// Everything that a key can hold.
    pub(super) const ALL: Self = Self(u128::MAX);

    /// A part between colons.
    pub(super) const PART: Self = Self(!Self::of(b":").0);

    /// The set of these.
    pub(super) const fn of(bytes: &[u8]) -> Self {
        let mut bits = 0;
        let mut rest = bytes;
        while let [byte, more @ ..] = rest {
            if *byte < 128 {
                bits |= 1 << *byte;
            }
            rest = more;
        }
        Self(bits)
    }

    /// Both sets together.
    pub(super) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether it holds this character.
    pub(super) const fn has(self, byte: u8) -> bool {
        byte < 128 && self.0 >> byte & 1 == 1
    }

    /// Whether the sets share a character.
    pub(super) const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// One step of all texts that a template can give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Exactly one character of these.
    One(CharSet),
    /// Any number of these, also none.
    Many(CharSet),
}

/// Whether two templates can give the same text, judged by the characters of their parts. It never
/// says no when the answer is yes.
pub(super) fn can_be_equal(a: &[Step], b: &[Step]) -> bool {
    let width = b.len() + 1;
    let mut seen = vec![false; (a.len() + 1) * width];
    let mut open = vec![(0, 0)];
    while let Some((i, j)) = open.pop() {
        match seen.get_mut(i * width + j) {
            Some(seen) if !*seen => *seen = true,
            _ => continue,
        }
        match (a.get(i), b.get(j)) {
            (None, None) => return true,
            (Some(Step::One(x)), Some(Step::One(y))) => {
                if x.meets(*y) {
                    open.push((i + 1, j + 1));
                }
            }
            (x, y) => {
                step(x, y, &mut open, |many, other| (i + many, j + other));
                step(y, x, &mut open, |many, other| (i + other, j + many));
            }
        }
    }
    false
}

/// Moves from a state where `many` may be a run: it ends, or it takes one character of the other.
/// Of two runs either may end first, which both directions of the caller try.
fn step(
    many: Option<&Step>,
    other: Option<&Step>,
    open: &mut Vec<(usize, usize)>,
    to: impl Fn(usize, usize) -> (usize, usize),
) {
    let Some(Step::Many(set)) = many else { return };
    open.push(to(1, 0));
    if matches!(other, Some(Step::One(next)) if set.meets(*next)) {
        open.push(to(0, 1));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn steps(text: &str) -> Vec<Step> {
        text.bytes()
            .map(|byte| match byte {
                b'*' => Step::Many(CharSet::VALUE),
                b'#' => Step::Many(CharSet::INT),
                b'!' => Step::One(CharSet::VALUE),
                byte => Step::One(CharSet::of(&[byte])),
            })
            .collect()
    }

    fn meet(a: &str, b: &str) -> bool {
        let (a, b) = (steps(a), steps(b));
        assert_eq!(can_be_equal(&a, &b), can_be_equal(&b, &a));
        can_be_equal(&a, &b)
    }

    #[test]
    fn keys_that_can_be_equal_are_found() {
        assert!(meet("producto_*", "producto_7"));
        assert!(meet("a:*:b", "a:x:*"));
        assert!(meet("*", ""));
        assert!(meet("**", "ab"));
        assert!(meet("a*", "*b"));
        assert!(!meet("a:*", "b:*"));
        assert!(!meet("a:*", "a:x:y"));
        assert!(!meet("p:#", "p:mas"));
        assert!(meet("p:#", "p:*"));
        assert!(!meet("!*", ""));
        assert!(!meet("a#b", "a!cb"));
    }

    proptest! {
        #[test]
        fn a_text_of_both_is_always_found(
            a in "[ab*!]{0,6}",
            b in "[ab*!]{0,6}",
            text in "[ab]{0,6}",
        ) {
            let fits = |pattern: &str| can_be_equal(&steps(pattern), &steps(&text));
            if fits(&a) && fits(&b) {
                prop_assert!(meet(&a, &b));
            }
        }
    }
}
