//! What names all entries of a tenant. Its name stands among the tags of each, in a form that no
//! field and no rule can give, so that everything which finds, counts and fences tags does the same
//! for tenants.

use std::sync::Arc;

use crate::base::limits::TENANT_BYTES_MAX;
use crate::base::names::RESOURCE_MARK;

/// Stands behind the mark; names of resources go on with a digit there.
const OF_TENANT: char = '@';

/// The tag of all entries of the tenant with this name, as keys have it.
pub fn tag(name: &str) -> Arc<str> {
    [RESOURCE_MARK, OF_TENANT].into_iter().chain(name.chars()).collect::<String>().into()
}

/// The tenant that a tag names.
pub fn of_tag(tag: &str) -> Option<&str> {
    tag.strip_prefix(RESOURCE_MARK)?.strip_prefix(OF_TENANT).filter(|name| is_name(name))
}

/// Whether a tenant can be called so in keys: escaped as values are, so that the name is one word
/// of letters, digits and `-._~%`.
pub fn is_name(name: &str) -> bool {
    let kept = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte);
    !name.is_empty() && name.len() <= 3 * TENANT_BYTES_MAX && name.bytes().all(kept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::resource;

    #[test]
    fn a_tag_tells_its_tenant_and_looks_like_no_other() {
        assert_eq!(of_tag(&tag("acme")), Some("acme"));
        assert!(resource::is_tag(&tag("acme")));
        assert_eq!(of_tag(&resource::tag("/a")), None);
        assert_eq!((of_tag("acme"), of_tag("@acme")), (None, None));
    }

    #[test]
    fn a_name_is_one_escaped_word() {
        assert!(is_name("acme-1") && is_name("a%20b") && is_name("%~"));
        for wrong in ["", "a b", "a*", "a/b", "a:b", "\u{1}"] {
            assert!(!is_name(wrong), "{wrong:?}");
        }
        assert!(!is_name(&"a".repeat(3 * TENANT_BYTES_MAX + 1)));
    }
}
