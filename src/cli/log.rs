//! `cistern log`: what happened lately on a node, and what happens from then on.

use std::io::Write as _;

use serde_json::Value;

use crate::base::names;
use crate::cli::Exit;
use crate::cli::args::Log;
use crate::cli::client::{self, Flow, query};

/// Words of what is told only while it happens.
const PASSING: [&str; 4] = ["HIT", "MISS", "STORE", "EVICT"];

/// `cistern log`.
pub(super) fn log(asked: &Log) -> Exit {
    let limit = asked.limit.to_string();
    let mut pairs = vec![("limit", limit.as_str())];
    let kinds = asked.kind.join(",");
    if !kinds.is_empty() {
        pairs.push(("kind", &kinds));
    }
    if let Some(key) = &asked.key {
        pairs.push(("key", key));
    }
    if asked.follow {
        pairs.push(("follow", "1"));
    }
    let is_passing = |kind: &String| PASSING.iter().any(|word| word.eq_ignore_ascii_case(kind));
    if !asked.follow && asked.kind.iter().any(is_passing) {
        eprintln!("note: {} are told only as they happen; add --follow", PASSING.join(", "));
    }
    let path = format!("{}/events{}", names::ADMIN_ROOT, query(&pairs));
    client::lines(&asked.node, &path, |line| {
        let text = if asked.node.json { line.to_owned() } else { shown(line) };
        let mut stdout = std::io::stdout();
        // Nobody reads any more: that is an end as good as any.
        match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
            Ok(()) => Flow::On,
            Err(_) => Flow::Enough,
        }
    })
}

/// A line as the event log has it.
fn shown(line: &str) -> String {
    let Ok(Value::Object(told)) = serde_json::from_str(line) else { return line.to_owned() };
    if let Some(lost) = told.get("lost") {
        return format!("… {lost} lines were lost: they came faster than they were read");
    }
    let text = |name: &str| told.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut words = vec![text("at"), text("event")];
    for (name, value) in told.iter().filter(|(name, _)| !["at", "event"].contains(&name.as_str())) {
        let value = match value.as_str() {
            Some(text) if is_plain(text) => text.to_owned(),
            Some(text) => format!("{text:?}"),
            None => value.to_string(),
        };
        words.push(format!("{name}={value}"));
    }
    words.join(" ")
}

fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|letter| letter.is_ascii_graphic() && letter != '"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_reads_as_in_the_log() {
        let line =
            r#"{"at":"2026-11-20T15:28:43.057Z","event":"PURGE","selector":"a b","count":1}"#;
        assert_eq!(shown(line), r#"2026-11-20T15:28:43.057Z PURGE selector="a b" count=1"#);
        assert!(shown(r#"{"lost":3}"#).contains("3 lines"));
        assert_eq!(shown("?"), "?");
    }
}
