//! What the fleet has left on the server that orders it: whether it is known there, who belongs to
//! it, and what nobody has finished; and the folder where this node's own orders would wait.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::path::Path;

use super::facts::Facts;
use super::visit::Visit;
use super::{Finding, problem, warning, well};
use crate::base::limits::{MEMBER_QUIET, OPEN_ORDER_OVERDUE};
use crate::base::units::Span;
use crate::store::redis::fault::TierFault;
use crate::store::redis::fleet::JOURNAL_FILE;
use crate::store::redis::keys::Names;

/// What stands there.
#[derive(Debug, Default)]
struct Left {
    head: BTreeMap<String, String>,
    /// By life: turn, last applied number, and when it said so in milliseconds.
    members: BTreeMap<String, String>,
    /// By name: when it is due in milliseconds, or 0, and the order itself.
    open: BTreeMap<String, Vec<u8>>,
    /// The server's clock in milliseconds.
    now_ms: u64,
}

/// Asks and judges.
pub(super) async fn judge(visit: &Visit, facts: &Facts, names: &Names) -> Vec<Finding> {
    match read(visit, names).await {
        Ok(left) => of(&left, facts.told("run_id")),
        Err(fault) => {
            let remedy = "allow HGETALL on keys of the prefix to this user";
            vec![warning("state", format!("it could not be read: {fault}"), remedy)]
        }
    }
}

async fn read(visit: &Visit, names: &Names) -> Result<Left, TierFault> {
    let all = |what: &str| {
        let mut command = redis::cmd("HGETALL");
        command.arg(names.order(what));
        command
    };
    let (secs, micros): (u64, u64) = visit.ask(&["TIME"]).await?;
    Ok(Left {
        head: visit.call(&all("head")).await?,
        members: visit.call(&all("members")).await?,
        open: visit.call(&all("open")).await?,
        now_ms: secs.saturating_mul(1_000).saturating_add(micros / 1_000),
    })
}

fn of(left: &Left, run: Option<&str>) -> Vec<Finding> {
    if left.head.is_empty() {
        return vec![well("state", "no node has joined yet")];
    }
    vec![known(left, run), members(left), open(left)]
}

/// Whether the fleet knows this server, and all have told it what it may have lost.
fn known(left: &Left, run: Option<&str>) -> Finding {
    let told = |name: &str| left.head.get(name).map_or("unknown", String::as_str);
    let found = format!("turn {}, last order {}", told("turn"), told("last"));
    if run.is_some_and(|run| run != told("run")) {
        let found = format!("{found}: the server was restarted or replaced since");
        let remedy = "start a node, or look at one that runs: it takes the server over in a second";
        return warning("state", found, remedy);
    }
    if told("clean") != "1" {
        let found = format!("{found}: not all members have reported since the server changed");
        let remedy = "wait 5s: then everything from before counts as purged, and it goes on";
        return warning("state", found, remedy);
    }
    well("state", found)
}

fn members(left: &Left) -> Finding {
    let quiet_for = |said: &str| {
        let at = said.rsplit(' ').next().and_then(|at| at.parse::<u64>().ok());
        Span::from_millis(left.now_ms.saturating_sub(at.unwrap_or_default()))
    };
    let quiet: Vec<String> = left
        .members
        .iter()
        .map(|(life, said)| (life, quiet_for(said)))
        .filter(|(_, quiet)| *quiet > MEMBER_QUIET)
        .map(|(life, quiet)| format!("{life} for {}", Span::from_secs(quiet.as_secs())))
        .collect();
    let count = left.members.len();
    if quiet.is_empty() {
        let longest = left.members.values().map(|said| quiet_for(said)).max().unwrap_or_default();
        return well("members", format!("{count}, the last heard of {longest} ago"));
    }
    let found = format!("{count}, of which {} say nothing: {}", quiet.len(), quiet.join(", "));
    let remedy = "see whether these nodes run and reach Redis; one that was killed is forgotten \
                  after 10m";
    warning("members", found, remedy)
}

/// Orders that somebody has begun and not finished.
fn open(left: &Left) -> Finding {
    let overdue = |(name, said): &(&String, &Vec<u8>)| {
        let due = said.split(|byte| *byte == b' ').next().unwrap_or_default();
        let due = std::str::from_utf8(due).ok().and_then(|due| due.parse::<u64>().ok());
        match due {
            // It is numbered, and its giver erases keys until it is done.
            Some(0) => {
                let owner = name.split('-').next().unwrap_or_default();
                !left.members.contains_key(owner)
            }
            Some(due) => left.now_ms.saturating_sub(due) > OPEN_ORDER_OVERDUE.as_millis(),
            None => true,
        }
    };
    let late = left.open.iter().filter(overdue).count();
    let found = format!("{} under way", left.open.len());
    if late == 0 {
        return well("orders", found);
    }
    let found = format!("{found}, {late} of them left behind by nodes that are gone");
    warning("orders", found, "start a node: it carries out what others left")
}

/// Whether purges that wait for Redis outlive the process.
pub(super) fn journal(folder: Option<&Path>) -> Finding {
    let Some(folder) = folder else {
        let found = "none: purges that wait for Redis end with the process (l2.journal)";
        return well("journal", found);
    };
    let shown = folder.display();
    let waiting = fs::metadata(folder.join(JOURNAL_FILE)).map_or(0, |file| file.len());
    match writable(folder) {
        Ok(()) if waiting > 0 => well("journal", format!("{shown}, {waiting} bytes wait")),
        Ok(()) => well("journal", shown.to_string()),
        Err(why) => {
            let found = format!("{shown}: {why}");
            problem("journal", found, "let this user make and write the folder of l2.journal")
        }
    }
}

/// Tries with a file of another name, in the folder or where it would be made.
fn writable(folder: &Path) -> std::io::Result<()> {
    let there = folder.ancestors().find(|one| one.exists() && !one.as_os_str().is_empty());
    let place = there.unwrap_or(Path::new("."));
    let probe = place.join(format!(".cistern-doctor-{}", std::process::id()));
    OpenOptions::new().write(true).create_new(true).open(&probe)?;
    fs::remove_file(&probe)?;
    let journal = folder.join(JOURNAL_FILE);
    if journal.exists() {
        OpenOptions::new().append(true).open(&journal)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::redis::doctor::Severity;

    const NOW_MS: u64 = 1_000_000;

    fn map<V>(pairs: &[(&str, V)]) -> BTreeMap<String, V>
    where
        V: Clone,
    {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    }

    fn left() -> Left {
        let text = |text: &str| text.to_owned();
        Left {
            head: map(&[
                ("run", text("r1")),
                ("turn", text("7")),
                ("last", text("7-3")),
                ("clean", text("1")),
            ]),
            members: map(&[("a1", text("7 7-3 999900"))]),
            open: BTreeMap::new(),
            now_ms: NOW_MS,
        }
    }

    fn severities(left: &Left) -> Vec<Severity> {
        of(left, Some("r1")).into_iter().map(|one| one.severity).collect()
    }

    #[test]
    fn a_fleet_that_works_is_well() {
        assert_eq!(severities(&left()), [Severity::Ok; 3]);
        let found = of(&left(), Some("r1"));
        assert_eq!(found[1].found, "1, the last heard of 100ms ago");
        assert_eq!(of(&Left::default(), None)[0].severity, Severity::Ok);
    }

    #[test]
    fn another_server_and_members_that_did_not_report_are_told() {
        assert_eq!(of(&left(), Some("r2"))[0].severity, Severity::Warning);
        let mut unclean = left();
        unclean.head.insert("clean".to_owned(), "0".to_owned());
        assert_eq!(severities(&unclean)[0], Severity::Warning);
    }

    #[test]
    fn a_member_that_says_nothing_is_named() {
        let mut quiet = left();
        quiet.members.insert("b2".to_owned(), "7 7-1 990000".to_owned());
        let found = of(&quiet, Some("r1")).remove(1);
        assert_eq!(found.severity, Severity::Warning);
        assert_eq!(found.found, "2, of which 1 say nothing: b2 for 10s");
    }

    #[test]
    fn orders_that_nobody_finishes_are_counted() {
        let open = |name: &str, said: &str| {
            let mut left = left();
            left.open.insert(name.to_owned(), said.as_bytes().to_vec());
            severities(&left)[2]
        };
        assert_eq!(open("a1-4", "0 k1:a"), Severity::Ok);
        assert_eq!(open("gone-4", "0 k1:a"), Severity::Warning);
        assert_eq!(open("i:gone-4", "990000 k1:a"), Severity::Ok, "a write under way");
        assert_eq!(open("i:gone-4", "900000 k1:a"), Severity::Warning);
        assert_eq!(open("a1-4", "junk"), Severity::Warning);
    }
}
