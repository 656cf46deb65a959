//! What an order would take from the memory of other nodes: asked with a message, and told as an
//! order is confirmed. Nothing changes anywhere, and who does not tell in time is not counted.

use std::sync::Weak;
use std::sync::atomic::Ordering;

use tokio::time::Instant;

use super::Fleet;
use crate::base::limits;
use crate::base::tasks;
use crate::entry::order::Order;
use crate::store::coherence::{OrderId, decode_order, encode_order};
use crate::store::gone::Gone;

/// Where the counts of tries begin: no node gives so many orders.
const TRIES: u64 = 1 << 63;

impl Fleet {
    /// What the order would take from L1 of each other member, by their lives; nothing of who has
    /// not told in time.
    pub async fn tried_by_others(&self, order: &Order) -> Vec<(u64, Option<Gone>)> {
        let (own, others) = {
            let member = self.member();
            let others: Vec<u64> = member.known().filter(|life| *life != member.life()).collect();
            (member.life(), others)
        };
        if others.is_empty() {
            return Vec::new();
        }
        let count = TRIES | self.tokens.fetch_add(1, Ordering::Relaxed);
        let until = Instant::now() + limits::TRIED_WITHIN.to_duration();
        let one = self.confirmations.begin(count);
        let mut said = format!("{} ", OrderId { life: own, count }).into_bytes();
        said.extend(encode_order(order));
        let mut publish = redis::cmd("PUBLISH");
        publish.arg(self.names.channel("tries")).arg(said);
        let asked = match self.head_server() {
            Ok(server) => server.call::<redis::Value>(&publish, self.config.purge_budget).await,
            Err(fault) => Err(fault),
        };
        if asked.is_ok() {
            self.confirmations.all_said(&one, &others, until).await;
        }
        let mut told = one.told().lives;
        others.into_iter().map(|life| (life, told.remove(&life).flatten())).collect()
    }

    /// Another node tries an order. It is counted beside this thread, and for one at a time.
    pub(super) fn hear_try(&self, said: &[u8]) {
        let Some(space) = said.iter().position(|byte| *byte == b' ') else { return };
        let (id, order) = said.split_at(space);
        let id = std::str::from_utf8(id).ok().and_then(|id| id.parse::<OrderId>().ok());
        let (Some(id), Some(order)) = (id, order.get(1..).and_then(decode_order)) else { return };
        let own = self.member().life();
        let (Some(effects), Ok(server)) =
            (self.effects.get().and_then(Weak::upgrade), self.head_server())
        else {
            return;
        };
        if id.life == own {
            return;
        }
        let Ok(turn) = self.confirmations.counting() else { return };
        let channel = self.names.channel("heard");
        tasks::tend(async move {
            let Some(gone) = tasks::aside(move || effects.count(&order)).await else { return };
            drop(turn);
            let mut publish = redis::cmd("PUBLISH");
            publish.arg(channel).arg(format!("{own:016x} {id} {}", gone.to_text()).trim_end());
            // Who is not told says so.
            let _ = server.call::<redis::Value>(&publish, limits::L2_BACKGROUND_DEADLINE).await;
        });
    }
}
