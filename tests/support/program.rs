//! A child process that says on its first lines where it listens, and that is always ended.

use std::io::{BufRead, BufReader};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Condvar, Mutex};

use crate::support::PATIENCE;

/// A running program and what it has said.
pub(crate) struct Program {
    name: String,
    pid: u32,
    ended: Receiver<ExitStatus>,
    words: Arc<Words>,
}

/// What was said so far, and a bell for every new line.
#[derive(Default)]
struct Words {
    text: Mutex<String>,
    bell: Condvar,
}

impl Program {
    /// Starts it and waits for the line that `pick` can read; `Err` holds how it ended and its
    /// words when it ended before.
    pub(crate) fn start<T: Send + 'static>(
        name: &str,
        command: &mut Command,
        pick: fn(&str) -> Option<T>,
    ) -> Result<(Self, T), (ExitStatus, String)> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{name}: {error}"));
        let words = Arc::<Words>::default();
        let (said, ready) = channel();
        let lines = child.stdout.take().expect("stdout is a pipe");
        let heard = Arc::clone(&words);
        let out = std::thread::spawn(move || {
            for line in BufReader::new(lines).lines().map_while(Result::ok) {
                if let Some(found) = pick(&line) {
                    // Nobody listens any more once the first line is found.
                    said.send(found).ok();
                }
                heard.keep(&line);
            }
        });
        let errors = child.stderr.take().expect("stderr is a pipe");
        let heard = Arc::clone(&words);
        let err = std::thread::spawn(move || {
            BufReader::new(errors).lines().map_while(Result::ok).for_each(|line| heard.keep(&line));
        });
        let pid = child.id();
        let (gone, ended) = channel();
        std::thread::spawn(move || {
            let status = child.wait().expect("a child can be waited for");
            drop((out.join(), err.join()));
            gone.send(status).ok();
        });
        let program = Self { name: name.to_owned(), pid, ended, words };
        match ready.recv_timeout(PATIENCE) {
            Ok(found) => Ok((program, found)),
            Err(RecvTimeoutError::Timeout) => panic!("{name} said nothing: {}", program.said()),
            Err(RecvTimeoutError::Disconnected) => {
                let status = program.ended.recv_timeout(PATIENCE).expect("it closed its mouth");
                Err((status, program.said()))
            }
        }
    }

    /// Everything it has said so far on both streams.
    pub(crate) fn said(&self) -> String {
        self.words.text.lock().expect("no thread died while it wrote").clone()
    }

    /// Waits until it has said this.
    pub(crate) fn says(&self, wanted: &str) {
        let text = self.words.text.lock().expect("no thread died while it wrote");
        let silent = |text: &mut String| !text.contains(wanted);
        let (text, late) = self
            .words
            .bell
            .wait_timeout_while(text, PATIENCE, silent)
            .expect("no thread died while it wrote");
        assert!(!late.timed_out(), "{} never said {wanted}, but: {text}", self.name);
    }

    /// Sends a signal by name.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.pid.to_string();
        let sent = Command::new("sh").args(["-c", "kill -\"$0\" \"$1\"", name, &pid]).status();
        assert!(sent.is_ok_and(|status| status.success()), "no signal for {}", self.name);
    }

    /// Waits for its end; kills it when that does not come.
    pub(crate) fn wait(&self) -> ExitStatus {
        self.ended.recv_timeout(PATIENCE).unwrap_or_else(|_| {
            self.signal("KILL");
            panic!("{} does not end: {}", self.name, self.said())
        })
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Whoever wanted to see it end well has waited; this is for stories that failed before.
        if matches!(self.ended.try_recv(), Err(std::sync::mpsc::TryRecvError::Empty)) {
            self.signal("KILL");
        }
    }
}

impl Words {
    fn keep(&self, line: &str) {
        if let Ok(mut text) = self.text.lock() {
            text.push_str(line);
            text.push('\n');
        }
        self.bell.notify_all();
    }
}
