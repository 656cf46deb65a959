//! The jobs of this node: those that wait, those that run, and the last that have ended. A job is
//! told of while it runs, and may be cancelled; what it has done by then stays done.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::base::clock::Timestamp;
use crate::base::limits;
use crate::jobs::verify::Verify;
use crate::jobs::warm::Warm;
use crate::telemetry::access::redacted;

/// What is to be done.
#[derive(Debug)]
pub enum Task {
    /// Answers are fetched before anybody asks for them.
    Warm(Warm),
    /// Entries are compared with what the origin says.
    Verify(Verify),
}

impl Task {
    /// Its word.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Warm(_) => "warm",
            Self::Verify(_) => "verify",
        }
    }
}

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Others run before it.
    Queued,
    /// It runs.
    Running,
    /// The emergency switch is on: nothing would be stored.
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
}

/// How far it has got.
#[derive(Debug)]
struct Progress {
    state: State,
    done: u64,
    total: Option<u64>,
    counts: Vec<(&'static str, u64)>,
    examples: Vec<Value>,
    findings: Option<Value>,
    error: Option<String>,
    began: Option<(Timestamp, Instant)>,
    ended: Option<(Timestamp, Instant)>,
}

/// Too many jobs wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{} jobs wait already; cancel one, or come again when one has ended",
    limits::JOBS_WAITING_MAX
)]
pub struct TooMany;

/// Why a job is not cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotCancelled {
    /// Nobody knows it.
    Unknown,
    /// It has ended.
    Ended,
}

/// All jobs that are remembered.
#[derive(Debug, Default)]
pub struct Jobs {
    kept: Mutex<Kept>,
    /// One waits.
    news: Notify,
}

#[derive(Debug, Default)]
struct Kept {
    count: u64,
    all: VecDeque<Arc<Job>>,
    waiting: VecDeque<(Arc<Job>, Task)>,
}

impl Jobs {
    /// Takes a job; it begins when those before it have.
    ///
    /// # Errors
    /// When too many wait.
    pub fn add(&self, task: Task, what: String, by: &str) -> Result<Arc<Job>, TooMany> {
        let mut kept = self.kept();
        if kept.waiting.len() >= limits::JOBS_WAITING_MAX {
            return Err(TooMany);
        }
        kept.count += 1;
        let job = Arc::new(Job::new(format!("{}-{}", task.kind(), kept.count), &task, what, by));
        kept.all.push_back(Arc::clone(&job));
        if kept.all.len() > limits::JOBS_KEPT_MAX
            && let Some(oldest) = kept.all.iter().position(|job| job.state().has_ended())
        {
            kept.all.remove(oldest);
        }
        kept.waiting.push_back((Arc::clone(&job), task));
        drop(kept);
        self.news.notify_one();
        Ok(job)
    }

    /// All of them, the newest first.
    pub fn all(&self) -> Vec<Arc<Job>> {
        self.kept().all.iter().rev().cloned().collect()
    }

    /// The one of this name.
    pub fn one(&self, id: &str) -> Option<Arc<Job>> {
        self.kept().all.iter().find(|job| job.id == id).cloned()
    }

    /// Ends a job; one that waits does not begin.
    ///
    /// # Errors
    /// When there is none that goes on.
    pub fn cancel(&self, id: &str, now: Timestamp) -> Result<Arc<Job>, NotCancelled> {
        let job = self.one(id).ok_or(NotCancelled::Unknown)?;
        if !job.end(State::Cancelled, None, now) {
            return Err(NotCancelled::Ended);
        }
        job.cancel.cancel();
        self.kept().waiting.retain(|(waiting, _)| waiting.id != id);
        Ok(job)
    }

    /// The next job, when there is one.
    pub(super) async fn next(&self) -> (Arc<Job>, Task) {
        loop {
            let news = self.news.notified();
            if let Some(next) = self.kept().waiting.pop_front() {
                // Another lane may sleep while more wait.
                self.news.notify_one();
                return next;
            }
            news.await;
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Job {
    fn new(id: String, task: &Task, what: String, by: &str) -> Self {
        let words: &[&'static str] = match task {
            Task::Warm(_) => &super::warm::WORDS,
            Task::Verify(_) => &super::verify::WORDS,
        };
        let progress = Progress {
            state: State::Queued,
            done: 0,
            total: None,
            counts: words.iter().map(|word| (*word, 0)).collect(),
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
    pub(super) fn summary(&self) -> String {
        let progress = self.progress();
        let counts = progress.counts.iter().filter(|(_, count)| *count > 0);
        let counts = counts.map(|(word, count)| format!("{word}={count}"));
        let error = progress.error.as_ref().map(|why| format!("error: {why}"));
        let words: Vec<String> =
            std::iter::once(self.id.clone()).chain(counts).chain(error).collect();
        words.join(" ")
    }

    /// It begins, unless it has been cancelled.
    pub(super) fn begin(&self, now: Timestamp) -> bool {
        let mut progress = self.progress();
        if progress.state != State::Queued {
            return false;
        }
        progress.state = State::Running;
        progress.began = Some((now, Instant::now()));
        true
    }

    /// It ends so, unless it has ended before.
    pub(super) fn end(&self, state: State, error: Option<String>, now: Timestamp) -> bool {
        let mut progress = self.progress();
        if progress.state.has_ended() {
            return false;
        }
        progress.state = state;
        progress.error = error;
        progress.ended = Some((now, Instant::now()));
        true
    }

    /// It stands still, or goes on.
    pub(super) fn pause(&self, paused: bool) {
        let mut progress = self.progress();
        if !progress.state.has_ended() {
            progress.state = if paused { State::Paused } else { State::Running };
        }
    }

    /// How much there is to do, once that is known.
    pub(super) fn expect(&self, total: u64) {
        self.progress().total = Some(total);
    }

    /// One more is done, with this outcome; what is worth a look is kept as an example.
    pub(super) fn note(&self, word: &str, example: Option<(&str, &str)>) {
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
    pub(super) fn find(&self, findings: Value) {
        self.progress().findings = Some(findings);
    }

    /// Waits until an operator ends it.
    pub(super) async fn cancelled(&self) {
        self.cancel.cancelled().await;
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::lanes::Pace;

    fn add(jobs: &Jobs) -> Result<Arc<Job>, TooMany> {
        let what = "http://h/a?token=hush".to_owned();
        jobs.add(Task::Warm(Warm::of_hot(Pace::new(1, 1))), what, "ann")
    }

    const NOW: Timestamp = Timestamp::from_secs(1);

    #[tokio::test]
    async fn a_job_has_its_turn_unless_it_was_cancelled_before() {
        let jobs = Jobs::default();
        let (first, second) = (add(&jobs).unwrap(), add(&jobs).unwrap());
        assert_eq!((first.id(), second.id()), ("warm-1", "warm-2"));
        assert!(jobs.cancel("warm-1", NOW).is_ok());
        assert_eq!(jobs.cancel("warm-1", NOW).unwrap_err(), NotCancelled::Ended);
        assert_eq!(jobs.cancel("warm-9", NOW).unwrap_err(), NotCancelled::Unknown);
        let (next, _) = jobs.next().await;
        assert_eq!(next.id(), "warm-2");
        assert!(!first.begin(NOW) && next.begin(NOW));
        next.note("fetched", None);
        next.note("failed", Some(("http://h/a?token=hush", "why")));
        assert!(next.end(State::Done, None, NOW) && !next.end(State::Failed, None, NOW));
        let told = next.told().to_string();
        assert!(told.contains("\"fetched\":1") && !told.contains("hush"), "{told}");
        assert_eq!(next.summary(), "warm-2 fetched=1 failed=1");
    }

    #[tokio::test]
    async fn only_so_many_wait_and_only_so_many_are_kept() {
        let jobs = Jobs::default();
        for _ in 0..limits::JOBS_WAITING_MAX {
            assert!(add(&jobs).is_ok());
        }
        assert_eq!(add(&jobs).unwrap_err(), TooMany);
        for _ in 0..limits::JOBS_KEPT_MAX + 5 {
            let (job, _) = jobs.next().await;
            assert!(job.begin(NOW) && job.end(State::Done, None, NOW) && add(&jobs).is_ok());
        }
        assert_eq!(jobs.all().len(), limits::JOBS_KEPT_MAX);
        assert!(jobs.one("warm-1").is_none() && jobs.all()[0].state() == State::Queued);
    }
}
