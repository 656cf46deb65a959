//! Where values come from: parts of the path, parameters, fields, cookies, bodies. Everything is
//! read from the request as it came and decoded at most once. A value that is not there is missing,
//! which is something else than empty. Nothing here copies a value that can be borrowed.

use std::borrow::Cow;

use bytes::Bytes;
use http::Method;
use http::header::{HeaderMap, HeaderName};
use smallvec::SmallVec;

use super::canonical;
use super::credentials::{CredentialNames, cookies};
use super::host::split_authority;
use super::json::Json;
use super::node::{Node, Pointer, Value};
use super::percent;
use super::query::{Parameter, Query};
use super::tenant::Tenant;
use super::veil::Veil;

/// A request as rules see it.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The method as sent.
    pub method: &'a Method,
    /// `http` or `https`, as the client used it.
    pub scheme: &'a str,
    /// Host and port as the client used them.
    pub authority: &'a str,
    /// Path and query, byte for byte.
    pub target: &'a str,
    /// The request's fields.
    pub fields: &'a HeaderMap,
    /// Whether who sent it is trusted to say for whom.
    pub trusted: bool,
}

impl<'a> Asked<'a> {
    /// The target before its query.
    pub fn path(&self) -> &'a str {
        self.target.split('?').next().unwrap_or_default()
    }
}

/// A request body that was read whole, with its content codings taken off.
#[derive(Clone, Debug)]
pub struct RequestBody {
    bytes: Bytes,
    json: Option<Json>,
}

impl RequestBody {
    /// Takes a body and reads it as JSON, if it is.
    pub fn new(bytes: Bytes) -> Self {
        let json = Json::read(&bytes).ok();
        Self { bytes, json }
    }

    /// The body as JSON.
    pub const fn json(&self) -> Option<&Json> {
        self.json.as_ref()
    }
}

/// Where the parts of a path stood in the target, and whose the request is. One place for each name
/// of the route; a name that the taken match does not have is missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Captures {
    pub(super) parts: SmallVec<[Option<Captured>; 4]>,
    /// Whose the request is.
    pub tenant: Tenant,
}

/// One part of the target, raw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Captured {
    pub(super) start: u32,
    pub(super) end: u32,
    /// From a `{rest...}`: its slashes stay slashes.
    pub(super) tail: bool,
}

/// What a template or condition reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ValueOf {
    /// A part of the path or a named group, by its place among the route's names.
    Part(usize),
    /// A parameter.
    Parameter(Box<str>),
    /// All parameters.
    Query,
    /// A field of the request.
    Header(HeaderName),
    /// A cookie.
    Cookie(Box<str>),
    /// The authority without its port, in lower case.
    Host,
    /// The path as sent.
    Path,
    /// The method.
    Method,
    /// The keyed digest of all credentials.
    Identity,
    /// The tenant whose request it is.
    Tenant,
    /// A part of the request's body.
    RequestJson(Pointer),
    /// The request's body as canonical JSON.
    RequestJsonWhole,
    /// The request's body.
    RequestBody,
    /// A part of the answer's body.
    AnswerJson(Pointer),
}

impl ValueOf {
    /// Whether the target alone gives it, whoever asks.
    pub(super) const fn is_of_target(&self) -> bool {
        matches!(self, Self::Part(_) | Self::Parameter(_) | Self::Query | Self::Host | Self::Path)
    }

    /// Whether it needs the request's body as JSON.
    pub(super) const fn is_request_json(&self) -> bool {
        matches!(self, Self::RequestJson(_) | Self::RequestJsonWhole)
    }

    /// Whether it needs the request's body at all.
    pub(super) const fn is_request_body(&self) -> bool {
        matches!(self, Self::RequestBody) || self.is_request_json()
    }
}

/// What a value keeps when it is escaped, beside letters, digits and `-._~`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Nothing.
    Plain,
    /// Slashes.
    Tail,
    /// A `+` that was sent as such.
    Query,
}

/// A value that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Datum<'a> {
    pub(super) bytes: Cow<'a, [u8]>,
    pub(super) class: Class,
    /// Where a `+` was sent as `%2B`. Nearly always empty, and then without allocation.
    pub(super) coded_plus: Vec<u32>,
}

impl<'a> Datum<'a> {
    /// A value without anything special.
    pub(super) fn plain(bytes: impl Into<Cow<'a, [u8]>>) -> Self {
        Self { bytes: bytes.into(), class: Class::Plain, coded_plus: Vec::new() }
    }

    /// A value of a query, raw; its two kinds of `+` stay apart.
    fn of_query(raw: &'a str) -> Self {
        let raw = raw.as_bytes();
        let bytes = percent::decoded(raw);
        let mut coded_plus = Vec::new();
        if bytes.len() != raw.len() && memchr::memchr(b'+', &bytes).is_some() {
            let coded = percent::units(raw).enumerate();
            coded_plus
                .extend(coded.filter(|(_, unit)| *unit == (b'+', true)).map(|(at, _)| at as u32));
        }
        Self { bytes, class: Class::Query, coded_plus }
    }

    /// Writes it escaped: `A-Z a-z 0-9 - . _ ~` and what its class keeps; an empty value is `%~`,
    /// so that it differs from a missing one.
    pub(super) fn write_escaped(&self, out: &mut String) {
        if self.bytes.is_empty() {
            out.push_str("%~");
        }
        for (at, byte) in self.bytes.iter().enumerate() {
            let kept = percent::is_kept(*byte)
                || match self.class {
                    Class::Plain => false,
                    Class::Tail => *byte == b'/',
                    Class::Query => *byte == b'+' && !self.coded_plus.contains(&(at as u32)),
                };
            if kept {
                out.push(char::from(*byte));
            } else {
                percent::push_escaped(*byte, out);
            }
        }
    }
}

/// Everything that the values of one request are read from.
#[derive(Clone, Debug)]
pub(super) struct Given<'a> {
    pub(super) asked: &'a Asked<'a>,
    pub(super) captures: &'a Captures,
    pub(super) query: Query<'a>,
    pub(super) body: Option<&'a RequestBody>,
    pub(super) answer: Option<&'a Json>,
    /// What stands for credentials.
    pub(super) veil: Veil<'a>,
    /// What counts as one. Conditions, which make no text, need not know.
    pub(super) credentials: Option<&'a CredentialNames>,
}

impl<'a> Given<'a> {
    /// What is known before any body is read.
    pub(super) fn request(asked: &'a Asked<'a>, captures: &'a Captures) -> Self {
        let query = Query::of(asked.target);
        let (body, answer, credentials) = (None, None, None);
        Self { asked, captures, query, body, answer, veil: Veil::default(), credentials }
    }

    /// Whether values of this kind are hidden in texts.
    pub(super) fn hides(&self, of: &ValueOf) -> bool {
        self.credentials.is_some_and(|names| names.hide(of))
    }

    /// The value as keys, tags and selectors hold it: one, with repeated lines and cookies joined
    /// in order, so that no two requests that differ in them look alike.
    pub(super) fn one(&self, of: &ValueOf, sorted: &QueryShape<'_>) -> Option<Datum<'a>> {
        match of {
            ValueOf::Part(at) => self.part(*at),
            ValueOf::Parameter(name) => self.query.all(name).next().map(Datum::of_query),
            ValueOf::Query => {
                let text = self.query.canonical(sorted.sorted, |one| !sorted.is_ignored(one))?;
                let (bytes, class) = (Cow::Owned(text.into_bytes()), Class::Query);
                Some(Datum { bytes, class, coded_plus: Vec::new() })
            }
            ValueOf::Header(name) => joined(self.lines(name)),
            ValueOf::Cookie(name) => joined(self.cookies(name)),
            // A HEAD is answered from what a GET stored.
            ValueOf::Method if *self.asked.method == Method::HEAD => {
                Some(Datum::plain(&b"GET"[..]))
            }
            ValueOf::RequestBody => self.body.map(|body| Datum::plain(&*body.bytes)),
            ValueOf::RequestJsonWhole => {
                let json = self.body?.json()?;
                Some(Datum::plain(canonical::of(json.root()).into_bytes()))
            }
            ValueOf::RequestJson(pointer) => json_part(pointer, self.body?.json()?),
            ValueOf::AnswerJson(pointer) => json_part(pointer, self.answer?),
            ValueOf::Identity => self.veil.identity.map(|text| Datum::plain(text.as_bytes())),
            ValueOf::Tenant => self.captures.tenant.datum(),
            ValueOf::Host | ValueOf::Path | ValueOf::Method => Some(Datum::plain(self.line(of))),
        }
    }

    /// Calls `fits` with each value there is, until one fits: conditions ask whether any does.
    /// `None` when there is none at all.
    pub(super) fn any(&self, of: &ValueOf, fits: &mut dyn FnMut(&[u8]) -> bool) -> Option<bool> {
        let all: &mut dyn Iterator<Item = Cow<'a, [u8]>> = match of {
            ValueOf::Parameter(name) => {
                &mut self.query.all(name).map(|raw| percent::decoded(raw.as_bytes()))
            }
            ValueOf::Header(name) => &mut self.lines(name).map(Cow::Borrowed),
            ValueOf::Cookie(name) => &mut self.cookies(name).map(Cow::Borrowed),
            ValueOf::Part(at) => &mut self.part(*at).map(|datum| datum.bytes).into_iter(),
            ValueOf::Tenant => {
                &mut self.captures.tenant.datum().map(|datum| datum.bytes).into_iter()
            }
            ValueOf::Host | ValueOf::Path | ValueOf::Method => &mut std::iter::once(self.line(of)),
            ValueOf::Query => {
                let query = self.asked.target.split_once('?').map(|(_, query)| query.as_bytes());
                &mut query.filter(|query| !query.is_empty()).map(Cow::Borrowed).into_iter()
            }
            _ => &mut std::iter::empty(),
        };
        let mut answer = None;
        for value in all {
            if fits(&value) {
                return Some(true);
            }
            answer = Some(false);
        }
        answer
    }

    /// A value that the request line always has.
    fn line(&self, of: &ValueOf) -> Cow<'a, [u8]> {
        match of {
            ValueOf::Host => {
                let (host, _) = split_authority(self.asked.authority);
                if host.bytes().any(|b| b.is_ascii_uppercase()) {
                    return Cow::Owned(host.to_ascii_lowercase().into_bytes());
                }
                Cow::Borrowed(host.as_bytes())
            }
            ValueOf::Path => Cow::Borrowed(self.asked.path().as_bytes()),
            _ => Cow::Borrowed(self.asked.method.as_str().as_bytes()),
        }
    }

    fn part(&self, at: usize) -> Option<Datum<'a>> {
        let part = self.captures.parts.get(at).copied().flatten()?;
        let raw = self.asked.target.as_bytes().get(part.start as usize..part.end as usize)?;
        let class = if part.tail { Class::Tail } else { Class::Plain };
        Some(Datum { bytes: percent::decoded(raw), class, coded_plus: Vec::new() })
    }

    fn lines(&self, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.asked.fields.get_all(name).into_iter().map(http::HeaderValue::as_bytes)
    }

    fn cookies<'n>(&self, name: &'n str) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        let all = cookies(self.asked.fields);
        all.filter(move |(found, _)| *found == name.as_bytes()).map(|(_, value)| value)
    }
}

/// How `{query}` is made into one text.
#[derive(Clone, Copy, Debug)]
pub(super) struct QueryShape<'a> {
    /// Whether parameters are put in the order of their names.
    pub(super) sorted: bool,
    /// Names that are left out.
    pub(super) ignored: &'a [crate::entry::order::Glob],
}

impl QueryShape<'_> {
    /// Whether this parameter never changes the answer.
    pub(super) fn is_ignored(&self, one: &Parameter<'_>) -> bool {
        if self.ignored.is_empty() {
            return false;
        }
        let name = percent::decoded(one.name.as_bytes());
        let name = String::from_utf8_lossy(&name);
        self.ignored.iter().any(|glob| glob.matches(&name))
    }
}

/// Several lines as one value (RFC 9110, 5.3); borrowed when there is one.
fn joined<'a>(mut lines: impl Iterator<Item = &'a [u8]>) -> Option<Datum<'a>> {
    let first = lines.next()?;
    let Some(second) = lines.next() else { return Some(Datum::plain(first)) };
    let mut all = first.to_vec();
    for line in std::iter::once(second).chain(lines) {
        all.extend_from_slice(b", ");
        all.extend_from_slice(line);
    }
    Some(Datum::plain(all))
}

fn json_part<'a>(pointer: &Pointer, json: &'a Json) -> Option<Datum<'a>> {
    pointer.find(json.root()).map(node_datum)
}

/// Texts as they are, integers in decimal, everything else as canonical JSON.
fn node_datum(node: &Node) -> Datum<'_> {
    match &node.value {
        Value::Text(text) => Datum::plain(text.as_bytes()),
        Value::Int(digits) => Datum::plain(digits.as_bytes()),
        _ => Datum::plain(canonical::of(node).into_bytes()),
    }
}

#[cfg(test)]
mod tests;
