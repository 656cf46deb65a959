//! The verbs about single entries.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::Node;

/// Which level is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Level {
    /// The memory of the node.
    #[default]
    L1,
    /// What nodes share.
    L2,
}

/// `cistern keys`.
#[derive(Debug, Args)]
pub struct Keys {
    /// What to list, as for `purge`; everything unless said.
    #[arg(value_name = "SELECTOR", default_value = "all")]
    pub selector: String,
    /// The level.
    #[arg(long, value_enum, default_value_t)]
    pub level: Level,
    /// The most rows.
    #[arg(long, default_value_t = 100)]
    pub limit: usize,
    /// Go on where another list ended.
    #[arg(long, value_name = "PLACE")]
    pub after: Option<String>,
    /// The running node.
    #[command(flatten)]
    pub node: Node,
}

/// `cistern get`.
#[derive(Debug, Args)]
pub struct Get {
    /// The key with its type's prefix.
    #[arg(required_unless_present = "url")]
    pub key: Option<String>,
    /// A URL, in place of the key that a GET of it is looked up by.
    #[arg(long)]
    pub url: Option<String>,
    /// Print the body of the newest answer and nothing else.
    #[arg(long)]
    pub body: bool,
    /// The running node.
    #[command(flatten)]
    pub node: Node,
}

/// `cistern put`.
#[derive(Debug, Args)]
pub struct Put {
    /// The key with its type's prefix.
    pub key: String,
    /// The file with the body; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    pub file: PathBuf,
    /// The type, whose rules read the key.
    #[arg(long = "type", value_name = "TYPE", required_unless_present = "url")]
    pub kind: Option<String>,
    /// A URL that is looked up by the key, in place of the type.
    #[arg(long)]
    pub url: Option<String>,
    /// The rule, where several of the type read such keys.
    #[arg(long)]
    pub rule: Option<String>,
    /// How long it is fresh; as the rule says unless said.
    #[arg(long, value_name = "TIME")]
    pub ttl: Option<String>,
    /// A tag; may be given several times.
    #[arg(long = "tag", value_name = "TAG")]
    pub tags: Vec<String>,
    /// Scheme and authority that clients ask for, such as <http://api.example>; may be repeated.
    #[arg(long = "site", value_name = "SITE")]
    pub sites: Vec<String>,
    /// The media type; told from the body unless said.
    #[arg(long, value_name = "MEDIA-TYPE")]
    pub content_type: Option<String>,
    /// The running node.
    #[command(flatten)]
    pub node: Node,
}
