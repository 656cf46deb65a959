//! Host patterns of routes and origins: a name, or `*.name` for everything below it; in any case,
//! with a port only where one is given.

/// One pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPattern {
    /// In lower case, without the star.
    name: Box<str>,
    below: bool,
    port: Option<u16>,
}

/// Splits an authority into host and port; the brackets of an IPv6 address stay.
pub(super) fn split_authority(authority: &str) -> (&str, Option<u16>) {
    let end_of_host = authority.rfind(']').map_or(0, |bracket| bracket + 1);
    let colon = authority.get(end_of_host..).and_then(|rest| rest.rfind(':'));
    let Some(colon) = colon.map(|at| at + end_of_host) else { return (authority, None) };
    let host = authority.get(..colon).unwrap_or_default();
    match authority.get(colon + 1..).unwrap_or_default() {
        "" => (host, None),
        port => port.parse().map_or((authority, None), |port| (host, Some(port))),
    }
}

impl HostPattern {
    /// Reads a pattern; the error says what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let (host, port) = split_authority(text);
        let (below, name) = match host.strip_prefix("*.") {
            Some(name) => (true, name),
            None => (false, host),
        };
        let bracketed = name.starts_with('[') && name.ends_with(']');
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
        if name.contains('*') {
            return Err("a star stands only at the beginning, as in *.example.com");
        }
        if name.is_empty() || !(bracketed || name.bytes().all(allowed)) {
            return Err("a host is a name, *.name, or an address, with a port only if it counts");
        }
        Ok(Self { name: name.to_ascii_lowercase().into(), below, port })
    }

    /// Whether an authority fits.
    pub fn fits(&self, authority: &str) -> bool {
        let (host, port) = split_authority(authority);
        if self.port.is_some() && self.port != port {
            return false;
        }
        let host = host.as_bytes();
        let name = self.name.as_bytes();
        if !self.below {
            return host.eq_ignore_ascii_case(name);
        }
        let Some(at) = host.len().checked_sub(name.len() + 1) else { return false };
        let (before, end) = host.split_at(at);
        !before.is_empty()
            && end
                .split_first()
                .is_some_and(|(dot, end)| *dot == b'.' && end.eq_ignore_ascii_case(name))
    }

    /// Whether everything that fits `other` fits this too.
    pub(super) fn covers(&self, other: &Self) -> bool {
        if self.port.is_some() && self.port != other.port {
            return false;
        }
        let deeper =
            || other.name.strip_suffix(&*self.name).is_some_and(|before| before.ends_with('.'));
        if self.below {
            deeper() || (other.below && other.name == self.name)
        } else {
            !other.below && other.name == self.name
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> HostPattern {
        HostPattern::parse(text).unwrap()
    }

    #[test]
    fn names_fit_in_any_case_and_with_any_port() {
        assert!(pattern("Shop.example").fits("shop.EXAMPLE"));
        assert!(pattern("shop.example").fits("shop.example:8080"));
        assert!(!pattern("shop.example:80").fits("shop.example"));
        assert!(pattern("shop.example:80").fits("shop.example:80"));
        assert!(pattern("[::1]").fits("[::1]:8080"));
        assert!(pattern("127.0.0.1").fits("127.0.0.1:8080"));
        assert!(!pattern("shop.example").fits("xshop.example"));
    }

    #[test]
    fn a_star_stands_for_one_or_more_labels() {
        let below = pattern("*.example.com");
        assert!(below.fits("a.example.com"));
        assert!(below.fits("a.b.EXAMPLE.com:1"));
        for other in ["example.com", ".example.com", "aexample.com", "com", ""] {
            assert!(!below.fits(other), "{other}");
        }
    }

    #[test]
    fn coverage_is_what_fits() {
        assert!(pattern("*.a.b").covers(&pattern("x.a.b")));
        assert!(pattern("*.a.b").covers(&pattern("*.x.a.b")));
        assert!(pattern("*.a.b").covers(&pattern("*.a.b")));
        assert!(!pattern("*.a.b").covers(&pattern("a.b")));
        assert!(!pattern("x.a.b").covers(&pattern("*.a.b")));
        assert!(pattern("a.b").covers(&pattern("a.b:80")));
        assert!(!pattern("a.b:80").covers(&pattern("a.b")));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "*", "*.", "a*.b", "a b", "http://a", "a/b", "a.*"] {
            assert!(HostPattern::parse(text).is_err(), "{text}");
        }
    }
}
