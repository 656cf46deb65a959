//! Following the log: by the poll of every fifth of a second, by the head that comes with each
//! look, and by messages, which only make it faster. Trust is renewed by the poll alone, and from
//! the moment it was sent.

use std::sync::Weak;
use std::sync::atomic::Ordering;

use redis::Value;
use tokio::time::{Instant, timeout};

use super::reply::{Head, Heading, array, bytes, number, pairs, text};
use super::{Effects, Fleet, News};
use crate::base::ids::Number;
use crate::base::limits;
use crate::base::tasks;
use crate::base::units::Span;
use crate::entry::order::{Order, Selector};
use crate::store::coherence::{Gap, OrderId, Record, decode_order};
use crate::store::gone::Gone;
use crate::store::redis::fault::TierFault;
use crate::store::redis::scripts;

/// What is asked for beside the head, or said to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beside {
    /// Nothing.
    Nothing,
    /// Who the members are.
    Members,
    /// The same, and that this one is alive: a write, which the poll alone makes.
    Heartbeat,
}

impl Beside {
    /// The word that the script knows.
    pub(super) const fn word(self) -> &'static [u8] {
        match self {
            Self::Nothing => b"",
            Self::Members => b"members",
            Self::Heartbeat => b"beat",
        }
    }
}

impl Fleet {
    /// Asks the head over and over, and mends what is not as it should be.
    pub(super) async fn follow(&self, effects: &dyn Effects) {
        let mut unsettled_since: Option<Instant> = None;
        let mut tended = Instant::now();
        let mut trusted = false;
        loop {
            match self.poll(effects).await {
                Ok(Some(heading)) if heading.clean => {
                    unsettled_since = None;
                    self.flush.notify_one();
                }
                Ok(Some(_)) => {
                    self.flush.notify_one();
                    let since = *unsettled_since.get_or_insert_with(Instant::now);
                    if since.elapsed() >= limits::SETTLE_PATIENCE.to_duration()
                        && self.settle(effects).await.is_ok()
                    {
                        unsettled_since = None;
                    }
                }
                Ok(None) => {
                    // It did not belong to the fleet a moment ago: once more, at once.
                    let _ = self.poll(effects).await.map(|_| self.flush.notify_one());
                }
                // A server that answers and refuses is not down: nobody else would tell.
                Err(TierFault::Refused(why)) => {
                    self.stats.tell_refusal(&why, self.steady_ms(), |why| {
                        effects.tell(&News::Refused { why });
                    });
                }
                Err(_) => {}
            }
            let was_trusted = std::mem::replace(&mut trusted, self.is_trusted());
            if was_trusted && !trusted {
                self.stats.untrusted.count();
                effects.tell(&News::Untrusted);
            }
            self.submit_due_events(effects);
            self.expire_softs(effects);
            if tended.elapsed() >= limits::FLEET_TENDED_EVERY.to_duration() {
                tended = Instant::now();
                self.tend_fleet(effects).await;
            }
            let _ = timeout(limits::POLL_EVERY.to_duration(), self.mend.notified()).await;
        }
    }

    fn is_trusted(&self) -> bool {
        self.trust.is_current(self.steady_ms())
    }

    /// One question to the head. `None`: this node has just joined, or tried to.
    async fn poll(&self, effects: &dyn Effects) -> Result<Option<Heading>, TierFault> {
        let unsound = self.unsound_servers();
        let sent_ms = self.steady_ms();
        if self.doubt.load(Ordering::Relaxed) {
            self.adopt(effects).await?;
        }
        let head = self.ask_head(Beside::Heartbeat, limits::POLL_DEADLINE).await?;
        if let Head::Known(heading) | Head::Stranger(heading) = &head {
            let took = self.steady_ms().saturating_sub(sent_ms);
            // Read after the answer: a clock that was set meanwhile counts as it stands.
            self.set_skew(heading, effects.now().as_millis().saturating_sub(took / 2));
        }
        match head {
            Head::Known(heading) | Head::Stranger(heading)
                if heading.turn < self.member().turn_seen() =>
            {
                // Another machine with another clock: its numbers would be taken for old ones.
                self.adopt(effects).await?;
                Ok(None)
            }
            Head::Known(heading) if heading.turn == self.member().turn() => {
                self.catch_up(heading.last, limits::POLL_DEADLINE, effects).await?;
                if !self.member().has_reached(heading.turn, heading.last) {
                    // Between head and log the server changed.
                    return Ok(None);
                }
                if heading.clean {
                    self.trust.renew(sent_ms);
                    self.member().only(heading.members.iter().copied());
                    self.mend_servers(unsound).await;
                } else {
                    self.member().meet(heading.members.iter().copied());
                }
                Ok(Some(heading))
            }
            Head::Known(heading) | Head::Stranger(heading) => {
                self.join(&heading, effects).await?;
                Ok(None)
            }
            Head::Other => {
                self.leave_history(effects).await?;
                Ok(None)
            }
            Head::Unknown => {
                self.adopt(effects).await?;
                Ok(None)
            }
        }
    }

    /// The head, and who the members are.
    pub(super) async fn head_now(&self, deadline: Span) -> Result<Head, TierFault> {
        self.ask_head(Beside::Members, deadline).await
    }

    pub(super) async fn ask_head(&self, beside: Beside, deadline: Span) -> Result<Head, TierFault> {
        let (life, applied) = self.said();
        let (turn, began) = self.history();
        let args: [&[u8]; 5] =
            [life.as_bytes(), applied.as_bytes(), beside.word(), turn.as_bytes(), began.as_bytes()];
        let keys = ["head", "log", "fences", "members"];
        Head::read(&self.order_script(&scripts::HEAD, &keys, &args, deadline).await?)
    }

    fn set_skew(&self, heading: &Heading, own_ms: u64) {
        let skew = heading.now_ms.cast_signed().saturating_sub(own_ms.cast_signed());
        self.skew_ms.store(skew, Ordering::Relaxed);
    }

    /// The node's wall clock was set ahead by so many milliseconds, or back. Between this and the
    /// next poll frames would be read and written with times that far off.
    pub fn clock_moved(&self, by_ms: i64) {
        self.skew_ms.fetch_sub(by_ms, Ordering::Relaxed);
    }

    /// Applies everything up to a number. Who comes while it runs waits for it, and finds that it
    /// has been done.
    pub(super) async fn catch_up(
        &self,
        until: Number,
        deadline: Span,
        effects: &dyn Effects,
    ) -> Result<(), TierFault> {
        if self.member().applied() >= until {
            return Ok(());
        }
        let _one = self.catching.lock().await;
        loop {
            let from = self.member().applied();
            if from >= until {
                return Ok(());
            }
            let mut records = self.known_after(from, deadline).await?;
            let is_linked = records.first().is_some_and(|one| self.member().next(one).is_ok());
            if !is_linked {
                records = self.resync(from, deadline, effects).await?;
            }
            // What lies behind the head comes with the next one, or was put there by somebody else.
            // For what one was long away from nobody waits any more.
            let is_news = records.len() <= limits::CONFIRMED_AT_ONCE;
            for record in records.iter().filter(|one| one.number <= until) {
                self.apply(record, is_news, effects).await;
            }
            if self.member().applied() == from {
                // Of a server that this node has not checked in to, or damaged.
                self.is_in_doubt();
                return Err(TierFault::Unserved);
            }
        }
    }

    /// A record that is the next one has its effect here; another one has none. Of what is news its
    /// giver is told, whichever way it came.
    async fn apply(&self, record: &Record, is_news: bool, effects: &dyn Effects) {
        let mut gone = None;
        let next = self.member().next(record);
        let Ok(Some(foreign)) = next else { return };
        if !record.event.is_empty() {
            let until = self.steady_ms() + self.config.lag_max.as_millis();
            self.obligations().see(&record.event, until);
        }
        if foreign && !record.order.is_empty() {
            self.stats.heard.count();
            let is_undone = self.member().is_undone(&record.order);
            gone = Some(if is_undone {
                Gone::default()
            } else {
                self.carry_out(&self.by_own_clock(&record.order), effects).await
            });
        }
        if foreign {
            self.hear_wide(record);
        }
        let now = self.steady_ms();
        self.member().apply(record, now);
        if let Some(gone) = gone.filter(|_| is_news) {
            self.confirm(record.id, &gone);
        }
    }

    /// A record came as a message. Whether others are missing before it.
    pub(super) async fn hear(&self, record: &Record, effects: &dyn Effects) -> Result<(), Gap> {
        // Whoever holds it reads the log, and messages must not wait for that.
        let Ok(_one) = self.catching.try_lock() else { return Err(Gap) };
        // Anybody may publish. A turn begins in the log, never with a message.
        if record.number.turn() != self.member().turn() || !record.is_linked() {
            return Err(Gap);
        }
        self.member().next(record)?;
        self.apply(record, true, effects).await;
        Ok(())
    }

    /// An order that may name very many is carried out beside this thread, which has the
    /// connections of all others.
    async fn carry_out(&self, order: &Order, effects: &dyn Effects) -> Gone {
        let wide = |one: &Selector| !matches!(one, Selector::Key(_) | Selector::Url(_));
        let own = self.effects.get().and_then(Weak::upgrade);
        match own.filter(|_| order.selectors.iter().any(wide)) {
            Some(own) => {
                let order = order.clone();
                // A panic there would have been one here.
                tasks::aside(move || own.carry_out(&order, "fleet")).await.unwrap_or_default()
            }
            None => effects.carry_out(order, "fleet"),
        }
    }

    /// What was ordered after `from` is not known in full: nothing that stands in L1 is trusted,
    /// and fences are loaded anew. The log is read again after that: what it says then is what the
    /// same server says, or the gap shows again.
    async fn resync(
        &self,
        from: Number,
        deadline: Span,
        effects: &dyn Effects,
    ) -> Result<Vec<Record>, TierFault> {
        self.load_fences().await?;
        let records = self.known_after(from, deadline).await?;
        // After both: what was fetched before an order that they tell of is not trusted.
        effects.distrust();
        self.stats.gaps.count();
        effects.tell(&News::Gap { why: "the log does not reach back to what was heard" });
        if let Some(first) = records.first() {
            if first.previous >= first.number {
                self.is_in_doubt();
                return Err(TierFault::Unserved);
            }
            self.member().skip_to(first.previous);
        }
        Ok(records)
    }

    /// The server must say whether what it holds is whole, and a new turn begins if it is not.
    pub(super) fn is_in_doubt(&self) {
        self.doubt.store(true, Ordering::Relaxed);
        self.mend.notify_one();
    }

    /// Records that must be there. A log without them is not that of the server whose head told of
    /// them.
    async fn known_after(&self, from: Number, deadline: Span) -> Result<Vec<Record>, TierFault> {
        let records = self.records_after(Some(from), deadline).await?;
        if records.is_empty() {
            self.is_in_doubt();
            return Err(TierFault::Unserved);
        }
        Ok(records)
    }

    /// The fences that stand beside the log.
    pub(super) async fn load_fences(&self) -> Result<(), TierFault> {
        self.each_fence(|name, at| {
            if let Some(order) = decode_order(name) {
                self.member().learn_fence(&order, at);
            }
        })
        .await
    }

    /// Shows all fences, as they are named in Redis, with their numbers. One that is raised
    /// meanwhile may come with either number; then it stands in the log.
    pub(super) async fn each_fence(
        &self,
        mut show: impl FnMut(&[u8], Number),
    ) -> Result<(), TierFault> {
        let server = self.head_server()?;
        let mut cursor = "0".to_owned();
        loop {
            let mut scan = redis::cmd("HSCAN");
            scan.arg(self.names.order("fences")).arg(&cursor).arg("COUNT").arg(500);
            let reply: Value = server.call(&scan, limits::L2_BACKGROUND_DEADLINE).await?;
            let parts = array(&reply).unwrap_or_default();
            for pair in parts.get(1).and_then(array).unwrap_or_default().chunks(2) {
                let name = pair.first().and_then(bytes);
                if let Some((name, at)) = name.zip(pair.get(1).and_then(number)) {
                    show(name, at);
                }
            }
            parts.first().and_then(text).unwrap_or("0").clone_into(&mut cursor);
            if cursor == "0" {
                return Ok(());
            }
        }
    }

    /// The next records of the log after a number, or its first ones.
    pub(super) async fn records_after(
        &self,
        from: Option<Number>,
        deadline: Span,
    ) -> Result<Vec<Record>, TierFault> {
        let start = from.map_or_else(|| "-".to_owned(), |from| format!("({from}"));
        let mut range = redis::cmd("XRANGE");
        let page = self.page.load(Ordering::Relaxed);
        range.arg(self.names.order("log")).arg(start).arg("+").arg("COUNT").arg(page);
        let reply: Result<Value, TierFault> = self.head_server()?.call(&range, deadline).await;
        // Long records do not come in time a thousand at once.
        let next = if reply.is_ok() { page.saturating_mul(2) } else { page / 8 };
        self.page.store(next.clamp(1, limits::RECORDS_PER_PAGE), Ordering::Relaxed);
        let reply = reply?;
        let mut records = Vec::new();
        for item in array(&reply).unwrap_or_default() {
            let parts = array(item).unwrap_or_default();
            let at = parts.first().and_then(number);
            let record = at.zip(parts.get(1)).and_then(|(at, fields)| record(at, fields));
            // One that cannot be read may have named anything.
            let unread = at.map(|at| Record {
                number: at,
                previous: records
                    .last()
                    .map_or(from.unwrap_or_default(), |one: &Record| one.number),
                id: OrderId::default(),
                order: Order::of([Selector::All]),
                event: String::new(),
            });
            records.extend(record.or(unread));
        }
        Ok(records)
    }
}

fn record(number_of: Number, fields: &Value) -> Option<Record> {
    let raw = array(fields)?;
    let field = |name: &str| {
        raw.chunks(2)
            .find(|pair| pair.first().and_then(text) == Some(name))
            .and_then(|pair| pair.get(1))
    };
    let event = text(field("e")?)?.trim_matches('-').to_owned();
    Some(Record {
        number: number_of,
        previous: number(field("p")?)?,
        id: text(field("i")?)?.parse().ok()?,
        order: decode_order(bytes(field("s")?)?)?,
        event,
    })
}

/// The names and values of a hash, for who needs text.
pub(super) fn fields(value: &Value) -> Vec<(String, String)> {
    pairs(value)
}
