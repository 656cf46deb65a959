//! Syncing: each entry is asked about at its origin, fresh or not, and what follows is done on all
//! nodes. An origin that fails is waited for, each time longer; one that stays away is given up for
//! this time, with its entries left as they are.

use std::borrow::Cow;

use tokio::time::{Instant, sleep};

use crate::base::limits;
use crate::engine::ahead::Target;
use crate::engine::ahead::sync::{Question, Synced, stands};
use crate::engine::compare::{Of, Standing};
use crate::engine::{Engine, Worker};
use crate::entry::order::Selector;
use crate::jobs::lanes::{self, Pace};
use crate::jobs::registry::Job;
use crate::jobs::setbacks::{Setbacks, Turn};
use crate::jobs::verify::{GONE, otherwise};
use crate::jobs::warm::NO_CREDENTIALS;
use crate::telemetry::event::Event;
use crate::telemetry::synced::{self, SYNC_RESULTS};

/// What is to be asked about.
#[derive(Debug)]
pub struct Sync {
    /// Entries that any of these names.
    pub selectors: Vec<Selector>,
    /// Which of them.
    pub reach: Reach,
    /// How fast.
    pub pace: Pace,
}

/// Which entries a node asks about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Those that it holds, and those that nodes share.
    Levels,
    /// Those that it holds.
    Here,
    /// Those that it holds and no other node finds.
    KeptAlone,
}

impl Sync {
    /// Does it.
    pub(super) async fn run(self, worker: &Worker, job: &Job) -> Result<(), String> {
        let Self { selectors, reach, pace } = self;
        let began = Instant::now();
        let (pace, setbacks) = (&pace, &Setbacks::default());
        let each = |question: Question| async move {
            let outcome = ask(worker, job, pace, setbacks, &question).await;
            question.count(&worker.engine, &outcome);
            note(job, question.target(), &outcome);
        };
        let walk = Walk::of(selectors, reach);
        let ended = lanes::through(worker, job, pace, walk, each).await;
        let ended = ended.and_then(|()| setbacks.given_up().map_or(Ok(()), Err));
        tell(&worker.engine, job, ended.is_ok(), began);
        ended
    }
}

/// Asks about one entry, more than once where its origin fails.
async fn ask(
    worker: &Worker,
    job: &Job,
    pace: &Pace,
    setbacks: &Setbacks,
    question: &Question,
) -> Synced {
    let origin = question.origin();
    let mut tries = 0;
    loop {
        match setbacks.turn(&origin, tries) {
            Turn::Never(why) => return Synced::Failed(why),
            Turn::In(wait) => sleep(wait).await,
        }
        lanes::stand_still(&worker.engine, job).await;
        pace.turn().await;
        let outcome = question.ask(worker).await;
        let Synced::Failed(why) = &outcome else {
            setbacks.answered(&origin);
            return outcome;
        };
        setbacks.failed(&origin, why);
        tries += 1;
        if tries >= limits::SYNC_TRIES_MAX {
            return outcome;
        }
    }
}

fn note(job: &Job, target: &Target, outcome: &Synced) {
    let why: Option<Cow<'_, str>> = match outcome {
        Synced::Unchanged => None,
        Synced::Changed(pointers) => Some(otherwise(pointers).into()),
        Synced::Gone => Some(GONE.into()),
        Synced::Older => Some(OLDER.into()),
        Synced::NotCacheable(reason) => Some((*reason).into()),
        Synced::NoCredentials => Some(NO_CREDENTIALS.into()),
        Synced::Skipped(why) => Some((&**why).into()),
        Synced::Failed(why) => Some(why.into()),
    };
    job.note(outcome.as_str(), why.as_deref().map(|why| (target.uri(), why)));
}

const OLDER: &str = "the origin's answer is from before what is stored, as of a copy that lags";

/// Tells what it came to, to the event log and to `stats`.
fn tell(engine: &Engine, job: &Job, is_done: bool, began: Instant) {
    let count = |word: &str| job.counted(word);
    let last = synced::Synced {
        at: engine.clock.now(),
        entries: SYNC_RESULTS.iter().map(|word| count(word)).sum(),
        changed: count("changed") + count("gone") + count("not-cacheable"),
        failed: count("failed"),
        took: began.elapsed(),
    };
    let event = Event::Sync {
        what: if is_done { "done" } else { "failed" },
        entries: last.entries,
        changed: last.changed,
        failed: last.failed,
        ms: last.took.as_millis() as u64,
        job: job.id(),
    };
    engine.telemetry.tell(last.at, &event);
    engine.telemetry.ledger.last_sync.set(last);
}

/// All that stands: what this node holds, and then what nodes share and does not stand here.
#[derive(Debug)]
struct Walk {
    selectors: Vec<Selector>,
    reach: Reach,
    standing: Standing,
    level: Of,
}

impl Walk {
    fn of(selectors: Vec<Selector>, reach: Reach) -> Self {
        Self { selectors, reach, standing: Standing::of(Of::L1), level: Of::L1 }
    }

    fn question(&self, engine: &Engine, target: Target) -> Option<Question> {
        if self.level == Of::L2 && stands(engine, &target) {
            return None;
        }
        let question = Question::of(engine, target);
        let wanted = self.reach != Reach::KeptAlone || question.is_kept_alone(engine);
        wanted.then_some(question)
    }
}

impl lanes::Source for Walk {
    type Item = Question;

    async fn page(&mut self, engine: &Engine, _job: &Job) -> Result<Option<Vec<Question>>, String> {
        let page = self.standing.next(engine, &self.selectors).await;
        if let Some(page) = page.map_err(|why| why.to_string())? {
            let each = page.into_iter().filter_map(|target| self.question(engine, target));
            return Ok(Some(each.collect()));
        }
        let more = self.reach == Reach::Levels && self.level == Of::L1 && engine.fleet.is_some();
        (self.level, self.standing) = (Of::L2, Standing::of(Of::L2));
        Ok(more.then(Vec::new))
    }
}
