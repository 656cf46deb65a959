//! Floor 8: the verbs. Data goes to standard output, messages to standard error; exit codes are
//! 0 done, 1 failed, 2 wrong usage, 3 differences found, 4 nobody reached, 5 not allowed, 78 bad
//! configuration.

mod alerts;
pub mod args;
mod bypass;
mod certs;
mod check;
mod client;
mod config;
mod doctor;
mod entries;
mod explain;
mod harvest;
mod jobs;
mod log;
mod pages;
mod purge;
mod rules;
mod run;
mod stats;
mod tokens;
mod top;
mod warm;

use std::process::ExitCode;

use clap::Parser;

use args::{Arguments, CacheVerb, ConfigVerb, Verb};

/// How a verb ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done,
    /// The operation failed.
    Failed,
    /// Wrong usage.
    Usage,
    /// `test` or `verify`, or `check` or `doctor` with `--strict`, found something.
    Differences,
    /// The node, or every server of the shared level, does not answer.
    Unreachable,
    /// The node wants a token, or one that allows more.
    Unauthorised,
    /// The configuration is wrong (sysexits' `EX_CONFIG`): restarting does not help.
    Configuration,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Differences => 3,
            Exit::Unreachable => 4,
            Exit::Unauthorised => 5,
            Exit::Configuration => 78,
        })
    }
}

/// Parses the command line and runs its verb.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(wrong) => {
            let usage = wrong.use_stderr();
            // Nothing can be said where the terminal is gone.
            drop(wrong.print());
            return if usage { Exit::Usage } else { Exit::Done }.into();
        }
    };
    match arguments.verb {
        Verb::Run(run) => run::run(&run),
        Verb::Check(check) => check::check(&check),
        Verb::Test(test) => check::test(&test),
        Verb::Explain(explain) => explain::explain(&explain),
        Verb::Config(ConfigVerb::Show(show)) => config::show(&show),
        Verb::Doctor(asked) => doctor::doctor(&asked),
        Verb::Rules(verb) => rules::rules(&verb),
        Verb::Health(node) => client::health(&node),
        Verb::Purge(asked) => purge::purge(&asked),
        Verb::Undo(asked) => purge::undo(&asked),
        Verb::Flush(asked) => purge::flush(&asked),
        Verb::Keys(asked) => entries::keys(&asked),
        Verb::Get(asked) => entries::get(&asked),
        Verb::Put(asked) => entries::put(&asked),
        Verb::Warm(asked) => warm::warm(&asked),
        Verb::Verify(asked) => warm::verify(&asked),
        Verb::Sync(asked) => warm::sync(&asked),
        Verb::Jobs(asked) => jobs::jobs(&asked),
        Verb::Cache(verb) => cache(&verb),
        Verb::Bypass(asked) => bypass::bypass(&asked),
        Verb::Stats(node) => stats::stats(&node),
        Verb::Alerts(node) => alerts::alerts(&node),
        Verb::Log(asked) => log::log(&asked),
        Verb::Audit(node) => client::audit(&node),
        Verb::Tokens(verb) => tokens::tokens(&verb),
        Verb::Certs(verb) => certs::certs(&verb),
        Verb::Schema => {
            println!("{}", crate::rules::schema::text());
            Exit::Done
        }
        Verb::ExplainCode { code } => check::explain_code(&code),
        Verb::Top(asked) => top::top(&asked),
        Verb::Version { json } => pages::version(json),
        Verb::Completion(asked) => pages::completion(&asked),
        Verb::Man(asked) => pages::man(&asked),
    }
    .into()
}

/// The verbs of `fmgo`.
fn cache(verb: &CacheVerb) -> Exit {
    match verb {
        CacheVerb::Stats(node) => stats::stats(node),
        CacheVerb::Flush(asked) => purge::flush(asked),
        CacheVerb::Warm(asked) => warm::of_type(asked),
        CacheVerb::Verify(asked) => warm::verify(asked),
    }
}

/// The environment of the process, for settings; what is no text is none of ours.
fn environment() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// Tells what was said without effect.
fn warn(warnings: &[String]) {
    for warning in warnings {
        eprintln!("warning: {warning}");
    }
}
