//! Where an origin is: read once from its URL when the rules are loaded, so that a mistake is
//! found there and not by the first request.

use std::net::IpAddr;
use std::sync::Arc;

use http::HeaderValue;
use http::uri::{Authority, Uri};

/// The place requests are sent to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    host: Arc<str>,
    port: u16,
    authority: Arc<str>,
    host_field: HeaderValue,
    fixed_host: Option<HeaderValue>,
}

/// Why a URL names no origin, with the remedy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Not a URL with scheme and host.
    #[error("`{0}` is not an origin's URL; write scheme and host, as in \"http://127.0.0.1:8000\"")]
    Malformed(String),
    /// A scheme that no origin has.
    #[error("`{0}` has an unknown scheme; write http://")]
    Scheme(String),
    /// TLS towards origins does not exist yet.
    #[error("`{0}`: https to origins is not built yet; use http:// or a TLS sidecar")]
    Tls(String),
    /// A path, query or fragment after the host.
    #[error("`{0}` has a path; an origin is scheme, host and port alone. Leave `{1}` off")]
    Path(String, String),
    /// User and password in the authority.
    #[error("`{0}` carries a user name; leave it off, and set Authorization where it belongs")]
    Userinfo(String),
    /// The fixed `host` cannot stand in a Host field.
    #[error("`{0}` cannot be sent as Host; write a host name, with its port if it has one")]
    Host(String),
}

impl Target {
    /// Reads `http://host[:port][/]`. Port 80 when none is named (RFC 9110, 4.2.1).
    pub fn parse(url: &str) -> Result<Self, TargetError> {
        let malformed = || TargetError::Malformed(url.to_owned());
        if let Some((_, fragment)) = url.split_once('#') {
            return Err(TargetError::Path(url.to_owned(), format!("#{fragment}")));
        }
        let uri: Uri = url.parse().map_err(|_| malformed())?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => return Err(TargetError::Tls(url.to_owned())),
            Some(_) => return Err(TargetError::Scheme(url.to_owned())),
            None => return Err(malformed()),
        }
        let authority = uri.authority().ok_or_else(malformed)?;
        if authority.as_str().contains('@') {
            return Err(TargetError::Userinfo(url.to_owned()));
        }
        match uri.path_and_query().map(http::uri::PathAndQuery::as_str) {
            None | Some("/" | "") => {}
            Some(more) => return Err(TargetError::Path(url.to_owned(), more.to_owned())),
        }
        Self::at(authority).ok_or_else(malformed)
    }

    fn at(authority: &Authority) -> Option<Self> {
        let named = authority.host();
        let port = match authority.as_str().strip_prefix(named)?.strip_prefix(':') {
            Some(digits) => digits.parse().ok().filter(|port| *port != 0)?,
            None => 80,
        };
        let bare = named.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let host = bare.unwrap_or(named).to_ascii_lowercase();
        if host.is_empty() || (bare.is_some() && host.parse::<IpAddr>().is_err()) {
            return None;
        }
        let shown = if bare.is_some() { format!("[{host}]") } else { host.clone() };
        let host_text = if port == 80 { shown.clone() } else { format!("{shown}:{port}") };
        Some(Self {
            host: host.into(),
            port,
            authority: format!("{shown}:{port}").into(),
            host_field: HeaderValue::from_str(&host_text).ok()?,
            fixed_host: None,
        })
    }

    /// The same place, told that every request is for `host`, whatever the client asked for.
    pub fn with_host(mut self, host: &str) -> Result<Self, TargetError> {
        let wrong = || TargetError::Host(host.to_owned());
        let authority: Authority = host.parse().map_err(|_| wrong())?;
        if authority.as_str().contains('@') || authority.host().is_empty() {
            return Err(wrong());
        }
        self.fixed_host = Some(HeaderValue::from_str(host).map_err(|_| wrong())?);
        Ok(self)
    }

    /// `http`: the only scheme there is.
    pub const fn scheme(&self) -> &'static str {
        "http"
    }

    /// The host in lower case, an IPv6 address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// `host:port`, always with the port, an IPv6 address in brackets.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The same text, shared: what a worker files connections under.
    pub(super) fn shared_authority(&self) -> &Arc<str> {
        &self.authority
    }

    /// The Host that replaces the client's, when one is set.
    pub const fn fixed_host(&self) -> Option<&HeaderValue> {
        self.fixed_host.as_ref()
    }

    /// The Host for a request that has none: the origin's own, without a default port.
    pub const fn own_host(&self) -> &HeaderValue {
        &self.host_field
    }

    /// The address, when the host is one and needs no lookup.
    pub fn literal(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_scheme_host_and_port() {
        let target = Target::parse("http://App.Example:8000/").unwrap();
        assert_eq!((target.host(), target.port()), ("app.example", 8000));
        assert_eq!(target.authority(), "app.example:8000");
        assert_eq!(target.literal(), None);
        let target = Target::parse("http://app").unwrap();
        assert_eq!((target.port(), target.authority()), (80, "app:80"));
        assert_eq!(target.own_host(), "app");
    }

    #[test]
    fn an_ipv6_address_stands_in_brackets() {
        let target = Target::parse("http://[::1]:81").unwrap();
        assert_eq!((target.host(), target.authority()), ("::1", "[::1]:81"));
        assert_eq!(target.literal(), Some("::1".parse().unwrap()));
    }

    #[test]
    fn what_is_no_origin_is_refused_with_its_remedy() {
        let error = |url| Target::parse(url).unwrap_err();
        assert!(matches!(error("https://app"), TargetError::Tls(_)));
        assert!(matches!(error("ftp://app"), TargetError::Scheme(_)));
        assert!(matches!(error("http://me:pw@app"), TargetError::Userinfo(_)));
        for path in ["http://app/api", "http://app/?q", "http://app/#f", "http://app//"] {
            assert!(matches!(error(path), TargetError::Path(..)), "{path}");
        }
        for bad in ["", "app", "/", "http://", "http://app:0", "http://app:99999", "http://[::x]"] {
            assert!(matches!(error(bad), TargetError::Malformed(_)), "{bad}");
        }
        assert!(error("http://app/api").to_string().contains("Leave `/api` off"));
    }

    #[test]
    fn a_fixed_host_must_be_one() {
        let target = Target::parse("http://10.0.0.1").unwrap();
        let fixed = target.clone().with_host("www.example:8443").unwrap();
        assert_eq!(fixed.fixed_host().unwrap(), "www.example:8443");
        for bad in ["", "a b", "u@h", "a/b"] {
            assert!(target.clone().with_host(bad).is_err(), "{bad}");
        }
    }
}
