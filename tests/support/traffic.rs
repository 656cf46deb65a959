//! Traffic through several nodes: clients that read and change the objects of a
//! [`Versions`] origin until the story ends it, and a history of all of it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::caller::{Caller, Told};
use crate::support::history::{Change, Failure, History, Level, Read, Seen};
use crate::support::redis::until;
use crate::support::versions::Versions;

/// Who asks what, how fast.
pub(crate) struct Traffic<'a> {
    pub(crate) nodes: Vec<String>,
    pub(crate) origin: &'a Versions,
    /// How many objects there are.
    pub(crate) paths: u64,
    pub(crate) threads: u64,
    /// What each thread rests between two questions: without it all time would go into asking, and
    /// waiting for the machine would count as waiting for a node.
    pub(crate) rest: Duration,
    /// One of so many questions is a change.
    pub(crate) change_in: u64,
}

/// Traffic that runs.
pub(crate) struct Run {
    began: Instant,
    count: AtomicUsize,
    ended: AtomicBool,
}

/// More than any story needs, so that a run ends whatever happens.
const OPERATIONS_MAX: usize = 200_000;

impl Run {
    /// The time since it began.
    pub(crate) fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// Waits until so many more questions were answered and so much time has passed.
    #[track_caller]
    pub(crate) fn goes_on(&self, operations: usize, time: Duration) {
        let (from, began) = (self.count.load(Ordering::Relaxed), Instant::now());
        until("so many operations", || {
            let done = self.count.load(Ordering::Relaxed) - from >= operations;
            done && began.elapsed() >= time
        });
    }

    fn goes(&self) -> bool {
        !self.ended.load(Ordering::Relaxed)
            && self.count.fetch_add(1, Ordering::Relaxed) < OPERATIONS_MAX
    }
}

/// Ends the traffic when the story ends, well or not.
struct Ends<'a>(&'a Run);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.ended.store(true, Ordering::Relaxed);
    }
}

impl Traffic<'_> {
    /// Plays a story while clients ask. What happened, and what the story says.
    pub(crate) fn during<T>(&self, story: impl FnOnce(&Run) -> T) -> (History, T) {
        let before = (0..self.paths).map(|number| {
            let path = format!("/objects/{number}");
            let version = self.origin.version(&path);
            (path, version)
        });
        let before = before.collect();
        let run = Run {
            began: Instant::now(),
            count: AtomicUsize::new(0),
            ended: AtomicBool::new(false),
        };
        thread::scope(|scope| {
            let run = &run;
            let clients: Vec<_> = (0..self.threads)
                .map(|number| scope.spawn(move || Client::numbered(number, self, run).ask()))
                .collect();
            let told = {
                let _ends = Ends(run);
                story(run)
            };
            let mut history = History { before, ..History::default() };
            for client in clients {
                let part = client.join().expect("a client never panics");
                history.reads.extend(part.reads);
                history.changes.extend(part.changes);
                history.failures.extend(part.failures);
            }
            (history, told)
        })
    }
}

/// One thread's client, with a connection to each node.
struct Client<'a> {
    traffic: &'a Traffic<'a>,
    run: &'a Run,
    callers: Vec<Caller>,
    dice: Dice,
    history: History,
}

impl<'a> Client<'a> {
    fn numbered(number: u64, traffic: &'a Traffic<'a>, run: &'a Run) -> Self {
        let callers = traffic.nodes.iter().map(|address| Caller::of(address)).collect();
        Self { traffic, run, callers, dice: Dice::new(number), history: History::default() }
    }

    fn ask(mut self) -> History {
        while self.run.goes() {
            let node = self.dice.below(self.callers.len() as u64) as usize;
            let path = format!("/objects/{}", self.dice.below(self.traffic.paths));
            match self.dice.below(self.traffic.change_in * 2) {
                0 => self.writes(node, &path),
                1 => self.purges(node, &path),
                _ => self.reads(node, &path),
            }
            thread::sleep(self.traffic.rest);
        }
        self.history
    }

    fn reads(&mut self, node: usize, path: &str) {
        let began = self.run.now();
        let told = self.callers[node].asks("GET", path);
        let answer = told.and_then(|told| seen(&told));
        let (ended, path) = (self.run.now(), path.to_owned());
        let read = Read { node, path, began, ended, origin: Duration::ZERO, answer };
        self.history.reads.push(read);
    }

    /// A write through the node.
    fn writes(&mut self, node: usize, path: &str) {
        let sent = self.run.now();
        let told = self.callers[node].asks("PUT", path);
        let version = told.and_then(|told| seen(&told)).map(|seen| seen.version);
        self.changed(node, path, sent, version.map(|version| (version, None)));
    }

    /// A change behind the caches, and the purge that tells them.
    fn purges(&mut self, node: usize, path: &str) {
        let sent = self.run.now();
        let version = self.traffic.origin.commit(path);
        // Every third also by what begins so: an order that leaves a fence beside its tombstone.
        let field = match self.dice.below(3) {
            0 => {
                let target = format!("http://api.example{path}");
                format!("X-Purge-Selector: prefix:{target}\r\nX-Purge-Selector: url:{target}\r\n")
            }
            _ => String::new(),
        };
        let told = self.callers[node].asks_with("PURGE", path, &field);
        let level = told.and_then(|told| match told.status {
            200 | 202 | 404 => {
                let level = told.member("level").as_ref().and_then(Value::as_str).map(Level::named);
                level.flatten().ok_or_else(|| format!("a purge without a level: {}", told.text()))
            }
            status => Err(format!("{status} for PURGE: {}", told.text())),
        });
        self.changed(node, path, sent, level.map(|level| (version, Some(level))));
    }

    fn changed(
        &mut self,
        node: usize,
        path: &str,
        sent: Duration,
        made: Result<(u64, Option<Level>), String>,
    ) {
        let (answered, path) = (self.run.now(), path.to_owned());
        match made {
            Ok((version, level)) => {
                let change = Change { node, path, version, sent, answered, level };
                self.history.changes.push(change);
            }
            Err(words) => self.history.failures.push(Failure { path, at: sent, words }),
        }
    }
}

/// What a 200 of the origin tells.
pub(crate) fn seen(told: &Told) -> Result<Seen, String> {
    let path = told.member("path").and_then(|path| path.as_str().map(str::to_owned));
    let version = told.member("version").and_then(|version| version.as_u64());
    match (told.status, path, version) {
        (200, Some(path), Some(version)) => Ok(Seen { path, version, source: told.source() }),
        (status, ..) => Err(format!("{status}: {}", told.text())),
    }
}

/// Numbers that look random and are the same in each run.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        // No seed may be 0, which would stay 0.
        Self((seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::history::{Law, Violation};
    use crate::support::relay::{Relay, Towards, Way};

    /// Clients that ask the origin itself by these ways.
    fn traffic<'a>(origin: &'a Versions, nodes: &[&Relay]) -> Traffic<'a> {
        let nodes = nodes.iter().map(|relay| relay.address()).collect();
        let rest = Duration::from_millis(1);
        Traffic { nodes, origin, paths: 5, threads: 3, rest, change_in: 10 }
    }

    fn law() -> Law {
        Law::of(Duration::ZERO, Duration::ZERO)
    }

    /// What is wrong beside the purges, which an origin refuses.
    fn wrong(history: &History, law: &Law) -> Vec<Violation> {
        let mut all = history.judged_by(law).violations;
        let refused = |one: &Violation| match one {
            Violation::Failed { words, .. } => words.starts_with("405 for PURGE"),
            _ => false,
        };
        assert!(all.iter().any(refused), "{all:?}");
        all.retain(|one| !refused(one));
        all
    }

    #[test]
    fn an_origin_alone_keeps_every_promise() {
        let origin = Versions::start();
        let relays = [Relay::to(origin.address()), Relay::to(origin.address())];
        let traffic = traffic(&origin, &[&relays[0], &relays[1]]);
        let (history, ()) = traffic.during(|run| run.goes_on(400, Duration::ZERO));
        assert!(history.reads.len() > 250 && history.changes.len() > 10);
        let nodes = |node| history.reads.iter().filter(|read| read.node == node).count();
        assert!(nodes(0) > 50 && nodes(1) > 50);
        assert_eq!(wrong(&history, &law()), []);
    }

    #[test]
    fn what_is_cut_is_seen_as_failed() {
        let origin = Versions::start();
        let relay = Relay::to(origin.address());
        let (history, ()) = traffic(&origin, &[&relay]).during(|run| {
            run.goes_on(50, Duration::ZERO);
            relay.becomes(Way::Refuse);
            run.goes_on(50, Duration::ZERO);
            relay.passes();
            run.goes_on(50, Duration::ZERO);
        });
        let failed = wrong(&history, &law());
        assert!(failed.len() >= 20, "{failed:?}");
        assert!(failed.iter().all(|one| matches!(one, Violation::Failed { .. })), "{failed:?}");
        assert!(history.reads.last().is_some_and(|read| read.answer.is_ok()));
    }

    #[test]
    fn what_is_slow_is_seen_as_slow() {
        let origin = Versions::start();
        let relay = Relay::to(origin.address());
        let (history, ()) = traffic(&origin, &[&relay]).during(|run| {
            run.goes_on(50, Duration::ZERO);
            relay.becomes(Way::Hold(Towards::Server));
            run.goes_on(0, Duration::from_millis(200));
            relay.passes();
            run.goes_on(50, Duration::ZERO);
        });
        let law = Law { added_max: Duration::from_millis(100), ..law() };
        let slow = wrong(&history, &law);
        assert!(!slow.is_empty());
        assert!(slow.iter().all(|one| matches!(one, Violation::Slow { .. })), "{slow:?}");
    }
}
