//! A cluster of three masters, with and without replicas: who has which slot, what happens when
//! one moves, and when a master dies.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::config::{Address, Config, Layout};
use super::super::samples::{AMPLE, Redis, Tended, config, free_pair, wait_for};
use super::super::{Server, Slot, TierFault, Told};

/// Nodes that know each other; the first three have a third of the slots each, the others are
/// replicas of those in turn.
struct Cluster(Vec<Redis>);

const THIRDS: [(&str, &str); 3] = [("0", "5460"), ("5461", "10922"), ("10923", "16383")];

impl Cluster {
    fn start(nodes: usize) -> Self {
        let options = ["--cluster-enabled", "yes", "--cluster-node-timeout", "1000"];
        let start = |_| Redis::start_at(free_pair(), &options).ready();
        let cluster = Self((0..nodes).map(start).collect());
        for (node, (first, last)) in cluster.0.iter().zip(THIRDS) {
            let () = node.ask(&["CLUSTER", "ADDSLOTSRANGE", first, last]).unwrap();
        }
        for node in &cluster.0[1..] {
            let port = node.port().to_string();
            let () = cluster.0[0].ask(&["CLUSTER", "MEET", "127.0.0.1", &port]).unwrap();
        }
        for (index, replica) in cluster.0.iter().enumerate().skip(3) {
            let master = cluster.id(index % 3);
            wait_for("an acquaintance", || {
                replica.ask::<()>(&["CLUSTER", "REPLICATE", &master]).ok()
            });
        }
        for node in &cluster.0 {
            wait_for("a cluster", || {
                let info: String = node.ask(&["CLUSTER", "INFO"]).unwrap();
                let known = format!("cluster_known_nodes:{nodes}\r");
                (info.contains("cluster_state:ok") && info.contains(&known)).then_some(())
            });
        }
        cluster
    }

    fn id(&self, index: usize) -> String {
        self.0[index].ask(&["CLUSTER", "MYID"]).unwrap()
    }

    /// Settings that name one node.
    fn config(&self, index: usize) -> Config {
        config(Layout::Cluster(vec![self.0[index].address()]))
    }

    fn addresses(&self, indexes: &[usize]) -> BTreeSet<Address> {
        indexes.iter().map(|index| self.0[*index].address()).collect()
    }
}

fn get(key: &str) -> redis::Cmd {
    let mut cmd = redis::Cmd::new();
    cmd.arg("GET").arg(key);
    cmd
}

fn master(tended: &Tended, key: &str) -> Arc<Server> {
    tended.servers.master(Slot::of(key.as_bytes())).unwrap()
}

#[tokio::test]
async fn every_key_has_its_master() {
    let cluster = Cluster::start(3);
    let tended = Tended::new(&cluster.config(1));
    tended.up(3);
    assert!(tended.servers.is_cluster());
    let masters = tended.servers.masters();
    let there: BTreeSet<_> = masters.iter().map(|master| master.address().clone()).collect();
    assert_eq!(there, cluster.addresses(&[0, 1, 2]));
    let mut used = BTreeSet::new();
    for number in 0..100 {
        let key = format!("key {number}");
        let server = master(&tended, &key);
        used.insert(server.address().clone());
        let mut set = redis::Cmd::new();
        set.arg("SET").arg(&key).arg(number);
        let () = server.call(&set, AMPLE).await.unwrap();
        let slot: u16 = cluster.0[0].ask(&["CLUSTER", "KEYSLOT", &key]).unwrap();
        assert_eq!(Slot::of(key.as_bytes()).number(), slot);
    }
    assert_eq!(used.len(), 3);
    assert!(tended.servers.replica(Slot::of(b"a")).is_none());
}

#[tokio::test]
async fn a_slot_that_moves_is_found() {
    let cluster = Cluster::start(3);
    let tended = Tended::new(&cluster.config(0));
    tended.up(3);
    let before = master(&tended, "foo");
    assert_eq!(*before.address(), cluster.0[2].address());
    // The new owner first; the one that is named in the settings learns of it by gossip.
    let new = cluster.id(0);
    for node in [0, 2] {
        let () = cluster.0[node].ask(&["CLUSTER", "SETSLOT", "12182", "NODE", &new]).unwrap();
    }
    assert_eq!(before.call::<()>(&get("foo"), AMPLE).await, Err(TierFault::Moved));
    wait_for("the new master", || {
        (*master(&tended, "foo").address() == cluster.0[0].address()).then_some(())
    });
    tended.up(3);
    assert_eq!(master(&tended, "foo").call::<Option<String>>(&get("foo"), AMPLE).await, Ok(None));
    // The neighbours stayed where they were, and so did the servers.
    let neighbour = tended.servers.master(Slot::new(12_183).unwrap()).unwrap();
    assert!(Arc::ptr_eq(&neighbour, &before));
    assert!(before.is_up(), "moving is no fault");
}

#[tokio::test]
async fn replicas_are_read_where_that_is_wanted() {
    let cluster = Cluster::start(6);
    let mut wanted = cluster.config(0);
    wanted.replicas = true;
    let tended = Tended::new(&wanted);
    tended.up(3);
    let slot = Slot::of(b"foo");
    // A replica is named once it is in step, which may be after the first question.
    let replica = wait_for("a replica", || {
        tended.servers.suspect();
        tended.servers.replica(slot)
    });
    assert_eq!(*replica.address(), cluster.0[5].address());
    let mut set = redis::Cmd::new();
    set.arg("SET").arg("foo").arg("there");
    let () = master(&tended, "foo").call(&set, AMPLE).await.unwrap();
    let mut read = None;
    while read.is_none() {
        read = replica.call::<Option<String>>(&get("foo"), AMPLE).await.unwrap();
    }
    assert_eq!(read.as_deref(), Some("there"));
    assert_eq!(replica.call::<()>(&set, AMPLE).await, Err(TierFault::Moved));
}

#[tokio::test]
async fn a_master_that_dies_is_replaced_by_its_replica() {
    let mut cluster = Cluster::start(6);
    let tended = Tended::new(&cluster.config(0));
    tended.up(3);
    wait_for("replicas in step", || {
        let said: String = cluster.0[2].ask(&["INFO", "replication"]).unwrap();
        said.contains("state=online").then_some(())
    });
    cluster.0[2].kill();
    let heir = cluster.0[5].address();
    wait_for("the heir", || {
        let now = tended.servers.master(Slot::of(b"foo")).ok()?;
        (now.is_up() && *now.address() == heir).then_some(())
    });
    tended.up(3);
    assert_eq!(master(&tended, "foo").call::<Option<String>>(&get("foo"), AMPLE).await, Ok(None));
}

#[tokio::test]
async fn without_a_cluster_nobody_is_asked() {
    let alone = Redis::start_at(free_pair(), &["--cluster-enabled", "yes"]).ready();
    let tended = Tended::new(&config(Layout::Cluster(vec![alone.address()])));
    let why = wait_for("word of it", || {
        tended.told().into_iter().find_map(|what| match what {
            Told::Unfound { why } => Some(why),
            _ => None,
        })
    });
    assert!(why.contains("no slot is assigned"), "{why}");
    assert_eq!(tended.servers.master(Slot::of(b"a")).err(), Some(TierFault::Unserved));
    let () = alone.ask(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]).unwrap();
    tended.up(1);
}
