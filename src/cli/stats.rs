//! `cistern stats`: the numbers of a node, as tables.

use serde_json::Value;

use crate::base::clock::Timestamp;
use crate::base::names;
use crate::base::units::ByteSize;
use crate::cli::Exit;
use crate::cli::args::Node;
use crate::cli::client;
use crate::telemetry::time::write_rfc3339;

/// Rows of happenings that say how well the cache works, in this order.
const EVENTS: [(&str, &str); 5] = [
    ("hit", "hits"),
    ("miss", "misses"),
    ("store", "stored"),
    ("purged_entries", "purged entries"),
    ("fault", "faults"),
];

/// `cistern stats`.
pub(super) fn stats(node: &Node) -> Exit {
    match client::call(node, "GET", &format!("{}/stats", names::ADMIN_ROOT), None) {
        Ok((200, told)) if node.json => {
            println!("{told}");
            Exit::Done
        }
        Ok((200, told)) => {
            print!("{}", table(&told));
            Exit::Done
        }
        Ok((status, problem)) => client::refused(status, &problem),
        Err(exit) => exit,
    }
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_default()
}

fn table(told: &Value) -> String {
    let mut rows = vec![row("requests", number(&told["requests"]))];
    let events = &told["events"];
    rows.extend(EVENTS.map(|(event, name)| row(name, number(&events[event]))));
    let (hits, misses) = (number(&events["hit"]), number(&events["miss"]));
    if hits + misses > 0 {
        let ratio = 100.0 * hits as f64 / (hits + misses) as f64;
        rows.push(row("hit ratio", format_args!("{ratio:.1} %")));
    }
    rows.push(row("in transit", ByteSize(number(&told["transit"]["bytes"]))));
    if told["bypass"]["on"] == true {
        rows.push(row("bypass", "on"));
    }
    rows.extend(last_sync(&told["last_sync"]));
    let l2 = &told["l2"];
    if l2.is_object() {
        rows.push(row("L2 servers", l2["servers"].as_array().map_or(0, Vec::len)));
        let counts = ["hits", "misses", "puts", "faults"];
        rows.extend(counts.map(|name| row(&format!("L2 {name}"), number(&l2[name]))));
    }
    rows.extend(traffic(told));
    rows.extend(levels(told));
    rows.extend(kinds(told));
    rows.join("\n") + "\n"
}

/// When entries were held against their origin, and what came of it.
fn last_sync(told: &Value) -> Option<String> {
    let mut at = Vec::new();
    write_rfc3339(Timestamp::from_millis(told["at_ms"].as_u64()?), &mut at);
    let at = String::from_utf8_lossy(&at).into_owned();
    let [entries, changed, failed] =
        ["entries", "changed", "failed"].map(|name| number(&told[name]));
    let seconds = told["seconds"].as_f64().unwrap_or_default();
    let came = format!("{entries} entries, {changed} changed, {failed} failed, {seconds} s");
    Some(row("last sync", format_args!("{at}: {came}")))
}

/// Columns of requests, each with where its number stands.
const TRAFFIC: [(&str, &str); 12] = [
    ("requests", "/requests"),
    ("L1 hits", "/hits/l1"),
    ("L2 hits", "/hits/l2"),
    ("stale", "/stale"),
    ("misses", "/misses"),
    ("joined", "/coalesced"),
    ("bypass", "/bypass"),
    ("errors", "/errors"),
    ("hit ratio", "/hit_ratio"),
    ("sent", "/bytes_sent"),
    ("p50 ms", "/p50_ms"),
    ("p99 ms", "/p99_ms"),
];

/// A table of requests for each thing that they can be told apart by, where there were any.
fn traffic(told: &Value) -> Vec<String> {
    let mut rows = Vec::new();
    for (list, name) in [("rules", "rule"), ("types", "type"), ("origins", "origin")] {
        let all = told[list].as_array().into_iter().flatten();
        let busy: Vec<&Value> = all.filter(|one| number(&one["requests"]) > 0).collect();
        if busy.is_empty() {
            continue;
        }
        rows.push(String::new());
        rows.push(cells(name, TRAFFIC.map(|(heading, _)| heading.to_owned())));
        for one in busy {
            let cell = |(_, at): (&str, &str)| cell(at, one.pointer(at).unwrap_or(&Value::Null));
            rows.push(cells(named(one, name), TRAFFIC.map(cell)));
        }
    }
    rows
}

fn levels(told: &Value) -> Vec<String> {
    let mut rows = Vec::new();
    for level in told["levels"].as_array().into_iter().flatten() {
        if rows.is_empty() {
            rows.push(String::new());
            let headings = ["answered", "sent", "p50 ms", "p99 ms", "entries", "bytes"];
            rows.push(cells("level", headings.map(String::from)));
        }
        let fields = ["/answered", "/bytes_sent", "/p50_ms", "/p99_ms", "/entries", "/bytes"];
        let cell = |at: &str| cell(at, level.pointer(at).unwrap_or(&Value::Null));
        rows.push(cells(named(level, "level"), fields.map(cell)));
    }
    rows
}

fn kinds(told: &Value) -> Vec<String> {
    let headings = ["entries", "bytes", "budget", "evicted", "expired"];
    let mut rows = vec![String::new(), cells("type", headings.map(String::from))];
    let fields = ["/entries", "/bytes", "/budget_bytes", "/evictions_by_size", "/evictions_by_ttl"];
    for kind in told["types"].as_array().into_iter().flatten() {
        let cell = |at: &str| cell(at, kind.pointer(at).unwrap_or(&Value::Null));
        rows.push(cells(named(kind, "type"), fields.map(cell)));
    }
    rows
}

fn named<'a>(of: &'a Value, name: &str) -> &'a str {
    of[name].as_str().filter(|name| !name.is_empty()).unwrap_or("-")
}

/// A value as people read it; what nobody knows is a dash.
fn cell(at: &str, value: &Value) -> String {
    match value.as_f64() {
        None => "-".to_owned(),
        Some(ratio) if at.ends_with("ratio") => format!("{:.1} %", 100.0 * ratio),
        Some(ms) if at.ends_with("_ms") => format!("{ms:.2}"),
        Some(_) if at.contains("bytes") => ByteSize(number(value)).to_string(),
        Some(_) => number(value).to_string(),
    }
}

/// A name, and numbers in columns.
fn cells<const N: usize>(name: &str, cells: [String; N]) -> String {
    cells.iter().fold(format!("{name:18}"), |row, cell| row + &format!(" {cell:>10}"))
}

fn row(name: &str, value: impl std::fmt::Display) -> String {
    format!("{name:18} {:>14}", value.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_told_is_not_shown() {
        let told = json!({
            "requests": 10,
            "events": { "hit": 3, "miss": 1 },
            "transit": { "bytes": 2_000 },
            "types": [{ "type": "", "entries": 4, "bytes": 5_000, "budget_bytes": 256_000_000 }],
            "l2": null,
        });
        let table = table(&told);
        assert!(table.contains("hit ratio") && table.contains("75.0 %"), "{table}");
        assert!(!table.contains("L2"), "{table}");
        assert!(table.lines().last().unwrap().starts_with("-  "), "{table}");
        assert!(!super::table(&json!({})).contains("ratio"), "nobody asked anything yet");
        let on = super::table(&json!({ "bypass": { "on": true } }));
        assert!(on.contains("bypass") && !table.contains("bypass"), "{on}");
        let last = json!({ "at_ms": 0, "entries": 9, "changed": 2, "failed": 1, "seconds": 0.5 });
        let synced = super::table(&json!({ "last_sync": last }));
        let came = "1970-01-01T00:00:00.000Z: 9 entries, 2 changed, 1 failed, 0.5 s";
        assert!(synced.contains(came) && !table.contains("last sync"), "{synced}");
    }

    #[test]
    fn requests_are_shown_by_rule_and_origin() {
        let busy = json!({
            "requests": 4, "hits": { "l1": 2, "l2": 0 }, "misses": 1, "bypass": 1, "errors": 0,
            "hit_ratio": 0.666_7, "bytes_sent": 3_000, "p50_ms": 0.25, "p99_ms": null,
        });
        let with = |name: &str, value: &str| {
            let mut told = busy.clone();
            told[name] = value.into();
            told
        };
        let told = json!({
            "rules": [with("rule", "docs"), { "rule": "idle", "requests": 0 }],
            "origins": [with("origin", "shop")],
            "levels": [{ "level": "l1", "answered": 2, "p50_ms": 0.25, "bytes": 5_000 }],
        });
        let table = table(&told);
        let line = |name: &str| {
            let words = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
            words.into_iter().find(|words| words.first() == Some(&name)).unwrap_or_default()
        };
        assert_eq!(
            line("docs"),
            line("shop")
                .iter()
                .map(|word| match *word {
                    "shop" => "docs",
                    word => word,
                })
                .collect::<Vec<_>>()
        );
        assert_eq!(line("docs")[1..4], ["4", "2", "0"]);
        assert!(line("docs").contains(&"66.7") && line("docs").contains(&"0.25"), "{table}");
        assert_eq!(line("docs").last(), Some(&"-"), "nobody knows it");
        assert!(line("idle").is_empty(), "{table}");
        assert_eq!(line("l1")[1], "2", "{table}");
    }

    #[test]
    fn the_shared_level_is_counted_as_the_node_tells_it() {
        let told = json!({ "l2": { "servers": [{}, {}], "hits": 12, "puts": 34 } });
        let table = table(&told);
        let shows = |name: &str, value: &str| {
            table.lines().any(|line| line.starts_with(name) && line.ends_with(value))
        };
        assert!(shows("L2 servers", " 2") && shows("L2 hits", " 12"), "{table}");
        assert!(shows("L2 puts", " 34") && shows("L2 faults", " 0"), "{table}");
    }
}
