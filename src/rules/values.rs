//! The small values of a rules file: durations, sizes, lifetimes, statuses. Each reads itself, says
//! what it takes when it does not, and describes itself for the schema.

use schemars::json_schema;

use super::diagnostic::{Code, Findings};
use super::node::{Node, Value};
use super::read::{FromNode, inline_schema, not_built, wrong};
use crate::base::units::{ByteSize, Span};

/// A duration: `"5m"`, `"1h30m"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Duration(pub(super) Span);

/// A size: `"256MB"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size(pub(super) ByteSize);

/// A lifetime as written; classes are not looked up yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TtlText {
    /// What the origin says; also `"none"`, which takes a value back.
    Origin,
    /// A duration, or seconds.
    For(Span),
    /// Until purged.
    Forever,
    /// The class of this name.
    Class(String),
}

/// A list of statuses.
#[derive(Clone, Debug)]
pub(super) struct Statuses(pub(super) Vec<super::read::At<u64>>);

/// `"2xx"`, `"201"` or `201`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StatusPattern {
    /// All of a hundred: 2 for 2xx.
    Hundred(u16),
    /// One.
    One(u16),
}

/// `true`, `false`, or `{ level, min }`.
#[derive(Clone, Debug)]
pub(super) enum Compression {
    /// As built in, or not at all.
    Whether(bool),
    /// As said.
    As(super::document::CompressTable),
}

/// A field's value, or the file that holds it.
#[derive(Clone, Debug)]
pub(super) enum JobField {
    /// As said.
    Text(String),
    /// The file.
    File(super::document::JobFileTable),
}

/// The name of one origin.
#[derive(Clone, Debug)]
pub(super) struct OriginName(pub(super) String);

impl FromNode for Duration {
    fn from_node(node: &Node, found: &mut Findings) -> Option<Self> {
        let Value::Text(text) = &node.value else {
            return wrong(node, "a duration such as \"5m\"", found);
        };
        let span = Span::parse(text).map_err(|error| error.to_string());
        span.map(Self).map_err(|error| refuse(node, error, found)).ok()
    }
}

impl FromNode for Size {
    fn from_node(node: &Node, found: &mut Findings) -> Option<Self> {
        let Value::Text(text) = &node.value else {
            return wrong(node, "a size such as \"256MB\"", found);
        };
        let size = ByteSize::parse(text).map_err(|error| error.to_string());
        size.map(Self).map_err(|error| refuse(node, error, found)).ok()
    }
}

fn refuse(node: &Node, message: String, found: &mut Findings) {
    found.error(Code::WrongValue, node.spot, message);
}

impl FromNode for TtlText {
    fn from_node(node: &Node, found: &mut Findings) -> Option<Self> {
        match &node.value {
            Value::Text(text) => match text.as_str() {
                "origin" | "none" => Some(Self::Origin),
                "forever" => Some(Self::Forever),
                text => match text.strip_prefix('@') {
                    Some(class) => Some(Self::Class(class.to_owned())),
                    None => Duration::from_node(node, found).map(|span| Self::For(span.0)),
                },
            },
            Value::Int(_) => {
                u64::from_node(node, found).map(|secs| Self::For(Span::from_secs(secs)))
            }
            Value::Table(members) => {
                let mut how = members.iter().map(|member| member.name.as_str());
                let how = how.rfind(|name| ["from", "by", "adaptive"].contains(name));
                match how {
                    Some(how) => not_built(&format!("ttl = {{ {how} = … }}"), node.spot, found),
                    None => not_built("a table as a lifetime", node.spot, found),
                }
                None
            }
            _ => wrong(node, "a duration, seconds, \"@class\", \"forever\" or \"origin\"", found),
        }
    }
}

impl FromNode for Statuses {
    fn from_node(node: &Node, found: &mut Findings) -> Option<Self> {
        Vec::from_node(node, found).map(Self)
    }
}

impl FromNode for StatusPattern {
    fn from_node(node: &Node, found: &mut Findings) -> Option<Self> {
        let text = match &node.value {
            Value::Text(text) => text.as_str(),
            Value::Int(digits) => digits,
            _ => return wrong(node, "a status such as \"2xx\" or 201", found),
        };
        let parsed = match text.as_bytes() {
            [hundred @ b'1'..=b'5', b'x', b'x'] => Some(Self::Hundred(u16::from(hundred - b'0'))),
            [_, _, _] => text.parse().ok().filter(|code| (100..=599).contains(code)).map(Self::One),
            _ => None,
        };
        parsed.or_else(|| {
            refuse(node, format!("`{text}` is not a status; write \"2xx\" or 201"), found);
            None
        })
    }
}

impl StatusPattern {
    /// Whether this status is meant.
    pub(super) const fn fits(self, status: u16) -> bool {
        match self {
            Self::Hundred(hundred) => status / 100 == hundred,
            Self::One(one) => status == one,
        }
    }
}

impl FromNode for Compression {
    fn from_node(node: &Node, found: &mut Findings) -> Option<Self> {
        match &node.value {
            Value::Bool(yes) => Some(Self::Whether(*yes)),
            Value::Table(_) => FromNode::from_node(node, found).map(Self::As),
            _ => wrong(node, "true, false or a table such as { level = 3, min = \"1KiB\" }", found),
        }
    }
}

impl FromNode for JobField {
    fn from_node(node: &Node, found: &mut Findings) -> Option<Self> {
        match &node.value {
            Value::Text(text) => Some(Self::Text(text.clone())),
            Value::Table(_) => FromNode::from_node(node, found).map(Self::File),
            _ => wrong(node, "text or a table such as { file = \"job.token\" }", found),
        }
    }
}

impl FromNode for OriginName {
    fn from_node(node: &Node, found: &mut Findings) -> Option<Self> {
        if let Value::List(_) = node.value {
            not_built("a list of origins", node.spot, found);
            return None;
        }
        String::from_node(node, found).map(Self)
    }
}

const DURATION: &str = "^([0-9]+(ms|s|m|h|d|w))+$";

inline_schema! {
    Duration, "Duration" => |_generator| json_schema!({
        "type": "string", "pattern": DURATION, "examples": ["5m", "1h30m"]
    });
    Size, "Size" => |_generator| json_schema!({
        "type": "string", "pattern": "^[0-9]+(B|KB|MB|GB|KiB|MiB|GiB)$", "examples": ["256MB"]
    });
    TtlText, "Ttl" => |_generator| json_schema!({
        "anyOf": [
            { "type": "string", "pattern": DURATION, "examples": ["5m", "1h30m"] },
            { "type": "string", "pattern": "^@.+$", "description": "a class of [ttl]" },
            { "enum": ["forever", "origin", "none"] },
            { "type": "integer", "minimum": 0, "description": "seconds" }
        ]
    });
    Statuses, "Statuses" => |_generator| json_schema!({
        "type": "array", "items": { "type": "integer", "minimum": 200, "maximum": 499 }
    });
    StatusPattern, "StatusPattern" => |_generator| json_schema!({
        "anyOf": [
            { "type": "string", "pattern": "^([1-5]xx|[1-5][0-9][0-9])$", "examples": ["2xx"] },
            { "type": "integer", "minimum": 100, "maximum": 599 }
        ]
    });
    Compression, "Compression" => |generator| {
        let table = generator.subschema_for::<super::document::CompressTable>();
        json_schema!({ "anyOf": [{ "type": "boolean" }, table] })
    };
    JobField, "JobField" => |generator| {
        let table = generator.subschema_for::<super::document::JobFileTable>();
        json_schema!({ "anyOf": [{ "type": "string" }, table] })
    };
    OriginName, "OriginName" => |_generator| json_schema!({ "type": "string" });
}
