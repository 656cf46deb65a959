//! One fault of the shared level, played while clients ask: calm, trouble, recovery, and what the
//! checker says of all of it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::support::caller::Caller;
use crate::support::fleet::{LAG_MAX, SLACK, time_to_share};
use crate::support::history::{Away, Law, Level, Violation};
use crate::support::redis::holds_within;
use crate::support::traffic::{Run, Traffic, seen};
use crate::support::versions::Versions;

/// What a request may wait for one call in these stories.
pub(crate) const BUDGET: Duration = Duration::from_millis(50);

/// What this machine's scheduling may add to a single request.
const HICCUP: Duration = Duration::from_millis(450);

/// How long a fetch is waited for whose node cannot be heard any more.
pub(crate) const LEASE: Duration = Duration::from_secs(1);

/// How long a fault lasts at least: longer than a node may serve what it knows.
const TROUBLE: Duration = Duration::from_millis(1_200);

/// How long it takes at most until calls are no longer tried: five that failed within a second.
const SETTLING: Duration = Duration::from_millis(600);

/// How soon all nodes must share again. A probe each second finds that the level is back, and those
/// who shared it before must all have said what they know.
const SERVICE_AGAIN: Duration = Duration::from_secs(6);

/// How long waiting for the number of an order may take, by default.
const PURGE_BUDGET: Duration = Duration::from_millis(100);

/// Who loses the shared level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Nobody: it is in trouble and does its duty.
    Nobody,
    One(usize),
    /// All: nothing answers them as it should.
    All,
    /// All: it answers, at once and well, and has forgotten or refuses what matters.
    Content,
    /// All: it can be read, and takes no orders, or only now and then. Who hears it cannot know of
    /// them.
    Orders,
}

/// A fault and those who are hit by it.
pub(crate) struct Trial<'a> {
    pub(crate) name: &'static str,
    pub(crate) origin: &'a Versions,
    pub(crate) nodes: Vec<String>,
    pub(crate) reach: Reach,
    /// What a reader may wait for a fetch whose node cannot say that it has ended.
    pub(crate) orphaned: Duration,
}

/// The three moments of a trial.
struct Moments {
    from: Duration,
    healed: Duration,
    replayed: Duration,
    again: Option<Duration>,
}

/// Trials measure time, so two at a time: most of a trial is waiting.
static LANES: [Mutex<()>; 2] = [Mutex::new(()), Mutex::new(())];

/// No trial is played until this is dropped, for a story that takes all of the machine.
pub(crate) fn no_trials() -> [MutexGuard<'static, ()>; 2] {
    LANES.each_ref().map(|lane| lane.lock().unwrap_or_else(PoisonError::into_inner))
}

fn lane() -> MutexGuard<'static, ()> {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let lane = &LANES[NEXT.fetch_add(1, Ordering::Relaxed) % LANES.len()];
    // A trial that failed harms no other.
    lane.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Trial<'_> {
    /// Plays it: `hurt` begins the trouble, `heal` ends it, and clients ask all the time. Ends the
    /// story if anything happened that must not.
    #[track_caller]
    pub(crate) fn play(&self, hurt: impl FnOnce(&Run), heal: impl FnOnce()) {
        self.play_prepared(|_| (), hurt, heal);
    }

    /// The same, with something done in the calm before.
    #[track_caller]
    pub(crate) fn play_prepared(
        &self,
        prepare: impl FnOnce(&Run),
        hurt: impl FnOnce(&Run),
        heal: impl FnOnce(),
    ) {
        let _lane = lane();
        let traffic = Traffic {
            nodes: self.nodes.clone(),
            origin: self.origin,
            paths: 30,
            threads: 4,
            rest: Duration::from_millis(4),
            change_in: 15,
        };
        let (history, moments) = traffic.during(|run| {
            run.goes_on(200, Duration::from_millis(300));
            prepare(run);
            let from = run.now();
            hurt(run);
            run.goes_on(200, TROUBLE);
            let healed = run.now();
            heal();
            let again = time_to_share(&self.nodes, SERVICE_AGAIN);
            let replayed = run.now();
            run.goes_on(200, LAG_MAX + SLACK + Duration::from_millis(300));
            Moments { from, healed, replayed, again }
        });
        let verdict = history.judged_by(&self.law(&moments));
        let quiet = history.added(moments.from + SETTLING, moments.healed, 900);
        let again = moments.again.map_or_else(|| "never".to_owned(), ms);
        println!(
            "| {} | {} | {} | {} | {} | {} | {} | {} | {again} |",
            self.name,
            verdict.operations,
            verdict.failed(),
            verdict.stale(),
            verdict.from_l2,
            ms(verdict.added_max),
            ms(verdict.added_p99),
            ms(quiet),
        );
        verdict.holds();
        assert!(moments.again.is_some(), "{}: the nodes never shared again", self.name);
        // While nothing is tried, nothing is waited for, except for this machine, which is as busy
        // as it was before. What answers is asked.
        let silent = matches!(self.reach, Reach::One(_) | Reach::All);
        let calm = history.added(Duration::ZERO, moments.from, 900);
        let waits = silent && quiet >= BUDGET + calm * 2;
        assert!(!waits, "{}: nine of ten waited up to {quiet:?}", self.name);
        assert!(verdict.from_l2 > 0, "{}: nothing was shared at all", self.name);
        let shared = |level| matches!(level, Some(Level::Shared | Level::Nodes));
        let shared = history.changes.iter().any(|change| shared(change.level));
        assert!(shared, "{}: nothing was ever purged for all", self.name);
        self.is_up_to_date();
    }

    fn law(&self, moments: &Moments) -> Law {
        let &Moments { from, healed, replayed, .. } = moments;
        let all = Away { node: None, deaf: true, from, healed, replayed };
        let away = match self.reach {
            Reach::Nobody => Vec::new(),
            Reach::One(node) => vec![Away { node: Some(node), ..all }],
            Reach::Orders => vec![Away { deaf: false, ..all }],
            Reach::All | Reach::Content => vec![all],
        };
        Law {
            away,
            added_max: BUDGET + HICCUP + self.orphaned,
            added_p99: BUDGET + HICCUP / 2,
            change_max: PURGE_BUDGET + HICCUP,
            local_max: 10,
            ..Law::of(LAG_MAX, SLACK)
        }
    }

    /// When all is over every node tells what the origin tells.
    #[track_caller]
    fn is_up_to_date(&self) {
        for node in &self.nodes {
            for number in 0..30 {
                let path = format!("/objects/{number}");
                let owed = self.origin.version(&path);
                let told = || {
                    let told = Caller::of(node).asks("GET", &path).and_then(|told| seen(&told));
                    told.is_ok_and(|seen| seen.version == owed)
                };
                assert!(holds_within(LAG_MAX + SLACK, told), "{}: {path} is old", self.name);
            }
        }
    }
}

fn ms(time: Duration) -> String {
    format!("{} ms", time.as_millis())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::cistern::in_front_of;
    use crate::support::history::{History, Source};

    const SETTINGS: &str = "[purge]\nnetworks = [\"127.0.0.0/8\"]\n";

    fn history(count: usize) -> (History, Duration) {
        let origin = Versions::start();
        let nodes = (0..count).map(|_| in_front_of(origin.address()).config(SETTINGS).start());
        let nodes: Vec<_> = nodes.collect();
        let traffic = Traffic {
            nodes: nodes.iter().map(|node| node.address().to_owned()).collect(),
            origin: &origin,
            paths: 10,
            threads: 3,
            rest: Duration::from_millis(2),
            change_in: 10,
        };
        traffic.during(|run| {
            run.goes_on(500, Duration::from_millis(1_200));
            run.now()
        })
    }

    /// Everything that one node acknowledges is local, and it keeps its own promise.
    #[test]
    fn one_node_that_shares_nothing_keeps_every_promise() {
        let (history, end) = history(1);
        let away =
            Away { node: None, deaf: true, from: Duration::ZERO, healed: end, replayed: end };
        let law = Law { away: vec![away], ..Law::of(LAG_MAX, SLACK) };
        history.judged_by(&law).holds();
        let hits = |read: &&crate::support::history::Read| {
            read.answer.as_ref().is_ok_and(|seen| seen.source == Source::L1)
        };
        assert!(history.reads.iter().filter(hits).count() > 100);
    }

    /// Two nodes that never hear of each other's writes are found out.
    #[test]
    fn two_nodes_that_share_nothing_are_found_out() {
        let (history, _) = history(2);
        // A bound so short that much is read between one change and the next.
        let verdict = history.judged_by(&Law::of(Duration::from_millis(20), Duration::ZERO));
        assert!(verdict.stale() > 0, "{verdict}");
        assert_eq!(verdict.failed(), 0, "{verdict}");
        let local = |one: &&Violation| matches!(one, Violation::OnlyLocal { .. });
        assert!(verdict.violations.iter().filter(local).count() > 5);
    }
}
