//! What a purge would take, tried without taking it: what stands here, what other nodes tell of
//! their memory, and what Redis holds, looked through for a while.

use serde_json::{Value, json};
use tokio::task::yield_now;

use crate::base::limits;
use crate::engine::Engine;
use crate::engine::purge;
use crate::entry::order::Order;
use crate::store::gone::{Counts, Gone};

/// Counts what the order would take, with all that follows from it, and tells the keys of some.
pub async fn tried(engine: &Engine, order: &Order) -> Value {
    let then = purge::follows(engine, order);
    let order = &*purge::together(order, then.as_ref());
    let (mut own, mut bytes, mut sample) = (Gone::default(), 0, Vec::new());
    let note = |sample: &mut Vec<String>, text: &str| {
        if sample.len() < limits::SAMPLE_MAX && !sample.iter().any(|one| one == text) {
            sample.push(text.to_owned());
        }
    };
    let mut meeting = engine.l1.meeting(order);
    while engine.l1.meet(&mut meeting, &mut |key, entry| {
        own.count(key.identity(), || entry.selecting.id().unwrap_or_default());
        bytes += entry.cost();
        note(&mut sample, key.text());
    }) {
        // Others have their turns in between.
        yield_now().await;
    }
    let mut told = json!({
        "dry_run": true,
        "would_purge": { "entries": own.entries, "l1": own.entries, "bytes": bytes },
        "exact": true,
        "selectors": order.said(),
    });
    if let Some(fleet) = &engine.fleet {
        let (found, others) = tokio::join!(
            fleet.count(&order.selectors, limits::SAMPLE_MAX),
            fleet.tried_by_others(order),
        );
        // A server that does not answer in time has an unknown number.
        let found = found.ok();
        let (l2, whole) = found.as_ref().map_or((None, false), |one| (Some(&one.gone), one.whole));
        let is_silent = |(life, told): &(u64, Option<Gone>)| told.is_none().then_some(*life);
        let silent: Vec<String> =
            others.iter().filter_map(is_silent).map(|life| format!("{life:016x}")).collect();
        let asked = others.len();
        let others: Vec<Option<Gone>> = others.into_iter().map(|(_, told)| told).collect();
        let counts = Counts::of(&own, &others, l2);
        told["would_purge"]["entries"] = counts.entries.into();
        told["would_purge"]["l1"] = counts.l1.into();
        told["would_purge"]["l2"] = counts.l2.into();
        told["exact"] = (counts.exact && whole).into();
        told["nodes"] = json!({ "asked": asked, "silent": silent });
        for key in found.into_iter().flat_map(|one| one.sample) {
            note(&mut sample, &key);
        }
    }
    told["sample"] = sample.into();
    told
}
