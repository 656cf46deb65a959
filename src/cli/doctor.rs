//! `cistern doctor`: the servers of the shared level that these settings name, and what to change.

use std::io::Write;

use serde_json::{Value, json};

use crate::base::clock::Clock;
use crate::cli::Exit;
use crate::cli::args::Doctor;
use crate::node::settings::{self, Flags};
use crate::store::redis::doctor::{self, Finding, Report, Severity};

/// Examines and tells.
pub(super) fn doctor(asked: &Doctor) -> Exit {
    let flags = Flags { config: asked.config.clone(), ..Flags::default() };
    let settings = match settings::resolve(&flags, &super::environment()) {
        Ok(settings) => settings,
        Err(wrong) => {
            eprintln!("error: {wrong}");
            return Exit::Configuration;
        }
    };
    super::warn(&settings.warnings);
    let Some(config) = &settings.l2 else {
        eprintln!("error: no shared level is set, so there is nothing to look at");
        eprintln!("help: set REDIS_URL, or write [l2] and name the file with --config");
        return Exit::Configuration;
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let report = match runtime {
        Ok(runtime) => runtime.block_on(async {
            let clock = Clock::system();
            doctor::examine(config, &clock).await
        }),
        Err(cause) => {
            eprintln!("error: the runtime: {cause}");
            return Exit::Failed;
        }
    };
    match report {
        Ok(report) => tell(&report, asked),
        Err(wrong) => {
            eprintln!("error: {wrong}");
            Exit::Configuration
        }
    }
}

fn tell(report: &Report, asked: &Doctor) -> Exit {
    let text = if asked.json { document(report) } else { table(&report.findings) };
    // A reader that has seen enough is no failure.
    drop(std::io::stdout().write_all(text.as_bytes()));
    let (problems, warnings) = (report.count(Severity::Problem), report.count(Severity::Warning));
    if !asked.json {
        eprintln!("{problems} problems, {warnings} warnings");
    }
    match (report.is_reached, problems, warnings) {
        (false, ..) => Exit::Unreachable,
        (true, 0, 0) => Exit::Done,
        (true, 0, _) if asked.strict => Exit::Differences,
        (true, 0, _) => Exit::Done,
        (true, ..) => Exit::Failed,
    }
}

/// One object with every finding.
fn document(report: &Report) -> String {
    let one = |one: &Finding| {
        json!({
            "severity": one.severity.as_str(),
            "place": one.place,
            "what": one.what,
            "found": one.found,
            "remedy": one.remedy,
        })
    };
    let findings: Vec<Value> = report.findings.iter().map(one).collect();
    let whole = json!({
        "reached": report.is_reached,
        "problems": report.count(Severity::Problem),
        "warnings": report.count(Severity::Warning),
        "findings": findings,
    });
    format!("{whole}\n")
}

/// Four columns: how grave, where, what, what was found; and below it what to change.
fn table(findings: &[Finding]) -> String {
    let width =
        |length: &dyn Fn(&Finding) -> usize| findings.iter().map(length).max().unwrap_or_default();
    let grave = width(&|one| one.severity.as_str().len());
    let places = width(&|one| one.place.chars().count());
    let whats = width(&|one| one.what.chars().count());
    let indent = grave + places + whats + 6;
    let lines = |one: &Finding| {
        let Finding { severity, place, what, found, remedy } = one;
        let severity = severity.as_str();
        let first = format!("{severity:grave$}  {place:places$}  {what:whats$}  {found}\n");
        match remedy {
            Some(remedy) => format!("{first}{:indent$}-> {remedy}\n", ""),
            None => first,
        }
    };
    findings.iter().map(lines).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(severity: Severity, place: &str, remedy: Option<&str>) -> Finding {
        let remedy = remedy.map(str::to_owned);
        Finding { severity, place: place.to_owned(), what: "role", found: "master".into(), remedy }
    }

    fn report() -> Report {
        let findings = vec![
            found(Severity::Ok, "a:1", None),
            found(Severity::Warning, "longer:22", Some("do this")),
        ];
        Report { findings, is_reached: true }
    }

    #[test]
    fn columns_are_aligned_and_remedies_stand_below() {
        let text = table(&report().findings);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "ok       a:1        role  master");
        assert_eq!(lines[1], "warning  longer:22  role  master");
        assert_eq!(lines[2].find("-> do this"), lines[1].find("master"));
    }

    #[test]
    fn programs_get_counts_and_nulls() {
        let read: Value = serde_json::from_str(&document(&report())).unwrap();
        assert_eq!((&read["warnings"], &read["problems"]), (&1.into(), &0.into()));
        assert_eq!(read["findings"][0]["remedy"], Value::Null);
        assert_eq!(read["findings"][1]["severity"], "warning");
    }

    #[test]
    fn the_gravest_finding_decides_how_it_ends() {
        let asked = |strict| Doctor { config: None, strict, json: true };
        let mut report = report();
        assert_eq!(tell(&report, &asked(false)), Exit::Done);
        assert_eq!(tell(&report, &asked(true)), Exit::Differences);
        report.findings.push(found(Severity::Problem, "a:1", Some("do")));
        assert_eq!(tell(&report, &asked(false)), Exit::Failed);
        report.is_reached = false;
        assert_eq!(tell(&report, &asked(true)), Exit::Unreachable);
    }
}
