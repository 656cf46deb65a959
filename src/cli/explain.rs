//! `cistern explain`: the whole decision about one request, from a running node or from rules.

use serde_json::{Value, json};

use crate::base::names;
use crate::cli::Exit;
use crate::cli::args::Explain;
use crate::cli::client;
use crate::engine::explain::{self, Question, Told};
use crate::engine::options::{Forwarding, KeyShown, Options};
use crate::engine::{Engine, Parts};
use crate::node::load;
use crate::policy::{Law, Manner, Profile};
use crate::rules::LoadContext;
use crate::store::l1::Eviction;
use crate::telemetry::Telemetry;

/// Explains.
pub(super) fn explain(asked: &Explain) -> Exit {
    let headers: Option<Vec<_>> = asked.headers.iter().map(|line| header(line)).collect();
    let Some(headers) = headers else {
        eprintln!("error: write header fields as -H 'Name: value'");
        return Exit::Usage;
    };
    let told = match &asked.rules {
        Some(_) => offline(asked, &headers),
        None => online(asked, &headers),
    };
    match told {
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

fn header(line: &str) -> Option<(String, String)> {
    let (name, value) = line.split_once(':')?;
    Some((name.trim().to_owned(), value.trim().to_owned()))
}

fn online(asked: &Explain, headers: &[(String, String)]) -> Result<Value, Exit> {
    let question = json!({
        "method": asked.method,
        "url": asked.url,
        "headers": headers,
        "body": asked.data,
    });
    let path = format!("{}/explain", names::ADMIN_ROOT);
    match client::call(&asked.node, "POST", &path, Some(&question))? {
        (200, told) => Ok(told),
        (status, problem) => Err(client::refused(status, &problem)),
    }
}

fn offline(asked: &Explain, headers: &[(String, String)]) -> Result<Value, Exit> {
    let profile = match asked.profile.as_str() {
        "safe" => Profile::Safe,
        "rfc" => Profile::Rfc,
        other => {
            eprintln!("error: `{other}` is no profile; write safe or rfc");
            return Err(Exit::Usage);
        }
    };
    let context = LoadContext { origin: None, authorization_only: profile == Profile::Rfc };
    let (book, _) = load::book(asked.rules.as_deref(), &context).map_err(|wrong| {
        eprintln!("error: {wrong}");
        eprintln!("help: `cistern check` shows every error with its place");
        Exit::Configuration
    })?;
    let engine = Engine::new(Parts {
        book,
        options: Options {
            manner: Manner::of(profile),
            plain_law: Law::default(),
            cache_status: crate::engine::options::Told::All,
            key_shown: KeyShown::Plain,
            via: true,
            forwarding: Forwarding { x_forwarded: true, forwarded: false },
            x_cache: false,
            trust_peers: Vec::new(),
            trust_clients: Vec::new(),
            purge_networks: Vec::new(),
            purge_token: None,
            max_object: 8_000_000,
        },
        transit_size: 0,
        l1_size: 1_000_000,
        l1_policy: Eviction::TinyLfu,
        telemetry: Telemetry::default(),
        clock: crate::base::clock::Clock::system(),
        identity_key: [0; 32],
    });
    let body = asked.data.as_deref().unwrap_or_default().as_bytes();
    let question = Question { method: &asked.method, url: &asked.url, headers, body, node: None };
    let told = explain::explain(&engine, &question, false).map_err(|wrong| {
        eprintln!("error: {wrong}");
        Exit::Usage
    })?;
    serde_json::to_value(told).map_err(|_| Exit::Failed)
}
