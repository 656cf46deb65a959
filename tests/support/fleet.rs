//! Several nodes before one origin that share one level.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::caller::Caller;
use crate::support::cistern::{Cistern, Setup, in_front_of};
use crate::support::client::{Answer, Ask};
use crate::support::history::Source;
use crate::support::redis::{Server, holds_within, until};

/// The bound on what a node may not have heard, short enough for stories.
pub(crate) const LAG_MAX: Duration = Duration::from_millis(500);

/// What scheduling may add to that on a machine that runs other stories at the same time.
pub(crate) const SLACK: Duration = Duration::from_millis(400);

/// The settings of a node that shares a level at `url`. Two processors that play several stories
/// need more time for one call than a server that does nothing else.
pub(crate) fn settings(url: &str) -> String {
    with_budget(url, "500ms")
}

/// The same, with what a request may wait for one call.
pub(crate) fn with_budget(url: &str, budget: &str) -> String {
    format!(
        "[purge]\nnetworks = [\"127.0.0.0/8\"]\n\
         [l2]\nurl = \"{url}\"\nbudget = \"{budget}\"\nlag_max = \"{}ms\"\n",
        LAG_MAX.as_millis()
    )
}

/// So many keys that one is on each of three servers.
const MANY: usize = 24;

/// Nodes that run.
pub(crate) struct Fleet {
    pub(crate) nodes: Vec<Cistern>,
}

impl Fleet {
    /// So many nodes without rules, all in it.
    pub(crate) fn of(count: usize, origin: &str, url: &str) -> Self {
        Self::start((0..count).map(|_| in_front_of(origin).config(&settings(url))))
    }

    /// So many nodes with rules, all in it.
    pub(crate) fn ruled(count: usize, origin: &str, url: &str, rules: &str) -> Self {
        Self::start((0..count).map(|_| in_front_of(origin).config(&settings(url)).rules(rules)))
    }

    /// Starts these, and waits until each finds in the shared level what the others put there.
    pub(crate) fn start(nodes: impl IntoIterator<Item = Setup>) -> Self {
        let fleet = Self { nodes: nodes.into_iter().map(Setup::start).collect() };
        fleet.is_one();
        fleet
    }

    pub(crate) fn addresses(&self) -> Vec<String> {
        self.nodes.iter().map(|node| node.address().to_owned()).collect()
    }

    /// Waits until each node finds in the shared level what the others put there.
    #[track_caller]
    pub(crate) fn is_one(&self) {
        let addresses = self.addresses();
        until("every node uses the shared level", || shares(&addresses));
        if let [alone] = &self.nodes[..] {
            until("it has joined", || has_joined(&alone.log_so_far()));
        }
    }

    /// Waits until each node finds what another put there, whichever server of a cluster has it: a
    /// node believes a server's answers when it has learned what that server may have lost.
    #[track_caller]
    pub(crate) fn is_one_on_all_servers(&self) {
        let nodes = self.addresses();
        let pairs = || nodes.iter().zip(nodes.iter().cycle().skip(1));
        let found = || pairs().all(|(node, other)| finds(node, other, MANY));
        until("every node uses every server", found);
    }

    /// Sends the same to each node, the first one first.
    pub(crate) fn each(&self, ask: &Ask) -> Vec<Answer> {
        self.nodes.iter().map(|node| node.send(ask)).collect()
    }

    /// Every node answers with this version within the bound, and never with an older one again.
    #[track_caller]
    pub(crate) fn all_tell(&self, target: &str, version: u64) {
        for node in &self.nodes {
            let told = || node.get(target).with_status(200).json()["version"] == version;
            assert!(holds_within(LAG_MAX + SLACK, told), "{target} is old on {}", node.address());
            assert!((0..5).all(|_| told()), "{target} came back old on {}", node.address());
        }
    }
}

/// How long it takes until every node finds in the shared level what the others put there; none if
/// that does not happen within a time.
pub(crate) fn time_to_share(addresses: &[String], within: Duration) -> Option<Duration> {
    let began = std::time::Instant::now();
    holds_within(within, || shares(addresses)).then(|| began.elapsed())
}

/// Whether every node purges for all, and finds in the shared level what the one before has just
/// put there. Asks for objects that no story asks for, so the origin must know every path.
fn shares(addresses: &[String]) -> bool {
    let others = addresses.iter().skip(1).zip(addresses);
    let pairs = || others.chain(addresses.first().zip(addresses.last()));
    addresses.iter().all(|node| purges_for_all(node))
        && (addresses.len() == 1 || pairs().all(|(node, other)| finds(node, other, 1)))
}

/// Whether the log of a node that nobody can be asked about says that it takes part: its purges
/// have their numbers a moment before.
fn has_joined(log: &str) -> bool {
    let since = log.rsplit_once(" START ").map_or(log, |(_, since)| since);
    let (joined, down) = (since.rfind(" REDIS joined "), since.rfind(" REDIS down "));
    joined.is_some() && joined > down
}

/// Whether one node finds what another has fetched, so many answers. Only the first question for
/// each tells: asking makes it keep a copy of its own.
fn finds(node: &str, other: &str, count: usize) -> bool {
    let paths: Vec<_> = (0..count).map(|_| probe()).collect();
    let (mut node, mut other) = (Caller::of(node), Caller::of(other));
    let puts = |path: &String| other.asks("GET", path).is_ok_and(|told| told.status == 200);
    if !paths.iter().all(puts) {
        return false;
    }
    // Nobody waits until the shared level has taken an answer.
    std::thread::sleep(Duration::from_millis(20));
    let is_there = |told: crate::support::caller::Told| told.source() == Source::L2;
    // All are asked for, so that each server is.
    paths.iter().filter(|path| node.asks("GET", path).is_ok_and(is_there)).count() == count
}

fn purges_for_all(node: &str) -> bool {
    let told = Caller::of(node).asks("PURGE", &probe());
    told.is_ok_and(|told| told.member("level").is_some_and(|level| level != "local"))
}

fn probe() -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    format!("/probes/{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// The keys of the entries that a server holds.
pub(crate) fn entries(server: &Server) -> Vec<String> {
    server.keys("cistern:e:{*")
}

/// Waits until a server holds so many entries of those whose keys contain a word.
#[track_caller]
pub(crate) fn stored(server: &Server, word: &str, count: usize) {
    let held = || entries(server).iter().filter(|key| key.contains(word)).count() == count;
    until(&format!("{count} entries of {word} in the shared level"), held);
}
