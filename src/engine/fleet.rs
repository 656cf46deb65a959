//! The shared level in the story of a request: a fetch looks there before it asks the origin, waits
//! for another node's fetch of the same, and puts there what it stores.
//! Whatever happens to Redis, the request goes on without it.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use tokio::time::{Instant, timeout_at};

use crate::base::units::Span;
use crate::base::{limits, tasks};
use crate::engine::admit::Plan;
use crate::engine::errand::{self, Errand};
use crate::engine::flight::{Flight, Landing};
use crate::engine::{Engine, Worker, labels, outbound};
use crate::entry::Entry;
use crate::entry::pack::Packing;
use crate::policy::{self, Keep, Verdict};
use crate::store::fence::{Birth, Facts};
use crate::store::l1::Landed;
use crate::store::redis::fleet::{Fleet, Found, Keeping, Lease, Renewal, Standing, Wanted};

/// What a fetch holds in the shared level: the number it may put under, and the lease that others
/// wait for. Dropped without a put, it gives the lease back.
#[derive(Debug)]
pub struct Holding {
    fleet: Arc<Fleet>,
    plan: Plan,
    standing: Option<Standing>,
    lease: Lease,
    /// Nobody else should wait for this one's answer either.
    alone: bool,
    /// Says that the fetch goes on, until this is dropped.
    renewal: Option<Renewal>,
}

impl Holding {
    fn new(
        fleet: &Arc<Fleet>,
        plan: &Plan,
        standing: Option<Standing>,
        lease: Lease,
        first: Span,
    ) -> Self {
        let renewal = fleet.keep_lease(&plan.key, plan.shard.as_deref(), &lease, first);
        Self {
            fleet: Arc::clone(fleet),
            plan: plan.clone(),
            standing,
            lease,
            alone: false,
            renewal,
        }
    }

    /// Its answer is not shared: who waits for it asks for himself.
    pub(super) fn is_alone(&mut self) {
        self.alone = true;
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        let lease = std::mem::take(&mut self.lease);
        self.fleet.give_back(&self.plan.key, self.plan.shard.as_deref(), &lease, self.alone);
    }
}

/// What came of a look into the shared level.
pub(super) enum Seen {
    /// The flight has landed with what was found.
    Landed,
    /// The origin must be asked.
    Ask,
}

impl Engine {
    /// The fleet, if answers of this plan are shared in it.
    pub(super) fn shares(&self, plan: &Plan) -> Option<&Arc<Fleet>> {
        let shared = plan.keeping.l2 && plan.withheld.is_none();
        self.fleet.as_ref().filter(|_| shared)
    }

    /// Whether a credential selects an entry, by the rules or by what everybody knows for one.
    fn hides(&self, entry: &Entry) -> bool {
        self.book.load().rules.credentials.select(&entry.selecting)
    }

    /// Whether an entry may be used without asking anybody, as far as orders go.
    pub(super) fn is_trusted(&self, entry: &Entry, at: Instant) -> bool {
        self.trust.holds(entry.stamp.born, entry.known_ms, self.trust.at(at))
    }
}

/// What stood under a plan is outdated, and what came instead may not be kept: it goes from all
/// levels.
pub(super) fn outdate(engine: &Engine, plan: &Plan, entry: &Arc<Entry>) {
    engine.l1.drop_entry(&plan.key, entry);
    // What a credential selects is not there, and its name would be a digest of it.
    if let Some(fleet) = engine.shares(plan).filter(|_| !engine.hides(entry)) {
        fleet.forget(&plan.key, plan.shard.as_deref(), &entry.selecting);
    }
}

/// Looks into the shared level for a fetch that is about to ask the origin. What is fresh there
/// lands; what another node is fetching is waited for, no longer than the origin would have.
pub(super) async fn look(worker: &Worker, flight: &Arc<Flight>, errand: &mut Errand) -> Seen {
    let engine = &worker.engine;
    let Some(fleet) = engine.shares(&errand.plan).cloned() else { return Seen::Ask };
    let origin = &errand.plan.routed.origin;
    let until = Instant::now() + origin.timeout.to_duration();
    // What was not shareable a moment ago is not worth a wait.
    let lately = engine.unshareable.is_marked(&errand.plan.key, engine.clock.now());
    let lease = (!lately && errand.may_lead_others()).then(|| origin.pace.lease());
    let mut waited = false;
    loop {
        // Taken before the look, so that no end of a lease is missed.
        let mut place = fleet.wait_for(&errand.plan.key);
        let plan = &errand.plan;
        let found = find(engine, &fleet, plan, &errand.gist.fields, &flight.birth, lease).await;
        let Some(found) = found else { return Seen::Ask };
        let Found { entries, standing, lease: held, .. } = found;
        let theirs = if let Lease::Theirs(left) = held { Some(left) } else { None };
        let holding = Holding::new(&fleet, plan, standing, held, lease.unwrap_or_default());
        let best = newest(entries);
        let usable = best.filter(|entry| errand.is_news(entry));
        if let Some(entry) = usable {
            if land(engine, flight, errand, entry, waited) {
                return Seen::Landed;
            }
        } else if !errand.confirms {
            fleet.stats().misses.count();
        }
        let now = Instant::now();
        let Some(left) = theirs.filter(|_| now < until) else {
            flight.hold(holding);
            return Seen::Ask;
        };
        drop(holding);
        // Whatever a server says, no lease lasts longer than it is renewed for.
        let left = left.clamp(1, 2 * limits::LEASE_FOR.as_millis());
        let end = until.min(now + Duration::from_millis(left));
        waited = true;
        fleet.stats().waited.count();
        match timeout_at(end, place.ended()).await {
            // Whoever fetched it cannot share it.
            Ok(true) => return Seen::Ask,
            Ok(false) => {}
            Err(_) => fleet.stats().leases_expired.count(),
        }
    }
}

/// What the shared level has for a request that leads no fetch: HEAD, and parts of what is whole
/// there. Whether L1 has it now.
pub(super) async fn bring(engine: &Engine, plan: &Plan, fields: &HeaderMap, birth: &Birth) -> bool {
    let Some(fleet) = engine.shares(plan).filter(|_| plan.keeping.l1) else { return false };
    let Some(found) = find(engine, fleet, plan, fields, birth, None).await else { return false };
    let Some(mut entry) = newest(found.entries) else { return false };
    entry.known_ms = engine.trust.at(birth.began());
    let entry = entry.counted_in(&engine.transit);
    let landed = engine.store(birth, plan.key.clone(), Arc::new(entry));
    fleet.stats().hits.count();
    landed == Landed::Stored
}

/// What the shared level has for a plan, for who only looks.
pub(super) async fn glance(engine: &Engine, plan: &Plan, fields: &HeaderMap) -> Option<Entry> {
    let fleet = engine.shares(plan)?;
    let birth = engine.fences.begin();
    newest(find(engine, fleet, plan, fields, &birth, None).await?.entries)
}

async fn find(
    engine: &Engine,
    fleet: &Fleet,
    plan: &Plan,
    fields: &HeaderMap,
    birth: &Birth,
    lease: Option<Span>,
) -> Option<Found> {
    let route = plan.routed.route.as_deref();
    let wanted = Wanted {
        key: &plan.key,
        shard: plan.shard.as_deref(),
        fields,
        kind: route.map_or("", |route| &route.kind_name),
        sealed: plan.keeping.encrypt,
        replica: plan.keeping.replica,
        lease,
        birth: birth.tick(),
        shapes: engine.l1.shapes(),
    };
    let began = Instant::now();
    let found = fleet.find(&wanted, engine).await;
    let result = match &found {
        Ok(found) if !found.entries.is_empty() => 0,
        Ok(_) => 1,
        Err(_) => 2,
    };
    fleet.stats().finding.record(result, began.elapsed().as_micros() as u64);
    if found.is_err() {
        fleet.stats().faults.count();
    }
    let mut found = found.ok()?;
    if !plan.serves_packed() {
        // Nobody would get it.
        let packed = found.entries.iter_mut().filter(|entry| entry.body.coded().is_some());
        packed.for_each(|entry| *entry = entry.without_coded());
    }
    // What comes from the future was written or read while somebody set a clock: it would live
    // longer by that much.
    let latest = engine.clock.now().plus(limits::CLOCKS_APART);
    found.entries.retain(|entry| entry.stamp.stored_at <= latest);
    found.entries = found.entries.into_iter().map(|one| labels::stripped(engine, one)).collect();
    Some(found)
}

/// Of several that answer a request the one with the newest `Date` (RFC 9111, 4.1).
fn newest(entries: Vec<Entry>) -> Option<Entry> {
    entries.into_iter().max_by_key(|entry| (entry.stamp.date, entry.stamp.stored_at))
}

/// What was found is served if it may be, and else asked about. Whether the flight has landed.
fn land(
    engine: &Engine,
    flight: &Arc<Flight>,
    errand: &mut Errand,
    mut entry: Entry,
    waited: bool,
) -> bool {
    entry.known_ms = engine.trust.at(flight.birth.began());
    let verdict = policy::judge(&entry.stamp, &errand.plan.wishes, engine.clock.now());
    let facts_admit = flight.birth.admits(&Facts::of(&errand.plan.key, &entry.labels));
    let entry = Arc::new(entry.counted_in(&engine.transit));
    if errand.confirms && !facts_admit {
        return false;
    }
    // What is only asked about need not push out what clients ask for.
    let stands = errand.plan.keeping.l1
        && !errand.confirms
        && engine.store(&flight.birth, errand.plan.key.clone(), Arc::clone(&entry))
            == Landed::Stored;
    let lands = match verdict {
        _ if errand.confirms => None,
        Verdict::Fresh => Some(Landing::Found { entry: Arc::clone(&entry), waited }),
        // Whoever waits finds it in L1, is served, and has it renewed behind.
        Verdict::WhileRevalidate if stands && errand.stale.is_none() => Some(Landing::Stored),
        Verdict::WhileRevalidate | Verdict::Validate(_) => None,
    };
    if let Some(lands) = lands {
        if let Some(fleet) = &engine.fleet {
            fleet.stats().hits.count();
        }
        flight.fate.decide(None);
        engine.flights.unlist(flight);
        flight.land(lands);
        return true;
    }
    if facts_admit && !errand.asks_as_client() {
        errand.plain_head.get_or_insert_with(|| errand.head.clone());
        errand.head =
            outbound::for_cache(errand.head.clone(), errand::conditions(&entry, errand.gap));
        flight.fall_back_on(Arc::clone(&entry));
        errand.stale = Some(entry);
    }
    false
}

/// Puts what a flight brought into the levels: into L1 if no order forbids it, and then where all
/// nodes find it.
pub(super) fn keep(
    engine: &Arc<Engine>,
    flight: &Flight,
    plan: &Plan,
    entry: Entry,
    keep: Keep,
) -> (Landed, Arc<Entry>) {
    plan.routed.origin.pace.note(flight.birth.began().elapsed().as_micros() as u64);
    let (landed, entry) = engine.land(plan, &flight.birth, entry, keep);
    if matches!(landed, Landed::Stored | Landed::TooLarge) {
        put(engine, flight, plan, &entry);
    }
    (landed, entry)
}

/// Puts an entry where all nodes find it; nobody waits for that.
fn put(engine: &Arc<Engine>, flight: &Flight, plan: &Plan, entry: &Arc<Entry>) {
    let Some(mut holding) = flight.take_holding() else { return };
    let Some(standing) = holding.standing.take() else { return };
    let facts = Facts::of(&plan.key, &entry.labels);
    // An answer that an order came before, or that a late write may change, is nobody's.
    if !flight.birth.admits(&facts) || engine.settling.doubts(&facts) {
        return;
    }
    if engine.hides(entry) {
        holding.fleet.stats().unframed.count();
        return holding.is_alone();
    }
    let keeping = Keeping {
        shard: plan.shard.clone(),
        packing: plan.keeping.compress.map(|(level, min)| Packing { level, min }),
        sealed: plan.keeping.encrypt,
        // A renewed answer has brought the coded form of its body along.
        wanted: plan.keeping.l1 && plan.serves_packed() && entry.body.coded().is_none(),
    };
    // Its frame is one more copy, and a slow server lets many of them pile up.
    let Some(room) = engine.transit.reserve(entry.body.len()) else {
        return holding.fleet.stats().unframed.count();
    };
    let (engine, key, entry) = (Arc::clone(engine), plan.key.clone(), Arc::clone(entry));
    tasks::tend(async move {
        let _room = room;
        // The fetch has ended; what keeps its answer from the level does not hold up who waits.
        holding.renewal = None;
        let lease = std::mem::take(&mut holding.lease);
        let fleet = Arc::clone(&holding.fleet);
        let put = fleet.put(&key, &entry, &keeping, &standing, &lease, engine.as_ref()).await;
        if let Some(packed) = put.packed {
            // Other nodes have it so from the level; this one need not pack it again.
            engine.l1.add_coded(&key, &entry, packed.counted_in(&engine.transit));
        }
    });
}
