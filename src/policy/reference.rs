//! URI references in `Location` and `Content-Location`, resolved against the target of the request
//! (RFC 3986, 5) and compared as RFC 9110, 4.2.3 compares targets: scheme and host in any case, the
//! default port left out. Only `http` and `https` name something that can be here.

/// The absolute form of `reference` as seen from `base`, without its fragment. Nothing when either
/// is not an HTTP URI.
pub fn resolve(base: &str, reference: &[u8]) -> Option<String> {
    let reference = std::str::from_utf8(reference.trim_ascii()).ok()?;
    if reference.bytes().any(|byte| byte.is_ascii_control() || byte == b' ') {
        return None;
    }
    let reference = reference.split('#').next().unwrap_or_default();
    let base = Parts::of(base.split('#').next().unwrap_or_default())?;
    if has_scheme(reference) {
        return Some(Parts::of(reference)?.text());
    }
    let (path, query) = split_query(reference);
    let parts = if let Some(rest) = reference.strip_prefix("//") {
        let (authority, rest) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if authority.is_empty() {
            return None;
        }
        let (path, query) = split_query(rest);
        Parts { authority, path: plain(path), query, ..base }
    } else if path.is_empty() {
        Parts { query: query.or(base.query), ..base }
    } else if path.starts_with('/') {
        Parts { path: plain(path), query, ..base }
    } else {
        let folder = base.path.rfind('/').and_then(|at| base.path.get(..=at)).unwrap_or("/");
        Parts { path: plain(&format!("{folder}{path}")), query, ..base }
    };
    Some(parts.text())
}

/// Whether `reference`, seen from `target`, is `target` itself.
pub fn names_target(target: &str, reference: &[u8]) -> bool {
    let itself = resolve(target, b"");
    itself.is_some() && itself == resolve(target, reference)
}

struct Parts<'a> {
    scheme: &'a str,
    authority: &'a str,
    path: String,
    query: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn of(absolute: &'a str) -> Option<Self> {
        let (scheme, rest) = absolute.split_once("://")?;
        let known = ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
        let (authority, rest) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (path, query) = split_query(rest);
        (known && !authority.is_empty()).then(|| Self {
            scheme,
            authority,
            path: plain(path),
            query,
        })
    }

    fn text(&self) -> String {
        let scheme = self.scheme.to_ascii_lowercase();
        let default = if scheme == "http" { ":80" } else { ":443" };
        let authority = self.authority.to_ascii_lowercase();
        let authority = authority.strip_suffix(default).unwrap_or(&authority);
        let authority = authority.strip_suffix(':').unwrap_or(authority);
        let path = if self.path.is_empty() { "/" } else { &self.path };
        let (mark, query) = self.query.map_or(("", ""), |query| ("?", query));
        format!("{scheme}://{authority}{path}{mark}{query}")
    }
}

fn has_scheme(reference: &str) -> bool {
    let scheme = reference.split(['/', '?']).next().unwrap_or_default();
    scheme.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    })
}

fn split_query(text: &str) -> (&str, Option<&str>) {
    text.split_once('?').map_or((text, None), |(path, query)| (path, Some(query)))
}

/// The path without `.` and `..` segments (RFC 3986, 5.2.4).
fn plain(path: &str) -> String {
    if !path.split('/').any(|segment| segment == "." || segment == "..") {
        return path.to_owned();
    }
    let mut kept: Vec<&str> = Vec::new();
    let mut is_folder = false;
    for segment in path.split('/').skip(1) {
        is_folder = segment == "." || segment == "..";
        match segment {
            "." => {}
            ".." => drop(kept.pop()),
            _ => kept.push(segment),
        }
    }
    let end = if is_folder && !kept.is_empty() { "/" } else { "" };
    format!("/{}{end}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BASE: &str = "http://Shop.example:80/a/b/c?q=1";

    #[test]
    fn references_resolve_as_in_rfc_3986() {
        for (reference, absolute) in [
            ("", "http://shop.example/a/b/c?q=1"),
            ("#x", "http://shop.example/a/b/c?q=1"),
            ("?q=2", "http://shop.example/a/b/c?q=2"),
            ("d", "http://shop.example/a/b/d"),
            ("d?x#y", "http://shop.example/a/b/d?x"),
            ("./d", "http://shop.example/a/b/d"),
            ("../d", "http://shop.example/a/d"),
            ("../../../d/", "http://shop.example/d/"),
            ("..", "http://shop.example/a/"),
            ("/d/./e/../f", "http://shop.example/d/f"),
            ("//Other.example:8080/x", "http://other.example:8080/x"),
            ("HTTPS://Other.example:443", "https://other.example/"),
            ("http://shop.example/a/b/c?q=1", "http://shop.example/a/b/c?q=1"),
            ("a:b/c", ""),
            ("mailto:someone", ""),
            ("a b", ""),
            ("http://", ""),
        ] {
            let found = resolve(BASE, reference.as_bytes()).unwrap_or_default();
            assert_eq!(found, absolute, "{reference}");
        }
    }

    #[test]
    fn the_target_is_known_in_other_words() {
        for reference in ["", "/a/b/c?q=1", "c?q=1", "http://SHOP.example/a/b/c?q=1", " ?q=1 "] {
            assert!(names_target(BASE, reference.as_bytes()), "{reference}");
        }
        for reference in ["/a/b/c", "/A/b/c?q=1", "https://shop.example/a/b/c?q=1", "//x", "\u{e9}"]
        {
            assert!(!names_target(BASE, reference.as_bytes()), "{reference}");
        }
        assert!(!names_target("no URI", b""));
        assert!(!names_target(BASE, b"\xff"));
    }

    proptest! {
        #[test]
        fn resolving_twice_changes_nothing(reference in "[a-z./:?#A-Z0-9-]{0,24}") {
            if let Some(once) = resolve(BASE, reference.as_bytes()) {
                prop_assert_eq!(resolve(&once, b""), Some(once.clone()));
                prop_assert_eq!(resolve(BASE, once.as_bytes()), Some(once));
            }
        }
    }
}
