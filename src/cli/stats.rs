//! `cistern stats`: the numbers of a node, as tables.

use serde_json::Value;

use crate::base::names;
use crate::base::units::ByteSize;
use crate::cli::Exit;
use crate::cli::args::Node;
use crate::cli::client;

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
    let l2 = &told["l2"];
    if l2.is_object() {
        rows.push(row("L2 servers", l2["servers"].as_array().map_or(0, Vec::len)));
        let counts = ["hits", "misses", "puts", "faults"];
        rows.extend(counts.map(|name| row(&format!("L2 {name}"), number(&l2[name]))));
    }
    rows.push(String::new());
    rows.push(kind_row(
        ["type", "entries", "bytes", "budget", "evicted", "expired"].map(String::from),
    ));
    for kind in told["types"].as_array().into_iter().flatten() {
        let name = kind["type"].as_str().filter(|name| !name.is_empty()).unwrap_or("-");
        let size = |field: &str| ByteSize(number(&kind[field])).to_string();
        let count = |field: &str| number(&kind[field]).to_string();
        rows.push(kind_row([
            name.to_owned(),
            count("entries"),
            size("bytes"),
            size("budget_bytes"),
            count("evictions_by_size"),
            count("evictions_by_ttl"),
        ]));
    }
    rows.join("\n") + "\n"
}

fn row(name: &str, value: impl std::fmt::Display) -> String {
    format!("{name:18} {:>14}", value.to_string())
}

fn kind_row([name, entries, bytes, budget, evicted, expired]: [String; 6]) -> String {
    format!("{name:18} {entries:>10} {bytes:>12} {budget:>12} {evicted:>10} {expired:>10}")
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
