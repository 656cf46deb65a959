//! Whether a server answers, in time, and is what it is taken for.

use super::facts::Facts;
use super::{Finding, Severity, finding, problem, warning, well};
use crate::base::units::Span;
use crate::store::redis::fault::TierFault;
use crate::store::redis::link::Role;
use crate::store::redis::way::Standing;

/// Scripts with flags in their first line came with this version.
const VERSION_LEAST: u64 = 7;

/// A server that does not let us in. Without a replica nothing is missing today.
pub(super) fn unreached(role: Role, fault: &TierFault, patience: Span) -> Finding {
    let severity = match role {
        Role::Master => Severity::Problem,
        Role::Replica => Severity::Warning,
    };
    let (found, remedy) = match fault {
        TierFault::Deadline => (
            format!("no answer within {patience}"),
            "see whether it runs and can be reached from here: address, port, firewall, TLS",
        ),
        TierFault::Refused(why) if matches!(fault.code(), Some("NOAUTH" | "WRONGPASS")) => {
            (why.clone(), "give user and password: l2.user and l2.password_file, or REDIS_PASSWORD")
        }
        other => (
            other.to_string(),
            "see whether it runs and can be reached from here: address, port, firewall, TLS",
        ),
    };
    finding(severity, "reachable", found, Some(remedy.to_owned()))
}

/// How long an answer takes, in microseconds; or an error in its place.
pub(super) fn ping(answer: &Result<u64, TierFault>, budget: Span) -> Finding {
    let micros = match answer {
        Ok(micros) => *micros,
        Err(fault) => {
            let remedy = match fault.code() {
                Some("LOADING") => "wait until it has read its data",
                Some("NOAUTH") => {
                    "give user and password: l2.user and l2.password_file, or REDIS_PASSWORD"
                }
                _ => "see to what it says; until then nothing is shared through it",
            };
            return problem("reachable", format!("it answers with an error: {fault}"), remedy);
        }
    };
    let found = format!("answers in {}.{:02} ms", micros / 1_000, micros % 1_000 / 10);
    let budget_micros = budget.as_millis().saturating_mul(1_000);
    if micros >= budget_micros {
        let remedy = "bring servers and nodes nearer to each other, or raise l2.budget";
        problem("reachable", format!("{found}; a request waits {budget} at most"), remedy)
    } else if micros >= budget_micros / 2 {
        let remedy = "bring servers and nodes nearer to each other, or raise l2.budget";
        warning("reachable", format!("{found}; a request waits {budget} at most"), remedy)
    } else {
        well("reachable", found)
    }
}

/// Version, role, and whether it has read its data.
pub(super) fn judge(facts: &Facts, role: Role, standing: Standing) -> Vec<Finding> {
    if let Some(fault) = facts.info_fault() {
        let remedy = "allow INFO to this user: scripts know a server by it";
        return vec![warning("INFO", format!("it could not be read: {fault}"), remedy)];
    }
    let mut findings = vec![version(facts.told("redis_version"))];
    findings.extend(kind(facts, standing));
    findings.push(position(facts, role));
    if facts.number("loading") == Some(1) {
        let remedy = "wait until it has read its data; nodes go on without it";
        findings.push(problem("loading", "it reads its data and serves nobody", remedy));
    }
    if facts.number("async_loading") == Some(1) {
        let remedy = "wait until it has caught up with its master";
        findings.push(warning("loading", "it serves old data while it reads new", remedy));
    }
    findings
}

fn version(told: Option<&str>) -> Finding {
    let Some(version) = told else {
        let remedy = "see that it is Redis 7.0 or later";
        return warning("version", "INFO does not tell it", remedy);
    };
    let major = version.split('.').next().and_then(|major| major.parse::<u64>().ok());
    if major.is_some_and(|major| major >= VERSION_LEAST) {
        well("version", version)
    } else {
        let remedy = "install Redis 7.0 or later: scripts with flags came with it";
        problem("version", version, remedy)
    }
}

/// Whether it is the kind of server that the settings name.
fn kind(facts: &Facts, standing: Standing) -> Option<Finding> {
    let mode = facts.told("redis_mode")?;
    let remedy = match (mode, standing) {
        ("sentinel", _) => "name it in redis+sentinel://HOST:PORT/SERVICE",
        ("cluster", Standing::Single | Standing::Watched) => {
            "name it in redis+cluster://HOST:PORT: alone it has a part of the keys only"
        }
        _ => return None,
    };
    Some(problem("mode", format!("it is a {mode} server, and is not taken for one"), remedy))
}

fn position(facts: &Facts, role: Role) -> Finding {
    let told = facts.told("role").unwrap_or("unknown");
    match (role, told) {
        (Role::Master, "master") => well("role", "master"),
        (Role::Master, other) => {
            let found = format!("{other}: it takes no writes");
            let remedy = "name its master, or let sentinels name it: redis+sentinel://";
            problem("role", found, remedy)
        }
        (Role::Replica, "slave") => followed(facts),
        (Role::Replica, other) => {
            let remedy = "a failover may be under way: look again in a moment";
            warning("role", format!("{other}, where a replica was expected"), remedy)
        }
    }
}

/// A replica, and how far it follows.
fn followed(facts: &Facts) -> Finding {
    if facts.told("master_link_status") == Some("up") {
        let silent = facts.number("master_last_io_seconds_ago").unwrap_or_default();
        return well("role", format!("replica; it heard from its master {silent}s ago"));
    }
    let down = facts.number("master_link_down_since_seconds").unwrap_or_default();
    let found = format!("replica without a link to its master for {}", Span::from_secs(down));
    let remedy = "see why it does not follow; where rules read from replicas, one that is more \
                  than 10m behind may give what was purged";
    warning("role", found, remedy)
}
