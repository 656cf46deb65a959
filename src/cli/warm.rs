//! `cistern warm`, `verify` and `sync`: work that a node does by itself once it is told.

use std::io::Read;
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::base::{limits, names};
use crate::cli::Exit;
use crate::cli::args::{CacheWarm, Level, Node, Pace, Sync, Verify, Warm};
use crate::cli::harvest::{Harvest, harvest};
use crate::cli::{client, jobs};

/// `cistern warm`.
pub(super) fn warm(asked: &Warm) -> Exit {
    match body(asked) {
        Ok(body) => begin(&asked.node, "warm", body, &asked.pace),
        Err(why) => usage(&why),
    }
}

/// `cistern cache warm`.
pub(super) fn of_type(asked: &CacheWarm) -> Exit {
    let body = match &asked.kind {
        None => Ok(json!({ "hot": true })),
        Some(kind) => kind_of(kind, asked.dated.as_deref()),
    };
    match body {
        Ok(body) => begin(&asked.node, "warm", body, &asked.pace),
        Err(why) => usage(&why),
    }
}

/// `cistern verify`.
pub(super) fn verify(asked: &Verify) -> Exit {
    let mut body = json!({
        "selectors": asked.selectors, "all": asked.all, "repair": asked.repair,
    });
    if asked.level == Level::L2 {
        body["level"] = "l2".into();
    }
    if let Some(sample) = asked.sample {
        body["sample"] = sample.into();
    }
    begin(&asked.node, "verify", body, &asked.pace)
}

/// `cistern sync`.
pub(super) fn sync(asked: &Sync) -> Exit {
    begin(&asked.node, "sync", json!({ "selectors": asked.selectors }), &asked.pace)
}

fn usage(why: &str) -> Exit {
    eprintln!("error: {why}");
    Exit::Usage
}

fn begin(node: &Node, call: &str, mut body: Value, pace: &Pace) -> Exit {
    if let Some(rate) = pace.rate {
        body["rate"] = rate.into();
    }
    if let Some(at_once) = pace.at_once {
        body["at_once"] = at_once.into();
    }
    let path = format!("{}/{call}", names::ADMIN_ROOT);
    match client::call(node, "POST", &path, Some(&body)) {
        Ok((202, job)) => jobs::begun(node, job, pace.wait),
        Ok((status, problem)) => client::refused(status, &problem),
        Err(exit) => exit,
    }
}

fn body(asked: &Warm) -> Result<Value, String> {
    if let Some(template) = &asked.template {
        let mut ranges = Map::new();
        for text in &asked.range {
            let (name, range) = range(text)?;
            if ranges.insert(name.to_owned(), range).is_some() {
                return Err(format!("--range {name} is said twice"));
            }
        }
        return Ok(json!({ "template": template, "ranges": ranges }));
    }
    if asked.hot {
        return Ok(json!({ "hot": true }));
    }
    if let Some(path) = &asked.log {
        let most = asked.limit.and_then(|most| usize::try_from(most).ok());
        let most = most.unwrap_or(limits::HARVESTED_USUALLY);
        let Harvest { urls, taken, passed } = harvest(path, asked.site.as_deref(), most)?;
        eprintln!("{} URLs of {taken} requests; {passed} other lines", urls.len());
        return Ok(json!({ "urls": urls }));
    }
    if let Some(kind) = &asked.kind {
        return kind_of(kind, asked.dated.as_deref());
    }
    let mut urls = asked.urls.clone();
    if let Some(path) = &asked.from {
        urls.extend(listed(path)?);
    }
    if urls.is_empty() {
        return Err("no URL is named".to_owned());
    }
    Ok(json!({ "urls": urls }))
}

fn kind_of(kind: &str, dated: Option<&str>) -> Result<Value, String> {
    let mut body = json!({ "type": kind });
    if let Some(span) = dated {
        let (from, to) = span
            .split_once("..")
            .ok_or_else(|| format!("--dated {span}: write FROM..TO; either may be left out"))?;
        let end = |text: &str| if text.is_empty() { Value::Null } else { text.into() };
        body["dated"] = json!({ "from": end(from), "to": end(to) });
    }
    Ok(body)
}

/// `n=1..500`, `n=1..500/5`, `d=2026-01-01..2026-01-31`.
fn range(text: &str) -> Result<(&str, Value), String> {
    let wrong = || format!("--range {text}: write NAME=FROM..TO, or NAME=FROM..TO/STEP");
    let (name, span) = text.split_once('=').ok_or_else(wrong)?;
    let (span, step) = match span.split_once('/') {
        Some((span, step)) => (span, Some(step.parse::<i64>().map_err(|_| wrong())?)),
        None => (span, None),
    };
    let (from, to) = span.split_once("..").ok_or_else(wrong)?;
    let end = |text: &str| text.parse::<i64>().map_or_else(|_| Value::from(text), Value::from);
    let mut range = json!({ "from": end(from), "to": end(to) });
    if let Some(step) = step {
        range["step"] = step.into();
    }
    Ok((name, range))
}

/// The URLs of a file, one a line; what begins with `#` is none.
fn listed(path: &Path) -> Result<Vec<String>, String> {
    let wrong = |error: std::io::Error| format!("{}: {error}", path.display());
    let mut text = String::new();
    let most = limits::WARM_BYTES_MAX as u64;
    let read = if path == Path::new("-") {
        std::io::stdin().lock().take(most + 1).read_to_string(&mut text)
    } else {
        let file = std::fs::File::open(path).map_err(wrong)?;
        file.take(most + 1).read_to_string(&mut text)
    };
    if read.map_err(wrong)? as u64 > most {
        return Err(format!("{}: more than {most} bytes; take it in parts", path.display()));
    }
    let lines = text.lines().map(str::trim);
    Ok(lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_numbers_or_days() {
        assert_eq!(range("n=1..500"), Ok(("n", json!({ "from": 1, "to": 500 }))));
        let steps = json!({ "from": 9, "to": -1, "step": 2 });
        assert_eq!(range("n=9..-1/2"), Ok(("n", steps)));
        let days = json!({ "from": "2026-01-01", "to": "2026-01-31" });
        assert_eq!(range("d=2026-01-01..2026-01-31"), Ok(("d", days)));
        for wrong in ["n", "n=1", "n=1..2/x"] {
            assert!(range(wrong).is_err(), "{wrong}");
        }
        let open = kind_of("dte", Some("2026-01-01.."));
        let expected = json!({ "type": "dte", "dated": { "from": "2026-01-01", "to": null } });
        assert_eq!(open, Ok(expected));
        assert!(kind_of("dte", Some("2026-01-01")).is_err());
    }
}
