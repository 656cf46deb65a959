//! An operator of a node: its admin calls, and the program's verbs against it.

use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::support::cistern::Cistern;
use crate::support::client::{Answer, ask};

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
