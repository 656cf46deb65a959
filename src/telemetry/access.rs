//! The access log: one JSON object a line per request, with what the cache did and why. Query
//! strings are left out, and values of parameters that usually hold secrets are struck out of keys.

use std::io::Write;
use std::net::IpAddr;

use crate::base::clock::Timestamp;
use crate::telemetry::digits::{decimal, last_digits, signed};
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
        out.extend_from_slice(b"{\"ts\":\"");
        write_rfc3339(self.at, out);
        put(out, format_args!("\",\"id\":\"{:x}\"", self.id));
        address(out, "client", self.client);
        text(out, "method", Some(self.method));
        text(out, "host", Some(self.host));
        text(out, "path", Some(self.path));
        number(out, "status", Some(u64::from(self.status)));
        number(out, "bytes", Some(self.bytes));
        millis(out, "ms", Some(self.micros));
        text(out, "cache", Some(self.cache));
        text(out, "level", self.level);
        text(out, "rule", self.rule);
        text(out, "type", self.kind);
        out.extend_from_slice(b",\"tenant\":null");
        match self.key {
            Some(key) => text(out, "key", Some(&redacted(key))),
            None => text(out, "key", None),
        }
        number(out, "age", self.age);
        member(out, "ttl");
        match self.ttl {
            Some(ttl) => signed(ttl, out),
            None => out.extend_from_slice(b"null"),
        }
        millis(out, "origin_ms", self.origin_micros);
        text(out, "reason", self.reason);
        if !self.complete {
            out.extend_from_slice(b",\"complete\":false");
        }
        out.push(b'}');
    }
}

/// Microseconds as milliseconds with two digits after the point, without a float.
fn millis(out: &mut Vec<u8>, name: &str, micros: Option<u64>) {
    number(out, name, micros.map(|micros| micros / 1_000));
    if let Some(micros) = micros {
        out.push(b'.');
        last_digits::<2>(micros / 10, out);
    }
}

fn address(out: &mut Vec<u8>, name: &str, address: IpAddr) {
    member(out, name);
    out.push(b'"');
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
    out.push(b'"');
}

fn put(out: &mut Vec<u8>, what: std::fmt::Arguments<'_>) {
    // Writing to a Vec cannot fail.
    drop(out.write_fmt(what));
}

fn number(out: &mut Vec<u8>, name: &str, value: Option<u64>) {
    member(out, name);
    match value {
        Some(value) => decimal(value, out),
        None => out.extend_from_slice(b"null"),
    }
}

// A line has a dozen members: what is text already is copied, not formatted.
fn member(out: &mut Vec<u8>, name: &str) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

fn text(out: &mut Vec<u8>, name: &str, value: Option<&str>) {
    let Some(value) = value else { return number(out, name, None) };
    member(out, name);
    out.push(b'"');
    escape(value, out);
    out.push(b'"');
}

fn escape(value: &str, out: &mut Vec<u8>) {
    let plain = |b: u8| b >= 0x20 && b != b'"' && b != b'\\';
    if value.bytes().all(plain) {
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

/// Parameters whose values are usually secrets.
const SECRET_PARAMETERS: [&str; 14] = [
    "token",
    "access_token",
    "id_token",
    "refresh_token",
    "api_key",
    "apikey",
    "key",
    "password",
    "passwd",
    "secret",
    "client_secret",
    "signature",
    "sig",
    "code",
];

/// A key fit for logs: in one that is a target, values of secret-looking parameters are struck out.
pub fn redacted(key: &str) -> std::borrow::Cow<'_, str> {
    let Some((before, query)) = key.split_once('?') else { return key.into() };
    let secret = |pair: &str| {
        let name = pair.split('=').next().unwrap_or_default();
        SECRET_PARAMETERS.iter().any(|secret| secret.eq_ignore_ascii_case(name))
    };
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
        assert_eq!(redacted("http://h/a?tokens=abc"), "http://h/a?tokens=abc");
        assert_eq!(redacted("gad:stats:user:2"), "gad:stats:user:2");
    }
}
