//! Every setting with its value and where it was said, as `config show` prints them. Secrets are
//! hidden here, so that nothing further up sees them.

use serde_json::{Value, json};

use crate::base::names;
use crate::base::units::{ByteSize, Span};
use crate::node::file::{Provenance, Read};
use crate::node::settings::Settings;
use crate::node::settings::redis_url::hidden;

/// One setting.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// Its key in `cistern.toml`, `section.field`; or a flag's or variable's own name.
    pub key: String,
    /// What runs; null for nothing. A secret is `<hidden>`.
    pub value: Value,
    /// `built-in`, `FILE:LINE`, a variable, or a flag.
    pub from: String,
}

/// What stands for a secret.
const HIDDEN: &str = "<hidden>";

/// All settings, in the order in which the file's keys are declared.
pub(super) fn all(settings: &Settings, read: &Read) -> Vec<Shown> {
    let mut rows = Vec::new();
    // It is made of texts, numbers and lists: nothing in it cannot be written.
    let file = serde_json::to_value(&read.file).unwrap_or_default();
    walk("", &file, read, &mut rows);
    for row in &mut rows {
        if let Some(value) = effective(&row.key, settings) {
            let by_url = matches!(row.key.as_str(), "l2.db" | "l2.tls") && row.value.is_null();
            if by_url && value != json!(0) && value != json!(false) {
                row.from = read.places.of("l2.url").to_string();
            }
            row.value = value;
        }
        if let Value::String(text) = &mut row.value {
            *text = hidden(text);
        }
    }
    let variables = &read.variables;
    let mut more = |key: &str, value: Value, from: &str| {
        rows.push(Shown { key: key.to_owned(), value, from: from.to_owned() });
    };
    if let Some((_, name)) = &variables.password
        && settings.l2.is_some()
    {
        more("l2.password", json!(HIDDEN), name);
    }
    if let Some((_, name)) = &variables.keys {
        more("l2.keys", json!(HIDDEN), name);
    }
    let text = |span: &Span| json!(span.to_string());
    if let Some(ttl) = &variables.cache_ttl {
        more(names::REDIS_CACHE_TTL, text(ttl), "environment");
    }
    if let Some(prefix) = &variables.cache_prefix {
        more(names::CACHE_PREFIX, json!(prefix), "environment");
    }
    if let Some(origin) = &settings.origin {
        more("--origin", json!(hidden(origin)), "--origin");
    }
    rows
}

fn walk(before: &str, value: &Value, read: &Read, rows: &mut Vec<Shown>) {
    let Value::Object(members) = value else { return };
    for (name, value) in members {
        let key = format!("{before}{name}");
        match value {
            Value::Object(_) => walk(&format!("{key}."), value, read, rows),
            Value::Array(all) if all.iter().any(Value::is_object) => {
                for (at, one) in all.iter().enumerate() {
                    walk(&format!("{key}[{at}]."), one, read, rows);
                }
            }
            _ => {
                // What was put out of force by another value says nothing any more.
                let from = if value.is_null() { Provenance::BuiltIn } else { read.places.of(&key) };
                rows.push(Shown { key, value: value.clone(), from: from.to_string() });
            }
        }
    }
}

/// What runs where the file says nothing, or says it in its own way.
fn effective(key: &str, settings: &Settings) -> Option<Value> {
    let l2 = settings.l2.as_ref();
    Some(match key {
        "rules" => json!(settings.rules.as_ref()?.display().to_string()),
        "workers" => json!(settings.workers),
        "l1.size" => json!(ByteSize(settings.l1_size).to_string()),
        "headers.targeted" => {
            json!(settings.targeted.iter().map(ToString::to_string).collect::<Vec<_>>())
        }
        "l2.db" => json!(l2?.db),
        "l2.tls" => json!(l2?.tls.is_some()),
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
