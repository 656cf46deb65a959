//! `cistern tokens`: makes, lists and revokes the tokens of a file. Nodes look at the file with
//! each call, so nothing has to be restarted or told.

use std::path::PathBuf;

use serde_json::json;

use crate::admin::tokens::{Role, Token};
use crate::cli::Exit;
use crate::cli::args::{TokensFile, TokensVerb};
use crate::entry::order::Selector;
use crate::node::settings::{self, Flags};
use crate::node::tokens as file;

/// Why it was not done.
struct Wrong(Exit, String);

fn usage(why: impl Into<String>) -> Wrong {
    Wrong(Exit::Usage, why.into())
}

/// `cistern tokens`.
pub(super) fn tokens(verb: &TokensVerb) -> Exit {
    let done = match verb {
        TokensVerb::Create { name, role, selector, file } => create(name, role, selector, file),
        TokensVerb::List { file, json } => list(file, *json),
        TokensVerb::Revoke { name, file } => revoke(name, file),
    };
    match done {
        Ok(()) => Exit::Done,
        Err(Wrong(exit, why)) => {
            eprintln!("error: {why}");
            exit
        }
    }
}

fn path(named: &TokensFile) -> Result<PathBuf, Wrong> {
    if let Some(path) = &named.file {
        return Ok(path.clone());
    }
    let flags = Flags { config: named.config.clone(), ..Flags::default() };
    let settings = settings::resolve(&flags, &super::environment())
        .map_err(|error| Wrong(Exit::Configuration, error.to_string()))?;
    settings.tokens_file.ok_or_else(|| {
        let why = "these settings name no `admin.tokens_file`; add one, or say --file";
        Wrong(Exit::Configuration, why.to_owned())
    })
}

fn read(path: &std::path::Path) -> Result<Vec<Token>, Wrong> {
    file::read(path).map_err(|why| Wrong(Exit::Configuration, why))
}

fn write(path: &std::path::Path, tokens: &[Token]) -> Result<(), Wrong> {
    file::write(path, tokens)
        .map_err(|error| Wrong(Exit::Failed, format!("{}: {error}", path.display())))
}

fn create(name: &str, role: &str, bound: &[String], named: &TokensFile) -> Result<(), Wrong> {
    let path = path(named)?;
    let role = Role::parse(role).ok_or_else(|| {
        let roles = Role::ALL.map(Role::as_str).join(", ");
        usage(format!("`{role}` is no role; the roles are {roles}"))
    })?;
    let parse =
        |text: &String| Selector::parse(text).map_err(|error| usage(format!("`{text}`: {error}")));
    let selectors = bound.iter().map(parse).collect::<Result<_, _>>()?;
    let mut tokens = if path.exists() { read(&path)? } else { Vec::new() };
    if tokens.iter().any(|token| token.name == name) {
        return Err(usage(format!("there is a token of {name}; revoke it first")));
    }
    let (text, token) = file::create(name, role, selectors)
        .map_err(|error| Wrong(Exit::Failed, format!("no randomness: {error}")))?;
    tokens.push(token);
    write(&path, &tokens)?;
    // Whatever the file would not hold as it is must not be handed out.
    read(&path)?;
    let role = role.as_str();
    eprintln!("a token of {name} with the role {role}; it is not shown again:");
    println!("{text}");
    Ok(())
}

fn list(named: &TokensFile, as_json: bool) -> Result<(), Wrong> {
    let tokens = read(&path(named)?)?;
    let bounds = |token: &Token| -> Vec<String> {
        token.selectors.iter().map(ToString::to_string).collect()
    };
    if as_json {
        let row = |token: &Token| {
            let (name, role) = (&token.name, token.role.as_str());
            json!({ "name": name, "role": role, "selectors": bounds(token) })
        };
        println!("{}", json!({ "tokens": tokens.iter().map(row).collect::<Vec<_>>() }));
        return Ok(());
    }
    for token in &tokens {
        println!("{:24} {:8} {}", token.name, token.role.as_str(), bounds(token).join(" "));
    }
    Ok(())
}

fn revoke(name: &str, named: &TokensFile) -> Result<(), Wrong> {
    let path = path(named)?;
    let mut tokens = read(&path)?;
    let before = tokens.len();
    tokens.retain(|token| token.name != name);
    if tokens.len() == before {
        return Err(Wrong(Exit::Failed, format!("there is no token of {name}")));
    }
    write(&path, &tokens)
}
