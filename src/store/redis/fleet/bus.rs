//! Messages: numbered orders, confirmations, leases that end, orders of other programs, and what
//! Redis lets go of. They make things fast, and no promise rests on them: what is lost here the
//! poll brings, or nobody needs it.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Weak};

use futures_util::Stream;
use redis::Msg;
use redis::aio::PubSub;
use tokio::time::{sleep, timeout};

use super::lease::ALONE;
use super::{Effects, Fleet, News};
use crate::base::ids::SoftId;
use crate::base::limits;
use crate::base::tasks;
use crate::entry::order::{Mode, Order, Selector, Soft};
use crate::store::coherence::{Due, OrderId, Record};
use crate::store::gone::Gone;
use crate::store::redis::fault::TierFault;
use crate::store::redis::server::Server;

/// A message of another program, as it is written.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Event {
    #[serde(default)]
    purge: Vec<String>,
    #[serde(default)]
    refresh: Vec<String>,
    #[serde(default)]
    soft: bool,
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    by: Option<String>,
}

/// Hears one server until its connection ends.
type Listening<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

impl Fleet {
    /// Hears the messages of the server that orders the fleet, over and over.
    pub(super) async fn listen(&self, effects: &Arc<dyn Effects>) {
        loop {
            // Whatever ended it, the poll knows what was missed.
            let _ = self.listen_once(effects.as_ref()).await;
            self.waits.wake_all();
            self.mend.notify_one();
            sleep(limits::LISTEN_PAUSE.to_duration()).await;
        }
    }

    async fn listen_once(&self, effects: &dyn Effects) -> Result<(), TierFault> {
        let mut ordering = self.head_server()?;
        let mut hears = ordering.pubsub().await?;
        let mut rules = self.events.subscribe();
        let channels = ["orders", "heard", "wake", "tries"].map(|what| self.names.channel(what));
        hears.subscribe(&channels[..]).await?;
        let events = rules.borrow_and_update().clone();
        if let Some(channel) = &events {
            hears.subscribe(channel).await?;
        }
        // What was said before this moment the poll brings.
        self.mend.notify_one();
        let [orders, heard, wake, tries] = &channels;
        loop {
            let message = tokio::select! {
                message = next(&mut hears) => message,
                _ = rules.changed() => return Ok(()),
                () = sleep(limits::LISTEN_CHECK.to_duration()) => {
                    // Another master may order the fleet by now.
                    let now = self.head_server()?;
                    if !Arc::ptr_eq(&now, &ordering) || !now.is_up() {
                        return Ok(());
                    }
                    ordering = now;
                    continue;
                }
            };
            let Some(message) = message else { return Ok(()) };
            let (channel, said) = (message.get_channel_name(), message.get_payload_bytes());
            if channel == orders {
                self.hear_order(said, effects).await;
            } else if channel == heard {
                self.hear_confirmation(said);
            } else if channel == tries {
                self.hear_try(said);
            } else if channel == wake {
                let text = std::str::from_utf8(said).unwrap_or_default();
                if let Some(name) = from_hex(text.trim_end_matches(ALONE)) {
                    self.waits.wake(name, text.ends_with(ALONE));
                }
            } else if Some(channel) == events.as_deref() {
                self.hear_event(said, effects).await;
            }
        }
    }

    async fn hear_order(&self, said: &[u8], effects: &dyn Effects) {
        let Ok(record) = Record::parse(said) else {
            // Whoever wrote it, the log says what was ordered.
            return self.mend.notify_one();
        };
        if self.hear(&record, effects).await.is_err() {
            self.mend.notify_one();
        }
    }

    /// Tells the giver of an order that it has been applied here, and what it took.
    pub(super) fn confirm(&self, id: OrderId, gone: &Gone) {
        let own = self.member().life();
        if id.life == own || id.life == 0 {
            return;
        }
        let Ok(server) = self.head_server() else { return };
        let mut publish = redis::cmd("PUBLISH");
        let said = format!("{own:016x} {id} {}", gone.to_text());
        publish.arg(self.names.channel("heard")).arg(said.trim_end());
        tasks::tend(async move {
            // Who is not told waits out the lag.
            let _ = server.call::<redis::Value>(&publish, limits::L2_BACKGROUND_DEADLINE).await;
        });
    }

    fn hear_confirmation(&self, said: &[u8]) {
        let mut parts = std::str::from_utf8(said).unwrap_or_default().splitn(3, ' ');
        let (Some(life), Some(id)) = (parts.next(), parts.next()) else { return };
        let (Some(life), Ok(id)) = (from_hex(life), id.parse::<OrderId>()) else { return };
        // `None` where it does not count: a node of an older version.
        let gone = parts.next().and_then(Gone::parse);
        if id.life == self.member().life() {
            self.confirmations.confirm(id.count, life, gone);
        }
    }

    /// Another program's order: it has its effect here at once, and one node puts it into the log.
    async fn hear_event(&self, said: &[u8], effects: &dyn Effects) {
        let digest = blake3::hash(said);
        let (order, anew) = match event(said) {
            Ok(Named { order, anew, soft }) => {
                // Every node that hears it calls the order alike.
                let id = digest.as_bytes().first_chunk().copied().unwrap_or_default();
                let named = Soft { id: SoftId(u64::from_le_bytes(id)), at: effects.now() };
                let mode = if soft { Mode::Soft(named) } else { Mode::Delete };
                (effects.with_followers(order.as_mode(mode)), anew)
            }
            Err(why) => {
                self.stats.bad_events.count();
                // Whoever writes nonsense may write it often, each time a little different.
                let kind: String = why.split('`').step_by(2).collect();
                let kind = kind.replace(|c: char| c.is_ascii_digit(), "");
                return self.stats.tell_now_and_then(&kind, self.steady_ms(), || {
                    effects.tell(&News::BadEvent { why });
                });
            }
        };
        let event = digest.to_hex().get(..32).unwrap_or_default().to_owned();
        let lowest = {
            let member = self.member();
            member.known().min() == Some(member.life())
        };
        let given = Arc::new(self.by_fleet_clock(&order));
        if lowest {
            // Its frames are refused first, and then it has its effect here: what was found in
            // between is gone as well.
            self.obligations().give(&event, self.steady_ms());
            self.give_event(given, event);
            return self.carry_out_anew(order, anew, effects).await;
        }
        self.carry_out_anew(order, anew, effects).await;
        let (now_ms, order) = (self.steady_ms(), given);
        let due = Due { event, order, at_ms: now_ms + self.config.lag_max.as_millis() };
        let overdue = self.obligations().hear(due, now_ms);
        if let Some(due) = overdue {
            self.submit(due, effects);
        }
    }

    /// What is to be fetched anew is looked for beside this thread.
    async fn carry_out_anew(&self, order: Order, anew: Vec<Selector>, effects: &dyn Effects) {
        let own = self.effects.get().and_then(Weak::upgrade);
        match own.filter(|_| !anew.is_empty()) {
            Some(own) => {
                // A panic there would have been one here.
                tasks::aside(move || own.carry_out_anew(&order, &anew, "event")).await;
            }
            None => effects.carry_out_anew(&order, &anew, "event"),
        }
    }

    /// Messages that nobody has put into the log in time.
    pub(super) fn submit_due_events(&self, effects: &dyn Effects) {
        let due = self.obligations().due(self.steady_ms());
        for due in due {
            self.submit(due, effects);
        }
    }

    /// Puts a program's order into the log as this node's own. Its frames are refused first, and
    /// then it has its effect here: what was found in between is gone as well.
    fn submit(&self, due: Due, effects: &dyn Effects) {
        self.give_event(Arc::clone(&due.order), due.event);
        effects.carry_out(&self.by_own_clock(&due.order), "event");
    }

    /// Hears from each master what it lets go of. Keyspace notifications do not travel between
    /// nodes of a cluster, so each has a connection.
    pub(super) async fn listen_to_keys(&self, effects: &dyn Effects) {
        let mut heard: Vec<(Arc<Server>, Listening<'_>)> = Vec::new();
        loop {
            let masters = self.servers.masters();
            heard.retain(|(server, _)| masters.iter().any(|one| Arc::ptr_eq(one, server)));
            for server in masters {
                if server.is_up() && !heard.iter().any(|(one, _)| Arc::ptr_eq(one, &server)) {
                    let listens = self.listen_to(Arc::clone(&server), effects);
                    heard.push((server, Box::pin(listens)));
                }
            }
            let ended = poll_fn(|context| {
                heard.retain_mut(|(_, one)| one.as_mut().poll(context).is_pending());
                std::task::Poll::<()>::Pending
            });
            let _ = timeout(limits::LISTEN_CHECK.to_duration(), ended).await;
        }
    }

    async fn listen_to(&self, server: Arc<Server>, effects: &dyn Effects) {
        let Ok(mut hears) = server.pubsub().await else { return };
        let db = self.config.db;
        let channels = ["expired", "evicted"].map(|what| format!("__keyevent@{db}__:{what}"));
        if hears.subscribe(&channels[..]).await.is_err() {
            return;
        }
        while let Some(message) = next(&mut hears).await {
            if let Some(identity) = self.names.identity(message.get_payload_bytes()) {
                self.stats.let_go.count();
                effects.let_go(&identity);
            }
        }
    }
}

async fn next(hears: &mut PubSub) -> Option<Msg> {
    let mut messages = hears.on_message();
    poll_fn(|context| Pin::new(&mut messages).poll_next(context)).await
}

pub(super) fn from_hex(text: &str) -> Option<u64> {
    u64::from_str_radix(text, 16).ok()
}

/// What a message names.
struct Named {
    /// All of it.
    order: Order,
    /// What of it is fetched anew.
    anew: Vec<Selector>,
    /// It is to be stale, and not to go.
    soft: bool,
}

/// Reads `{"purge": ["key:…", …], "refresh": […], "soft": false, "id": "…", "by": "…"}`.
fn event(said: &[u8]) -> Result<Named, String> {
    if said.len() > limits::EVENT_BYTES_MAX {
        return Err(format!("a message is at most {} bytes long", limits::EVENT_BYTES_MAX));
    }
    let event: Event = serde_json::from_slice(said).map_err(|error| {
        format!(r#"{error}; write {{"purge":["key:…"]}}, optionally with "id" and "by""#)
    })?;
    let long = |text: &Option<String>| text.as_ref().is_some_and(|text| text.len() > 256);
    if long(&event.id) || long(&event.by) {
        return Err("`id` and `by` are at most 256 bytes long".to_owned());
    }
    let Event { purge, refresh, soft, .. } = event;
    if purge.is_empty() && refresh.is_empty() {
        return Err("`purge` names nothing; everything is [\"all\"]".to_owned());
    }
    if soft && !refresh.is_empty() {
        return Err("`soft` and `refresh` exclude each other: say one of them".to_owned());
    }
    if purge.len() + refresh.len() > limits::SELECTORS_PER_ORDER_MAX {
        return Err(format!("`purge` has at most {} selectors", limits::SELECTORS_PER_ORDER_MAX));
    }
    let read = |texts: Vec<String>| texts.iter().map(|text| selector(text)).collect();
    let (purge, anew): (Result<Vec<_>, _>, Result<Vec<_>, _>) = (read(purge), read(refresh));
    let anew = anew?;
    let order = Order::of(purge?.into_iter().chain(anew.iter().cloned()));
    Ok(Named { order, anew, soft })
}

fn selector(text: &str) -> Result<Selector, String> {
    match Selector::parse(text) {
        Ok(Selector::Url(target)) if target.starts_with('/') => {
            Err(format!("`url:{target}` names no site; write https://shop.example{target}"))
        }
        other => other.map_err(|error| format!("`{text}`: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_followed_or_said_to_be_wrong() {
        let read = |said: &str| event(said.as_bytes()).map(|named| (named.order, named.anew));
        let (order, anew) =
            read(r#"{"purge":["key:status:1","tag:rut:*"],"by":"worker","id":"7"}"#).unwrap();
        assert_eq!((order.selectors.len(), anew.len()), (2, 0));
        let (order, anew) = read(r#"{"purge":["key:a"],"refresh":["key:a","key:b"]}"#).unwrap();
        assert_eq!((order.selectors.len(), anew.len()), (2, 2));
        assert!(event(br#"{"purge":["key:a"],"soft":true}"#).is_ok_and(|named| named.soft));
        for (wrong, why) in [
            (r#"{"purge":[]}"#, "names nothing"),
            (r#"{"purge":["tag:"]}"#, "names nothing"),
            (r#"{"purge":["a b"]}"#, "printable"),
            (r#"{"purge":["url:/a"]}"#, "names no site"),
            (r#"{"purge":"key:a"}"#, "write {"),
            (r#"{"refresh":["key:a"],"soft":true}"#, "exclude"),
            (r#"{"refrsh":["key:a"],"purge":["key:a"]}"#, "unknown field"),
            ("{}", "names nothing"),
            ("purge", "write {"),
            ("", "write {"),
        ] {
            let said = read(wrong).unwrap_err();
            assert!(said.contains(why), "{wrong}: {said}");
        }
        let long = format!(r#"{{"purge":["key:{}"]}}"#, "x".repeat(limits::EVENT_BYTES_MAX));
        assert!(read(&long).unwrap_err().contains("at most"));
    }
}
