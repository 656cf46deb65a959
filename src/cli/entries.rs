//! `cistern keys`, `get` and `put`: what stands in a node and its shared level, and putting there.

use std::io::{Read, Write};
use std::path::Path;

use serde_json::Value;

use crate::base::{limits, names};
use crate::cli::Exit;
use crate::cli::args::{Get, Keys, Level, Put};
use crate::cli::client::{self, Sent, query};

/// `cistern keys`.
pub(super) fn keys(asked: &Keys) -> Exit {
    let level = if asked.level == Level::L2 { "l2" } else { "l1" };
    let mut rows: Vec<Value> = Vec::new();
    let mut after = asked.after.clone();
    loop {
        let left = asked.limit.saturating_sub(rows.len()).min(limits::LISTED_MAX);
        if left == 0 {
            break;
        }
        let limit = left.to_string();
        let mut pairs =
            vec![("selector", asked.selector.as_str()), ("level", level), ("limit", &limit)];
        pairs.extend(after.as_deref().map(|after| ("after", after)));
        let path = format!("{}/keys{}", names::ADMIN_ROOT, query(&pairs));
        let mut page = match client::call(&asked.node, "GET", &path, None) {
            Ok((200, page)) => page,
            Ok((status, problem)) => return client::refused(status, &problem),
            Err(exit) => return exit,
        };
        if let Some(entries) = page["entries"].as_array_mut() {
            rows.append(entries);
        }
        after = page["next"].as_str().map(str::to_owned);
        if after.is_none() {
            break;
        }
    }
    if asked.node.json {
        println!("{}", serde_json::json!({ "entries": rows, "next": after }));
        return Exit::Done;
    }
    // A reader that has seen enough is no failure.
    drop(std::io::stdout().write_all(table(&rows).as_bytes()));
    if let Some(after) = after {
        eprintln!("there are more: --after {after}");
    }
    Exit::Done
}

fn table(rows: &[Value]) -> String {
    let line = |[kind, age, ttl, bytes, key]: [&str; 5]| {
        format!("{kind:16} {age:>8} {ttl:>8} {bytes:>10}  {key}\n")
    };
    let mut text = line(["type", "age", "ttl", "bytes", "key"]);
    for row in rows {
        let number = |name: &str| match &row[name] {
            Value::Null => "-".to_owned(),
            value => value.to_string(),
        };
        let kind = row["type"].as_str().filter(|kind| !kind.is_empty()).unwrap_or("-");
        let (key, site) =
            (row["key"].as_str().unwrap_or_default(), row["site"].as_str().unwrap_or_default());
        let own = if row["own"] == true { "  (one caller's)" } else { "" };
        let site = if site.is_empty() { String::new() } else { format!("  {site}") };
        let tenant = row["tenant"].as_str().map(|name| format!("  (of {name})"));
        let key = format!("{key}{site}{}{own}", tenant.unwrap_or_default());
        text += &line([kind, &number("age"), &number("ttl"), &number("bytes"), &key]);
    }
    text
}

/// `cistern get`.
pub(super) fn get(asked: &Get) -> Exit {
    let mut pairs = Vec::new();
    pairs.extend(asked.key.as_deref().map(|key| ("key", key)));
    pairs.extend(asked.url.as_deref().map(|url| ("url", url)));
    if asked.body {
        pairs.push(("body", "1"));
        return body(asked, &pairs);
    }
    let path = format!("{}/entry{}", names::ADMIN_ROOT, query(&pairs));
    match client::call(&asked.node, "GET", &path, None) {
        Ok((200, told)) if asked.node.json => {
            println!("{told}");
            Exit::Done
        }
        Ok((200, told)) => {
            drop(std::io::stdout().write_all(shown(&told).as_bytes()));
            if let Some(why) = told["l2_untold"].as_str() {
                eprintln!("warning: of the shared level it is not known: {why}");
            }
            Exit::Done
        }
        Ok((status, problem)) => client::refused(status, &problem),
        Err(exit) => exit,
    }
}

fn body(asked: &Get, pairs: &[(&str, &str)]) -> Exit {
    let path = format!("{}/entry{}", names::ADMIN_ROOT, query(pairs));
    let sent = Sent { method: "GET", path: &path, content_type: "", body: &[], waits: false };
    match client::send(&asked.node, &sent) {
        Ok((200, bytes)) => {
            drop(std::io::stdout().write_all(&bytes));
            Exit::Done
        }
        Ok((status, bytes)) => {
            client::refused(status, &serde_json::from_slice(&bytes).unwrap_or_default())
        }
        Err(exit) => exit,
    }
}

/// All that is known, a block for each answer.
fn shown(told: &Value) -> String {
    let mut text = format!("{:13} {}\n", "key", told["key"].as_str().unwrap_or_default());
    for variant in told["variants"].as_array().into_iter().flatten() {
        text += "\n";
        for (name, value) in variant.as_object().into_iter().flatten() {
            let value = match value {
                Value::Null | Value::Bool(false) => continue,
                Value::String(text) if text.is_empty() => continue,
                Value::String(text) => text.clone(),
                Value::Array(all) if all.is_empty() => continue,
                Value::Array(all) => {
                    all.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
                }
                other => other.to_string(),
            };
            text.extend([format!("{name:13} "), value, "\n".to_owned()]);
        }
    }
    text
}

/// `cistern put`.
pub(super) fn put(asked: &Put) -> Exit {
    let bytes = match contents(&asked.file) {
        Ok(bytes) => bytes,
        Err(error) => {
            eprintln!("error: {}: {error}", asked.file.display());
            return Exit::Usage;
        }
    };
    let mut pairs = vec![("key", asked.key.as_str())];
    let said = [("type", &asked.kind), ("url", &asked.url), ("rule", &asked.rule)];
    for (name, value) in said.into_iter().chain([("ttl", &asked.ttl)]) {
        pairs.extend(value.as_deref().map(|value| (name, value)));
    }
    pairs.extend(asked.tags.iter().map(|tag| ("tag", tag.as_str())));
    pairs.extend(asked.sites.iter().map(|site| ("site", site.as_str())));
    let path = format!("{}/entry{}", names::ADMIN_ROOT, query(&pairs));
    let content_type = asked.content_type.as_deref().unwrap_or_else(|| media_type(&bytes));
    let sent = Sent { method: "PUT", path: &path, content_type, body: &bytes, waits: false };
    match client::send(&asked.node, &sent) {
        Ok((200, told)) => {
            let told: Value = serde_json::from_slice(&told).unwrap_or_default();
            if asked.node.json {
                println!("{told}");
            } else {
                println!("{}", done(&told));
            }
            Exit::Done
        }
        Ok((status, told)) => {
            client::refused(status, &serde_json::from_slice(&told).unwrap_or_default())
        }
        Err(exit) => exit,
    }
}

fn done(told: &Value) -> String {
    let word = |level: &Value| match level {
        Value::Bool(true) => "stored",
        Value::Bool(false) => "not stored",
        _ => "no part of it",
    };
    let number = |value: &Value| value.as_u64().unwrap_or_default();
    format!(
        "put {}: L1 {}, L2 {}, ttl {}s, in place of {} entries",
        told["key"].as_str().unwrap_or_default(),
        word(&told["l1"]),
        word(&told["l2"]),
        number(&told["ttl"]),
        number(&told["purged"]["entries"]),
    )
}

fn contents(file: &Path) -> std::io::Result<Vec<u8>> {
    let most = limits::FRAME_BODY_BYTES_MAX;
    let mut bytes = Vec::new();
    if file == Path::new("-") {
        std::io::stdin().lock().take(most + 1).read_to_end(&mut bytes)?;
    } else {
        std::fs::File::open(file)?.take(most + 1).read_to_end(&mut bytes)?;
    }
    if bytes.len() as u64 > most {
        return Err(std::io::Error::other(format!("longer than {most} bytes")));
    }
    Ok(bytes)
}

/// What a body is, as far as it shows.
fn media_type(bytes: &[u8]) -> &'static str {
    if serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok() {
        "application/json"
    } else if std::str::from_utf8(bytes).is_ok() {
        "text/plain; charset=utf-8"
    } else {
        "application/octet-stream"
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_body_tells_what_it_is() {
        assert_eq!(media_type(b"{\"a\":1}"), "application/json");
        assert_eq!(media_type("año".as_bytes()), "text/plain; charset=utf-8");
        assert_eq!(media_type(&[0xff, 0]), "application/octet-stream");
    }

    #[test]
    fn what_is_not_known_is_not_shown() {
        let told = json!({
            "key": "doc:1",
            "variants": [{ "level": "l1", "site": "", "own": false, "tags": ["a", "b"],
                           "status": 200, "number": null }],
        });
        let text = shown(&told);
        assert!(text.contains("tags          a b") && text.contains("status        200"), "{text}");
        assert!(!text.contains("number") && !text.contains("own"), "{text}");
        let rows =
            [json!({ "type": "", "age": 1, "ttl": null, "bytes": 9, "key": "k", "own": true })];
        let text = table(&rows);
        assert!(text.lines().last().unwrap().ends_with("k  (one caller's)"), "{text}");
    }
}
