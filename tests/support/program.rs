//! A child process that says on its first lines where it listens, and that is always ended.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Condvar, Mutex};

use crate::support::PATIENCE;

/// A running program and what it has said.
///
/// Only [`wait`](Self::wait) takes its exit status, so until then its process id is its own and a
/// signal can reach nobody else. That it ended is known by both its streams closing.
pub(crate) struct Program {
    name: String,
    child: Child,
    status: Option<ExitStatus>,
    closed: Receiver<()>,
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
        let (close, closed) = channel();
        let stdout = child.stdout.take().expect("stdout is a pipe");
        let stderr = child.stderr.take().expect("stderr is a pipe");
        listen(stdout, &words, close.clone(), move |line| {
            if let Some(found) = pick(line) {
                // Nobody listens any more once the first line is found.
                said.send(found).ok();
            }
        });
        listen(stderr, &words, close, |_| ());
        let mut program = Self { name: name.to_owned(), child, status: None, closed, words };
        match ready.recv_timeout(PATIENCE) {
            Ok(found) => Ok((program, found)),
            Err(RecvTimeoutError::Timeout) => panic!("{name} said nothing: {}", program.said()),
            Err(RecvTimeoutError::Disconnected) => Err((program.wait(), program.said())),
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
        assert!(self.status.is_none(), "{} has ended", self.name);
        let pid = self.child.id().to_string();
        let sent = Command::new("sh").args(["-c", "kill -\"$0\" \"$1\"", name, &pid]).status();
        assert!(sent.is_ok_and(|status| status.success()), "no signal for {}", self.name);
    }

    /// Waits for its end; kills it when that does not come.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        for _stream in 0..2 {
            let closed = self.closed.recv_timeout(PATIENCE);
            assert!(closed.is_ok(), "{} does not end: {}", self.name, self.said());
        }
        let status = self.child.wait().expect("a child can be waited for");
        self.status = Some(status);
        status
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Whoever wanted to see it end well has waited; this is for origins, and for stories that
        // failed before.
        if self.status.is_none() {
            self.child.kill().ok();
            self.child.wait().ok();
        }
    }
}

/// Keeps what a stream says, shows each line, and tells when the stream closes.
fn listen(
    stream: impl Read + Send + 'static,
    words: &Arc<Words>,
    close: Sender<()>,
    each: impl Fn(&str) + Send + 'static,
) {
    let words = Arc::clone(words);
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            words.keep(&line);
            each(&line);
        }
        // What `each` holds must be gone before the end is told: a start that waits for a line
        // learns that none will come.
        drop(each);
        close.send(()).ok();
    });
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
