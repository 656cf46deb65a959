//! A happening as JSON, for who follows events through the admin API: the members that its line in
//! the log has, under the same names.

use serde_json::{Map, Value};

use super::{Event, WORDS};
use crate::base::clock::Timestamp;
use crate::base::limits;
use crate::telemetry::access::redacted;
use crate::telemetry::time::write_rfc3339;

impl Event<'_> {
    /// Its word.
    pub fn word(&self) -> &'static str {
        WORDS.get(self.index()).copied().unwrap_or_default()
    }

    /// Whether requests alone make it happen, as often as there are requests.
    pub const fn is_traffic(&self) -> bool {
        matches!(
            self,
            Self::Hit { .. } | Self::Miss { .. } | Self::Store { .. } | Self::Evict { .. }
        )
    }

    /// The key that it is about, or the selectors that were named; without the values of parameters
    /// that usually hold secrets.
    pub fn subject(&self) -> String {
        let text = match *self {
            Self::Hit { key, .. }
            | Self::Miss { key, .. }
            | Self::Store { key, .. }
            | Self::Evict { key, .. } => key,
            Self::Purge { selector, .. } => selector,
            _ => "",
        };
        redacted(text).into_owned()
    }

    /// One object, without an end of line.
    pub fn json(&self, now: Timestamp) -> String {
        let mut at = Vec::new();
        write_rfc3339(now, &mut at);
        let mut members = Map::new();
        members.insert("at".to_owned(), String::from_utf8_lossy(&at).into());
        members.insert("event".to_owned(), self.word().into());
        for (name, value) in self.members() {
            if !value.is_null() {
                members.insert(name.to_owned(), value);
            }
        }
        Value::Object(members).to_string()
    }

    fn members(&self) -> Vec<(&'static str, Value)> {
        match *self {
            Self::Hit { key, rule, ttl } => {
                vec![("ttl", ttl.into()), ("key", text(key)), ("rule", perhaps(rule))]
            }
            Self::Miss { key, rule, reason } => {
                vec![("key", text(key)), ("rule", perhaps(rule)), ("reason", perhaps(reason))]
            }
            Self::Store { key, rule, ttl, bytes } => vec![
                ("ttl", ttl.into()),
                ("key", text(key)),
                ("bytes", bytes.into()),
                ("rule", perhaps(rule)),
            ],
            Self::Purge { selector, count, by, mode, rule, widened } => vec![
                ("selector", text(selector)),
                ("count", count.into()),
                ("by", by.into()),
                ("mode", perhaps(mode)),
                ("rule", perhaps(rule)),
                ("widened", if widened { true.into() } else { Value::Null }),
            ],
            Self::Evict { kind, key, cause } => {
                vec![("type", text(kind)), ("key", text(key)), ("cause", cause.into())]
            }
            Self::Refresh { count, left_out, rule } => vec![
                ("count", count.into()),
                ("left_out", left_out.into()),
                ("rule", perhaps(rule)),
            ],
            Self::Sync { what, entries, changed, failed, ms, job } => vec![
                ("what", text(what)),
                ("entries", entries.into()),
                ("changed", changed.into()),
                ("failed", failed.into()),
                ("ms", ms.into()),
                ("job", text(job)),
            ],
            Self::Ignored { field, target, why } => {
                vec![("field", text(field)), ("target", text(target)), ("why", text(why))]
            }
            Self::Reload { ok, detail } => vec![("ok", ok.into()), ("detail", text(detail))],
            Self::Fault { code, detail } => vec![("code", code.into()), ("detail", text(detail))],
            Self::Audit { who, call, what, outcome } => vec![
                ("who", text(who)),
                ("call", text(call)),
                ("what", text(what)),
                ("outcome", text(outcome)),
            ],
            Self::Alert { raised, alert, severity, value, cause, command } => vec![
                ("raised", raised.into()),
                ("alert", text(alert)),
                ("severity", text(severity)),
                ("value", text(value)),
                ("cause", if raised { text(cause) } else { Value::Null }),
                ("command", if raised { text(command) } else { Value::Null }),
            ],
            Self::Redis { what, detail }
            | Self::Bypass { what, detail }
            | Self::Job { what, detail } => {
                vec![("what", text(what)), ("detail", text(detail))]
            }
            Self::Start { detail } | Self::Stop { detail } => vec![("detail", text(detail))],
        }
    }
}

fn perhaps(value: Option<&str>) -> Value {
    value.map_or(Value::Null, text)
}

/// A text as the log has it, cut where it is long.
fn text(value: &str) -> Value {
    let value = redacted(value);
    match value.char_indices().nth(limits::EVENT_CHARS_MAX) {
        Some((end, _)) => format!("{}…", value.get(..end).unwrap_or_default()).into(),
        None => value.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples() -> Vec<Event<'static>> {
        let rule = Some("r");
        vec![
            Event::Hit { key: "k", rule, ttl: -1 },
            Event::Miss { key: "k", rule, reason: Some("x") },
            Event::Store { key: "k", rule, ttl: 1, bytes: 2 },
            Event::Purge {
                selector: "s",
                count: 1,
                by: "write",
                mode: Some("soft"),
                rule,
                widened: true,
            },
            Event::Evict { kind: "t", key: "k", cause: "size" },
            Event::Reload { ok: true, detail: "d" },
            Event::Fault { code: "c", detail: "d" },
            Event::Start { detail: "d" },
            Event::Stop { detail: "d" },
            Event::Redis { what: "down", detail: "d" },
            Event::Audit { who: "w", call: "c", what: "x", outcome: "o" },
            Event::Bypass { what: "on", detail: "d" },
            Event::Alert {
                raised: true,
                alert: "a",
                severity: "s",
                value: "v",
                cause: "c",
                command: "d",
            },
            Event::Ignored { field: "f", target: "t", why: "w" },
            Event::Refresh { count: 1, left_out: 2, rule },
            Event::Job { what: "done", detail: "d" },
            Event::Sync { what: "done", entries: 3, changed: 2, failed: 1, ms: 4, job: "j" },
        ]
    }

    #[test]
    fn it_has_the_members_of_the_line_in_the_log() {
        let now = Timestamp::from_secs(0);
        let all = samples();
        assert_eq!(all.iter().map(Event::word).collect::<Vec<_>>(), WORDS);
        for event in all {
            let mut line = Vec::new();
            event.write(now, &mut line);
            let line = String::from_utf8(line).unwrap();
            let named: Vec<_> = line
                .split(' ')
                .filter_map(|word| word.split_once('='))
                .map(|pair| pair.0)
                .collect();
            let told: Value = serde_json::from_str(&event.json(now)).unwrap();
            let mut members: Vec<_> = told.as_object().unwrap().keys().skip(2).collect();
            // Words that stand in the log without a name.
            members.retain(|name| !["what", "ok", "raised"].contains(&name.as_str()));
            let named: Vec<_> = named.into_iter().filter(|name| *name != "what").collect();
            assert_eq!(members, named, "{line}");
            assert_eq!(
                (&told["at"], &told["event"]),
                (&"1970-01-01T00:00:00.000Z".into(), &event.word().into())
            );
        }
    }

    #[test]
    fn secrets_are_struck_out_and_long_texts_cut() {
        let key = "http://h/a?token=abc";
        let event = Event::Hit { key, rule: None, ttl: 1 };
        assert!(!event.json(Timestamp::from_secs(0)).contains("abc"));
        assert_eq!(event.subject(), "http://h/a?token=***");
        let long = "ñ".repeat(limits::EVENT_CHARS_MAX + 1);
        assert_eq!(text(&long).as_str().unwrap().chars().count(), limits::EVENT_CHARS_MAX + 1);
    }
}
