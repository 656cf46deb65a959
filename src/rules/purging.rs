//! The tables of the rules file that say what goes: with a write, and with what else goes.

use super::read::{At, Maybe, OneOrMany, Text, document};
use super::values::{Duration, StatusPattern};
use super::words::{ConfirmWord, MissingWord};

document! {
    /// What a successful write does to the cache, beside dropping its own target.
    OnWriteTable {
        /// The statuses that count as success. Default `["2xx", "3xx"]`.
        when: OneOrMany<At<StatusPattern>>,
        /// Templates of selectors: what goes.
        purge: OneOrMany<Text>,
        /// Templates of selectors: what goes and is fetched anew.
        refresh: OneOrMany<Text>,
        /// Whether the answer is kept where it is the new state of its target. Default false.
        store: At<bool>,
        /// What happens to a selector of which a part is missing. Default `widen`.
        missing: At<MissingWord>,
        /// Whether what goes becomes stale instead, to be used as the rules allow. Default false.
        soft: At<bool>,
        /// How far the purge must have got before the writer is answered. Default `nodes`.
        confirm: At<ConfirmWord>,
        /// The longest wait for the confirmations of other nodes. Default 50ms, at most 30s.
        wait: At<Duration>,
        /// The longest wait for what is fetched anew. Default 1s, at most 30s.
        refresh_wait: At<Duration>,
        /// How long after the write the same purge runs once more. Default never, at most 1h.
        settle: Maybe<At<Duration>>,
    } later []
}

document! {
    /// What the writes of this file's routes have in common.
    DefaultOnWrite {
        /// The statuses that count as success. Default `["2xx", "3xx"]`.
        when: OneOrMany<At<StatusPattern>>,
        /// What happens to a selector of which a part is missing. Default `widen`.
        missing: At<MissingWord>,
        /// Whether what goes becomes stale instead, to be used as the rules allow. Default false.
        soft: At<bool>,
        /// How far the purge must have got before the writer is answered. Default `nodes`.
        confirm: At<ConfirmWord>,
        /// The longest wait for the confirmations of other nodes. Default 50ms, at most 30s.
        wait: At<Duration>,
        /// The longest wait for what is fetched anew. Default 1s, at most 30s.
        refresh_wait: At<Duration>,
        /// How long after the write the same purge runs once more. Default never, at most 1h.
        settle: Maybe<At<Duration>>,
    } later []
}

document! {
    /// What goes as well when a purge names something.
    CascadeTable {
        /// What a purge names: `key:`, `tag:`, `type:` or `rule:`; `*` is one part without a colon.
        #[schemars(required)]
        when: Text,
        /// What goes then: selectors, in which `{1}` repeats what the first `*` was.
        #[schemars(required)]
        then: OneOrMany<Text>,
    } later []
}
