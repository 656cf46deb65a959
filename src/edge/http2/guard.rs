//! Request heads of HTTP/2, held to what those of HTTP/1.1 are held to, and brought into their
//! shape: one host, a target in origin form, one line of cookies (RFC 9113, 8.2 and 8.3). What the
//! library refuses before (pseudo-fields out of place, names in upper case, control characters,
//! fields of a connection) never comes here; what could be read in two ways does not go on.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, Uri};

use crate::base::limits;
use crate::edge::head_scan::decimal;
use crate::edge::refusal::Refusal;
use crate::edge::target;

/// Fields that speak of a connection, which HTTP/2 has no use for (RFC 9113, 8.2.2).
const OF_CONNECTION: [HeaderName; 5] = [
    header::CONNECTION,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// Judges a head and settles what of it HTTP/1.1 says in another way.
pub(super) fn settle(head: &mut Parts) -> Result<(), Refusal> {
    check_fields(&head.headers)?;
    check_target(head)?;
    let host = one_host(head)?;
    head.headers.insert(header::HOST, host);
    join_cookies(&mut head.headers);
    if head.headers.len() > limits::HEAD_LINES_MAX {
        return Err(Refusal::TooManyLines);
    }
    if head.method != Method::CONNECT
        && let Some(target) = head.uri.path_and_query()
    {
        head.uri = Uri::from(target.clone());
    }
    Ok(())
}

fn check_fields(fields: &HeaderMap) -> Result<(), Refusal> {
    if OF_CONNECTION.iter().any(|name| fields.contains_key(name)) {
        return Err(Refusal::OfConnection);
    }
    let is_space = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    for value in fields.values() {
        // RFC 9113, 8.2.1: what HTTP/1.1 trims would be two values to two readers.
        if is_space(value.as_bytes().first()) || is_space(value.as_bytes().last()) {
            return Err(Refusal::Padded);
        }
    }
    let mut lengths = fields.get_all(header::CONTENT_LENGTH).into_iter();
    match (lengths.next(), lengths.next()) {
        (_, Some(_)) => Err(Refusal::LengthRepeated),
        (Some(length), None) if decimal(length.as_bytes()).is_none() => Err(Refusal::LengthInvalid),
        _ => Ok(()),
    }
}

/// The scheme is looked at and not believed: what is true of it, the connection tells.
fn check_target(head: &Parts) -> Result<(), Refusal> {
    if !matches!(head.uri.scheme_str(), None | Some("http" | "https")) {
        return Err(Refusal::TargetForm);
    }
    let Some(target) = head.uri.path_and_query() else {
        return if head.method == Method::CONNECT { Ok(()) } else { Err(Refusal::TargetForm) };
    };
    let target = target.as_str().as_bytes();
    if target.len() > limits::TARGET_BYTES_MAX {
        return Err(Refusal::TargetTooLong);
    }
    match target {
        [b'/', ..] => target::path_and_query(target),
        b"*" if head.method == Method::OPTIONS => Ok(()),
        _ => Err(Refusal::TargetForm),
    }
}

/// The host that both `:authority` and Host name, where both are there (RFC 9113, 8.3.1).
fn one_host(head: &Parts) -> Result<HeaderValue, Refusal> {
    let mut lines = head.headers.get_all(header::HOST).into_iter();
    let line = lines.next();
    if lines.next().is_some() {
        return Err(Refusal::HostRepeated);
    }
    if let Some(line) = line {
        target::host(line.as_bytes())?;
    }
    let Some(authority) = head.uri.authority().map(http::uri::Authority::as_str) else {
        return line.cloned().ok_or(Refusal::HostMissing);
    };
    target::host(authority.as_bytes())?;
    match line {
        Some(line) if !line.as_bytes().eq_ignore_ascii_case(authority.as_bytes()) => {
            Err(Refusal::HostDiffers)
        }
        _ => HeaderValue::from_str(authority).map_err(|_| Refusal::HostInvalid),
    }
}

/// RFC 9113, 8.2.3: a client may send its cookies in several lines, for the sake of compression.
fn join_cookies(fields: &mut HeaderMap) {
    let crumbs: Vec<&[u8]> =
        fields.get_all(header::COOKIE).into_iter().map(HeaderValue::as_bytes).collect();
    if crumbs.len() < 2 {
        return;
    }
    // Parts that are values make one that is.
    if let Ok(whole) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..])) {
        fields.insert(header::COOKIE, whole);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn head(method: &str, uri: &str, fields: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in fields {
            request = request.header(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        request.body(()).unwrap().into_parts().0
    }

    fn settled(uri: &str, fields: &[(&str, &str)]) -> Result<Parts, Refusal> {
        let mut head = head("GET", uri, fields);
        settle(&mut head).map(|()| head)
    }

    #[test]
    fn it_takes_the_shape_of_http_1() {
        let crumbs = [("cookie", "a=1"), ("x", "y"), ("cookie", "b=2")];
        let head = settled("https://Shop.example:8443/a?b=1", &crumbs).unwrap();
        assert_eq!(head.uri, "/a?b=1");
        assert_eq!(head.headers[header::HOST], "Shop.example:8443");
        assert_eq!(head.headers.get_all(header::COOKIE).iter().collect::<Vec<_>>(), ["a=1; b=2"]);
        let head = settled("/a", &[("host", "shop.example")]).unwrap();
        assert_eq!(head.headers[header::HOST], "shop.example");
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        let wrong = |uri: &str, fields: &[(&str, &str)]| settled(uri, fields).unwrap_err();
        let at = "https://shop.example/a";
        assert_eq!(wrong("/a", &[]), Refusal::HostMissing);
        assert_eq!(wrong(at, &[("host", "other.example")]), Refusal::HostDiffers);
        assert!(settled(at, &[("host", "SHOP.example")]).is_ok());
        let twice = [("host", "shop.example"), ("host", "shop.example")];
        assert_eq!(wrong(at, &twice), Refusal::HostRepeated);
        assert_eq!(wrong("https://me@shop.example/a", &[]), Refusal::Userinfo);
        assert_eq!(wrong("ftp://shop.example/a", &[]), Refusal::TargetForm);
        let lengths = [("content-length", "1"), ("content-length", "1")];
        assert_eq!(wrong(at, &lengths), Refusal::LengthRepeated);
        assert_eq!(wrong(at, &[("content-length", "+1")]), Refusal::LengthInvalid);
        for value in [" a", "a ", "\ta", " "] {
            assert_eq!(wrong(at, &[("x", value)]), Refusal::Padded, "{value:?}");
        }
        for name in ["connection", "transfer-encoding", "upgrade", "keep-alive", "proxy-connection"]
        {
            assert_eq!(wrong(at, &[(name, "x")]), Refusal::OfConnection, "{name}");
        }
        let many = vec![("x", "y"); limits::HEAD_LINES_MAX];
        assert_eq!(wrong(at, &many), Refusal::TooManyLines);
        let long = format!("{at}{}", "a".repeat(limits::TARGET_BYTES_MAX));
        assert_eq!(wrong(&long, &[]), Refusal::TargetTooLong);
    }

    #[test]
    fn each_method_has_its_form() {
        let mut connect = head("CONNECT", "shop.example:443", &[]);
        assert_eq!(settle(&mut connect), Ok(()));
        assert_eq!(connect.headers[header::HOST], "shop.example:443");
        assert_eq!(settle(&mut head("OPTIONS", "*", &[("host", "a")])), Ok(()));
        assert_eq!(settle(&mut head("GET", "*", &[("host", "a")])), Err(Refusal::TargetForm));
        assert_eq!(settle(&mut head("GET", "shop:1", &[])), Err(Refusal::TargetForm));
    }
}
