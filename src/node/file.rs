//! `cistern.toml` as written, with the environment laid over it. Unknown keys are errors, and keys
//! of what is not built yet say so: nothing is accepted and without effect.

use std::path::Path;

use serde::Deserialize;
use toml::{Table, Value};

use crate::node::settings::SettingsError;

/// The whole file; every field has its built-in value.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct File {
    pub(crate) profile: String,
    pub(crate) rules: Option<String>,
    pub(crate) memory: String,
    pub(crate) workers: Option<usize>,
    pub(crate) log: Log,
    pub(crate) drain: Drain,
    pub(crate) headers: Headers,
    pub(crate) compat: Compat,
    pub(crate) listen: Vec<Listen>,
    pub(crate) admin: Admin,
    pub(crate) l1: L1,
    pub(crate) trust: Trust,
    pub(crate) purge: Purge,
}

macro_rules! section {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty = $value:expr,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub(crate) struct $name { $(pub(crate) $field: $type,)* }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $value,)* }
            }
        }
    };
}

impl Default for File {
    fn default() -> Self {
        Self {
            profile: "safe".into(),
            rules: None,
            memory: "60%".into(),
            workers: None,
            log: Log::default(),
            drain: Drain::default(),
            headers: Headers::default(),
            compat: Compat::default(),
            listen: Vec::new(),
            admin: Admin::default(),
            l1: L1::default(),
            trust: Trust::default(),
            purge: Purge::default(),
        }
    }
}

section! {
    /// `log`.
    Log {
        access: String = "stdout".into(),
        access_format: String = "json".into(),
        events: String = "stdout".into(),
        rotate: String = "100MB".into(),
        keep: u32 = 5,
    }
}
section! {
    /// `drain`.
    Drain { delay: String = "5s".into(), timeout: String = "30s".into(), }
}
section! {
    /// `headers`.
    Headers {
        cache_status: String = "all".into(),
        key: String = "plain".into(),
        via: String = "on".into(),
        targeted: Option<Vec<String>> = None,
        forwarded: String = "x-forwarded".into(),
    }
}
section! {
    /// `compat`.
    Compat { x_cache: bool = false, }
}
section! {
    /// One of `[[listen]]`.
    Listen { address: String = "127.0.0.1:8080".into(), }
}
section! {
    /// `[admin]`.
    Admin { listen: String = "127.0.0.1:9180".into(), }
}
section! {
    /// `[l1]`.
    L1 {
        size: Option<String> = None,
        policy: String = "tinylfu".into(),
        max_object: String = "8MB".into(),
    }
}
section! {
    /// `[trust]`.
    Trust { peers: Vec<String> = Vec::new(), clients: Vec<String> = Vec::new(), }
}
section! {
    /// `[purge]`.
    Purge { networks: Vec<String> = Vec::new(), token_file: Option<String> = None, }
}

/// Keys that belong to capabilities which are not built, with what they would bring.
const NOT_BUILT: [(&str, &str); 6] = [
    ("l2", "the shared level"),
    ("telemetry", "tenant metrics"),
    ("timezone", "hours of adaptive TTL"),
    ("compat.aliases", "the old systems' calls"),
    ("compat.gad", "the old systems' calls"),
    ("admin.tokens_file", "tokens of the admin API"),
];

/// Reads the file, if there is one, and lays the environment over it.
pub(crate) fn read(
    path: Option<&Path>,
    environment: &[(String, String)],
) -> Result<File, SettingsError> {
    let place = path.map_or_else(|| "settings".to_owned(), |path| path.display().to_string());
    let mut table = match path {
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|e| SettingsError::new(&place, e))?;
            text.parse::<Table>().map_err(|e| SettingsError::new(&place, e))?
        }
        None => Table::new(),
    };
    fill_in(&mut table, environment, &place)?;
    overlay(&mut table, environment)?;
    for (key, what) in NOT_BUILT {
        if present(&table, key) {
            let problem = format!("not built yet: {what}; take `{key}` out");
            return Err(SettingsError::new(format!("{place} {key}"), problem));
        }
    }
    if table.get("listen").and_then(Value::as_array).into_iter().flatten().any(has_tls) {
        let problem = "TLS is not built yet; terminate it in front and take `tls` out";
        return Err(SettingsError::new(format!("{place} listen.tls"), problem));
    }
    // A variable that is wrong by itself is named; in the whole it would have no name.
    for variable in environment.iter().filter(|(name, _)| name.starts_with("CISTERN_")) {
        let mut alone = Table::new();
        overlay(&mut alone, std::slice::from_ref(variable))?;
        typed(alone, &variable.0)?;
    }
    typed(table, &place)
}

fn typed(table: Table, place: &str) -> Result<File, SettingsError> {
    Value::Table(table)
        .try_into()
        .map_err(|e: toml::de::Error| SettingsError::new(place, e.to_string().trim().to_owned()))
}

fn has_tls(listen: &Value) -> bool {
    listen.get("tls").is_some()
}

fn present(table: &Table, key: &str) -> bool {
    let mut value = None;
    for (depth, part) in key.split('.').enumerate() {
        let inside = if depth == 0 { table.get(part) } else { at(value, part) };
        value = inside;
    }
    value.is_some()
}

fn at<'a>(value: Option<&'a Value>, part: &str) -> Option<&'a Value> {
    value.and_then(|value| value.get(part))
}

/// Replaces `${NAME}` and `${NAME:-default}` in every string.
fn fill_in(
    table: &mut Table,
    environment: &[(String, String)],
    place: &str,
) -> Result<(), SettingsError> {
    for (key, value) in table.iter_mut() {
        fill_value(value, environment, &format!("{place} {key}"))?;
    }
    Ok(())
}

fn fill_value(
    value: &mut Value,
    environment: &[(String, String)],
    place: &str,
) -> Result<(), SettingsError> {
    match value {
        Value::String(text) => *text = filled(text, environment, place)?,
        Value::Array(all) => {
            for one in all {
                fill_value(one, environment, place)?;
            }
        }
        Value::Table(table) => fill_in(table, environment, place)?,
        _ => {}
    }
    Ok(())
}

fn filled(
    text: &str,
    environment: &[(String, String)],
    place: &str,
) -> Result<String, SettingsError> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((inside, next)) = after.split_once('}') else {
            return Err(SettingsError::new(place, "`${` without `}`"));
        };
        let (name, default) = match inside.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inside, None),
        };
        let known = environment.iter().find(|(n, v)| n == name && !v.is_empty());
        let value = known.map(|(_, value)| value.as_str()).or(default).ok_or_else(|| {
            let problem = format!("the variable {name} is not set; set it or write ${{{name}:-…}}");
            SettingsError::new(place, problem)
        })?;
        out.push_str(before);
        out.push_str(value);
        rest = next;
    }
    out.push_str(rest);
    Ok(out)
}

/// `CISTERN_SECTION__FIELD` over the file: `CISTERN_L1__SIZE=64MB`, `CISTERN_PROFILE=rfc`.
fn overlay(table: &mut Table, environment: &[(String, String)]) -> Result<(), SettingsError> {
    for (name, text) in environment {
        let Some(path) = name.strip_prefix("CISTERN_") else { continue };
        if RESERVED.contains(&name.as_str()) {
            continue;
        }
        let path = path.to_ascii_lowercase();
        let value = scalar(&path, text);
        match path.split_once("__") {
            None => drop(table.insert(path, value)),
            Some((section, field)) => {
                let inner = table
                    .entry(section.to_owned())
                    .or_insert_with(|| Value::Table(Table::new()))
                    .as_table_mut()
                    .ok_or_else(|| SettingsError::new(name, "that section is not a table"))?;
                inner.insert(field.to_owned(), value);
            }
        }
    }
    Ok(())
}

/// Variables with this prefix that speak to the command line, not to the settings.
const RESERVED: [&str; 2] = ["CISTERN_CONFIG", "CISTERN_ADMIN_URL"];

/// Fields that are lists: the variable separates their members by commas.
const LISTS: [&str; 4] = ["trust__peers", "trust__clients", "purge__networks", "headers__targeted"];

fn scalar(path: &str, text: &str) -> Value {
    if LISTS.contains(&path) {
        let members = text.split(',').map(str::trim).filter(|member| !member.is_empty());
        return Value::Array(members.map(|member| Value::String(member.to_owned())).collect());
    }
    match text {
        "true" | "false" => Value::Boolean(text == "true"),
        _ => text.parse().map_or_else(|_| Value::String(text.to_owned()), Value::Integer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_fill_in_strings() {
        let environment = [("PORT".to_owned(), "81".to_owned())];
        let fill = |text: &str| filled(text, &environment, "x");
        assert_eq!(fill("h:${PORT}/${NAME:-n}").unwrap(), "h:81/n");
        assert!(fill("${NAME}").unwrap_err().to_string().contains("NAME is not set"));
        assert!(fill("${NAME").is_err());
    }

    #[test]
    fn an_unknown_key_is_an_error() {
        let environment = [("CISTERN_L1__SIZ".to_owned(), "1MB".to_owned())];
        assert!(read(None, &environment).unwrap_err().to_string().contains("siz"));
        for name in ["CISTERN_FOO", "CISTERN_ADMIN_TOKEN", "CISTERN_L1__SIZ", "CISTERN_LISTEN"] {
            let wrong = read(None, &[(name.to_owned(), "x".to_owned())]).unwrap_err();
            assert!(wrong.to_string().contains(name), "{wrong}");
        }
        let clients =
            ["CISTERN_CONFIG", "CISTERN_ADMIN_URL"].map(|name| (name.to_owned(), "x".to_owned()));
        assert!(read(None, &clients).is_ok());
    }
}
