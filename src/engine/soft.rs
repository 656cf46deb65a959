//! Soft orders: what they name is stale and may be used where the rules let stale answers be used,
//! until it is fetched anew. Each has a name, under which it can be taken back for as long as
//! [`limits::SOFT_FOR`]; after that what it named has gone.

use std::borrow::Cow;
use std::hash::{BuildHasher, RandomState};
use std::sync::PoisonError;

use crate::base::clock::Timestamp;
use crate::base::ids::SoftId;
use crate::base::limits;
use crate::engine::Engine;
use crate::engine::ordering::{self, Patience};
use crate::engine::purge::Done;
use crate::entry::order::{Mode, Order, Soft};
use crate::store::coherence::{self, Active};

/// A soft order from now on, under a name of its own.
pub fn mode(engine: &Engine) -> Mode {
    // A hasher's keys are drawn by the system; nobody else in the fleet comes by this number.
    let id = SoftId(RandomState::new().hash_one(engine.identity_key));
    Mode::Soft(Soft { id, at: engine.clock.now() })
}

/// The same order, given once more: soft from now on.
pub(super) fn once_more<'a>(engine: &Engine, order: &'a Order) -> Cow<'a, Order> {
    match order.mode {
        Mode::Soft(_) => Cow::Owned(order.clone().as_mode(mode(engine))),
        Mode::Delete | Mode::Undo(_) => Cow::Borrowed(order),
    }
}

/// Until when a soft order can be undone.
pub const fn ends(soft: Soft) -> Timestamp {
    soft.at.plus(limits::SOFT_FOR)
}

/// The order as it is at this moment: what was soft for too long goes.
pub(super) fn at_last(order: &Order, now: Timestamp) -> Option<Order> {
    match order.mode {
        Mode::Soft(soft) if now >= ends(soft) => Some(order.clone().as_mode(Mode::Delete)),
        _ => None,
    }
}

/// Remembers an order of a node that has no fleet, which would remember it.
pub(super) fn remember(engine: &Engine, order: &Order) {
    if engine.fleet.is_none() {
        let mut softs = engine.softs.lock().unwrap_or_else(PoisonError::into_inner);
        coherence::alone(&mut softs, order);
    }
}

/// What a soft order names that can still be undone, with all that followed from it.
pub fn find(engine: &Engine, id: SoftId) -> Option<Order> {
    let found = if let Some(fleet) = &engine.fleet {
        fleet.soft_order(id)
    } else {
        let softs = engine.softs.lock().unwrap_or_else(PoisonError::into_inner);
        softs.find(id).map(Active::as_given)
    };
    found.filter(|order| at_last(order, engine.clock.now()).is_none())
}

/// Takes a soft order back, on all nodes. What does not say that it is soft goes as it came.
pub async fn undo(engine: &Engine, order: Order, patience: Patience) -> Done {
    let order = match order.mode {
        Mode::Soft(soft) => order.as_mode(Mode::Undo(soft)),
        Mode::Delete | Mode::Undo(_) => order,
    };
    let carried = ordering::order_all(engine, &order, "admin", None, false, patience).await;
    Done { order, carried, anew: None }
}
