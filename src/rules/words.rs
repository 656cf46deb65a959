//! The words that fields of a rules file take, each with its meaning, which the schema tells too.

use super::read::words;

words! {
    /// Who may share an entry when the request has credentials.
    pub ShareWord {
        /// Cached if the key has an identity part, else neither read nor stored.
        Auto = "auto",
        /// One entry for all callers.
        Public = "public",
        /// One entry for each caller.
        Identity = "identity",
        /// Requests with credentials are neither read nor stored.
        Never = "never",
    } later ["granted"]
}

words! {
    /// Whose entries are.
    pub(super) TenantWord {
        /// Nobody's: data of the whole system, one entry for all tenants.
        None = "none",
    } later []
}

words! {
    /// Whether a route caches.
    pub ModeWord {
        /// It does.
        On = "on",
        /// It only passes on.
        Pass = "pass",
    } later ["shadow"]
}

words! {
    /// How a rule's lifetime meets the origin's.
    pub(super) TtlModeWord {
        /// Instead of it.
        Replace = "replace",
        /// Only where it gives none.
        Silent = "silent",
        /// The shorter of the two.
        AtMost = "at_most",
        /// The longer of the two.
        AtLeast = "at_least",
    } later []
}

words! {
    /// A word of the origin that a rule reaches over.
    pub(super) OverrideWord {
        /// Store although it says `no-store`.
        NoStore = "no-store",
        /// Store although it says `private`.
        Private = "private",
        /// Do not ask each time although it says `no-cache`.
        NoCache = "no-cache",
        /// Serve stale although it says `must-revalidate`.
        MustRevalidate = "must-revalidate",
        /// One variant although it says `Vary`.
        Vary = "vary",
    } later []
}

words! {
    /// What happens with a parameter that nothing in the rule names.
    pub(super) UnnamedWord {
        /// The request passes uncached.
        Bypass = "bypass",
        /// It is sent, and taken to change nothing.
        Ignore = "ignore",
        /// It is not sent.
        Strip = "strip",
    } later []
}

words! {
    /// What happens to a selector of which a part is missing.
    pub(super) MissingWord {
        /// A star stands for the part.
        Widen = "widen",
        /// The selector is left out.
        Skip = "skip",
    } later []
}

words! {
    /// How far a purge must have got before the writer is answered.
    pub ConfirmWord {
        /// No read through this node gets older data.
        Local = "local",
        /// Nor does the shared level give it.
        Shared = "shared",
        /// And every other node has confirmed it.
        Nodes = "nodes",
    } later []
}

words! {
    /// What becomes of a request when the cache is empty.
    pub(super) OutcomeWord {
        /// It is looked up and not found.
        Miss = "miss",
        /// It is not looked up.
        Bypass = "bypass",
    } later []
}

words! {
    /// Which server of a shard is asked.
    pub(super) ReadWord {
        /// The one that takes writes.
        Master = "master",
        /// A copy of it, which may lag behind.
        Replica = "replica",
    } later []
}
