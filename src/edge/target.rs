//! Request lines and hosts (RFC 9112, 3): pure checks of one line or one value. They are stricter
//! than the parsers behind them in everything that two parsers could read differently.

use std::net::Ipv6Addr;

use super::bytes_allowed::{HOST, PATH, QUERY, TOKEN, all_in};
use super::refusal::Refusal;
use crate::base::limits;

/// What of a request line matters for framing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RequestLine {
    /// HTTP/1.0 rather than 1.1.
    pub(super) http10: bool,
    /// The method is CONNECT.
    pub(super) connect: bool,
}

/// Whether bytes that begin a message can begin a method.
pub(super) fn first_byte(line: &[u8]) -> Result<(), Refusal> {
    match line {
        [] | [b'\r'] | [b'\r', b'\n', ..] => Ok(()),
        [b'\r', ..] => Err(Refusal::Control),
        [b'\n', ..] => Err(Refusal::BareLf),
        [byte, ..] if TOKEN[usize::from(*byte)] => Ok(()),
        _ => Err(Refusal::Method),
    }
}

/// Checks a request line without its CRLF.
pub(super) fn request_line(line: &[u8]) -> Result<RequestLine, Refusal> {
    let (method, rest) = at_space(line).ok_or(Refusal::RequestLine)?;
    if method.is_empty() || !all_in(method, &TOKEN) {
        return Err(Refusal::Method);
    }
    let (target, version) = at_space(rest).ok_or(Refusal::RequestLine)?;
    let http10 = match version {
        b"HTTP/1.1" => false,
        b"HTTP/1.0" => true,
        _ if version.contains(&b' ') => return Err(Refusal::RequestLine),
        _ => return Err(Refusal::Version),
    };
    if target.len() > limits::TARGET_BYTES_MAX {
        return Err(Refusal::TargetTooLong);
    }
    let connect = method == b"CONNECT";
    check_target(method, target)?;
    Ok(RequestLine { http10, connect })
}

fn at_space(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(b' ', line)?;
    Some((line.get(..at)?, line.get(at + 1..)?))
}

fn check_target(method: &[u8], target: &[u8]) -> Result<(), Refusal> {
    if method == b"CONNECT" {
        let port = memchr::memrchr(b':', target).ok_or(Refusal::TargetForm)?;
        if target.len() == port + 1 {
            return Err(Refusal::TargetForm);
        }
        return host(target);
    }
    match target {
        [] => Err(Refusal::RequestLine),
        [b'/', ..] => path_and_query(target),
        b"*" if method == b"OPTIONS" => Ok(()),
        _ => absolute(target),
    }
}

fn absolute(target: &[u8]) -> Result<(), Refusal> {
    let after = |scheme: &[u8]| {
        let (start, rest) = target.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    };
    let rest = after(b"http://").or_else(|| after(b"https://")).ok_or_else(|| {
        if target.contains(&b'#') { Refusal::Fragment } else { Refusal::TargetForm }
    })?;
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?' | b'#'));
    let (authority, path) = rest.split_at_checked(end.unwrap_or(rest.len())).unwrap_or_default();
    host(authority)?;
    path_and_query(path)
}

/// Checks path and query of a target.
pub(super) fn path_and_query(target: &[u8]) -> Result<(), Refusal> {
    let query_at = memchr::memchr(b'?', target).unwrap_or(target.len());
    let (path, query) = target.split_at_checked(query_at).unwrap_or_default();
    // Letters beyond ASCII are no part of the grammar, but clients send them and origins take them:
    // as text that every side reads alike they pass as they are.
    let plain = all_in(path, &PATH) && all_in(query, &QUERY);
    if plain && (target.is_ascii() || std::str::from_utf8(target).is_ok()) {
        return Ok(());
    }
    let fragment = memchr::memchr(b'#', target).is_some();
    Err(if fragment { Refusal::Fragment } else { Refusal::TargetByte })
}

/// Checks a host with an optional port: a Host value, or the authority of a target.
pub(super) fn host(value: &[u8]) -> Result<(), Refusal> {
    if memchr::memchr(b'@', value).is_some() {
        return Err(Refusal::Userinfo);
    }
    let (name_fits, port) = if let [b'[', literal @ ..] = value {
        let end = memchr::memchr(b']', literal).ok_or(Refusal::HostInvalid)?;
        let (address, rest) = literal.split_at_checked(end).unwrap_or_default();
        let text = std::str::from_utf8(address).unwrap_or_default();
        (text.parse::<Ipv6Addr>().is_ok(), rest.get(1..).unwrap_or_default())
    } else {
        let end = memchr::memchr(b':', value).unwrap_or(value.len());
        let (name, port) = value.split_at_checked(end).unwrap_or_default();
        (!name.is_empty() && all_in(name, &HOST), port)
    };
    let port_fits = match port {
        [] | [b':'] => true,
        [b':', digits @ ..] => {
            digits.len() <= 5
                && digits.iter().all(u8::is_ascii_digit)
                && digits.iter().fold(0_u32, |n, d| n * 10 + u32::from(d - b'0')) <= 65_535
        }
        _ => false,
    };
    if name_fits && port_fits { Ok(()) } else { Err(Refusal::HostInvalid) }
}
