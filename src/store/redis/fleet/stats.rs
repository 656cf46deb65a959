//! What happened to the shared level, counted.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::telemetry::ledger::Cases;

/// How often the same refusal is told.
const TOLD_EVERY_MS: u64 = 10_000;

/// Words that are remembered for that; servers and frames have a few dozen.
const WORDS_TOLD_MAX: usize = 64;

/// One count.
#[derive(Debug, Default)]
pub struct Tally(AtomicU64);

impl Tally {
    /// One more.
    pub fn count(&self) {
        self.add(1);
    }

    /// So many more.
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// How many so far.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What can come of a look: something stood there, nothing did, or no answer came.
pub const FIND_RESULTS: [&str; 3] = ["found", "nothing", "fault"];

/// What can come of a put: it was taken, something newer kept it out, or no answer came.
pub const PUT_RESULTS: [&str; 3] = ["stored", "refused", "fault"];

/// The counts of a fleet's node.
#[derive(Debug, Default)]
pub struct Stats {
    /// How long looks took, by [`FIND_RESULTS`].
    pub finding: Cases<{ FIND_RESULTS.len() }>,
    /// How long puts took, by [`PUT_RESULTS`].
    pub putting: Cases<{ PUT_RESULTS.len() }>,
    /// Looks that found a fresh entry.
    pub hits: Tally,
    /// Those of them that a replica answered.
    pub replica_hits: Tally,
    /// Looks that found nothing of use.
    pub misses: Tally,
    /// Looks that the level did not answer.
    pub faults: Tally,
    /// Frames that an order had named.
    pub refused: Tally,
    /// Frames that were put.
    pub puts: Tally,
    /// Frames that an order, a later frame or another server kept out.
    pub puts_refused: Tally,
    /// Frames that could not be put.
    pub put_faults: Tally,
    /// Entries that no frame can hold, whose time is over, or for whose frames no memory was left.
    pub unframed: Tally,
    /// Fetches that another node made for a request here.
    pub waited: Tally,
    /// Leases of others that ended before their fetch.
    pub leases_expired: Tally,
    /// Orders given here.
    pub orders: Tally,
    /// Orders that others gave.
    pub heard: Tally,
    /// Frames that were taken out by key.
    pub erased: Tally,
    /// Times that orders may have been missed.
    pub gaps: Tally,
    /// Times that nothing was heard for so long that L1 was trusted no more.
    pub untrusted: Tally,
    /// Orders on everything for want of knowledge.
    pub floors: Tally,
    /// Messages of other programs that could not be followed.
    pub bad_events: Tally,
    /// Entries of L1 that went because Redis let go of theirs.
    pub let_go: Tally,
    bad_frames: Mutex<BTreeMap<&'static str, u64>>,
    told: Mutex<BTreeMap<String, u64>>,
}

impl Stats {
    pub(super) fn bad_frame(&self, why: &'static str) {
        *self.bad_frames.lock().unwrap_or_else(PoisonError::into_inner).entry(why).or_default() +=
            1;
    }

    /// Every count by its name, but for [`Stats::bad_frames`].
    pub fn counts(&self) -> BTreeMap<&'static str, u64> {
        let counts = [
            ("hits", &self.hits),
            ("replica_hits", &self.replica_hits),
            ("misses", &self.misses),
            ("faults", &self.faults),
            ("refused", &self.refused),
            ("puts", &self.puts),
            ("puts_refused", &self.puts_refused),
            ("put_faults", &self.put_faults),
            ("unframed", &self.unframed),
            ("waited", &self.waited),
            ("leases_expired", &self.leases_expired),
            ("orders", &self.orders),
            ("heard", &self.heard),
            ("gaps", &self.gaps),
            ("untrusted", &self.untrusted),
            ("floors", &self.floors),
            ("bad_events", &self.bad_events),
            ("let_go", &self.let_go),
        ];
        counts.into_iter().map(|(name, tally)| (name, tally.value())).collect()
    }

    /// Values that no frame can be, by what was wrong with them.
    pub fn bad_frames(&self) -> BTreeMap<&'static str, u64> {
        self.bad_frames.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Tells a refusal of the server, the same one every ten seconds at most.
    pub(super) fn tell_refusal(&self, why: &str, now_ms: u64, tell: impl FnOnce(String)) {
        let word = why.split(' ').next().unwrap_or_default();
        self.tell_now_and_then(word, now_ms, || tell(why.to_owned()));
    }

    /// Tells what goes by this word, every ten seconds at most.
    pub(super) fn tell_now_and_then(&self, word: &str, now_ms: u64, tell: impl FnOnce()) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let due = told.get(word).is_none_or(|at| now_ms.saturating_sub(*at) >= TOLD_EVERY_MS);
        if due {
            if told.len() >= WORDS_TOLD_MAX {
                told.clear();
            }
            told.insert(word.to_owned(), now_ms);
            drop(told);
            tell();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_now_and_then() {
        let stats = Stats::default();
        let mut told = Vec::new();
        for (word, at) in [("OOM a", 0), ("OOM b", 5), ("READONLY c", 6), ("OOM d", 10_000)] {
            stats.tell_refusal(word, at, |why| told.push(why));
        }
        assert_eq!(told, ["OOM a", "READONLY c", "OOM d"]);
    }
}
