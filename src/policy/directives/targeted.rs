//! Targeted fields (RFC 9213): dictionaries of Structured Fields. One that cannot be parsed, or is
//! empty, is as if it were not there; one that can takes the place of `Cache-Control` and `Expires`
//! in both directions.

use http::header::{HeaderMap, HeaderName};
use sfv::{BareItem, Dictionary, ListEntry, Parser, Version};

use super::{Extent, ResponseDirectives, Seconds};
use crate::base::fields;
use crate::base::limits::DELTA_SECONDS_MAX;
use crate::base::units::Span;

/// The directives of the field `name`, if it counts.
pub(super) fn read(fields: &HeaderMap, name: &HeaderName) -> Option<ResponseDirectives> {
    let line = fields::combined(fields, name)?;
    // RFC 9213 was written against RFC 8941, which knows no dates and no display strings.
    let parser = Parser::new(line.as_ref()).with_version(Version::Rfc8941);
    let members: Dictionary = parser.parse().ok()?;
    if members.is_empty() {
        return None;
    }
    let mut directives = ResponseDirectives { by_targeted_field: true, ..Default::default() };
    for (name, member) in &members {
        add(&mut directives, name.as_str(), member);
    }
    Some(directives)
}

fn add(directives: &mut ResponseDirectives, name: &str, member: &ListEntry) {
    let item = match member {
        ListEntry::Item(item) => Some(&item.bare_item),
        ListEntry::InnerList(_) => None,
    };
    // `no-store=?0` says in full that it is not so.
    let said = item.and_then(BareItem::as_boolean) != Some(false);
    match name {
        "max-age" => directives.max_age = seconds(item),
        "s-maxage" => directives.s_maxage = seconds(item),
        "stale-while-revalidate" => directives.stale_while_revalidate = Some(window(item)),
        "stale-if-error" => directives.stale_if_error = Some(window(item)),
        "no-cache" if said => directives.no_cache = extent(item),
        "private" if said => directives.private = extent(item),
        "no-store" => directives.no_store = said,
        "must-revalidate" => directives.must_revalidate = said,
        "proxy-revalidate" => directives.proxy_revalidate = said,
        // What permits counts only in its proper form.
        "public" => directives.public = item.and_then(BareItem::as_boolean) == Some(true),
        "must-understand" => directives.must_understand = said,
        _ => {}
    }
}

/// Integers alone are numbers here: `max-age="60"` is a string (RFC 9213, 2.1).
fn seconds(item: Option<&BareItem>) -> Seconds {
    item.and_then(BareItem::as_integer)
        .and_then(|secs| u64::try_from(i64::from(secs)).ok())
        .map_or(Seconds::Malformed, |secs| {
            Seconds::Given(Span::from_secs(secs.min(DELTA_SECONDS_MAX)))
        })
}

/// A malformed window is shut.
fn window(item: Option<&BareItem>) -> Span {
    seconds(item).span().unwrap_or(Span::ZERO)
}

fn extent(item: Option<&BareItem>) -> Extent {
    let mut extent = Extent::Absent;
    let text = item.and_then(BareItem::as_string).map(|text| text.as_str().as_bytes());
    let token = item.and_then(BareItem::as_token).map(|token| token.as_str().as_bytes());
    extent.add(text.or(token));
    extent
}
