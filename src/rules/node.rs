//! One tree for everything that has members: TOML and JSON rules files, and JSON bodies. Each node
//! knows where it stood in its text, so that a finding can point there.

use super::diagnostic::Spot;

/// A value and its place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    /// Where it stood; for bodies only the offsets mean something.
    pub(crate) spot: Spot,
    /// What it is.
    pub(crate) value: Value,
}

/// What a node can be.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// JSON's `null`.
    Null,
    /// True or false.
    Bool(bool),
    /// An integer in decimal, as written: there is no limit to its length.
    Int(Box<str>),
    /// Any other number.
    Float(f64),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A table, in the order of the text; no name stands twice.
    Table(Vec<Member>),
}

/// One name of a table and what it holds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Member {
    /// The name.
    pub(crate) name: String,
    /// Where the name stood.
    pub(crate) name_spot: Spot,
    /// What it holds.
    pub(crate) node: Node,
}

impl Value {
    /// What it is, in words, for "expected …, found …".
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "true or false",
            Self::Int(_) => "an integer",
            Self::Float(_) => "a number with a fraction",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
        }
    }
}

/// A JSON Pointer (RFC 6901), split and unescaped once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Pointer(Box<[Box<str>]>);

impl Pointer {
    /// Reads a pointer: empty for the whole, else `/` before each name; `~1` is `/`, `~0` is `~`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self(Box::default()));
        }
        text.strip_prefix('/')?.split('/').map(unescape).collect::<Option<_>>().map(Self)
    }

    /// What it points to; `None` where there is nothing, or only `null`.
    pub(crate) fn find<'a>(&self, root: &'a Node) -> Option<&'a Node> {
        let found = self.0.iter().try_fold(root, |node, name| match &node.value {
            Value::Table(members) => {
                members.iter().find(|member| *member.name == **name).map(|member| &member.node)
            }
            Value::List(items) => index(name).and_then(|at| items.get(at)),
            _ => None,
        })?;
        (found.value != Value::Null).then_some(found)
    }
}

fn unescape(name: &str) -> Option<Box<str>> {
    let mut out = String::with_capacity(name.len());
    let mut chars = name.chars();
    while let Some(c) = chars.next() {
        out.push(match c {
            '~' => match chars.next()? {
                '0' => '~',
                '1' => '/',
                _ => return None,
            },
            c => c,
        });
    }
    Some(out.into())
}

/// Digits without a leading zero; `-` (behind the last) points to nothing.
fn index(name: &str) -> Option<usize> {
    let plain = name == "0" || (!name.starts_with('0') && name.bytes().all(|b| b.is_ascii_digit()));
    plain.then(|| name.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::super::json::Json;
    use super::*;

    fn find(pointer: &str, json: &str) -> Option<Value> {
        let json = Json::read(json.as_bytes()).unwrap();
        Pointer::parse(pointer).unwrap().find(json.root()).map(|node| node.value.clone())
    }

    #[test]
    fn pointers_follow_rfc_6901() {
        let doc = r#"{"foo":["bar","baz"],"":0,"a/b":1,"m~n":8,"~1":9}"#;
        let int = |text: &str| Some(Value::Int(text.into()));
        assert_eq!(find("/foo/0", doc), Some(Value::Text("bar".into())));
        assert_eq!(find("/", doc), int("0"));
        assert_eq!(find("/a~1b", doc), int("1"));
        assert_eq!(find("/m~0n", doc), int("8"));
        assert_eq!(find("/~01", doc), int("9"));
        for nothing in ["/foo/2", "/foo/-", "/foo/00", "/foo/+1", "/foo/", "/nope", "/a~1b/c"] {
            assert_eq!(find(nothing, doc), None, "{nothing}");
        }
        assert!(matches!(find("", doc), Some(Value::Table(_))));
        for wrong in ["a", "/~", "/~2"] {
            assert_eq!(Pointer::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn null_is_missing() {
        assert_eq!(find("/a", r#"{"a":null}"#), None);
        assert_eq!(find("", "null"), None);
    }
}
