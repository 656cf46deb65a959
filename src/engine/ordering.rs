//! An order goes to all nodes, and what others give has its effect here.

use std::time::Duration;

use tokio::time::Instant;

use crate::base::clock::Timestamp;
use crate::base::ids::Tick;
use crate::base::units::Span;
use crate::engine::anew::From;
use crate::engine::{Engine, anew, news, purge, soft};
use crate::entry::order::{Order, Selector};
use crate::store::gone::{Counts, Gone};
use crate::store::redis::fleet::{Effects, Level, News, Receipt};
use crate::telemetry::ledger::OrderMeter;

/// What came of an order.
#[derive(Clone, Debug, Default)]
pub struct Carried {
    /// Its last tick.
    pub tick: Tick,
    /// How often it raised the tick.
    pub raises: u64,
    /// What went, here and elsewhere.
    pub counts: Counts,
    /// How far it has got.
    pub receipt: Receipt,
    /// Its number among this node's own, where there is a fleet.
    pub count: Option<u64>,
}

/// For how much an order is waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// For nothing beyond this node; the order goes on by itself.
    None,
    /// Until the shared level neither gives nor takes what it names.
    Shared,
    /// Until every other node has confirmed it as well, so long at most.
    Nodes(Duration),
}

/// Carries an order out on all nodes, as far as they can be reached in time. Without a shared level
/// nothing is waited for.
pub async fn order_all(
    engine: &Engine,
    order: &Order,
    by: &'static str,
    rule: Option<&str>,
    widened: bool,
    patience: Patience,
) -> Carried {
    let then = purge::follows(engine, order);
    let whole = purge::together(order, then.as_ref());
    soft::remember(engine, &whole);
    // The node refuses frames that the order names before it acts on anything.
    let count = engine.fleet.as_ref().map(|fleet| match by {
        // Whoever purges by hand wants to know how much it was.
        "admin" | "purge" => fleet.give_counted(&whole, engine.clock.now()),
        _ => fleet.give(&whole),
    });
    let (mut tick, mut gone) = purge::carry_out(engine, order, by, rule, widened);
    let mut raises = purge::RAISES;
    if let Some(then) = &then {
        let followed;
        (tick, followed) = purge::carry_out(engine, then, "cascade", rule, widened);
        gone.join(followed);
        raises += purge::RAISES;
    }
    let began = Instant::now();
    let receipt = match (&engine.fleet, count, patience) {
        (Some(fleet), Some(count), Patience::Shared) => fleet.settled(count, None).await,
        (Some(fleet), Some(count), Patience::Nodes(wait)) => fleet.settled(count, Some(wait)).await,
        _ => Receipt::default(),
    };
    if receipt.level > Level::Local {
        let place = OrderMeter::place(by, purge::scope(order));
        let micros = began.elapsed().as_micros() as u64;
        engine.telemetry.ledger.orders.propagation.record(place, micros);
    }
    let counts = match &engine.fleet {
        None => Counts::of(&gone, &[], Some(&Gone::default())),
        Some(_) => Counts::of(&gone, &receipt.others, receipt.l2.as_ref()),
    };
    Carried { tick, raises, counts, receipt, count }
}

impl Effects for Engine {
    fn carry_out(&self, order: &Order, by: &'static str) -> Gone {
        purge::carry_out(self, order, by, None, false).1
    }

    fn carry_out_anew(&self, order: &Order, anew: &[Selector], by: &'static str) {
        let wanted =
            (!anew.is_empty()).then(|| anew::wanted(self, &Order::of(anew.iter().cloned())));
        self.carry_out(order, by);
        // By then some node has put it into the log.
        let lag = self.fleet.as_ref().map_or(Span::ZERO, |fleet| fleet.config().lag_max);
        let from = From::At(Instant::now() + lag.to_duration());
        wanted.map(|wanted| anew::begin(self, wanted, from));
    }

    fn count(&self, order: &Order) -> Gone {
        let (mut gone, mut meeting) = (Gone::default(), self.l1.meeting(order));
        while self.l1.meet(&mut meeting, &mut |key, entry| {
            gone.count(key.identity(), || entry.selecting.id().unwrap_or_default());
        }) {}
        gone
    }

    fn with_followers(&self, order: Order) -> Order {
        let order = purge::resolved(self, order);
        purge::together(&order, purge::follows(self, &order).as_ref()).into_owned()
    }

    fn distrust(&self) {
        let tick = self.fences.raise(&Order::of([Selector::All]));
        self.trust.distrust_before(tick);
    }

    fn let_go(&self, identity: &str) {
        self.l1.remove_identity(identity);
    }

    fn tell(&self, news: &News) {
        news::tell(&self.telemetry, self.clock.now(), news);
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}
