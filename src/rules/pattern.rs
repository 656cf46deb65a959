//! Methods and paths that a route takes: `GET|HEAD /a/{id:int}/{rest...}`. A path is split at its
//! slashes once; each segment is text, or one part with text around it, or the tail. A trailing
//! slash is an empty last segment, so it counts.

use http::Method;

use super::charset::CharSet;
use super::diagnostic::Code;
use super::percent;
use super::scan::Slip;

/// Which methods a route takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Methods {
    /// Any.
    All,
    /// These; GET brings HEAD with it.
    These(Vec<Method>),
}

impl Methods {
    /// Reads `*` or `GET|PUT`.
    fn parse(text: &str) -> Result<Self, String> {
        if text == "*" {
            return Ok(Self::All);
        }
        let read = |name: &str| {
            let lower = name.bytes().any(|b| b.is_ascii_lowercase());
            if lower
                && Method::try_from(name.to_ascii_uppercase().as_str())
                    .is_ok_and(|method| STANDARD.contains(&method))
            {
                return Err(format!(
                    "methods are case-sensitive: write {}",
                    name.to_ascii_uppercase()
                ));
            }
            Method::from_bytes(name.as_bytes()).map_err(|_| format!("`{name}` is not a method"))
        };
        text.split('|').map(read).collect::<Result<_, _>>().map(Self::These)
    }

    /// Whether a request with this method fits.
    pub(super) fn fit(&self, method: &Method) -> bool {
        match self {
            Self::All => true,
            Self::These(list) => {
                list.contains(method) || (*method == Method::HEAD && list.contains(&Method::GET))
            }
        }
    }
}

/// Methods whose lower-case spelling is a slip and not another method.
const STANDARD: [Method; 8] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
    Method::OPTIONS,
    Method::TRACE,
];

/// What a part may look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Decimal, `-` allowed, no leading zero.
    Int,
    /// 8-4-4-4-12 hexadecimal digits.
    Uuid,
    /// Year, month and day, as RFC 3339 has them.
    Date,
    /// Letters, digits, `_` and `-`.
    Word,
    /// Hexadecimal digits.
    Hex,
}

impl Shape {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "int" => Self::Int,
            "uuid" => Self::Uuid,
            "date" => Self::Date,
            "word" => Self::Word,
            "hex" => Self::Hex,
            _ => return None,
        })
    }

    /// Whether a decoded value has this shape.
    pub(super) fn fits(self, value: &[u8]) -> bool {
        let all = |pleases: fn(&u8) -> bool| !value.is_empty() && value.iter().all(pleases);
        match self {
            Self::Int => {
                let digits = value.strip_prefix(b"-").unwrap_or(value);
                let plain = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
                plain && (digits.len() == 1 || digits.first() != Some(&b'0')) && value != b"-0"
            }
            Self::Uuid => {
                let dash = |at: usize| matches!(at, 8 | 13 | 18 | 23);
                let fits = |(at, b): (usize, &u8)| {
                    if dash(at) { *b == b'-' } else { b.is_ascii_hexdigit() }
                };
                value.len() == 36 && value.iter().enumerate().all(fits)
            }
            Self::Date => is_date(value),
            Self::Word => all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-')),
            Self::Hex => all(u8::is_ascii_hexdigit),
        }
    }

    /// What its values hold.
    const fn chars(self) -> CharSet {
        match self {
            Self::Int | Self::Date => CharSet::INT,
            Self::Uuid => CharSet::UUID,
            Self::Word => CharSet::WORD,
            Self::Hex => CharSet::HEX,
        }
    }

    /// Whether every value of `other` has this shape too.
    fn covers(self, other: Self) -> bool {
        self == other || self == Self::Word
    }
}

fn is_date(value: &[u8]) -> bool {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = value else { return false };
    let digits = [y1, y2, y3, y4, m1, m2, d1, d2];
    let two = |tens: &u8, ones: &u8| (tens - b'0') * 10 + (ones - b'0');
    digits.iter().all(|b| b.is_ascii_digit())
        && (1..=12).contains(&two(m1, m2))
        && (1..=31).contains(&two(d1, d2))
}

/// One segment of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Segment {
    /// Exactly this, decoded.
    Text(Box<str>),
    /// A part that is not empty, with text around it.
    Part { before: Box<str>, after: Box<str>, name: Box<str>, shape: Option<Shape> },
}

/// A path that a route takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PathPattern {
    pub(super) segments: Box<[Segment]>,
    /// The name of `{rest...}`, which takes all further segments.
    pub(super) tail: Option<Box<str>>,
}

/// Names that mean something of the request itself in templates.
pub(super) const RESERVED: [&str; 6] = ["query", "host", "path", "method", "identity", "tenant"];

/// Reads `METHODS PATH`: the methods, and where the path begins.
pub(super) fn parse_methods(text: &str) -> Result<(Methods, usize), Slip> {
    let Some(space) = text.find(' ') else {
        let slip =
            Slip::new(Code::Match, 0..text.len(), "a match is methods, one space and a path");
        let help = if text.starts_with('/') {
            format!("write \"GET {text}\"")
        } else {
            "for example \"GET /a/{id}\"".to_owned()
        };
        return Err(slip.help(help));
    };
    let (methods, path) = text.split_at(space);
    let methods = Methods::parse(methods).map_err(|what| Slip::new(Code::Match, 0..space, what))?;
    if path.starts_with("  ") {
        let slip =
            Slip::new(Code::Match, space..space + 2, "exactly one space stands before the path");
        return Err(slip);
    }
    Ok((methods, space + 1))
}

impl PathPattern {
    /// Reads a path that begins at `offset` of the whole match.
    pub(super) fn parse(path: &str, offset: usize) -> Result<Self, Slip> {
        let slip = |range: std::ops::Range<usize>, what: &str| {
            Slip::new(Code::Match, offset + range.start..offset + range.end, what)
        };
        let Some(rest) = path.strip_prefix('/') else {
            return Err(slip(0..path.len(), "a path begins with a slash"));
        };
        let (mut segments, mut tail, mut at) = (Vec::new(), None, 1);
        for text in rest.split('/') {
            let here = at..at + text.len();
            at = here.end + 1;
            if tail.is_some() {
                return Err(slip(here, "nothing can stand behind the tail"));
            }
            match parse_segment(text).map_err(|what| slip(here, &what))? {
                Parsed::Segment(segment) => segments.push(segment),
                Parsed::Tail(name) => tail = Some(name),
            }
        }
        let pattern = Self { segments: segments.into(), tail };
        let mut names: Vec<_> = pattern.parts().into_iter().map(|(name, _, _)| name).collect();
        names.sort_unstable();
        if let Some([twice, _]) = names.array_windows().find(|[a, b]| a == b) {
            return Err(slip(0..path.len(), &format!("`{{{twice}}}` stands twice in this path")));
        }
        Ok(pattern)
    }

    /// Its names with what their values hold; none of them is ever missing.
    pub(super) fn parts(&self) -> Vec<(&str, CharSet, bool)> {
        let parts = self.segments.iter().filter_map(|segment| match segment {
            Segment::Text(_) => None,
            Segment::Part { name, shape, .. } => {
                Some((&**name, shape.map_or(CharSet::VALUE, Shape::chars), true))
            }
        });
        let tail = self.tail.as_deref().map(|name| (name, CharSet::TAIL, true));
        parts.chain(tail).collect()
    }

    /// The first segment, when it is text: requests can be told apart by it at once.
    pub(super) fn first_text(&self) -> Option<&str> {
        match self.segments.first() {
            Some(Segment::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// Whether every path that fits `other` fits this too. It never says yes wrongly.
    pub(super) fn covers(&self, other: &Self) -> bool {
        let (mine, others) = (&self.segments, &other.segments);
        let lengths = match (&self.tail, &other.tail) {
            (None, None) => mine.len() == others.len(),
            (None, Some(_)) => false,
            (Some(_), None) => others.len() > mine.len(),
            (Some(_), Some(_)) => others.len() >= mine.len(),
        };
        lengths && mine.iter().zip(others).all(|(a, b)| a.covers(b))
    }
}

enum Parsed {
    Segment(Segment),
    Tail(Box<str>),
}

fn parse_segment(text: &str) -> Result<Parsed, String> {
    let Some((before, rest)) = text.split_once('{') else {
        if text.contains('}') {
            return Err("this brace closes nothing".to_owned());
        }
        return literal(text).map(|text| Parsed::Segment(Segment::Text(text)));
    };
    let Some((inside, after)) = rest.split_once('}') else {
        return Err("a brace is not closed in this segment".to_owned());
    };
    if after.contains(['{', '}']) {
        return Err("a segment has at most one part".to_owned());
    }
    let (name, shape) = match inside.split_once(':') {
        Some((name, shape)) => (name, Some(shape)),
        None => (inside, None),
    };
    if let Some(name) = name.strip_suffix("...") {
        if !(before.is_empty() && after.is_empty() && shape.is_none()) {
            return Err("a tail stands alone in its segment".to_owned());
        }
        return check_name(name).map(Parsed::Tail);
    }
    let shape = shape.map(|text| {
        Shape::parse(text).ok_or_else(|| {
            format!("`{text}` is not a shape; shapes are int, uuid, date, word and hex")
        })
    });
    let shape = shape.transpose()?;
    let (before, after, name) = (literal(before)?, literal(after)?, check_name(name)?);
    Ok(Parsed::Segment(Segment::Part { before, after, name, shape }))
}

/// A name that templates can use.
pub(super) fn check_name(name: &str) -> Result<Box<str>, String> {
    if RESERVED.contains(&name) {
        return Err(format!("`{name}` already means something in templates; use another name"));
    }
    let mut bytes = name.bytes();
    let starts = bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    if starts && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') {
        return Ok(name.into());
    }
    Err(format!("`{name}` is not a name; a name is a letter, then letters, digits, `_` and `-`"))
}

/// Text of a path, decoded, so that every spelling of it fits.
fn literal(text: &str) -> Result<Box<str>, String> {
    if text.contains(['?', '#', '*']) {
        return Err(
            "`?`, `#` and `*` cannot stand in a path; a tail is written {rest...}".to_owned()
        );
    }
    if text.chars().any(|c| c == ' ' || c.is_control()) {
        return Err("a path holds no spaces or control characters".to_owned());
    }
    String::from_utf8(percent::decoded(text.as_bytes()).into_owned())
        .map(Into::into)
        .map_err(|_| "this does not decode to UTF-8".to_owned())
}

impl Segment {
    /// Whether every segment that fits `other` fits this too.
    fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Text(mine), Self::Text(text)) => mine == text,
            (Self::Text(_), Self::Part { .. }) => false,
            (Self::Part { before, after, shape, .. }, Self::Text(text)) => {
                let inside = text.strip_prefix(&**before).and_then(|t| t.strip_suffix(&**after));
                inside.is_some_and(|value| {
                    !value.is_empty() && shape.is_none_or(|shape| shape.fits(value.as_bytes()))
                })
            }
            (
                Self::Part { before, after, shape, .. },
                Self::Part { before: other_before, after: other_after, shape: other_shape, .. },
            ) => match shape {
                None => other_before.starts_with(&**before) && other_after.ends_with(&**after),
                Some(shape) => {
                    before == other_before
                        && after == other_after
                        && other_shape.is_some_and(|other| shape.covers(other))
                }
            },
        }
    }
}

#[cfg(test)]
mod tests;
