//! Orders that have had their effect, and whose entries have yet to leave memory, or to be changed
//! there. An order on very many comes to a bounded number before it is acknowledged; what is left
//! is out of use from then on, or stale, or as it was before, because every lookup of an entry that
//! is as old has what is pending here happen to what it found. It happens in memory behind that, a
//! step at a time, one order after the other. With nothing pending a lookup pays for one load.
//!
//! An entry may meet an order more than once, here and there, and all that are pending in their
//! sequence each time: what comes of it is always the same.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use tokio::sync::Notify;

use super::home::Home;
use super::round::{Round, names};
use super::soften::{change, changed};
use super::{L1, Swept};
use crate::base::ids::{SoftId, Tick};
use crate::base::limits;
use crate::entry::order::{Mode, Order, Selector};
use crate::entry::{Bundle, Change, Entry, Key};
use crate::store::index::Shard;

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Pending {
    /// The tick of the latest, and 0 without any.
    latest: AtomicU64,
    named: ArcSwap<Vec<Named>>,
    /// The first is being worked off.
    rounds: Mutex<VecDeque<Due>>,
    /// How many selectors they have together.
    selectors: AtomicUsize,
    /// Told when there is something to do.
    news: Notify,
}

/// What an order names, for lookups.
#[derive(Clone, Debug)]
struct Named {
    tick: Tick,
    mode: Mode,
    selectors: Arc<[Selector]>,
    /// Representations that have left, or were changed, since the order was acknowledged.
    dropped: Arc<AtomicU64>,
}

/// What was pending when a lookup began.
pub(super) struct Mask {
    latest: Tick,
    named: Arc<Vec<Named>>,
}

/// What is left of an order to be worked off.
#[derive(Debug)]
struct Due {
    named: Named,
    round: Round,
    is_counted: bool,
}

/// What came of one step.
#[derive(Debug, Default)]
pub struct Step {
    /// There is more to do.
    pub more: bool,
    /// An order of which nobody had counted the rest has been worked off with this: what that
    /// named, and how many it was.
    pub counted: Option<(Order, u64)>,
}

impl Pending {
    /// Whether nothing is.
    pub(super) fn is_idle(&self) -> bool {
        self.latest.load(Ordering::Acquire) == 0
    }

    /// What is pending now; nothing as a rule. Asked for before an entry is looked for: one that
    /// has left memory by then is not found, and any other is named here.
    pub(super) fn mask(&self) -> Option<Mask> {
        let latest = Tick(self.latest.load(Ordering::Acquire));
        (latest.0 > 0).then(|| Mask { latest, named: self.named.load_full() })
    }

    /// Whether a pending order has put an entry out of use. Asked under the lock that it would be
    /// dropped under.
    pub(super) fn hides(&self, text: &str, entry: &Entry) -> bool {
        let hides = |one: &Named| one.mode == Mode::Delete && one.names(text, entry);
        !self.is_idle() && self.named.load().iter().any(hides)
    }

    /// What pending orders make of an entry; nothing where one has put it out of use. Asked under
    /// the same lock.
    pub(super) fn standing(&self, text: &str, entry: &Arc<Entry>) -> Option<Arc<Entry>> {
        if self.is_idle() {
            return Some(Arc::clone(entry));
        }
        match changed_by(&self.named.load(), text, entry) {
            Change::None => Some(Arc::clone(entry)),
            Change::To(other) => Some(other),
            Change::Gone => None,
        }
    }

    /// Whether something pending takes back what an order of this name did.
    pub(super) fn undoes(&self, id: SoftId) -> bool {
        let undoes = |one: &Named| matches!(one.mode, Mode::Undo(soft) if soft.id == id);
        !self.is_idle() && self.named.load().iter().any(undoes)
    }

    /// Nothing more is made stale by a soft order of this name: what was born before the tick that
    /// is given back and was named by it counts as stale until now.
    pub(super) fn withdraw(&self, id: SoftId) -> Tick {
        let mut rounds = self.rounds();
        let is_it = |due: &Due| matches!(due.named.mode, Mode::Soft(soft) if soft.id == id);
        let its = rounds.iter().filter(|due| is_it(due)).map(|due| due.named.tick);
        let since = its.max().unwrap_or_default();
        if since > Tick::default() {
            rounds.retain(|due| !is_it(due));
            self.tell(&rounds);
        }
        since
    }

    /// Whether so many selectors more may be pending.
    pub(super) fn has_room_for(&self, selectors: usize) -> bool {
        let pending = self.selectors.load(Ordering::Relaxed);
        pending.saturating_add(selectors) <= limits::SWEEPS_PENDING_MAX
    }

    /// From now on nothing finds what is left of a round and is as old as the order, or finds it as
    /// it was. `is_counted`: the order has told how many that is.
    pub(super) fn add(&self, tick: Tick, round: Round, is_counted: bool) {
        let selectors = round.left().into();
        let named = Named { tick, mode: round.mode, selectors, dropped: Arc::default() };
        let due = Due { named, round, is_counted };
        let mut rounds = self.rounds();
        rounds.push_back(due);
        self.tell(&rounds);
        drop(rounds);
        self.news.notify_one();
    }

    fn tell(&self, rounds: &VecDeque<Due>) {
        let named: Vec<Named> = rounds.iter().map(|due| due.named.clone()).collect();
        let selectors = named.iter().map(|one| one.selectors.len()).sum();
        let latest = named.iter().map(|one| one.tick.0).max().unwrap_or_default();
        self.selectors.store(selectors, Ordering::Relaxed);
        // Whoever sees the tick sees the list; the list may only be longer than the tick says.
        if latest == 0 {
            self.latest.store(0, Ordering::SeqCst);
            self.named.store(Arc::new(named));
        } else {
            self.named.store(Arc::new(named));
            self.latest.store(latest, Ordering::SeqCst);
        }
    }

    fn rounds(&self) -> std::sync::MutexGuard<'_, VecDeque<Due>> {
        self.rounds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Mask {
    /// What was found, as pending orders make it.
    pub(super) fn standing(&self, identity: &str, found: Arc<Bundle>) -> Option<Arc<Bundle>> {
        if found.variants().iter().all(|entry| entry.stamp.born >= self.latest) {
            return Some(found);
        }
        let text = Key::text_of(identity);
        let mut is_same = true;
        let new = found.changed(|entry| {
            let change = changed_by(&self.named, text, entry);
            is_same &= matches!(change, Change::None);
            change
        });
        if is_same { Some(found) } else { new.map(Arc::new) }
    }
}

/// What orders make of an entry, one after the other.
fn changed_by(orders: &[Named], text: &str, entry: &Arc<Entry>) -> Change {
    let mut new: Option<Arc<Entry>> = None;
    for one in orders {
        let is = new.as_ref().unwrap_or(entry);
        if one.names(text, is) {
            match changed(one.mode, is) {
                Change::None => {}
                Change::To(other) => new = Some(other),
                Change::Gone => return Change::Gone,
            }
        }
    }
    new.map_or(Change::None, Change::To)
}

impl Named {
    fn names(&self, text: &str, entry: &Entry) -> bool {
        entry.stamp.born < self.tick && self.selectors.iter().any(|one| names(one, text, entry))
    }
}

impl L1 {
    /// Waits until something is to be worked off.
    pub async fn something_pending(&self) {
        self.pending.news.notified().await;
    }

    /// Whether all that orders have named has left memory, or stands there as they have it.
    pub fn is_swept(&self) -> bool {
        self.pending.is_idle()
    }

    /// Does what is pending under one identity, before something new is put there.
    pub(super) fn reclaim_at(&self, shard: &mut Shard<Arc<Home>>, identity: &str) {
        for named in self.pending.named.load().iter() {
            let Some(number) = shard.number(identity) else { return };
            let mut swept = Swept::default();
            let covers = |key: &Key, entry: &Arc<Entry>| named.names(key.text(), entry);
            change(shard, number, &covers, (named.mode, Tick::default()), &mut swept);
            named.dropped.fetch_add(swept.gone.entries, Ordering::Relaxed);
        }
    }

    /// The same, of a slot.
    pub(super) fn reclaim_slot(&self, shard: &mut Shard<Arc<Home>>, number: u32) {
        if let Some(key) = shard.slot(number).map(|slot| slot.key.clone()) {
            self.reclaim_at(shard, key.identity());
        }
    }

    /// Does a little of what is pending.
    pub fn reclaim(&self) -> Step {
        // Nobody adds or takes back meanwhile; a step is short.
        let mut rounds = self.pending.rounds();
        let Some(due) = rounds.front_mut() else { return Step::default() };
        let mut counted = None;
        let mut swept = Swept::default();
        let most = self.at_once.max(1);
        let ended = self.go_on(&mut due.round, due.named.tick, most, &mut swept);
        let before = due.named.dropped.fetch_add(swept.gone.entries, Ordering::Relaxed);
        if ended {
            if !due.is_counted {
                let selectors = due.named.selectors.iter().cloned();
                let order = Order::of(selectors).as_mode(due.named.mode);
                counted = Some((order, before + swept.gone.entries));
            }
            rounds.pop_front();
            self.pending.tell(&rounds);
        }
        let more = !rounds.is_empty();
        drop(rounds);
        self.free();
        Step { more, counted }
    }
}
