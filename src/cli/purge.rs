//! `cistern purge` and `cistern flush`.

use std::io::{BufRead, IsTerminal, Write};

use serde_json::{Value, json};

use crate::base::names;
use crate::cli::Exit;
use crate::cli::args::{Confirm, Flush, Node, Purge, PurgeHow, Undo};
use crate::cli::client;
use crate::entry::order::Selector;

/// `cistern purge`.
pub(super) fn purge(asked: &Purge) -> Exit {
    for text in &asked.selectors {
        if let Some(what) = sweeping(text)
            && !agreed(&what, &asked.how)
        {
            return Exit::Usage;
        }
    }
    send(&asked.selectors, &asked.how)
}

/// `cistern flush`.
pub(super) fn flush(asked: &Flush) -> Exit {
    let (selector, what) = match &asked.kind {
        Some(kind) => (format!("type:{kind}"), format!("everything of the type {kind}")),
        None => ("all".to_owned(), "everything".to_owned()),
    };
    if !agreed(&what, &asked.how) {
        return Exit::Usage;
    }
    send(&[selector], &asked.how)
}

/// What a selector takes, where that is everything or a whole type.
fn sweeping(text: &str) -> Option<String> {
    match Selector::parse(text).ok()? {
        Selector::All => Some("everything".to_owned()),
        Selector::Pattern(glob) if glob.as_str() == "*" => Some("everything".to_owned()),
        Selector::Tags(glob) if glob.as_str() == "*" => Some("everything with a tag".to_owned()),
        Selector::Type(kind) => Some(format!("everything of the type {kind}")),
        _ => None,
    }
}

/// Whether the operator means it: asked on a terminal, said beforehand in a script.
fn agreed(what: &str, how: &PurgeHow) -> bool {
    if how.yes || how.dry_run {
        return true;
    }
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        eprintln!("error: this purges {what}; say --yes, or look first with --dry-run");
        return false;
    }
    eprint!("purge {what} on all nodes? [y/N] ");
    // Where nothing can be shown, nothing was agreed to.
    if std::io::stderr().flush().is_err() {
        return false;
    }
    let mut said = String::new();
    let agreed = stdin.lock().read_line(&mut said).is_ok()
        && matches!(said.trim().to_ascii_lowercase().as_str(), "y" | "yes");
    if !agreed {
        eprintln!("nothing was purged");
    }
    agreed
}

/// `cistern undo`.
pub(super) fn undo(asked: &Undo) -> Exit {
    let body = json!({ "id": asked.id });
    call("undo", body, (asked.confirm, asked.wait.as_deref()), &asked.node)
}

fn send(selectors: &[String], how: &PurgeHow) -> Exit {
    let body = json!({
        "selectors": selectors,
        "dry_run": how.dry_run,
        "soft": how.soft,
        "refresh": how.refresh,
    });
    call("purge", body, (how.confirm, how.wait.as_deref()), &how.node)
}

/// Makes a call that waits for other nodes, and prints what came of it.
fn call(
    name: &str,
    mut body: Value,
    (confirm, wait): (Confirm, Option<&str>),
    node: &Node,
) -> Exit {
    body["confirm"] = match confirm {
        Confirm::Local => "local",
        Confirm::Shared => "shared",
        Confirm::Nodes => "nodes",
    }
    .into();
    if let Some(wait) = wait {
        body["wait"] = wait.into();
    }
    let path = format!("{}/{name}", names::ADMIN_ROOT);
    match client::call(node, "POST", &path, Some(&body)) {
        Ok((200 | 202, told)) if node.json => {
            println!("{told}");
            Exit::Done
        }
        Ok((200 | 202, told)) => {
            print(&told);
            Exit::Done
        }
        Ok((status, problem)) => client::refused(status, &problem),
        Err(exit) => exit,
    }
}

fn print(told: &Value) {
    let number = |value: &Value| value.as_u64().unwrap_or_default();
    let least = if told["exact"] == true { "" } else { "at least " };
    if told["dry_run"] == true {
        let would = &told["would_purge"];
        let (entries, bytes) = (number(&would["entries"]), number(&would["bytes"]));
        println!("would purge {least}{entries} entries, of them {bytes} bytes in memory");
        for key in told["sample"].as_array().into_iter().flatten() {
            println!("  {}", key.as_str().unwrap_or_default());
        }
        return;
    }
    let (did, counts) = match () {
        () if told["restored"].is_object() => ("restored", &told["restored"]),
        () if told["mode"] == "soft" => ("made stale", &told["purged"]),
        () => ("purged", &told["purged"]),
    };
    let (entries, ms) = (number(&counts["entries"]), number(&told["ms"]));
    let level = told["level"].as_str().unwrap_or_default();
    print!("{did} {least}{entries} entries, level {level}");
    if told["nodes"].is_object() {
        let (confirmed, asked) =
            (number(&told["nodes"]["confirmed"]), number(&told["nodes"]["asked"]));
        print!(", {confirmed} of {asked} other nodes confirmed");
    }
    println!(", {ms} ms");
    let anew = &told["refresh"];
    if anew.is_object() {
        let (noted, left_out) = (number(&anew["noted"]), number(&anew["left_out"]));
        println!("{noted} are fetched anew, {left_out} are left out");
    }
    if let Some(id) = told["undo"].as_str() {
        println!("within an hour it can be taken back: cistern undo {id}");
    }
    if let Some(job) = told["job"].as_str() {
        println!("Redis lets go of them by and by: cistern jobs {job} --wait tells how many");
    }
    if level == "local" && told["nodes"].is_object() {
        eprintln!("warning: the shared level was not reached; other nodes hear of it later");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_everything_is_asked_for_however_it_is_spelt() {
        for text in ["all", "*", "**", "pattern:*", "tag:*", "type:doc"] {
            assert!(sweeping(text).is_some(), "{text}");
        }
        for text in ["doc:1", "doc:*", "prefix:d", "tag:a*", "rule:docs", "url:http://h/all"] {
            assert_eq!(sweeping(text), None, "{text}");
        }
    }
}
