//! A Redis Cluster of three masters and three replicas.

use std::process::Command;
use std::time::Duration;

use super::{Server, holds_within, is_refusal, until};

/// How long a replica may take to stand in for its master: a second until the master counts as
/// failed, a vote, and room for a machine that does other things.
const FAILOVER: Duration = Duration::from_secs(30);

/// The six of them.
pub(crate) struct Cluster {
    pub(crate) servers: Vec<Server>,
}

/// What one node of the cluster knows of another.
struct Member {
    port: u16,
    flags: String,
    slots: Vec<String>,
}

impl Cluster {
    /// Starts all six, joins them, and waits until each says that all is well.
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// The same, each with these options.
    pub(crate) fn with(options: &[&str]) -> Self {
        let words = [&OPTIONS, options].concat();
        let cluster = Self { servers: (0..6).map(|_| Server::with(&words)).collect() };
        let mut command = Command::new("redis-cli");
        command.args(["--cluster", "create"]);
        command.args(cluster.servers.iter().map(Server::address));
        command.args(["--cluster-replicas", "1", "--cluster-yes"]);
        command.args(super::tls::client_words(&cluster.servers[0].words));
        let said = command.output().unwrap_or_else(|error| panic!("redis-cli: {error}"));
        assert!(said.status.success(), "no cluster: {}", String::from_utf8_lossy(&said.stdout));
        cluster.settled();
        cluster.wait_for_replicas();
        cluster
    }

    /// Where a client finds it.
    pub(crate) fn url(&self) -> String {
        let all: Vec<_> = self.servers.iter().map(Server::address).collect();
        format!("redis+cluster://{}", all.join(","))
    }

    /// What the cluster says to a command about a key, whoever owns its slot.
    #[track_caller]
    pub(crate) fn cli(&self, words: &[&str]) -> String {
        let entry = self.servers.iter().find(|one| one.program.is_some()).expect("one lives");
        let said = entry.asked(&[&["-c"], words].concat());
        assert!(!is_refusal(&said), "{words:?}: {said}");
        said
    }

    /// Every key that fits the pattern, on every master that lives.
    pub(crate) fn keys(&self, pattern: &str) -> Vec<String> {
        let masters = (0..self.servers.len()).filter(|at| self.is_master(*at));
        masters.flat_map(|at| self.servers[at].keys(pattern)).collect()
    }

    pub(crate) fn slot_of(&self, key: &str) -> u16 {
        self.cli(&["CLUSTER", "KEYSLOT", key]).parse().expect("a number")
    }

    /// Which server owns a slot, as a place in `servers`.
    pub(crate) fn owner_of(&self, slot: u16) -> usize {
        let owner = self.members().into_iter().find(|one| one.owns(slot)).expect("it is covered");
        self.at(owner.port)
    }

    /// Whether a server lives and is a master.
    pub(crate) fn is_master(&self, at: usize) -> bool {
        let server = &self.servers[at];
        server.program.is_some() && server.asked(&["ROLE"]).starts_with("master")
    }

    /// Moves a slot with all its keys to another master, the way an operator's tool does: key by
    /// key, while clients ask.
    pub(crate) fn move_slot(&self, slot: u16, to: usize) {
        let from = self.owner_of(slot);
        self.begin_move(slot, from, to);
        while self.move_keys(slot, from, to, 10) > 0 {}
        self.end_move(slot, from, to);
    }

    /// From here on new keys of the slot belong to the new owner and old ones are still asked for
    /// at the old one.
    pub(crate) fn begin_move(&self, slot: u16, from: usize, to: usize) {
        let (slot, ids) = (slot.to_string(), (self.id(from), self.id(to)));
        self.servers[to].cli(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &ids.0]);
        self.servers[from].cli(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &ids.1]);
    }

    /// Moves up to so many keys, and tells how many.
    pub(crate) fn move_keys(&self, slot: u16, from: usize, to: usize, count: usize) -> usize {
        let (slot, count) = (slot.to_string(), count.to_string());
        let keys = self.servers[from].cli(&["CLUSTER", "GETKEYSINSLOT", &slot, &count]);
        let keys: Vec<_> = keys.lines().filter(|key| !key.is_empty()).collect();
        if keys.is_empty() {
            return 0;
        }
        let port = self.servers[to].port().to_string();
        let head = ["MIGRATE", "127.0.0.1", &port, "", "0", "5000", "REPLACE", "KEYS"];
        let said = self.servers[from].cli(&[&head, &*keys].concat());
        // A key that expired meanwhile is gone as well.
        assert!(said == "OK" || said == "NOKEY", "{said}");
        keys.len()
    }

    /// The slot is the new owner's.
    pub(crate) fn end_move(&self, slot: u16, from: usize, to: usize) {
        let (slot, id) = (slot.to_string(), self.id(to));
        // The new owner first: a slot that nobody owns would fail requests.
        self.servers[to].cli(&["CLUSTER", "SETSLOT", &slot, "NODE", &id]);
        self.servers[from].cli(&["CLUSTER", "SETSLOT", &slot, "NODE", &id]);
    }

    pub(crate) fn kill(&mut self, at: usize) {
        self.servers[at].kill();
    }

    /// Starts a dead one again.
    pub(crate) fn revive(&mut self, at: usize) {
        self.servers[at].restart();
    }

    /// Waits until the others have put somebody in the place of a master that is dead or frozen.
    pub(crate) fn failed_over(&self, dead: usize) {
        let port = self.servers[dead].port();
        let healed = |server: &Server| {
            let members = Member::all(&server.asked(&["CLUSTER", "NODES"]));
            let owned: Vec<_> = members.iter().filter(|one| !one.slots.is_empty()).collect();
            owned.len() >= 3
                && owned.iter().all(|one| one.port != port)
                && server.asked(&["CLUSTER", "INFO"]).contains("cluster_state:ok")
        };
        let lives = || self.servers.iter().filter(|one| one.program.is_some() && one.port != port);
        assert!(holds_within(FAILOVER, || lives().all(healed)), "nobody took the place of {port}");
    }

    /// Waits until all that live say that every slot is covered, and agree on who owns what.
    pub(crate) fn settled(&self) {
        until("the cluster is well", || {
            let lives = self.servers.iter().filter(|one| one.program.is_some());
            let mut views: Vec<_> = lives.map(view).collect();
            views.dedup();
            matches!(&*views, [Some(_)])
        });
    }

    /// Waits until every replica that lives follows its master.
    pub(crate) fn wait_for_replicas(&self) {
        until("every replica follows", || {
            let lives = self.servers.iter().filter(|one| one.program.is_some());
            lives.filter(|one| one.info("role") == "slave").all(|one| {
                one.info("master_link_status") == "up" && one.info("master_sync_in_progress") == "0"
            })
        });
    }

    fn id(&self, at: usize) -> String {
        self.servers[at].cli(&["CLUSTER", "MYID"])
    }

    fn at(&self, port: u16) -> usize {
        self.servers.iter().position(|one| one.port() == port).expect("one of ours")
    }

    fn members(&self) -> Vec<Member> {
        Member::all(&self.cli(&["CLUSTER", "NODES"]))
    }
}

/// Who owns what, as one server sees it; none while something is amiss.
fn view(server: &Server) -> Option<Vec<(u16, Vec<String>)>> {
    let well = server.asked(&["CLUSTER", "INFO"]).contains("cluster_state:ok");
    let members = Member::all(&server.asked(&["CLUSTER", "NODES"]));
    let mut owned: Vec<_> = members.into_iter().map(|one| (one.port, one.slots)).collect();
    owned.retain(|(_, slots)| !slots.is_empty());
    owned.sort();
    (well && owned.len() >= 3).then_some(owned)
}

impl Member {
    /// Reads `CLUSTER NODES`.
    fn all(text: &str) -> Vec<Self> {
        text.lines().filter_map(Self::read).collect()
    }

    fn read(line: &str) -> Option<Self> {
        let words: Vec<_> = line.split(' ').collect();
        let address = words.get(1)?.split('@').next()?;
        let (_, port) = address.rsplit_once(':')?;
        let slots = words.get(8..).unwrap_or_default().iter();
        Some(Self {
            port: port.parse().ok()?,
            flags: (*words.get(2)?).to_owned(),
            // What is on its way stands in brackets and counts for nobody.
            slots: slots.filter(|one| !one.starts_with('[')).map(|one| (*one).to_owned()).collect(),
        })
    }

    fn owns(&self, slot: u16) -> bool {
        let within = |range: &String| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let bounds = first.parse().ok().zip(last.parse().ok());
            bounds.is_some_and(|(first, last): (u16, u16)| (first..=last).contains(&slot))
        };
        self.flags.contains("master") && self.slots.iter().any(within)
    }
}

const OPTIONS: [&str; 6] = [
    "--cluster-enabled",
    "yes",
    "--cluster-node-timeout",
    "1000",
    // A replica that was busy elsewhere for a moment may still stand in.
    "--cluster-replica-validity-factor",
    "0",
];
