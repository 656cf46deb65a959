//! What an operator or a program wants fetched anew: what stood here of it is noted before the
//! purge takes it, the hottest first, and asked for behind it, one at a time and so many in a
//! second. The fetches are those of `refresh`; they carry what the rules give the proxy's own
//! requests, since there is no client whose credentials could go along.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::base::limits;
use crate::base::units::Span;
use crate::engine::ahead::{Target, nobody};
use crate::engine::hot::By;
use crate::engine::refresh::{self, Round, Wanted};
use crate::engine::{Engine, Worker};
use crate::entry::order::Order;
use crate::telemetry::event::Event;

/// What waits to be fetched anew.
#[derive(Debug, Default)]
pub struct Anew {
    /// Each with the time from which on it may be fetched.
    waiting: Mutex<VecDeque<(Instant, Wanted)>>,
    more: Notify,
}

impl Anew {
    fn waiting(&self) -> MutexGuard<'_, VecDeque<(Instant, Wanted)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How much of what stood here will be fetched anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Noted {
    /// Representations that will be.
    pub noted: u64,
    /// Those beyond the bounds.
    pub left_out: u64,
}

/// What stands here of this order, the hottest first. Asked before the purge.
pub(super) fn wanted(engine: &Engine, order: &Order) -> Wanted {
    let hottest = engine.hot.top(By::Asked, limits::REFRESH_PER_CALL_MAX).keys;
    let counts: HashMap<_, u64> = hottest.into_iter().map(|one| (one.key, one.count)).collect();
    let (mut hot, mut cold, mut left_out) = (Vec::new(), Vec::new(), 0);
    engine.l1.meet(order, &mut |key, entry| match counts.get(key) {
        // No more keys are counted than are noted; their variants may be.
        Some(count) if hot.len() < 2 * limits::REFRESH_PER_CALL_MAX => {
            hot.push((*count, Target::of_entry(key, entry)));
        }
        None if cold.len() < limits::REFRESH_PER_CALL_MAX => {
            cold.push(Target::of_entry(key, entry));
        }
        _ => left_out += 1,
    });
    // A stable sort: variants of one answer stay together.
    hot.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
    let mut jobs: Vec<Target> = hot.into_iter().map(|(_, job)| job).chain(cold).collect();
    left_out += jobs.len().saturating_sub(limits::REFRESH_PER_CALL_MAX) as u64;
    jobs.truncate(limits::REFRESH_PER_CALL_MAX);
    Wanted::of(engine, jobs, left_out)
}

/// The purge is done: it is fetched when its turn comes, and not before all nodes have the order,
/// which they have `after` this time. What is fetched earlier would count as purged by it.
pub(super) fn begin(engine: &Engine, wanted: Wanted, after: Span) -> Noted {
    let noted = wanted.noted();
    if noted.noted == 0 {
        let event = Event::Refresh { count: 0, left_out: noted.left_out, rule: None };
        engine.telemetry.tell(engine.clock.now(), &event);
        return noted;
    }
    engine.anew.waiting().push_back((Instant::now() + after.to_duration(), wanted));
    engine.anew.more.notify_one();
    noted
}

/// Fetches what waits, for ever.
pub async fn carry_on(worker: Worker) {
    let engine = Arc::clone(&worker.engine);
    let mut pace = interval(limits::REFRESH_PACE.to_duration());
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let more = engine.anew.more.notified();
        let next = engine.anew.waiting().pop_front();
        let Some((from, wanted)) = next else {
            more.await;
            continue;
        };
        sleep_until(from).await;
        let (jobs, round) = Round::begin(&engine, nobody(&engine), wanted);
        for job in jobs.iter().flatten() {
            pace.tick().await;
            let done = refresh::fetch_in_turn(&worker, &round, job).await;
            let count = if done.is_some() { &round.fetched } else { &round.left_out };
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}
