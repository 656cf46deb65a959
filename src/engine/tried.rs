//! What a purge would take, tried without taking it: what stands here, and what Redis holds, looked
//! through for a while. What other nodes hold in their memory nobody asks.

use serde_json::{Value, json};

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
    engine.l1.meet(order, &mut |key, entry| {
        own.count(key.identity(), || entry.selecting.id().unwrap_or_default());
        bytes += entry.cost();
        note(&mut sample, key.text());
    });
    let mut told = json!({
        "dry_run": true,
        "would_purge": { "entries": own.entries, "l1": own.entries, "bytes": bytes },
        "exact": true,
        "selectors": order.said(),
    });
    if let Some(fleet) = &engine.fleet {
        // A server that does not answer in time has an unknown number.
        let found = fleet.count(&order.selectors, limits::SAMPLE_MAX).await.ok();
        let (l2, whole) = found.as_ref().map_or((None, false), |one| (Some(&one.gone), one.whole));
        let counts = Counts::of(&own, &vec![None; fleet.others()], l2);
        told["would_purge"]["entries"] = counts.entries.into();
        told["would_purge"]["l2"] = counts.l2.into();
        told["exact"] = (counts.exact && whole).into();
        for key in found.into_iter().flat_map(|one| one.sample) {
            note(&mut sample, &key);
        }
    }
    told["sample"] = sample.into();
    told
}
