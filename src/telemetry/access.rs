//! The access log: one JSON object a line per request, with what the cache did and why. Query
//! strings are left out, and values of parameters that usually hold secrets are struck out of keys.

use std::io::Write;
use std::net::IpAddr;

use crate::base::clock::Timestamp;
use crate::base::fields::is_secret_parameter;
use crate::base::plain::is_plain;
use crate::telemetry::digits::{decimal, hex, last_digits, signed};
use crate::telemetry::time::write_rfc3339;

/// What one request came to.
#[derive(Clone, Copy, Debug)]
pub struct Access<'a> {
    /// When it began.
    pub at: Timestamp,
    /// A number that no other request of this process has.
    pub id: u64,
    /// The client's address.
    pub client: IpAddr,
    /// The version of HTTP that the client speaks.
    pub http: &'static str,
    /// The method.
    pub method: &'a str,
    /// The authority the client asked for.
    pub host: &'a str,
    /// The path, without query.
    pub path: &'a str,
    /// The status it got.
    pub status: u16,
    /// Body bytes sent.
    pub bytes: u64,
    /// Microseconds from head to end.
    pub micros: u64,
    /// `hit`, `stale`, `revalidated`, `coalesced`, `miss`, `bypass`, `error`.
    pub cache: &'static str,
    /// `l1`, if a level answered.
    pub level: Option<&'static str>,
    /// The rule, if one matched.
    pub rule: Option<&'a str>,
    /// The type, if the rule has one.
    pub kind: Option<&'a str>,
    /// The tenant, if it is one's.
    pub tenant: Option<&'a str>,
    /// The key, if there is one.
    pub key: Option<&'a str>,
    /// Age in seconds of what was served.
    pub age: Option<u64>,
    /// Freshness left in seconds; negative when stale.
    pub ttl: Option<i64>,
    /// Microseconds until the origin's head, if it was asked.
    pub origin_micros: Option<u64>,
    /// The reason code, if something was not served or not stored.
    pub reason: Option<&'a str>,
    /// Whether the answer reached its end.
    pub complete: bool,
}

impl Access<'_> {
    /// Appends the line.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.reserve(LINE_BYTES_USUAL);
        out.extend_from_slice(b"{\"ts\":\"");
        write_rfc3339(self.at, out);
        out.extend_from_slice(b"\",\"id\":\"");
        hex(self.id, out);
        out.extend_from_slice(b"\",\"client\":\"");
        address(out, self.client);
        out.extend_from_slice(b"\",\"http\":\"");
        out.extend_from_slice(self.http.as_bytes());
        out.extend_from_slice(b"\",\"method\":\"");
        escape(self.method, out);
        out.extend_from_slice(b"\",\"host\":\"");
        escape(self.host, out);
        out.extend_from_slice(b"\",\"path\":\"");
        escape(self.path, out);
        out.extend_from_slice(b"\",\"status\":");
        decimal(u64::from(self.status), out);
        out.extend_from_slice(b",\"bytes\":");
        decimal(self.bytes, out);
        out.extend_from_slice(b",\"ms\":");
        millis(self.micros, out);
        out.extend_from_slice(b",\"cache\":\"");
        out.extend_from_slice(self.cache.as_bytes());
        out.extend_from_slice(b"\",\"level\":");
        text(out, self.level);
        out.extend_from_slice(b",\"rule\":");
        text(out, self.rule);
        out.extend_from_slice(b",\"type\":");
        text(out, self.kind);
        out.extend_from_slice(b",\"tenant\":");
        text(out, self.tenant);
        out.extend_from_slice(b",\"key\":");
        text(out, self.key.map(redacted).as_deref());
        out.extend_from_slice(b",\"age\":");
        number(out, self.age, decimal);
        out.extend_from_slice(b",\"ttl\":");
        number(out, self.ttl, signed);
        out.extend_from_slice(b",\"origin_ms\":");
        number(out, self.origin_micros, millis);
        out.extend_from_slice(b",\"reason\":");
        text(out, self.reason);
        if !self.complete {
            out.extend_from_slice(b",\"complete\":false");
        }
        out.push(b'}');
    }
}

/// Most lines are shorter: one growth of the buffer at most.
const LINE_BYTES_USUAL: usize = 512;

/// Microseconds as milliseconds with two digits after the point, without a float.
fn millis(micros: u64, out: &mut Vec<u8>) {
    decimal(micros / 1_000, out);
    out.push(b'.');
    last_digits::<2>(micros / 10, out);
}

fn address(out: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(address) => {
            for (place, octet) in address.octets().into_iter().enumerate() {
                if place > 0 {
                    out.push(b'.');
                }
                decimal(u64::from(octet), out);
            }
        }
        IpAddr::V6(address) => put(out, format_args!("{address}")),
    }
}

fn put(out: &mut Vec<u8>, what: std::fmt::Arguments<'_>) {
    // Writing to a Vec cannot fail.
    drop(out.write_fmt(what));
}

fn number<N>(out: &mut Vec<u8>, value: Option<N>, write: impl FnOnce(N, &mut Vec<u8>)) {
    match value {
        Some(value) => write(value, out),
        None => out.extend_from_slice(b"null"),
    }
}

fn text(out: &mut Vec<u8>, value: Option<&str>) {
    let Some(value) = value else { return out.extend_from_slice(b"null") };
    out.push(b'"');
    escape(value, out);
    out.push(b'"');
}

fn escape(value: &str, out: &mut Vec<u8>) {
    if is_plain(value.as_bytes()) {
        out.extend_from_slice(value.as_bytes());
        return;
    }
    for byte in value.bytes() {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            0..0x20 => put(out, format_args!("\\u{byte:04x}")),
            _ => out.push(byte),
        }
    }
}

/// A text fit for logs: in each of its words that is a target, values of secret-looking parameters
/// are struck out.
pub fn redacted(text: &str) -> std::borrow::Cow<'_, str> {
    if memchr::memchr(b'?', text.as_bytes()).is_none() || !text.contains(' ') {
        return redacted_word(text);
    }
    let words: Vec<_> = text.split(' ').map(redacted_word).collect();
    words.join(" ").into()
}

fn redacted_word(key: &str) -> std::borrow::Cow<'_, str> {
    let Some(at) = memchr::memchr(b'?', key.as_bytes()) else { return key.into() };
    let (before, query) = (key.get(..at).unwrap_or(key), key.get(at + 1..).unwrap_or_default());
    let secret = |pair: &str| is_secret_parameter(pair.split('=').next().unwrap_or_default());
    if !query.split('&').any(secret) {
        return key.into();
    }
    let struck: Vec<String> = query
        .split('&')
        .map(|pair| match pair.split_once('=') {
            Some((name, _)) if secret(pair) => format!("{name}=***"),
            _ => pair.to_owned(),
        })
        .collect();
    format!("{before}?{}", struck.join("&")).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Access<'static> {
        Access {
            at: Timestamp::from_millis(1_767_607_200_123),
            id: 255,
            client: std::net::IpAddr::from([10, 0, 0, 9]),
            http: "1.1",
            method: "GET",
            host: "api",
            path: "/api/v1/stats/user/2",
            status: 200,
            bytes: 812,
            micros: 412,
            cache: "hit",
            level: Some("l1"),
            rule: Some("user-stats"),
            kind: Some("stats"),
            tenant: Some("acme"),
            key: Some("gad:stats:user:2:days:30"),
            age: Some(16),
            ttl: Some(284),
            origin_micros: None,
            reason: None,
            complete: true,
        }
    }

    #[test]
    fn a_line_is_one_json_object() {
        let mut out = Vec::new();
        let mut access = sample();
        access.path = "/a\"\\\n\u{e9}";
        access.write(&mut out);
        assert!(!out.contains(&b'\n'));
        let seen: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(seen["client"], "10.0.0.9");
        assert_eq!(seen["path"], access.path);
        assert_eq!(seen["ms"], 0.41);
        assert_eq!(seen["ts"], "2026-01-05T10:00:00.123Z");
        assert_eq!(seen["origin_ms"], serde_json::Value::Null);
        assert_eq!(seen["level"], "l1");
    }

    #[test]
    fn secrets_do_not_reach_the_log() {
        assert_eq!(redacted("http://h/a?q=1&Token=abc&x"), "http://h/a?q=1&Token=***&x");
        assert_eq!(redacted("/a?X-Amz-Signature=abc&jwt=e"), "/a?X-Amz-Signature=***&jwt=***");
        assert_eq!(redacted("http://h/a?tokens=abc"), "http://h/a?tokens=abc");
        assert_eq!(redacted("gad:stats:user:2"), "gad:stats:user:2");
    }
}
