//! A Lua script that servers keep under its hash: sent by hash, and as text only to a server that
//! does not know it yet.

use std::sync::OnceLock;

/// A script, made once: `static PUT: Script = Script::new("return 1");`.
#[derive(Debug)]
pub struct Script {
    text: &'static str,
    /// Whether it is told whom it is sent to.
    told_run: bool,
    hash: OnceLock<String>,
}

/// A script with what it is called with.
#[derive(Clone, Copy, Debug)]
pub struct ScriptCall<'a> {
    /// Which script.
    pub script: &'a Script,
    /// Its `KEYS`; in a cluster all of one slot.
    pub keys: &'a [&'a [u8]],
    /// Its `ARGV`.
    pub args: &'a [&'a [u8]],
}

/// One step of a round trip.
#[derive(Clone, Debug)]
pub enum Step<'a> {
    /// A plain command.
    Command(redis::Cmd),
    /// A script.
    Script(ScriptCall<'a>),
}

impl Script {
    /// From its text.
    pub const fn new(text: &'static str) -> Self {
        Self { text, told_run: false, hash: OnceLock::new() }
    }

    /// From its text; the run id of the server that it is sent to comes behind its `ARGV`. A
    /// connection ends with the process at its other end, so what was learned over it stays true
    /// of it; and a script that asks for the id itself costs the server twice as much.
    pub const fn told_run(text: &'static str) -> Self {
        Self { text, told_run: true, hash: OnceLock::new() }
    }

    /// Its text.
    pub const fn text(&self) -> &'static str {
        self.text
    }

    /// The SHA-1 of its text, under which servers know it.
    pub fn hash(&self) -> &str {
        self.hash.get_or_init(|| redis::Script::new(self.text).get_hash().to_owned())
    }
}

impl ScriptCall<'_> {
    /// By hash, to a server of this run: short, and refused with `NOSCRIPT` by who does not know
    /// it.
    pub(super) fn by_hash(&self, run: &str) -> redis::Cmd {
        self.command("EVALSHA", self.script.hash(), run)
    }

    /// By text, which the server keeps.
    pub(super) fn by_text(&self, run: &str) -> redis::Cmd {
        self.command("EVAL", self.script.text, run)
    }

    /// Bytes of its keys and arguments.
    pub(super) fn bytes(&self) -> usize {
        self.keys.iter().chain(self.args).map(|part| part.len()).sum()
    }

    fn command(&self, name: &str, script: &str, run: &str) -> redis::Cmd {
        let parts = self.keys.len() + self.args.len() + 4;
        let bytes = self.bytes() + script.len() + run.len() + 32;
        let mut command = redis::Cmd::with_capacity(parts, bytes);
        command.arg(name).arg(script).arg(self.keys.len()).arg(self.keys).arg(self.args);
        if self.script.told_run {
            command.arg(run);
        }
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_and_commands() {
        static ONE: Script = Script::new("return 1");
        static TOLD: Script = Script::told_run("return ARGV[2]");
        assert_eq!(ONE.hash(), "e0e1f9fabfc9d4800c877a703b823ac0578ff8db");
        let call = ScriptCall { script: &ONE, keys: &[b"k"], args: &[b"a", b"\0"] };
        let packed = call.by_text("r").get_packed_command();
        assert_eq!(
            packed,
            b"*6\r\n$4\r\nEVAL\r\n$8\r\nreturn 1\r\n$1\r\n1\r\n$1\r\nk\r\n$1\r\na\r\n$1\r\n\0\r\n"
        );
        let none = ScriptCall { script: &ONE, keys: &[], args: &[] };
        let packed = none.by_hash("r").get_packed_command();
        assert!(packed.starts_with(b"*3\r\n$7\r\nEVALSHA\r\n") && packed.ends_with(b"$1\r\n0\r\n"));
        let told = ScriptCall { script: &TOLD, keys: &[], args: &[b"a"] };
        let packed = told.by_hash("run").get_packed_command();
        assert!(packed.starts_with(b"*5\r\n") && packed.ends_with(b"$1\r\na\r\n$3\r\nrun\r\n"));
    }
}
