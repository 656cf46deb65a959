//! Memory: its bound, who must leave when it is full, and how full it is.

use super::facts::Facts;
use super::{Finding, problem, warning, well};

/// Per cent of `maxmemory` where the end is near.
const HIGH: u64 = 80;
/// Where it is there.
const FULL: u64 = 90;

/// Bound, policy and use.
pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    if facts.info_fault().is_some() {
        return Vec::new();
    }
    let (Some(most), Some(policy)) = (facts.number("maxmemory"), facts.told("maxmemory_policy"))
    else {
        let remedy = "see that maxmemory is set, and maxmemory-policy volatile-lfu or noeviction";
        return vec![warning("maxmemory", "INFO does not tell it", remedy)];
    };
    let mut findings = vec![bound(most), leaving(policy)];
    if most > 0
        && let Some(used) = facts.number("used_memory")
    {
        let evicted = facts.number("evicted_keys").unwrap_or_default();
        findings.push(filled(used, most, policy, evicted));
    }
    findings
}

fn bound(most: u64) -> Finding {
    if most > 0 {
        return well("maxmemory", rounded(most));
    }
    let remedy = "CONFIG SET maxmemory 1gb, or what the machine can spare, then CONFIG REWRITE";
    warning("maxmemory", "no bound: it may grow until the system ends it", remedy)
}

fn leaving(policy: &str) -> Finding {
    if policy.starts_with("volatile-") {
        return well("maxmemory-policy", policy);
    }
    if policy == "noeviction" {
        return well("maxmemory-policy", "noeviction: when it is full, nothing new is put");
    }
    let found = format!("{policy}: what orders purges has no expiry, and may be evicted");
    let remedy = "CONFIG SET maxmemory-policy volatile-lfu, then CONFIG REWRITE";
    problem("maxmemory-policy", found, remedy)
}

/// A cache that evicts is full as a rule; one that may not is about to refuse.
fn filled(used: u64, most: u64, policy: &str, evicted: u64) -> Finding {
    let per_cent = used.saturating_mul(100).checked_div(most).unwrap_or_default();
    let found = format!("{} of {}, {per_cent} %", rounded(used), rounded(most));
    let remedy = "raise maxmemory, or keep less: shorter lifetimes, l2 = false for what is large";
    if policy == "noeviction" {
        return match per_cent {
            FULL.. => problem("memory", format!("{found}: puts are refused when full"), remedy),
            HIGH.. => warning("memory", format!("{found}: puts are refused when full"), remedy),
            _ => well("memory", found),
        };
    }
    let found = format!("{found}, {evicted} keys evicted so far");
    if per_cent >= FULL {
        return warning("memory", format!("{found}: answers leave before their time"), remedy);
    }
    well("memory", found)
}

/// What people need to know of a number of bytes.
fn rounded(bytes: u64) -> String {
    let (unit, name) = match bytes {
        1_000_000_000.. => (1_000_000_000, "GB"),
        1_000_000.. => (1_000_000, "MB"),
        _ => (1_000, "KB"),
    };
    let tenths = bytes.saturating_mul(10) / unit;
    format!("{}.{} {name}", tenths / 10, tenths % 10)
}
