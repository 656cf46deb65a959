//! Syncing at intervals. One node of a fleet does it for what all nodes share, each time the one
//! that asks first; what a node keeps alone it asks about by itself.

use std::sync::Arc;

use tokio::time::{Instant, sleep_until};

use crate::base::limits;
use crate::base::units::Span;
use crate::engine::Engine;
use crate::entry::order::Selector;
use crate::jobs::lanes::Pace;
use crate::jobs::registry::{Jobs, State, Task};
use crate::jobs::sync::{Reach, Sync};
use crate::store::redis::fleet::Lease;

/// Who begins such jobs, as they are told of.
pub const BY: &str = "the interval";

/// How often, and how fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rounds {
    /// From the beginning of one to the beginning of the next.
    pub every: Span,
    /// Requests begun in a second.
    pub rate: u64,
}

/// Has everything synced at intervals, for ever. A round that takes longer puts the next one off;
/// one that fails is tried again soon.
pub async fn carry_on(engine: Arc<Engine>, jobs: Arc<Jobs>, rounds: Rounds) {
    let every = rounds.every.to_duration();
    let mut next = Instant::now() + every;
    loop {
        sleep_until(next).await;
        next = Instant::now() + every;
        let turn = turn(&engine, rounds.every).await;
        let reach = turn.reach();
        let task = Sync {
            selectors: vec![Selector::All],
            reach,
            pace: Pace::new(rounds.rate, limits::JOB_LANES_USUALLY),
        };
        let what = format!("everything at its interval{}", told(&engine, reach));
        // Where too many jobs wait, it is tried again like any round that failed.
        let state = match jobs.add_again(Task::Sync(task), what, BY) {
            Ok(job) => job.ended().await,
            Err(_) => State::Failed,
        };
        if state == State::Failed {
            if let (Turn::Ours(lease), Some(fleet)) = (&turn, &engine.fleet) {
                // Whoever asks next has the next try.
                fleet.give_back_round(ROUND, lease).await;
            }
            next = next.min(Instant::now() + limits::SYNC_AGAIN.to_duration());
        }
    }
}

/// What nodes take turns in.
const ROUND: &str = "sync";

/// Whose this round is.
enum Turn {
    /// There is no fleet, or it cannot be asked.
    Alone,
    /// This node's, by this lease.
    Ours(Lease),
    /// Another node's.
    Theirs,
}

impl Turn {
    const fn reach(&self) -> Reach {
        match self {
            Self::Alone => Reach::Here,
            Self::Ours(_) => Reach::Levels,
            Self::Theirs => Reach::KeptAlone,
        }
    }
}

async fn turn(engine: &Engine, every: Span) -> Turn {
    let Some(fleet) = &engine.fleet else { return Turn::Alone };
    match fleet.take_round(ROUND, every, engine).await {
        Ok(lease @ Lease::Ours(_)) => Turn::Ours(lease),
        Ok(Lease::Theirs(_)) => Turn::Theirs,
        Ok(Lease::None) | Err(_) => Turn::Alone,
    }
}

fn told(engine: &Engine, reach: Reach) -> &'static str {
    match reach {
        Reach::Levels => ", for all nodes",
        Reach::Here if engine.fleet.is_some() => {
            ", as far as it stands here: the shared level is away"
        }
        Reach::Here => "",
        Reach::KeptAlone => ", as far as this node keeps it alone: another one has the rest",
    }
}
