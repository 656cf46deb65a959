//! Reads the settings file and lays the environment over it: first the variables that other systems
//! use too (`REDIS_URL` and its kin), then ours. What is said keeps the name of where it was said.

use std::path::Path;

use toml::{Table, Value};

use crate::base::names;
use crate::node::file::places::line_at;
use crate::node::file::{File, Places, Provenance, Variables};
use crate::node::settings::SettingsError;

/// What was read, and where each value was said.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) file: File,
    pub(crate) places: Places,
    /// What other systems' variables say that is no key of the file.
    pub(crate) variables: Variables,
}

/// Keys that belong to capabilities which are not built, with what they would bring.
const NOT_BUILT: [(&str, &str); 2] =
    [("telemetry", "tenant metrics"), ("timezone", "hours of adaptive TTL")];

/// Reads the file, if there is one, and lays the environment over it.
pub(crate) fn read(
    path: Option<&Path>,
    environment: &[(String, String)],
) -> Result<Read, SettingsError> {
    let place = path.map_or_else(|| "settings".to_owned(), |path| path.display().to_string());
    let mut places = Places::default();
    let mut table = match path {
        Some(path) => parse(path, &mut places)?,
        None => Table::new(),
    };
    fill_in(&mut table, environment, &place)?;
    let mut variables = Variables::read(environment)?;
    variables.lay_over(&mut table, &mut places, environment);
    overlay(&mut table, environment, &mut places)?;
    for (key, what) in NOT_BUILT {
        if present(&table, key) {
            let problem = format!("not built yet: {what}; take `{key}` out");
            return Err(SettingsError::new(format!("{place} {key}"), problem));
        }
    }
    // A variable that is wrong by itself is named; in the whole it would have no name.
    for variable in environment.iter().filter(|(name, _)| name.starts_with(names::VARIABLE_PREFIX))
    {
        let mut alone = Table::new();
        overlay(&mut alone, std::slice::from_ref(variable), &mut Places::default())?;
        typed(alone, &variable.0)?;
    }
    Ok(Read { file: typed(table, &place)?, places, variables })
}

/// The file's table. An error tells the line and not its text, which may hold a password.
fn parse(path: &Path, places: &mut Places) -> Result<Table, SettingsError> {
    let place = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|e| SettingsError::new(&place, e))?;
    let table = text.parse::<Table>().map_err(|e| {
        let line = line_at(&text, e.span().map_or(0, |span| span.start));
        SettingsError::new(format!("{place}:{line}"), e.message())
    })?;
    places.learn(path, &text);
    Ok(table)
}

fn typed(table: Table, place: &str) -> Result<File, SettingsError> {
    Value::Table(table)
        .try_into()
        .map_err(|e: toml::de::Error| SettingsError::new(place, e.to_string().trim().to_owned()))
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

/// `CISTERN_SECTION__FIELD` over the file: `CISTERN_L1__SIZE=64MB`, `CISTERN_PROFILE=rfc`. An empty
/// variable says nothing, but for lists: of those it says that they are empty.
fn overlay(
    table: &mut Table,
    environment: &[(String, String)],
    places: &mut Places,
) -> Result<(), SettingsError> {
    for (name, text) in environment {
        let Some(path) = name.strip_prefix(names::VARIABLE_PREFIX) else { continue };
        let path = path.to_ascii_lowercase();
        let says_nothing = text.is_empty() && !LISTS.contains(&path.as_str());
        if says_nothing || RESERVED.contains(&name.as_str()) {
            continue;
        }
        let value = scalar(&path, text);
        places.set(path.replace("__", "."), Provenance::Variable(name.clone()));
        let (mut inner, mut field) = (&mut *table, path.as_str());
        while let Some((section, rest)) = field.split_once("__") {
            inner = inner
                .entry(section.to_owned())
                .or_insert_with(|| Value::Table(Table::new()))
                .as_table_mut()
                .ok_or_else(|| SettingsError::new(name, "that section is not a table"))?;
            field = rest;
        }
        inner.insert(field.to_owned(), value);
    }
    Ok(())
}

/// Variables with this prefix that are no key of the file.
const RESERVED: [&str; 5] = [
    names::CISTERN_CONFIG,
    names::CISTERN_ADMIN_URL,
    names::CISTERN_ADMIN_TOKEN,
    names::CISTERN_KEY,
    names::CISTERN_KEY_FILE,
];

/// Fields that are lists: the variable separates their members by commas.
const LISTS: [&str; 6] = [
    "trust__peers",
    "trust__clients",
    "purge__networks",
    "headers__targeted",
    "l2__nodes",
    "admin__hosts",
];

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
        for name in ["CISTERN_FOO", "CISTERN_L1__SIZ", "CISTERN_LISTEN"] {
            let wrong = read(None, &[(name.to_owned(), "x".to_owned())]).unwrap_err();
            assert!(wrong.to_string().contains(name), "{wrong}");
        }
        let others = [names::CISTERN_CONFIG, names::CISTERN_ADMIN_URL, names::CISTERN_KEY];
        let clients = others.map(|name| (name.to_owned(), "x".to_owned()));
        assert!(read(None, &clients).is_ok());
        let empty = ["CISTERN_L1__SIZE", "CISTERN_PROFILE", "CISTERN_PURGE__NETWORKS"];
        let empty = empty.map(|name| (name.to_owned(), String::new()));
        let read = read(None, &empty).unwrap();
        assert_eq!(read.file.l1.size, None);
        assert_eq!(read.places.of("purge.networks").to_string(), "CISTERN_PURGE__NETWORKS");
    }
}
