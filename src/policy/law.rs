//! What a rule says over the origin's head. Rules compile into a [`Law`]; without a rule the
//! default one lets the origin decide. Whatever a rule grants, the statuses that describe a
//! failure of the moment are never stored by it.

use http::StatusCode;

use crate::base::units::Span;

/// The part of a rule that caching by RFC 9111 needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Law {
    /// The lifetime that the rule gives.
    pub ttl: Ttl,
    /// How that lifetime stands to the origin's.
    pub ttl_mode: TtlMode,
    /// The statuses that get `ttl`.
    pub statuses: Vec<u16>,
    /// Lifetimes for single statuses; they win over `ttl`, also where that is the origin's.
    pub status_ttl: Vec<(u16, Span)>,
    /// The window of RFC 5861, 3 where the origin gives none.
    pub stale_while_revalidate: Option<Span>,
    /// The window of RFC 5861, 4 where the origin gives none.
    pub stale_if_error: Option<Span>,
    /// What the rule reaches over.
    pub overrides: Overrides,
    /// Which `Set-Cookie` lines the stored copy does without.
    pub strip_cookies: CookieStrip,
    /// Media types that may be stored, lower case, without parameters; empty: any.
    pub content_types: Vec<String>,
    /// The longest body that may be stored, in bytes.
    pub max_object: Option<u64>,
    /// Whether a rule stands behind this at all.
    pub ruled: bool,
}

/// The lifetime that a rule gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ttl {
    /// None: the origin decides.
    Origin,
    /// This long, counted from receipt.
    For(Span),
    /// Until something purges it.
    Forever,
}

/// How a rule's lifetime stands to the origin's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TtlMode {
    /// The rule's, whatever the origin says.
    #[default]
    Replace,
    /// The rule's only where the origin gives none.
    Silent,
    /// The shorter of the two.
    AtMost,
    /// The longer of the two.
    AtLeast,
}

/// Directives and fields of the origin that a rule takes no notice of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `no-store`.
    pub no_store: bool,
    /// `private`, also its qualified form.
    pub private: bool,
    /// `no-cache`, also its qualified form.
    pub no_cache: bool,
    /// `must-revalidate` and its kin `proxy-revalidate` and `s-maxage`, as far as they forbid
    /// stale use.
    pub must_revalidate: bool,
    /// `Vary`, every name of it. What is implied by other fields stays.
    pub vary: bool,
}

/// Which `Set-Cookie` lines the stored copy does without. Their own client still gets them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CookieStrip {
    /// None is left out.
    #[default]
    None,
    /// Those of these names, in this case.
    Named(Vec<String>),
    /// All.
    All,
}

impl Default for Law {
    fn default() -> Self {
        Self {
            ttl: Ttl::Origin,
            ttl_mode: TtlMode::Replace,
            statuses: vec![200, 203, 204, 300, 301, 308],
            status_ttl: Vec::new(),
            stale_while_revalidate: None,
            stale_if_error: None,
            overrides: Overrides::default(),
            strip_cookies: CookieStrip::None,
            content_types: Vec::new(),
            max_object: None,
            ruled: false,
        }
    }
}

impl Law {
    /// The lifetime that this rule gives to an answer of this status. Partial answers, those to a
    /// condition, demands for credentials, throttling and failures get none, whatever is listed.
    pub fn ttl_for(&self, status: StatusCode) -> Option<Span> {
        let code = status.as_u16();
        if status.is_server_error() || matches!(code, 206 | 304 | 401 | 403 | 407 | 429) {
            return None;
        }
        if let Some((_, span)) = self.status_ttl.iter().find(|(listed, _)| *listed == code) {
            return Some(*span);
        }
        if !self.statuses.contains(&code) {
            return None;
        }
        match self.ttl {
            Ttl::Origin => None,
            Ttl::For(span) => Some(span),
            Ttl::Forever => Some(Span::FOREVER),
        }
    }

    /// Whether a stored copy keeps this `Set-Cookie` line.
    pub(crate) fn keeps_cookie(&self, line: &[u8]) -> bool {
        match &self.strip_cookies {
            CookieStrip::None => true,
            CookieStrip::All => false,
            CookieStrip::Named(names) => {
                let name = line.split(|byte| *byte == b'=').next().unwrap_or_default();
                !names.iter().any(|listed| listed.as_bytes() == name.trim_ascii())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: u16) -> StatusCode {
        StatusCode::from_u16(code).unwrap()
    }

    #[test]
    fn failures_get_no_lifetime_from_a_rule_even_when_listed() {
        let refused = [206, 304, 401, 403, 407, 429, 500, 502, 503, 504, 599];
        let law = Law {
            ttl: Ttl::Forever,
            statuses: refused.to_vec(),
            status_ttl: refused.iter().map(|code| (*code, Span::from_secs(9))).collect(),
            ..Law::default()
        };
        assert!(refused.iter().all(|code| law.ttl_for(status(*code)).is_none()));
    }

    #[test]
    fn a_status_of_its_own_wins_over_the_list() {
        let law = Law {
            ttl: Ttl::For(Span::from_secs(60)),
            status_ttl: vec![(404, Span::from_secs(5)), (200, Span::from_secs(7))],
            ..Law::default()
        };
        assert_eq!(law.ttl_for(status(200)), Some(Span::from_secs(7)));
        assert_eq!(law.ttl_for(status(203)), Some(Span::from_secs(60)));
        assert_eq!(law.ttl_for(status(404)), Some(Span::from_secs(5)));
        assert_eq!(law.ttl_for(status(410)), None);
    }

    #[test]
    fn cookies_are_told_by_name_and_case() {
        let law =
            Law { strip_cookies: CookieStrip::Named(vec!["track".to_owned()]), ..Law::default() };
        assert!(!law.keeps_cookie(b"track=1; Path=/"));
        assert!(!law.keeps_cookie(b" track = 1"));
        assert!(law.keeps_cookie(b"Track=1"));
        assert!(law.keeps_cookie(b"session=track=1"));
    }
}
