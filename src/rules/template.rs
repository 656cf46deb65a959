//! Templates of keys, tags and selectors: text with values in braces. A template is read once, when
//! the rules are; writing it for a request fills one string. What a request says can never look
//! like the template's own text, because every value is escaped.

use super::charset::{self, CharSet};
use super::diagnostic::{Code, Findings};
use super::expr::{Expr, Resolved, Step};
use super::extract::{Given, QueryShape, ValueOf};
use super::names::Names;
use super::percent;
use super::read::Text;
use super::scan::{Scanner, Slip};
use crate::base::limits::KEY_BYTES_MAX;

/// What a template is for: that decides what may stand in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A key: known before the origin is asked, and different for different requests.
    Key,
    /// A tag.
    Tag,
    /// What entries have in common that lie in one slot of a cluster. It stands in braces there.
    Shard,
    /// The text of a selector, in which a star may stand.
    Selector,
    /// A target: stars and all else stand for themselves.
    Target,
}

/// A template that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Template {
    pub(super) pieces: Box<[Piece]>,
}

/// A part of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// As it goes into the result.
    Text(Box<str>),
    /// A value.
    Value(Expr),
}

/// Why a template gives nothing for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nothing<'e> {
    /// This value is missing.
    Missing(&'e Expr),
    /// The result would be longer than any key.
    TooLong,
}

impl Template {
    /// Reads a template, or tells what is wrong with it.
    pub(super) fn read(
        text: &Text,
        names: &Names,
        purpose: Purpose,
        found: &mut Findings,
    ) -> Option<Self> {
        match Self::parse(&text.value, names, purpose) {
            Ok(template) => Some(template),
            Err(slips) => {
                for slip in slips {
                    slip.tell(text, found);
                }
                None
            }
        }
    }

    /// Reads a template; all that is wrong where reading can go on.
    pub(super) fn parse(text: &str, names: &Names, purpose: Purpose) -> Result<Self, Vec<Slip>> {
        let mut scanner = Scanner::new(text, Code::Template);
        let mut pieces = Vec::new();
        let mut own = String::new();
        let mut slips = Vec::new();
        while let Some(c) = scanner.peek() {
            let start = scanner.at;
            if let Some(brace) = ["{{", "}}"].into_iter().find(|brace| scanner.take(brace)) {
                let brace = if brace == "{{" { '{' } else { '}' };
                slips.extend(text_refusal(brace, start, purpose));
                own.push(brace);
            } else if c == '}' {
                let slip = scanner.slip(start, "this brace closes nothing");
                return Err(vec![slip.help("a brace that is meant as text is written twice: }}")]);
            } else if scanner.take("{") {
                let value = scanner.value(names).and_then(|value| {
                    let unclosed = "this brace is not closed";
                    if scanner.take("}") { Ok(value) } else { Err(scanner.slip(start, unclosed)) }
                });
                let mut value = value.map_err(|slip| [slips.as_slice(), &[slip]].concat())?;
                slips.extend(refusals(&value, start..scanner.at, purpose));
                escape_default(&mut value);
                if !own.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut own).into()));
                }
                pieces.push(Piece::Value(value));
            } else {
                scanner.at += c.len_utf8();
                slips.extend(text_refusal(c, start, purpose));
                push_own(c, &mut own);
            }
        }
        if !own.is_empty() {
            pieces.push(Piece::Text(own.into()));
        }
        if slips.is_empty() { Ok(Self { pieces: pieces.into() }) } else { Err(slips) }
    }

    /// The same template behind a fixed text.
    pub(super) fn behind(self, prefix: &str) -> Self {
        if prefix.is_empty() {
            return self;
        }
        let mut pieces = self.pieces.into_vec();
        match pieces.first_mut() {
            Some(Piece::Text(text)) => *text = format!("{prefix}{text}").into(),
            _ => pieces.insert(0, Piece::Text(prefix.into())),
        }
        Self { pieces: pieces.into() }
    }

    /// Writes it for a request.
    pub(super) fn write<'e>(
        &'e self,
        given: &Given<'_>,
        shape: &QueryShape<'_>,
        out: &mut String,
    ) -> Result<(), Nothing<'e>> {
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Value(value) => match value.resolve(given, shape) {
                    Resolved::Missing => return Err(Nothing::Missing(value)),
                    Resolved::Text(text) => out.push_str(text),
                    Resolved::Value(datum) if datum.bytes.len() > KEY_BYTES_MAX => {
                        return Err(Nothing::TooLong);
                    }
                    Resolved::Value(datum) => datum.write_escaped(out),
                },
            }
        }
        if out.len() > KEY_BYTES_MAX { Err(Nothing::TooLong) } else { Ok(()) }
    }

    /// Its values, in order.
    pub(super) fn values(&self) -> impl Iterator<Item = &Expr> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Text(_) => None,
            Piece::Value(value) => Some(value),
        })
    }

    /// Everything that its values read.
    pub(super) fn sources(&self) -> impl Iterator<Item = &ValueOf> {
        self.values().flat_map(Expr::sources)
    }

    /// All texts that it can give, roughly and never too few.
    pub(super) fn texts(&self, names: &Names) -> Vec<charset::Step> {
        let mut steps = Vec::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => {
                    steps.extend(text.bytes().map(|byte| charset::Step::One(CharSet::of(&[byte]))));
                }
                Piece::Value(value) => steps.extend(value.texts(names)),
            }
        }
        steps
    }

    /// The first two values between which nothing stands that the first cannot hold: read from the
    /// left, such a character is what tells where a value ends.
    pub(super) fn run_together(&self, names: &Names) -> Option<(&Expr, &Expr)> {
        let mut before: Option<&Expr> = None;
        let mut parted = true;
        for piece in &self.pieces {
            match (piece, before) {
                (Piece::Text(text), Some(value)) => {
                    let chars = value.chars(names);
                    parted |= text.bytes().any(|byte| !chars.has(byte));
                }
                (Piece::Text(_), None) => {}
                (Piece::Value(value), Some(before)) if !parted => return Some((before, value)),
                (Piece::Value(value), _) => {
                    before = Some(value);
                    parted = false;
                }
            }
        }
        None
    }
}

impl std::fmt::Display for Template {
    /// As it stands in the file, but for the escapes of its own text.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.pieces.iter().try_for_each(|piece| match piece {
            Piece::Text(text) => f.write_str(text),
            Piece::Value(value) => write!(f, "{{{}}}", value.written),
        })
    }
}

/// What the template itself says: printable ASCII as it is, everything else as values are escaped.
fn push_own(c: char, out: &mut String) {
    if c.is_ascii() {
        out.push(c);
    } else {
        for byte in c.encode_utf8(&mut [0; 4]).bytes() {
            percent::push_escaped(byte, out);
        }
    }
}

fn escape_default(value: &mut Expr) {
    if let Some(Step::Default(text)) = value.steps.last_mut() {
        let mut out = String::new();
        text.chars().for_each(|c| push_own(c, &mut out));
        *text = out.into();
    }
}

/// A character of the template's own text that cannot stand there.
fn text_refusal(c: char, at: usize, purpose: Purpose) -> Option<Slip> {
    let range = at..at + c.len_utf8();
    if c.is_ascii_control() || c == ' ' {
        let slip = Slip::new(Code::Template, range, "keys and tags hold no spaces or controls");
        return Some(slip.help("write %20 for a space, as values have it"));
    }
    if matches!(c, '{' | '}') && purpose == Purpose::Shard {
        let message = "a brace cannot stand in a shard: braces mark it in Redis";
        return Some(Slip::new(Code::Template, range, message));
    }
    if c == '*' && matches!(purpose, Purpose::Key | Purpose::Tag | Purpose::Shard) {
        let message = "a star cannot stand in a key, tag or shard: selectors read it as any text";
        return Some(Slip::new(Code::Template, range, message));
    }
    None
}

/// What a value must not be where it stands.
fn refusals(value: &Expr, range: std::ops::Range<usize>, purpose: Purpose) -> Vec<Slip> {
    let mut slips = Vec::new();
    let what = match purpose {
        Purpose::Key => Some("a key"),
        Purpose::Shard => Some("a shard"),
        _ => None,
    };
    if let Some(what) = what
        && value.sources().any(|of| matches!(of, ValueOf::AnswerJson(_)))
    {
        let message = format!("{what} is needed before there is an answer");
        let slip = Slip::new(Code::NotHere, range.clone(), message);
        slips.push(slip.help("req.json: reads the body of the request"));
    }
    if purpose == Purpose::Key {
        let lossy = value.steps.iter().find_map(|step| match step {
            Step::Take(_) => Some("take"),
            Step::Before(_) => Some("before"),
            Step::After(_) => Some("after"),
            _ => None,
        });
        if let Some(lossy) = lossy {
            let message =
                format!("`{lossy}` loses information, so different requests could share a key");
            let slip = Slip::new(Code::KeyNotInjective, range.clone(), message);
            slips.push(slip.help("use it in tags; in a key use the whole value"));
        }
    }
    let Some(Step::Default(text)) = value.steps.last() else { return slips };
    let refused = |c: char| c.is_ascii() && !percent::is_kept(c as u8);
    if purpose == Purpose::Key && text.chars().any(refused) {
        let message = "a default in a key holds only what a value can: A-Z a-z 0-9 - . _ ~";
        slips.push(Slip::new(Code::KeyNotInjective, range, message));
    } else if let Some(slip) = text
        .chars()
        .find_map(|c| text_refusal(c, range.start, purpose).map(|_| c))
        .map(|c| Slip::new(Code::Template, range, format!("`{c}` cannot stand in a default here")))
    {
        slips.push(slip);
    }
    slips
}

#[cfg(test)]
mod tests;
