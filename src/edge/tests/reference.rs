//! A second reading of HTTP/1, written for clarity alone and sharing nothing with the first: what
//! reaches the service must be exactly what it finds in the same bytes.

use http::Uri;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::service::{Notes, Seen};
use super::slowness::connected;

/// A request, and its body unless that is broken or not whole.
type Message = (String, Option<Vec<u8>>);

/// Every request up to the first that is unsound, or after which the connection closes.
fn messages(mut input: &[u8]) -> Vec<Message> {
    let mut all = Vec::new();
    while let Some((head, rest)) = split_head(input) {
        let Some(head) = Head::read(head) else { break };
        let body = if head.chunked {
            chunked(rest)
        } else {
            rest.split_at_checked(head.length).map(|(body, rest)| (body.to_vec(), rest))
        };
        let whole = body.is_some();
        let (body, rest) = body.map_or((None, rest), |(body, rest)| (Some(body), rest));
        all.push((head.line, body));
        if !whole || head.last {
            break;
        }
        input = rest;
    }
    all
}

fn cut<'a>(bytes: &'a [u8], mark: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = bytes.windows(mark.len()).position(|part| part == mark)?;
    Some((&bytes[..at], &bytes[at + mark.len()..]))
}

fn split_head(mut input: &[u8]) -> Option<(&[u8], &[u8])> {
    for _ in 0..2 {
        input = input.strip_prefix(b"\r\n").unwrap_or(input);
    }
    cut(input, b"\r\n\r\n")
}

#[derive(Default)]
struct Head {
    line: String,
    length: usize,
    chunked: bool,
    last: bool,
}

fn is_token(text: &str) -> bool {
    let mark = |c| "!#$%&'*+-.^_`|~".contains(c);
    !text.is_empty() && text.chars().all(|c: char| c.is_ascii_alphanumeric() || mark(c))
}

/// A host with an optional port, by the URI library and what it is known to let through.
fn is_host(host: &str) -> bool {
    let Ok(uri) = format!("http://{host}/").parse::<Uri>() else { return false };
    let (Some(authority), "/", None) = (uri.authority(), uri.path(), uri.query()) else {
        return false;
    };
    let name = authority.host();
    let port = host.strip_prefix(name).unwrap_or("?");
    let port = port.strip_prefix(':').unwrap_or(port);
    let address = name.trim_start_matches('[').trim_end_matches(']');
    let literal = name.contains(['[', ']', ':']);
    authority.as_str() == host
        && !name.is_empty()
        && !host.contains(['@', ',', '%'])
        && (port.is_empty()
            || (port.len() < 6 && !port.starts_with('+') && port.parse::<u16>().is_ok()))
        && (!literal || address.parse::<std::net::Ipv6Addr>().is_ok())
}

fn target(method: &str, target: &str) -> Option<Uri> {
    // The head was read byte by byte; beyond ASCII only text may stand here.
    let bytes: Vec<u8> = target.chars().map(|c| u8::try_from(c).unwrap_or_default()).collect();
    let target = std::str::from_utf8(&bytes).ok()?;
    let fits = |byte: u8| byte.is_ascii_graphic() || !byte.is_ascii();
    if !target.bytes().all(fits) || target.contains('#') {
        return None;
    }
    let uri: Uri = target.parse().ok()?;
    let authority = uri.authority().map(|authority| authority.as_str().to_owned());
    let fits = match (method, &authority, uri.scheme_str()) {
        ("CONNECT", Some(host), None) => {
            is_host(host) && host.rsplit_once(':').is_some_and(|(_, port)| !port.is_empty())
        }
        ("CONNECT", ..) => false,
        (_, Some(host), Some("http" | "https")) => is_host(host),
        (_, Some(_), _) => false,
        ("OPTIONS", None, _) => target.starts_with('/') || target == "*",
        (_, None, _) => target.starts_with('/'),
    };
    fits.then_some(uri)
}

impl Head {
    fn read(head: &[u8]) -> Option<Self> {
        // Bytes that are not UTF-8 may stand in values; there any letter will do for them.
        let text: String = head.iter().map(|&byte| char::from(byte)).collect();
        let mut lines = text.split("\r\n");
        let words: Vec<_> = lines.next()?.split(' ').collect();
        let [method, path, version] = words[..] else { return None };
        let http10 = version == "HTTP/1.0";
        if !is_token(method) || !(http10 || version == "HTTP/1.1") {
            return None;
        }
        let uri = target(method, path)?;
        let mut fields = Vec::new();
        for line in lines {
            let (name, value) = line.split_once(':')?;
            if !is_token(name) || value.chars().any(|c| c.is_ascii_control() && c != '\t') {
                return None;
            }
            fields.push((name.to_lowercase(), value.trim_matches([' ', '\t'])));
        }
        let of = |wanted: &str| -> Vec<&str> {
            fields.iter().filter(|(name, _)| name == wanted).map(|(_, value)| *value).collect()
        };
        let host_fits = match of("host")[..] {
            [host] => is_host(host),
            [] => http10,
            _ => false,
        };
        let (length, chunked) = match (&of("content-length")[..], &of("transfer-encoding")[..]) {
            ([], []) => (0, false),
            ([digits], []) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                (usize::try_from(digits.parse::<i64>().ok()?).ok()?, false)
            }
            ([], [coding]) if !http10 && coding.eq_ignore_ascii_case("chunked") => (0, true),
            _ => return None,
        };
        let connect = method == "CONNECT";
        if !host_fits || (connect && (length > 0 || chunked)) {
            return None;
        }
        let wishes = of("connection").join(",").to_lowercase();
        let wishes: Vec<_> = wishes.split(',').map(|wish| wish.trim_matches([' ', '\t'])).collect();
        let closes = wishes.contains(&"close") || (http10 && !wishes.contains(&"keep-alive"));
        Some(Self { line: format!("{method} {uri}"), length, chunked, last: closes || connect })
    }
}

fn chunked(mut input: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let is_text = |bytes: &[u8]| bytes.iter().all(|b| !b.is_ascii_control() || *b == b'\t');
    let mut body = Vec::new();
    loop {
        let (line, rest) = cut(input, b"\r\n")?;
        let (size, extension) = cut(line, b";").unwrap_or((line, b""));
        let size = if size.len() < line.len() { size.trim_ascii_end() } else { size };
        let size = std::str::from_utf8(size).ok()?;
        if !is_text(line) || !is_text(extension) || !size.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let size = usize::try_from(i64::from_str_radix(size, 16).ok()?).ok()?;
        input = rest;
        if size == 0 {
            break;
        }
        let (data, rest) = input.split_at_checked(size)?;
        body.extend_from_slice(data);
        input = rest.strip_prefix(b"\r\n")?;
    }
    loop {
        let (line, rest) = cut(input, b"\r\n")?;
        input = rest;
        if line.is_empty() {
            return Some((body, input));
        }
        let (name, value) = cut(line, b":")?;
        let name = std::str::from_utf8(name).ok()?.to_lowercase();
        let forbidden = "content-length transfer-encoding host connection authorization trailer";
        if !is_token(&name) || !is_text(value) || forbidden.split(' ').any(|f| f == name) {
            return None;
        }
    }
}

/// What reaches the service when a client sends these bytes and ends its side.
fn served(input: &[u8]) -> Vec<Message> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    let (notes, _arrivals) = Notes::new();
    runtime.unwrap().block_on(async {
        let client = connected(&notes, 65_536);
        let (mut read, mut write) = tokio::io::split(client);
        // Either may fail: the connection can close before all is sent.
        let send = async {
            drop(write.write_all(input).await);
            drop(write.shutdown().await);
        };
        let mut answers = Vec::new();
        drop(tokio::join!(read.read_to_end(&mut answers), send));
    });
    let seen = notes.seen.lock().unwrap();
    let message = |seen: &Seen| (seen.head.clone(), seen.body.clone().and_then(Result::ok));
    seen.iter().map(message).collect()
}

const PIECES: [&str; 34] = [
    "GET /a HTTP/1.1\r\nHost: h\r\n\r\n",
    "POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc",
    "POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "GET /d HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
    "PUT http://other:81/x?y HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n",
    "GET /f HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    "CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n\r\n",
    "GET ",
    "POST ",
    "OPTIONS ",
    "/",
    "*",
    "?q=[1]",
    " HTTP/1.1\r\n",
    " HTTP/1.0\r\n",
    "Host: h\r\n",
    "Host: [::1]:80\r\n",
    "Host: u@h\r\n",
    "Content-Length: 3\r\n",
    "Content-Length: 11\r\n",
    "Content-Length : 3\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: gzip, chunked\r\n",
    "Connection: close\r\n",
    "A: b\r\n",
    " folded\r\n",
    "\r\n",
    "\n",
    "\r",
    "abc",
    "3;x=y\r\nabc\r\n",
    "0\r\n",
    "0\r\n\r\n",
    "X-Sum: 1\r\n",
];

/// One change to a talk.
#[derive(Clone, Debug)]
enum Change {
    Put(prop::sample::Index, u8),
    Insert(prop::sample::Index, u8),
    Remove(prop::sample::Index),
}

fn changed(mut bytes: Vec<u8>, changes: Vec<Change>) -> Vec<u8> {
    for change in changes {
        if bytes.is_empty() {
            break;
        }
        match change {
            Change::Put(at, byte) => *at.get_mut(&mut bytes) = byte,
            Change::Insert(at, byte) => bytes.insert(at.index(bytes.len()), byte),
            Change::Remove(at) => drop(bytes.remove(at.index(bytes.len()))),
        }
    }
    bytes
}

fn byte() -> impl Strategy<Value = u8> {
    let telling = prop::sample::select(b"\r\n\t \0:;,@#?/[]%\"<{\x7f\xe9\x0b09afAF-+*.".to_vec());
    prop_oneof![3 => telling, 1 => any::<u8>()]
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (any::<prop::sample::Index>(), byte()).prop_map(|(at, byte)| Change::Put(at, byte)),
        (any::<prop::sample::Index>(), byte()).prop_map(|(at, byte)| Change::Insert(at, byte)),
        any::<prop::sample::Index>().prop_map(Change::Remove),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn what_reaches_the_service_is_what_the_reference_reads(
        pieces in prop::collection::vec(prop::sample::select(PIECES.to_vec()), 1..8),
        changes in prop::collection::vec(change(), 0..3),
    ) {
        let bytes = changed(pieces.concat().into_bytes(), changes);
        prop_assert_eq!(served(&bytes), messages(&bytes), "{}", bytes.escape_ascii());
    }

    #[test]
    fn one_sound_request_changed_somewhere_is_read_alike(
        which in 0_usize..7,
        changes in prop::collection::vec(change(), 1..3),
    ) {
        let next = "GET /next HTTP/1.1\r\nHost: h\r\n\r\n";
        let all = format!("{}{next}", PIECES[which]);
        let bytes = changed(all.into_bytes(), changes);
        prop_assert_eq!(served(&bytes), messages(&bytes), "{}", bytes.escape_ascii());
    }

    #[test]
    fn noise_reaches_nobody(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(served(&bytes), messages(&bytes));
    }
}
