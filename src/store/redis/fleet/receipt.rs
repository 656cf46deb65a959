//! What an order is acknowledged with: who has confirmed it, what it promises now, and what it
//! took.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedMutexGuard, TryLockError};
use tokio::time::{Instant, timeout_at};

use super::Fleet;
use super::bus::from_hex;
use super::follow::fields;
use super::reply::{Head, Heading};
use crate::base::ids::Number;
use crate::base::limits;
use crate::store::coherence::OrderId;
use crate::store::gone::Gone;

/// What an acknowledged order promises.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// No read through this node gets older data.
    #[default]
    Local,
    /// The shared level neither gives nor takes it; L1 of other nodes follows.
    Shared,
    /// No read through any node gets older data.
    Nodes,
}

impl Level {
    /// The word in answers and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Shared => "shared",
            Self::Nodes => "nodes",
        }
    }
}

/// How far an order has got.
#[derive(Clone, Debug, Default)]
pub struct Receipt {
    /// What is promised.
    pub level: Level,
    /// Other members that were asked.
    pub asked: usize,
    /// Those of them that have confirmed.
    pub confirmed: usize,
    /// It survives the death of this process, though it is only local.
    pub journaled: bool,
    /// What it took from L1 of those that were asked; `None` of who has not told.
    pub others: Vec<Option<Gone>>,
    /// What it took from the shared level, where that is known: what an order on more than keys
    /// names is taken out of memory later.
    pub l2: Option<Gone>,
}

/// What is known of an order that waits.
#[derive(Clone, Debug, Default)]
pub(super) struct Confirmed {
    /// Who has confirmed it, and what it took there.
    pub(super) lives: HashMap<u64, Option<Gone>>,
    /// What it took from the shared level, once its keys are erased.
    l2: Option<Gone>,
}

/// Something that is said of an own order.
#[derive(Clone, Debug)]
enum Said {
    /// A member has applied it, and this went there.
    Confirmed(u64, Option<Gone>),
    /// Its keys are erased, and this went.
    Erased(Gone),
}

impl Confirmed {
    fn hear(&mut self, said: Said) {
        match said {
            // A heartbeat tells less than a message that has come.
            Said::Confirmed(life, None) => drop(self.lives.entry(life).or_default()),
            Said::Confirmed(life, gone) => drop(self.lives.insert(life, gone)),
            Said::Erased(gone) => self.l2 = Some(gone),
        }
    }
}

#[derive(Debug, Default)]
struct Open {
    orders: HashMap<u64, Confirmed>,
    /// What was said of orders that nobody waits for yet: between giving one and waiting for it a
    /// node drops what it names, and others may be faster.
    early: VecDeque<(u64, Said)>,
}

/// Which members have confirmed which own orders.
#[derive(Debug, Default)]
pub(super) struct Confirmations {
    open: Mutex<Open>,
    /// Members that did not confirm in time; they are not waited for until they say something.
    silent: Mutex<HashSet<u64>>,
    /// Held while this node counts for another what an order would take.
    counting: Arc<tokio::sync::Mutex<()>>,
    news: Notify,
}

/// One order that waits for confirmations.
pub(super) struct Confirming<'a> {
    all: &'a Confirmations,
    count: u64,
}

impl Drop for Confirming<'_> {
    fn drop(&mut self) {
        self.all.open().orders.remove(&self.count);
    }
}

impl Confirming<'_> {
    pub(super) fn told(&self) -> Confirmed {
        self.all.open().orders.get(&self.count).cloned().unwrap_or_default()
    }
}

impl Confirmations {
    pub(super) fn begin(&self, count: u64) -> Confirming<'_> {
        let mut open = self.open();
        let (own, others): (VecDeque<_>, VecDeque<_>) =
            std::mem::take(&mut open.early).into_iter().partition(|(of, _)| *of == count);
        open.early = others;
        let mut confirmed = Confirmed::default();
        for (_, said) in own {
            confirmed.hear(said);
        }
        open.orders.insert(count, confirmed);
        Confirming { all: self, count }
    }

    fn silent(&self) -> std::sync::MutexGuard<'_, HashSet<u64>> {
        self.silent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The turn of who counts for another node; none while somebody does.
    pub(super) fn counting(&self) -> Result<OwnedMutexGuard<()>, TryLockError> {
        Arc::clone(&self.counting).try_lock_owned()
    }

    /// Waits until all of these have said something, so long at most.
    pub(super) async fn all_said(&self, one: &Confirming<'_>, lives: &[u64], until: Instant) {
        loop {
            let news = self.news.notified();
            if self.has(one.count, lives) || timeout_at(until, news).await.is_err() {
                return;
            }
        }
    }

    /// A member has applied an order of this node.
    pub(super) fn confirm(&self, count: u64, life: u64, gone: Option<Gone>) {
        self.silent().remove(&life);
        self.hear(count, Said::Confirmed(life, gone));
        self.news.notify_waiters();
    }

    /// The keys of an order are erased.
    pub(super) fn erased(&self, count: u64, gone: Gone) {
        self.hear(count, Said::Erased(gone));
    }

    fn hear(&self, count: u64, said: Said) {
        let mut open = self.open();
        if let Some(confirmed) = open.orders.get_mut(&count) {
            return confirmed.hear(said);
        }
        open.early.push_back((count, said));
        if open.early.len() > limits::EARLY_CONFIRMATIONS_MAX {
            open.early.pop_front();
        }
    }

    fn has(&self, count: u64, lives: &[u64]) -> bool {
        let open = self.open();
        open.orders
            .get(&count)
            .is_some_and(|said| lives.iter().all(|life| said.lives.contains_key(life)))
    }

    fn open(&self) -> std::sync::MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fleet {
    /// Waits until an order is numbered and erased, and every other member has confirmed it, each
    /// within its time. What is not reached in time goes on by itself.
    pub async fn settled(&self, count: u64, confirm: Option<Duration>) -> Receipt {
        let began = Instant::now();
        let confirming = confirm.map(|_| self.confirmations.begin(count));
        let mut settled = self.settled.subscribe();
        let until = began + self.config.purge_budget.to_duration();
        // Nobody waits for a server that is known to be away.
        let is_up = self.head_server().is_ok_and(|server| server.is_up());
        let shared = is_up
            && timeout_at(until, settled.wait_for(|settled| settled.has(count)))
                .await
                .is_ok_and(|seen| seen.is_ok());
        if !shared {
            let journaled = self.keep_in_journal().await;
            return Receipt { journaled, ..Receipt::default() };
        }
        let receipt = Receipt { level: Level::Shared, ..Receipt::default() };
        let (Some(wait), Some(confirming)) = (confirm, confirming) else { return receipt };
        // Who is no member yet loads the order when he becomes one: those count who are by now.
        let Ok(Head::Known(heading)) = self.head_now(self.config.purge_budget).await else {
            return receipt;
        };
        let own = self.member().life();
        let mut others: HashSet<u64> = heading.members.iter().copied().collect();
        if !heading.clean {
            // The server may have lost who they are.
            others.extend(self.member().known());
        }
        others.remove(&own);
        let others: Vec<u64> = others.into_iter().collect();
        let id = OrderId { life: own, count };
        let all = self.confirmed(&confirming, &others, wait, (id, &heading)).await;
        let mut told = confirming.told();
        let confirmed = others.iter().filter(|life| told.lives.contains_key(life)).count();
        let counts = others.iter().map(|life| told.lives.remove(life).flatten()).collect();
        // Others may know of a member that neither this node nor the server does.
        let level = if all && heading.clean { Level::Nodes } else { Level::Shared };
        let l2 = told.l2;
        Receipt { level, asked: others.len(), confirmed, others: counts, l2, ..receipt }
    }

    /// Waits for the confirmations of others; who did not give the last one is not waited for.
    async fn confirmed(
        &self,
        one: &Confirming<'_>,
        others: &[u64],
        wait: Duration,
        (id, heading): (OrderId, &Heading),
    ) -> bool {
        let all = &self.confirmations;
        let until = Instant::now() + wait;
        let mut look = Instant::now() + limits::CONFIRM_LOOK_EVERY.to_duration();
        loop {
            let news = all.news.notified();
            if all.has(one.count, others) {
                return true;
            }
            // Whoever grants more time than usual means it.
            let usual = wait <= limits::CONFIRM_WAIT.to_duration();
            let silent = usual && others.iter().any(|life| all.silent().contains(life));
            if !silent && timeout_at(until.min(look), news).await.is_ok() {
                continue;
            }
            if !silent && Instant::now() < until {
                for life in self.beyond(id, heading).await {
                    all.confirm(id.count, life, None);
                }
                look = Instant::now() + limits::CONFIRM_LOOK_EVERY.to_duration();
            } else {
                let said = one.told().lives;
                all.silent().extend(others.iter().filter(|life| !said.contains_key(life)));
                return all.has(one.count, others);
            }
        }
    }

    /// Members whose heartbeat says that they have applied an order of this node: a confirmation is
    /// a message, and messages are lost.
    async fn beyond(&self, id: OrderId, heading: &Heading) -> Vec<u64> {
        let number = self.member().number_in(id, heading.turn, &heading.began);
        // Of another turn no heartbeat tells anything.
        let Some(number) = number else { return Vec::new() };
        let mut all = redis::cmd("HGETALL");
        all.arg(self.names.order("members"));
        let Ok(server) = self.head_server() else { return Vec::new() };
        let said = server.call::<redis::Value>(&all, limits::L2_BACKGROUND_DEADLINE).await;
        let said = said.unwrap_or(redis::Value::Nil);
        let turn = heading.turn.to_string();
        let reached = |(life, said): (String, String)| {
            let mut parts = said.split(' ');
            let its = parts.next() == Some(&turn) && parts.next() == Some(&heading.began);
            let applied: Number = parts.next()?.parse().ok()?;
            from_hex(&life).filter(|_| its && applied >= number)
        };
        fields(&said).into_iter().filter_map(reached).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_before_anybody_waits_counts() {
        let all = Confirmations::default();
        all.confirm(1, 7, Some(Gone::default()));
        all.confirm(2, 7, None);
        all.erased(1, Gone::default());
        let one = all.begin(1);
        all.confirm(1, 8, None);
        assert!(all.has(1, &[7, 8]) && !all.has(1, &[7, 9]));
        assert!(one.told().l2.is_some());
        drop(one);
        assert!(!all.has(1, &[7]), "what has been told is forgotten");
        let _two = all.begin(2);
        assert!(all.has(2, &[7]));
    }

    #[test]
    fn what_nobody_waits_for_is_bounded() {
        let all = Confirmations::default();
        let most = limits::EARLY_CONFIRMATIONS_MAX as u64;
        (0..=most).for_each(|count| all.confirm(count, 7, None));
        let _first = all.begin(0);
        let _last = all.begin(most);
        assert!(!all.has(0, &[7]) && all.has(most, &[7]));
    }
}
