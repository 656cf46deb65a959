//! The verbs about work that is done behind calls.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Flush, Level, Node};
use crate::base::limits;

/// How fast a job goes, and whether its end is waited for.
#[derive(Debug, Args)]
pub struct Pace {
    /// Requests that begin in a second; 10 unless said.
    #[arg(long, value_name = "N")]
    pub rate: Option<u64>,
    /// Requests that run at once; 4 unless said.
    #[arg(long, value_name = "N")]
    pub at_once: Option<usize>,
    /// Wait until it has ended, and show how far it is.
    #[arg(long)]
    pub wait: bool,
}

/// `cistern warm`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(true))]
pub struct Warm {
    /// URLs, in the order in which they matter.
    #[arg(value_name = "URL", group = "what", conflicts_with_all = ["template", "hot", "kind"])]
    pub urls: Vec<String>,
    /// A file with one URL a line; `-` is standard input.
    #[arg(long, value_name = "FILE", group = "what",
        conflicts_with_all = ["template", "hot", "kind"])]
    pub from: Option<PathBuf>,
    /// An access log, of cistern or in the common or combined format, `-` for standard input: what
    /// it shows to be asked for, the most asked first.
    #[arg(long, value_name = "FILE", group = "what",
        conflicts_with_all = ["urls", "from", "template", "hot", "kind"])]
    pub log: Option<PathBuf>,
    /// Scheme and authority of what the log names by its path alone.
    #[arg(long, value_name = "URL", requires = "log")]
    pub site: Option<String>,
    /// So many URLs of the log; 1,000 unless said, 10,000 at most.
    #[arg(long, value_name = "N", requires = "log",
        value_parser = clap::value_parser!(u64).range(1..=limits::WARM_NAMED_MAX as u64))]
    pub limit: Option<u64>,
    /// A URL with places, such as <https://shop.example/doc/{n}>.
    #[arg(long, value_name = "URL", group = "what", requires = "range",
        conflicts_with_all = ["hot", "kind"])]
    pub template: Option<String>,
    /// What a place runs through: `n=1..500`, `d=2026-01-31..2026-01-01`; `n=1..500/5` in steps.
    #[arg(long, value_name = "NAME=FROM..TO", requires = "template")]
    pub range: Vec<String>,
    /// The hottest keys, as far as they are not fresh.
    #[arg(long, group = "what", conflicts_with = "kind")]
    pub hot: bool,
    /// What stands of this type and is old.
    #[arg(long = "type", value_name = "TYPE", group = "what")]
    pub kind: Option<String>,
    /// Of the type only what was stored or made then: `2026-01-01..2026-01-31`.
    #[arg(long, value_name = "FROM..TO", requires = "kind")]
    pub dated: Option<String>,
    /// How.
    #[command(flatten)]
    pub pace: Pace,
    /// The running node.
    #[command(flatten)]
    pub node: Node,
}

/// `cistern verify`.
#[derive(Debug, Args)]
pub struct Verify {
    /// What to compare, as for `purge`; everything unless said.
    #[arg(value_name = "SELECTOR")]
    pub selectors: Vec<String>,
    /// So many entries, taken evenly; 100 unless said.
    #[arg(long, value_name = "N", conflicts_with = "all")]
    pub sample: Option<usize>,
    /// The level.
    #[arg(long, value_enum, default_value_t)]
    pub level: Level,
    /// All of them, as far as one job may.
    #[arg(long)]
    pub all: bool,
    /// Purge what differs, on every node.
    #[arg(long)]
    pub repair: bool,
    /// How.
    #[command(flatten)]
    pub pace: Pace,
    /// The running node.
    #[command(flatten)]
    pub node: Node,
}

/// `cistern sync`.
#[derive(Debug, Args)]
pub struct Sync {
    /// What is to follow its origin, as for `purge`; everything unless said.
    #[arg(value_name = "SELECTOR")]
    pub selectors: Vec<String>,
    /// How.
    #[command(flatten)]
    pub pace: Pace,
    /// The running node.
    #[command(flatten)]
    pub node: Node,
}

/// `cistern jobs pause` and `resume`.
#[derive(Debug, Subcommand)]
pub enum JobsVerb {
    /// Have a job stand still.
    Pause(Held),
    /// Have it go on.
    Resume(Held),
}

/// Which job.
#[derive(Debug, Args)]
pub struct Held {
    /// Its name.
    #[arg(value_name = "ID")]
    pub id: String,
    /// The running node.
    #[command(flatten)]
    pub node: Node,
}

/// `cistern jobs`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Jobs {
    /// What becomes of it.
    #[command(subcommand)]
    pub verb: Option<JobsVerb>,
    /// One of them; all unless said.
    #[arg(value_name = "ID")]
    pub id: Option<String>,
    /// End it.
    #[arg(long, requires = "id")]
    pub cancel: bool,
    /// Wait until it has ended, and show how far it is.
    #[arg(long, requires = "id", conflicts_with = "cancel")]
    pub wait: bool,
    /// The running node.
    #[command(flatten)]
    pub node: Node,
}

/// `cistern cache warm`.
#[derive(Debug, Args)]
pub struct CacheWarm {
    /// The type; the hottest keys where none is named.
    #[arg(value_name = "TYPE")]
    pub kind: Option<String>,
    /// Of the type only what was stored or made then: `2026-01-01..2026-01-31`.
    #[arg(long, value_name = "FROM..TO", requires = "kind")]
    pub dated: Option<String>,
    /// How.
    #[command(flatten)]
    pub pace: Pace,
    /// The running node.
    #[command(flatten)]
    pub node: Node,
}

/// `cistern cache`.
#[derive(Debug, Subcommand)]
pub enum CacheVerb {
    /// Numbers of a running node.
    Stats(Node),
    /// Purge one type, or everything.
    Flush(Flush),
    /// Fetch what stands of a type and is old, or the hottest keys.
    Warm(CacheWarm),
    /// Compare what is stored with what the origin says now.
    Verify(Verify),
}
