//! The checker: what happened, and whether it may have happened. It knows requests, answers and
//! acknowledgements only, never how anything works inside; what it lets pass, the guarantee allows.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

/// The level at which a change was acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Local,
    Shared,
    Nodes,
}

impl Level {
    pub(crate) fn named(word: &str) -> Option<Self> {
        match word {
            "local" => Some(Self::Local),
            "shared" => Some(Self::Shared),
            "nodes" => Some(Self::Nodes),
            _ => None,
        }
    }
}

/// A write that was acknowledged, or a purge of what changed behind the caches. All times count
/// from the beginning of the history.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    /// The life of the node that acknowledged it: a node that was started again is another one.
    pub(crate) node: usize,
    pub(crate) path: String,
    /// The version it made.
    pub(crate) version: u64,
    /// When it was sent, before the origin could commit it.
    pub(crate) sent: Duration,
    /// When it was acknowledged.
    pub(crate) answered: Duration,
    /// What the answer said of its level, if it said anything.
    pub(crate) level: Option<Level>,
}

/// Where an answer came from, by its own word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    L1,
    L2,
    Origin,
    /// It waited for somebody else's fetch.
    Joined,
}

/// One read.
#[derive(Clone, Debug)]
pub(crate) struct Read {
    pub(crate) node: usize,
    /// What was asked for.
    pub(crate) path: String,
    pub(crate) began: Duration,
    pub(crate) ended: Duration,
    /// What it waited for the origin, as far as that was the origin's own doing.
    pub(crate) origin: Duration,
    pub(crate) answer: Result<Seen, String>,
}

/// What a read was answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// What the answer is about.
    pub(crate) path: String,
    pub(crate) version: u64,
    pub(crate) source: Source,
}

/// A write that was not acknowledged.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) path: String,
    pub(crate) at: Duration,
    pub(crate) words: String,
}

/// Everything that happened.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    /// The versions of before.
    pub(crate) before: HashMap<String, u64>,
    pub(crate) reads: Vec<Read>,
    pub(crate) changes: Vec<Change>,
    pub(crate) failures: Vec<Failure>,
}

/// A time in which the shared level was away.
#[derive(Clone, Debug)]
pub(crate) struct Away {
    /// For this node alone, or for all.
    pub(crate) node: Option<usize>,
    /// Whether who is concerned hears nothing. If not, only orders are not taken.
    pub(crate) deaf: bool,
    pub(crate) from: Duration,
    /// When the trouble ended.
    pub(crate) healed: Duration,
    /// When it was seen to serve again, and what had waited was replayed.
    pub(crate) replayed: Duration,
}

impl Away {
    fn concerns(&self, node: usize) -> bool {
        self.node.is_none_or(|one| one == node)
    }
}

/// What is promised.
#[derive(Clone, Debug)]
pub(crate) struct Law {
    /// How old another node's first level may be, and what this machine's scheduling may add.
    pub(crate) lag_max: Duration,
    pub(crate) slack: Duration,
    pub(crate) away: Vec<Away>,
    /// Times in which the origin failed itself, so that failures are its own.
    pub(crate) origin_down: Vec<(Duration, Duration)>,
    /// The longest that a read may take beside what the origin took, and 99 of 100.
    pub(crate) added_max: Duration,
    pub(crate) added_p99: Duration,
    /// The longest that a change may take.
    pub(crate) change_max: Duration,
    /// How many changes may be acknowledged as local although nothing was away: on a machine that
    /// does other things, too, a call may take longer than it should.
    pub(crate) local_max: usize,
}

impl Law {
    /// Nothing is ever away, and time does not count.
    pub(crate) fn of(lag_max: Duration, slack: Duration) -> Self {
        Self {
            lag_max,
            slack,
            away: Vec::new(),
            origin_down: Vec::new(),
            added_max: Duration::MAX,
            added_p99: Duration::MAX,
            change_max: Duration::MAX,
            local_max: 0,
        }
    }

    /// The first moment at which this read, if it begins then, may no longer see what was before
    /// the change; never for a promise that was not given.
    fn holds_from(&self, change: &Change, read: &Read) -> Option<Duration> {
        let (at_once, soon) = (change.answered, change.answered + self.lag_max + self.slack);
        if change.node == read.node {
            return Some(at_once);
        }
        let away = self.away.iter().find(|one| {
            one.concerns(change.node) && (one.from..=one.replayed).contains(&change.answered)
        });
        match (change.level, away) {
            (Some(Level::Nodes), _) => Some(at_once),
            (Some(Level::Shared), _) | (None, None) => match read.source() {
                Some(Source::L2 | Source::Origin) => Some(at_once),
                _ => Some(soon),
            },
            // A node that hears nothing either asks the origin soon; one that hears waits for the
            // replay.
            (Some(Level::Local) | None, Some(away)) => {
                let deaf = |one: &Away| {
                    let within = (one.from..one.healed).contains(&read.began);
                    one.deaf && one.concerns(read.node) && within
                };
                let replayed = away.replayed.max(change.answered) + self.lag_max + self.slack;
                Some(if self.away.iter().any(deaf) { soon } else { replayed })
            }
            (Some(Level::Local), None) => None,
        }
    }

    fn excuses(&self, began: Duration, ended: Duration) -> bool {
        self.origin_down.iter().any(|(from, until)| began <= *until && ended >= *from)
    }
}

impl Read {
    fn source(&self) -> Option<Source> {
        self.answer.as_ref().ok().map(|seen| seen.source)
    }

    fn added(&self) -> Duration {
        self.ended.saturating_sub(self.began).saturating_sub(self.origin)
    }
}

/// What must not happen and did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Violation {
    /// A request failed that the origin would have answered.
    Failed { path: String, at: Duration, words: String },
    /// The answer is about something else.
    WrongPath { asked: String, told: String },
    /// An older version than was promised.
    Stale { path: String, node: usize, seen: u64, owed: u64, late: Duration, source: Source },
    /// A version that nobody had made when the read ended.
    Unborn { path: String, version: u64 },
    /// A read that waited for something else than the origin.
    Slow { path: String, at: Duration, added: Duration },
    /// One read in a hundred waited too long.
    SlowMostly { p99: Duration },
    /// A change that waited too long.
    SlowChange { path: String, at: Duration, took: Duration },
    /// A change that was acknowledged as local while nothing was away.
    OnlyLocal { path: String, at: Duration },
}

/// What the checker found.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    pub(crate) operations: usize,
    pub(crate) violations: Vec<Violation>,
    pub(crate) added_max: Duration,
    pub(crate) added_p99: Duration,
    /// How many answers came from the shared level.
    pub(crate) from_l2: usize,
}

impl History {
    /// Judges everything that happened by what is promised.
    pub(crate) fn judged_by(&self, law: &Law) -> Verdict {
        let mut violations = Vec::new();
        self.failed(law, &mut violations);
        self.told_wrongly(law, &mut violations);
        let mut added: Vec<_> = self.reads.iter().map(Read::added).collect();
        added.sort();
        let (added_max, added_p99) = (quantile(&added, 1_000), quantile(&added, 990));
        let slow = self.reads.iter().filter(|read| read.added() > law.added_max);
        violations.extend(slow.map(|read| {
            let (path, at, added) = (read.path.clone(), read.began, read.added());
            Violation::Slow { path, at, added }
        }));
        if added_p99 > law.added_p99 {
            violations.push(Violation::SlowMostly { p99: added_p99 });
        }
        let mut local = Vec::new();
        for change in &self.changes {
            let (path, at) = (change.path.clone(), change.sent);
            let took = change.answered.saturating_sub(change.sent);
            if took > law.change_max {
                violations.push(Violation::SlowChange { path: path.clone(), at, took });
            }
            let away = |one: &Away| {
                one.concerns(change.node)
                    && one.from <= change.answered
                    && change.sent <= one.replayed
            };
            if change.level == Some(Level::Local) && !law.away.iter().any(away) {
                local.push(Violation::OnlyLocal { path, at });
            }
        }
        if local.len() > law.local_max {
            violations.extend(local);
        }
        let operations = self.reads.len() + self.changes.len() + self.failures.len();
        let from_l2 = self.reads.iter().filter(|read| read.source() == Some(Source::L2)).count();
        Verdict { operations, violations, added_max, added_p99, from_l2 }
    }

    /// What so many of a thousand reads of a time waited at most beside the origin.
    pub(crate) fn added(&self, from: Duration, until: Duration, of_a_thousand: usize) -> Duration {
        let within = self.reads.iter().filter(|read| (from..until).contains(&read.began));
        let mut added: Vec<_> = within.map(Read::added).collect();
        added.sort();
        quantile(&added, of_a_thousand)
    }

    fn failed(&self, law: &Law, violations: &mut Vec<Violation>) {
        for read in &self.reads {
            if let Err(words) = &read.answer
                && !law.excuses(read.began, read.ended)
            {
                let (path, at, words) = (read.path.clone(), read.began, words.clone());
                violations.push(Violation::Failed { path, at, words });
            }
        }
        for one in self.failures.iter().filter(|one| !law.excuses(one.at, one.at)) {
            let (path, at, words) = (one.path.clone(), one.at, one.words.clone());
            violations.push(Violation::Failed { path, at, words });
        }
    }

    fn told_wrongly(&self, law: &Law, violations: &mut Vec<Violation>) {
        let mut changes: HashMap<&str, Vec<&Change>> = HashMap::new();
        for change in &self.changes {
            changes.entry(&change.path).or_default().push(change);
        }
        for read in &self.reads {
            let Ok(seen) = &read.answer else { continue };
            if seen.path != read.path {
                let (asked, told) = (read.path.clone(), seen.path.clone());
                violations.push(Violation::WrongPath { asked, told });
                continue;
            }
            let changes = changes.get(&*read.path).map_or(&[][..], Vec::as_slice);
            violations.extend(stale(law, read, seen, changes));
            // A write that failed may have been committed, with a version that nobody was told.
            let failed = self.failures.iter().any(|one| one.path == read.path);
            let made = |one: &&Change| one.version == seen.version && one.sent <= read.ended;
            let before = self.before.get(&read.path).copied().unwrap_or(1);
            if seen.version > before && !failed && !changes.iter().any(made) {
                let (path, version) = (read.path.clone(), seen.version);
                violations.push(Violation::Unborn { path, version });
            }
        }
    }
}

/// The newest change that this read should have seen and did not.
fn stale(law: &Law, read: &Read, seen: &Seen, changes: &[&Change]) -> Option<Violation> {
    let newer = changes.iter().filter(|change| change.version > seen.version);
    let owed =
        newer.filter(|change| law.holds_from(change, read).is_some_and(|from| from <= read.began));
    let owed = owed.max_by_key(|change| change.version)?;
    Some(Violation::Stale {
        path: read.path.clone(),
        node: read.node,
        seen: seen.version,
        owed: owed.version,
        late: read.began.saturating_sub(owed.answered),
        source: seen.source,
    })
}

/// The smallest of these, which are in order, that so many of a thousand do not exceed.
fn quantile(sorted: &[Duration], of_a_thousand: usize) -> Duration {
    let at = (sorted.len() * of_a_thousand).div_ceil(1_000).saturating_sub(1);
    sorted.get(at).copied().unwrap_or_default()
}

impl Verdict {
    pub(crate) fn failed(&self) -> usize {
        self.count(|one| matches!(one, Violation::Failed { .. }))
    }

    pub(crate) fn stale(&self) -> usize {
        self.count(|one| matches!(one, Violation::Stale { .. }))
    }

    fn count(&self, is: impl Fn(&Violation) -> bool) -> usize {
        self.violations.iter().filter(|one| is(one)).count()
    }

    /// Nothing happened that must not.
    #[track_caller]
    pub(crate) fn holds(&self) {
        assert!(self.violations.is_empty(), "{self}");
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (all, wrong) = (self.operations, self.violations.len());
        writeln!(f, "{wrong} of {all} operations broke the promise, first:")?;
        self.violations.iter().take(12).try_for_each(|one| writeln!(f, "  {one:?}"))
    }
}

#[cfg(test)]
mod tests;
