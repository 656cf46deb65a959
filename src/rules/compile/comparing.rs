//! What counts when the answers of a route are compared.

use super::super::compared::CompareRule;
use super::super::diagnostic::{Code, Findings};
use super::super::node::Pointer;
use super::super::read::{Maybe, OneOrMany, Text};
use super::inherited;
use super::law::{Levels, level};

/// The pointers of a route. Those that are none are told where they stand, see [`check`].
pub(super) fn compare(levels: &Levels<'_>) -> CompareRule {
    let texts = level!(levels, compare).into_iter().flat_map(|list| &list.0);
    let read =
        texts.filter_map(|text| Some((text.value.as_str().into(), Pointer::parse(&text.value)?)));
    CompareRule(read.collect())
}

/// What can be wrong with such pointers.
pub(super) fn check(written: Option<&Maybe<OneOrMany<Text>>>, found: &mut Findings) {
    let Some(Maybe::Just(list)) = written else { return };
    for text in list.0.iter().filter(|text| Pointer::parse(&text.value).is_none()) {
        let message = format!("`{}` is not a JSON Pointer", text.value);
        found
            .error(Code::WrongValue, text.spot, message)
            .help("a pointer begins with a slash, as in \"/user/id\" (RFC 6901)");
    }
}
