//! The query of a target as parameters, split once for each request. Names and values stay raw
//! here; who compares or uses them decodes them once.

use std::borrow::Cow;

use smallvec::SmallVec;

use super::percent;

/// One parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parameter<'a> {
    /// As it stands in the target, with its `=`.
    pub(super) raw: &'a str,
    /// Before the first `=`.
    pub(super) name: &'a str,
    /// Behind it; empty when there is no `=`.
    pub(super) value: &'a str,
}

impl Parameter<'_> {
    /// Whether its decoded name is this.
    pub(super) fn is(&self, name: &str) -> bool {
        percent::equals(self.name.as_bytes(), name.as_bytes())
    }
}

/// All parameters in the order of the target. Empty pieces (`a=1&&b=2`) are none.
#[derive(Clone, Debug, Default)]
pub(super) struct Query<'a>(SmallVec<[Parameter<'a>; 8]>);

impl<'a> Query<'a> {
    /// Splits what stands behind the `?`.
    pub(super) fn of(target: &'a str) -> Self {
        let Some((_, query)) = target.split_once('?') else { return Self::default() };
        let pieces = query.split('&').filter(|raw| !raw.is_empty());
        Self(
            pieces
                .map(|raw| {
                    let (name, value) = raw.split_once('=').unwrap_or((raw, ""));
                    Parameter { raw, name, value }
                })
                .collect(),
        )
    }

    /// Every parameter.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Parameter<'a>> {
        self.0.iter()
    }

    /// Every value of this name, raw.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |one| one.is(name)).map(|one| one.value)
    }

    /// The parameters that `keep` takes as one text in which equal questions are equal: each name
    /// and value in one spelling, and sorted by name where the order means nothing. Parameters of
    /// one name keep their order. `None` when none is left.
    pub(super) fn canonical(
        &self,
        sorted: bool,
        keep: impl Fn(&Parameter<'_>) -> bool,
    ) -> Option<String> {
        let mut kept: SmallVec<[Decoded<'_>; 8]> = self
            .0
            .iter()
            .filter(|one| keep(one))
            .map(|one| (percent::decoded(one.name.as_bytes()), one))
            .collect();
        if sorted {
            kept.sort_by(|(a, _), (b, _)| a.cmp(b));
        }
        let mut out = String::new();
        for (_, one) in &kept {
            if !out.is_empty() {
                out.push('&');
            }
            push_canonical(one.name, &mut out);
            if one.name.len() < one.raw.len() {
                out.push('=');
                push_canonical(one.value, &mut out);
            }
        }
        (!kept.is_empty()).then_some(out)
    }
}

/// A parameter and its decoded name.
type Decoded<'a> = (Cow<'a, [u8]>, &'a Parameter<'a>);

/// Keeps what RFC 3986, 2.3 calls unreserved and a raw `+`; every other byte becomes `%XX`.
fn push_canonical(raw: &str, out: &mut String) {
    for (byte, encoded) in percent::units(raw.as_bytes()) {
        if percent::is_kept(byte) || (byte == b'+' && !encoded) {
            out.push(char::from(byte));
        } else {
            percent::push_escaped(byte, out);
        }
    }
}

/// The target without the parameters that `drop` takes; all others stay byte for byte.
pub(super) fn without(target: &str, drop: impl Fn(&Parameter<'_>) -> bool) -> String {
    let Some((path, query)) = target.split_once('?') else { return target.to_owned() };
    let mut out = path.to_owned();
    let mut first = true;
    for raw in query.split('&') {
        let (name, value) = raw.split_once('=').unwrap_or((raw, ""));
        if !raw.is_empty() && drop(&Parameter { raw, name, value }) {
            continue;
        }
        out.push(if first { '?' } else { '&' });
        out.push_str(raw);
        first = false;
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parameters_are_found_in_any_spelling() {
        let query = Query::of("/a?d%61ys=3%30&x&y=&days=7&&a=b=c");
        assert_eq!(query.all("days").collect::<Vec<_>>(), ["3%30", "7"]);
        assert_eq!(query.all("x").collect::<Vec<_>>(), [""]);
        assert_eq!(query.all("a").collect::<Vec<_>>(), ["b=c"]);
        assert_eq!(query.iter().count(), 5);
        assert_eq!(Query::of("/a?").iter().count(), 0);
        assert_eq!(Query::of("/a").iter().count(), 0);
    }

    #[test]
    fn one_text_for_one_question() {
        let text = |target: &str| Query::of(target).canonical(true, |_| true);
        assert_eq!(text("/?b=2&a=1"), text("/?a=1&b=%32&"));
        assert_eq!(text("/?b=2&a=1").unwrap(), "a=1&b=2");
        assert_eq!(text("/?a=2&a=1").unwrap(), "a=2&a=1");
        assert_eq!(text("/?q=a+b%2Bc%26").unwrap(), "q=a+b%2Bc%26");
        assert_ne!(text("/?a"), text("/?a="));
        assert_eq!(text("/?&"), None);
        let unsorted = Query::of("/?b=2&a=1").canonical(false, |_| true);
        assert_eq!(unsorted.unwrap(), "b=2&a=1");
    }

    #[test]
    fn what_is_stripped_leaves_the_rest_as_it_was() {
        let strip = |target: &str| without(target, |one| one.is("utm"));
        assert_eq!(strip("/a?utm=1&b=%7e&&c"), "/a?b=%7e&&c");
        assert_eq!(strip("/a?b=1&utm=2"), "/a?b=1");
        assert_eq!(strip("/a?utm=1"), "/a");
        assert_eq!(strip("/a"), "/a");
    }

    proptest! {
        #[test]
        fn different_questions_have_different_texts(
            a in proptest::collection::vec(("[a&=+%]{1,2}", "[a&=+%]{0,2}"), 0..3),
            b in proptest::collection::vec(("[a&=+%]{1,2}", "[a&=+%]{0,2}"), 0..3),
        ) {
            let target = |pairs: &[(String, String)]| {
                let mut text = "/?".to_owned();
                for (name, value) in pairs {
                    push_canonical(name, &mut text);
                    text.push('=');
                    push_canonical(value, &mut text);
                    text.push('&');
                }
                text
            };
            let (x, y) = (target(&a), target(&b));
            let text = |target| Query::of(target).canonical(false, |_| true);
            prop_assert_eq!(text(&x) == text(&y), a == b);
        }
    }
}
