//! `cistern rules`: what a node runs, what it ran before, reading the files again, going back.

use std::io::Write;

use serde_json::{Value, json};

use crate::base::clock::Timestamp;
use crate::base::names;
use crate::cli::Exit;
use crate::cli::args::{Node, RulesVerb};
use crate::cli::client;
use crate::telemetry::time::write_rfc3339;

/// `cistern rules`.
pub(super) fn rules(verb: &RulesVerb) -> Exit {
    match verb {
        RulesVerb::List(node) => show(node, "rules", list),
        RulesVerb::Show { version, node } => {
            let number = version.map(|version| version.to_string());
            let pairs: Vec<(&str, &str)> =
                number.iter().map(|number| ("version", number.as_str())).collect();
            show(node, &format!("rules/text{}", client::query(&pairs)), text)
        }
        RulesVerb::Diff(node) => diff(node),
        RulesVerb::Reload(node) => change(node, "rules/reload", None),
        RulesVerb::History(node) => show(node, "rules/history", history),
        RulesVerb::Rollback { version, node } => {
            change(node, "rules/rollback", Some(&json!({ "version": version })))
        }
    }
}

/// Asks a call that only tells, and prints what `print` makes of it.
fn show(node: &Node, call: &str, print: fn(&Value) -> String) -> Exit {
    match client::call(node, "GET", &format!("{}/{call}", names::ADMIN_ROOT), None) {
        Ok((200, told)) => {
            let text = if node.json { format!("{told}\n") } else { print(&told) };
            // A reader that has seen enough is no failure.
            drop(std::io::stdout().write_all(text.as_bytes()));
            Exit::Done
        }
        Ok((status, problem)) => client::refused(status, &problem),
        Err(exit) => exit,
    }
}

fn list(told: &Value) -> String {
    let row = |rule: &Value| {
        let text = |name: &str| rule[name].as_str().unwrap_or_default().to_owned();
        format!("{:24} {:10} {}\n", text("rule"), text("share"), text("key"))
    };
    told["rules"].as_array().into_iter().flatten().map(row).collect()
}

/// The files as they are; where there are several, each under its name.
fn text(told: &Value) -> String {
    let files = told["files"].as_array().map_or(&[][..], Vec::as_slice);
    let of = |file: &Value| {
        let words = |name: &str| file[name].as_str().unwrap_or_default().to_owned();
        let name = if files.len() > 1 { format!("# {}\n", words("name")) } else { String::new() };
        name + &words("text")
    };
    files.iter().map(of).collect()
}

fn history(told: &Value) -> String {
    let row = |version: &Value| {
        let mut at = Vec::new();
        let ms = version["at_ms"].as_u64().unwrap_or_default();
        write_rfc3339(Timestamp::from_millis(ms), &mut at);
        let mark = if version["in_force"] == true { "*" } else { " " };
        let detail = version["detail"].as_str().unwrap_or_default();
        let number = version["version"].as_u64().unwrap_or_default();
        format!("{mark} {number:>4}  {}  {detail}\n", String::from_utf8_lossy(&at))
    };
    told["versions"].as_array().into_iter().flatten().map(row).collect()
}

/// Ends with 3 where the files say something else, or could not be put in force.
fn diff(node: &Node) -> Exit {
    let path = format!("{}/rules/diff", names::ADMIN_ROOT);
    let told = match client::call(node, "GET", &path, None) {
        Ok((200, told)) => told,
        Ok((status, problem)) => return client::refused(status, &problem),
        Err(exit) => return exit,
    };
    let errors = told["errors"].as_array().map_or(&[][..], Vec::as_slice);
    if node.json {
        println!("{told}");
    } else {
        drop(std::io::stdout().write_all(told["diff"].as_str().unwrap_or_default().as_bytes()));
        for error in errors {
            eprintln!("{}", error.as_str().unwrap_or_default());
        }
    }
    if told["same"] == true && errors.is_empty() { Exit::Done } else { Exit::Differences }
}

fn change(node: &Node, call: &str, body: Option<&Value>) -> Exit {
    match client::call(node, "POST", &format!("{}/{call}", names::ADMIN_ROOT), body) {
        Ok((200, status)) => {
            if node.json {
                println!("{status}");
            } else {
                println!("ok: {}", status["detail"].as_str().unwrap_or_default());
                if let Some(files) = status["files"].as_str() {
                    println!("the files stay {files}");
                }
            }
            Exit::Done
        }
        Ok((_, status)) if status["errors"].is_array() => {
            for error in status["errors"].as_array().into_iter().flatten() {
                eprintln!("{}", error.as_str().unwrap_or_default());
            }
            eprintln!("error: the old rules stay: {}", status["detail"].as_str().unwrap_or(""));
            Exit::Failed
        }
        Ok((status, problem)) => client::refused(status, &problem),
        Err(exit) => exit,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_have_names_where_there_are_several() {
        let one = json!({ "files": [{ "name": "a.toml", "text": "x\n" }] });
        assert_eq!(text(&one), "x\n");
        let two =
            json!({ "files": [{ "name": "a", "text": "x\n" }, { "name": "b", "text": "y\n" }] });
        assert_eq!(text(&two), "# a\nx\n# b\ny\n");
    }

    #[test]
    fn the_version_in_force_is_marked() {
        let told = json!({ "versions": [
            { "version": 2, "at_ms": 0, "detail": "1 routes", "in_force": true },
            { "version": 1, "at_ms": 0, "detail": "first rules", "in_force": false },
        ] });
        let text = history(&told);
        assert!(text.starts_with("*    2  1970-01-01"), "{text}");
        assert!(text.lines().nth(1).is_some_and(|line| line.starts_with("     1")), "{text}");
    }
}
