//! A master, its replica, and three sentinels that watch over them.

use std::fs;
use std::time::Duration;

use super::{Server, folder, holds_within, until};

/// The name under which the sentinels know the master.
pub(crate) const SERVICE: &str = "cistern";

/// How long a failover may take here: half a second until the master counts as down, a vote, and
/// the sentinels' own pace of one look a second.
const FAILOVER: Duration = Duration::from_secs(30);

/// The five of them.
pub(crate) struct Trio {
    servers: [Server; 2],
    sentinels: Vec<Server>,
}

impl Trio {
    /// Starts all five, the two servers with these options, and waits until they know each other.
    pub(crate) fn start(options: &[&str]) -> Self {
        let master = Server::with(options);
        let port = master.port().to_string();
        let replica = Server::with(&[options, &["--replicaof", "127.0.0.1", &port]].concat());
        until("the replica follows", || replica.info("master_link_status") == "up");
        let sentinels = (0..3).map(|_| watching(&port, options)).collect();
        let trio = Self { servers: [master, replica], sentinels };
        trio.know_each_other();
        trio
    }

    /// Where a client finds the master by asking the sentinels.
    pub(crate) fn url(&self) -> String {
        let all: Vec<_> = self.sentinels.iter().map(Server::address).collect();
        format!("redis+sentinel://{}/{SERVICE}/0", all.join(","))
    }

    /// The port of the master, by the word of the first sentinel.
    pub(crate) fn master_port(&self) -> u16 {
        named_by(&self.sentinels[0])
    }

    /// The master, by the word of the first sentinel.
    pub(crate) fn master(&self) -> &Server {
        let port = self.master_port();
        self.servers.iter().find(|one| one.port() == port).expect("one of the two is the master")
    }

    /// The one that is not the master.
    pub(crate) fn replica(&self) -> &Server {
        let port = self.master_port();
        self.servers.iter().find(|one| one.port() != port).expect("one of the two is the replica")
    }

    /// The master dies.
    pub(crate) fn kill_master(&mut self) {
        let port = self.master_port();
        self.servers.iter_mut().find(|one| one.port() == port).expect("the master").kill();
    }

    /// Whoever is dead comes back, and follows the master once a sentinel has seen it.
    pub(crate) fn revive(&mut self) {
        for server in self.servers.iter_mut().filter(|one| one.program.is_none()) {
            server.restart();
        }
        until("the replica follows again", || {
            self.replica().asked(&["INFO", "replication"]).contains("master_link_status:up")
        });
    }

    /// The replica takes over at once, while the master lives.
    pub(crate) fn fail_over(&self) {
        let before = self.master_port();
        // A sentinel that saw a change just now may say that it is not yet time.
        let told = || self.sentinels[0].asked(&["SENTINEL", "FAILOVER", SERVICE]) == "OK";
        until("the sentinel begins a failover", told);
        self.failed_over(before);
    }

    /// Waits until all sentinels name another master, which takes writes.
    pub(crate) fn failed_over(&self, before: u16) {
        let done = || {
            let port = self.master_port();
            port != before
                && self.sentinels.iter().all(|one| named_by(one) == port)
                && self.master().asked(&["ROLE"]).starts_with("master")
        };
        assert!(holds_within(FAILOVER, done), "no sentinel made the replica the master");
    }

    fn know_each_other(&self) {
        until("the sentinels know each other and the replica", || {
            self.sentinels.iter().all(|one| {
                let said = one.cli(&["SENTINEL", "MASTER", SERVICE]);
                let lines: Vec<_> = said.lines().collect();
                let told = |name: &str| {
                    let at = lines.iter().position(|line| *line == name);
                    at.and_then(|at| lines.get(at + 1)).copied().unwrap_or_default()
                };
                told("flags") == "master"
                    && told("num-slaves") == "1"
                    && told("num-other-sentinels") == "2"
            })
        });
    }
}

/// The port of the master, by the word of one sentinel.
fn named_by(sentinel: &Server) -> u16 {
    let said = sentinel.cli(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE]);
    said.lines().nth(1).and_then(|port| port.parse().ok()).expect("an address of a master")
}

/// A sentinel of the master on this port, which speaks TLS if the master does.
fn watching(port: &str, options: &[&str]) -> Server {
    let lines = format!(
        "sentinel monitor {SERVICE} 127.0.0.1 {port} 2\n\
         sentinel down-after-milliseconds {SERVICE} 500\n\
         sentinel failover-timeout {SERVICE} 2000\n\
         sentinel parallel-syncs {SERVICE} 1\n"
    );
    let folder = folder();
    // A sentinel keeps what it learns in this file.
    fs::write(folder.join("sentinel.conf"), lines).expect("a file that can be written");
    let tls = options.chunks(2).filter(|option| option[0].starts_with("--tls-")).flatten();
    let words = ["sentinel.conf", "--sentinel"].iter().chain(tls);
    Server::found(folder, words.map(|word| (*word).to_owned()).collect())
}
