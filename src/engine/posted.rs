//! An answer to a write that stands for later GETs: its `Content-Location` names the target, so it
//! is the target's new state. Of POST (RFC 9110, 9.3.3) only with explicit freshness and where the
//! profile wants it, of any write where its rule wants it (`on_write.store`). The write's own order
//! has just purged the target, so the answer is stored under a birth of its own, and only if no
//! other order came since the write was sent.

use std::sync::Arc;

use http::{Method, Response, StatusCode, header};

use crate::base::clock::Timestamp;
use crate::base::ids::Tick;
use crate::base::names;
use crate::engine::admit::{self, Admission, Plan, Routed};
use crate::engine::errand::Errand;
use crate::engine::fetch;
use crate::engine::flight::{Flight, FlightKey};
use crate::engine::ordering::Carried;
use crate::engine::reply::Reply;
use crate::engine::transit::{Gist, Transit};
use crate::engine::{Engine, Worker, fill};
use crate::entry::Labels;
use crate::origin::InBody;
use crate::policy::{self, Exchange};
use crate::store::fence::{Birth, Facts, Fences};

/// What storing the answer of a POST needs, taken before it is sent.
#[derive(Debug)]
pub(super) struct Posted {
    plan: Plan,
    labels: Labels,
    gist: Gist,
    before: Birth,
    asked_at: Timestamp,
    /// The rule of the write wants it, and that of the target says how long.
    by_rule: bool,
    /// The profile wants it.
    by_profile: bool,
}

impl Posted {
    /// For a write whose answer could stand for a GET of the same target.
    pub(super) fn of(engine: &Engine, transit: &Transit, routed: &Routed) -> Option<Self> {
        let by_rule = routed.route.as_ref().is_some_and(|route| route.on_write.store);
        let is_post = transit.parts.method == Method::POST;
        let by_profile = engine.options.manner.post_answers && is_post;
        if !by_rule && !by_profile {
            return None;
        }
        let twin = transit.as_get();
        let before = engine.fences.begin();
        let Admission::Read(plan) = admit::admit(engine, &twin, false) else { return None };
        Some(Self {
            labels: plan.labels(&twin),
            gist: twin.gist(),
            plan,
            before,
            asked_at: engine.clock.now(),
            by_rule,
            by_profile,
        })
    }

    /// The tick up to which no order has come that could name the answer; nothing if one has. Asked
    /// just before the write's own order.
    pub(super) fn calm(&self, engine: &Engine) -> Option<Tick> {
        // Its tags come with the answer: until then every order on a tag may name it.
        let facts = Facts { is_open: true, ..Facts::of(&self.plan.key, &self.labels) };
        calm(&engine.fences, &self.before, &facts)
    }

    /// The birth under which the answer may be stored: after the write's own order `own`, if that
    /// is the first one since the write was sent that could name the answer.
    pub(super) fn birth(engine: &Engine, calm: Option<Tick>, own: &Carried) -> Option<Birth> {
        only_after(&engine.fences, calm?, own.tick, own.raises)
    }

    /// Streams the answer into the store and to the writer. Gives it back where it may not be kept.
    pub(super) fn keep(
        self,
        worker: &Worker,
        birth: Birth,
        mut answer: Response<InBody>,
    ) -> Result<Reply, Box<Response<InBody>>> {
        let engine = &worker.engine;
        let target = self.gist.absolute();
        let by_rule = self.by_rule && is_state(&target, &answer);
        if by_rule {
            as_read(&mut answer);
        } else if !self.by_profile {
            return Err(Box::new(answer));
        }
        let exchange = Exchange {
            method: if by_rule { &Method::GET } else { &Method::POST },
            target: &target,
            request: &self.gist.fields,
            credentials: self.plan.credentials,
            status: answer.status(),
            response: answer.headers(),
            asked_at: self.asked_at,
            answered_at: engine.clock.now(),
            born: birth.tick(),
            directives: self.plan.wishes,
        };
        let (law, manner) = (self.plan.law(engine), &engine.options.manner);
        let Ok(keep) = policy::storable(&exchange, law, manner) else {
            return Err(Box::new(answer));
        };
        let fields = policy::stored_fields(&exchange, &keep, law, manner);
        let listed = FlightKey { key: self.plan.key.clone(), selecting: None };
        let flight = Flight::new(listed, self.labels.clone(), birth);
        let Some(reader) = flight.stream.reader() else {
            return Err(Box::new(answer));
        };
        // Whoever asks for the target from here on waits for these bytes, unless others are on
        // their way already.
        drop(engine.flights.seat(Arc::clone(&flight)));
        let len = fetch::declared_len(answer.headers());
        let errand = Errand::posted(self.plan, self.labels, self.gist);
        fill::posted(worker, Arc::clone(&flight), errand, answer, keep, fields);
        Ok(Reply::Shared { reader, len })
    }
}

/// Whether the answer to a write is the whole new state of its target.
fn is_state(target: &str, answer: &Response<InBody>) -> bool {
    matches!(answer.status(), StatusCode::OK | StatusCode::CREATED)
        && policy::represents(target, answer.headers())
}

/// The answer as a read would get it: nothing was made by that, and nothing has changed.
fn as_read(answer: &mut Response<InBody>) {
    *answer.status_mut() = StatusCode::OK;
    for name in [header::LOCATION, names::CACHE_GROUP_INVALIDATION] {
        answer.headers_mut().remove(name);
    }
}

/// The tick up to which no order has come that names this, of what is born since `before`.
pub(super) fn calm(fences: &Fences, before: &Birth, facts: &Facts<'_>) -> Option<Tick> {
    // The tick is read first: an order that comes in between is asked about below, or counted by
    // the tick of the write's own.
    let tick = fences.tick();
    before.admits(facts).then_some(tick)
}

/// A birth under `own`, the last of `raises`, if no other order stands between `calm` and it, nor
/// has come since: each of them may be a write whose data the answer does not have.
pub(super) fn only_after(fences: &Fences, calm: Tick, own: Tick, raises: u64) -> Option<Birth> {
    let birth = fences.begin();
    (own.0 == calm.0.saturating_add(raises) && birth.tick() == own).then_some(birth)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::order::{Order, Selector};

    const FACTS: Facts<'_> =
        Facts { key: "k", target: "http://h/k", tags: &[], is_open: false, kind: "", rule: "" };

    fn order() -> Order {
        Order::of([Selector::Key("k".into())])
    }

    #[test]
    fn an_undisturbed_write_may_store_after_its_own_order() {
        let fences = Fences::default();
        let before = fences.begin();
        fences.raise(&Order::of([Selector::Key("other".into())]));
        let calm = calm(&fences, &before, &FACTS).unwrap();
        let own = fences.raise(&order());
        assert!(only_after(&fences, calm, own, 1).is_some());
    }

    #[test]
    fn an_order_at_any_moment_forbids_it() {
        for moment in 0..3 {
            let fences = Fences::default();
            let before = fences.begin();
            let disturbs = |now: usize| {
                if now == moment {
                    fences.raise(&order());
                }
            };
            disturbs(0);
            let calm = calm(&fences, &before, &FACTS);
            disturbs(1);
            let own = fences.raise(&order());
            disturbs(2);
            let birth = calm.and_then(|calm| only_after(&fences, calm, own, 1));
            assert!(birth.is_none(), "at {moment}");
        }
    }
}
