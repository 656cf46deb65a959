//! What the program tells of itself: its version, what shells complete by, pages of the manual. All
//! of it is made from the declaration of the command line.

use std::io::Write;

use clap::CommandFactory;
use serde_json::json;

use crate::cli::Exit;
use crate::cli::args::{Arguments, Completion, Man};

/// `cistern version`.
pub(super) fn version(as_json: bool) -> Exit {
    let version = env!("CARGO_PKG_VERSION");
    if as_json {
        println!("{}", json!({ "name": "cistern", "version": version }));
    } else {
        println!("cistern {version}");
    }
    Exit::Done
}

/// `cistern completion`.
pub(super) fn completion(asked: &Completion) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(asked.shell, &mut Arguments::command(), "cistern", &mut script);
    print(&script)
}

/// `cistern man`.
pub(super) fn man(asked: &Man) -> Exit {
    let command = Arguments::command();
    let page = match &asked.verb {
        None => Some(command),
        // The name of the whole, for the heading and the synopsis.
        Some(verb) => command.find_subcommand(verb).map(|found| {
            let name = format!("cistern-{verb}");
            found.clone().display_name(name).bin_name(format!("cistern {verb}"))
        }),
    };
    let Some(page) = page else {
        let verb = asked.verb.as_deref().unwrap_or_default();
        eprintln!("error: `{verb}` is no verb; `cistern --help` lists them");
        return Exit::Usage;
    };
    let mut text = Vec::new();
    match clap_mangen::Man::new(page).render(&mut text) {
        Ok(()) => print(&text),
        Err(error) => {
            eprintln!("error: {error}");
            Exit::Failed
        }
    }
}

fn print(bytes: &[u8]) -> Exit {
    // A reader that has seen enough is no failure.
    drop(std::io::stdout().write_all(bytes));
    Exit::Done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }
}
