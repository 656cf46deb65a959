//! The command line, as typed.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

mod certs;
mod entries;
mod jobs;
mod operate;

use crate::base::names::{CISTERN_ADMIN_URL, CISTERN_CONFIG};
use crate::engine::explain::LOOPBACK;

pub use certs::{CertsDev, CertsVerb};
pub use entries::{Get, Keys, Level, Put};
pub use jobs::{CacheVerb, CacheWarm, Jobs, JobsVerb, Pace, Sync, Verify, Warm};
pub use operate::{Bypass, Completion, Log, Man, RulesVerb, Top, TopBy, Turn, Undo};

/// A transparent caching reverse proxy for HTTP APIs.
#[derive(Debug, Parser)]
#[command(name = "cistern", version, disable_help_subcommand = true)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Start the proxy.
    Run(Run),
    /// Parse, compile and lint rules; every error at once.
    Check(Check),
    /// Run the [[test]] blocks of rules.
    Test(Test),
    /// Tell the whole decision about one request, on a running node or from rules alone.
    Explain(Explain),
    /// The settings that would run.
    #[command(subcommand)]
    Config(ConfigVerb),
    /// What runs now and what ran before; reading it again, going back.
    #[command(subcommand)]
    Rules(RulesVerb),
    /// Purge what selectors name, on every node.
    Purge(Purge),
    /// Take a soft purge back.
    Undo(Undo),
    /// Purge one type, or everything.
    Flush(Flush),
    /// List what is stored, a page at a time.
    Keys(Keys),
    /// Everything that is known of one entry, in both levels.
    Get(Get),
    /// Store an entry in both levels, in place of what stands there.
    Put(Put),
    /// Fetch answers before anybody asks for them.
    Warm(Warm),
    /// Compare what is stored with what the origin says now; ends with 3 where it differs.
    Verify(Verify),
    /// Ask origins about what is stored, fresh or not, and have it follow.
    Sync(Sync),
    /// What runs behind such calls, one of it, or its end.
    Jobs(Jobs),
    /// The same verbs under the names of hand-written caches.
    #[command(subcommand)]
    Cache(CacheVerb),
    /// The emergency switch: on, every read goes to the origin and nothing is stored.
    Bypass(Bypass),
    /// Numbers of a running node.
    Stats(Node),
    /// The keys that are asked for, missed or dearest most, shown anew each second.
    Top(Top),
    /// What happened lately on a node, and with --follow what happens from then on.
    Log(Log),
    /// What somebody should look at, with the likely cause and what to call next.
    Alerts(Node),
    /// Make, list and revoke tokens of the admin API.
    #[command(subcommand)]
    Tokens(TokensVerb),
    /// Certificates for listeners that speak TLS.
    #[command(subcommand)]
    Certs(CertsVerb),
    /// What was changed through the admin API, newest first.
    Audit(Node),
    /// Look at the servers of the shared level, and say what to change.
    Doctor(Doctor),
    /// Whether a node is alive and ready.
    Health(Node),
    /// Print the JSON Schema of the rules file.
    Schema,
    /// Explain a code that `check` printed.
    ExplainCode {
        /// The code, for example C012.
        code: String,
    },
    /// Print the version.
    Version {
        /// Print one JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Print what a shell completes these verbs by.
    Completion(Completion),
    /// Print a page of the manual.
    Man(Man),
}

/// What belongs to the machine, where it is not said elsewhere.
#[derive(Debug, Args)]
pub struct Machine {
    /// The settings file.
    #[arg(long, value_name = "FILE", env = CISTERN_CONFIG)]
    pub config: Option<PathBuf>,
    /// The rules: a file or a directory.
    #[arg(long, value_name = "FILE|DIR")]
    pub rules: Option<PathBuf>,
    /// The origin of requests whose route names none.
    #[arg(long, value_name = "URL")]
    pub origin: Option<String>,
    /// Where to listen; may be given several times. Port 0 takes a free one.
    #[arg(long, value_name = "HOST:PORT")]
    pub listen: Vec<String>,
    /// Where the admin API listens, or `off`.
    #[arg(long, value_name = "HOST:PORT|off")]
    pub admin_listen: Option<String>,
    /// `safe` or `rfc`.
    #[arg(long)]
    pub profile: Option<String>,
    /// Worker threads; one per core unless said.
    #[arg(long)]
    pub workers: Option<usize>,
}

/// `cistern run`.
#[derive(Debug, Args)]
pub struct Run {
    /// What belongs to the machine.
    #[command(flatten)]
    pub machine: Machine,
    /// Start a small sample API and the proxy in front of it.
    #[arg(long, conflicts_with_all = ["origin", "rules", "config"])]
    pub demo: bool,
    /// Read everything, say what is wrong, and end.
    #[arg(long)]
    pub check_only: bool,
}

/// `cistern config`.
#[derive(Debug, Subcommand)]
pub enum ConfigVerb {
    /// Every setting with its value and where it was said; secrets are hidden.
    Show(ConfigShow),
}

/// `cistern config show`.
#[derive(Debug, Args)]
pub struct ConfigShow {
    /// What belongs to the machine.
    #[command(flatten)]
    pub machine: Machine,
    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
}

/// `cistern doctor`.
#[derive(Debug, Args)]
pub struct Doctor {
    /// The settings file.
    #[arg(long, value_name = "FILE", env = CISTERN_CONFIG)]
    pub config: Option<PathBuf>,
    /// Warnings fail too.
    #[arg(long)]
    pub strict: bool,
    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
}

/// How diagnostics are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Human,
    /// One JSON document.
    Json,
    /// Annotations of GitHub workflows.
    Github,
}

/// `cistern check`.
#[derive(Debug, Args)]
pub struct Check {
    /// Files or directories of rules.
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// Warnings fail too.
    #[arg(long)]
    pub strict: bool,
    /// How to print.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// The same as `--format json`.
    #[arg(long)]
    pub json: bool,
}

/// `cistern test`.
#[derive(Debug, Args)]
pub struct Test {
    /// Files or directories of rules.
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
}

/// `cistern explain`.
#[derive(Debug, Args)]
pub struct Explain {
    /// The method.
    pub method: String,
    /// The URL, or a path.
    pub url: String,
    /// A field line, as curl takes them.
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    pub headers: Vec<String>,
    /// The request body, or @FILE with it.
    #[arg(short = 'd', long = "data", value_name = "BODY|@FILE")]
    pub data: Option<String>,
    /// Who asks: the address of the connection, which decides whose words are believed.
    #[arg(long, value_name = "IP", default_value_t = LOOPBACK)]
    pub from: IpAddr,
    /// Explain from these rules, without a running node.
    #[arg(long, value_name = "FILE|DIR")]
    pub rules: Option<PathBuf>,
    /// Explain from this settings file, without a running node.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// `safe` or `rfc`, without a running node.
    #[arg(long)]
    pub profile: Option<String>,
    /// The running node.
    #[command(flatten)]
    pub node: Node,
}

/// How far a purge must have got before it counts as done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Confirm {
    /// On the node that was asked.
    Local,
    /// In the shared level too.
    Shared,
    /// On every node.
    #[default]
    Nodes,
}

/// `cistern purge`.
#[derive(Debug, Args)]
pub struct Purge {
    /// What to purge: key:…, prefix:…, pattern:…, tag:…, type:…, rule:…, url:…, all.
    #[arg(required = true, value_name = "SELECTOR")]
    pub selectors: Vec<String>,
    /// How much more must be done before the call returns.
    #[command(flatten)]
    pub how: PurgeHow,
}

/// `cistern flush`.
#[derive(Debug, Args)]
pub struct Flush {
    /// The type; everything where none is named.
    #[arg(value_name = "TYPE")]
    pub kind: Option<String>,
    /// How.
    #[command(flatten)]
    pub how: PurgeHow,
}

/// How a purge is done.
#[derive(Debug, Args)]
pub struct PurgeHow {
    /// Count what would go, and change nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Leave it there as stale, for an hour at most; `cistern undo` takes that back.
    #[arg(long)]
    pub soft: bool,
    /// Have what stood in the node's memory fetched anew, the hottest first.
    #[arg(long, conflicts_with = "soft")]
    pub refresh: bool,
    /// What must have happened before the answer.
    #[arg(long, value_enum, default_value_t)]
    pub confirm: Confirm,
    /// How long to wait for other nodes, at most 30s.
    #[arg(long, value_name = "TIME")]
    pub wait: Option<String>,
    /// Do not ask; scripts must say so where everything of a type goes.
    #[arg(long)]
    pub yes: bool,
    /// The running node.
    #[command(flatten)]
    pub node: Node,
}

/// `cistern tokens`.
#[derive(Debug, Subcommand)]
pub enum TokensVerb {
    /// Make a token and print it; it is told this once.
    Create {
        /// Who it is for.
        name: String,
        /// `read`, `purge`, `operate` or `admin`.
        #[arg(long)]
        role: String,
        /// What it may purge; may be given several times. Everything unless said.
        #[arg(long, value_name = "SELECTOR")]
        selector: Vec<String>,
        /// Where it is kept.
        #[command(flatten)]
        file: TokensFile,
    },
    /// Names, roles and bounds.
    List {
        /// Where they are kept.
        #[command(flatten)]
        file: TokensFile,
        /// Print one JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Take a token out; running nodes refuse it from the next call on.
    Revoke {
        /// Whose.
        name: String,
        /// Where it is kept.
        #[command(flatten)]
        file: TokensFile,
    },
}

/// The file of tokens.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct TokensFile {
    /// The file itself; `create` makes it.
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// The settings file that names it in `admin.tokens_file`.
    #[arg(long, value_name = "FILE", env = CISTERN_CONFIG)]
    pub config: Option<PathBuf>,
}

/// How to reach a running node.
#[derive(Debug, Args)]
pub struct Node {
    /// The admin API.
    #[arg(long, value_name = "URL", env = CISTERN_ADMIN_URL, default_value = ADMIN_URL)]
    pub admin: String,
    /// A file with the token to show; `CISTERN_ADMIN_TOKEN` holds it otherwise.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
}

/// Where the admin API listens unless told otherwise.
pub const ADMIN_URL: &str = "http://127.0.0.1:9180";
