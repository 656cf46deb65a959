//! Why something was not served from the cache or not put into it. One word each, stable, the same
//! in `Cache-Status`, logs, `explain` and documentation.

use crate::base::fault::Fault;

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident: $word:literal, $text:literal, $remedy:literal;)*) => {
        /// A reason code: the word never changes its meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Reason {
            $($(#[$doc])* $name,)*
        }

        impl Reason {
            /// Every reason, for tables and tests.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Its place in [`Reason::ALL`].
            pub const fn index(self) -> usize {
                self as usize
            }

            /// The stable word.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                }
            }

            /// What happened, in words.
            pub const fn text(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }

            /// What to change so that it does not happen.
            pub const fn remedy(self) -> &'static str {
                match self {
                    $(Self::$name => $remedy,)*
                }
            }
        }
    };
}

reasons! {
    /// The rule's `bypass` condition held.
    BypassRule: "bypass-rule",
        "the rule's bypass condition holds",
        "change `bypass`";
    /// An operator has switched the cache off.
    BypassSwitch: "bypass-switch",
        "an operator has switched the cache off for a while",
        "`cistern bypass off`, or wait until it ends";
    /// The client asked for a fresh answer, and this client's wish counts.
    ClientNoCache: "client-no-cache",
        "the client asked the origin itself",
        "take the client off `trust.clients`, or use profile safe";
    /// Orders of other nodes may have been missed.
    CoherenceGap: "coherence-gap",
        "this node has not heard from its fleet for longer than lag_max",
        "look at the connection to Redis; `when_deaf = \"serve\"` gives the bound up";
    /// The media type is not one that the rule stores.
    ContentType: "content-type",
        "the media type is not one the rule stores",
        "add it to `content_type`";
    /// The request carries credentials that the key does not separate.
    Credentials: "credentials",
        "credentials are present and the key has no identity part",
        "add {identity} to the key, share = \"identity\", or share = \"public\" if all callers see the same";
    /// The answer is to HEAD and has no body to keep.
    HeadOnly: "head-only",
        "an answer to HEAD has no body to keep",
        "nothing: the next GET is kept";
    /// The body ended early, or the origin's framing broke.
    Incomplete: "incomplete",
        "the origin's answer ended before its end",
        "look at the origin";
    /// A part of the key is not in the request.
    KeyPartMissing: "key-part-missing",
        "a part of the key is not in the request",
        "give it a default(…)";
    /// Too many bytes of answers are on their way.
    Memory: "memory",
        "the memory for answers on their way is used up",
        "raise `memory`, or lower `l1.size`";
    /// Neither a read nor anything the rules know how to store.
    Method: "method",
        "this method is not read from the cache",
        "only GET, HEAD and reads that a rule names are";
    /// The rule says `mode = "pass"`.
    ModePass: "mode-pass",
        "the rule says mode = \"pass\"",
        "set mode = \"on\"";
    /// The answer says `no-cache` and cannot be validated.
    NoCache: "no-cache",
        "the origin wants to be asked each time and gives no validator",
        "send an ETag, or name no-cache in `override`";
    /// Neither the origin nor a rule gives a lifetime.
    NoLifetime: "no-lifetime",
        "neither origin nor rule gives a lifetime",
        "set `ttl` on a route, or send Cache-Control";
    /// No origin serves this request.
    NoOrigin: "no-origin",
        "no origin serves this request",
        "add an origin with these `hosts`, or [defaults] origin";
    /// The answer, or a client whose wish counts, says `no-store`.
    NoStore: "no-store",
        "no-store forbids keeping it",
        "name no-store in `override` if the rule knows better";
    /// The target is not in plain form.
    OddTarget: "odd-target",
        "the target is not in plain form",
        "send it without dot segments, `//`, `;`, or encoded slashes";
    /// The client's condition is one that only the origin may judge (RFC 9110, 13.1.1).
    Precondition: "precondition",
        "only the origin may judge this condition",
        "ask without If-Match and If-Unmodified-Since";
    /// The answer says `private`.
    Private: "private",
        "the origin says private",
        "name private in `override` if the rule knows better";
    /// A purge came while the answer was on its way.
    PurgedDuringFetch: "purged-during-fetch",
        "a purge came while it was fetched",
        "nothing: the next request stores it";
    /// A parameter of the key came twice.
    QueryRepeated: "query-repeated",
        "a parameter of the key comes twice",
        "send it once";
    /// A parameter came that nothing in the rule names.
    QueryUnnamed: "query-unnamed",
        "a parameter that nothing in the rule names",
        "name it in the key or in `query.ignore`, or set `query.unnamed`";
    /// The answer is a part, or the request asked for one that cannot be cut here.
    Range: "range",
        "a part of something that is not in the cache",
        "ask for the whole once";
    /// The answer sets cookies.
    SetCookie: "set-cookie",
        "the answer sets cookies",
        "name them in `strip_cookies`";
    /// The status is not stored without explicit freshness.
    Status: "status",
        "this status is not stored without explicit freshness",
        "name it in `status` or `status_ttl`";
    /// An endless or unbuffered stream.
    Streaming: "streaming",
        "an endless stream is not stored",
        "nothing: it passes as it comes";
    /// Nobody knows whose the request is.
    TenantMissing: "tenant-missing",
        "it is not known which tenant the request is of",
        "send what `[tenant] from` names, a field from `trust.peers`; or tenant = \"none\" in the rule";
    /// The body is longer than the level keeps.
    TooLarge: "too-large",
        "the body is longer than the level keeps",
        "raise `max_object`";
    /// It has more tags than an entry may have; a purge by one that was left off would miss it.
    TooManyTags: "too-many-tags",
        "it has more tags than an entry may have",
        "give it fewer, or purge by type or rule";
    /// This key's answers could not be shared a moment ago.
    UncacheableLately: "uncacheable-lately",
        "answers of this key could not be shared a moment ago",
        "see why the last one was not stored";
    /// Something that is in no key could change the answer: an override field, a body on a read.
    UnkeyedInput: "unkeyed-input",
        "something that is in no key could change the answer",
        "take it off the request, or trust the peer in `trust.peers`";
    /// The connection changes protocol.
    Upgrade: "upgrade",
        "the connection changes protocol",
        "nothing: tunnels pass";
    /// The answer varies on everything.
    VaryStar: "vary-star",
        "the answer varies on everything",
        "name vary in `override` if the rule knows better";
}

impl Reason {
    /// The word for a fault that has one of its own.
    pub const fn of(fault: &Fault) -> Option<Self> {
        match fault {
            Fault::NoOrigin => Some(Self::NoOrigin),
            Fault::NoTenant(_) => Some(Self::TenantMissing),
            _ => None,
        }
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_distinct_and_plain() {
        let mut words: Vec<_> = Reason::ALL.iter().map(|r| r.as_str()).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), Reason::ALL.len());
        assert!(Reason::ALL.iter().enumerate().all(|(at, reason)| reason.index() == at));
        assert!(words.iter().all(|w| w.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')));
    }
}
