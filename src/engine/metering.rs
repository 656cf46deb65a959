//! What a request came to, counted where its rule, its origin and the node as a whole are metered.
//! The meters were found when the rules came into force, so that a hit looks nothing up by name: it
//! adds to counts that its thread alone writes.

use crate::base::outcome::{Level, Outcome};
use crate::base::reason::Reason;
use crate::engine::Engine;
use crate::engine::transit::{Account, Transit};

/// The head of an answer is ready, so many microseconds after its request came.
pub(super) fn ready(engine: &Engine, account: &Account, micros: u64) {
    if account.outcome == Outcome::Error {
        // How much of it went by waiting for what failed is not known.
        return;
    }
    let waited = account.waited.map(|waited| waited.micros);
    // Who joined a fetch waited for less of it than it took.
    let away = if account.collapsed { waited } else { account.origin_micros.or(waited) };
    let own = micros.saturating_sub(away.unwrap_or(0));
    engine.telemetry.ledger.overhead.record(account.outcome, Level::One, own, 0);
}

/// The answer has been sent, or its client has gone, so many microseconds after its request came.
pub(super) fn done(transit: &Transit, account: &Account, micros: u64, bytes: u64) {
    let meter = transit.book.meter(account.route.as_deref());
    let outcome = account.outcome;
    meter.served.record(outcome, account.level, micros, bytes);
    if let Some(origin) = account.origin.and_then(|id| transit.book.upstream(id)) {
        origin.meter.served.record(outcome, account.level, micros, bytes);
    }
    match (outcome, account.reason) {
        (Outcome::Bypass, Some(reason)) => meter.bypassed.count(reason),
        // Who waited for another's fetch says nothing new of it.
        (Outcome::Miss | Outcome::Revalidated, Some(reason)) if keeps_out(reason) => {
            meter.not_stored.count(reason);
        }
        (Outcome::Coalesced, _) => {
            if let Some(waited) = account.waited {
                meter.coalesced.record(usize::from(waited.elsewhere), waited.micros);
            }
        }
        _ => {}
    }
}

/// Whether it is a reason against storing; others say why what is stored was not served.
const fn keeps_out(reason: Reason) -> bool {
    !matches!(reason, Reason::ClientNoCache | Reason::CoherenceGap)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::samples::{Origin, message, read, worker};
    use crate::engine::transit::Waited;

    #[tokio::test]
    async fn what_others_take_is_not_our_overhead() {
        let origin = Origin::start(|_| Some(message(200, &[], "x"))).await;
        let engine = &worker(origin.address, "").engine;
        let waited = |micros| Some(Waited { micros, elsewhere: false });
        let told = |account: Account| {
            let before = engine.telemetry.ledger.overhead.read();
            ready(engine, &account, 1_000);
            let since = engine.telemetry.ledger.overhead.read().since(&before);
            let all = since.of(|_, _| true).times;
            (all.count(), all.sum_micros)
        };
        let of = |outcome| Account { outcome, ..Account::default() };
        assert_eq!(told(of(Outcome::Hit)), (1, 1_000));
        let miss = Account { origin_micros: Some(700), waited: waited(900), ..of(Outcome::Miss) };
        assert_eq!(told(miss), (1, 300));
        let joined = Account { waited: waited(200), collapsed: true, ..of(Outcome::Coalesced) };
        assert_eq!(told(Account { origin_micros: Some(5_000), ..joined }), (1, 800));
        let revalidated = Account { waited: waited(900), ..of(Outcome::Revalidated) };
        assert_eq!(told(revalidated), (1, 100));
        assert_eq!(told(of(Outcome::Error)), (0, 0));
    }

    #[tokio::test]
    async fn origins_are_asked_once_for_a_miss() {
        let lines = ["cache-control: max-age=60"];
        let origin = Origin::start(move |_| Some(message(200, &lines, "x"))).await;
        let worker = worker(origin.address, "");
        read(&worker, "GET /a", &[]).await;
        assert!(read(&worker, "GET /a", &[]).await.is_hit());
        let meters = worker.engine.telemetry.ledger.origins();
        let asked: Vec<_> =
            meters.iter().flat_map(|meter| meter.asked.read().map(|(case, _)| case)).collect();
        assert_eq!(asked, [1], "2xx, once");
    }
}
