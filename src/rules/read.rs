//! From the tree to the document: each type of value knows how to read itself from a node, and
//! tells what is wrong where it stands instead of giving up. The `document!` and `words!` macros
//! make a table or a word list out of one declaration, which is also what the JSON Schema is
//! generated from; so reader, schema and "did you mean" never disagree.

use schemars::json_schema;

use super::diagnostic::{Code, Findings, Spot};
use super::nearest::nearest;
use super::node::{Member, Node, Value};

/// Can be read from a node.
pub(super) trait FromNode: Sized {
    /// The value, or `None` after saying why not.
    fn from_node(node: &Node, found: &mut Findings) -> Option<Self>;
}

/// A value and where it stood.
#[derive(Clone, Debug)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) spot: Spot,
}

/// Text and where it stood.
pub(super) type Text = At<String>;

impl At<String> {
    /// The place of a part of this text, if the text stands in the source as it is; else all of it.
    pub(super) fn inside(&self, part: std::ops::Range<usize>, found: &Findings) -> Spot {
        let source = found.text(self.spot.file);
        for quotes in [1, 3] {
            let start = self.spot.start as usize + quotes;
            let end = start + self.value.len();
            if source.get(start..end) == Some(self.value.as_str()) {
                let at = |offset: usize| (start + offset.min(self.value.len())) as u32;
                return Spot { file: self.spot.file, start: at(part.start), end: at(part.end) };
            }
        }
        self.spot
    }
}

/// One value or a list of them.
#[derive(Clone, Debug, Default)]
pub(super) struct OneOrMany<T>(pub(super) Vec<T>);

/// A value, or `"none"`, which takes back what would be inherited.
#[derive(Clone, Debug)]
pub(super) enum Maybe<T> {
    /// Taken back.
    Nothing,
    /// Set.
    Just(T),
}

/// A table of named things, in the order of the text.
#[derive(Clone, Debug)]
pub(super) struct Named<T>(pub(super) Vec<(Text, T)>);

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

/// Any value at all.
#[derive(Clone, Debug)]
pub(super) struct Free(pub(super) Node);

/// Tells that a node is not what was wanted.
pub(super) fn wrong<T>(node: &Node, wanted: &str, found: &mut Findings) -> Option<T> {
    let message = format!("expected {wanted}, found {}", node.value.kind());
    found.error(Code::WrongValue, node.spot, message);
    None
}

impl FromNode for String {
    fn from_node(node: &Node, found: &mut Findings) -> Option<Self> {
        match &node.value {
            Value::Text(text) => Some(text.clone()),
            _ => wrong(node, "text in quotes", found),
        }
    }
}

impl FromNode for bool {
    fn from_node(node: &Node, found: &mut Findings) -> Option<Self> {
        match node.value {
            Value::Bool(yes) => Some(yes),
            _ => wrong(node, "true or false", found),
        }
    }
}

impl FromNode for u64 {
    fn from_node(node: &Node, found: &mut Findings) -> Option<Self> {
        match &node.value {
            Value::Int(digits) => digits.parse().ok().or_else(|| {
                found.error(Code::WrongValue, node.spot, "expected an integer from 0 up");
                None
            }),
            _ => wrong(node, "an integer", found),
        }
    }
}

impl<T: FromNode> FromNode for At<T> {
    fn from_node(node: &Node, found: &mut Findings) -> Option<Self> {
        T::from_node(node, found).map(|value| Self { value, spot: node.spot })
    }
}

impl<T: FromNode> FromNode for Vec<T> {
    fn from_node(node: &Node, found: &mut Findings) -> Option<Self> {
        match &node.value {
            // Reads all items before it gives up, so that each wrong one is told.
            Value::List(items) => {
                let items: Vec<_> = items.iter().map(|item| T::from_node(item, found)).collect();
                items.into_iter().collect()
            }
            _ => wrong(node, "a list", found),
        }
    }
}

impl<T: FromNode> FromNode for OneOrMany<T> {
    fn from_node(node: &Node, found: &mut Findings) -> Option<Self> {
        match &node.value {
            Value::List(_) => Vec::from_node(node, found).map(Self),
            _ => T::from_node(node, found).map(|one| Self(vec![one])),
        }
    }
}

impl<T: FromNode> FromNode for Maybe<T> {
    fn from_node(node: &Node, found: &mut Findings) -> Option<Self> {
        match &node.value {
            Value::Text(text) if text == "none" => Some(Self::Nothing),
            _ => T::from_node(node, found).map(Self::Just),
        }
    }
}

impl<T: FromNode> FromNode for Named<T> {
    fn from_node(node: &Node, found: &mut Findings) -> Option<Self> {
        let mut all = Vec::new();
        for member in members(node, found)? {
            found.path.push(member.name.clone());
            let value = T::from_node(&member.node, found);
            found.path.pop();
            let name = At { value: member.name.clone(), spot: member.name_spot };
            all.extend(value.map(|value| (name, value)));
        }
        Some(Self(all))
    }
}

impl FromNode for Free {
    fn from_node(node: &Node, _: &mut Findings) -> Option<Self> {
        Some(Self(node.clone()))
    }
}

/// The members of a table, or an error.
pub(super) fn members<'a>(node: &'a Node, found: &mut Findings) -> Option<&'a [Member]> {
    match &node.value {
        Value::Table(members) => Some(members),
        _ => wrong(node, "a table", found),
    }
}

/// Reads the value of a field, with the field's name on the path for what it contains.
pub(super) fn field<T: FromNode>(member: &Member, found: &mut Findings) -> Option<T> {
    found.path.push(member.name.clone());
    let value = T::from_node(&member.node, found);
    found.path.pop();
    value
}

/// A table's name as people write it.
fn table_name(path: &[String]) -> String {
    match path {
        [] => "the top of the file".to_owned(),
        [name, rest @ ..] if matches!(&**name, "route" | "test" | "cascade") => match rest {
            [] => format!("[[{name}]]"),
            _ => format!("`{}` of [[{name}]]", rest.join(".")),
        },
        names => format!("[{}]", names.join(".")),
    }
}

/// What a table has, and where else a field of that name could belong.
pub(super) struct Fields {
    /// The fields of this table.
    pub(super) here: &'static [&'static str],
    /// Fields that come with a later version.
    pub(super) later: &'static [&'static str],
}

/// Tells that a table has no such field, and which was probably meant.
pub(super) fn unknown_field(member: &Member, fields: &Fields, found: &mut Findings) {
    let (name, table) = (member.name.as_str(), table_name(&found.path));
    if fields.later.contains(&name) {
        not_built(name, member.name_spot, found);
        return;
    }
    let elsewhere = super::document::tables_with(name);
    let message = format!("`{name}` is not a field of {table}");
    let near = nearest(name, fields.here.iter().copied());
    let error = found.error(Code::UnknownField, member.name_spot, message);
    if let Some(near) = near {
        error.help(format!("did you mean `{near}`?"));
    } else if elsewhere.contains(&"the top of the file") && table != "the top of the file" {
        error
            .help("did you mean it for the top of the file? it must stand above the first [table]");
    } else if !elsewhere.is_empty() {
        error.help(format!("`{name}` is a field of {}", elsewhere.join(" and ")));
    } else {
        error.help(format!("the fields of {table} are {}", fields.here.join(", ")));
    }
}

/// Refuses what this version cannot do.
pub(super) fn not_built(what: &str, spot: Spot, found: &mut Findings) {
    found
        .error(Code::NotBuilt, spot, format!("`{what}` is not built yet"))
        .help("take it out; nothing is accepted that would have no effect");
}

/// A field's name in the file: Rust's raw names without their mark.
pub(super) const fn plain(name: &'static str) -> &'static str {
    match name.as_bytes() {
        [b'r', b'#', ..] => name.split_at(2).1,
        _ => name,
    }
}

/// Declares a table of the file: a struct whose fields are all optional, its reader and its schema.
/// After `later` stand the names of fields that a later version brings.
macro_rules! document {
    ($(#[$meta:meta])* $name:ident {
        $($(#[$field_meta:meta])* $field:ident: $type:ty,)*
    } later [$($later:literal),* $(,)?]) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, schemars::JsonSchema)]
        #[schemars(deny_unknown_fields)]
        pub(super) struct $name {
            $($(#[$field_meta])* pub(super) $field: Option<$type>,)*
            /// Whether a field that stands there could not be read: it is then not missing.
            #[schemars(skip)]
            pub(super) broken: bool,
        }

        impl $name {
            /// What this table has.
            pub(super) const FIELDS: $crate::rules::read::Fields = $crate::rules::read::Fields {
                here: &[$($crate::rules::read::plain(stringify!($field)),)*],
                later: &[$($later,)*],
            };
        }

        impl $crate::rules::read::FromNode for $name {
            fn from_node(
                node: &$crate::rules::node::Node,
                found: &mut $crate::rules::diagnostic::Findings,
            ) -> Option<Self> {
                let mut table = Self::default();
                for member in $crate::rules::read::members(node, found)? {
                    match member.name.as_str() {
                        $(name if name == $crate::rules::read::plain(stringify!($field)) => {
                            table.$field = $crate::rules::read::field(member, found);
                            table.broken |= table.$field.is_none();
                        })*
                        _ => {
                            table.broken = true;
                            $crate::rules::read::unknown_field(member, &Self::FIELDS, found);
                        }
                    }
                }
                Some(table)
            }
        }
    };
}

/// Declares the words a field takes. After `later` stand words that a later version brings.
macro_rules! words {
    ($(#[$meta:meta])* $vis:vis $name:ident {
        $($(#[$word_meta:meta])* $variant:ident = $word:literal,)*
    } later [$($later:literal),* $(,)?]) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, schemars::JsonSchema)]
        $vis enum $name {
            $($(#[$word_meta])* #[schemars(rename = $word)] $variant,)*
        }

        impl $name {
            /// The word in the file.
            $vis const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }
        }

        impl $crate::rules::read::FromNode for $name {
            fn from_node(
                node: &$crate::rules::node::Node,
                found: &mut $crate::rules::diagnostic::Findings,
            ) -> Option<Self> {
                let word = String::from_node(node, found)?;
                let known = [$(Self::$variant,)*].into_iter().find(|known| known.as_str() == word);
                match word.as_str() {
                    _ if known.is_some() => known,
                    $($later => {
                        $crate::rules::read::not_built($later, node.spot, found);
                        None
                    })*
                    _ => {
                        $crate::rules::read::unknown_word(&word, node.spot, &[$($word,)*], found);
                        None
                    }
                }
            }
        }
    };
}

/// Writes a schema that stands in place wherever the type is used.
macro_rules! inline_schema {
    ($($(@ $param:ident)? $type:ty, $name:literal => |$generator:ident| $schema:expr;)*) => {$(
        impl$(<$param: schemars::JsonSchema>)? schemars::JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                $name.into()
            }

            fn json_schema($generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                $schema
            }
        }
    )*};
}

pub(super) use {document, inline_schema, words};

/// Tells which words a field takes.
pub(super) fn unknown_word(word: &str, spot: Spot, words: &[&str], found: &mut Findings) {
    let near = nearest(word, words.iter().copied());
    let error = found.error(Code::WrongValue, spot, format!("`{word}` is not one of the words"));
    match near {
        Some(near) => error.help(format!("did you mean \"{near}\"?")),
        None => error.help(format!("one of \"{}\"", words.join("\", \""))),
    };
}

inline_schema! {
    @T At<T>, "At" => |generator| generator.subschema_for::<T>();
    @T OneOrMany<T>, "OneOrMany" => |generator| {
        let one = generator.subschema_for::<T>();
        json_schema!({ "anyOf": [one, { "type": "array", "items": one }] })
    };
    @T Maybe<T>, "Maybe" => |generator| {
        let one = generator.subschema_for::<T>();
        json_schema!({ "anyOf": [one, { "const": "none" }] })
    };
    @T Named<T>, "Named" => |generator| {
        let one = generator.subschema_for::<T>();
        json_schema!({ "type": "object", "additionalProperties": one })
    };
    Free, "Free" => |_generator| json_schema!({});
}

#[cfg(test)]
mod tests;
