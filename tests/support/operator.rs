//! An operator of a node: its admin calls, and the program's verbs against it.

use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::support::cistern::Cistern;
use crate::support::client::{Answer, ask};
use crate::support::redis::until;

/// Makes an admin call, with a token or without, and with a body or without.
pub(crate) fn call(
    node: &Cistern,
    token: Option<&str>,
    method: &str,
    path: &str,
    body: Option<&Value>,
) -> Answer {
    let admin = node.admin();
    let mut call = ask(method, &format!("/api/v1/admin/{path}")).host(&admin);
    if let Some(body) = body {
        call = call.json(body);
    }
    if let Some(token) = token {
        call = call.bearer(token);
    }
    call.to(&admin)
}

/// A verb against a node, ready to run.
pub(crate) fn verb(node: &Cistern, token: Option<&str>, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cistern"));
    command.args(words).args(["--admin", &format!("http://{}", node.admin())]).env_clear();
    command.envs(token.map(|token| ("CISTERN_ADMIN_TOKEN", token))).stdin(Stdio::null());
    command
}

/// Its code, and what it said on each stream.
pub(crate) fn said(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().expect("an exit code"), text(&output.stdout), text(&output.stderr))
}

/// Makes a call that must be answered well, and tells the answer.
#[track_caller]
pub(crate) fn told(node: &Cistern, token: &str, method: &str, path: &str, body: &Value) -> Value {
    let body = (method == "POST").then_some(body);
    let answer = call(node, Some(token), method, path, body);
    assert!(matches!(answer.status, 200 | 202), "{path}: {} {}", answer.status, answer.text());
    answer.json()
}

/// Begins a job, and waits for its end.
#[track_caller]
pub(crate) fn ended(node: &Cistern, token: &str, path: &str, body: &Value) -> Value {
    let begun = told(node, token, "POST", path, body);
    end_of(node, token, begun["id"].as_str().expect("an id"))
}

/// Waits for the end of a job.
#[track_caller]
pub(crate) fn end_of(node: &Cistern, token: &str, id: &str) -> Value {
    let mut job = Value::Null;
    until("the job has ended", || {
        job = told(node, token, "GET", &format!("jobs/{id}"), &Value::Null);
        matches!(job["state"].as_str(), Some("done" | "failed" | "cancelled"))
    });
    job
}

/// The counts of a job that are not zero.
pub(crate) fn counts(job: &Value) -> Value {
    let counts = job["counts"].as_object().expect("counts").iter();
    counts.filter(|(_, count)| **count != 0).map(|(k, v)| (k.clone(), v.clone())).collect()
}
