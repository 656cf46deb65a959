//! The verbs that look at how a node runs, or change it, and those about this program itself.

use clap::{Args, Subcommand, ValueEnum};
use clap_complete::Shell;

use super::{Confirm, Node};

/// How the switch is turned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Turn {
    /// Past the cache.
    On,
    /// As ever.
    Off,
}

/// `cistern undo`.
#[derive(Debug, Args)]
pub struct Undo {
    /// What the soft purge said can be undone.
    #[arg(value_name = "ID")]
    pub id: String,
    /// What must have happened before the answer.
    #[arg(long, value_enum, default_value_t)]
    pub confirm: Confirm,
    /// How long to wait for other nodes, at most 30s.
    #[arg(long, value_name = "TIME")]
    pub wait: Option<String>,
    /// The running node.
    #[command(flatten)]
    pub node: Node,
}

/// `cistern bypass`.
#[derive(Debug, Args)]
pub struct Bypass {
    /// How to turn it; nothing shows how it stands.
    #[arg(value_enum)]
    pub turn: Option<Turn>,
    /// For how long; it ends by itself.
    #[arg(long = "for", value_name = "TIME", requires = "turn")]
    pub span: Option<String>,
    /// The running node.
    #[command(flatten)]
    pub node: Node,
}

/// `cistern rules`.
#[derive(Debug, Subcommand)]
pub enum RulesVerb {
    /// The routes in force.
    List(Node),
    /// The text in force, or an earlier one.
    Show {
        /// The number of an earlier one, of `history`.
        version: Option<u64>,
        /// The running node.
        #[command(flatten)]
        node: Node,
    },
    /// What the files say beside what is in force.
    Diff(Node),
    /// Read the rules again; the old ones stay when the new are wrong.
    Reload(Node),
    /// The last texts that were in force.
    History(Node),
    /// Put an earlier text in force, until the files are read the next time.
    Rollback {
        /// Its number, of `history`.
        version: u64,
        /// The running node.
        #[command(flatten)]
        node: Node,
    },
}

/// What keys are counted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum TopBy {
    /// Requests.
    #[default]
    Asked,
    /// Requests that no stored answer satisfied.
    Missed,
    /// The time that the origin took for them.
    Expensive,
}

/// `cistern top`.
#[derive(Debug, Args)]
pub struct Top {
    /// What is counted.
    #[arg(long, value_enum, default_value_t)]
    pub by: TopBy,
    /// The most rows.
    #[arg(long, default_value_t = 20)]
    pub limit: usize,
    /// Show it once and end.
    #[arg(long)]
    pub once: bool,
    /// The running node.
    #[command(flatten)]
    pub node: Node,
}

/// `cistern log`.
#[derive(Debug, Args)]
pub struct Log {
    /// Go on with what happens, until Ctrl-C.
    #[arg(long)]
    pub follow: bool,
    /// Only these events, such as HIT,PURGE.
    #[arg(long, value_name = "WORDS", value_delimiter = ',')]
    pub kind: Vec<String>,
    /// Only what is about keys that fit; `*` is any run of characters.
    #[arg(long, value_name = "GLOB")]
    pub key: Option<String>,
    /// The most lines of what happened before.
    #[arg(long, default_value_t = 100)]
    pub limit: usize,
    /// The running node.
    #[command(flatten)]
    pub node: Node,
}

/// `cistern completion`.
#[derive(Debug, Args)]
pub struct Completion {
    /// The shell.
    #[arg(value_enum)]
    pub shell: Shell,
}

/// `cistern man`.
#[derive(Debug, Args)]
pub struct Man {
    /// The verb that the page is about; the program itself unless said.
    pub verb: Option<String>,
}
