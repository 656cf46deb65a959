//! `cistern explain`: the whole decision about one request, from a running node or from rules.

use std::fmt::Display;

use serde_json::{Value, json};

use crate::base::names;
use crate::cli::Exit;
use crate::cli::args::Explain;
use crate::cli::client;
use crate::engine::explain::{self, Question, Told};
use crate::engine::{Engine, Parts};
use crate::node::settings::{self, Flags};
use crate::node::{build, load};
use crate::store::l1::Eviction;
use crate::telemetry::Telemetry;

/// Explains.
pub(super) fn explain(asked: &Explain) -> Exit {
    match told(asked) {
        Ok(told) if asked.node.json => {
            println!("{told}");
            Exit::Done
        }
        Ok(told) => match serde_json::from_value::<Told>(told) {
            Ok(told) => {
                print!("{told}");
                Exit::Done
            }
            Err(wrong) => {
                eprintln!("error: the node speaks another version: {wrong}");
                Exit::Failed
            }
        },
        Err(exit) => exit,
    }
}

fn told(asked: &Explain) -> Result<Value, Exit> {
    let headers: Option<Vec<_>> = asked.headers.iter().map(|line| header(line)).collect();
    let headers = headers.ok_or_else(|| usage("write header fields as -H 'Name: value'"))?;
    let body = body(asked.data.as_deref())?;
    let question = Question {
        method: &asked.method,
        url: &asked.url,
        headers: &headers,
        body: &body,
        node: None,
        from: asked.from,
    };
    explain::check(&question).map_err(usage)?;
    if asked.rules.is_some() || asked.config.is_some() {
        offline(asked, &question)
    } else if asked.profile.is_some() {
        Err(usage("a running node has its profile; --profile goes with --rules or --config"))
    } else {
        online(asked, &question)
    }
}

fn usage(problem: impl Display) -> Exit {
    eprintln!("error: {problem}");
    Exit::Usage
}

/// The body that is given, or that stands in the file behind an `@`.
fn body(data: Option<&str>) -> Result<Vec<u8>, Exit> {
    let Some(data) = data else { return Ok(Vec::new()) };
    match data.strip_prefix('@') {
        None => Ok(data.as_bytes().to_vec()),
        Some(file) => std::fs::read(file).map_err(|cause| usage(format!("{file}: {cause}"))),
    }
}

fn header(line: &str) -> Option<(String, String)> {
    let (name, value) = line.split_once(':')?;
    Some((name.trim().to_owned(), value.trim().to_owned()))
}

fn online(asked: &Explain, question: &Question<'_>) -> Result<Value, Exit> {
    let body = std::str::from_utf8(question.body)
        .map_err(|_| usage("a running node takes a body that is text; try --rules"))?;
    let question = json!({
        "method": question.method,
        "url": question.url,
        "headers": question.headers,
        "body": body,
        "from": question.from,
    });
    let path = format!("{}/explain", names::ADMIN_ROOT);
    match client::call(&asked.node, "POST", &path, Some(&question))? {
        (200, told) => Ok(told),
        (status, problem) => Err(client::refused(status, &problem)),
    }
}

/// As a node would with these rules and settings, and nothing in its cache.
fn offline(asked: &Explain, question: &Question<'_>) -> Result<Value, Exit> {
    if let Some(other) = asked.profile.as_deref().filter(|name| !matches!(*name, "safe" | "rfc")) {
        return Err(usage(format!("`{other}` is no profile; write safe or rfc")));
    }
    let flags = Flags {
        config: asked.config.clone(),
        rules: asked.rules.clone(),
        profile: asked.profile.clone(),
        ..Flags::default()
    };
    let settings = settings::resolve(&flags, &super::environment()).map_err(|wrong| {
        eprintln!("error: {wrong}");
        Exit::Configuration
    })?;
    let (book, _) =
        load::book(settings.rules.as_deref(), &settings.context()).map_err(|wrong| {
            eprintln!("error: {wrong}");
            eprintln!("help: `cistern check` shows every error with its place");
            Exit::Configuration
        })?;
    let telemetry = Telemetry::default();
    let level = build::shared_level(&settings, &telemetry).map_err(|wrong| {
        eprintln!("error: {wrong}");
        Exit::Configuration
    })?;
    let engine = Engine::new(Parts {
        book,
        options: build::options(&settings),
        transit_size: 0,
        l1_size: 1_000_000,
        l1_policy: Eviction::TinyLfu,
        shares_identities: level.fleet.is_some() && level.identity_key.is_some(),
        fleet: level.fleet,
        telemetry,
        clock: crate::base::clock::Clock::system(),
        identity_key: level.identity_key.unwrap_or_default(),
    });
    let told = explain::explain(&engine, question, false).map_err(usage)?;
    serde_json::to_value(told).map_err(|_| Exit::Failed)
}
