//! Groups of answers (RFC 9875): `Cache-Groups` says which an answer belongs to,
//! `Cache-Group-Invalidation` which a write has changed. Both are lists of strings; parameters mean
//! nothing, order and repetition neither. A field that is anything else is as if it were not there.

use http::header::{HeaderMap, HeaderName};
use sfv::{BareItem, List, ListEntry, Parser, Version};

use crate::base::fields;

/// The groups that the field `name` lists, each once; none where it is not there.
///
/// # Errors
/// When the field is no list of strings (RFC 9651, 4.2), with what is wrong.
pub fn groups(fields: &HeaderMap, name: &HeaderName) -> Result<Vec<String>, &'static str> {
    let Some(line) = fields::combined(fields, name) else { return Ok(Vec::new()) };
    let parser = Parser::new(line.as_ref()).with_version(Version::Rfc9651);
    let members: List = parser.parse().map_err(|_| "not a list of strings")?;
    let mut all = Vec::with_capacity(members.len());
    for member in &members {
        let text = match member {
            ListEntry::Item(item) => match &item.bare_item {
                BareItem::String(text) => Some(text.as_str().to_owned()),
                _ => None,
            },
            ListEntry::InnerList(_) => None,
        };
        all.push(text.ok_or("a member is not a string")?);
    }
    // Sorting and not comparing each with each: a field may have as many as its head has room for.
    all.sort_unstable();
    all.dedup();
    Ok(all)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;
    use crate::base::names::CACHE_GROUPS;

    fn of(lines: &[&[u8]]) -> Result<Vec<String>, &'static str> {
        let mut fields = HeaderMap::new();
        for line in lines {
            if let Ok(value) = HeaderValue::from_bytes(line) {
                fields.append(CACHE_GROUPS, value);
            }
        }
        groups(&fields, &CACHE_GROUPS)
    }

    #[test]
    fn a_list_of_strings_gives_groups() {
        assert_eq!(of(&[]), Ok(vec![]));
        assert_eq!(of(&[b""]), Ok(vec![]));
        let both = Ok(vec!["eurovision-results".to_owned(), "scandinavia".to_owned()]);
        assert_eq!(of(&[b"\"scandinavia\", \"eurovision-results\""]), both);
        assert_eq!(of(&[b"\"scandinavia\"", b"\"eurovision-results\";a=1, \"scandinavia\""]), both);
        assert_eq!(of(&[br#""a \"b\" \\ c""#]), Ok(vec![r#"a "b" \ c"#.to_owned()]));
        assert_eq!(of(&[b"\"\""]), Ok(vec![String::new()]));
        let many: Vec<String> = (0..32).map(|at| format!("\"{at:032}\"")).collect();
        assert_eq!(of(&[many.join(", ").as_bytes()]).unwrap().len(), 32, "section 2 asks for that");
    }

    #[test]
    fn anything_else_counts_for_nothing() {
        for wrong in [
            &b"token"[..],
            b"1",
            b"(\"a\" \"b\")",
            b"\"a\", token",
            b"\"a\" \"b\"",
            b"\"a\",",
            b"\"open",
            b"\"n\xc3\xa4me\"",
            b"?1",
            b":YQ==:",
        ] {
            assert!(of(&[wrong]).is_err(), "{}", String::from_utf8_lossy(wrong));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(line in prop::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(all) = of(&[&line]) {
                prop_assert!(all.windows(2).all(|pair| pair[0] < pair[1]));
            }
        }

        #[test]
        fn any_strings_come_back(names in prop::collection::btree_set("[ -~]{0,20}", 0..8)) {
            let escaped = |name: &String| name.replace('\\', "\\\\").replace('"', "\\\"");
            let line: Vec<String> =
                names.iter().map(|name| format!("\"{}\"", escaped(name))).collect();
            let all: Vec<String> = names.into_iter().collect();
            prop_assert_eq!(of(&[line.join(", ").as_bytes()]), Ok(all));
        }
    }
}
