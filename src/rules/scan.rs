//! Reads the small languages inside strings of a rules file: what templates and conditions have in
//! common is a value with its filters. Errors carry the part of the text they are about.

use std::ops::Range;

use http::header::HeaderName;

use super::diagnostic::{Code, Findings};
use super::expr::{Expr, Step};
use super::extract::ValueOf;
use super::names::Names;
use super::nearest::nearest;
use super::node::Pointer;
use super::read::Text;

/// Something wrong in one of the small languages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Slip {
    pub(super) code: Code,
    pub(super) range: Range<usize>,
    pub(super) message: String,
    pub(super) help: Option<String>,
}

impl Slip {
    /// A slip without a remedy.
    pub(super) fn new(code: Code, range: Range<usize>, message: impl Into<String>) -> Self {
        Self { code, range, message: message.into(), help: None }
    }

    /// With what would be right.
    pub(super) fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }

    /// Tells it as a finding about this text.
    pub(super) fn tell(self, text: &Text, found: &mut Findings) {
        let spot = text.inside(self.range, found);
        let error = found.error(self.code, spot, self.message);
        if let Some(help) = self.help {
            error.help(help);
        }
    }
}

/// A cursor in a text.
#[derive(Clone, Debug)]
pub(super) struct Scanner<'a> {
    text: &'a str,
    pub(super) at: usize,
    /// What a text is called in messages: a template or a condition.
    code: Code,
}

/// Ends every name inside a value.
const ENDS: &str = "|})(='!<>&,\"{";

impl<'a> Scanner<'a> {
    /// At the beginning of a text; what is wrong gets this code.
    pub(super) const fn new(text: &'a str, code: Code) -> Self {
        Self { text, at: 0, code }
    }

    /// What is left.
    pub(super) fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// The next character.
    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Takes this text if it comes next.
    pub(super) fn take(&mut self, wanted: &str) -> bool {
        let there = self.rest().starts_with(wanted);
        if there {
            self.at += wanted.len();
        }
        there
    }

    /// Skips white space.
    pub(super) fn space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    /// Takes characters as long as they please.
    pub(super) fn take_while(&mut self, pleases: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c| !pleases(c)).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or_default()
    }

    /// A slip about what stands from `start` to here, or about the next character.
    pub(super) fn slip(&self, start: usize, message: impl Into<String>) -> Slip {
        let next = self.peek().map_or(0, char::len_utf8);
        let end = if self.at > start { self.at } else { self.at + next };
        Slip::new(self.code, start..end, message)
    }

    /// Text in single quotes, in which two stand for one.
    pub(super) fn quoted(&mut self) -> Result<String, Slip> {
        let start = self.at;
        self.at += 1;
        let mut out = String::new();
        loop {
            out.push_str(self.take_while(|c| c != '\''));
            if !self.take("'") {
                return Err(self.slip(start, "this text has no closing quote"));
            }
            if !self.take("'") {
                return Ok(out);
            }
            out.push('\'');
        }
    }

    /// A value with its filters.
    pub(super) fn value(&mut self, names: &Names) -> Result<Expr, Slip> {
        let start = self.at;
        let of = self.source(names)?;
        let mut steps = Vec::new();
        while self.peek() == Some('|') && !self.rest().starts_with("||") {
            self.at += 1;
            if let Some(Step::Default(_)) = steps.last() {
                return Err(self
                    .slip(start, "nothing can stand behind default(…)")
                    .help("default gives the template's own text, which no filter changes"));
            }
            steps.push(self.filter(names)?);
        }
        let written = self.text.get(start..self.at).unwrap_or_default();
        Ok(Expr { of, steps: steps.into(), written: written.into() })
    }

    fn source(&mut self, names: &Names) -> Result<ValueOf, Slip> {
        let start = self.at;
        for (word, make) in [
            ("req.json:", ValueOf::RequestJson as fn(Pointer) -> ValueOf),
            ("json:", ValueOf::AnswerJson as fn(Pointer) -> ValueOf),
        ] {
            if self.take(word) {
                return self.pointer().map(make);
            }
        }
        let word = self.take_while(|c| !ENDS.contains(c) && !c.is_whitespace());
        let range = start..self.at;
        let not_built = |what: &str| {
            Slip::new(Code::NotBuilt, range.clone(), format!("`{what}` is not built yet"))
        };
        match word.split_once('.') {
            Some(("query", name)) if !name.is_empty() => Ok(ValueOf::Parameter(name.into())),
            Some(("cookie", name)) if !name.is_empty() => Ok(ValueOf::Cookie(name.into())),
            Some(("header", name)) => HeaderName::from_bytes(name.as_bytes())
                .map(ValueOf::Header)
                .map_err(|_| self.slip(start, format!("`{name}` is not a field's name"))),
            Some(("jwt", _)) => Err(not_built("jwt")),
            Some(("req", "json")) => Ok(ValueOf::RequestJsonWhole),
            Some(("req", "body")) => Ok(ValueOf::RequestBody),
            Some(_) => Err(self.unknown(start, word, names)),
            None => match word {
                "query" => Ok(ValueOf::Query),
                "host" => Ok(ValueOf::Host),
                "path" => Ok(ValueOf::Path),
                "method" => Ok(ValueOf::Method),
                "identity" => Ok(ValueOf::Identity),
                "tenant" => Ok(ValueOf::Tenant),
                "" => Err(self.slip(start, "expected a value").help(SOURCES)),
                name => names
                    .position(name)
                    .map(ValueOf::Part)
                    .ok_or_else(|| self.unknown(start, name, names)),
            },
        }
    }

    fn unknown(&self, start: usize, name: &str, names: &Names) -> Slip {
        let message = format!("no match of this route has a part `{name}`");
        let slip = Slip::new(Code::UnknownPart, start..self.at, message);
        let known: Vec<_> = names.texts().collect();
        match nearest(name, known.iter().copied()) {
            Some(near) => slip.help(format!("did you mean `{near}`?")),
            None if known.is_empty() => slip.help(SOURCES),
            None => slip.help(format!("its parts are {}; {SOURCES}", known.join(", "))),
        }
    }

    fn pointer(&mut self) -> Result<Pointer, Slip> {
        let start = self.at;
        let text = if self.peek() == Some('\'') {
            self.quoted()?
        } else {
            self.take_while(|c| !"|)}".contains(c)).to_owned()
        };
        Pointer::parse(&text).ok_or_else(|| {
            self.slip(start, format!("`{text}` is not a JSON Pointer"))
                .help("a pointer begins with a slash, as in json:/user/id (RFC 6901)")
        })
    }

    fn filter(&mut self, names: &Names) -> Result<Step, Slip> {
        let start = self.at;
        let word = self.take_while(|c| c.is_ascii_alphanumeric() || c == '_');
        match word {
            "lower" => return Ok(Step::Lower),
            "sha256" => return Ok(Step::Sha256),
            "or" | "default" | "take" | "before" | "after" => {}
            _ => {
                let near =
                    nearest(word, ["lower", "sha256", "or", "default", "take", "before", "after"]);
                let slip = self.slip(start, format!("`{word}` is not a filter"));
                return Err(slip.help(near.map_or_else(
                    || "filters are or, default, lower, sha256, take, before and after".to_owned(),
                    |near| format!("did you mean `{near}`?"),
                )));
            }
        }
        if !self.take("(") {
            return Err(self.slip(start, format!("`{word}` takes something in parentheses")));
        }
        let step = if word == "or" {
            Step::Or(self.source(names)?)
        } else {
            let text = self.take_while(|c| c != ')');
            filter_with(word, text).map_err(|what| self.slip(start, what))?
        };
        if !self.take(")") {
            return Err(self.slip(start, format!("`{word}(` has no closing parenthesis")));
        }
        Ok(step)
    }
}

/// A filter with its argument, or what is wrong with that.
fn filter_with(word: &str, text: &str) -> Result<Step, &'static str> {
    let some = |text: &str| match text {
        "" => Err("before and after take the text to look for"),
        text => Ok(text.as_bytes().into()),
    };
    match word {
        "take" => match text.parse() {
            Ok(count) if count > 0 => Ok(Step::Take(count)),
            _ => Err("take takes a number of characters, from 1 up"),
        },
        "before" => some(text).map(Step::Before),
        "after" => some(text).map(Step::After),
        _ => Ok(Step::Default(text.into())),
    }
}

/// What a value can be.
const SOURCES: &str = "values are parts of the path, query.NAME, query, header.NAME, cookie.NAME, \
                       host, path, method, tenant, identity, req.json:/POINTER, req.json, req.body and \
                       json:/POINTER";
