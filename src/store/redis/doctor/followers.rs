//! A master's replicas: whether one could take over, and whether a master that was cut off stops.

use super::facts::{Facts, Follower};
use super::{Finding, problem, warning, well};
use crate::store::redis::way::Standing;

/// Redis' own `min-replicas-max-lag`, where it does not tell its setting.
const LAG_SECS: u64 = 10;

/// Nothing of a server that stands alone: nobody takes its place.
pub(super) fn judge(facts: &Facts, standing: Standing) -> Vec<Finding> {
    if standing == Standing::Single || facts.info_fault().is_some() {
        return Vec::new();
    }
    let max = facts.setting("min-replicas-max-lag").and_then(|max| max.parse().ok());
    // 0 turns the guard off, and is no bound of a lag.
    let lag_max = max.filter(|max| *max > 0).unwrap_or(LAG_SECS);
    let mut findings = vec![following(&facts.replicas(), lag_max)];
    // A master of a cluster that is cut off stops by itself, after cluster-node-timeout.
    if standing == Standing::Watched && facts.settings_fault().is_none() {
        findings.push(guard(facts, max));
    }
    findings
}

fn following(replicas: &[Follower], lag_max: u64) -> Finding {
    if replicas.is_empty() {
        let remedy = "add a replica: when this master dies, its part of what is shared is gone";
        return warning("replicas", "none follows", remedy);
    }
    let behind: Vec<String> = replicas
        .iter()
        .filter(|one| !one.is_online || one.lag_secs > lag_max)
        .map(|one| {
            let lag = one.lag_secs;
            let stands = if one.is_online { format!("{lag}s behind") } else { "syncs".to_owned() };
            format!("{} {stands}", one.address)
        })
        .collect();
    if behind.is_empty() {
        let lag = replicas.iter().map(|one| one.lag_secs).max().unwrap_or_default();
        return well("replicas", format!("{} follow, {lag}s behind at most", replicas.len()));
    }
    let found =
        format!("{} of {} follow badly: {}", behind.len(), replicas.len(), behind.join(", "));
    warning("replicas", found, "see why: network, disk, or repl-backlog-size too small")
}

/// Under sentinels a master that was cut off goes on taking writes unless it misses its replicas.
fn guard(facts: &Facts, lag_max: Option<u64>) -> Finding {
    let number = |name| facts.setting(name).and_then(|value: &str| value.parse::<u64>().ok());
    let least = number("min-replicas-to-write").unwrap_or_default();
    let lag = lag_max.unwrap_or_default();
    let found = format!("min-replicas-to-write {least}, min-replicas-max-lag {lag}");
    if least == 0 || lag == 0 {
        let remedy = "CONFIG SET min-replicas-to-write 1 and CONFIG SET min-replicas-max-lag 10 on \
                      master and replicas, then CONFIG REWRITE";
        let found = format!(
            "{found}: a master that is cut off goes on, and purges of the other side do not reach \
             its nodes"
        );
        return warning("split brain", found, remedy);
    }
    let good = facts.number("min_slaves_good_slaves").unwrap_or_default();
    if good < least {
        let remedy = "bring replicas back: until then the master refuses every write";
        return problem("split brain", format!("{found}, and only {good} in step"), remedy);
    }
    well("split brain", found)
}
