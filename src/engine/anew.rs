//! What an operator or a program wants fetched anew: what stood here of it is noted before the
//! purge takes it, the hottest first, for an operator then what only the shared level holds, and
//! asked for behind it, one at a time and so many in a second. The fetches are those of `refresh`;
//! they carry what the rules give the proxy's own requests, since there is no client whose
//! credentials could go along.

use std::collections::{HashSet, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::task::yield_now;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout_at};

use crate::base::limits;
use crate::engine::ahead::{Target, nobody};
use crate::engine::hot::By;
use crate::engine::refresh::{self, Round, Wanted};
use crate::engine::{Engine, Worker};
use crate::entry::order::Order;
use crate::entry::{Entry, Key};
use crate::store::l1::Meeting;
use crate::telemetry::event::Event;

/// What waits to be fetched anew.
#[derive(Debug, Default)]
pub struct Anew {
    waiting: Mutex<VecDeque<(From, Wanted)>>,
    more: Notify,
}

/// From when on something may be fetched anew: what is fetched before all nodes have the order
/// would count as purged by it.
#[derive(Clone, Copy, Debug)]
pub(super) enum From {
    /// This time.
    At(Instant),
    /// Its number, which the order of this count of this node is to get.
    Numbered(u64),
}

impl Anew {
    fn waiting(&self) -> MutexGuard<'_, VecDeque<(From, Wanted)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How much of what stood here will be fetched anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Noted {
    /// Representations that will be.
    pub noted: u64,
    /// Those beyond the bounds, as far as they were looked for.
    pub left_out: u64,
    /// Those of the noted ones that only the shared level held; nothing where it was not asked.
    pub shared: Option<u64>,
    /// Whether all was looked through.
    pub whole: bool,
}

/// What stands here of an order, while it is looked for.
struct Looking<'a> {
    engine: &'a Engine,
    meeting: Meeting,
    /// The hottest keys that the order names, and what is met besides.
    hot: Vec<Target>,
    cold: Vec<Target>,
    named: HashSet<Key>,
    met: u64,
    steps: usize,
    whole: bool,
}

impl<'a> Looking<'a> {
    /// The hottest need no looking for: it is known who they are.
    fn begin(engine: &'a Engine, order: &Order) -> Self {
        let mut hot = Vec::new();
        let mut named = HashSet::new();
        for one in engine.hot.top(By::Asked, limits::REFRESH_PER_CALL_MAX).keys {
            let Some(bundle) = engine.l1.peek(one.key.identity()) else { continue };
            let variants = bundle.variants().iter();
            let its = variants.filter(|entry| engine.l1.names(order, &one.key, entry));
            let before = hot.len();
            hot.extend(its.map(|entry| Target::of_entry(&one.key, entry)));
            if hot.len() > before {
                named.insert(one.key);
            }
        }
        let meeting = engine.l1.meeting(order);
        Self { engine, meeting, hot, cold: Vec::new(), named, met: 0, steps: 0, whole: false }
    }

    /// Looks a little further; whether that is worth while.
    fn goes_on(&mut self) -> bool {
        let Self { engine, meeting, cold, named, met, .. } = self;
        self.whole = !engine.l1.meet(meeting, &mut |key: &Key, entry: &Entry| {
            *met += 1;
            if cold.len() < limits::REFRESH_PER_CALL_MAX && !named.contains(key) {
                cold.push(Target::of_entry(key, entry));
            }
        });
        self.steps += 1;
        let is_full = self.hot.len() + self.cold.len() >= limits::REFRESH_PER_CALL_MAX;
        let is_known = is_full && self.meeting.total.is_some();
        !self.whole && !is_known && self.steps < limits::REFRESH_STEPS_MAX
    }

    /// What is to be fetched, how many more there are, and whether that is all.
    fn end(self) -> (Vec<Target>, u64, bool) {
        let whole = self.whole || self.meeting.total.is_some();
        let all = if self.whole { self.met } else { self.meeting.total.unwrap_or(self.met) };
        let mut jobs = self.hot;
        jobs.extend(self.cold);
        jobs.truncate(limits::REFRESH_PER_CALL_MAX);
        let left_out = all.saturating_sub(jobs.len() as u64);
        (jobs, left_out, whole)
    }
}

/// What stands here of this order, the hottest first. Asked before the purge.
pub(super) fn wanted(engine: &Engine, order: &Order) -> Wanted {
    let mut looking = Looking::begin(engine, order);
    while looking.goes_on() {}
    let (jobs, left_out, whole) = looking.end();
    Wanted::of(engine, jobs, left_out, whole)
}

/// The same, and after it what only the shared level holds. Others have their turns in between.
pub(super) async fn wanted_of_all(engine: &Engine, order: &Order) -> Wanted {
    let mut looking = Looking::begin(engine, order);
    while looking.goes_on() {
        yield_now().await;
    }
    let (mut jobs, mut left_out, mut whole) = looking.end();
    let Some(fleet) = &engine.fleet else { return Wanted::of(engine, jobs, left_out, whole) };
    let before = jobs.len();
    let here: HashSet<Key> = jobs.iter().filter_map(|one| one.key().cloned()).collect();
    let is_known = |key: &Key| here.contains(key) || engine.l1.peek(key.identity()).is_some();
    let until = Instant::now() + limits::REFRESH_LISTED_WITHIN.to_duration();
    let mut seen = HashSet::new();
    let mut after = None;
    whole &= loop {
        let page = fleet.named(&order.selectors, after.as_deref(), limits::COUNTED_AT_ONCE);
        // Where a server does not answer, what it holds is asked for when somebody wants it.
        let Ok(Ok(page)) = timeout_at(until, page).await else { break false };
        for kept in page.found {
            if is_known(&kept.key) || !seen.insert((kept.key.clone(), kept.variant.clone())) {
                continue;
            }
            // What a request says to get a variant is in no frame's open part.
            if kept.variant.is_empty() && jobs.len() < limits::REFRESH_PER_CALL_MAX {
                jobs.push(Target::of_kept(&kept.key, kept.target.as_deref()));
            } else {
                left_out += 1;
            }
        }
        after = page.next;
        if after.is_none() {
            break true;
        }
        if Instant::now() >= until || jobs.len() >= limits::REFRESH_PER_CALL_MAX {
            break false;
        }
    };
    let shared = (jobs.len() - before) as u64;
    Wanted::of(engine, jobs, left_out, whole).with_shared(shared)
}

/// The purge is done: it is fetched when its turn comes, and not before all nodes have the order.
pub(super) fn begin(engine: &Engine, wanted: Wanted, from: From) -> Noted {
    let noted = wanted.noted();
    if noted.noted == 0 {
        let event = Event::Refresh { count: 0, left_out: noted.left_out, rule: None };
        engine.telemetry.tell(engine.clock.now(), &event);
        return noted;
    }
    engine.anew.waiting().push_back((from, wanted));
    engine.anew.more.notify_one();
    noted
}

/// Waits until what is asked for now is newer than the order, as far as that can be waited for:
/// without the shared level only this node takes what is fetched, and it has the order.
async fn begins(engine: &Engine, from: From) {
    match (from, &engine.fleet) {
        (From::At(time), _) => sleep_until(time).await,
        (From::Numbered(count), Some(fleet)) => drop(fleet.settled(count, None).await),
        (From::Numbered(_), None) => {}
    }
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
        begins(&engine, from).await;
        let (jobs, round) = Round::begin(&engine, nobody(&engine), wanted, None);
        for job in jobs.iter().flatten() {
            pace.tick().await;
            let done = refresh::fetch_in_turn(&worker, &round, job).await;
            let count = if done.is_some() { &round.fetched } else { &round.left_out };
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}
