//! A whole system behind the proxy: one of the origins in `stories/origins`, with its state and its
//! back door.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::client::{ask, get};
use crate::support::program::Program;

/// A running origin that keeps state.
pub(crate) struct System {
    _program: Program,
    address: String,
}

impl System {
    /// Starts `stories/origins/<name>.py`.
    pub(crate) fn start(name: &str) -> Self {
        let file = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/stories/origins")
            .join(format!("{name}.py"));
        let mut command = Command::new("python3");
        command.arg("-B").arg(&file);
        let started = Program::start(name, &mut command, |line| {
            line.strip_prefix("PORT ").map(|port| format!("127.0.0.1:{port}"))
        });
        match started {
            Ok((program, address)) => Self { _program: program, address },
            Err((status, words)) => panic!("{name} left with {status}: {words}"),
        }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// How often it was asked exactly this, such as "GET /api/productos/".
    pub(crate) fn asked(&self, what: &str) -> u64 {
        let all = get("/_/asked").to(&self.address).json();
        all.get(what).and_then(Value::as_u64).unwrap_or(0)
    }

    /// From now on it answers everything with this status.
    pub(crate) fn fails_with(&self, status: u16) {
        self.trouble(&json!({ "status": status }));
    }

    /// From now on it closes connections instead of answering.
    pub(crate) fn hangs_up(&self) {
        self.trouble(&json!({ "hang_up": true }));
    }

    /// It is well again.
    pub(crate) fn recovers(&self) {
        self.trouble(&json!({}));
    }

    fn trouble(&self, what: &Value) {
        ask("POST", "/_/trouble").json(what).to(&self.address).with_status(200);
    }
}
