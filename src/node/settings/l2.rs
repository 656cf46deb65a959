//! `[l2]` to what the shared level is made from. A value of a higher layer takes the place of one
//! that it excludes: `REDIS_URL` puts `nodes` of the file out of force. Two that exclude each other
//! in one layer are an error, and so is what would have no effect.

use std::path::Path;

use crate::base::units::{ByteSize, Span};
use crate::entry::seal::KeyRing;
use crate::node::file::{L2, Places, Read, Variables, rank_of};
use crate::node::settings::SettingsError;
use crate::node::settings::redis_url::{self, PORT, RedisUrl, SENTINEL_PORT};
use crate::node::settings::values::{count, pem, secret_file, size, span, word};
use crate::store::redis::config::{Address, Config, Layout, Login, Tls, WhenDeaf};

const DEAF: [(&str, WhenDeaf); 2] =
    [("revalidate", WhenDeaf::Revalidate), ("serve", WhenDeaf::Serve)];
const REPLICAS: [(&str, bool); 2] = [("never", false), ("allowed", true)];
/// The budget stands in the way of requests, so it is not long.
const BUDGETS: [Span; 2] = [Span::from_millis(1), Span::from_secs(1)];
const PURGE_BUDGETS: [Span; 2] = [Span::from_millis(1), Span::from_secs(10)];
const CONNECT_TIMEOUTS: [Span; 2] = [Span::from_millis(10), Span::from_secs(60)];
/// Below it, messages between nodes come too late; above it, a purge is not heard for too long.
const LAGS: [Span; 2] = [Span::from_millis(200), Span::from_secs(60)];
const CONNECTIONS_MAX: u32 = 64;
const CALLS_MAX: u32 = 65_536;
/// The longest text that Redis holds.
const OBJECT_MAX: u64 = 512 << 20;
const PREFIX_BYTES_MAX: usize = 64;

/// What `[l2]` comes to, and the text of the key ring.
pub(super) fn resolve(
    read: &mut Read,
    base: &Path,
) -> Result<(Option<Config>, Option<String>), SettingsError> {
    let Read { file, places, variables } = read;
    let Some(l2) = &mut file.l2 else {
        let keys = variables.keys.as_ref().map(|(text, name)| ring(text.clone(), name));
        return Ok((None, keys.transpose()?));
    };
    let (url, rank) = address(l2, places)?;
    let keys = keys(l2, places, variables, base)?;
    let login = login(l2, places, variables, &url, rank, base)?;
    let part = Part { l2, base, places };
    Ok((Some(part.config(url, rank, login)?), keys))
}

/// What the address says, and the layer it stands in.
fn address(l2: &mut L2, places: &Places) -> Result<(RedisUrl, u8), SettingsError> {
    let rank = |key: &str| places.rank(&format!("l2.{key}"));
    let wrong = |key: &str, problem: &str| {
        Err(SettingsError::new(places.name(&format!("l2.{key}")), problem))
    };
    if l2.url.is_some() && l2.nodes.is_some() && rank("url") == rank("nodes") {
        return wrong("nodes", "`url` names the servers already; keep one of the two");
    }
    if l2.url.is_some() && rank("url") >= rank("nodes") {
        l2.nodes = None;
        l2.mode.take_if(|_| rank("mode") < rank("url"));
        l2.service.take_if(|_| rank("service") < rank("url"));
    } else if l2.nodes.is_some() {
        l2.url = None;
    }
    if let Some(url) = &l2.url {
        for (key, there) in [("mode", l2.mode.is_some()), ("service", l2.service.is_some())] {
            if there {
                return wrong(key, "it goes with `nodes`; a URL says it itself");
            }
        }
        let read = redis_url::parse(url);
        let read = read.map_err(|e| SettingsError::new(places.name("l2.url"), e))?;
        return Ok((read, rank("url")));
    }
    let Some(nodes) = &l2.nodes else {
        let problem = "it names no server: write url = \"redis://127.0.0.1:6379/0\", or nodes = \
                       [\"redis-1:6379\"] and mode = \"cluster\", or set REDIS_URL; without a \
                       shared level take [l2] out";
        return wrong_section(places, problem);
    };
    let layout = match (l2.mode.as_deref(), &l2.service) {
        (Some("cluster"), None) => Layout::Cluster(read_nodes(nodes, PORT, places)?),
        (Some("cluster"), Some(_)) => return wrong("service", "a cluster has no service"),
        (Some("sentinel"), Some(service)) if !service.is_empty() => Layout::Sentinel {
            sentinels: read_nodes(nodes, SENTINEL_PORT, places)?,
            service: service.clone(),
        },
        (Some("sentinel"), _) => {
            return wrong("mode", "sentinels know a master by a name: write service = \"NAME\"");
        }
        (Some(_), _) => return wrong("mode", "write \"cluster\" or \"sentinel\""),
        (None, _) => {
            let problem = "write beside it mode = \"cluster\" or \"sentinel\"; one server is \
                           written url = \"redis://HOST:6379\"";
            return wrong("nodes", problem);
        }
    };
    let url = RedisUrl { layout, tls: false, user: None, password: None, db: None };
    Ok((url, rank("nodes")))
}

fn wrong_section<T>(places: &Places, problem: &str) -> Result<T, SettingsError> {
    Err(SettingsError::new(places.name("l2"), problem))
}

fn read_nodes(texts: &[String], port: u16, places: &Places) -> Result<Vec<Address>, SettingsError> {
    let place = places.name("l2.nodes");
    if texts.is_empty() {
        return Err(SettingsError::new(place, "name at least one: [\"redis-1:6379\"]"));
    }
    let read = |(at, text): (usize, &String)| {
        redis_url::address(text, port).ok_or_else(|| {
            // A URL with a password may stand there: it is not repeated.
            let problem = format!("number {} is not HOST:PORT; write \"redis-1:6379\"", at + 1);
            SettingsError::new(place.clone(), problem)
        })
    };
    texts.iter().enumerate().map(read).collect()
}

/// The section, and what its values are read with.
struct Part<'a> {
    l2: &'a L2,
    base: &'a Path,
    places: &'a Places,
}

impl Part<'_> {
    fn config(&self, url: RedisUrl, rank: u8, login: Login) -> Result<Config, SettingsError> {
        let l2 = self.l2;
        let at = |key: &str| self.name(key);
        let max_object = size(&l2.max_object, &at("max_object"))?;
        if max_object == 0 || max_object > OBJECT_MAX {
            let problem = format!("write at least 1B and at most {}", ByteSize(OBJECT_MAX));
            return Err(SettingsError::new(at("max_object"), problem));
        }
        Ok(Config {
            login,
            sentinel_login: self.sentinel_login(&url.layout)?,
            tls: self.tls(url.tls, rank)?,
            db: self.db(&url, rank)?,
            layout: url.layout,
            prefix: self.prefix()?,
            budget: span(&l2.budget, &at("budget"), BUDGETS)?,
            purge_budget: span(&l2.purge_budget, &at("purge_budget"), PURGE_BUDGETS)?,
            connect_timeout: span(&l2.connect_timeout, &at("connect_timeout"), CONNECT_TIMEOUTS)?,
            connections: count(l2.connections, &at("connections"), CONNECTIONS_MAX)?,
            calls_max: count(l2.calls_max, &at("calls_max"), CALLS_MAX)?,
            max_object,
            lag_max: span(&l2.lag_max, &at("lag_max"), LAGS)?,
            when_deaf: word(&l2.when_deaf, &at("when_deaf"), &DEAF)?,
            replicas: word(&l2.replicas, &at("replicas"), &REPLICAS)?,
            journal: l2.journal.as_ref().map(|folder| self.base.join(folder)),
        })
    }

    fn name(&self, key: &str) -> String {
        self.places.name(&format!("l2.{key}"))
    }

    fn rank(&self, key: &str) -> u8 {
        self.places.rank(&format!("l2.{key}"))
    }

    fn wrong<T>(&self, key: &str, problem: &str) -> Result<T, SettingsError> {
        Err(SettingsError::new(self.name(key), problem))
    }

    fn sentinel_login(&self, layout: &Layout) -> Result<Login, SettingsError> {
        let (user, file) = (&self.l2.sentinel_user, &self.l2.sentinel_password_file);
        if !matches!(layout, Layout::Sentinel { .. }) {
            let problem = "it has no effect: no sentinel is asked";
            if user.is_some() {
                return self.wrong("sentinel_user", problem);
            }
            if file.is_some() {
                return self.wrong("sentinel_password_file", problem);
            }
        }
        let place = self.name("sentinel_password_file");
        let password = file.as_ref().map(|file| secret_file(&self.base.join(file), &place));
        let login = Login { user: user.clone(), password: password.transpose()? };
        whole(login, || self.name("sentinel_user"))
    }

    fn tls(&self, by_url: bool, rank: u8) -> Result<Option<Tls>, SettingsError> {
        let l2 = self.l2;
        if by_url && l2.tls == Some(false) && self.rank("tls") >= rank {
            return self
                .wrong("tls", "the URL begins with rediss, which is TLS; write redis or true");
        }
        let files = [("ca", &l2.ca), ("cert", &l2.cert), ("key", &l2.key)];
        if !by_url && l2.tls != Some(true) {
            if let Some((key, _)) = files.iter().find(|(_, file)| file.is_some()) {
                return self
                    .wrong(key, "it has no effect without TLS; write rediss:// or tls = true");
            }
            return Ok(None);
        }
        let read = |key: &str, file: &String, kind: &str| {
            pem(&self.base.join(file), kind, &self.name(key))
        };
        let identity = match (&l2.cert, &l2.key) {
            (Some(cert), Some(key)) => {
                Some((read("cert", cert, "CERTIFICATE")?, read("key", key, "PRIVATE KEY")?))
            }
            (None, None) => None,
            (Some(_), None) => {
                return self.wrong("cert", "its key is missing; write key = \"FILE\"");
            }
            (None, Some(_)) => {
                return self.wrong("key", "its cert is missing; write cert = \"FILE\"");
            }
        };
        let ca = l2.ca.as_ref().map(|file| read("ca", file, "CERTIFICATE")).transpose()?;
        Ok(Some(Tls { ca, identity }))
    }

    fn db(&self, url: &RedisUrl, rank: u8) -> Result<i64, SettingsError> {
        let own = self.l2.db.filter(|_| url.db.is_none() || self.rank("db") >= rank);
        let db = own.or(url.db).unwrap_or(0);
        if db > 0 && matches!(url.layout, Layout::Cluster(_)) {
            return self.wrong("db", "a cluster has only database 0; keep apart by `prefix`");
        }
        Ok(db.into())
    }

    fn prefix(&self) -> Result<String, SettingsError> {
        let prefix = &self.l2.prefix;
        if prefix.len() > PREFIX_BYTES_MAX || prefix.contains(['{', '}']) {
            let problem = format!(
                "it has no braces, which choose a cluster's slot, and at most {PREFIX_BYTES_MAX} \
                 bytes; write \"shop:\""
            );
            return self.wrong("prefix", &problem);
        }
        if prefix.chars().any(char::is_control) {
            return self.wrong("prefix", "it holds no control characters; write \"shop:\"");
        }
        Ok(prefix.clone())
    }
}

/// User and password. What stands by itself counts, unless the address stands in a higher layer and
/// says it too. What does not count is taken out, so that it is not shown as if it did.
fn login(
    l2: &mut L2,
    places: &Places,
    variables: &mut Variables,
    url: &RedisUrl,
    rank: u8,
    base: &Path,
) -> Result<Login, SettingsError> {
    if url.user.is_some() {
        l2.user.take_if(|_| places.rank("l2.user") < rank);
    }
    let own = l2.password_file.as_ref().map(|_| places.rank("l2.password_file"));
    let variable = variables.password.as_ref().map(|(_, name)| rank_of(name));
    let inside = url.password.as_ref().map(|_| rank);
    if own < variable.max(inside) {
        l2.password_file = None;
    }
    if variable < own.max(inside) {
        variables.password = None;
    }
    let user = l2.user.clone().or_else(|| url.user.clone());
    let password = match (&l2.password_file, &variables.password) {
        (Some(file), _) => Some(secret_file(&base.join(file), &places.name("l2.password_file"))?),
        (None, Some((text, _))) => Some(text.clone()),
        (None, None) => url.password.clone(),
    };
    let said_by = if l2.user.is_some() { "l2.user" } else { "l2.url" };
    whole(Login { user, password }, || places.name(said_by))
}

/// A login that can be tried. What stands for a user is not told: it may be the password of who
/// forgot the colon before it.
fn whole(login: Login, place: impl Fn() -> String) -> Result<Login, SettingsError> {
    let Some(user) = &login.user else { return Ok(login) };
    if user.chars().any(char::is_control) {
        return Err(SettingsError::new(place(), "a user's name holds no control characters"));
    }
    if login.password.is_none() {
        let problem = "a user is named and no password is; in a URL write USER:PASSWORD before \
                       the @, and :PASSWORD where there is no user";
        return Err(SettingsError::new(place(), problem));
    }
    Ok(login)
}

/// The text of a key ring that can be read.
fn ring(text: String, place: &str) -> Result<String, SettingsError> {
    KeyRing::parse(&text).map_err(|wrong| SettingsError::new(place, wrong))?;
    Ok(text)
}

/// The key ring's text: of the variable, else of the file that the settings name.
fn keys(
    l2: &mut L2,
    places: &Places,
    variables: &Variables,
    base: &Path,
) -> Result<Option<String>, SettingsError> {
    let rank = places.rank("l2.keys_file");
    let Some(file) = &l2.keys_file else {
        return variables.keys.as_ref().map(|(text, name)| ring(text.clone(), name)).transpose();
    };
    if let Some((text, name)) = &variables.keys {
        if rank_of(name) == rank {
            let problem = format!("{name} is set too; set one of them");
            return Err(SettingsError::new(places.name("l2.keys_file"), problem));
        }
        l2.keys_file = None;
        return ring(text.clone(), name).map(Some);
    }
    let place = places.name("l2.keys_file");
    ring(secret_file(&base.join(file), &place)?, &place).map(Some)
}

#[cfg(test)]
mod tests;
