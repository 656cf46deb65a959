//! A Lua script that servers keep under its hash: sent by hash, and as text only to a server that
//! does not know it yet.

use std::sync::OnceLock;

/// A script, made once: `static PUT: Script = Script::new("return 1");`.
#[derive(Debug)]
pub struct Script {
    text: &'static str,
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

impl Script {
    /// From its text.
    pub const fn new(text: &'static str) -> Self {
        Self { text, hash: OnceLock::new() }
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
    /// By hash: short, and refused with `NOSCRIPT` by who does not know it.
    pub(super) fn by_hash(&self) -> redis::Cmd {
        self.command("EVALSHA", self.script.hash())
    }

    /// By text, which the server keeps.
    pub(super) fn by_text(&self) -> redis::Cmd {
        self.command("EVAL", self.script.text)
    }

    fn command(&self, name: &str, script: &str) -> redis::Cmd {
        let bytes: usize = self.keys.iter().chain(self.args).map(|part| part.len()).sum();
        let parts = self.keys.len() + self.args.len() + 3;
        let mut command = redis::Cmd::with_capacity(parts, bytes + script.len() + 32);
        command.arg(name).arg(script).arg(self.keys.len()).arg(self.keys).arg(self.args);
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_and_commands() {
        static ONE: Script = Script::new("return 1");
        assert_eq!(ONE.hash(), "e0e1f9fabfc9d4800c877a703b823ac0578ff8db");
        let call = ScriptCall { script: &ONE, keys: &[b"k"], args: &[b"a", b"\0"] };
        let packed = call.by_text().get_packed_command();
        assert_eq!(
            packed,
            b"*6\r\n$4\r\nEVAL\r\n$8\r\nreturn 1\r\n$1\r\n1\r\n$1\r\nk\r\n$1\r\na\r\n$1\r\n\0\r\n"
        );
        let none = ScriptCall { script: &ONE, keys: &[], args: &[] };
        let packed = none.by_hash().get_packed_command();
        assert!(packed.starts_with(b"*3\r\n$7\r\nEVALSHA\r\n") && packed.ends_with(b"$1\r\n0\r\n"));
    }
}
