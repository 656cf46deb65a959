//! Own orders on their way: taken at once, numbered first in, first out, erased from the slots of
//! their keys, and then acknowledged. While Redis is away they wait; what was acknowledged by then
//! is in the journal, where there is one.

use std::pin::pin;
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::Instant;

use super::erase::text_of;
use super::reply::{array, number, text};
use super::{Effects, Fleet, News};
use crate::base::clock::Timestamp;
use crate::base::ids::{Number, SoftId};
use crate::base::limits;
use crate::entry::order::{Mode, Order, Selector, Soft};
use crate::store::coherence::{OrderId, Waiting, encode_order, fence_texts};
use crate::store::redis::fault::TierFault;
use crate::store::redis::scripts;

/// How far own orders have got.
#[derive(Debug, Default)]
pub(super) struct Settled {
    /// Those up to this count have their numbers.
    numbered: u64,
    /// First and last count of those whose keys are being erased.
    erasing: Vec<(u64, u64)>,
}

impl Settled {
    pub(super) fn has(&self, count: u64) -> bool {
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

/// The order with its moment by another clock.
fn by_clock(order: &Order, to: impl Fn(Timestamp) -> Timestamp) -> Order {
    match order.mode {
        Mode::Soft(soft) => order.clone().as_mode(Mode::Soft(Soft { at: to(soft.at), ..soft })),
        Mode::Undo(soft) => order.clone().as_mode(Mode::Undo(Soft { at: to(soft.at), ..soft })),
        Mode::Delete => order.clone(),
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
        self.give_event(Arc::new(self.by_fleet_clock(order)), String::new())
    }

    /// An order of this node with its moment by the fleet's clock.
    pub(super) fn by_fleet_clock(&self, order: &Order) -> Order {
        let skew = self.skew();
        self.member().given(by_clock(order, |at| skew.to_redis(at)))
    }

    /// What a soft order names that can still be undone.
    pub fn soft_order(&self, id: SoftId) -> Option<Order> {
        let order = self.member().soft_order(id)?;
        Some(self.by_own_clock(&order))
    }

    /// Soft orders whose time is over are purges, also where Redis is away.
    pub(super) fn expire_softs(&self, effects: &dyn Effects) {
        let now = self.skew().to_redis(effects.now());
        self.member().expire_softs(now);
    }

    /// An order of the fleet with its moment by this node's clock.
    pub(super) fn by_own_clock(&self, order: &Order) -> Order {
        let skew = self.skew();
        by_clock(order, |at| skew.to_own(at))
    }

    pub(super) fn give_event(&self, order: Arc<Order>, event: String) -> u64 {
        self.stats.orders.count();
        let count = self.member().give(order, event);
        self.flush.notify_one();
        count
    }

    /// Takes orders in one go: no other comes between them. The counts of the first and the last.
    pub(super) fn give_all(&self, orders: Vec<Arc<Order>>) -> Option<(u64, u64)> {
        let mut member = self.member();
        let mut counts = orders.into_iter().map(|order| {
            self.stats.orders.count();
            member.give(order, String::new())
        });
        let first = counts.next()?;
        let last = counts.last().unwrap_or(first);
        drop(member);
        self.flush.notify_one();
        Some((first, last))
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
        let mut erased = self.erase(&orders, self.config.purge_budget).await;
        for (id, order, _) in &orders {
            match (erased.remove(id), self.is_all_keys(order)) {
                (Some(gone), true) => self.confirmations.erased(id.count, gone),
                (Some(gone), false) => {
                    let mut reclaims = self.reclaiming();
                    reclaims.credit(id.count, gone.entries);
                    if gone.is_open() {
                        reclaims.blur(id.count);
                    }
                }
                (None, _) => self.reclaiming().blur(id.count),
            }
        }
        // Only now: a sweep that ends counts what its keys took as well.
        let number_of = |count| {
            let one = orders.iter().find(|(id, ..)| id.count == count);
            one.map(|(.., number)| *number)
        };
        self.reclaiming().settle(range, number_of);
        self.settled.send_modify(|settled| settled.end(range));
        if orders.iter().any(|(_, order, _)| order.deletes() && !self.is_all_keys(order)) {
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
            let finishes =
                order.deletes() && order.selectors.iter().any(|one| text_of(one).is_some());
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

    /// Whether erasing keys takes all that the order names from the shared level.
    pub(super) fn is_all_keys(&self, order: &Order) -> bool {
        self.fences(order).is_empty()
    }

    /// The selectors that no slot of a key answers for. A target is a key text itself, and where a
    /// rule gives it another one the order names that too; but for rules that keep answers which
    /// their targets do not lead to.
    fn fences(&self, order: &Order) -> Vec<Vec<u8>> {
        let located = self.is_located();
        let apart = self.apart.load(std::sync::atomic::Ordering::Relaxed);
        if !order.deletes() {
            return fence_texts(order, |_| false);
        }
        let wide = order.selectors.iter().filter(|one| apart || !matches!(one, Selector::Url(_)));
        fence_texts(&Order::of(wide.cloned()), |_| located)
    }
}
