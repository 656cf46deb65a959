//! What stands open: orders that a node is to give for a write that is under way, and those whose
//! keys are being erased. If the node dies, another one does it.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::follow::fields;
use super::{Effects, Fleet, lives};
use crate::base::limits;
use crate::base::tasks;
use crate::base::units::Span;
use crate::entry::order::Order;
use crate::store::coherence::{OrderId, decode_order, encode_order};
use crate::store::redis::fault::TierFault;
use crate::store::redis::scripts;
use crate::store::redis::server::Server;

/// An order of this node that is noted before its write is sent: if the node dies, another carries
/// it out.
#[derive(Debug)]
pub struct Intent {
    name: String,
    left: Arc<Left>,
    is_ordered: bool,
}

/// Notes of this node whose writes are over, and that stand in Redis all the same: whether what
/// they name has been ordered.
#[derive(Debug, Default)]
pub(super) struct Left(Mutex<HashMap<String, (bool, Instant)>>);

impl Left {
    fn all(&self) -> MutexGuard<'_, HashMap<String, (bool, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, name: String, is_ordered: bool) {
        self.all().insert(name, (is_ordered, Instant::now()));
    }

    /// What does not stand in Redis, and cannot come to stand there any more, is forgotten.
    fn only(&self, standing: &HashSet<&str>) {
        let kept = limits::NOTES_LEFT_FOR.to_duration();
        self.all().retain(|name, (_, at)| standing.contains(name.as_str()) || at.elapsed() < kept);
    }
}

impl Drop for Intent {
    fn drop(&mut self) {
        // The write was cut off in the middle, and nobody knows its outcome.
        if !self.is_ordered {
            self.left.add(std::mem::take(&mut self.name), false);
        }
    }
}

impl Fleet {
    /// What members do for each other now and then: orders that a dead node left open are carried
    /// out, and who has been silent for long is a member no more.
    pub(super) async fn tend_fleet(&self, effects: &dyn Effects) {
        let (life, _) = self.said();
        let silent = limits::MEMBER_SILENT_MAX.as_millis().to_string();
        let args: [&[u8]; 2] = [silent.as_bytes(), life.as_bytes()];
        let keys = ["head", "log", "fences", "members", "expect", "done"];
        // Another time will do as well.
        let _ = self.order_script(&scripts::LEAVE, &keys, &args, limits::POLL_DEADLINE).await;
        let _ = self.take_over(effects).await;
        self.tell_forgotten().await;
    }

    /// Carries out what stands open for longer than its node should have needed.
    async fn take_over(&self, effects: &dyn Effects) -> Result<(), TierFault> {
        let server = self.head_server()?;
        let mut all = redis::cmd("HGETALL");
        all.arg(self.names.order("open"));
        let open: redis::Value = server.call(&all, limits::L2_BACKGROUND_DEADLINE).await?;
        let now = self.redis_now_ms(effects);
        let members = lives(&self.member());
        let (own, _) = self.said();
        let mut beats = redis::cmd("HGETALL");
        beats.arg(self.names.order("members"));
        let beats: redis::Value = server.call(&beats, limits::L2_BACKGROUND_DEADLINE).await?;
        let alive = |(life, said): (String, String)| {
            let at: u64 = said.rsplit(' ').next()?.parse().ok()?;
            (at.saturating_add(limits::INTENT_PATIENCE.as_millis()) > now).then_some(life)
        };
        let alive: HashSet<String> = fields(&beats).into_iter().filter_map(alive).collect();
        // One does it for all, and others after it only if it is dead as well.
        let rank = members.iter().position(|one| *one == own).unwrap_or(members.len());
        let patience = limits::TAKE_OVER_STEP.as_millis().saturating_mul(rank as u64);
        let open = fields(&open);
        self.left.only(&open.iter().map(|(name, _)| name.as_str()).collect());
        for (name, said) in open {
            let Some((due, order)) = said.split_once(' ') else { continue };
            let due: u64 = due.parse().unwrap_or_default();
            let Some(order) = decode_order(order.as_bytes()) else { continue };
            let owner = name.trim_start_matches("i:").split('-').next().unwrap_or_default();
            let is_note = name.starts_with("i:");
            let left = self.left.all().get(&name).map(|(is_ordered, _)| *is_ordered);
            let overdue = if is_note && owner == own {
                left == Some(false) && now > due
            } else if due > 0 {
                // A write may take longer than its node thought; as long as that lives, it knows.
                now > due.saturating_add(patience) && !alive.contains(owner)
            } else {
                rank == 0 && !members.iter().any(|one| one == owner)
            };
            if due == 0 && owner == own {
                // Some of its keys could not be reached.
                if let Ok(id) = name.parse::<OrderId>() {
                    let number = self.member().number_of(id);
                    let again = [(id, Arc::new(order), number)];
                    self.erase(&again, limits::L2_BACKGROUND_DEADLINE).await;
                }
            } else if left == Some(true) {
                self.forget_note(&server, &name).await?;
            } else if overdue {
                let count = self.give(&order);
                effects.carry_out(&order, "fleet");
                if self.settled(count, None).await.level < super::Level::Shared {
                    return Err(TierFault::Deadline);
                }
                self.forget_note(&server, &name).await?;
            }
        }
        Ok(())
    }

    async fn forget_note(&self, server: &Server, name: &str) -> Result<(), TierFault> {
        let mut delete = redis::cmd("HDEL");
        delete.arg(self.names.order("open")).arg(name);
        server.call::<redis::Value>(&delete, limits::L2_BACKGROUND_DEADLINE).await?;
        self.left.all().remove(name);
        Ok(())
    }

    /// Notes what a write may change, and until when it should have been ordered. The write is sent
    /// after that: should this node die then, another orders what it changed. It waits for the note
    /// no longer than for any other call; without one the order is this node's alone.
    pub async fn intend(
        &self,
        order: &Order,
        patience: Span,
        effects: &dyn Effects,
    ) -> Option<Intent> {
        let server = self.head_server().ok().filter(|server| server.is_up())?;
        let token = self.tokens.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let life = self.member().life();
        let name = format!("i:{life:016x}-{token}");
        let mut note = redis::cmd("HSET");
        let due = self.redis_now_ms(effects).saturating_add(patience.as_millis());
        let mut said = format!("{due} ").into_bytes();
        said.extend(encode_order(order));
        note.arg(self.names.order("open")).arg(&name).arg(said);
        // One that was not answered may have been taken all the same.
        let _ = server.call::<redis::Value>(&note, self.config.budget).await;
        Some(Intent { name, left: Arc::clone(&self.left), is_ordered: false })
    }

    /// The write has been answered, and what it changed is ordered.
    pub fn fulfil(&self, mut intent: Intent) {
        intent.is_ordered = true;
        let (name, left) = (std::mem::take(&mut intent.name), Arc::clone(&self.left));
        let Ok(server) = self.head_server() else {
            left.add(name, true);
            return;
        };
        let mut delete = redis::cmd("HDEL");
        delete.arg(self.names.order("open")).arg(&name);
        tasks::tend(async move {
            let gone = server.call::<redis::Value>(&delete, limits::L2_BACKGROUND_DEADLINE).await;
            // What stays is taken out when this node looks what stands open.
            if gone.is_err() {
                left.add(name, true);
            }
        });
    }
}
