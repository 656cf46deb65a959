//! The verbs that look at how a node runs, or change it.

use clap::{Args, ValueEnum};

use super::Node;

/// How the switch is turned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Turn {
    /// Past the cache.
    On,
    /// As ever.
    Off,
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
