//! `cistern run`.

use crate::cli::Exit;
use crate::cli::args::Run;
use crate::node::load::LoadError;
use crate::node::reload::failed_tests;
use crate::node::run::StartError;
use crate::node::settings::{self, Flags};
use crate::node::{load, run as node};

/// Starts a node, or with `--check-only` says whether it would start.
pub(super) fn run(run: &Run) -> Exit {
    let flags = Flags {
        config: run.config.clone(),
        rules: run.rules.clone(),
        origin: run.origin.clone(),
        listen: run.listen.clone(),
        admin_listen: run.admin_listen.clone(),
        profile: run.profile.clone(),
        workers: run.workers,
        demo: run.demo,
    };
    let settings = match settings::resolve(&flags, &super::environment()) {
        Ok(settings) => settings,
        Err(wrong) => {
            eprintln!("error: {wrong}");
            return Exit::Configuration;
        }
    };
    if run.check_only {
        super::warn(&settings.warnings);
        return match load::book(settings.rules.as_deref(), &settings.context()) {
            Ok((_, loaded)) => tested(&failed_tests(&loaded.rules)),
            Err(wrong) => told(&wrong),
        };
    }
    match node::run(settings) {
        Ok(()) => Exit::Done,
        Err(StartError::Rules(wrong)) => told(&wrong),
        Err(wrong @ StartError::Tests(_)) => {
            eprintln!("error: {wrong}");
            Exit::Configuration
        }
        Err(wrong @ StartError::System { .. }) => {
            eprintln!("error: {wrong}");
            Exit::Failed
        }
    }
}

fn tested(failed: &[String]) -> Exit {
    for one in failed {
        eprintln!("{one}");
    }
    if failed.is_empty() { Exit::Done } else { Exit::Configuration }
}

fn told(wrong: &LoadError) -> Exit {
    if let LoadError::Rules(all) = wrong {
        for one in all {
            eprintln!("{}", one.render(false));
        }
    } else {
        eprintln!("error: {wrong}");
    }
    Exit::Configuration
}
