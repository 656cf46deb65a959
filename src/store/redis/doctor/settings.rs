//! Settings of a server that matter here, as far as it tells them.

use super::facts::Facts;
use super::{Finding, warning, well};
use crate::store::redis::way::Standing;

/// Key events: what expired, what was evicted. `A` holds both.
const EVENTS: &str = "notify-keyspace-events";

/// Notifications, persistence, and a cluster's own settings.
pub(super) fn judge(facts: &Facts, standing: Standing) -> Vec<Finding> {
    if let Some(fault) = facts.settings_fault() {
        let found = format!("settings could not be read: {fault}");
        let remedy = "allow CONFIG GET to this user; where the server is managed, see there that \
                      notify-keyspace-events has E, x and e, and under sentinels that \
                      min-replicas-to-write is 1 or more";
        return vec![warning("CONFIG GET", found, remedy)];
    }
    let mut findings = vec![events(facts.setting(EVENTS).unwrap_or_default())];
    findings.push(persistence(facts));
    if standing == Standing::Cluster {
        findings.push(of_cluster(facts));
    }
    findings
}

fn events(set: &str) -> Finding {
    let missing: String = ['E', 'x', 'e']
        .into_iter()
        .filter(|flag| !set.contains(*flag) && (*flag == 'E' || !set.contains('A')))
        .collect();
    if missing.is_empty() {
        return well(EVENTS, set);
    }
    let found = if set.is_empty() { "off".to_owned() } else { format!("{set}, without {missing}") };
    let found = format!("{found}: what Redis lets go of stays in L1 to the end of its time");
    let remedy = format!("CONFIG SET {EVENTS} {set}{missing}, then CONFIG REWRITE");
    warning(EVENTS, found, remedy)
}

/// Either way is right: a server that comes back with nothing, or with old data, is found out.
fn persistence(facts: &Facts) -> Finding {
    let log = facts.setting("appendonly") == Some("yes");
    let snapshots = facts.setting("save").unwrap_or_default();
    let found = match (log, snapshots) {
        (true, "") => "every write (appendonly)".to_owned(),
        (true, some) => format!("every write (appendonly), and snapshots ({some})"),
        (false, "") => "none: after a restart it is empty, and everything is fetched anew".into(),
        (false, some) => format!("snapshots ({some})"),
    };
    well("persistence", found)
}

fn of_cluster(facts: &Facts) -> Finding {
    let of = |name: &str| facts.setting(name).unwrap_or("unknown").to_owned();
    let found = format!(
        "node-timeout {} ms, require-full-coverage {}, allow-reads-when-down {}",
        of("cluster-node-timeout"),
        of("cluster-require-full-coverage"),
        of("cluster-allow-reads-when-down")
    );
    well("cluster settings", found)
}
