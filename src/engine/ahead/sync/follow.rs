//! What follows from an answer: it takes the entry's place on all nodes, or the entry goes.

use std::sync::Arc;

use super::asking::{Answer, Asking};
use super::{Synced, held, overtaken};
use crate::base::limits;
use crate::base::reason::Reason;
use crate::engine::errand::Errand;
use crate::engine::fetch::{self, Ending};
use crate::engine::fill::{self, Filling};
use crate::engine::fleet;
use crate::engine::flight::{Flight, Landing, Seat};
use crate::engine::ordering::{Patience, order_all};
use crate::engine::{labels, posted};
use crate::entry::order::{Order, Selector};
use crate::entry::{Body, Entry, Labels};
use crate::store::fence::{Birth, Facts};
use crate::store::redis::fleet::Level;

/// Who gives the orders that follow from it, as the event log says it.
const BY: &str = "sync";

impl Asking<'_> {
    /// Puts an answer in the entry's place: an order on its key goes to all nodes, and behind that
    /// the answer is stored, if the order is the only one since it was asked for.
    pub(super) async fn replace(
        &self,
        errand: &Errand,
        stored: &Entry,
        answer: Answer,
        at: Vec<Box<str>>,
    ) -> Synced {
        let engine = &self.worker.engine;
        let labels = match self.labels(errand, &answer) {
            Ok(labels) => labels,
            Err(reason) => {
                let synced = Synced::NotCacheable(reason.as_str());
                return self.drop_if_undisturbed(stored, synced).await;
            }
        };
        let facts = Facts::of(&self.plan.key, &labels);
        let calm = posted::calm(&engine.fences, &self.flight.birth, &facts);
        let Some(calm) = calm.filter(|_| self.is_undisturbed(stored)) else { return overtaken() };
        // Nothing is waited for before the birth: of the orders that come later it can be asked
        // whether they name this.
        let order = self.order();
        let own = order_all(engine, &order, BY, None, false, Patience::None).await;
        let birth = posted::only_after(&engine.fences, calm, own.tick, own.raises);
        let mut numbered = true;
        if let (Some(fleet), Some(count)) = (&engine.fleet, own.count) {
            let wait = limits::CONFIRM_WAIT.to_duration();
            numbered = fleet.settled(count, Some(wait)).await.level > Level::Local;
        }
        if let Some(birth) = birth {
            self.store_anew(errand, answer, birth, numbered).await;
        }
        Synced::Changed(at)
    }

    /// Stores an answer behind the order that took what stood there. Whoever asks meanwhile waits
    /// for it; where somebody has asked already, what he gets is newer.
    async fn store_anew(&self, errand: &Errand, answer: Answer, birth: Birth, numbered: bool) {
        let engine = &self.worker.engine;
        let labels = errand.labels.clone();
        let flight = Flight::new(self.flight.listed.clone(), labels, birth);
        let Seat::Leader(flight) = engine.flights.seat(flight) else { return };
        let ending = Ending { engine: Arc::clone(engine), flight };
        let mut fresh = Errand::confirming(self.worker, self.transit, self.plan, None);
        // What is put before the order has its number would count as purged by it.
        if numbered {
            let _ = fleet::look(self.worker, &ending.flight, &mut fresh).await;
        }
        // Where another node has put something since then, that is newer. Where the entry was
        // ordered to go again, the fences refuse it.
        if fresh.stale.is_none() {
            let _ = self.store(&ending.flight, errand, answer);
        }
        engine.flights.unlist(&ending.flight);
        ending.flight.land(Landing::Stored);
    }

    /// Stores an answer under the birth of a flight. Tells why not, if not.
    ///
    /// # Errors
    /// Where the answer may not be kept at all.
    pub(super) fn store(
        &self,
        flight: &Arc<Flight>,
        errand: &Errand,
        answer: Answer,
    ) -> Result<Option<Reason>, Reason> {
        let engine = &self.worker.engine;
        let filling = self.judge(flight, errand, &answer)?;
        let body = Body::in_transit(answer.chunks, &engine.transit);
        let refusal = fill::keep(engine, flight, errand, answer.status, body, filling);
        flight.fate.decide(refusal);
        Ok(refusal)
    }

    fn judge(&self, flight: &Flight, errand: &Errand, answer: &Answer) -> Result<Filling, Reason> {
        let engine = &self.worker.engine;
        let Answer { status, fields, chunks, times } = answer;
        let filling = fetch::judged(engine, flight, errand, *status, fields, *times)?;
        let len = chunks.iter().map(|chunk| chunk.len() as u64).sum::<u64>();
        if len > filling.limit { Err(Reason::TooLarge) } else { Ok(filling) }
    }

    /// What orders may name an answer by.
    fn labels(&self, errand: &Errand, answer: &Answer) -> Result<Labels, Reason> {
        let filling = self.judge(self.flight, errand, answer)?;
        let body = Body::from_chunks(answer.chunks.clone());
        let labels = labels::of(&self.worker.engine, errand, &body, &filling.fields);
        labels.ok_or(Reason::TooManyTags)
    }

    /// Purges the entry on all nodes, unless it is not the one any more that was asked about.
    pub(super) async fn drop_if_undisturbed(&self, stored: &Entry, synced: Synced) -> Synced {
        if !self.is_undisturbed(stored) {
            return overtaken();
        }
        self.drop_everywhere().await;
        synced
    }

    /// Purges the entry on all nodes.
    pub(super) async fn drop_everywhere(&self) {
        let wait = Patience::Nodes(limits::CONFIRM_WAIT.to_duration());
        order_all(&self.worker.engine, &self.order(), BY, None, false, wait).await;
    }

    fn order(&self) -> Order {
        Order::of([Selector::Key(self.plan.key.text().to_owned())])
    }

    /// Whether no order has named the entry since this began, and nothing has taken its place.
    fn is_undisturbed(&self, stored: &Entry) -> bool {
        let facts = Facts::of(&self.plan.key, &stored.labels);
        self.flight.birth.admits(&facts) && self.is_as_it_was()
    }

    fn is_as_it_was(&self) -> bool {
        let now = held(&self.worker.engine, self.plan, self.target);
        match (&self.held, &now) {
            (Some(then), Some(now)) => Arc::ptr_eq(then, now),
            // L1 may let go of it at any time.
            (_, None) => true,
            (None, Some(_)) => false,
        }
    }
}
