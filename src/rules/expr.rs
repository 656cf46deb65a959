//! A value with its filters: `id|or(json:/id)`, `query.days|default(30)`. Filters run from left to
//! right; `or` and `default` act only on what is missing.

use std::borrow::Cow;
use std::fmt::Write;

use sha2::{Digest, Sha256};

use super::charset::{self, CharSet};
use super::extract::{Datum, Given, QueryShape, ValueOf};
use super::names::Names;

/// A value with its filters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Expr {
    pub(super) of: ValueOf,
    pub(super) steps: Box<[Step]>,
    /// As it stands in the file.
    pub(super) written: Box<str>,
}

/// One filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Another source, where nothing is there.
    Or(ValueOf),
    /// The template's own text, where nothing is there. Always the last.
    Default(Box<str>),
    /// ASCII letters in lower case.
    Lower,
    /// The SHA-256 of the value in hexadecimal digits.
    Sha256,
    /// The first characters.
    Take(usize),
    /// What stands before the first of these; all of it where there is none.
    Before(Box<[u8]>),
    /// What stands behind the first of these; missing where there is none.
    After(Box<[u8]>),
}

/// What came of an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Resolved<'e, 'a> {
    /// Nothing, after all filters.
    Missing,
    /// The template's own text.
    Text(&'e str),
    /// A value of the request or answer.
    Value(Datum<'a>),
}

impl Expr {
    /// The value in keys, tags and selectors. Of a credential it is a digest, whatever filters
    /// have made of it.
    pub(super) fn resolve<'a>(
        &self,
        given: &Given<'a>,
        shape: &QueryShape<'_>,
    ) -> Resolved<'_, 'a> {
        let mut from = &self.of;
        let mut value = given.one(from, shape);
        for step in &self.steps {
            value = match (step, value) {
                (Step::Or(of), None) => {
                    from = of;
                    given.one(of, shape)
                }
                (Step::Default(text), None) => return Resolved::Text(text),
                (_, None) => None,
                (step, Some(value)) => step.apply(value),
            };
        }
        let value = value.map(|one| if given.hides(from) { given.veil.over(one) } else { one });
        value.map_or(Resolved::Missing, Resolved::Value)
    }

    /// Whether it may be a digest that other nodes cannot make.
    pub(super) fn is_apart(&self, given: &Given<'_>) -> bool {
        let hidden = |of: &ValueOf| *of == ValueOf::Identity || given.hides(of);
        given.veil.is_apart && self.sources().any(hidden)
    }

    /// Whether any value there is fits; `None` when there is none. For conditions, in which a
    /// parameter may come twice and either may fit.
    pub(super) fn any(
        &self,
        given: &Given<'_>,
        fits: &mut dyn FnMut(&[u8]) -> bool,
    ) -> Option<bool> {
        self.any_from(0, &self.of, given, fits)
    }

    fn any_from(
        &self,
        from: usize,
        of: &ValueOf,
        given: &Given<'_>,
        fits: &mut dyn FnMut(&[u8]) -> bool,
    ) -> Option<bool> {
        let steps = self.steps.get(from..).unwrap_or_default();
        let mut there = false;
        let answer = given.any(of, &mut |bytes| {
            let start = Some(Datum::plain(bytes));
            let end = steps.iter().fold(start, |value, step| value.and_then(|v| step.apply(v)));
            there |= end.is_some();
            end.is_some_and(|value| fits(&value.bytes))
        });
        if there {
            return answer;
        }
        let otherwise = |(at, step): (usize, &Step)| match step {
            Step::Or(of) => Some(self.any_from(from + at + 1, of, given, fits)),
            Step::Default(text) => Some(Some(fits(text.as_bytes()))),
            _ => None,
        };
        steps.iter().enumerate().find_map(otherwise).flatten()
    }

    /// Everything it reads.
    pub(super) fn sources(&self) -> impl Iterator<Item = &ValueOf> {
        let others = self.steps.iter().filter_map(|step| match step {
            Step::Or(of) => Some(of),
            _ => None,
        });
        std::iter::once(&self.of).chain(others)
    }

    /// Whether it can be missing after all filters.
    pub(super) fn may_be_missing(&self, names: &Names) -> bool {
        self.steps.iter().fold(source_may_be_missing(&self.of, names), |missing, step| match step {
            Step::Or(of) => missing && source_may_be_missing(of, names),
            Step::Default(_) => false,
            Step::After(_) => true,
            _ => missing,
        })
    }

    /// The characters that it can put into a key.
    pub(super) fn chars(&self, names: &Names) -> CharSet {
        self.steps.iter().fold(source_chars(&self.of, names), |set, step| match step {
            Step::Or(of) => set.with(source_chars(of, names)),
            Step::Default(text) => set.with(CharSet::of(text.as_bytes())),
            Step::Sha256 => CharSet::HEX,
            _ => set,
        })
    }

    /// All texts that it can put into a key, roughly and never too few.
    pub(super) fn texts(&self, names: &Names) -> impl Iterator<Item = charset::Step> {
        let chars = self.chars(names);
        let empty = matches!(self.steps.last(), Some(Step::Default(text)) if text.is_empty());
        let first = (!empty).then_some(charset::Step::One(chars));
        first.into_iter().chain(std::iter::once(charset::Step::Many(chars)))
    }
}

fn source_may_be_missing(of: &ValueOf, names: &Names) -> bool {
    match of {
        ValueOf::Part(at) => names.get(*at).is_none_or(|name| !name.always),
        ValueOf::Host | ValueOf::Path | ValueOf::Method => false,
        _ => true,
    }
}

fn source_chars(of: &ValueOf, names: &Names) -> CharSet {
    match of {
        ValueOf::Part(at) => names.get(*at).map_or(CharSet::ALL, |name| name.chars),
        ValueOf::Parameter(_) | ValueOf::Query => CharSet::QUERY,
        _ => CharSet::VALUE,
    }
}

impl Step {
    /// Applies a filter to a value that is there.
    fn apply<'a>(&self, value: Datum<'a>) -> Option<Datum<'a>> {
        Some(match self {
            Self::Or(_) | Self::Default(_) => value,
            Self::Lower => lower(value),
            Self::Sha256 => sha256(&value),
            Self::Take(count) => cut(value, |bytes| 0..end_of_characters(bytes, *count)),
            Self::Before(text) => {
                cut(value, |bytes| 0..memchr::memmem::find(bytes, text).unwrap_or(bytes.len()))
            }
            Self::After(text) => {
                let at = memchr::memmem::find(&value.bytes, text)? + text.len();
                cut(value, |bytes| at..bytes.len())
            }
        })
    }
}

fn lower(mut value: Datum<'_>) -> Datum<'_> {
    if value.bytes.iter().any(u8::is_ascii_uppercase) {
        value.bytes.to_mut().make_ascii_lowercase();
    }
    value
}

/// The digest of the value's bytes. Where a `+` was sent encoded, the value's bytes alone would not
/// tell it from a plain one: then the escaped text is digested, behind a NUL, which no value of a
/// plain target begins with.
fn sha256<'a>(value: &Datum<'a>) -> Datum<'a> {
    let mut digest = Sha256::new();
    if value.coded_plus.is_empty() {
        digest.update(&value.bytes);
    } else {
        let mut escaped = String::from("\0");
        value.write_escaped(&mut escaped);
        digest.update(escaped.as_bytes());
    }
    let mut hex = String::with_capacity(64);
    for byte in digest.finalize() {
        // A String takes everything.
        _ = write!(hex, "{byte:02x}");
    }
    Datum::plain(hex.into_bytes())
}

/// The first characters of what is UTF-8, else the first bytes.
fn end_of_characters(bytes: &[u8], count: usize) -> usize {
    let Ok(text) = std::str::from_utf8(bytes) else { return count.min(bytes.len()) };
    text.char_indices().nth(count).map_or(bytes.len(), |(at, _)| at)
}

fn cut(value: Datum<'_>, range: impl Fn(&[u8]) -> std::ops::Range<usize>) -> Datum<'_> {
    let range = range(&value.bytes);
    let start = range.start as u32;
    let bytes = match value.bytes {
        Cow::Borrowed(bytes) => Cow::Borrowed(bytes.get(range).unwrap_or_default()),
        Cow::Owned(bytes) => Cow::Owned(bytes.get(range).unwrap_or_default().to_vec()),
    };
    let coded_plus = value.coded_plus.iter().filter_map(|at| at.checked_sub(start)).collect();
    Datum { bytes, class: value.class, coded_plus }
}

#[cfg(test)]
mod tests {
    use super::super::extract::Class;
    use super::*;

    fn through(step: &Step, text: &str) -> Option<String> {
        let value = step.apply(Datum::plain(text.as_bytes()))?;
        Some(String::from_utf8(value.bytes.into_owned()).unwrap())
    }

    #[test]
    fn filters_do_what_their_names_say() {
        let bytes = |text: &str| text.as_bytes().into();
        assert_eq!(through(&Step::Lower, "AñÑ").unwrap(), "añÑ");
        assert_eq!(through(&Step::Take(2), "año").unwrap(), "añ");
        assert_eq!(through(&Step::Take(9), "año").unwrap(), "año");
        assert_eq!(through(&Step::Before(bytes("-")), "76-5-1").unwrap(), "76");
        assert_eq!(through(&Step::Before(bytes("-")), "76").unwrap(), "76");
        assert_eq!(through(&Step::After(bytes("-")), "76-5-1").unwrap(), "5-1");
        assert_eq!(through(&Step::After(bytes("-")), "76"), None);
        assert_eq!(
            through(&Step::Sha256, "abc").unwrap(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn both_spellings_of_a_plus_have_different_digests() {
        let of = |coded_plus: Vec<u32>| {
            let value = Datum { bytes: (&b"a+b"[..]).into(), class: Class::Query, coded_plus };
            sha256(&value).bytes.into_owned()
        };
        assert_ne!(of(vec![]), of(vec![1]));
    }

    #[test]
    fn a_cut_keeps_track_of_encoded_plus_signs() {
        let value =
            Datum { bytes: (&b"x-a+b"[..]).into(), class: Class::Query, coded_plus: vec![3] };
        let rest = Step::After(b"-"[..].into()).apply(value).unwrap();
        let mut out = String::new();
        rest.write_escaped(&mut out);
        assert_eq!(out, "a%2Bb");
    }
}
