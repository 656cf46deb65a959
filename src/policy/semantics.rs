//! A second opinion from `http-cache-semantics`. It reads answers with RFC 7234's eyes and has
//! habits of its own, so it hears normalised fields and is asked one question: what lifetime does
//! the origin grant? No head that it makes is ever used, and no field of a request reaches it.

use std::time::{Duration, SystemTime};

use http::header::{self, HeaderMap, HeaderValue};
use http::{Request, Response, StatusCode};
use http_cache_semantics::{CacheOptions, CachePolicy};

use super::date;
use super::directives::delta_seconds;
use super::freshness::TtlBy;
use crate::base::clock::Timestamp;
use crate::base::fields;
use crate::base::units::Span;

#[cfg(test)]
mod tests;

/// The lifetime that the origin grants to an answer made at `date`, as the other implementation
/// reads it. Nothing when it would not store the answer. `Set-Cookie`, `Age`, `Vary` and targeted
/// fields are not its business.
pub fn origin_lifetime(response: &HeaderMap, status: StatusCode, date: Timestamp) -> Option<Span> {
    ask(response, status, date, |_| true)
}

/// The other implementation's reading of a lifetime that was found in `by`, where it can read that
/// at all. What the answer forbids besides is left out of the question.
pub(super) fn second_voice(response: &HeaderMap, by: TtlBy, date: Timestamp) -> Option<Span> {
    if !matches!(by, TtlBy::SMaxage | TtlBy::MaxAge | TtlBy::Expires) {
        return None;
    }
    ask(response, StatusCode::OK, date, |name| name == b"max-age" || name == b"s-maxage")
}

fn ask(
    response: &HeaderMap,
    status: StatusCode,
    date: Timestamp,
    hears: impl Fn(&[u8]) -> bool,
) -> Option<Span> {
    let mut answer = Response::new(());
    *answer.status_mut() = status;
    *answer.headers_mut() = normalised(response, date, hears);
    let now = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(date.as_secs()))?;
    let options = CacheOptions { shared: true, ..CacheOptions::default() };
    let policy = CachePolicy::new_options(&Request::new(()), &answer, now, options);
    let lifetime = policy.time_to_live(now).as_secs();
    policy.is_storable().then(|| Span::from_secs(lifetime))
}

/// One `Cache-Control` line in lower case, each directive once, numbers without quotes and within
/// bounds; dates in the one format that is read.
fn normalised(response: &HeaderMap, date: Timestamp, hears: impl Fn(&[u8]) -> bool) -> HeaderMap {
    let mut fields = HeaderMap::new();
    fields.insert(header::DATE, date::write(date));
    let mut names: Vec<Vec<u8>> = Vec::new();
    let mut line: Vec<u8> = Vec::new();
    for member in fields::members(response, &header::CACHE_CONTROL) {
        let (name, value) = halves(member);
        let name = name.to_ascii_lowercase();
        if !hears(&name) || names.contains(&name) {
            continue;
        }
        if !line.is_empty() {
            line.extend_from_slice(b", ");
        }
        line.extend_from_slice(&name);
        if name == b"max-age" || name == b"s-maxage" {
            let span = value.and_then(delta_seconds);
            let text = span.map_or_else(|| "x".to_owned(), |span| span.as_secs().to_string());
            line.push(b'=');
            line.extend_from_slice(text.as_bytes());
        }
        names.push(name);
    }
    if let Some(line) = HeaderValue::from_bytes(&line).ok().filter(|line| !line.is_empty()) {
        fields.insert(header::CACHE_CONTROL, line);
    }
    for name in [header::EXPIRES, header::LAST_MODIFIED] {
        if response.contains_key(&name) {
            let moment = date::field(response, &name, date).map(date::write);
            fields.insert(name, moment.unwrap_or(HeaderValue::from_static("0")));
        }
    }
    fields
}

/// Name and value of a directive, the value without its quotes. What is not plainly the one or the
/// other stays as it is, and is then understood by nobody.
fn halves(member: &[u8]) -> (&[u8], Option<&[u8]>) {
    let Some(equals) = member.iter().position(|byte| *byte == b'=') else { return (member, None) };
    let (name, value) = member.split_at(equals);
    let value = value.get(1..).unwrap_or_default();
    let bare = value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
    (name.trim_ascii_end(), Some(bare.unwrap_or(value)))
}
