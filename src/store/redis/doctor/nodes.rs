//! A cluster: whether it serves, has all slots, and could lose any master.

use std::collections::HashMap;

use super::visit::Visit;
use super::{Finding, Report, problem, state, warning, well};
use crate::store::redis::cluster;
use crate::store::redis::config::Address;
use crate::store::redis::link::Role;
use crate::store::redis::slot::SLOTS;
use crate::store::redis::topology::View;
use crate::store::redis::way::Way;

/// Who the nodes are, by the word of the first that answers; nothing where none does.
pub(super) async fn ask(way: &Way, named: &[Address], report: &mut Report) -> Option<View> {
    match cluster::ask(way, named, true).await {
        Ok(view) => {
            report.is_reached = true;
            report.add("servers", [slots(&view), replicas(&view)]);
            for node in named.iter().filter(|node| !is_in(&view, node)) {
                // One that is in the view is visited anyway.
                let place = node.to_string();
                if let Err(fault) = Visit::open(way, node).await {
                    report.add(&place, [state::unreached(Role::Replica, &fault, way.timeout)]);
                }
            }
            Some(view)
        }
        Err(fault) => {
            let remedy = "see that the nodes run, are a cluster (cluster-enabled yes), and that \
                          the settings name at least one of them";
            report.add("servers", [problem("cluster", fault.to_string(), remedy)]);
            None
        }
    }
}

fn is_in(view: &View, node: &Address) -> bool {
    view.0.iter().any(|shard| shard.master == *node || shard.replicas.contains(node))
}

fn slots(view: &View) -> Finding {
    let ranges = view.0.iter().flat_map(|shard| &shard.ranges);
    let taken: u32 = ranges.map(|(first, last)| u32::from(last - first) + 1).sum();
    let masters = view.0.len();
    if taken == u32::from(SLOTS) {
        return well("slots", format!("all {SLOTS} on {masters} masters"));
    }
    let found = format!("{taken} of {SLOTS} on {masters} masters");
    problem("slots", found, "redis-cli --cluster fix HOST:PORT, or bring the missing master back")
}

fn replicas(view: &View) -> Finding {
    let alone = view.0.iter().filter(|shard| shard.replicas.is_empty());
    let alone: Vec<String> = alone.map(|shard| shard.master.to_string()).collect();
    if alone.is_empty() {
        return well("replicas", "every master has one that can take over");
    }
    let remedy = "redis-cli --cluster add-node NEW:PORT HOST:PORT --cluster-slave";
    warning("replicas", format!("none for {}", alone.join(", ")), remedy)
}

/// How one master sees the cluster.
pub(super) async fn state(visit: &Visit) -> Finding {
    match visit.ask::<String>(&["CLUSTER", "INFO"]).await {
        Ok(said) => seen(&said),
        Err(fault) => {
            let remedy = "allow CLUSTER INFO to this user: a connection begins with it";
            problem("cluster", format!("CLUSTER INFO could not be read: {fault}"), remedy)
        }
    }
}

fn seen(said: &str) -> Finding {
    let lines: HashMap<&str, &str> =
        said.lines().filter_map(|line| line.trim_end().split_once(':')).collect();
    let of = |name: &str| lines.get(name).copied().unwrap_or("unknown");
    let found = format!(
        "state {}, slots {} ok, {} doubted, {} failed, {} nodes known",
        of("cluster_state"),
        of("cluster_slots_ok"),
        of("cluster_slots_pfail"),
        of("cluster_slots_fail"),
        of("cluster_known_nodes")
    );
    if !cluster::serves(said) {
        let remedy = "bring the missing nodes back; `redis-cli --cluster check` names them";
        return problem("cluster", found, remedy);
    }
    if of("cluster_slots_pfail") != "0" || of("cluster_slots_fail") != "0" {
        let remedy = "a master does not answer: see whether its replica takes over";
        return warning("cluster", found, remedy);
    }
    well("cluster", found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::redis::doctor::Severity;
    use crate::store::redis::topology::Shard;

    fn at(port: u16) -> Address {
        Address { host: "h".to_owned(), port }
    }

    fn shard(port: u16, replicas: &[u16], range: (u16, u16)) -> Shard {
        let replicas = replicas.iter().map(|port| at(*port)).collect();
        Shard { master: at(port), replicas, ranges: vec![range] }
    }

    #[test]
    fn a_gap_in_the_slots_and_a_master_alone_are_found() {
        let whole = View(vec![shard(1, &[2], (0, 8_000)), shard(3, &[4], (8_001, SLOTS - 1))]);
        assert_eq!(slots(&whole), well("slots", "all 16384 on 2 masters"));
        assert_eq!(replicas(&whole).severity, Severity::Ok);
        let torn = View(vec![shard(1, &[2], (0, 8_000)), shard(3, &[], (8_002, SLOTS - 1))]);
        assert_eq!(slots(&torn).severity, Severity::Problem);
        assert!(slots(&torn).found.starts_with("16383 of 16384"));
        assert_eq!(replicas(&torn).found, "none for h:3");
        assert!(is_in(&torn, &at(2)) && !is_in(&torn, &at(4)));
    }

    #[test]
    fn a_node_that_sees_trouble_is_believed() {
        let said = |state: &str, doubted: u64| {
            format!(
                "cluster_state:{state}\r\ncluster_slots_ok:16384\r\ncluster_slots_pfail:{doubted}\
                 \r\ncluster_slots_fail:0\r\ncluster_known_nodes:6\r\n"
            )
        };
        assert_eq!(seen(&said("ok", 0)).severity, Severity::Ok);
        assert_eq!(seen(&said("ok", 9)).severity, Severity::Warning);
        assert_eq!(seen(&said("fail", 0)).severity, Severity::Problem);
    }
}
