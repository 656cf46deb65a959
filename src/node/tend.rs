//! Work of every second, and what orders leave to be dropped, on the main thread.

use std::sync::Arc;
use std::time::Duration;

use crate::base::{limits, tasks};
use crate::engine::{Engine, purge};
use crate::jobs::watch::Watchman;
use crate::store::redis::fleet::Effects;
use crate::telemetry::event::Event;

/// Expired entries leave, the clock takes the wall's time again, and somebody looks at how the
/// node does.
pub(super) fn tend(engine: &Arc<Engine>, watchman: &Arc<Watchman>) {
    const EVERY: Duration = Duration::from_secs(1);
    let (engine, watchman) = (Arc::clone(engine), Arc::clone(watchman));
    tasks::tend(async move {
        loop {
            tokio::time::sleep(EVERY).await;
            engine.l1.tend();
            let now = engine.clock.now();
            for gone in engine.l1.evictions() {
                watchman.note(&gone, now);
                let cause = if gone.by_ttl { "ttl" } else { "size" };
                let event = Event::Evict { kind: &gone.kind, key: gone.key.text(), cause };
                engine.telemetry.tell(now, &event);
            }
            if let Some(on) = engine.bypass.expired() {
                let detail = format!("its time is over, {} had switched it on", on.by);
                engine.telemetry.tell(now, &Event::Bypass { what: "off", detail: &detail });
            }
            engine.hot.tend();
            engine.relieve();
            align(&engine);
            watchman.look(&engine);
        }
    });
}

/// What orders have put out of use leaves memory, a little at a time.
pub(super) fn reclaim(engine: &Arc<Engine>) {
    let engine = Arc::clone(engine);
    tasks::tend(async move {
        loop {
            engine.l1.something_pending().await;
            while purge::reclaim(&engine) {
                // Stores wait for the same locks.
                tokio::time::sleep(limits::SWEEP_REST.to_duration()).await;
            }
        }
    });
}

/// Takes the wall's time again.
fn align(engine: &Engine) {
    let moved_ms = engine.clock.align();
    if let Some(fleet) = &engine.fleet {
        fleet.clock_moved(moved_ms);
        // A process that was suspended has missed orders without noticing the time.
        if moved_ms.unsigned_abs() > fleet.config().lag_max.as_millis() {
            engine.trust.forget();
        }
    }
    // What is stored has its times from a clock that was ahead, and would live longer by this one.
    if moved_ms < -limits::CLOCK_SET_BACK.as_millis().cast_signed() {
        engine.distrust();
    }
}
