//! The URL of the shared level: `redis://`, `rediss://`, and the same with `+sentinel` and
//! `+cluster`. What is told about a URL never holds its password, nor a piece of it.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::store::redis::config::{Address, Layout};

/// A server's port where none is written.
pub(super) const PORT: u16 = 6_379;
/// A sentinel's.
pub(super) const SENTINEL_PORT: u16 = 26_379;

/// What a URL says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RedisUrl {
    pub(super) layout: Layout,
    pub(super) tls: bool,
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
    pub(super) db: Option<u32>,
}

const FORMS: &str = "write redis://HOST:6379/0, rediss://…, redis+sentinel://HOST:26379/SERVICE or \
                     redis+cluster://HOST:6379,HOST:6379";
const ESCAPES: &str =
    "in a user or password write %40 for @, %2F for /, %3A for :, %3F for ?, %23 for #";

/// Reads a URL.
pub(super) fn parse(text: &str) -> Result<RedisUrl, String> {
    let socket = ["unix:", "redis+unix:", "redis+socket:", "/"];
    if socket.iter().any(|start| text.starts_with(start)) {
        return Err(format!("unix sockets are not spoken; {FORMS}"));
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err(format!("this is not a URL; {FORMS}"));
    };
    let (tls, kind) = match scheme {
        "redis" => (false, ""),
        "rediss" => (true, ""),
        "redis+sentinel" => (false, "sentinel"),
        "rediss+sentinel" => (true, "sentinel"),
        "redis+cluster" => (false, "cluster"),
        "rediss+cluster" => (true, "cluster"),
        _ => return Err(format!("this scheme is not known; {FORMS}")),
    };
    if rest.contains(['?', '#']) {
        return Err(format!("nothing is read behind ? and #; {ESCAPES}"));
    }
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (login, hosts) = match authority.rsplit_once('@') {
        Some((login, hosts)) => (login, hosts),
        None => ("", authority),
    };
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    let port = if kind == "sentinel" { SENTINEL_PORT } else { PORT };
    let mut addresses = Vec::new();
    for host in hosts.split(',') {
        let unread = || format!("its host cannot be read: write HOST:PORT; {ESCAPES}");
        addresses.push(address(host, port).ok_or_else(unread)?);
    }
    let (layout, db) = layout(kind, addresses, path)?;
    let (user, password) = (decoded(user)?, decoded(password)?);
    Ok(RedisUrl { layout, tls, user, password, db })
}

fn layout(
    kind: &str,
    mut addresses: Vec<Address>,
    path: &str,
) -> Result<(Layout, Option<u32>), String> {
    match kind {
        "sentinel" => {
            let (service, db) = path.split_once('/').unwrap_or((path, ""));
            let service = decoded(service)?.ok_or_else(|| {
                "the name of the service is missing; write redis+sentinel://HOST:26379/SERVICE"
                    .to_owned()
            })?;
            Ok((Layout::Sentinel { sentinels: addresses, service }, database(db)?))
        }
        "cluster" if matches!(path, "" | "0") => Ok((Layout::Cluster(addresses), None)),
        "cluster" => Err("a cluster has only database 0; end the URL behind the hosts".to_owned()),
        _ => match (addresses.pop(), addresses.is_empty()) {
            (Some(only), true) => Ok((Layout::Single(only), database(path)?)),
            _ => Err("redis:// names one server; several are written redis+cluster:// or \
                      redis+sentinel://"
                .to_owned()),
        },
    }
}

fn database(text: &str) -> Result<Option<u32>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let number = text.parse().map(Some);
    number.map_err(|_| "what stands last is not the number of a database; write /0".to_owned())
}

/// `HOST`, `HOST:PORT`, `[::1]:PORT`.
pub(super) fn address(text: &str, port: u16) -> Option<Address> {
    let (host, behind) = if let Some(rest) = text.strip_prefix('[') {
        let (host, behind) = rest.split_once(']')?;
        host.parse::<Ipv6Addr>().ok()?;
        (host, behind)
    } else {
        let (host, behind) = text.split_at(text.find(':').unwrap_or(text.len()));
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        let dotted = |c: char| c.is_ascii_digit() || c == '.';
        if host.is_empty() || !host.chars().all(plain) {
            return None;
        }
        if host.chars().all(dotted) {
            host.parse::<Ipv4Addr>().ok()?;
        }
        (host, behind)
    };
    let port = match behind.strip_prefix(':') {
        Some(port) => port.parse().ok().filter(|port| *port > 0)?,
        None if behind.is_empty() => port,
        None => return None,
    };
    Some(Address { host: host.to_owned(), port })
}

/// Percent-decoded text; none when it is empty.
fn decoded(text: &str) -> Result<Option<String>, String> {
    let wrong = || format!("a % in it is not followed by two digits of UTF-8; {ESCAPES}");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        bytes.extend_from_slice(before.as_bytes());
        let digits = after.get(..2).filter(|two| two.bytes().all(|b| b.is_ascii_hexdigit()));
        let byte = digits.and_then(|two| u8::from_str_radix(two, 16).ok()).ok_or_else(wrong)?;
        bytes.push(byte);
        rest = after.get(2..).unwrap_or_default();
    }
    bytes.extend_from_slice(rest.as_bytes());
    let text = String::from_utf8(bytes).map_err(|_| wrong())?;
    Ok(Some(text).filter(|text| !text.is_empty()))
}

/// The same text without what may be a password in it: from the first `://` to the last `@`.
pub(crate) fn hidden(text: &str) -> String {
    let Some((before, rest)) = text.split_once("://") else { return text.to_owned() };
    let Some((login, after)) = rest.rsplit_once('@') else { return text.to_owned() };
    match login.split_once(':') {
        Some((user, "")) => format!("{before}://{user}:@{after}"),
        Some((user, _)) => format!("{before}://{user}:<hidden>@{after}"),
        // A password that stands alone is taken for a user.
        None => format!("{before}://<hidden>@{after}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(host: &str, port: u16) -> Address {
        Address { host: host.into(), port }
    }

    #[test]
    fn every_form_is_read() {
        let plain = parse("redis://cache").unwrap();
        assert_eq!(plain.layout, Layout::Single(at("cache", 6_379)));
        assert_eq!((plain.tls, plain.user, plain.password, plain.db), (false, None, None, None));
        let whole = parse("rediss://ann:p%40s%2Fs%3A%C3%B1@[::1]:7000/3").unwrap();
        assert_eq!(whole.layout, Layout::Single(at("::1", 7_000)));
        assert_eq!((whole.tls, whole.db), (true, Some(3)));
        assert_eq!(whole.user.as_deref(), Some("ann"));
        assert_eq!(whole.password.as_deref(), Some("p@s/s:ñ"));
        let sentinel = parse("redis+sentinel://:pw@a,b:5/my%20master/2").unwrap();
        let sentinels = vec![at("a", 26_379), at("b", 5)];
        assert_eq!(sentinel.layout, Layout::Sentinel { sentinels, service: "my master".into() });
        assert_eq!((sentinel.user, sentinel.db), (None, Some(2)));
        assert_eq!(sentinel.password.as_deref(), Some("pw"));
        let cluster = parse("rediss+cluster://10.0.0.1:1,10.0.0.2:2/").unwrap();
        assert_eq!(cluster.layout, Layout::Cluster(vec![at("10.0.0.1", 1), at("10.0.0.2", 2)]));
        assert!(cluster.tls && parse("redis+cluster://a/0").is_ok());
    }

    #[test]
    fn what_is_wrong_is_told_without_the_password() {
        for (url, word) in [
            ("unix:///tmp/redis.sock", "unix sockets"),
            ("redis+unix://:secret@/tmp/x", "unix sockets"),
            ("/var/run/redis.sock", "unix sockets"),
            ("cache:6379", "not a URL"),
            ("http://ann:secret@cache", "scheme"),
            ("redis://:sec?ret@cache", "%3F for ?"),
            ("redis://:sec#ret@cache", "%23 for #"),
            ("redis://:sec/ret@cache", "%2F for /"),
            ("redis://ann:sec%zzret@cache", "two digits"),
            ("redis://ann:sec%ffret@cache", "UTF-8"),
            ("redis://:secret@", "HOST:PORT"),
            ("redis://:secret@::1", "HOST:PORT"),
            ("redis://:secret@cache:0", "HOST:PORT"),
            ("redis://:secret@300.1.1.1", "HOST:PORT"),
            ("redis://:secret@a,b", "redis+cluster://"),
            ("redis://:secret@cache/one", "database"),
            ("redis+sentinel://:secret@a", "SERVICE"),
            ("redis+sentinel://:secret@a/s/one", "database"),
            ("redis+cluster://:secret@a/1", "database 0"),
        ] {
            let told = parse(url).unwrap_err();
            assert!(told.contains(word), "{url}: {told}");
            assert!(!told.contains("sec") && !told.contains("ret"), "{url}: {told}");
        }
    }

    #[test]
    fn a_url_is_shown_without_its_password() {
        for (url, shown) in [
            ("redis://cache:1/0", "redis://cache:1/0"),
            ("redis://ann:pw@cache", "redis://ann:<hidden>@cache"),
            ("redis://:pw@cache/1", "redis://:<hidden>@cache/1"),
            ("redis://ann:@cache", "redis://ann:@cache"),
            ("redis://pw@cache", "redis://<hidden>@cache"),
            ("redis://:p/w@x@a,b/s", "redis://:<hidden>@a,b/s"),
            ("plain text, a@b", "plain text, a@b"),
        ] {
            assert_eq!(hidden(url), shown);
        }
    }
}
