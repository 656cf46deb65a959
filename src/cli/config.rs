//! `cistern config show`: the settings as `run` would resolve them, each with where it was said.

use std::io::Write;

use serde_json::{Value, json};

use crate::cli::Exit;
use crate::cli::args::{ConfigShow, Machine};
use crate::node::settings::{self, Flags, Shown};

/// What the command line says of the machine.
pub(super) fn flags(machine: &Machine) -> Flags {
    Flags {
        config: machine.config.clone(),
        rules: machine.rules.clone(),
        origin: machine.origin.clone(),
        listen: machine.listen.clone(),
        admin_listen: machine.admin_listen.clone(),
        profile: machine.profile.clone(),
        workers: machine.workers,
        demo: false,
    }
}

/// Prints every setting.
pub(super) fn show(show: &ConfigShow) -> Exit {
    let told = settings::told(&flags(&show.machine), &super::environment());
    let (settings, rows) = match told {
        Ok(told) => told,
        Err(wrong) => {
            eprintln!("error: {wrong}");
            return Exit::Configuration;
        }
    };
    super::warn(&settings.warnings);
    let text = if show.json { document(&rows, &settings.warnings) } else { table(&rows) };
    // A reader that has seen enough is no failure.
    drop(std::io::stdout().write_all(text.as_bytes()));
    Exit::Done
}

/// One object with every setting.
fn document(rows: &[Shown], warnings: &[String]) -> String {
    let row = |row: &Shown| json!({ "key": row.key, "value": row.value, "from": row.from });
    let rows: Vec<Value> = rows.iter().map(row).collect();
    format!("{}\n", json!({ "settings": rows, "warnings": warnings }))
}

/// Three columns: key, value, where it was said.
fn table(rows: &[Shown]) -> String {
    let rows: Vec<_> = rows.iter().map(|row| (&row.key, written(&row.value), &row.from)).collect();
    let width = |length: &dyn Fn(&(&String, String, &String)) -> usize| {
        rows.iter().map(length).max().unwrap_or_default()
    };
    let keys = width(&|row| row.0.chars().count());
    let values = width(&|row| row.1.chars().count().min(VALUE_COLUMNS));
    let line = |(key, value, from): &(&String, String, &String)| {
        format!("{key:keys$}  {value:values$}  {from}\n")
    };
    rows.iter().map(line).collect()
}

/// A longer value pushes its own line aside, and no other.
const VALUE_COLUMNS: usize = 40;

/// A value as people write it, without quotes.
fn written(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(all) if all.is_empty() => "[]".to_owned(),
        Value::Array(all) => all.iter().map(written).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(key: &str, value: Value, from: &str) -> Shown {
        Shown { key: key.into(), value, from: from.into() }
    }

    #[test]
    fn the_columns_are_aligned() {
        let long = "x".repeat(50);
        let rows = [
            row("profile", json!("safe"), "built-in"),
            row("l2", Value::Null, "built-in"),
            row("trust.peers", json!(["10.0.0.0/8", "::1"]), "c.toml:3"),
            row("purge.networks", json!([]), "CISTERN_PURGE__NETWORKS"),
            row("l2.journal", json!(long), "c.toml:9"),
        ];
        let text = table(&rows);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0].find("safe"), lines[1].find("none"));
        assert_eq!(lines[0].find("built-in"), lines[2].find("c.toml:3"));
        assert!(lines[2].contains("10.0.0.0/8, ::1 ") && lines[3].contains("  []  "));
        assert!(lines[4].ends_with(&format!("{long}  c.toml:9")));
        assert!(lines.iter().all(|line| !line.ends_with(' ')));
    }

    #[test]
    fn programs_get_values_with_their_types() {
        let rows = [row("l2.db", json!(3), "REDIS_URL"), row("l2.tls", json!(true), "built-in")];
        let text = document(&rows, &["w".to_owned()]);
        let read: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["settings"][0]["value"], json!(3));
        assert_eq!(read["settings"][1]["from"], json!("built-in"));
        assert_eq!(read["warnings"], json!(["w"]));
    }
}
