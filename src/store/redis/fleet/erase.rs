//! The keys that orders name are taken out of their slots, and a tombstone is left there, so that
//! no put from before the order lands after it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use futures_util::future::join_all;
use redis::Value;
use tokio::time::Instant;

use super::Fleet;
use super::reclaim::Credits;
use super::reply::{array, bytes, hex, int};
use super::sweep::{facts_of, tags_of};
use crate::base::ids::Number;
use crate::base::limits;
use crate::base::tasks;
use crate::base::units::Span;
use crate::entry::order::{Order, Selector};
use crate::entry::{Key, frame};
use crate::store::coherence::OrderId;
use crate::store::gone::Gone;
use crate::store::redis::keys::{Names, Place};
use crate::store::redis::script::ScriptCall;
use crate::store::redis::scripts;
use crate::store::redis::server::Server;
use crate::store::redis::slot::Slot;

impl Fleet {
    /// Takes what orders name by key out of the slots of these keys, and leaves tombstones there.
    /// An order whose keys could not all be reached stays among the open ones. Of those whose keys
    /// were, what went.
    pub(super) async fn erase(
        &self,
        orders: &[(OrderId, Arc<Order>, Number)],
        deadline: Span,
    ) -> HashMap<OrderId, Gone> {
        let mut by_server: BTreeMap<usize, (Arc<Server>, Vec<Erasure>)> = BTreeMap::new();
        let mut unreached: HashSet<OrderId> = HashSet::new();
        // What is stale stays where it is.
        for (id, order, number) in orders.iter().filter(|(_, order, _)| order.deletes()) {
            for text in order.selectors.iter().filter_map(text_of) {
                let place = Place::of_text(text);
                let erasure = Erasure::new(&self.names, &place, *id, *number);
                match self.servers.master(Slot::of(&erasure.keys[0])) {
                    Ok(server) => {
                        let at = Arc::as_ptr(&server) as usize;
                        by_server.entry(at).or_insert((server, Vec::new())).1.push(erasure);
                    }
                    Err(_) => drop(unreached.insert(*id)),
                }
            }
        }
        // All servers at once: one that stands still costs the others nothing.
        let all = by_server
            .into_values()
            .map(async |(server, erasures)| self.erase_on(&server, erasures, deadline).await);
        let mut gone: HashMap<OrderId, Gone> =
            orders.iter().map(|(id, ..)| (*id, Gone::default())).collect();
        for outcome in join_all(all).await {
            unreached.extend(outcome.unreached);
            for (id, some) in outcome.gone {
                self.stats.erased.add(some.entries);
                gone.entry(id).or_default().join(some);
            }
        }
        gone.retain(|id, _| !unreached.contains(id));
        let done: Vec<OrderId> =
            orders.iter().map(|(id, ..)| *id).filter(|id| !unreached.contains(id)).collect();
        self.close(done);
        gone
    }

    /// Runs erasures on one server, all in a round trip, and again for those with more to take, for
    /// as long as `deadline`: what is left then is taken later, since its order stays open.
    async fn erase_on(
        &self,
        server: &Server,
        mut erasures: Vec<Erasure>,
        deadline: Span,
    ) -> Erased {
        let until = Instant::now() + deadline.to_duration();
        let mut erased = Erased::default();
        let mut credits = Credits::new();
        while !erasures.is_empty() {
            if Instant::now() >= until {
                erased.unreached.extend(erasures.iter().map(|one| one.id));
                break;
            }
            let keys: Vec<[&[u8]; 2]> = erasures
                .iter()
                .map(|one| [one.keys[0].as_slice(), one.keys[1].as_slice()])
                .collect();
            let args: Vec<Vec<&[u8]>> =
                erasures.iter().map(|one| one.args.iter().map(Vec::as_slice).collect()).collect();
            let calls: Vec<ScriptCall<'_>> = keys
                .iter()
                .zip(&args)
                .map(|(keys, args)| ScriptCall { script: &scripts::ERASE, keys, args })
                .collect();
            let outcomes = server.scripts(&calls, deadline).await;
            drop(calls);
            let outcomes = outcomes.unwrap_or_default();
            let mut more = vec![false; erasures.len()];
            for (at, erasure) in erasures.iter().enumerate() {
                match outcomes.get(at) {
                    Some(Ok(reply)) => {
                        let parts = array(reply).unwrap_or_default();
                        let gone = self.gone_of((erasure.id, erasure.number), parts, &mut credits);
                        erased.gone.entry(erasure.id).or_default().join(gone);
                        if let Some(flag) = more.get_mut(at) {
                            *flag = parts.get(1).and_then(int).unwrap_or_default() > 0;
                        }
                    }
                    _ => drop(erased.unreached.insert(erasure.id)),
                }
            }
            let mut more = more.into_iter();
            erasures.retain(|_| more.next().unwrap_or_default());
        }
        if !credits.is_empty() {
            // Nobody's order waits until another's count is right.
            tasks::tend(self.booking().book(credits));
        }
        erased
    }

    /// What an erasure took, as the script tells it. What an order before this one named has gone
    /// with that one, though it was still in memory, and counts for it.
    fn gone_of(
        &self,
        (id, number): (OrderId, Number),
        parts: &[Value],
        credits: &mut Credits,
    ) -> Gone {
        let mut gone = Gone::default();
        let list = |at: usize| parts.get(at).and_then(array).unwrap_or_default();
        let names = list(2).iter().filter_map(bytes);
        let begins = list(3).iter().filter_map(bytes);
        let mut told = 0;
        for (name, beginning) in names.zip(begins) {
            told += 1;
            let Some((identity, variant)) = self.names.identity_and_variant(name) else {
                gone.leave_open();
                continue;
            };
            match self.named_before(&Key::of_identity(&identity), beginning, number) {
                Some(Before::Stood) => gone.count(&identity, || variant),
                Some(Before::Gone(claims)) => {
                    for claim in claims.into_iter().filter(|claim| *claim != id) {
                        credits.entry(claim).or_default().add(Some(true));
                    }
                }
                None => {
                    gone.count(&identity, || variant);
                    gone.leave_open();
                }
            }
        }
        let all: u64 = parts.first().and_then(int).unwrap_or_default();
        if all > told {
            gone.count_nameless(all - told);
            gone.leave_open();
        }
        gone
    }

    /// Whether an order before this one named the frame that begins so, and those that count what
    /// went for them; nothing where that cannot be said.
    fn named_before(&self, key: &Key, beginning: &[u8], number: Number) -> Option<Before> {
        let outline = frame::outline(beginning).ok()?;
        let tags = tags_of(&outline);
        let facts = facts_of(key, &outline, &tags);
        let was_named = self.member().was_named(&facts, outline.number, number)?;
        Some(if was_named {
            Before::Gone(self.claims(&facts, outline.number))
        } else {
            Before::Stood
        })
    }

    /// Orders whose work is done are open no more; nobody waits for that.
    fn close(&self, done: Vec<OrderId>) {
        let Ok(server) = self.head_server() else { return };
        let mut delete = redis::cmd("HDEL");
        delete.arg(self.names.order("open"));
        for id in &done {
            delete.arg(id.to_string());
        }
        if !done.is_empty() {
            tasks::tend(async move {
                // Who finds it open does it again, which harms nobody.
                let _ = server.call::<Value>(&delete, limits::L2_BACKGROUND_DEADLINE).await;
            });
        }
    }
}

/// The key text that a selector leads to.
pub(super) fn text_of(selector: &Selector) -> Option<&str> {
    match selector {
        Selector::Key(text) | Selector::Url(text) => Some(text),
        _ => None,
    }
}

/// What a frame was before an order came.
enum Before {
    Stood,
    /// An earlier order had named it; those that count it.
    Gone(Vec<OrderId>),
}

/// One key text that is erased.
struct Erasure {
    id: OrderId,
    number: Number,
    keys: [Vec<u8>; 2],
    args: Vec<Vec<u8>>,
}

impl Erasure {
    fn new(names: &Names, place: &Place<'_>, id: OrderId, number: Number) -> Self {
        let mut args = vec![
            hex(number).into_bytes(),
            limits::TOMBSTONE_FOR.as_millis().to_string().into_bytes(),
            names.beginning('e', place),
            names.beginning('d', place),
            names.beginning('l', place),
        ];
        args.extend(place.usual_rests().map(String::into_bytes));
        Self { id, number, keys: [names.tombstone(place), names.registry(place)], args }
    }
}

/// What came of erasures on one server.
#[derive(Default)]
struct Erased {
    /// Frames that went.
    gone: HashMap<OrderId, Gone>,
    /// Orders that are not done there.
    unreached: HashSet<OrderId>,
}
