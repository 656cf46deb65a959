//! Tags that fields carry by themselves: those of an answer name what purges it, those of a PURGE
//! what it purges. Both are read alike, so that what an origin writes there can be named. Bytes
//! that a tag cannot hold are escaped. Groups (RFC 9875) stand among the tags of an entry under
//! names that no field and no rule can give.

use http::header::{HeaderMap, HeaderName};

use super::percent;
use crate::base::limits::{KEY_BYTES_MAX, TAGS_PER_ENTRY_MAX};
use crate::base::names::{CACHE_TAG, RESOURCE_MARK, SURROGATE_KEY, XKEY};
use crate::entry::order::{Glob, Selector};

/// The fields that carry tags.
pub const TAG_FIELDS: [HeaderName; 3] = [SURROGATE_KEY, XKEY, CACHE_TAG];

/// With what the name of a group begins among the tags of an entry.
const GROUP_MARK: char = '"';

/// The tags that the field `name` carries, in their order; what comes more often, as often. Commas
/// separate those of `Cache-Tag`, spaces the others. Nothing in place of one that is longer than
/// any selector could name.
pub fn field_tags<'a>(
    fields: &'a HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = Option<String>> + use<'a> {
    let by_comma = *name == CACHE_TAG;
    let ends = move |byte: &u8| if by_comma { *byte == b',' } else { *byte <= b' ' };
    let raw = fields.get_all(name).into_iter();
    let raw = raw.flat_map(move |line| line.as_bytes().split(ends).map(<[u8]>::trim_ascii));
    raw.filter(|raw| !raw.is_empty()).map(escaped)
}

/// The tags that an answer itself carries, each once; one that is too long to be named is left out.
/// `None` when there are more than an entry can have: it is then not to be stored, because a purge
/// by one that was dropped would miss it.
pub fn header_tags(fields: &HeaderMap) -> Option<Vec<String>> {
    let mut all = Vec::new();
    for tag in TAG_FIELDS.iter().flat_map(|name| field_tags(fields, name)).flatten() {
        add_tag(tag, &mut all);
        if all.len() > TAGS_PER_ENTRY_MAX {
            return None;
        }
    }
    Some(all)
}

/// Adds a tag once. No selector is longer than the longest key, so a longer tag names nothing.
pub(super) fn add_tag(tag: String, all: &mut Vec<String>) {
    let tag = unmarked(tag);
    if tag.len() <= KEY_BYTES_MAX && !all.contains(&tag) {
        all.push(tag);
    }
}

/// A tag never looks like a group, or like the one that a resource has by itself.
fn unmarked(tag: String) -> String {
    match tag.chars().next() {
        Some(mark @ (GROUP_MARK | RESOURCE_MARK)) => {
            let mut plain = String::with_capacity(tag.len() + 2);
            percent::push_escaped(mark as u8, &mut plain);
            plain.push_str(tag.get(1..).unwrap_or_default());
            plain
        }
        _ => tag,
    }
}

fn escaped(raw: &[u8]) -> Option<String> {
    let mut tag = String::with_capacity(raw.len());
    for byte in raw {
        if byte.is_ascii_graphic() && *byte != b'*' {
            tag.push(char::from(*byte));
        } else {
            percent::push_escaped(*byte, &mut tag);
        }
    }
    Some(unmarked(tag)).filter(|tag| tag.len() <= KEY_BYTES_MAX)
}

/// The name of a group among the tags of an entry: `"name"@scope`, where the scope says whose group
/// it is. Nothing where it would be longer than a selector may be.
pub fn group_tag(group: &str, scope: &str) -> Option<String> {
    let mut tag = String::from(GROUP_MARK);
    percent::escape(group.as_bytes(), &mut tag);
    tag.push_str("\"@");
    percent::escape(scope.as_bytes(), &mut tag);
    (tag.len() <= KEY_BYTES_MAX).then_some(tag)
}

/// What names all groups of a scope.
pub fn all_groups(scope: &str) -> Selector {
    let mut glob = String::from("\"*\"@");
    percent::escape(scope.as_bytes(), &mut glob);
    Selector::Tags(Glob::new(&glob))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn fields(lines: &[(&HeaderName, &[u8])]) -> HeaderMap {
        let mut fields = HeaderMap::new();
        for (name, line) in lines {
            if let Ok(value) = HeaderValue::from_bytes(line) {
                fields.append(*name, value);
            }
        }
        fields
    }

    #[test]
    fn tags_are_read_from_their_fields() {
        let fields = fields(&[
            (&SURROGATE_KEY, b"a  b\tc"),
            (&SURROGATE_KEY, b"a d*"),
            (&XKEY, b"e >f \"g"),
            (&CACHE_TAG, b"f, g h,,"),
            (&XKEY, "a\u{f1}o".as_bytes()),
        ]);
        let all = header_tags(&fields).unwrap();
        assert_eq!(all, ["a", "b", "c", "d%2A", "e", "%3Ef", "%22g", "a%C3%B1o", "f", "g%20h"]);
    }

    #[test]
    fn what_no_selector_could_name_is_left_out() {
        let (long, longest) = ("x".repeat(KEY_BYTES_MAX + 1), "y".repeat(KEY_BYTES_MAX));
        let fields = fields(&[(&CACHE_TAG, long.as_bytes()), (&CACHE_TAG, longest.as_bytes())]);
        assert_eq!(header_tags(&fields).unwrap(), [longest]);
        assert_eq!(field_tags(&fields, &CACHE_TAG).filter(Option::is_none).count(), 1);
    }

    #[test]
    fn more_than_an_entry_can_have_are_not_cut_short() {
        let tags: Vec<_> = (0..=TAGS_PER_ENTRY_MAX).map(|n| format!("t{n}")).collect();
        let of = |count: usize| {
            let list = tags[..count].join(",");
            let fields = fields(&[(&CACHE_TAG, list.as_bytes()), (&CACHE_TAG, list.as_bytes())]);
            header_tags(&fields).map(|all| all.len())
        };
        assert_eq!(of(TAGS_PER_ENTRY_MAX), Some(TAGS_PER_ENTRY_MAX));
        assert_eq!(of(TAGS_PER_ENTRY_MAX + 1), None);
    }

    #[test]
    fn groups_have_names_of_their_own() {
        let group = group_tag("news of today", "shop.example:81").unwrap();
        assert_eq!(group, "\"news%20of%20today\"@shop.example%3A81");
        let parsed: Selector = format!("tag:{group}").parse().unwrap();
        assert_eq!(parsed, Selector::Tag(group.clone()));
        let facts = |tag: &str| [std::sync::Arc::from(tag)];
        assert!(all_groups("shop.example:81").covers("k", &facts(&group), "", ""));
        assert!(!all_groups("shop.example").covers("k", &facts(&group), "", ""));
        let forged = fields(&[(&SURROGATE_KEY, group.as_bytes())]);
        assert!(!header_tags(&forged).unwrap().contains(&group));
        assert_ne!(group_tag("a\"@b", "c"), group_tag("a", "b\"@c"));
        assert_eq!(group_tag(&"x".repeat(KEY_BYTES_MAX), "c"), None);
    }

    proptest! {
        #[test]
        fn every_tag_can_be_named(line in prop::collection::vec(any::<u8>(), 0..80)) {
            for name in &TAG_FIELDS {
                let fields = fields(&[(name, &line)]);
                for tag in header_tags(&fields).unwrap() {
                    let named: Selector = format!("tag:{tag}").parse().unwrap();
                    prop_assert_eq!(named, Selector::Tag(tag.clone()));
                    prop_assert!(!tag.starts_with([GROUP_MARK, RESOURCE_MARK]));
                }
            }
        }

        #[test]
        fn different_groups_have_different_names(
            one in ("[ -~]{0,6}", "[ -~]{0,6}"),
            other in ("[ -~]{0,6}", "[ -~]{0,6}"),
        ) {
            let names = [group_tag(&one.0, &one.1), group_tag(&other.0, &other.1)];
            prop_assert_eq!(names[0] == names[1], one == other);
        }
    }
}
