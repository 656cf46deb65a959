//! Who asked, told to the origin: `Via` (RFC 9110, 7.6.3), `Forwarded` (RFC 7239) and the older
//! `X-Forwarded-*` and `X-Real-IP`. What a client says about itself counts only if it is one of the
//! trusted networks; from anyone else it is replaced, whether or not we send such fields ourselves.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::net::IpAddr;

use http::header::{FORWARDED, HOST, HeaderMap, HeaderName, HeaderValue, VIA};
use http::{Uri, Version};
use ipnet::IpNet;

use crate::base::{fields, names};

/// Which fields are sent; a field that is not is still taken from those who may not send it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// `X-Forwarded-For`, `-Proto`, `-Host` and `X-Real-IP`.
    pub x_forwarded: bool,
    /// `Forwarded`.
    pub forwarded: bool,
}

impl Default for Sent {
    fn default() -> Self {
        Self { x_forwarded: true, forwarded: true }
    }
}

/// The hop that a request has just made.
#[derive(Clone, Copy, Debug)]
pub struct Hop<'a> {
    /// The address at the other end of the connection.
    pub client: IpAddr,
    /// The scheme it used.
    pub scheme: &'a str,
    /// The host it asked for; see [`asked_host`].
    pub host: Option<&'a HeaderValue>,
}

/// The host a request asks for: that of an absolute target, else the Host field (RFC 9112, 3.2.2).
pub fn asked_host(target: &Uri, request: &HeaderMap) -> Option<HeaderValue> {
    match target.authority() {
        Some(authority) => HeaderValue::from_str(authority.as_str()).ok(),
        None => request.get(HOST).cloned(),
    }
}

/// Whether what this address says about others counts.
pub fn is_trusted(client: IpAddr, trusted: &[IpNet]) -> bool {
    let client = client.to_canonical();
    trusted.iter().any(|net| net.contains(&client))
}

/// Adds this hop to what a trusted peer said of the hops before it, or puts it in the place of what
/// anyone else said.
pub fn record(request: &mut HeaderMap, hop: &Hop<'_>, trusted: &[IpNet], sent: Sent) {
    if !is_trusted(hop.client, trusted) {
        for name in [
            names::X_FORWARDED_FOR,
            names::X_FORWARDED_PROTO,
            names::X_FORWARDED_HOST,
            names::X_REAL_IP,
            FORWARDED,
        ] {
            request.remove(name);
        }
    }
    let client = hop.client.to_canonical();
    if sent.x_forwarded {
        join(request, names::X_FORWARDED_FOR, &client.to_string());
        // These describe the first hop: a trusted peer that was nearer to it knows better.
        keep_or_set(request, names::X_REAL_IP, HeaderValue::from_str(&client.to_string()).ok());
        keep_or_set(request, names::X_FORWARDED_PROTO, HeaderValue::from_str(hop.scheme).ok());
        keep_or_set(request, names::X_FORWARDED_HOST, hop.host.cloned());
    }
    if sent.forwarded {
        join(request, FORWARDED, &element(client, hop));
    }
}

/// Adds us to `Via`, in a request or an answer; `version` is that of the message received.
pub fn add_via(message: &mut HeaderMap, version: Version) {
    let number = match version {
        Version::HTTP_09 => "0.9",
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2.0",
        Version::HTTP_3 => "3.0",
        _ => "1.1",
    };
    join(message, VIA, &format!("{number} {}", names::SELF));
}

/// How many times a message has been here, by `Via`.
pub fn times_here(message: &HeaderMap) -> usize {
    let is_us = |member: &&[u8]| {
        let mut words = member.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let by = words.nth(1);
        by.is_some_and(|by| by.eq_ignore_ascii_case(names::SELF.as_bytes()))
    };
    fields::members(message, &VIA).filter(is_us).count()
}

/// One element of `Forwarded` (RFC 7239, 4 and 6).
fn element(client: IpAddr, hop: &Hop<'_>) -> String {
    let mut element = match client {
        IpAddr::V4(v4) => format!("for={v4}"),
        IpAddr::V6(v6) => format!("for=\"[{v6}]\""),
    };
    let host = hop.host.and_then(|host| host.to_str().ok());
    if let Some(host) = host.filter(|host| !host.contains(['"', '\\'])) {
        // Writing into a String cannot fail.
        write!(element, ";host=\"{host}\"").unwrap_or_default();
    }
    write!(element, ";proto={}", hop.scheme).unwrap_or_default();
    element
}

/// Adds a member at the end, in one line: many readers of these fields look at one line only.
fn join(message: &mut HeaderMap, name: HeaderName, member: &str) {
    let mut all = fields::combined(message, &name).map(Cow::into_owned).unwrap_or_default();
    if !all.is_empty() {
        all.extend_from_slice(b", ");
    }
    all.extend_from_slice(member.as_bytes());
    if let Ok(all) = HeaderValue::from_bytes(&all) {
        message.insert(name, all);
    }
}

fn keep_or_set(message: &mut HeaderMap, name: HeaderName, value: Option<HeaderValue>) {
    if let Some(value) = value {
        message.entry(name).or_insert(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(before: &[(&'static str, &str)], client: &str, trusted: &[&str], sent: Sent) -> String {
        let mut request = HeaderMap::new();
        for (name, value) in before {
            request.append(*name, HeaderValue::from_str(value).unwrap());
        }
        let nets: Vec<IpNet> = trusted.iter().map(|net| net.parse().unwrap()).collect();
        let host = HeaderValue::from_static("shop.example:8080");
        let hop = Hop { client: client.parse().unwrap(), scheme: "http", host: Some(&host) };
        record(&mut request, &hop, &nets, sent);
        let mut lines: Vec<_> =
            request.iter().map(|(n, v)| format!("{n}: {}", v.to_str().unwrap())).collect();
        lines.sort();
        lines.join("\n")
    }

    const LIES: [(&str, &str); 6] = [
        ("x-forwarded-for", "1.1.1.1"),
        ("x-forwarded-for", "2.2.2.2"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "front.example"),
        ("x-real-ip", "1.1.1.1"),
        ("forwarded", "for=1.1.1.1"),
    ];

    #[test]
    fn what_a_stranger_says_is_replaced() {
        let expected = "forwarded: for=9.9.9.9;host=\"shop.example:8080\";proto=http\n\
                        x-forwarded-for: 9.9.9.9\n\
                        x-forwarded-host: shop.example:8080\n\
                        x-forwarded-proto: http\n\
                        x-real-ip: 9.9.9.9";
        assert_eq!(told(&LIES, "9.9.9.9", &[], Sent::default()), expected);
        assert_eq!(told(&LIES, "9.9.9.9", &["10.0.0.0/8"], Sent::default()), expected);
        assert_eq!(told(&[], "9.9.9.9", &[], Sent::default()), expected);
    }

    #[test]
    fn what_a_trusted_peer_says_is_continued() {
        let expected = "forwarded: for=1.1.1.1, \
                        for=10.0.0.7;host=\"shop.example:8080\";proto=http\n\
                        x-forwarded-for: 1.1.1.1, 2.2.2.2, 10.0.0.7\n\
                        x-forwarded-host: front.example\n\
                        x-forwarded-proto: https\n\
                        x-real-ip: 1.1.1.1";
        assert_eq!(told(&LIES, "10.0.0.7", &["10.0.0.0/8"], Sent::default()), expected);
        assert_eq!(told(&LIES, "::ffff:10.0.0.7", &["10.0.0.0/8"], Sent::default()), expected);
    }

    #[test]
    fn fields_that_are_not_sent_are_still_taken_from_strangers() {
        let none = Sent { x_forwarded: false, forwarded: false };
        assert_eq!(told(&LIES, "9.9.9.9", &[], none), "");
        let only_new = Sent { x_forwarded: false, forwarded: true };
        let expected = "forwarded: for=\"[2001:db8::1]\";host=\"shop.example:8080\";proto=http";
        assert_eq!(told(&LIES, "2001:db8::1", &[], only_new), expected);
    }

    #[test]
    fn via_grows_and_tells_of_loops() {
        let mut message = HeaderMap::new();
        assert_eq!(times_here(&message), 0);
        message.append(VIA, HeaderValue::from_static("1.0 fred, HTTP/1.1 cistern-2 (x)"));
        assert_eq!(times_here(&message), 0);
        add_via(&mut message, Version::HTTP_11);
        add_via(&mut message, Version::HTTP_10);
        assert_eq!(message[VIA], "1.0 fred, HTTP/1.1 cistern-2 (x), 1.1 cistern, 1.0 cistern");
        assert_eq!(times_here(&message), 2);
        message.append(VIA, HeaderValue::from_static("HTTP/1.1  CISTERN"));
        assert_eq!(times_here(&message), 3);
    }

    #[test]
    fn an_absolute_target_names_the_host() {
        let mut request = HeaderMap::new();
        request.insert(HOST, HeaderValue::from_static("a.example"));
        let host = |target: &str| asked_host(&target.parse().unwrap(), &request).unwrap();
        assert_eq!(host("/x"), "a.example");
        assert_eq!(host("http://b.example:81/x"), "b.example:81");
    }
}
