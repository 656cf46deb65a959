//! `cistern jobs`: what runs behind calls, one of it, its pause and its end; and waiting for one,
//! with how far it is where somebody looks.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use serde_json::Value;

use crate::base::names;
use crate::cli::Exit;
use crate::cli::args::{Jobs, JobsVerb, Node};
use crate::cli::client;

/// Between two looks at a job.
const EVERY: Duration = Duration::from_millis(500);

/// `cistern jobs`.
pub(super) fn jobs(asked: &Jobs) -> Exit {
    match &asked.verb {
        Some(JobsVerb::Pause(held)) => return shown(&held.node, "POST", &held.id, "/pause"),
        Some(JobsVerb::Resume(held)) => return shown(&held.node, "POST", &held.id, "/resume"),
        None => {}
    }
    let Some(id) = &asked.id else { return all(&asked.node) };
    if !asked.wait {
        return shown(&asked.node, if asked.cancel { "DELETE" } else { "GET" }, id, "");
    }
    match call(&asked.node, "GET", id, "") {
        Ok(job) => followed(&asked.node, job),
        Err(exit) => exit,
    }
}

/// Calls about one job, and shows how it stands then.
fn shown(node: &Node, method: &str, id: &str, what: &str) -> Exit {
    match call(node, method, id, what) {
        Ok(job) => {
            show(node, &job);
            Exit::Done
        }
        Err(exit) => exit,
    }
}

fn all(node: &Node) -> Exit {
    match client::call(node, "GET", &format!("{}/jobs", names::ADMIN_ROOT), None) {
        Ok((200, told)) if node.json => {
            println!("{told}");
            Exit::Done
        }
        Ok((200, told)) => {
            let jobs = told["jobs"].as_array().into_iter().flatten();
            let lines: Vec<_> =
                jobs.map(|job| format!("{}  {}\n", line(job), word(job, "what"))).collect();
            let text = lines.concat();
            // A reader that has seen enough is no failure.
            drop(std::io::stdout().write_all(text.as_bytes()));
            Exit::Done
        }
        Ok((status, problem)) => client::refused(status, &problem),
        Err(exit) => exit,
    }
}

fn call(node: &Node, method: &str, id: &str, what: &str) -> Result<Value, Exit> {
    let path = format!("{}/jobs/{}{what}", names::ADMIN_ROOT, client::escaped(id));
    match client::call(node, method, &path, None)? {
        (200, job) => Ok(job),
        (status, problem) => Err(client::refused(status, &problem)),
    }
}

/// What a call that began a job is followed by: its name, or its end.
pub(super) fn begun(node: &Node, job: Value, wait: bool) -> Exit {
    if wait {
        return followed(node, job);
    }
    if node.json {
        println!("{job}");
    } else {
        println!("{}: {}", word(&job, "id"), word(&job, "what"));
        eprintln!("it runs by itself: cistern jobs {} shows how far it is", word(&job, "id"));
    }
    Exit::Done
}

/// Waits until a job has ended.
fn followed(node: &Node, mut job: Value) -> Exit {
    let mut stderr = std::io::stderr();
    let seen = stderr.is_terminal();
    while !matches!(word(&job, "state"), "done" | "failed" | "cancelled") {
        if seen {
            // Where nothing can be shown, it is waited for all the same.
            drop(write!(stderr, "\r\x1b[K{}", line(&job)).and_then(|()| stderr.flush()));
        }
        std::thread::sleep(EVERY);
        job = match call(node, "GET", word(&job, "id"), "") {
            Ok(job) => job,
            Err(exit) => return exit,
        };
    }
    if seen {
        drop(write!(stderr, "\r\x1b[K"));
    }
    show(node, &job);
    outcome(&job)
}

/// How the verb ends that waited for a job: failed where nothing of it was done, with differences
/// where some are left.
fn outcome(job: &Value) -> Exit {
    let count = |name: &str| job["counts"][name].as_u64().unwrap_or_default();
    let left_alone = ["skipped", "no-credentials", "unknown"].map(count).iter().sum::<u64>();
    let tried = job["done"].as_u64().unwrap_or_default().saturating_sub(left_alone);
    match word(job, "state") {
        "done" if tried > 0 && tried == count("failed") => Exit::Failed,
        "done" if word(job, "kind") == "verify" && count("differs") + count("gone") > 0 => {
            Exit::Differences
        }
        "done" => Exit::Done,
        _ => Exit::Failed,
    }
}

fn show(node: &Node, job: &Value) {
    if node.json {
        println!("{job}");
        return;
    }
    let mut lines = vec![line(job), word(job, "what").to_owned()];
    for one in job["examples"].as_array().into_iter().flatten() {
        let (outcome, what, why) = (word(one, "outcome"), word(one, "what"), word(one, "why"));
        lines.push(format!("  {outcome:14} {what}: {why}"));
    }
    lines.extend(found(&job["findings"]));
    lines.push(String::new());
    let text = lines.join("\n");
    drop(std::io::stdout().write_all(text.as_bytes()));
    if let Some(why) = job["error"].as_str() {
        eprintln!("error: {why}");
    }
}

/// What a comparison found beside its counts.
fn found(findings: &Value) -> Vec<String> {
    let Some(compared) = findings["fresh"]["compared"].as_u64() else { return Vec::new() };
    let wrong = findings["fresh"]["wrong"].as_u64().unwrap_or_default();
    let since = &findings["wrong_for_secs_at_most"];
    let since = if wrong > 0 { format!(", for {since} seconds at most") } else { String::new() };
    let staleness = format!("of {compared} that would have been served, {wrong} were wrong{since}");
    let purged = findings["purged_keys"].as_u64().filter(|purged| *purged > 0);
    let purged = purged.map(|purged| format!("purged {purged} keys on all nodes"));
    std::iter::once(staleness).chain(purged).collect()
}

fn word<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

/// A job in one line.
fn line(job: &Value) -> String {
    let of = job["total"].as_u64().map(|total| format!(" of {total}")).unwrap_or_default();
    let rate = job["rate"].as_f64().map(|rate| format!(", {rate}/s")).unwrap_or_default();
    let counts = job["counts"].as_object().into_iter().flatten();
    let counts = counts.filter(|(_, count)| count.as_u64() != Some(0));
    let counts: Vec<_> = counts.map(|(name, count)| format!(" {name} {count}")).collect();
    let counts = counts.concat();
    let done = job["done"].as_u64().unwrap_or_default();
    format!("{:12} {:9} {done}{of}{rate}{counts}", word(job, "id"), word(job, "state"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_says_how_far_it_is() {
        let job = json!({
            "id": "warm-1", "state": "running", "done": 3, "total": 9, "rate": 10.5,
            "counts": { "fetched": 2, "fresh": 0, "failed": 1 },
        });
        assert_eq!(line(&job), "warm-1       running   3 of 9, 10.5/s fetched 2 failed 1");
        let job = json!({ "id": "warm-2", "state": "queued", "done": 0, "total": null });
        assert_eq!(line(&job), "warm-2       queued    0");
    }

    #[test]
    fn what_failed_as_a_whole_has_failed() {
        let ended = |kind: &str, state: &str, done: u64, counts: Value| {
            outcome(&json!({ "kind": kind, "state": state, "done": done, "counts": counts }))
        };
        for (kind, state, done, counts, expected) in [
            ("warm", "done", 2, json!({ "failed": 2 }), Exit::Failed),
            ("warm", "done", 2, json!({ "failed": 1, "fetched": 1 }), Exit::Done),
            (
                "sync",
                "done",
                3,
                json!({ "failed": 1, "skipped": 1, "no-credentials": 1 }),
                Exit::Failed,
            ),
            ("sync", "done", 2, json!({ "gone": 1, "changed": 1 }), Exit::Done),
            ("sync", "failed", 2, json!({ "unchanged": 2 }), Exit::Failed),
            ("verify", "done", 2, json!({ "same": 1, "gone": 1 }), Exit::Differences),
            ("verify", "done", 2, json!({ "failed": 2 }), Exit::Failed),
            ("verify", "done", 1, json!({ "skipped": 1 }), Exit::Done),
            ("verify", "done", 0, json!({}), Exit::Done),
            ("warm", "cancelled", 1, json!({ "fetched": 1 }), Exit::Failed),
        ] {
            assert_eq!(ended(kind, state, done, counts.clone()), expected, "{kind} {counts}");
        }
    }
}
