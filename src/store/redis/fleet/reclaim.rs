//! How much an order on more than keys took out of the shared level: counted by whoever takes a
//! frame out, a sweep or a look that refused it, and told by the node that gave the order, when a
//! sweep of its own has ended on every server that began after it. What other nodes took for it
//! until then stands in Redis, under the order's id, for as long as orders are remembered.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::{Pipeline, Value};
use tokio::time::{Instant, timeout_at};

use super::follow::fields;
use super::sweep::{facts_of, tags_of};
use super::{Effects, Fleet};
use crate::base::clock::Timestamp;
use crate::base::ids::Number;
use crate::base::limits;
use crate::entry::order::Order;
use crate::entry::{Key, frame};
use crate::store::coherence::{OrderId, Reclaim, Reclaims, Record};
use crate::store::fence::Facts;
use crate::store::redis::fault::TierFault;
use crate::store::redis::keys::Names;
use crate::store::redis::scripts;
use crate::store::redis::server::Server;

/// Frames that went, by the orders that they went for.
pub(super) type Credits = HashMap<OrderId, Credit>;

/// What went for one order.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Credit {
    /// Frames.
    frames: u64,
    /// Whether there may be more of which nobody knows.
    is_open: bool,
}

impl Credit {
    /// One frame; if it is not known whether it went, none, and perhaps one.
    pub(super) const fn add(&mut self, went: Option<bool>) {
        match went {
            Some(went) => self.frames += went as u64,
            None => self.is_open = true,
        }
    }
}

/// Where it is noted which orders frames went for: here, and for those of other nodes in Redis.
pub(super) struct Booking {
    reclaims: Arc<Mutex<Reclaims>>,
    life: u64,
    names: Names,
    server: Option<Arc<Server>>,
}

impl Booking {
    pub(super) async fn book(self, credits: Credits) {
        let mut theirs = Pipeline::new();
        for (id, Credit { frames, is_open }) in credits {
            if id.life == self.life {
                let mut reclaims = self.reclaims.lock().unwrap_or_else(PoisonError::into_inner);
                reclaims.credit(id.count, frames);
                if is_open {
                    reclaims.blur(id.count);
                }
                continue;
            }
            let kept = limits::ORDER_MEMORY.as_millis();
            let name = self.names.order(&format!("swept:{id}"));
            theirs.cmd("INCRBY").arg(&name).arg(frames).ignore();
            theirs.cmd("PEXPIRE").arg(&name).arg(kept).ignore();
            if is_open {
                let name = self.names.order(&format!("open:{id}"));
                theirs.cmd("SET").arg(&name).arg(1).arg("PX").arg(kept).ignore();
            }
        }
        let server = self.server.filter(|_| !theirs.is_empty());
        if let Some(server) = server {
            // Who waits for it may hear a smaller count: the server that would tell is away.
            let _ = server.pipe::<()>(&theirs, limits::L2_BACKGROUND_DEADLINE).await;
        }
    }
}

impl Fleet {
    /// Takes an order as [`Fleet::give`] does; where sweeps must take out what it names, they are
    /// counted for it.
    pub fn give_counted(&self, order: &Order, now: Timestamp) -> u64 {
        if !order.deletes() || self.is_all_keys(order) {
            return self.give(order);
        }
        let order = Arc::new(order.clone());
        // Held until both are done: no sweep meets the one without the other.
        let mut reclaims = self.reclaiming();
        let count = self.give_event(Arc::clone(&order), String::new());
        reclaims.watch(count, order, now);
        count
    }

    /// Orders of this node whose frames are being counted, or were, the newest first.
    pub fn reclaims(&self) -> Vec<Reclaim> {
        self.reclaiming().all()
    }

    /// The one of this count.
    pub fn reclaim(&self, count: u64) -> Option<Reclaim> {
        self.reclaims().into_iter().find(|one| one.count == count)
    }

    /// The same, when its frames are counted; as far as they are, where that takes longer.
    pub async fn reclaimed(&self, count: u64, within: Duration) -> Option<Reclaim> {
        let until = Instant::now() + within;
        self.hurry.notify_one();
        loop {
            let swept = self.swept.notified();
            let one = self.reclaim(count)?;
            if !one.is_open() || timeout_at(until, swept).await.is_err() {
                return Some(one);
            }
        }
    }

    pub(super) fn reclaiming(&self) -> MutexGuard<'_, Reclaims> {
        self.reclaims.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An order of another node, before this one judges frames by it.
    pub(super) fn hear_wide(&self, record: &Record) {
        let is_wide = record.order.deletes() && !self.is_all_keys(&record.order);
        if record.id.life != 0 && is_wide {
            let now = self.steady_ms();
            self.reclaiming().hear(record.id, record.number, &record.order, now);
        }
    }

    /// Tells the others up to which of their orders this node can count nothing any more.
    pub(super) async fn tell_forgotten(&self) {
        let Some(number) = self.reclaiming().forgotten() else { return };
        let name = self.names.order("forgotten");
        let (life, _) = self.said();
        let mut say = Pipeline::with_capacity(2);
        say.cmd("HSET").arg(&name).arg(&life).arg(number.to_string()).ignore();
        say.cmd("PEXPIRE").arg(&name).arg(limits::ORDER_MEMORY.as_millis()).ignore();
        let told = match self.head_server() {
            Ok(server) => server.pipe::<()>(&say, limits::L2_BACKGROUND_DEADLINE).await,
            Err(fault) => Err(fault),
        };
        if told.is_err() {
            self.reclaiming().is_untold();
        }
    }

    /// The orders that a frame goes for.
    pub(super) fn claims(&self, facts: &Facts<'_>, number: Number) -> Vec<OrderId> {
        let life = self.member().life();
        self.reclaiming().claims(life, facts, number)
    }

    /// A frame took the place of one that begins so, which may have gone for orders that no sweep
    /// has come by for yet: for those that name it by the labels which it had.
    pub(super) async fn credit_replaced(&self, key: &Key, beginning: &[u8]) {
        if beginning.is_empty() {
            return;
        }
        let Ok(outline) = frame::outline(beginning) else {
            return self.reclaiming().blur_all();
        };
        let tags = tags_of(&outline);
        let claims = self.claims(&facts_of(key, &outline, &tags), outline.number);
        self.credit(each(claims, Some(true))).await;
    }

    /// Books frames that went.
    pub(super) async fn credit(&self, credits: Credits) {
        if !credits.is_empty() {
            self.booking().book(credits).await;
        }
    }

    /// What books, where this call may end before.
    pub(super) fn booking(&self) -> Booking {
        Booking {
            reclaims: Arc::clone(&self.reclaims),
            life: self.member().life(),
            names: self.names.clone(),
            server: self.head_server().ok(),
        }
    }

    /// A sweep has ended on every server: the orders that it began behind are told how much went.
    pub(super) async fn end_reclaims(
        &self,
        counts: &[u64],
        effects: &dyn Effects,
    ) -> Result<(), TierFault> {
        let (life, server) = (self.member().life(), self.head_server()?);
        let mut ask = redis::cmd("HGETALL");
        ask.arg(self.names.order("forgotten"));
        let forgotten: Value = server.call(&ask, limits::L2_BACKGROUND_DEADLINE).await?;
        let numbers = fields(&forgotten).into_iter().filter_map(|(_, said)| said.parse().ok());
        if let Some(number) = numbers.max() {
            self.reclaiming().blur_up_to(number);
        }
        for count in counts {
            let id = OrderId { life, count: *count };
            let name = self.names.order(&format!("swept:{id}"));
            let open = self.names.order(&format!("open:{id}"));
            let mut take = Pipeline::with_capacity(4);
            take.cmd("GET").arg(&name);
            take.cmd("GET").arg(&open);
            take.cmd("UNLINK").arg(&name).ignore();
            take.cmd("UNLINK").arg(&open).ignore();
            let (others, is_open): (Option<u64>, Option<u64>) =
                server.pipe(&take, limits::L2_BACKGROUND_DEADLINE).await?;
            let mut reclaims = self.reclaiming();
            if is_open.is_some() {
                reclaims.blur(*count);
            }
            reclaims.end(*count, others.unwrap_or_default(), effects.now());
        }
        self.swept.notify_waiters();
        Ok(())
    }

    /// Another node may sweep now.
    pub(super) async fn give_broom(&self) {
        let (life, _) = self.said();
        let name = self.names.order("broom");
        let args: [&[u8]; 3] = [life.as_bytes(), b"", b""];
        if let Ok(server) = self.head_server() {
            let patience = limits::L2_BACKGROUND_DEADLINE;
            // Where that does not arrive, it expires.
            let _ = server.script::<Value>(&scripts::RELEASE, &[&name], &args, patience).await;
        }
    }
}

/// One frame for each of these orders, if it went.
pub(super) fn each(claims: Vec<OrderId>, went: Option<bool>) -> Credits {
    let mut credits = Credits::new();
    for id in claims {
        credits.entry(id).or_default().add(went);
    }
    credits
}
