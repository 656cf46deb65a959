//! A strict JSON reader (RFC 8259): for rules files in JSON, and for bodies whose parts become
//! keys. A body that two readers could understand differently has no parts: a member that stands
//! twice, a lone surrogate, a number beyond what can be held. Reading never recurses deeper than
//! [`JSON_DEPTH_MAX`].

use std::collections::HashSet;
use std::ops::Range;

use super::diagnostic::Spot;
use super::node::{Member, Node, Value};
use crate::base::limits::JSON_DEPTH_MAX;

/// A JSON document that was read whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Json(Node);

/// Why a text is not taken as JSON.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct JsonError {
    /// What is wrong.
    pub what: String,
    /// Where, in bytes.
    pub span: Range<usize>,
}

impl Json {
    /// Reads a whole document; nothing but white space may stand around it.
    pub fn read(bytes: &[u8]) -> Result<Self, JsonError> {
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let at = error.valid_up_to();
            JsonError { what: "not UTF-8".to_owned(), span: at..at + 1 }
        })?;
        read_text(text, 0).map(Self)
    }

    /// The outermost value.
    pub(crate) const fn root(&self) -> &Node {
        &self.0
    }
}

/// Reads the text of source number `file`.
pub(crate) fn read_text(text: &str, file: u16) -> Result<Node, JsonError> {
    let mut reader = Reader { text, at: 0, file };
    let node = reader.value(0)?;
    reader.space();
    if reader.at < text.len() {
        return Err(reader.wrong("expected the end of the document"));
    }
    Ok(node)
}

/// Below this, comparing each name with each is cheaper than hashing.
const SMALL_TABLE: usize = 16;

struct Reader<'a> {
    text: &'a str,
    at: usize,
    file: u16,
}

type Read<T> = Result<T, JsonError>;

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn wrong(&self, what: &str) -> JsonError {
        let end = (self.at + 1).min(self.text.len());
        let what = match self.peek() {
            None => format!("{what}, but the text ends"),
            Some(_) => what.to_owned(),
        };
        JsonError { what, span: self.at.min(end)..end }
    }

    fn spot(&self, start: usize) -> Spot {
        Spot { file: self.file, start: start as u32, end: self.at as u32 }
    }

    fn eat(&mut self, byte: u8, what: &str) -> Read<()> {
        if self.peek() != Some(byte) {
            return Err(self.wrong(what));
        }
        self.at += 1;
        Ok(())
    }

    fn value(&mut self, depth: usize) -> Read<Node> {
        self.space();
        if depth > JSON_DEPTH_MAX {
            return Err(self.wrong("nested too deep"));
        }
        let start = self.at;
        let value = match self.peek() {
            Some(b'{') => self.table(depth)?,
            Some(b'[') => self.list(depth)?,
            Some(b'"') => Value::Text(self.string()?),
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b't') => self.word("true", Value::Bool(true))?,
            Some(b'f') => self.word("false", Value::Bool(false))?,
            Some(b'n') => self.word("null", Value::Null)?,
            _ => return Err(self.wrong("expected a JSON value")),
        };
        Ok(Node { spot: self.spot(start), value })
    }

    fn word(&mut self, word: &str, value: Value) -> Read<Value> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        if !rest.starts_with(word) {
            return Err(self.wrong("expected a JSON value"));
        }
        self.at += word.len();
        Ok(value)
    }

    fn list(&mut self, depth: usize) -> Read<Value> {
        self.at += 1;
        let mut items = Vec::new();
        self.space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Value::List(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.space();
            if self.peek() == Some(b']') {
                self.at += 1;
                return Ok(Value::List(items));
            }
            self.eat(b',', "expected `,` or `]`")?;
        }
    }

    fn table(&mut self, depth: usize) -> Read<Value> {
        self.at += 1;
        let mut members: Vec<Member> = Vec::new();
        let mut seen: HashSet<String> = HashSet::new();
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Value::Table(members));
        }
        loop {
            self.space();
            let start = self.at;
            if self.peek() != Some(b'"') {
                return Err(self.wrong("expected a name in double quotes"));
            }
            let name = self.string()?;
            let name_spot = self.spot(start);
            if is_taken(&name, &members, &mut seen) {
                let what = format!("`{name}` stands twice in one object");
                return Err(JsonError { what, span: start..self.at });
            }
            self.space();
            self.eat(b':', "expected `:`")?;
            let node = self.value(depth + 1)?;
            members.push(Member { name, name_spot, node });
            self.space();
            if self.peek() == Some(b'}') {
                self.at += 1;
                return Ok(Value::Table(members));
            }
            self.eat(b',', "expected `,` or `}`")?;
        }
    }

    fn number(&mut self) -> Read<Value> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits(),
            _ => return Err(self.wrong("expected a digit")),
        }
        let mut whole = true;
        if self.peek() == Some(b'.') {
            whole = false;
            self.at += 1;
            self.some_digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            whole = false;
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.some_digits()?;
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        if whole {
            return Ok(Value::Int(if text == "-0" { "0".into() } else { text.into() }));
        }
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Value::Float(number)),
            _ => Err(JsonError {
                what: "a number beyond what can be held".to_owned(),
                span: start..self.at,
            }),
        }
    }

    fn digits(&mut self) {
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
    }

    fn some_digits(&mut self) -> Read<()> {
        if !matches!(self.peek(), Some(b'0'..=b'9')) {
            return Err(self.wrong("expected a digit"));
        }
        self.digits();
        Ok(())
    }

    fn string(&mut self) -> Read<String> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
            let plain = rest.iter().take_while(|b| !matches!(b, b'"' | b'\\' | 0..0x20)).count();
            out.push_str(self.text.get(self.at..self.at + plain).unwrap_or_default());
            self.at += plain;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => out.push(self.escape()?),
                Some(_) => return Err(self.wrong("a control character must be escaped")),
                None => return Err(self.wrong("expected `\"`")),
            }
        }
    }

    fn escape(&mut self) -> Read<char> {
        self.at += 1;
        let short = match self.peek() {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(),
            _ => return Err(self.wrong("not an escape")),
        };
        self.at += 1;
        Ok(short)
    }

    fn unicode(&mut self) -> Read<char> {
        let first = self.four_hex()?;
        if !(0xD800..0xE000).contains(&first) {
            return char::from_u32(first).ok_or_else(|| self.wrong("not a character"));
        }
        let rest = self.text.get(self.at..).unwrap_or_default();
        if first >= 0xDC00 || !rest.starts_with("\\u") {
            return Err(self.wrong("half of a surrogate pair"));
        }
        self.at += 1;
        let second = self.four_hex()?;
        if !(0xDC00..0xE000).contains(&second) {
            return Err(self.wrong("half of a surrogate pair"));
        }
        let code = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
        char::from_u32(code).ok_or_else(|| self.wrong("not a character"))
    }

    /// `uXXXX`, the cursor on the `u`.
    fn four_hex(&mut self) -> Read<u32> {
        self.at += 1;
        let digits = self.text.get(self.at..self.at + 4).unwrap_or_default();
        if digits.len() != 4 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(self.wrong("expected four hexadecimal digits"));
        }
        self.at += 4;
        u32::from_str_radix(digits, 16).map_err(|_| self.wrong("expected hexadecimal digits"))
    }
}

/// Whether a name stands already. A table of a hundred thousand names must not cost their square.
fn is_taken(name: &str, members: &[Member], seen: &mut HashSet<String>) -> bool {
    if members.len() < SMALL_TABLE {
        return members.iter().any(|member| member.name == name);
    }
    if seen.is_empty() {
        seen.extend(members.iter().map(|member| member.name.clone()));
    }
    !seen.insert(name.to_owned())
}

#[cfg(test)]
mod tests;
