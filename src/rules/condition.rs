//! Conditions of `when` and `bypass`: `query.fresh == '1' || header.x-preview`. They are read once,
//! expressions are compiled once, and judging one allocates nothing for plain values. What is
//! missing is unequal to everything; of a repeated value any may fit.

use regex::bytes::{Regex, RegexBuilder};

use super::diagnostic::{Code, Findings};
use super::expr::Expr;
use super::extract::{Given, ValueOf};
use super::names::Names;
use super::read::Text;
use super::scan::{Scanner, Slip};

/// A condition that was read.
#[derive(Clone, Debug)]
pub(super) enum Condition {
    /// One of these.
    Any(Vec<Self>),
    /// All of these.
    All(Vec<Self>),
    /// Not this.
    Not(Box<Self>),
    /// A test of one value.
    Test(Expr, Test),
}

/// What a value is tested for.
#[derive(Clone, Debug)]
pub(super) enum Test {
    /// Being there.
    There,
    /// Being this.
    Is(Literal),
    /// Being there and something else, or not being there.
    IsNot(Literal),
    /// Being an integer with this order to another.
    Compares(Order, i64),
    /// Being one of these.
    In(Vec<Literal>),
    /// Fitting this expression as a whole.
    Fits(Regex),
}

/// `<`, `<=`, `>` or `>=`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Less,
    AtMost,
    More,
    AtLeast,
}

/// What a value is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Literal {
    /// Exactly this text.
    Text(Box<str>),
    /// An integer, in whatever spelling.
    Int(i64),
}

/// An expression may take this much memory when compiled; a hostile one must not take it all.
const REGEX_BYTES_MAX: usize = 1 << 20;

/// Parentheses and negations may nest this deep.
const DEPTH_MAX: usize = 32;

/// Compiles an expression that must fit the whole of a text.
pub(super) fn whole_regex(text: &str) -> Result<Regex, String> {
    // Alone first: "a)(b" must not close the group that anchors it.
    let check = regex_syntax_of(text);
    check.and_then(|()| {
        RegexBuilder::new(&format!(r"\A(?:{text})\z"))
            .size_limit(REGEX_BYTES_MAX)
            .build()
            .map_err(|error| short(&error))
    })
}

fn regex_syntax_of(text: &str) -> Result<(), String> {
    let alone = RegexBuilder::new(text).size_limit(REGEX_BYTES_MAX).build();
    alone.map(drop).map_err(|error| short(&error))
}

/// The last line of the error: what is wrong, without the drawing.
fn short(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    last.trim_start_matches("error: ").to_owned()
}

impl Condition {
    /// Reads a condition, or tells what is wrong with it.
    pub(super) fn read(text: &Text, names: &Names, found: &mut Findings) -> Option<Self> {
        Self::parse(&text.value, names).map_err(|slip| slip.tell(text, found)).ok()
    }

    /// Reads a condition.
    pub(super) fn parse(text: &str, names: &Names) -> Result<Self, Slip> {
        let mut scanner = Scanner::new(text, Code::Condition);
        let condition = any(&mut scanner, names, 0)?;
        scanner.space();
        match scanner.peek() {
            None => Ok(condition),
            Some('=') => Err(scanner.slip(scanner.at, "unexpected `=`").help("equality is ==")),
            Some(c) => Err(scanner
                .slip(scanner.at, format!("unexpected `{c}`"))
                .help("conditions are joined with && and ||")),
        }
    }

    /// Whether it holds for a request.
    pub(super) fn holds(&self, given: &Given<'_>) -> bool {
        match self {
            Self::Any(list) => list.iter().any(|one| one.holds(given)),
            Self::All(list) => list.iter().all(|one| one.holds(given)),
            Self::Not(one) => !one.holds(given),
            Self::Test(value, test) => test.holds(value, given),
        }
    }

    /// Everything that it reads.
    pub(super) fn sources(&self, visit: &mut dyn FnMut(&ValueOf)) {
        match self {
            Self::Any(list) | Self::All(list) => list.iter().for_each(|one| one.sources(visit)),
            Self::Not(one) => one.sources(visit),
            Self::Test(value, _) => value.sources().for_each(visit),
        }
    }
}

impl Test {
    fn holds(&self, value: &Expr, given: &Given<'_>) -> bool {
        let any = |fits: &mut dyn FnMut(&[u8]) -> bool| value.any(given, fits).unwrap_or(false);
        match self {
            Self::There => any(&mut |_| true),
            Self::Is(literal) => any(&mut |bytes| literal.is(bytes)),
            Self::IsNot(literal) => value.any(given, &mut |b| !literal.is(b)).unwrap_or(true),
            Self::In(list) => any(&mut |bytes| list.iter().any(|literal| literal.is(bytes))),
            Self::Fits(regex) => any(&mut |bytes| regex.is_match(bytes)),
            Self::Compares(order, with) => any(&mut |bytes| {
                integer(bytes).is_some_and(|number| match order {
                    Order::Less => number < *with,
                    Order::AtMost => number <= *with,
                    Order::More => number > *with,
                    Order::AtLeast => number >= *with,
                })
            }),
        }
    }
}

impl Literal {
    fn is(&self, bytes: &[u8]) -> bool {
        match self {
            Self::Text(text) => text.as_bytes() == bytes,
            Self::Int(number) => integer(bytes) == Some(*number),
        }
    }
}

/// An integer in decimal without a plus sign.
fn integer(bytes: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(bytes).ok()?;
    if text.starts_with('+') { None } else { text.parse().ok() }
}

fn any(scanner: &mut Scanner<'_>, names: &Names, depth: usize) -> Result<Condition, Slip> {
    let mut list = vec![all(scanner, names, depth)?];
    loop {
        scanner.space();
        if !scanner.take("||") {
            break;
        }
        list.push(all(scanner, names, depth)?);
    }
    Ok(if list.len() > 1 { Condition::Any(list) } else { list.remove(0) })
}

fn all(scanner: &mut Scanner<'_>, names: &Names, depth: usize) -> Result<Condition, Slip> {
    let mut list = vec![one(scanner, names, depth)?];
    loop {
        scanner.space();
        if !scanner.take("&&") {
            break;
        }
        list.push(one(scanner, names, depth)?);
    }
    Ok(if list.len() > 1 { Condition::All(list) } else { list.remove(0) })
}

fn one(scanner: &mut Scanner<'_>, names: &Names, depth: usize) -> Result<Condition, Slip> {
    scanner.space();
    let start = scanner.at;
    if depth > DEPTH_MAX {
        return Err(scanner.slip(start, "nested too deep"));
    }
    if scanner.take("!") {
        return one(scanner, names, depth + 1).map(|inner| Condition::Not(Box::new(inner)));
    }
    if scanner.take("(") {
        let inner = any(scanner, names, depth + 1)?;
        scanner.space();
        if !scanner.take(")") {
            return Err(scanner.slip(start, "this parenthesis is not closed"));
        }
        return Ok(inner);
    }
    let value = scanner.value(names)?;
    if let Some(slip) = not_here(&value, start..scanner.at) {
        return Err(slip);
    }
    test(scanner).map(|test| Condition::Test(value, test))
}

fn not_here(value: &Expr, range: std::ops::Range<usize>) -> Option<Slip> {
    let late = |of: &ValueOf| {
        of.is_request_body() || matches!(of, ValueOf::AnswerJson(_) | ValueOf::Identity)
    };
    value.sources().any(late).then(|| {
        let message = format!("`{}` is not known where conditions are decided", value.written);
        let slip = Slip::new(Code::NotHere, range, message);
        slip.help(
            "conditions see path, query, header, cookie, host, method and tenant, never a body",
        )
    })
}

fn test(scanner: &mut Scanner<'_>) -> Result<Test, Slip> {
    scanner.space();
    let start = scanner.at;
    if scanner.take("==") {
        return literal(scanner).map(Test::Is);
    }
    if scanner.take("!=") {
        return literal(scanner).map(Test::IsNot);
    }
    if scanner.take("=~") {
        scanner.space();
        let at = scanner.at;
        if scanner.peek() != Some('\'') {
            return Err(scanner.slip(at, "expected an expression in single quotes"));
        }
        let text = scanner.quoted()?;
        return whole_regex(&text).map(Test::Fits).map_err(|what| scanner.slip(at, what));
    }
    for (sign, order) in
        [("<=", Order::AtMost), (">=", Order::AtLeast), ("<", Order::Less), (">", Order::More)]
    {
        if scanner.take(sign) {
            return match literal(scanner)? {
                Literal::Int(number) => Ok(Test::Compares(order, number)),
                Literal::Text(_) => {
                    Err(scanner.slip(start, format!("`{sign}` compares with an integer")))
                }
            };
        }
    }
    let mut ahead = scanner.clone();
    if ahead.take("in") {
        ahead.space();
        if ahead.take("[") {
            *scanner = ahead;
            return literals(scanner).map(Test::In);
        }
    }
    Ok(Test::There)
}

fn literals(scanner: &mut Scanner<'_>) -> Result<Vec<Literal>, Slip> {
    let mut list = vec![literal(scanner)?];
    loop {
        scanner.space();
        if scanner.take("]") {
            return Ok(list);
        }
        if !scanner.take(",") {
            return Err(scanner.slip(scanner.at, "expected `,` or `]`"));
        }
        list.push(literal(scanner)?);
    }
}

fn literal(scanner: &mut Scanner<'_>) -> Result<Literal, Slip> {
    scanner.space();
    let start = scanner.at;
    if scanner.peek() == Some('\'') {
        return scanner.quoted().map(|text| Literal::Text(text.into()));
    }
    let digits = scanner.take_while(|c| c.is_ascii_digit() || c == '-');
    digits.parse().map(Literal::Int).map_err(|_| {
        scanner
            .slip(start, "expected a text in single quotes or an integer")
            .help("texts stand in single quotes: header.x-preview == 'yes'")
    })
}

#[cfg(test)]
mod tests;
