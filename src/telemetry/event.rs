//! One value per happening, in the words operators of hand-written caches know: HIT, MISS, STORE,
//! PURGE, EVICT, RELOAD. A line is `time WORD name=value …`; values with spaces are quoted.

mod json;

use std::io::Write;

use crate::base::clock::Timestamp;
use crate::base::plain::is_plain;
use crate::telemetry::access::redacted;
use crate::telemetry::digits::signed;
use crate::telemetry::time::write_rfc3339;

/// How many kinds of happening there are.
pub const KINDS: usize = 17;

/// Their words, in the order of [`Event::index`].
pub const WORDS: [&str; KINDS] = [
    "HIT", "MISS", "STORE", "PURGE", "EVICT", "RELOAD", "FAULT", "START", "STOP", "REDIS", "AUDIT",
    "BYPASS", "ALERT", "IGNORED", "REFRESH", "JOB", "SYNC",
];

/// Something that happened.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// An answer came from the cache.
    Hit {
        /// The entry's key.
        key: &'a str,
        /// The rule, if one matched.
        rule: Option<&'a str>,
        /// Seconds of freshness left; negative when stale.
        ttl: i64,
    },
    /// The origin had to be asked.
    Miss {
        /// The key asked for; empty when the request has none.
        key: &'a str,
        /// The rule, if one matched.
        rule: Option<&'a str>,
        /// Why, when it is not that nothing was there.
        reason: Option<&'a str>,
    },
    /// An answer was put into the cache.
    Store {
        /// Its key.
        key: &'a str,
        /// The rule, if one matched.
        rule: Option<&'a str>,
        /// Seconds it stays fresh.
        ttl: u64,
        /// Bytes it costs.
        bytes: u64,
    },
    /// Entries were invalidated.
    Purge {
        /// What was named.
        selector: &'a str,
        /// Entries that went.
        count: u64,
        /// `write`, `purge`, `admin`, or where another node or program gave it, `fleet` or `event`.
        by: &'static str,
        /// `soft` where they are stale, `undo` where a soft order was taken back.
        mode: Option<&'static str>,
        /// The rule whose `on_write` named it.
        rule: Option<&'a str>,
        /// Whether a missing part made the selector wider.
        widened: bool,
    },
    /// An entry left to make room, or because its time was over.
    Evict {
        /// The type it belonged to.
        kind: &'a str,
        /// Its key.
        key: &'a str,
        /// `size` or `ttl`.
        cause: &'static str,
    },
    /// The rules were read again.
    Reload {
        /// Whether they are now in force.
        ok: bool,
        /// What changed, or the first error.
        detail: &'a str,
    },
    /// A request was answered with an error of ours.
    Fault {
        /// The stable code.
        code: &'static str,
        /// What was wrong.
        detail: &'a str,
    },
    /// The node serves.
    Start {
        /// What listens and what it forwards to.
        detail: &'a str,
    },
    /// The node stops.
    Stop {
        /// Why, and what was still running.
        detail: &'a str,
    },
    /// Something was changed through the admin API, or was to be.
    Audit {
        /// The name of the token; `-` for none.
        who: &'a str,
        /// What was called.
        call: &'a str,
        /// What it was called with.
        what: &'a str,
        /// What came of it.
        outcome: &'a str,
    },
    /// The emergency switch was turned.
    Bypass {
        /// `on` or `off`.
        what: &'a str,
        /// For how long, and who did it.
        detail: &'a str,
    },
    /// Somebody should look, or need not any more.
    Alert {
        /// Raised, else cleared.
        raised: bool,
        /// What it is about.
        alert: &'a str,
        /// `warning` or `critical`.
        severity: &'a str,
        /// What was measured; `-` for nothing.
        value: &'a str,
        /// What is usually behind it.
        cause: &'a str,
        /// What to call to look closer.
        command: &'a str,
    },
    /// What a write wanted fetched anew has been, as far as it could be.
    Refresh {
        /// Answers that were.
        count: u64,
        /// Those that were not: no credential is at hand, they are too many, or are not kept.
        left_out: u64,
        /// The rule of the write.
        rule: Option<&'a str>,
    },
    /// A field of an answer, or a part of it, could not be used.
    Ignored {
        /// The field's name.
        field: &'a str,
        /// The target that was asked for.
        target: &'a str,
        /// What is wrong with it.
        why: &'a str,
    },
    /// A job has begun, or ended.
    Job {
        /// `running`, `done`, `failed` or `cancelled`.
        what: &'a str,
        /// Which, and what it came to.
        detail: &'a str,
    },
    /// Entries were held against their origin, and follow it.
    Sync {
        /// `done` or `failed`.
        what: &'a str,
        /// Entries that were asked about.
        entries: u64,
        /// Those that did not stay as they were.
        changed: u64,
        /// Those of which the origin said nothing.
        failed: u64,
        /// How long it took, in milliseconds.
        ms: u64,
        /// The job that did it.
        job: &'a str,
    },
    /// Something happened to the shared level.
    Redis {
        /// In one word: `down`, `up`, `joined`, `gap` and their kin.
        what: &'a str,
        /// More of it.
        detail: &'a str,
    },
}

impl Event<'_> {
    /// Its place in [`WORDS`].
    pub const fn index(&self) -> usize {
        match self {
            Self::Hit { .. } => 0,
            Self::Miss { .. } => 1,
            Self::Store { .. } => 2,
            Self::Purge { .. } => 3,
            Self::Evict { .. } => 4,
            Self::Reload { .. } => 5,
            Self::Fault { .. } => 6,
            Self::Start { .. } => 7,
            Self::Stop { .. } => 8,
            Self::Redis { .. } => 9,
            Self::Audit { .. } => 10,
            Self::Bypass { .. } => 11,
            Self::Alert { .. } => 12,
            Self::Ignored { .. } => 13,
            Self::Refresh { .. } => 14,
            Self::Job { .. } => 15,
            Self::Sync { .. } => 16,
        }
    }

    /// Appends the line.
    pub fn write(&self, now: Timestamp, out: &mut Vec<u8>) {
        write_rfc3339(now, out);
        out.push(b' ');
        out.extend_from_slice(WORDS.get(self.index()).copied().unwrap_or_default().as_bytes());
        match *self {
            Self::Hit { key, rule, ttl } => {
                out.extend_from_slice(b" ttl=");
                signed(ttl, out);
                text(out, "key", key);
                optional(out, "rule", rule);
            }
            Self::Miss { key, rule, reason } => {
                text(out, "key", key);
                optional(out, "rule", rule);
                optional(out, "reason", reason);
            }
            Self::Store { key, rule, ttl, bytes } => {
                pair(out, "ttl", ttl);
                text(out, "key", key);
                pair(out, "bytes", bytes);
                optional(out, "rule", rule);
            }
            Self::Purge { selector, count, by, mode, rule, widened } => {
                text(out, "selector", selector);
                pair(out, "count", count);
                text(out, "by", by);
                optional(out, "mode", mode);
                optional(out, "rule", rule);
                optional(out, "widened", widened.then_some("true"));
            }
            Self::Evict { kind, key, cause } => {
                texts(out, &[("type", kind), ("key", key), ("cause", cause)]);
            }
            Self::Refresh { count, left_out, rule } => {
                pairs(out, &[("count", count), ("left_out", left_out)]);
                optional(out, "rule", rule);
            }
            Self::Sync { what, entries, changed, failed, ms, job } => {
                word(out, what);
                pairs(out, &[("entries", entries), ("changed", changed), ("failed", failed)]);
                pair(out, "ms", ms);
                text(out, "job", job);
            }
            Self::Ignored { field, target, why } => {
                texts(out, &[("field", field), ("target", target), ("why", why)]);
            }
            Self::Reload { ok, detail } => {
                out.extend_from_slice(if ok { b" ok" } else { b" failed" });
                text(out, "detail", detail);
            }
            Self::Fault { code, detail } => texts(out, &[("code", code), ("detail", detail)]),
            Self::Audit { who, call, what, outcome } => {
                texts(out, &[("who", who), ("call", call), ("what", what), ("outcome", outcome)]);
            }
            Self::Alert { raised, alert, severity, value, cause, command } => {
                out.extend_from_slice(if raised { b" raised" } else { b" cleared" });
                texts(out, &[("alert", alert), ("severity", severity), ("value", value)]);
                if raised {
                    texts(out, &[("cause", cause), ("command", command)]);
                }
            }
            Self::Redis { what, detail }
            | Self::Bypass { what, detail }
            | Self::Job { what, detail } => {
                word(out, what);
                text(out, "detail", detail);
            }
            Self::Start { detail } | Self::Stop { detail } => text(out, "detail", detail),
        }
    }
}

fn texts(out: &mut Vec<u8>, named: &[(&str, &str)]) {
    for (name, value) in named {
        text(out, name, value);
    }
}

fn word(out: &mut Vec<u8>, what: &str) {
    out.push(b' ');
    out.extend_from_slice(what.as_bytes());
}

fn pairs(out: &mut Vec<u8>, named: &[(&str, u64)]) {
    for (name, count) in named {
        pair(out, name, count);
    }
}

fn pair(out: &mut Vec<u8>, name: &str, value: impl std::fmt::Display) {
    // Writing to a Vec cannot fail.
    drop(write!(out, " {name}={value}"));
}

fn optional(out: &mut Vec<u8>, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        text(out, name, value);
    }
}

// One happening is one line, whatever a client managed to put into a key.
fn text(out: &mut Vec<u8>, name: &str, value: &str) {
    let value = &*redacted(value);
    let bytes = value.as_bytes();
    if !bytes.is_empty() && is_plain(bytes) && memchr::memchr(b' ', bytes).is_none() {
        out.push(b' ');
        out.extend_from_slice(name.as_bytes());
        out.push(b'=');
        out.extend_from_slice(value.as_bytes());
    } else {
        pair(out, name, format_args!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(event: &Event<'_>) -> String {
        let mut out = Vec::new();
        event.write(Timestamp::from_secs(0), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn words_of_the_old_systems() {
        let purge = Event::Purge {
            selector: "key:producto_7",
            count: 3,
            by: "write",
            mode: None,
            rule: Some("product-saved"),
            widened: false,
        };
        assert_eq!(
            line(&purge),
            "1970-01-01T00:00:00.000Z PURGE selector=key:producto_7 count=3 by=write \
             rule=product-saved"
        );
        let store = Event::Store { key: "gad:x", rule: None, ttl: 300, bytes: 9 };
        assert!(line(&store).ends_with(" STORE ttl=300 key=gad:x bytes=9"));
    }

    #[test]
    fn a_line_stays_one_line() {
        let miss = Event::Miss { key: "a\nb c", rule: None, reason: None };
        assert!(line(&miss).ends_with(r#" MISS key="a\nb c""#));
    }
}
