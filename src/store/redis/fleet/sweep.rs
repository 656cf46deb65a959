//! Behind orders that name more than keys: their frames are refused from the moment of the order,
//! and here they are taken out of memory, a few at a time, by one node for all. Redis is never held
//! up: each step asks little, and between steps it has four times as long for others.

use std::collections::HashMap;
use std::sync::Arc;

use redis::{Pipeline, Value};
use tokio::time::{Instant, sleep, timeout};

use super::reclaim::Credits;
use super::reply::{array, bytes, text};
use super::{Effects, Fleet, News};
use crate::base::ids::Number;
use crate::base::limits;
use crate::entry::Key;
use crate::entry::frame::{self, Outline};
use crate::entry::order::{Mode, Order};
use crate::store::coherence::{OrderId, Verdict, decode_order};
use crate::store::fence::Facts;
use crate::store::redis::fault::TierFault;
use crate::store::redis::script::ScriptCall;
use crate::store::redis::scripts;
use crate::store::redis::server::Server;

/// What of each frame is read: enough for its labels, as a rule.
const BEGINNING: usize = 1_024;

/// Fences, with their numbers and when this node saw them first.
type Fences = HashMap<Vec<u8>, (Number, u64)>;

#[derive(Default)]
struct Swept {
    seen: u64,
    gone: u64,
}

impl Fleet {
    pub(super) async fn sweep_behind(&self, effects: &dyn Effects) {
        let mut known = Fences::new();
        loop {
            let waits = self.reclaiming().is_pending();
            let every = if waits { limits::RECLAIM_RETRY } else { limits::SWEEP_EVERY };
            let asked = timeout(every.to_duration(), self.sweep.notified()).await.is_ok();
            if asked {
                // Orders come in bursts. Where somebody waits for its count it begins at once.
                let _ = timeout(limits::SWEEP_PAUSE.to_duration(), self.hurry.notified()).await;
            }
            // What fails is tried again when the next order comes, or by the clock.
            let _ = self.sweep_once(&mut known, effects).await;
            self.reclaiming().give_up(effects.now());
        }
    }

    async fn sweep_once(&self, known: &mut Fences, effects: &dyn Effects) -> Result<(), TierFault> {
        self.expire_softs(effects);
        self.note_fences(known).await?;
        let waits = self.reclaiming().is_pending();
        if (known.is_empty() && !waits) || !self.take_broom().await? {
            return Ok(());
        }
        let swept = self.sweep_all(known, effects).await;
        self.give_broom().await;
        swept
    }

    /// Sweeps every server, and says what is over with that.
    async fn sweep_all(&self, known: &mut Fences, effects: &dyn Effects) -> Result<(), TierFault> {
        let counted = self.reclaiming().begin();
        let (began, began_ms) = (Instant::now(), self.steady_ms());
        let history = self.history();
        let mut swept = Swept::default();
        let mut whole = true;
        for server in self.servers.masters() {
            whole &= self.sweep_server(&server, &mut swept).await.is_ok();
        }
        if whole {
            self.end_reclaims(&counted, effects).await?;
            self.retire(known, began_ms, &history).await?;
        }
        if swept.gone > 0 {
            let ms = began.elapsed().as_millis() as u64;
            effects.tell(&News::Swept { seen: swept.seen, gone: swept.gone, ms });
        }
        Ok(())
    }

    /// The fences there are. When one was raised nobody knows here; since when it is seen will do.
    async fn note_fences(&self, known: &mut Fences) -> Result<(), TierFault> {
        let now = self.steady_ms();
        let mut all = Fences::new();
        self.each_fence(|name, at| {
            // One that is soft still has frames behind it that no sweep takes.
            let is_soft = decode_order(name).is_some_and(|order| self.is_soft(&order));
            let since = known.get(name).filter(|(was, _)| *was == at && !is_soft);
            all.insert(name.to_vec(), (at, since.map_or(now, |(_, since)| *since)));
        })
        .await?;
        *known = all;
        Ok(())
    }

    fn is_soft(&self, order: &Order) -> bool {
        matches!(order.mode, Mode::Soft(soft) if self.member().soft_order(soft.id).is_some())
    }

    /// One node sweeps for all. Who dies at it is followed by another when the broom has expired.
    async fn take_broom(&self) -> Result<bool, TierFault> {
        let (life, _) = self.said();
        let name = self.names.order("broom");
        let mut take = redis::cmd("SET");
        take.arg(&name).arg(&life).arg("NX").arg("PX").arg(limits::BROOM_FOR.as_millis());
        let server = self.head_server()?;
        let taken: Option<String> = server.call(&take, limits::L2_BACKGROUND_DEADLINE).await?;
        if taken.is_some() {
            return Ok(true);
        }
        let (mut who, mut left) = (redis::cmd("GET"), redis::cmd("PTTL"));
        who.arg(&name);
        left.arg(&name);
        let who = server.call::<Option<String>>(&who, limits::L2_BACKGROUND_DEADLINE).await;
        let left: i64 = server.call(&left, limits::L2_BACKGROUND_DEADLINE).await?;
        let ends = u64::try_from(left).is_ok_and(|left| left <= limits::BROOM_FOR.as_millis());
        match who {
            Err(fault) if fault.code() != Some("WRONGTYPE") => return Err(fault),
            Ok(who) if ends || left == -2 || who.is_none() => {
                return Ok(who.as_deref() == Some(&life));
            }
            // No node holds it so, and nobody would ever give it back: the next look takes it.
            _ => {}
        }
        let mut heal = redis::cmd("UNLINK");
        heal.arg(&name);
        server.call::<Value>(&heal, limits::L2_BACKGROUND_DEADLINE).await?;
        Ok(false)
    }

    async fn keep_broom(&self) {
        let mut keep = redis::cmd("PEXPIRE");
        keep.arg(self.names.order("broom")).arg(limits::BROOM_FOR.as_millis());
        if let Ok(server) = self.head_server() {
            // Without it another node begins as well, which costs time and harms nobody.
            let _ = server.call::<Value>(&keep, limits::L2_BACKGROUND_DEADLINE).await;
        }
    }

    async fn sweep_server(&self, server: &Arc<Server>, swept: &mut Swept) -> Result<(), TierFault> {
        let mut cursor = "0".to_owned();
        let mut kept = Instant::now();
        loop {
            let began = Instant::now();
            let (next, names) = self.scan(server, &cursor).await?;
            if !names.is_empty() {
                swept.seen += names.len() as u64;
                let names: Vec<&[u8]> = names.iter().map(Vec::as_slice).collect();
                swept.gone += self.sweep_some(server, &names).await?;
            }
            cursor = next;
            if cursor == "0" {
                return Ok(());
            }
            if kept.elapsed() >= limits::BROOM_FOR.to_duration() / 4 {
                kept = Instant::now();
                self.keep_broom().await;
            }
            sleep(began.elapsed() * 4).await;
        }
    }

    /// One step through a server's frames: where the next one begins, `0` for nowhere, and names.
    pub(super) async fn scan(
        &self,
        server: &Server,
        cursor: &str,
    ) -> Result<(String, Vec<Vec<u8>>), TierFault> {
        let mut scan = redis::cmd("SCAN");
        scan.arg(cursor).arg("MATCH").arg(self.names.all_frames());
        scan.arg("COUNT").arg(limits::SWEEP_STEP);
        let reply: Value = server.call(&scan, limits::L2_BACKGROUND_DEADLINE).await?;
        let parts = array(&reply).unwrap_or_default();
        let names = parts.get(1).and_then(array).unwrap_or_default().iter().filter_map(bytes);
        let next = parts.first().and_then(text).unwrap_or("0").to_owned();
        Ok((next, names.map(<[u8]>::to_vec).collect()))
    }

    /// Takes those of some frames out that orders have named.
    async fn sweep_some(&self, server: &Server, names: &[&[u8]]) -> Result<u64, TierFault> {
        let mut get = Pipeline::with_capacity(names.len());
        for name in names {
            get.cmd("GETRANGE").arg(*name).arg(0).arg(BEGINNING - 1);
        }
        let beginnings: Vec<Vec<u8>> = server.pipe(&get, limits::L2_BACKGROUND_DEADLINE).await?;
        let mut gone: Vec<(&[u8], Vec<u8>, Vec<OrderId>)> = Vec::new();
        for (name, beginning) in names.iter().zip(beginnings) {
            if let Some(claims) = self.named_by(server, name, &beginning).await? {
                let upto = beginning.len().min(24);
                gone.push((name, beginning.get(..upto).unwrap_or_default().to_vec(), claims));
            }
        }
        let keys: Vec<[&[u8]; 1]> = gone.iter().map(|(name, ..)| [*name]).collect();
        let args: Vec<[&[u8]; 1]> = gone.iter().map(|(_, begins, _)| [begins.as_slice()]).collect();
        let calls: Vec<ScriptCall<'_>> = keys
            .iter()
            .zip(&args)
            .map(|(keys, args)| ScriptCall { script: &scripts::UNLINK, keys, args })
            .collect();
        let outcomes = server.scripts(&calls, limits::L2_BACKGROUND_DEADLINE).await;
        drop(calls);
        let mut credits = Credits::new();
        let mut taken = 0;
        for (at, (.., claims)) in gone.iter().enumerate() {
            // What was asked for and not answered may have been done all the same.
            let said = outcomes.as_ref().ok().and_then(|all| all.get(at)?.as_ref().ok());
            let went = said.map(|said| *said == Value::Int(1));
            taken += u64::from(went == Some(true));
            for id in claims {
                credits.entry(*id).or_default().add(went);
            }
        }
        self.credit(credits).await;
        outcomes.map(|_| taken)
    }

    /// Which of the orders that are counted for name the frame that begins so, if any order does.
    async fn named_by(
        &self,
        server: &Server,
        name: &[u8],
        beginning: &[u8],
    ) -> Result<Option<Vec<OrderId>>, TierFault> {
        if beginning.is_empty() {
            return Ok(None);
        }
        let Some(identity) = self.names.identity(name) else { return Ok(None) };
        let whole;
        let mut beginning = beginning;
        match frame::outline_bytes(beginning) {
            Ok(needed) if needed > beginning.len() => {
                let mut get = redis::cmd("GETRANGE");
                get.arg(name).arg(0).arg(needed);
                whole = server.call::<Vec<u8>>(&get, limits::L2_BACKGROUND_DEADLINE).await?;
                beginning = &whole;
            }
            Ok(_) => {}
            // A newer cistern's frame is none of this one's business.
            Err(_) => return Ok(None),
        }
        let Ok(outline) = frame::outline(beginning) else { return Ok(None) };
        let key = Key::of_identity(&identity);
        let tags = tags_of(&outline);
        let facts = facts_of(&key, &outline, &tags);
        let purged = self.names_facts(&facts, outline.number);
        Ok(purged.then(|| self.claims(&facts, outline.number)))
    }

    /// Whether an order names the frame of these labels.
    pub(super) fn is_purged(&self, key: &Key, outline: &Outline<'_>) -> bool {
        let tags = tags_of(outline);
        self.names_facts(&facts_of(key, outline, &tags), outline.number)
    }

    fn names_facts(&self, facts: &Facts<'_>, number: Number) -> bool {
        self.member().judge(facts, number, true) == Verdict::Purged
    }

    /// Fences that were there long before a sweep began which has ended: no frame is behind them,
    /// and none can come.
    async fn retire(
        &self,
        known: &mut Fences,
        began_ms: u64,
        (turn, beginning): &(String, String),
    ) -> Result<(), TierFault> {
        let memory = limits::ORDER_MEMORY.as_millis();
        let mut over: Vec<(Vec<u8>, Number)> = known
            .iter()
            .filter(|(_, (_, since))| since.saturating_add(memory) < began_ms)
            .map(|(name, (at, _))| (name.clone(), *at))
            .collect();
        // A soft order that was undone goes before what tells of that.
        over.sort_by_key(|(name, _)| {
            decode_order(name).is_some_and(|order| matches!(order.mode, Mode::Undo(_)))
        });
        for some in over.chunks(limits::ORDERS_PER_BATCH) {
            let ids: Vec<String> = some.iter().map(|(_, at)| at.to_string()).collect();
            let mut args: Vec<&[u8]> = vec![turn.as_bytes(), beginning.as_bytes()];
            for ((name, _), id) in some.iter().zip(&ids) {
                args.extend([name.as_slice(), id.as_bytes()]);
            }
            let deadline = limits::L2_BACKGROUND_DEADLINE;
            self.order_script(&scripts::RETIRE, &["head", "log", "fences"], &args, deadline)
                .await?;
            for (name, _) in some {
                known.remove(name);
            }
        }
        Ok(())
    }
}

/// The tags of a frame of these labels.
pub(super) fn tags_of(outline: &Outline<'_>) -> Vec<Arc<str>> {
    outline.tags.iter().map(|tag| Arc::from(*tag)).collect()
}

/// What orders could name a frame of these labels by.
pub(super) fn facts_of<'a>(key: &'a Key, outline: &Outline<'a>, tags: &'a [Arc<str>]) -> Facts<'a> {
    Facts {
        key: key.text(),
        target: outline.target.unwrap_or_else(|| key.text()),
        tags,
        is_open: false,
        kind: outline.kind,
        rule: outline.rule.unwrap_or_default(),
    }
}
