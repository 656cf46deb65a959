//! Own orders on their way: taken at once, numbered first in, first out, erased from the slots of
//! their keys, and then acknowledged. While Redis is away they wait; what was acknowledged by then
//! is in the journal, where there is one.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

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

/// Which members have confirmed which own orders.
#[derive(Debug, Default)]
pub(super) struct Confirmations {
    open: Mutex<HashMap<u64, HashSet<u64>>>,
    news: Notify,
}

impl Confirmations {
    fn begin(&self, count: u64) {
        self.all().insert(count, HashSet::new());
    }

    fn end(&self, count: u64) -> usize {
        self.all().remove(&count).map_or(0, |lives| lives.len())
    }

    /// A member has applied an order of this node.
    pub(super) fn confirm(&self, count: u64, life: u64) {
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
        if confirm.is_some() {
            self.confirmations.begin(count);
        }
        let mut settled = self.settled.subscribe();
        let until = began + self.config.purge_budget.to_duration();
        let shared = timeout_at(until, settled.wait_for(|done| *done >= count))
            .await
            .is_ok_and(|seen| seen.is_ok());
        if !shared {
            self.confirmations.end(count);
            let journaled = self.keep_in_journal().await;
            return Receipt { journaled, ..Receipt::default() };
        }
        let receipt = Receipt { level: Level::Shared, ..Receipt::default() };
        let Some(wait) = confirm else { return receipt };
        // Who is no member yet loads the order when he becomes one: those count who are by now.
        let Ok(Head::Known(heading)) = self.head_now(self.config.purge_budget).await else {
            self.confirmations.end(count);
            return receipt;
        };
        let own = self.member().life();
        let others: Vec<u64> = heading.members.into_iter().filter(|life| *life != own).collect();
        let until = Instant::now() + wait;
        let all = loop {
            let news = self.confirmations.news.notified();
            if self.confirmations.has(count, &others) {
                break true;
            }
            if timeout_at(until, news).await.is_err() {
                break self.confirmations.has(count, &others);
            }
        };
        let confirmed = self.confirmations.end(count).min(others.len());
        let level = if all { Level::Nodes } else { Level::Shared };
        Receipt { level, asked: others.len(), confirmed, ..receipt }
    }

    /// Whether orders wait for Redis now.
    pub fn waiting(&self) -> usize {
        self.member().waiting_len()
    }

    pub(super) async fn flush_orders(&self, effects: &dyn Effects) {
        let mut held_up: Option<u64> = None;
        loop {
            let more = self.flush.notified();
            let batch = self.member().waiting(limits::ORDERS_PER_BATCH);
            let Some(last) = batch.last().map(|last| last.count) else {
                self.settled.send_replace(self.member().numbered());
                self.forget_journal(effects).await;
                more.await;
                continue;
            };
            let turn = self.member().turn();
            match self.number_all(&batch, turn, true).await {
                Ok(numbers) => {
                    self.numbered(&batch, &numbers).await;
                    self.settled.send_modify(|done| *done = last.max(*done));
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
                    let _ = timeout_at(again, more).await;
                    tokio::time::sleep_until(again).await;
                }
            }
        }
    }

    /// Own orders have their numbers: the mirror has them before the list lets go, and then their
    /// keys are erased.
    pub(super) async fn numbered(&self, batch: &[Waiting], numbers: &[Number]) {
        let now = self.steady_ms();
        {
            let mut member = self.member();
            for (waiting, number) in batch.iter().zip(numbers) {
                member.number(waiting.count, *number, now);
            }
        }
        let life = self.member().life();
        let erased = batch.iter().zip(numbers).map(|(waiting, number)| {
            let id = OrderId { life, count: waiting.count };
            (id, Arc::clone(&waiting.order), *number)
        });
        self.erase(&erased.collect::<Vec<_>>(), self.config.purge_budget).await;
        let wide = batch.iter().flat_map(|one| &one.order.selectors);
        if wide.into_iter().any(|one| !matches!(one, Selector::Key(_) | Selector::Url(_))) {
            self.sweep.notify_one();
        }
    }

    /// Has orders numbered, in their sequence. Those of others (`as_member` false) keep their ids,
    /// by which a server recognises what it has already.
    pub(super) async fn number_as(
        &self,
        orders: &[(OrderId, Arc<Order>, String)],
        turn: u32,
        as_member: bool,
    ) -> Result<Vec<Number>, TierFault> {
        let (life, turn) = (format!("{:016x}", self.member().life()), turn.to_string());
        let mut args: Vec<Vec<u8>> = vec![
            life.into_bytes(),
            turn.into_bytes(),
            if as_member { b"1".to_vec() } else { b"0".to_vec() },
            self.names.channel("orders").into_bytes(),
            limits::ORDERS_LOGGED.to_string().into_bytes(),
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
        let deadline = self.config.purge_budget;
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
            // Another turn, another server, or not checked in: the head says which.
            _ => Err(TierFault::Unserved),
        }
    }

    pub(super) async fn number_all(
        &self,
        batch: &[Waiting],
        turn: u32,
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
