//! What `cistern doctor` finds: the servers of the shared level, their settings, what this user may
//! do there, and what the fleet has left on them. It asks over connections of its own, without the
//! guard, since it wants to hear what a server in trouble says.
//!
//! What must never happen: that it changes anything, or that it fails because a server does not
//! tell what it was asked. What cannot be read is a finding like any other.

mod clocks;
mod facts;
mod fleet;
mod followers;
mod memory;
mod nodes;
mod rights;
mod sentinels;
mod settings;
mod state;
#[cfg(test)]
mod tests;
mod visit;

use super::config::{Address, Config, ConfigError, Layout};
use super::link::Role;
use super::slot::Slot;
use super::topology::View;
use super::way::{Standing, Way};
use crate::base::clock::Clock;
use crate::base::limits;
use clocks::Skew;
use facts::Facts;
use visit::Visit;

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// As it should be, or only worth knowing.
    Ok,
    /// It works, and something is lost or at risk.
    Warning,
    /// It does not work, or purges may be lost.
    Problem,
}

impl Severity {
    /// The word in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How grave it is.
    pub severity: Severity,
    /// Where: the address of a server, `servers` for all of them, `fleet`, or `this machine`.
    pub place: String,
    /// What was looked at.
    pub what: &'static str,
    /// What was found, on one line.
    pub found: String,
    /// What to change; nothing where all is well.
    pub remedy: Option<String>,
}

/// All findings.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// In the order in which things were looked at.
    pub findings: Vec<Finding>,
    /// Whether any server answered.
    pub is_reached: bool,
}

impl Report {
    /// How many findings are so grave.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|one| one.severity == severity).count()
    }

    fn add(&mut self, place: &str, findings: impl IntoIterator<Item = Finding>) {
        let placed = |finding| Finding { place: place.to_owned(), ..finding };
        self.findings.extend(findings.into_iter().map(placed));
    }
}

fn finding(
    severity: Severity,
    what: &'static str,
    found: impl Into<String>,
    remedy: Option<String>,
) -> Finding {
    Finding { severity, place: String::new(), what, found: one_line(&found.into()), remedy }
}

fn well(what: &'static str, found: impl Into<String>) -> Finding {
    finding(Severity::Ok, what, found, None)
}

fn warning(what: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Finding {
    finding(Severity::Warning, what, found, Some(remedy.into()))
}

fn problem(what: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Finding {
    finding(Severity::Problem, what, found, Some(remedy.into()))
}

/// What servers say goes to a terminal: on one line, without control characters, and not endless.
fn one_line(text: &str) -> String {
    let shown = |letter: char| if letter.is_control() { ' ' } else { letter };
    text.trim().chars().take(limits::FINDING_CHARS_MAX).map(shown).collect()
}

/// Looks at everything. Each server costs a few times `connect_timeout` at most.
///
/// # Errors
/// Where the settings make no sense, so that nobody can be asked.
pub async fn examine(config: &Config, clock: &Clock) -> Result<Report, ConfigError> {
    config.check()?;
    let (way, watchers) = Way::of(config)?;
    let mut report = Report::default();
    let view = match (&config.layout, watchers) {
        (Layout::Sentinel { sentinels, service }, Some(watchers)) => {
            sentinels::ask(&watchers, sentinels, service, &mut report).await
        }
        (Layout::Cluster(named), _) => nodes::ask(&way, named, &mut report).await,
        (layout, _) => {
            layout.addresses().first().map(|only| View::single(only.clone(), Vec::new()))
        }
    };
    let mut examination = Examination { config, way: &way, clock, report, skews: Vec::new() };
    if let Some(view) = view {
        examination.all(&view).await;
    }
    let Examination { mut report, skews, .. } = examination;
    report.add("servers", clocks::judge(&skews));
    report.add("this machine", [fleet::journal(config.journal.as_deref())]);
    Ok(report)
}

struct Examination<'a> {
    config: &'a Config,
    way: &'a Way,
    clock: &'a Clock,
    report: Report,
    /// What each server's clock shows beyond ours.
    skews: Vec<(Address, Skew)>,
}

impl Examination<'_> {
    async fn all(&mut self, view: &View) {
        let ordering = view.master_of(Slot::of(&self.names().order("head")));
        for shard in &view.0 {
            let is_ordering = ordering == Some(&shard.master);
            self.server(Role::Master, &shard.master, is_ordering).await;
            for replica in &shard.replicas {
                self.server(Role::Replica, replica, false).await;
            }
        }
    }

    fn names(&self) -> super::keys::Names {
        super::keys::Names::new(&self.config.prefix).in_db(self.config.db)
    }

    /// One server; `is_ordering`: the fleet's order of things is on it.
    async fn server(&mut self, role: Role, address: &Address, is_ordering: bool) {
        let place = address.to_string();
        let visit = match Visit::open(self.way, address).await {
            Ok(visit) => visit,
            Err(fault) => {
                self.report.is_reached |= fault.code().is_some();
                let found = state::unreached(role, &fault, self.way.timeout);
                return self.report.add(&place, [found]);
            }
        };
        let ping = visit.ping().await;
        if let Err(fault) = &ping
            && fault.code().is_none()
        {
            let found = state::unreached(role, fault, self.way.timeout);
            return self.report.add(&place, [found]);
        }
        self.report.is_reached = true;
        self.report.add(&place, [state::ping(&ping, self.config.budget)]);
        let facts = Facts::of(&visit).await;
        self.report.add(&place, state::judge(&facts, role, self.way.standing));
        self.report.add(&place, memory::judge(&facts));
        self.report.add(&place, settings::judge(&facts, self.way.standing));
        if role == Role::Master {
            self.report.add(&place, followers::judge(&facts, self.way.standing));
        }
        if self.way.standing == Standing::Cluster && role == Role::Master {
            self.report.add(&place, [nodes::state(&visit).await]);
        }
        match visit.skew(self.clock).await {
            Ok(skew) => {
                self.report.add(&place, [clocks::of_server(skew)]);
                self.skews.push((address.clone(), skew));
            }
            Err(fault) => self.report.add(&place, [clocks::unread(&fault)]),
        }
        let rights = rights::judge(&visit, self.config, self.way.standing).await;
        self.report.add(&place, [rights]);
        if role == Role::Master {
            let heard = rights::messages(self.way, address, self.config, &self.names()).await;
            self.report.add(&place, [heard]);
        }
        if is_ordering {
            let found = fleet::judge(&visit, &facts, &self.names()).await;
            self.report.add("fleet", found);
        }
    }
}
