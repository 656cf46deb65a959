//! `cistern check`, `cistern test` and `cistern explain-code`: everything wrong at once, with its
//! place and its remedy.

use std::io::IsTerminal;

use crate::cli::Exit;
use crate::cli::args::{Check, Format, Test};
use crate::node::load::{self, LoadError};
use crate::rules::{Code, Diagnostic, LoadContext, Severity, testblock};

/// Parses, compiles and lints.
pub(super) fn check(check: &Check) -> Exit {
    let sources = match load::sources(&check.files) {
        Ok(sources) => sources,
        Err(wrong) => {
            eprintln!("error: {wrong}");
            return Exit::Configuration;
        }
    };
    let (found, routes) = match load::compile(&sources, &LoadContext::default()) {
        Ok(loaded) => (loaded.warnings, Some(loaded.rules.routes.len())),
        Err(LoadError::Rules(found)) => (found, None),
        Err(wrong) => {
            eprintln!("error: {wrong}");
            return Exit::Configuration;
        }
    };
    let format = if check.json { Format::Json } else { check.format };
    print(&found, format);
    let errors = found.iter().filter(|one| one.severity == Severity::Error).count();
    if format == Format::Human {
        let warnings = found.len() - errors;
        match routes {
            Some(routes) => eprintln!("ok: {routes} rules, {warnings} warnings"),
            None => eprintln!("{errors} errors, {warnings} warnings"),
        }
    }
    match (errors, found.len()) {
        (0, 0) => Exit::Done,
        (0, _) if check.strict => Exit::Differences,
        (0, _) => Exit::Done,
        _ => Exit::Configuration,
    }
}

fn print(found: &[Diagnostic], format: Format) {
    match format {
        Format::Human => {
            let colour = std::io::stdout().is_terminal()
                && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
            for one in found {
                println!("{}", one.render(colour));
            }
        }
        Format::Json => {
            let all: Vec<_> =
                found.iter().map(super::super::rules::diagnostic::Diagnostic::to_json).collect();
            println!("{}", serde_json::Value::from(all));
        }
        Format::Github => {
            for one in found {
                println!("{}", one.to_github());
            }
        }
    }
}

/// Runs the `[[test]]` blocks.
pub(super) fn test(test: &Test) -> Exit {
    let loaded = load::sources(&test.files)
        .and_then(|sources| load::compile(&sources, &LoadContext::default()));
    let loaded = match loaded {
        Ok(loaded) => loaded,
        Err(LoadError::Rules(found)) => {
            print(&found, if test.json { Format::Json } else { Format::Human });
            return Exit::Configuration;
        }
        Err(wrong) => {
            eprintln!("error: {wrong}");
            return Exit::Configuration;
        }
    };
    let results = testblock::run(&loaded.rules);
    let failed = results.iter().filter(|result| !result.passed()).count();
    if test.json {
        let all: Vec<_> = results
            .iter()
            .map(|one| serde_json::json!({ "passed": one.passed(), "text": one.to_string() }))
            .collect();
        println!("{}", serde_json::Value::from(all));
    } else {
        for result in &results {
            println!("{result}");
        }
        println!("{} passed, {failed} failed", results.len() - failed);
    }
    if failed == 0 { Exit::Done } else { Exit::Differences }
}

/// Explains a code.
pub(super) fn explain_code(code: &str) -> Exit {
    let known = Code::ALL.iter().find(|known| known.as_str().eq_ignore_ascii_case(code));
    if let Some(known) = known {
        println!("{}: {}\n\n{}", known.as_str(), known.title(), known.explanation());
        return Exit::Done;
    }
    eprintln!("error: {code} is no code of `cistern check`; they run from C001");
    Exit::Usage
}
