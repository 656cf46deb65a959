//! Verifying: entries of a level are compared with what the origin says now, all of them or
//! a sample taken evenly. What differs is told, and purged on all nodes where that is wished. Of
//! those that would have been served without a question it shows how many were wrong: the staleness
//! that clients really see.

use std::borrow::Cow;
use std::hash::BuildHasher;
use std::sync::{Mutex, PoisonError};

use serde_json::json;

use crate::base::limits;
use crate::engine::ahead::Target;
use crate::engine::compare::{Compared, Of, Outcome, Standing, compare};
use crate::engine::ordering::Patience;
use crate::engine::purge::{self, How};
use crate::engine::{Engine, Worker};
use crate::entry::order::{Order, Selector};
use crate::jobs::lanes::{self, Pace};
use crate::jobs::registry::Job;

/// What may come of one entry.
pub(super) const WORDS: [&str; 5] = ["same", "differs", "gone", "failed", "skipped"];

/// What is to be compared.
#[derive(Debug)]
pub struct Verify {
    /// The level whose entries are compared.
    pub level: Of,
    /// Entries that any of these names.
    pub selectors: Vec<Selector>,
    /// So many of them at most.
    pub sample: usize,
    /// Whether what differs is purged.
    pub repair: bool,
    /// How fast.
    pub pace: Pace,
}

/// What is measured beside the counts.
#[derive(Debug, Default)]
struct Measured {
    fresh: u64,
    fresh_wrong: u64,
    /// Seconds since the entry that was wrong for the longest was known to be current.
    since_most: u64,
    /// Keys to purge.
    wrong: Vec<String>,
    repaired: u64,
}

impl Verify {
    /// Does it.
    pub(super) async fn run(self, worker: &Worker, job: &Job) -> Result<(), String> {
        let Self { level, selectors, sample, repair, pace } = self;
        let measured = &Mutex::new(Measured::default());
        let pace = &pace;
        let each = |target: Target| async move {
            pace.turn().await;
            let outcome = compare(worker, &target, level).await;
            note(job, &target, &outcome);
            let full = measure(measured, job, &target, &outcome);
            if repair && full {
                mend(worker, job, measured).await;
            }
        };
        let sampled = Sampled { level, selectors: Some(selectors), most: sample };
        let ended = lanes::through(worker, job, pace, sampled, each).await;
        if repair {
            mend(worker, job, measured).await;
        }
        ended
    }
}

fn note(job: &Job, target: &Target, outcome: &Outcome) {
    let (word, why) = match &outcome.compared {
        Compared::Same => ("same", None),
        Compared::Differs(pointers) => ("differs", Some(otherwise(pointers).into())),
        Compared::Gone => ("gone", Some(GONE.into())),
        Compared::Failed(why) => ("failed", Some(Cow::from(why))),
        Compared::Skipped(why) => ("skipped", Some((*why).into())),
    };
    job.note(word, why.as_deref().map(|why| (target.uri(), why)));
}

/// Why what the origin has no longer is told.
pub(super) const GONE: &str = "the origin has nothing there any more";

/// How a difference is told: by the pointers, never by values.
pub(super) fn otherwise(pointers: &[Box<str>]) -> String {
    let said = "the origin says something else";
    if pointers.is_empty() { said.to_owned() } else { format!("{said}: {}", pointers.join(", ")) }
}

/// Takes an outcome into account; whether there is enough to purge.
fn measure(measured: &Mutex<Measured>, job: &Job, target: &Target, outcome: &Outcome) -> bool {
    let is_wrong = matches!(outcome.compared, Compared::Differs(_) | Compared::Gone);
    let is_known = is_wrong || outcome.compared == Compared::Same;
    let mut measured = measured.lock().unwrap_or_else(PoisonError::into_inner);
    if is_known && outcome.fresh {
        measured.fresh += 1;
    }
    if is_wrong && outcome.fresh {
        measured.fresh_wrong += 1;
        measured.since_most = measured.since_most.max(outcome.since);
    }
    if let Some(key) = target.key().filter(|_| is_wrong) {
        measured.wrong.push(key.text().to_owned());
    }
    job.find(measured.told());
    measured.wrong.len() >= limits::VERIFY_REPAIRED_AT_ONCE
}

impl Measured {
    fn told(&self) -> serde_json::Value {
        json!({
            "fresh": { "compared": self.fresh, "wrong": self.fresh_wrong },
            "wrong_for_secs_at_most": self.since_most,
            "purged_keys": self.repaired,
        })
    }
}

/// Purges what was found to differ, on all nodes.
async fn mend(worker: &Worker, job: &Job, measured: &Mutex<Measured>) {
    let keys = {
        let mut measured = measured.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut measured.wrong)
    };
    if keys.is_empty() {
        return;
    }
    let count = keys.len() as u64;
    let patience = Patience::Nodes(limits::CONFIRM_WAIT.to_duration());
    let order = Order::of(keys.into_iter().map(Selector::Key));
    purge::by_hand(&worker.engine, order, How::Delete, "admin", patience).await;
    let mut measured = measured.lock().unwrap_or_else(PoisonError::into_inner);
    measured.repaired += count;
    job.find(measured.told());
}

/// Entries that are looked up when the job begins.
#[derive(Debug)]
struct Sampled {
    level: Of,
    selectors: Option<Vec<Selector>>,
    most: usize,
}

impl lanes::Source for Sampled {
    type Item = Target;

    async fn page(&mut self, engine: &Engine, job: &Job) -> Result<Option<Vec<Target>>, String> {
        let Some(selectors) = self.selectors.take() else { return Ok(None) };
        let mut sample = Sample::new(self.most);
        let mut standing = Standing::of(self.level);
        loop {
            let page = standing.next(engine, &selectors).await.map_err(|why| why.to_string())?;
            let Some(page) = page else { break };
            for one in page {
                sample.take(one);
            }
            // Others of this thread have their turn between two pages.
            tokio::task::yield_now().await;
        }
        job.expect(sample.kept.len() as u64);
        Ok(Some(sample.kept))
    }
}

/// So many of a sequence whose length nobody knows, each with the same chance.
struct Sample<T> {
    kept: Vec<T>,
    most: usize,
    seen: u64,
    chance: foldhash::quality::RandomState,
}

impl<T> Sample<T> {
    fn new(most: usize) -> Self {
        Self { kept: Vec::new(), most, seen: 0, chance: foldhash::quality::RandomState::default() }
    }

    fn take(&mut self, one: T) {
        self.seen += 1;
        if self.kept.len() < self.most {
            return self.kept.push(one);
        }
        let at = self.chance.hash_one(self.seen) % self.seen;
        if let Some(place) = usize::try_from(at).ok().and_then(|at| self.kept.get_mut(at)) {
            *place = one;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_of_a_sequence_has_the_same_chance() {
        let mut taken = [0_u32; 100];
        for _ in 0..2_000 {
            let mut sample = Sample::new(10);
            (0..100).for_each(|one| sample.take(one));
            assert_eq!(sample.kept.len(), 10);
            sample.kept.iter().for_each(|one: &usize| taken[*one] += 1);
        }
        assert!(taken.iter().all(|count| (120..280).contains(count)), "{taken:?}");
        let mut few = Sample::new(10);
        (0..3).for_each(|one| few.take(one));
        assert_eq!(few.kept, [0, 1, 2]);
    }
}
