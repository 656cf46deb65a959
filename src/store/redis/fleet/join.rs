//! Belonging to the fleet: adopting a server that nobody knows, checking in to its turn, and what
//! the members do for each other when one of them or a server is gone.

use std::collections::HashSet;
use std::sync::{Arc, MutexGuard, PoisonError};

use super::follow::fields;
use super::reply::{Heading, array, lives_of, text};
use super::{Effects, Fleet, News, lives};
use crate::base::ids::Number;
use crate::base::limits;
use crate::entry::order::{Order, Selector};
use crate::store::coherence::{Heard, OrderId};
use crate::store::redis::fault::TierFault;
use crate::store::redis::scripts;

/// What a turn has been told already. Telling takes several calls, and one that fails must not make
/// all of them be made again.
#[derive(Debug, Default)]
pub(super) struct Retold {
    /// The turn, and when it began.
    turn: (u64, String),
    orders: HashSet<OrderId>,
    /// An order on everything, which stands for them all.
    everything: bool,
}

impl Fleet {
    /// Makes the server the fleet's own: a new turn begins.
    pub(super) async fn adopt(&self, effects: &dyn Effects) -> Result<(), TierFault> {
        let (seen, applied, (turn, began), known) = {
            let history = self.history();
            let member = self.member();
            (member.turn_seen().to_string(), member.applied().to_string(), history, lives(&member))
        };
        let mut args: Vec<&[u8]> =
            vec![seen.as_bytes(), applied.as_bytes(), turn.as_bytes(), began.as_bytes()];
        args.extend(known.iter().map(String::as_bytes));
        let keys = ["head", "log", "fences", "members", "expect", "runs", "done"];
        let reply = self.order_script(&scripts::ADOPT, &keys, &args, limits::POLL_DEADLINE).await?;
        let parts = array(&reply).unwrap_or_default();
        let word = parts.first().and_then(text).unwrap_or_default();
        self.doubt.store(false, std::sync::atomic::Ordering::Relaxed);
        let turn = parts.get(1).and_then(super::reply::int).unwrap_or_default();
        if word == "adopted" {
            effects.tell(&News::Adopted { turn });
        }
        Ok(())
    }

    /// Checks in to the turn of a server.
    pub(super) async fn join(
        &self,
        heading: &Heading,
        effects: &dyn Effects,
    ) -> Result<(), TierFault> {
        // Until the first check-in was answered, nothing that was loaded counts.
        let begins = self.member().turn() == 0;
        let repeated = if begins {
            self.load_all(heading, effects).await?;
            0
        } else {
            self.repeat_lost(heading, effects).await?
        };
        self.number_what_waits(heading).await?;
        self.forget_journal(effects).await;
        let (life, applied) = self.said();
        let known = {
            let member = self.member();
            let is_back = (member.turn(), member.began()) == (heading.turn, &*heading.began);
            // Those who left while it was away are not missed: the turn knows its members.
            if is_back { vec![life.clone()] } else { lives(&member) }
        };
        let turn = heading.turn.to_string();
        let mut args: Vec<&[u8]> =
            vec![life.as_bytes(), turn.as_bytes(), applied.as_bytes(), heading.began.as_bytes()];
        args.extend(known.iter().map(String::as_bytes));
        let keys = ["head", "log", "fences", "members", "expect"];
        let deadline = limits::L2_BACKGROUND_DEADLINE;
        let reply = self.order_script(&scripts::CHECK_IN, &keys, &args, deadline).await?;
        let said = array(&reply).unwrap_or_default();
        let word = said.first().and_then(text);
        if word == Some("lost") {
            self.is_in_doubt();
        }
        if !matches!(word, Some("clean" | "waits")) {
            return Err(TierFault::Unserved);
        }
        // Should this server be lost now, they are to be expected.
        self.member().meet(said.get(1).map(lives_of).unwrap_or_default());
        self.member().check_in(heading.turn, &heading.began, heading.base);
        *self.retold() = Retold::default();
        self.learn_servers().await?;
        self.waits.wake_all();
        effects.tell(&News::Joined { turn: heading.turn, repeated });
        Ok(())
    }

    /// This node's turn began anew without it, by a clock that was behind: numbers of it mean other
    /// orders elsewhere. Everything counts as purged, in a turn above it, and the node joins anew.
    pub(super) async fn leave_history(&self, effects: &dyn Effects) -> Result<(), TierFault> {
        self.order_everything("this turn began twice", effects);
        self.adopt(effects).await?;
        self.member().forget_turn();
        Ok(())
    }

    /// A fresh life learns what was ordered before it. What it cached while it belonged to nobody
    /// is not trusted. Fences first: one that is set later stands in the log.
    async fn load_all(&self, heading: &Heading, effects: &dyn Effects) -> Result<(), TierFault> {
        self.load_fences().await?;
        let mut all = Vec::new();
        let mut from = None;
        loop {
            let some = self.records_after(from, limits::L2_BACKGROUND_DEADLINE).await?;
            let Some(last) = some.last() else { break };
            from = Some(last.number);
            all.extend(some);
        }
        let reaches = all.first().map_or(heading.last, |first| first.previous);
        let last = all.last().map_or(heading.last, |last| last.number);
        for record in &all {
            self.hear_wide(record);
        }
        let now = self.steady_ms();
        self.member().join(&all, reaches, last, now);
        // Only now: what an order names that is in this log, and that was fetched before it, must
        // not be trusted either.
        effects.distrust();
        Ok(())
    }

    /// Tells a server again what it may have lost: every order that this node has heard since the
    /// last one that the server knows.
    async fn repeat_lost(
        &self,
        heading: &Heading,
        effects: &dyn Effects,
    ) -> Result<usize, TierFault> {
        let (lost, whole) = self.member().lost_since(heading.base, (heading.turn, &heading.began));
        if !whole {
            // It names all that the others did. If what follows fails, it is not given again.
            if !std::mem::replace(&mut self.retold_to(heading).everything, true) {
                self.order_everything("orders that the server lost are not all known", effects);
            }
            return Ok(0);
        }
        let own = lost.partition_point(|heard| heard.id.life == self.member().life());
        self.retell(&lost[..own], heading).await?;
        // A writer may have been answered for those that wait.
        self.number_what_waits(heading).await?;
        self.retell(&lost[own..], heading).await?;
        Ok(lost.len())
    }

    /// Repeats what the turn has not been told yet.
    async fn retell(&self, lost: &[Heard], heading: &Heading) -> Result<(), TierFault> {
        let left: Vec<Heard> = {
            let retold = self.retold_to(heading);
            lost.iter().filter(|heard| !retold.orders.contains(&heard.id)).cloned().collect()
        };
        for some in batches(&left) {
            let (own, given): (Vec<&Heard>, Vec<&Heard>) =
                some.iter().partition(|heard| heard.id.life == 0);
            for heard in own {
                self.give_event(Arc::clone(&heard.order), String::new());
            }
            let given: Vec<_> = given
                .iter()
                .map(|heard| (heard.id, Arc::clone(&heard.order), String::new()))
                .collect();
            if given.is_empty() {
                continue;
            }
            let numbers = self.number_as(&given, (heading.turn, &heading.began), false).await?;
            let mut erased = Vec::new();
            for ((id, order, _), number) in given.into_iter().zip(numbers) {
                self.member().learn_fence(&order, number);
                erased.push((id, order, number));
            }
            self.erase(&erased, limits::L2_BACKGROUND_DEADLINE).await;
            self.retold().orders.extend(erased.into_iter().map(|(id, ..)| id));
        }
        Ok(())
    }

    /// What this turn has been told.
    fn retold_to(&self, heading: &Heading) -> MutexGuard<'_, Retold> {
        let turn = (heading.turn, heading.began.clone());
        let mut retold = self.retold();
        if retold.turn != turn {
            *retold = Retold { turn, ..Retold::default() };
        }
        retold
    }

    fn retold(&self) -> MutexGuard<'_, Retold> {
        self.retold.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Own orders that wait get their numbers before this node counts as having reported.
    async fn number_what_waits(&self, heading: &Heading) -> Result<(), TierFault> {
        let turn = (heading.turn, heading.began.as_str());
        loop {
            let batch = self.member().waiting(limits::ORDERS_PER_BATCH);
            if batch.is_empty() {
                return Ok(());
            }
            let numbers = self.number_all(&batch, turn, false).await?;
            self.erase_numbered(self.note_numbers(&batch, &numbers)).await;
        }
    }

    /// Somebody who may have known more did not come back: everything counts as purged, and then
    /// the turn as clean.
    pub(super) async fn settle(&self, effects: &dyn Effects) -> Result<(), TierFault> {
        let turn = self.member().turn();
        let count = self.order_everything("a member did not report in time", effects);
        let reached = self.settled(count, None).await.level >= super::Level::Shared;
        // The order must stand in the turn that is to be clean.
        if !reached || self.member().turn() != turn {
            return Err(TierFault::Deadline);
        }
        let turn = turn.to_string();
        let (life, _) = self.said();
        let (_, began) = self.history();
        let patience = limits::SETTLE_PATIENCE.as_millis().to_string();
        let args: [&[u8]; 4] =
            [life.as_bytes(), turn.as_bytes(), patience.as_bytes(), began.as_bytes()];
        let keys = ["head", "log", "fences", "members", "expect"];
        self.order_script(&scripts::SETTLE, &keys, &args, limits::POLL_DEADLINE).await.map(drop)
    }

    /// An order on everything that the fleet has, and what stands here is asked for again: nobody
    /// knows what was missed.
    pub(super) fn order_everything(&self, why: &'static str, effects: &dyn Effects) -> u64 {
        self.stats.floors.count();
        effects.tell(&News::Floor { why });
        effects.distrust();
        self.give(&Order::of([Selector::All]))
    }

    /// Servers that are known to the fleet.
    async fn learn_servers(&self) -> Result<(), TierFault> {
        let mut all = redis::cmd("HGETALL");
        all.arg(self.names.order("runs"));
        let runs = self.head_server()?.call(&all, limits::L2_BACKGROUND_DEADLINE).await?;
        let mut seen = self.servers_seen();
        for (run, floor) in fields(&runs) {
            if let Ok(floor) = floor.parse() {
                seen.learn(run.as_bytes(), floor);
            }
        }
        Ok(())
    }

    /// Servers of which nobody knows what they may have lost.
    pub(super) fn unsound_servers(&self) -> Vec<Vec<u8>> {
        self.servers_seen().unsound.iter().cloned().collect()
    }

    /// Servers that may have lost what orders did to their keys are told again. They were seen
    /// before the head was asked to which this node has caught up.
    pub(super) async fn mend_servers(&self, unsound: Vec<Vec<u8>>) {
        for run in unsound {
            if let Ok(floor) = self.mend_server(&run).await {
                self.servers_seen().learn(&run, floor);
            }
        }
    }

    /// Repeats to all servers every order on a key that this node remembers, unless one of them has
    /// done so for this run. What was fetched before this memory begins is not used any more. The
    /// head has been asked since the run was seen.
    async fn mend_server(&self, run: &[u8]) -> Result<Number, TierFault> {
        let ordering = self.head_server()?;
        let deadline = limits::L2_BACKGROUND_DEADLINE;
        let mut known = redis::cmd("HGET");
        known.arg(self.names.order("runs")).arg(run);
        let known: Option<String> = ordering.call(&known, deadline).await?;
        if let Some(floor) = known.and_then(|floor| floor.parse().ok()) {
            return Ok(floor);
        }
        let (recent, reaches) = self.member().recent();
        for some in batches(&recent) {
            let applied = self.member().applied();
            let orders: Vec<_> = some
                .iter()
                .map(|one| (one.id, Arc::clone(&one.order), one.number.max(applied)))
                .collect();
            let reached = self.erase(&orders, deadline).await;
            // One that was told again is there under each of its numbers.
            if !orders.iter().all(|(id, ..)| reached.contains_key(id)) {
                return Err(TierFault::Deadline);
            }
        }
        let mut retired = redis::cmd("HGET");
        retired.arg(self.names.order("head")).arg("retired");
        let retired: Option<String> = ordering.call(&retired, deadline).await?;
        let floor = reaches.max(retired.and_then(|number| number.parse().ok()).unwrap_or_default());
        let mut note = redis::cmd("HSETNX");
        note.arg(self.names.order("runs")).arg(run).arg(floor.to_string());
        ordering.call::<redis::Value>(&note, deadline).await?;
        Ok(floor)
    }

    /// Leaves in good order: nobody waits for this node any more.
    pub async fn leave(&self) {
        if self.member().waiting_len() > 0 {
            return;
        }
        let (life, _) = self.said();
        let args: [&[u8]; 2] = [b"0", life.as_bytes()];
        let keys = ["head", "log", "fences", "members", "expect", "done"];
        let _ = self.order_script(&scripts::LEAVE, &keys, &args, limits::POLL_DEADLINE).await;
    }
}

/// Orders in as many calls as one should hold.
fn batches(mut orders: &[Heard]) -> Vec<&[Heard]> {
    let mut batches = Vec::new();
    while !orders.is_empty() {
        let mut bytes = 0;
        let fits = |one: &&Heard| {
            bytes += one.order.text_bytes();
            bytes <= limits::ORDERS_BATCH_BYTES
        };
        let fit = orders.iter().take(limits::ORDERS_PER_BATCH).take_while(fits).count().max(1);
        let (some, rest) = orders.split_at(fit.min(orders.len()));
        batches.push(some);
        orders = rest;
    }
    batches
}
