//! Real Redis servers: started by a story on ports and in folders of their own, hurt in every way
//! that happens to servers, and stopped by their own process ids, also when the story fails. Never
//! a server that runs anyway: what is in it is somebody's.

pub(crate) mod cluster;
pub(crate) mod port;
pub(crate) mod sentinel;
pub(crate) mod tls;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::support::patience::Patience;
use crate::support::program::Program;

/// How often a state is looked at while a story waits for it.
const LOOK: Duration = Duration::from_millis(20);

/// One server, running or not.
pub(crate) struct Server {
    folder: PathBuf,
    port: u16,
    words: Vec<String>,
    program: Option<Program>,
}

impl Server {
    /// One server with nothing in it. It writes no snapshot of its own accord, so that what a
    /// restart finds is what the story saved.
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// One server with options, such as `&["--maxmemory", "8mb"]`.
    pub(crate) fn with(options: &[&str]) -> Self {
        let mut words: Vec<_> = PLAIN.iter().map(|word| (*word).to_owned()).collect();
        words.extend(options.iter().map(|word| (*word).to_owned()));
        Self::found(folder(), words)
    }

    /// A server in this folder and with these words, on a port that nobody else took.
    fn found(folder: PathBuf, words: Vec<String>) -> Self {
        let mut server = Self { folder, port: 0, words, program: None };
        for _ in 0..TRIES {
            server.port = port::free();
            match server.run() {
                Ok(()) => return server,
                Err(words) if words.contains("already in use") => {}
                Err(words) => panic!("redis-server left: {words}"),
            }
        }
        panic!("no free port for a redis-server")
    }

    fn run(&mut self) -> Result<(), String> {
        let mut command = Command::new("redis-server");
        let port = self.port.to_string();
        // One that speaks TLS speaks nothing else.
        let plain = tls::client_words(&self.words).is_empty();
        let ports = if plain { &["--port"][..] } else { &["--port", "0", "--tls-port"] };
        command
            .args(self.words.iter().take_while(|word| !word.starts_with("--")))
            .args(ports)
            .args([&port, "--bind", "127.0.0.1"])
            .args(["--dir", &self.folder.to_string_lossy()])
            .args(self.words.iter().skip_while(|word| !word.starts_with("--")))
            .current_dir(&self.folder);
        assert!(has("redis-server"), "redis-server is missing: install the package redis-server");
        let started = Program::start("redis-server", &mut command, ready);
        let (program, ()) = started.map_err(|(_, words)| words)?;
        self.program = Some(program);
        Ok(())
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Where a client finds it.
    pub(crate) fn url(&self) -> String {
        format!("redis://{}/0", self.address())
    }

    /// What it says to a command; what it refuses ends the story.
    #[track_caller]
    pub(crate) fn cli(&self, words: &[&str]) -> String {
        let said = self.asked(words);
        assert!(!is_refusal(&said), "{words:?}: {said}");
        said
    }

    /// What it says to a command, a refusal included.
    #[track_caller]
    pub(crate) fn asked(&self, words: &[&str]) -> String {
        let said = self.output(words);
        let text = String::from_utf8_lossy(&said.stdout).trim_end().to_owned();
        let error = String::from_utf8_lossy(&said.stderr);
        // Who cannot be reached is told on the other stream.
        if text.is_empty() && !error.trim().is_empty() { format!("(error) {error}") } else { text }
    }

    fn output(&self, words: &[&str]) -> Output {
        // A server that stands still must not hold the story up for ever.
        let mut command = Command::new("timeout");
        command.args(["10", "redis-cli"]).args(self.client_words()).args(words);
        let said = command.output().unwrap_or_else(|error| panic!("timeout: {error}"));
        let missing = said.status.code() == Some(127);
        assert!(!missing, "redis-cli is missing: install the package redis-server");
        said
    }

    /// How its own client reaches it.
    fn client_words(&self) -> Vec<String> {
        [&["-p".to_owned(), self.port.to_string()], &tls::client_words(&self.words)[..]].concat()
    }

    /// Like [`cli`](Self::cli), byte for byte.
    #[track_caller]
    pub(crate) fn bytes(&self, words: &[&str]) -> Vec<u8> {
        // One newline is the client's own.
        let mut said = self.output(words).stdout;
        said.pop();
        said
    }

    /// A value that may be any bytes, put in with the client's own reading from a pipe.
    pub(crate) fn set_bytes(&self, words: &[&str], value: &[u8]) {
        let file = self.folder.join("value");
        fs::write(&file, value).expect("a file that can be written");
        let input = fs::File::open(&file).expect("a file that was just written");
        let mut command = Command::new("redis-cli");
        command.args(self.client_words()).arg("-x").args(words).stdin(input);
        let said = command.output().unwrap_or_else(|error| panic!("redis-cli: {error}"));
        assert!(said.status.success(), "{words:?}: {said:?}");
    }

    /// Changes a setting while it runs.
    #[track_caller]
    pub(crate) fn set(&self, name: &str, value: &str) {
        assert_eq!(self.cli(&["CONFIG", "SET", name, value]), "OK", "{name} {value}");
    }

    /// One line of `INFO`.
    #[track_caller]
    pub(crate) fn info(&self, name: &str) -> String {
        info(&self.cli(&["INFO", "everything"]), name)
    }

    /// All its keys that fit the pattern.
    pub(crate) fn keys(&self, pattern: &str) -> Vec<String> {
        self.cli(&["--scan", "--pattern", pattern]).lines().map(str::to_owned).collect()
    }

    /// It stops in the middle of whatever it does.
    pub(crate) fn kill(&mut self) {
        let mut program = self.program.take().expect("it runs");
        program.signal("KILL");
        program.wait();
    }

    /// It stands still: connections stay open and nothing is answered.
    pub(crate) fn freeze(&self) {
        self.program.as_ref().expect("it runs").signal("STOP");
    }

    /// It goes on where it stood.
    pub(crate) fn thaw(&self) {
        self.program.as_ref().expect("it runs").signal("CONT");
    }

    /// Writes down what is in it now.
    pub(crate) fn save(&self) {
        assert_eq!(self.cli(&["SAVE"]), "OK");
    }

    /// What was last saved, as it stands in its file.
    pub(crate) fn dump(&self) -> Vec<u8> {
        fs::read(self.folder.join("dump.rdb")).expect("it was saved")
    }

    /// Starts again on its port, with what was last saved.
    pub(crate) fn restart(&mut self) {
        if self.program.is_some() {
            self.kill();
        }
        let started = self.run();
        assert!(started.is_ok(), "redis-server did not come back: {started:?}");
    }

    /// Starts again on its port, with nothing.
    pub(crate) fn restart_empty(&mut self) {
        if self.program.is_some() {
            self.kill();
        }
        fs::remove_file(self.folder.join("dump.rdb")).ok();
        self.restart();
    }

    /// Puts `megabytes` of somebody else's data into it, with no expiry.
    #[track_caller]
    pub(crate) fn fill(&self, megabytes: usize) {
        // One command for each, so that nobody else waits long; a server that is full refuses.
        let script = "return redis.call('SET', KEYS[1], string.rep('x', 1048576))";
        for number in 0..megabytes {
            let said = self.asked(&["EVAL", script, "1", &format!("ballast:{number}")]);
            if said != "OK" {
                return;
            }
        }
    }

    /// Takes that data out again.
    pub(crate) fn unfill(&self) {
        let script = "for _, k in ipairs(redis.call('KEYS', 'ballast:*')) do \
            redis.call('DEL', k) end return 0";
        self.cli(&["EVAL", script, "0"]);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The process first: it must not write into a folder that goes.
        drop(self.program.take());
        if !std::thread::panicking() {
            fs::remove_dir_all(&self.folder).ok();
        }
    }
}

/// No snapshots and no log of writes; replication starts at once.
const PLAIN: [&str; 8] = [
    "--save",
    "",
    "--appendonly",
    "no",
    "--repl-diskless-sync-delay",
    "0",
    "--enable-debug-command",
    "local",
];

/// How many ports are tried: others start servers on this machine, too.
const TRIES: usize = 50;

/// Waits, looking again and again, until something holds.
#[track_caller]
pub(crate) fn until(what: &str, holds: impl FnMut() -> bool) {
    assert!(holds_within(crate::support::PATIENCE, holds), "it never came to this: {what}");
}

/// Whether something comes to hold within a time.
pub(crate) fn holds_within(time: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let patience = Patience::of(time);
    loop {
        if holds() {
            return true;
        }
        if !patience.lasts() {
            return false;
        }
        std::thread::sleep(LOOK);
    }
}

/// A folder for one server.
fn folder() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("redis-{}-{count}", std::process::id());
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    // A process of long ago may have had this id.
    fs::remove_dir_all(&folder).ok();
    fs::create_dir_all(&folder).expect("a folder for the server");
    folder
}

fn ready(line: &str) -> Option<()> {
    ["Ready to accept connections", "+monitor master"]
        .iter()
        .any(|word| line.contains(word))
        .then_some(())
}

fn has(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|said| said.status.success())
}

fn is_refusal(said: &str) -> bool {
    const SIGNS: [&str; 8] =
        ["(error)", "ERR ", "WRONGTYPE ", "OOM ", "LOADING ", "NOAUTH ", "READONLY ", "MOVED "];
    SIGNS.iter().any(|sign| said.starts_with(sign))
}

/// The value of one line of an answer of `name:value` lines.
#[track_caller]
fn info(text: &str, name: &str) -> String {
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value.unwrap_or_else(|| panic!("no {name} in:\n{text}")).trim().to_owned()
}

#[cfg(test)]
mod tests;
