//! Own orders on their way: taken at once, numbered first in, first out, erased from the slots of
//! their keys, and then acknowledged. While Redis is away they wait; what was acknowledged by then
//! is in the journal, where there is one.

use std::collections::{HashMap, HashSet};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::erase::text_of;
use super::reply::{Head, array, number, text};
use super::{Effects, Fleet, News};
use crate::base::ids::Number;
use crate::base::limits;
use crate::entry::order::{Order, Selector};
use crate::store::coherence::{OrderId, Waiting, encode_order, fence_texts};
use crate::store::redis::fault::TierFault;
use crate::store::redis::scripts;

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
#[derive(Clone, Copy, Debug, Default)]
pub struct Receipt {
    /// What is promised.
    pub level: Level,
    /// Other members that were asked.
    pub asked: usize,
    /// Those of them that have confirmed.
    pub confirmed: usize,
    /// It survives the death of this process, though it is only local.
    pub journaled: bool,
}

/// How far own orders have got.
#[derive(Debug, Default)]
pub(super) struct Settled {
    /// Those up to this count have their numbers.
    numbered: u64,
    /// First and last count of those whose keys are being erased.
    erasing: Vec<(u64, u64)>,
}

impl Settled {
    fn has(&self, count: u64) -> bool {
        let erasing = |(first, last): &(u64, u64)| (*first..=*last).contains(&count);
        count <= self.numbered && !self.erasing.iter().any(erasing)
    }

    fn begin(&mut self, range: (u64, u64)) {
        self.numbered = self.numbered.max(range.1);
        self.erasing.push(range);
    }

    fn end(&mut self, range: (u64, u64)) {
        self.erasing.retain(|one| *one != range);
    }
}

/// Own orders that have their numbers, and the range of their counts.
pub(super) struct Numbered {
    range: (u64, u64),
    orders: Vec<(OrderId, Arc<Order>, Number)>,
}

/// Which members have confirmed which own orders.
#[derive(Debug, Default)]
pub(super) struct Confirmations {
    open: Mutex<HashMap<u64, HashSet<u64>>>,
    /// Members that did not confirm in time; they are not waited for until they say something.
    silent: Mutex<HashSet<u64>>,
    news: Notify,
}

/// One order that waits for confirmations.
struct Confirming<'a> {
    all: &'a Confirmations,
    count: u64,
}

impl Drop for Confirming<'_> {
    fn drop(&mut self) {
        self.all.all().remove(&self.count);
    }
}

impl Confirming<'_> {
    fn lives(&self) -> HashSet<u64> {
        self.all.all().get(&self.count).cloned().unwrap_or_default()
    }
}

impl Confirmations {
    fn begin(&self, count: u64) -> Confirming<'_> {
        self.all().insert(count, HashSet::new());
        Confirming { all: self, count }
    }

    fn silent(&self) -> std::sync::MutexGuard<'_, HashSet<u64>> {
        self.silent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A member has applied an order of this node.
    pub(super) fn confirm(&self, count: u64, life: u64) {
        self.silent().remove(&life);
        if let Some(lives) = self.all().get_mut(&count) {
            lives.insert(life);
            self.news.notify_waiters();
        }
    }

    fn has(&self, count: u64, lives: &[u64]) -> bool {
        let all = self.all();
        all.get(&count).is_some_and(|said| lives.iter().all(|life| said.contains(life)))
    }

    fn all(&self) -> std::sync::MutexGuard<'_, HashMap<u64, HashSet<u64>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Does `work` to its end while erasures go on.
async fn beside<T>(
    erasing: &mut FuturesUnordered<impl Future<Output = ()>>,
    work: impl Future<Output = T>,
) -> T {
    let mut work = pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            Some(()) = erasing.next() => {}
        }
    }
}

impl Fleet {
    /// Takes an order; its count finds it again. Frames that it names are refused here from now
    /// on. The caller has it carried out in L1 after this, and acknowledges it after
    /// [`Fleet::settled`].
    pub fn give(&self, order: &Order) -> u64 {
        self.give_event(Arc::new(order.clone()), String::new())
    }

    pub(super) fn give_event(&self, order: Arc<Order>, event: String) -> u64 {
        self.stats.orders.count();
        let count = self.member().give(order, event);
        self.flush.notify_one();
        count
    }

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
        let mut others: HashSet<u64> = heading.members.into_iter().collect();
        if !heading.clean {
            // The server may have lost who they are.
            others.extend(self.member().known());
        }
        others.remove(&own);
        let others: Vec<u64> = others.into_iter().collect();
        let all = self.confirmed(&confirming, &others, wait).await;
        let confirmed = confirming.lives().len().min(others.len());
        // Others may know of a member that neither this node nor the server does.
        let level = if all && heading.clean { Level::Nodes } else { Level::Shared };
        Receipt { level, asked: others.len(), confirmed, ..receipt }
    }

    /// Waits for the confirmations of others; who did not give the last one is not waited for.
    async fn confirmed(&self, one: &Confirming<'_>, others: &[u64], wait: Duration) -> bool {
        let all = &self.confirmations;
        let until = Instant::now() + wait;
        loop {
            let news = all.news.notified();
            if all.has(one.count, others) {
                return true;
            }
            // Whoever grants more time than usual means it.
            let usual = wait <= limits::CONFIRM_WAIT.to_duration();
            let silent = usual && others.iter().any(|life| all.silent().contains(life));
            if silent || timeout_at(until, news).await.is_err() {
                let said = one.lives();
                all.silent().extend(others.iter().filter(|life| !said.contains(life)));
                return all.has(one.count, others);
            }
        }
    }

    /// Whether orders wait for Redis now.
    pub fn waiting(&self) -> usize {
        self.member().waiting_len()
    }

    /// Has own orders numbered in their sequence, over and over. Their keys are erased beside that:
    /// a server that stands still holds up the orders on its own keys.
    pub(super) async fn flush_orders(&self, effects: &dyn Effects) {
        let mut held_up: Option<u64> = None;
        let mut erasing = FuturesUnordered::new();
        loop {
            let more = self.flush.notified();
            let room = erasing.len() < limits::ERASING_BATCHES_MAX;
            let batch = room.then(|| self.member().waiting(limits::ORDERS_PER_BATCH));
            let batch = batch.unwrap_or_default();
            if batch.is_empty() {
                if room {
                    self.forget_journal(effects).await;
                }
                tokio::select! {
                    () = more => {}
                    Some(()) = erasing.next() => {}
                }
                continue;
            }
            let (turn, began) = {
                let member = self.member();
                (member.turn(), member.began().to_owned())
            };
            let numbering = self.number_all(&batch, (turn, &began), true);
            match beside(&mut erasing, numbering).await {
                Ok(numbers) => {
                    erasing.push(self.erase_numbered(self.note_numbers(&batch, &numbers)));
                    if let Some(waited) = held_up.as_mut() {
                        *waited += batch.len() as u64;
                    }
                    if self.member().waiting_len() == 0
                        && let Some(orders) = held_up.take()
                    {
                        effects.tell(&News::Replayed { orders });
                    }
                }
                Err(why) => {
                    if held_up.is_none() {
                        held_up = Some(0);
                        effects.tell(&News::Waiting { why: why.to_string() });
                    }
                    self.mend.notify_one();
                    // Until the head has been asked again, nothing will have changed.
                    let again = Instant::now() + limits::ORDERS_RETRY.to_duration();
                    beside(&mut erasing, tokio::time::sleep_until(again)).await;
                }
            }
        }
    }

    /// Own orders have their numbers: the mirror has them before the list lets go.
    pub(super) fn note_numbers(&self, batch: &[Waiting], numbers: &[Number]) -> Numbered {
        let now = self.steady_ms();
        let counts = batch.iter().map(|one| one.count);
        let range = (counts.clone().min().unwrap_or(1), counts.max().unwrap_or(0));
        let mut member = self.member();
        for (waiting, number) in batch.iter().zip(numbers) {
            member.number(waiting.count, *number, now);
        }
        let life = member.life();
        drop(member);
        self.settled.send_modify(|settled| settled.begin(range));
        let orders = batch.iter().zip(numbers).map(|(waiting, number)| {
            let id = OrderId { life, count: waiting.count };
            (id, Arc::clone(&waiting.order), *number)
        });
        Numbered { range, orders: orders.collect() }
    }

    /// Erases the keys of own orders that have their numbers; then they are settled.
    pub(super) async fn erase_numbered(&self, numbered: Numbered) {
        let Numbered { range, orders } = numbered;
        self.erase(&orders, self.config.purge_budget).await;
        self.settled.send_modify(|settled| settled.end(range));
        let wide = orders.iter().flat_map(|(_, order, _)| &order.selectors);
        if wide.into_iter().any(|one| !matches!(one, Selector::Key(_) | Selector::Url(_))) {
            self.sweep.notify_one();
        }
    }

    /// Has orders numbered, in their sequence. Those of others (`as_member` false) keep their ids,
    /// by which a server recognises what it has already.
    pub(super) async fn number_as(
        &self,
        orders: &[(OrderId, Arc<Order>, String)],
        (turn, began): (u64, &str),
        as_member: bool,
    ) -> Result<Vec<Number>, TierFault> {
        let (turn, (life, applied)) = (turn.to_string(), self.said());
        let mut args: Vec<Vec<u8>> = vec![
            life.into_bytes(),
            turn.into_bytes(),
            if as_member { b"1".to_vec() } else { b"0".to_vec() },
            self.names.channel("orders").into_bytes(),
            limits::ORDERS_LOGGED.to_string().into_bytes(),
            limits::ORDERS_LOGGED_BYTES.to_string().into_bytes(),
            applied.into_bytes(),
            began.as_bytes().to_vec(),
        ];
        for (id, order, event) in orders {
            let fences = self.fences(order);
            let finishes = order.selectors.iter().any(|one| text_of(one).is_some());
            args.push(format!("{:016x}", id.life).into_bytes());
            args.push(id.count.to_string().into_bytes());
            args.push(if event.is_empty() { b"-".to_vec() } else { event.clone().into_bytes() });
            args.push(encode_order(order));
            args.push(if finishes { b"1".to_vec() } else { b"0".to_vec() });
            args.push(fences.len().to_string().into_bytes());
            args.extend(fences);
        }
        let args: Vec<&[u8]> = args.iter().map(Vec::as_slice).collect();
        let keys = ["head", "log", "fences", "done", "open", "members"];
        // Nobody waits for what is told again.
        let deadline =
            if as_member { self.config.purge_budget } else { limits::L2_BACKGROUND_DEADLINE };
        let reply = self.order_script(&scripts::ORDER, &keys, &args, deadline).await?;
        let all = array(&reply).unwrap_or_default();
        match all.first().and_then(text) {
            Some("ok") => {
                let numbers: Vec<Number> = all.iter().skip(1).filter_map(number).collect();
                if numbers.len() == orders.len() {
                    Ok(numbers)
                } else {
                    Err(TierFault::Garbage("a number for each order was due".to_owned()))
                }
            }
            Some("unknown") => {
                self.is_in_doubt();
                Err(TierFault::Unserved)
            }
            // Another turn, or not checked in: the head says which.
            _ => Err(TierFault::Unserved),
        }
    }

    pub(super) async fn number_all(
        &self,
        batch: &[Waiting],
        turn: (u64, &str),
        as_member: bool,
    ) -> Result<Vec<Number>, TierFault> {
        let life = self.member().life();
        let orders: Vec<_> = batch
            .iter()
            .map(|one| {
                let id = OrderId { life, count: one.count };
                (id, Arc::clone(&one.order), one.event.clone())
            })
            .collect();
        self.number_as(&orders, turn, as_member).await
    }

    /// The selectors that no slot of a key answers for. A target is a key text itself, and where a
    /// rule gives it another one the order names that too.
    fn fences(&self, order: &Order) -> Vec<Vec<u8>> {
        let located = self.is_located();
        let wide = order.selectors.iter().filter(|one| !matches!(one, Selector::Url(_)));
        fence_texts(&Order { selectors: wide.cloned().collect() }, |_| located)
    }
}
