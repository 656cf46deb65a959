//! The shared level over TLS, with a certificate of each client: behind sentinels and in a cluster,
//! answers are shared, and a failover is survived.

use std::cell::RefCell;

use crate::support::cistern::in_front_of;
use crate::support::fleet::{Fleet, with_budget};
use crate::support::redis::cluster::Cluster;
use crate::support::redis::sentinel::Trio;
use crate::support::redis::tls::Certificates;
use crate::support::redis::{Server, until};
use crate::support::traffic::Run;
use crate::support::trial::{BUDGET, LEASE, Reach, Trial};
use crate::support::versions::Versions;

/// The settings of a node that reaches a level over TLS and shows who it is.
fn settings(url: &str, certificates: &Certificates) -> String {
    let url = url.replacen("redis", "rediss", 1);
    let settings = with_budget(&url, &format!("{}ms", BUDGET.as_millis()));
    settings + &certificates.authority() + &certificates.identity()
}

fn fleet(url: &str, certificates: &Certificates, origin: &Versions) -> Fleet {
    let settings = settings(url, certificates);
    Fleet::start((0..3).map(|_| in_front_of(origin.address()).config(&settings)))
}

fn trial<'a>(name: &'static str, origin: &'a Versions, fleet: &Fleet) -> Trial<'a> {
    // How long reads wait in the trouble is measured where no handshakes take this machine's time.
    Trial { name, origin, nodes: fleet.addresses(), reach: Reach::Content, orphaned: LEASE }
}

#[test]
fn behind_sentinels_a_failover_is_survived() {
    let (certificates, origin) = (Certificates::make(), Versions::start());
    let options = certificates.options();
    let options: Vec<_> = options.iter().map(String::as_str).collect();
    let trio = RefCell::new(Trio::start(&options));
    let fleet = fleet(&trio.borrow().url(), &certificates, &origin);
    let before = trio.borrow().master_port();
    let kill = |_: &Run| trio.borrow_mut().kill_master();
    let heal = || trio.borrow().failed_over(before);
    trial("TLS: master killed, failed over", &origin, &fleet).play(kill, heal);
}

#[test]
fn in_a_cluster_a_failover_is_survived() {
    let (certificates, origin) = (Certificates::make(), Versions::start());
    let options = certificates.options();
    let options: Vec<_> = options.iter().map(String::as_str).collect();
    let cluster = RefCell::new(Cluster::with(&options));
    let fleet = fleet(&cluster.borrow().url(), &certificates, &origin);
    fleet.is_one_on_all_servers();
    let dead = cluster.borrow().owner_of(cluster.borrow().slot_of("cistern:{c}:head"));
    let kill = |_: &Run| cluster.borrow_mut().kill(dead);
    let heal = || cluster.borrow().failed_over(dead);
    trial("TLS: cluster: the ordering master killed", &origin, &fleet).play(kill, heal);
}

#[test]
fn without_a_certificate_a_node_serves_alone_and_says_why() {
    let (certificates, origin) = (Certificates::make(), Versions::start());
    let options = certificates.options();
    let options: Vec<_> = options.iter().map(String::as_str).collect();
    let redis = Server::with(&options);
    let known = settings(&redis.url(), &certificates);
    let unknown = known.replace(&certificates.identity(), "");
    let fleet = Fleet::start([in_front_of(origin.address()).config(&known)]);
    let stranger = in_front_of(origin.address()).config(&unknown).start();
    for node in [&fleet.nodes[0], &stranger] {
        node.get("/a").with_status(200).served_by_origin();
    }
    let says = || stranger.log_so_far().lines().any(|line| line.contains(" REDIS down "));
    until("it says that it cannot get through", says);
    assert!(!stranger.log_so_far().contains(" REDIS joined "), "it joined all the same");
    assert!(fleet.nodes[0].log_so_far().contains(" REDIS joined "));
}
