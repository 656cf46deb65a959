//! What the RFCs leave to the cache, decided by the profile. A [`Manner`] is read by everything
//! else on this floor and changes only with the settings. Nothing that an RFC forbids may become
//! possible through it.

use http::HeaderName;

use crate::base::names;

/// The two columns of the profile table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Profile {
    /// Where an RFC leaves room, the careful reading.
    #[default]
    Safe,
    /// Everything that the RFCs allow.
    Rfc,
}

impl Profile {
    /// As written in settings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Safe => "safe",
            Self::Rfc => "rfc",
        }
    }

    /// The profile of this name, if there is one.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Safe, Self::Rfc].into_iter().find(|profile| profile.as_str() == text)
    }
}

/// How this cache uses the freedom it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manner {
    /// Keep and replay `Set-Cookie` (RFC 9111, 7.3 allows it).
    pub store_set_cookie: bool,
    /// Obey `no-cache`, `no-store`, `max-age`, `min-fresh`, `max-stale` and `Pragma` of clients
    /// (RFC 9111, 5.2.1 does not demand it).
    pub obey_client: bool,
    /// Give a lifetime to answers that only name their last modification (RFC 9111, 4.2.2).
    pub heuristics: bool,
    /// Keep answers to POST for a later GET (RFC 9110, 9.3.3).
    pub post_answers: bool,
    /// Treat cookies and API-key fields as RFC 9111, 3.5 treats `Authorization`.
    pub cookies_are_credentials: bool,
    /// Take an answer whose `Age` is malformed, repeated or on several lines for stale. RFC 9111,
    /// 5.1 says that a cache SHOULD use the first member and ignore what is no number; a cache
    /// may always ask again instead, and the public suite wants that.
    pub doubtful_age_is_stale: bool,
    /// Targeted fields that speak to this cache, most specific first (RFC 9213, 2.2).
    pub targeted: Vec<HeaderName>,
}

impl Manner {
    /// The manner of a profile.
    pub fn of(profile: Profile) -> Self {
        let free = profile == Profile::Rfc;
        Self {
            store_set_cookie: free,
            obey_client: free,
            heuristics: free,
            post_answers: free,
            cookies_are_credentials: !free,
            doubtful_age_is_stale: true,
            targeted: vec![names::CDN_CACHE_CONTROL, names::SURROGATE_CONTROL],
        }
    }
}

impl Default for Manner {
    fn default() -> Self {
        Self::of(Profile::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_have_names() {
        for profile in [Profile::Safe, Profile::Rfc] {
            assert_eq!(Profile::parse(profile.as_str()), Some(profile));
        }
        assert_eq!(Profile::parse("Rfc"), None);
    }

    #[test]
    fn safe_is_the_default_and_gives_nothing_away() {
        let manner = Manner::default();
        assert!(!manner.store_set_cookie && !manner.obey_client && !manner.heuristics);
        assert!(!manner.post_answers && manner.cookies_are_credentials);
        assert_eq!(manner.targeted, [names::CDN_CACHE_CONTROL, names::SURROGATE_CONTROL]);
    }
}
