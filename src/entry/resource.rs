//! What names an answer that several hosts share by its path alone. Where the origin is told one
//! host whatever the client asks for, all of them lead to the same entry, which remembers the URL
//! of the first who asked; an order through another host must find it too. The name stands among
//! the tags of the entry, in a form that no field and no rule can give.

use std::sync::Arc;

use crate::base::names::RESOURCE_MARK;

/// The name of what a target (path and query) leads to, whatever the host.
pub fn tag(target: &str) -> Arc<str> {
    let digest = blake3::hash(target.as_bytes()).to_hex();
    let mut tag = String::with_capacity(1 + 32);
    tag.push(RESOURCE_MARK);
    // Half of a digest is enough: two targets that share one would go together, no more.
    tag.push_str(digest.get(..32).unwrap_or_default());
    tag.into()
}

/// Whether a tag is such a name, or a tenant's: nobody gave it, and nobody needs to see it.
pub fn is_tag(tag: &str) -> bool {
    tag.starts_with(RESOURCE_MARK)
}

/// The tags that somebody gave.
pub fn given<T: AsRef<str>>(tags: &[T]) -> impl Iterator<Item = &T> {
    tags.iter().filter(|tag| !is_tag(tag.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_have_names_of_their_own() {
        let (one, other) = (tag("/a?b=1"), tag("/a?b=2"));
        assert!(is_tag(&one) && one != other && one == tag("/a?b=1"));
        assert!(!is_tag("a") && !is_tag("\"a\"@b"));
        let all: [Arc<str>; 3] = ["x".into(), one, "y".into()];
        assert_eq!(given(&all).map(AsRef::as_ref).collect::<Vec<&str>>(), ["x", "y"]);
    }
}
