//! Variables of the environment that other systems use too: `REDIS_URL` and its kin. They stand
//! between the file and our own variables. A secret also comes from a file, `NAME_FILE`; it is kept
//! apart from everything that is printed.

use std::path::Path;

use toml::{Table, Value};

use crate::base::limits::{DELTA_SECONDS_MAX, SECRET_FILE_BYTES_MAX};
use crate::base::names;
use crate::base::units::Span;
use crate::node::file::{Places, Provenance, secret_of};
use crate::node::settings::SettingsError;

/// What they say that is no key of the settings file, and what has to be told about them.
#[derive(Default)]
pub(crate) struct Variables {
    /// The password, and the variable it comes from.
    pub(crate) password: Option<(String, &'static str)>,
    /// The text of the key ring, and the variable it comes from.
    pub(crate) keys: Option<(String, &'static str)>,
    /// The lifetime that rules do not name.
    pub(crate) cache_ttl: Option<Span>,
    /// The prefix of types that name none.
    pub(crate) cache_prefix: Option<String>,
    /// What is said without effect.
    pub(crate) warnings: Vec<String>,
    url: Option<(String, &'static str)>,
    db: Option<u32>,
    max_connections: Option<u32>,
    pool_timeout: Option<Span>,
    sync_interval: Option<Span>,
}

impl std::fmt::Debug for Variables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Variables").field("warnings", &self.warnings).finish_non_exhaustive()
    }
}

impl Variables {
    /// Reads them. A wrong value is an error that names its variable, never what it holds if that
    /// is a secret.
    pub(crate) fn read(environment: &[(String, String)]) -> Result<Self, SettingsError> {
        let get = |name: &str| value(environment, name);
        let mut all = Self {
            url: secret(environment, names::REDIS_URL, names::REDIS_URL_FILE)?,
            password: secret(environment, names::REDIS_PASSWORD, names::REDIS_PASSWORD_FILE)?,
            keys: secret(environment, names::CISTERN_KEY, names::CISTERN_KEY_FILE)?,
            cache_ttl: get(names::REDIS_CACHE_TTL)
                .map(|text| seconds(text, names::REDIS_CACHE_TTL, 0))
                .transpose()?,
            cache_prefix: get(names::CACHE_PREFIX).map(prefix).transpose()?,
            sync_interval: get(names::REDIS_SYNC_INTERVAL)
                .map(|text| seconds(text, names::REDIS_SYNC_INTERVAL, 1))
                .transpose()?,
            db: get(names::REDIS_DB).map(database).transpose()?,
            max_connections: get(names::REDIS_MAX_CONNECTIONS).map(connections).transpose()?,
            pool_timeout: get(names::REDIS_POOL_TIMEOUT).map(timeout).transpose()?,
            warnings: Vec::new(),
        };
        let (host, port) = (get(names::REDIS_HOST), get(names::REDIS_PORT));
        if all.url.is_some() {
            for name in [host.map(|_| names::REDIS_HOST), port.map(|_| names::REDIS_PORT)] {
                let told = name.map(|name| format!("{name} has no effect: REDIS_URL counts"));
                all.warnings.extend(told);
            }
        } else if let Some(host) = host {
            all.url = Some((server(host, port)?, names::REDIS_HOST));
        }
        Ok(all)
    }

    /// Puts over the file what has a key there; of the shared level only if there is one at all.
    pub(crate) fn lay_over(
        &mut self,
        table: &mut Table,
        places: &mut Places,
        environment: &[(String, String)],
    ) {
        if let Some(every) = self.sync_interval {
            let section = table.entry("sync").or_insert_with(|| Value::Table(Table::new()));
            if let Some(sync) = section.as_table_mut() {
                sync.insert("interval".to_owned(), Value::String(every.to_string()));
                let name = Provenance::Variable(names::REDIS_SYNC_INTERVAL.to_owned());
                places.set("sync.interval", name);
            }
        }
        let ours = environment.iter().any(|(n, v)| n.starts_with("CISTERN_L2__") && !v.is_empty());
        if self.url.is_none() && !table.contains_key("l2") && !ours {
            self.tell_without_level();
            return;
        }
        let section = table.entry("l2").or_insert_with(|| Value::Table(Table::new()));
        // What is no table is told when the whole is read.
        let Some(l2) = section.as_table_mut() else { return };
        let mut put = |field: &str, value: Value, name: &str| {
            l2.insert(field.to_owned(), value);
            places.set(format!("l2.{field}"), Provenance::Variable(name.to_owned()));
        };
        if let Some((url, name)) = self.url.take() {
            put("url", Value::String(url), name);
        }
        if let Some(db) = self.db {
            put("db", Value::Integer(db.into()), names::REDIS_DB);
        }
        if let Some(span) = self.pool_timeout {
            put("connect_timeout", Value::String(span.to_string()), names::REDIS_POOL_TIMEOUT);
        }
        if let Some(most) = self.max_connections.map(i64::from) {
            let wanted = l2.get("connections").and_then(Value::as_integer).unwrap_or(2);
            if most < wanted {
                l2.insert("connections".to_owned(), Value::Integer(most));
                let name = Provenance::Variable(names::REDIS_MAX_CONNECTIONS.to_owned());
                places.set("l2.connections", name);
            }
        }
    }

    /// Variables that speak of a server which nobody names.
    fn tell_without_level(&mut self) {
        let said = [
            self.db.map(|_| names::REDIS_DB),
            self.password.as_ref().map(|(_, name)| *name),
            self.max_connections.map(|_| names::REDIS_MAX_CONNECTIONS),
            self.pool_timeout.map(|_| names::REDIS_POOL_TIMEOUT),
        ];
        let told = "has no effect: nothing names a server; set REDIS_URL or REDIS_HOST";
        self.warnings.extend(said.into_iter().flatten().map(|name| format!("{name} {told}")));
    }
}

/// A variable that is set; an empty one is not.
fn value<'a>(environment: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let found = environment.iter().find(|(known, _)| known == name);
    found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
}

/// A secret from its variable, or from the file that the other one names.
fn secret(
    environment: &[(String, String)],
    name: &'static str,
    file_name: &'static str,
) -> Result<Option<(String, &'static str)>, SettingsError> {
    match (value(environment, name), value(environment, file_name)) {
        (Some(_), Some(_)) => {
            let problem = format!("{file_name} is set too; set one of them");
            Err(SettingsError::new(name, problem))
        }
        (Some(text), None) => Ok(Some((text.to_owned(), name))),
        (None, Some(path)) => {
            let text = secret_of(Path::new(path), SECRET_FILE_BYTES_MAX)
                .map_err(|e| SettingsError::new(file_name, format!("{path}: {e}")))?;
            Ok(Some((text, file_name)))
        }
        (None, None) => Ok(None),
    }
}

/// The URL of a host and a port.
fn server(host: &str, port: Option<&str>) -> Result<String, SettingsError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let address = host.parse::<std::net::Ipv6Addr>();
    if address.is_err() && !host.chars().all(plain) {
        let problem = "write a name or an address alone; a whole URL goes into REDIS_URL, a port \
                       into REDIS_PORT";
        return Err(SettingsError::new(names::REDIS_HOST, problem));
    }
    let host = address.map_or_else(|_| host.to_owned(), |address| format!("[{address}]"));
    let port = match port {
        None => 6_379,
        Some(text) => text.parse().ok().filter(|port: &u16| *port > 0).ok_or_else(|| {
            let problem = if text.starts_with("tcp://") {
                format!(
                    "`{text}` is a service link of Kubernetes; set REDIS_PORT=6379 or \
                     enableServiceLinks: false"
                )
            } else {
                format!("`{text}` is not a port; write a number from 1 to 65535")
            };
            SettingsError::new(names::REDIS_PORT, problem)
        })?,
    };
    Ok(format!("redis://{host}:{port}"))
}

fn seconds(text: &str, name: &str, least: u64) -> Result<Span, SettingsError> {
    let number = text.parse().ok().filter(|number| (least..=DELTA_SECONDS_MAX).contains(number));
    number.map(Span::from_secs).ok_or_else(|| {
        let problem = format!("`{text}` is not a number of seconds from {least} up; write 300");
        SettingsError::new(name, problem)
    })
}

/// Seconds with a fraction, to the millisecond.
fn timeout(text: &str) -> Result<Span, SettingsError> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let ms = || {
        let fraction = format!("{fraction:0<3}");
        let ms: u64 = fraction.get(..3)?.parse().ok()?;
        whole.parse::<u64>().ok()?.checked_mul(1_000)?.checked_add(ms)
    };
    let read = (digits(whole) && digits(fraction)).then(ms).flatten();
    read.map(Span::from_millis).ok_or_else(|| {
        let problem = format!("`{text}` is not a number of seconds; write 2 or 0.5");
        SettingsError::new(names::REDIS_POOL_TIMEOUT, problem)
    })
}

fn connections(text: &str) -> Result<u32, SettingsError> {
    text.parse().ok().filter(|number| *number > 0).ok_or_else(|| {
        let problem = format!("`{text}` is not a number of connections; write 1 or more");
        SettingsError::new(names::REDIS_MAX_CONNECTIONS, problem)
    })
}

fn database(text: &str) -> Result<u32, SettingsError> {
    text.parse().map_err(|_| {
        let problem = format!("`{text}` is not the number of a database; write 0");
        SettingsError::new(names::REDIS_DB, problem)
    })
}

/// What a type's prefix may be: it begins keys.
fn prefix(text: &str) -> Result<String, SettingsError> {
    let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'*';
    if text.bytes().all(plain) {
        return Ok(text.to_owned());
    }
    let problem = "a prefix holds printable ASCII without spaces and stars; write app:";
    Err(SettingsError::new(names::CACHE_PREFIX, problem))
}

#[cfg(test)]
mod tests;
