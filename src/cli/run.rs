//! `cistern run`.

use crate::cli::Exit;
use crate::cli::args::Run;
use crate::node::build::BuildError;
use crate::node::load::LoadError;
use crate::node::reload::failed_tests;
use crate::node::run::StartError;
use crate::node::settings::{self, Flags};
use crate::node::{build, load, run as node, sockets};
use crate::telemetry::Telemetry;

/// Starts a node, or with `--check-only` says whether it would start.
pub(super) fn run(run: &Run) -> Exit {
    let flags = Flags { demo: run.demo, ..super::config::flags(&run.machine) };
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
            Ok((_, loaded)) => {
                for warning in &loaded.warnings {
                    eprintln!("{}", warning.render(false));
                }
                if let Err(wrong) = sockets::speeches(&settings) {
                    eprintln!("error: {wrong}");
                    return Exit::Configuration;
                }
                if let Err(wrong) = build::shared_level(&settings, &Telemetry::default()) {
                    eprintln!("error: {wrong}");
                    return Exit::Configuration;
                }
                tested(&failed_tests(&loaded.rules))
            }
            Err(wrong) => told(&wrong),
        };
    }
    match node::run(settings) {
        Ok(()) => Exit::Done,
        Err(StartError::Rules(wrong)) => told(&wrong),
        Err(
            wrong @ (StartError::Tests(_)
            | StartError::Certificates(_)
            | StartError::Build(BuildError::Level { .. })),
        ) => {
            eprintln!("error: {wrong}");
            Exit::Configuration
        }
        Err(wrong @ (StartError::System { .. } | StartError::Build(_))) => {
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
