//! The URLs that an access log shows to be asked for most: cistern's own, or one in the common or
//! combined format that other servers write.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use serde::Deserialize;

use crate::base::fields::is_secret_parameter;
use crate::base::limits;

/// What a log gave.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Harvest {
    /// The URLs, those asked for most first.
    pub urls: Vec<String>,
    /// Requests that they are made of.
    pub taken: u64,
    /// Lines that are no such request, or that this cannot read.
    pub passed: u64,
}

/// A line of cistern's own log, as far as it is needed.
#[derive(Deserialize)]
struct Own {
    method: String,
    host: String,
    path: String,
    status: u16,
    key: Option<String>,
}

/// Reads a log file, `-` for standard input. `site` (scheme and authority) stands before targets
/// whose line names no host, and in place of the one that cistern's own lines name.
pub(super) fn harvest(path: &Path, site: Option<&str>, most: usize) -> Result<Harvest, String> {
    let site = site.map(|site| site.trim_end_matches('/'));
    let wrong = |error: std::io::Error| format!("{}: {error}", path.display());
    let source: Box<dyn Read> = if path == Path::new("-") {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(std::fs::File::open(path).map_err(wrong)?)
    };
    let harvest = counted(BufReader::new(source), site, most).map_err(wrong)?;
    if harvest.urls.is_empty() {
        let remedy = if site.is_none() { "; with lines that name no host, say --site" } else { "" };
        return Err(format!("{}: no line of it is a GET that succeeded{remedy}", path.display()));
    }
    Ok(harvest)
}

fn counted(mut log: impl BufRead, site: Option<&str>, most: usize) -> std::io::Result<Harvest> {
    let mut harvest = Harvest::default();
    // How often, and which came first.
    let mut asked: HashMap<String, (u64, usize)> = HashMap::new();
    let mut line = Vec::new();
    loop {
        line.clear();
        if log.by_ref().take(limits::LOG_LINE_MAX).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        let text = std::str::from_utf8(&line).ok().map(str::trim);
        let url = text.and_then(|text| url_of(text, site)).filter(|url| is_fit(url));
        let (places, full) = (asked.len(), asked.len() >= limits::HARVEST_URLS_MAX);
        match url {
            Some(url) if !full || asked.contains_key(&url) => {
                asked.entry(url).or_insert((0, places)).0 += 1;
                harvest.taken += 1;
            }
            _ => harvest.passed += 1,
        }
    }
    let mut all: Vec<(String, (u64, usize))> = asked.into_iter().collect();
    all.sort_by_key(|(_, (count, place))| (std::cmp::Reverse(*count), *place));
    harvest.urls = all.into_iter().take(most).map(|(url, _)| url).collect();
    Ok(harvest)
}

/// The URL of a line, if it tells of a GET that succeeded.
fn url_of(line: &str, site: Option<&str>) -> Option<String> {
    if line.starts_with('{') {
        let Own { method, host, path, status, key } = serde_json::from_str(line).ok()?;
        let whole = key.filter(|key| is_absolute(key));
        let made = || match site {
            Some(site) => format!("{site}{path}"),
            None => format!("http://{host}{path}"),
        };
        return succeeded(&method, status).then(|| whole.unwrap_or_else(made));
    }
    let (_, rest) = line.split_once('"')?;
    let (request, rest) = rest.split_once('"')?;
    let mut words = request.split(' ');
    let (method, target) = (words.next()?, words.next()?);
    let status: u16 = rest.split_ascii_whitespace().next()?.parse().ok()?;
    if !succeeded(method, status) {
        return None;
    }
    match site {
        _ if is_absolute(target) => Some(target.to_owned()),
        Some(site) if target.starts_with('/') => Some(format!("{site}{target}")),
        _ => None,
    }
}

fn succeeded(method: &str, status: u16) -> bool {
    method == "GET" && matches!(status, 200..300 | 304)
}

fn is_absolute(text: &str) -> bool {
    text.starts_with("http://") || text.starts_with("https://")
}

/// Whether a URL may be asked for again: one that carries a secret belongs to whoever had it, and
/// in one that was struck out of a log the rest tells nothing.
fn is_fit(url: &str) -> bool {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let secret = |pair: &str| is_secret_parameter(pair.split('=').next().unwrap_or_default());
    url.len() <= limits::KEY_BYTES_MAX && !query.split('&').any(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMBINED: &str = r#"10.0.0.9 - - [28/Nov/2026] "GET /b?x=1 HTTP/1.1" 200 12 "-" "a"
10.0.0.9 - ann [28/Nov/2026:09:00:01 +0000] "GET /a HTTP/1.1" 304 0
10.0.0.9 - - [28/Nov/2026:09:00:02 +0000] "POST /a HTTP/1.1" 200 12
10.0.0.9 - - [28/Nov/2026:09:00:02 +0000] "GET /gone HTTP/1.1" 404 12
10.0.0.9 - - [28/Nov/2026:09:00:03 +0000] "GET /a HTTP/1.1" 200 12 "-" "x \"y\""
10.0.0.9 - - [28/Nov/2026:09:00:03 +0000] "GET /a?token=abc HTTP/1.1" 200 12
10.0.0.9 - - [28/Nov/2026:09:00:04 +0000] "-" 400 0

nonsense
"#;

    fn of(log: &str, site: Option<&str>, most: usize) -> Harvest {
        counted(log.as_bytes(), site, most).unwrap()
    }

    #[test]
    fn what_is_asked_for_most_comes_first() {
        let all = of(COMBINED, Some("https://h"), 10);
        assert_eq!(all.urls, ["https://h/a", "https://h/b?x=1"]);
        assert_eq!((all.taken, all.passed), (3, 6));
        assert_eq!(of(COMBINED, Some("https://h"), 1).urls, ["https://h/a"]);
        // Nobody says where these are.
        assert!(of(COMBINED, None, 10).urls.is_empty());
    }

    #[test]
    fn the_own_log_names_its_hosts() {
        let line = |path: &str, key: &str| {
            format!(
                "{{\"ts\":\"x\",\"method\":\"GET\",\"host\":\"h\",\"path\":\"{path}\",\
                 \"status\":200,\"cache\":\"hit\",\"key\":{key}}}\n"
            )
        };
        let log = line("/a", "null")
            + &line("/b", "\"doc:1\"")
            + &line("/c", "\"https://h/c?x=1\"")
            + &line("/d", "\"https://h/d?token=***\"")
            + "{\"method\":\"GET\"}\n";
        let all = of(&log, None, 10);
        assert_eq!(all.urls, ["http://h/a", "http://h/b", "https://h/c?x=1"]);
        assert_eq!((all.taken, all.passed), (3, 2));
        let sited = of(&log, Some("https://shop"), 10).urls;
        assert_eq!(sited, ["https://shop/a", "https://shop/b", "https://h/c?x=1"]);
    }

    #[test]
    fn a_line_without_end_is_read_in_parts() {
        let mut log = vec![b'x'; 3 * limits::LOG_LINE_MAX as usize];
        log.extend_from_slice(b"\n1 - - [x] \"GET http://h/a HTTP/1.1\" 200 1\n");
        let all = counted(&*log, None, 10).unwrap();
        assert_eq!((all.urls, all.passed), (vec!["http://h/a".to_owned()], 4));
    }
}
