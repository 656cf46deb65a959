//! The jobs of this node: those that wait, those that run, and the last that have ended. A job is
//! told of while it runs, and may be cancelled; what it has done by then stays done.

mod job;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::base::clock::Timestamp;
use crate::base::limits;
use crate::jobs::sync::Sync;
use crate::jobs::verify::Verify;
use crate::jobs::warm::Warm;
use crate::telemetry::synced::SYNC_RESULTS;

pub use job::{Job, State};

/// What is to be done.
#[derive(Debug)]
pub enum Task {
    /// Answers are fetched before anybody asks for them.
    Warm(Warm),
    /// Entries are compared with what the origin says.
    Verify(Verify),
    /// Entries follow what the origin says.
    Sync(Sync),
}

impl Task {
    /// Its word.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Warm(_) => "warm",
            Self::Verify(_) => "verify",
            Self::Sync(_) => "sync",
        }
    }

    /// What may come of what it goes through.
    fn words(&self) -> &'static [&'static str] {
        match self {
            Self::Warm(_) => &super::warm::WORDS,
            Self::Verify(_) => &super::verify::WORDS,
            Self::Sync(_) => &SYNC_RESULTS,
        }
    }
}

/// Too many jobs wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{} jobs wait already; cancel one, or come again when one has ended",
    limits::JOBS_WAITING_MAX
)]
pub struct TooMany;

/// Why a job is not cancelled, held or resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotGoing {
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

    /// Takes a job that comes again and again: of those like it that have ended only the last is
    /// remembered.
    ///
    /// # Errors
    /// When too many wait.
    pub(super) fn add_again(
        &self,
        task: Task,
        what: String,
        by: &str,
    ) -> Result<Arc<Job>, TooMany> {
        let kind = task.kind();
        let job = self.add(task, what, by)?;
        let mut kept = self.kept();
        let like = |one: &Arc<Job>| one.is_like(kind, by) && one.state().has_ended();
        let last = kept.all.iter().rev().find(|one| like(one)).cloned();
        kept.all
            .retain(|one| !like(one) || last.as_ref().is_some_and(|last| last.id() == one.id()));
        drop(kept);
        Ok(job)
    }

    /// All of them, the newest first.
    pub fn all(&self) -> Vec<Arc<Job>> {
        self.kept().all.iter().rev().cloned().collect()
    }

    /// The one of this name.
    pub fn one(&self, id: &str) -> Option<Arc<Job>> {
        self.kept().all.iter().find(|job| job.id() == id).cloned()
    }

    /// Ends a job; one that waits does not begin.
    ///
    /// # Errors
    /// When there is none that goes on.
    pub fn cancel(&self, id: &str, now: Timestamp) -> Result<Arc<Job>, NotGoing> {
        let job = self.one(id).ok_or(NotGoing::Unknown)?;
        if !job.cancel(now) {
            return Err(NotGoing::Ended);
        }
        self.kept().waiting.retain(|(waiting, _)| waiting.id() != id);
        Ok(job)
    }

    /// Has a job stand still, until it is resumed; one that waits does not begin. What it has asked
    /// for already still comes.
    ///
    /// # Errors
    /// When there is none that goes on.
    pub fn hold(&self, id: &str) -> Result<Arc<Job>, NotGoing> {
        self.set_held(id, true)
    }

    /// Has a job go on.
    ///
    /// # Errors
    /// When there is none that could.
    pub fn resume(&self, id: &str) -> Result<Arc<Job>, NotGoing> {
        let job = self.set_held(id, false)?;
        self.news.notify_one();
        Ok(job)
    }

    fn set_held(&self, id: &str, held: bool) -> Result<Arc<Job>, NotGoing> {
        let job = self.one(id).ok_or(NotGoing::Unknown)?;
        if job.hold(held) { Ok(job) } else { Err(NotGoing::Ended) }
    }

    /// The next job, when there is one.
    pub(super) async fn next(&self) -> (Arc<Job>, Task) {
        loop {
            let news = self.news.notified();
            if let Some(next) = self.kept().take_next() {
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

impl Kept {
    fn take_next(&mut self) -> Option<(Arc<Job>, Task)> {
        let next = self.waiting.iter().position(|(job, _)| !job.is_held())?;
        self.waiting.remove(next)
    }
}

#[cfg(test)]
mod tests;
