//! One job: where it stands, how far it has got, and what is told of it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Task;
use crate::base::clock::Timestamp;
use crate::base::limits;
use crate::telemetry::access::redacted;

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Others run before it.
    Queued,
    /// It runs.
    Running,
    /// It stands still: an operator wants it so, or the emergency switch is on and nothing would be
    /// stored.
    Paused,
    /// It has come to its end.
    Done,
    /// It could not.
    Failed,
    /// An operator has ended it.
    Cancelled,
}

impl State {
    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether nothing more comes of it.
    pub const fn has_ended(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Cancelled)
    }
}

/// One job.
#[derive(Debug)]
pub struct Job {
    id: String,
    kind: &'static str,
    /// What it does, in words.
    what: String,
    /// The name of the token that began it.
    by: String,
    progress: Mutex<Progress>,
    cancel: CancellationToken,
    /// It has ended.
    over: CancellationToken,
    /// It may go on.
    resumed: Notify,
}

/// How far it has got.
#[derive(Debug)]
struct Progress {
    state: State,
    /// An operator wants it to stand still.
    held: bool,
    done: u64,
    total: Option<u64>,
    counts: Vec<(&'static str, u64)>,
    examples: Vec<Value>,
    findings: Option<Value>,
    error: Option<String>,
    began: Option<(Timestamp, Instant)>,
    ended: Option<(Timestamp, Instant)>,
}

impl Job {
    pub(super) fn new(id: String, task: &Task, what: String, by: &str) -> Self {
        let progress = Progress {
            state: State::Queued,
            held: false,
            done: 0,
            total: None,
            counts: task.words().iter().map(|word| (*word, 0)).collect(),
            examples: Vec::new(),
            findings: None,
            error: None,
            began: None,
            ended: None,
        };
        Self {
            id,
            kind: task.kind(),
            what,
            by: by.to_owned(),
            progress: Mutex::new(progress),
            cancel: CancellationToken::new(),
            over: CancellationToken::new(),
            resumed: Notify::new(),
        }
    }

    /// Who began it.
    pub fn by(&self) -> &str {
        &self.by
    }

    /// What it is called by.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Where it stands.
    pub fn state(&self) -> State {
        self.progress().state
    }

    /// All there is to know of it.
    pub fn told(&self) -> Value {
        let progress = self.progress();
        let ms = |at: Option<(Timestamp, Instant)>| at.map(|(at, _)| at.as_millis());
        let until = progress.ended.map_or_else(Instant::now, |(_, at)| at);
        let secs = progress.began.map(|(_, at)| until.saturating_duration_since(at).as_secs_f64());
        let rate = secs.filter(|secs| *secs > 0.0).map(|secs| progress.done as f64 / secs);
        let counts: serde_json::Map<String, Value> =
            progress.counts.iter().map(|(word, count)| ((*word).into(), (*count).into())).collect();
        let mut told = json!({
            "id": self.id,
            "kind": self.kind,
            "what": redacted(&self.what),
            "by": self.by,
            "state": progress.state.as_str(),
            "done": progress.done,
            "total": progress.total,
            "rate": rate.map(|rate| (rate * 10.0).round() / 10.0),
            "counts": counts,
            "examples": progress.examples,
            "began_ms": ms(progress.began),
            "ended_ms": ms(progress.ended),
            "error": progress.error,
        });
        if let Some(findings) = &progress.findings {
            told["findings"] = findings.clone();
        }
        told
    }

    /// What it came to, in a line.
    pub(in crate::jobs) fn summary(&self) -> String {
        let progress = self.progress();
        let counts = progress.counts.iter().filter(|(_, count)| *count > 0);
        let counts = counts.map(|(word, count)| format!("{word}={count}"));
        let error = progress.error.as_ref().map(|why| format!("error: {why}"));
        let words: Vec<String> =
            std::iter::once(self.id.clone()).chain(counts).chain(error).collect();
        words.join(" ")
    }

    /// It begins, unless it has been cancelled.
    pub(in crate::jobs) fn begin(&self, now: Timestamp) -> bool {
        let mut progress = self.progress();
        if progress.state.has_ended() || progress.began.is_some() {
            return false;
        }
        // Who held it at this very moment has it stand still from its beginning.
        progress.state = if progress.held { State::Paused } else { State::Running };
        progress.began = Some((now, Instant::now()));
        true
    }

    /// It ends so, unless it has ended before.
    pub(in crate::jobs) fn end(&self, state: State, error: Option<String>, now: Timestamp) -> bool {
        let mut progress = self.progress();
        if progress.state.has_ended() {
            return false;
        }
        progress.state = state;
        progress.error = error;
        progress.ended = Some((now, Instant::now()));
        drop(progress);
        self.over.cancel();
        true
    }

    /// An operator ends it, unless it has ended before.
    pub(super) fn cancel(&self, now: Timestamp) -> bool {
        let ends = self.end(State::Cancelled, None, now);
        if ends {
            self.cancel.cancel();
        }
        ends
    }

    /// An operator has it stand still, or go on, unless it has ended.
    pub(super) fn hold(&self, held: bool) -> bool {
        let mut progress = self.progress();
        if progress.state.has_ended() {
            return false;
        }
        progress.held = held;
        let goes_on = if progress.began.is_some() { State::Running } else { State::Queued };
        progress.state = if held { State::Paused } else { goes_on };
        drop(progress);
        self.resumed.notify_waiters();
        true
    }

    /// Whether it is of this kind, and its beginning of this name.
    pub(super) fn is_like(&self, kind: &str, by: &str) -> bool {
        self.kind == kind && self.by == by
    }

    /// Waits for its end.
    pub(in crate::jobs) async fn ended(&self) -> State {
        self.over.cancelled().await;
        self.state()
    }

    /// It stands still, or goes on as far as no operator has it stand still.
    pub(in crate::jobs) fn pause(&self, paused: bool) {
        let mut progress = self.progress();
        if !progress.state.has_ended() {
            let stands = paused || progress.held;
            progress.state = if stands { State::Paused } else { State::Running };
        }
    }

    /// Whether an operator has it stand still.
    pub(in crate::jobs) fn is_held(&self) -> bool {
        self.progress().held
    }

    /// Waits until it is resumed.
    pub(in crate::jobs) async fn resumed(&self) {
        self.resumed.notified().await;
    }

    /// How many came to this.
    pub(in crate::jobs) fn counted(&self, word: &str) -> u64 {
        let progress = self.progress();
        let found = progress.counts.iter().find(|(own, _)| *own == word);
        found.map_or(0, |(_, count)| *count)
    }

    /// How much there is to do, once that is known.
    pub(in crate::jobs) fn expect(&self, total: u64) {
        self.progress().total = Some(total);
    }

    /// One more is done, with this outcome; what is worth a look is kept as an example.
    pub(in crate::jobs) fn note(&self, word: &str, example: Option<(&str, &str)>) {
        let mut progress = self.progress();
        progress.done += 1;
        if let Some((_, count)) = progress.counts.iter_mut().find(|(own, _)| *own == word) {
            *count += 1;
        }
        if let Some((what, why)) = example
            && progress.examples.len() < limits::JOB_EXAMPLES_MAX
        {
            let what = redacted(what);
            progress.examples.push(json!({ "what": what, "outcome": word, "why": why }));
        }
    }

    /// What it has found beside its counts.
    pub(in crate::jobs) fn find(&self, findings: Value) {
        self.progress().findings = Some(findings);
    }

    /// Waits until an operator ends it.
    pub(in crate::jobs) async fn cancelled(&self) {
        self.cancel.cancelled().await;
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
