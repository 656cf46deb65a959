//! Where each value was said: what `config show` prints beside it, what errors point to, and which
//! of two values that exclude each other counts.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use crate::base::names;

/// Where a value comes from. Later ones win over earlier ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Provenance {
    /// Nobody said anything.
    #[default]
    BuiltIn,
    /// A line of the settings file.
    File {
        /// The file, as it was named.
        path: String,
        /// Counted from 1.
        line: usize,
    },
    /// A variable of the environment.
    Variable(String),
    /// A flag of the command line.
    Flag(&'static str),
}

impl Provenance {
    /// The layer; a higher one wins.
    pub(crate) fn rank(&self) -> u8 {
        match self {
            Self::BuiltIn => 0,
            Self::File { .. } => 1,
            Self::Variable(name) => rank_of(name),
            Self::Flag(_) => 4,
        }
    }
}

/// The layer of a variable: ours stand above those that other systems use too.
pub(crate) fn rank_of(variable: &str) -> u8 {
    if variable.starts_with(names::VARIABLE_PREFIX) { 3 } else { 2 }
}

impl fmt::Display for Provenance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("built-in"),
            Self::File { path, line } => write!(f, "{path}:{line}"),
            Self::Variable(name) => f.write_str(name),
            Self::Flag(name) => f.write_str(name),
        }
    }
}

/// Where every value that somebody said comes from, by its key: `l1.size`, `listen[0].address`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places(HashMap<String, Provenance>);

impl Places {
    /// Where the value of a key comes from.
    pub(crate) fn of(&self, key: &str) -> Provenance {
        self.0.get(key).cloned().unwrap_or_default()
    }

    /// The layer of a key's value.
    pub(crate) fn rank(&self, key: &str) -> u8 {
        self.0.get(key).map_or(0, Provenance::rank)
    }

    /// Remembers where a value comes from.
    pub(crate) fn set(&mut self, key: impl Into<String>, from: Provenance) {
        self.0.insert(key.into(), from);
    }

    /// A key and where it was said, as errors name it.
    pub(crate) fn name(&self, key: &str) -> String {
        match self.of(key) {
            Provenance::BuiltIn => key.to_owned(),
            from @ Provenance::File { .. } => format!("{from} {key}"),
            Provenance::Variable(name) if name.starts_with(names::VARIABLE_PREFIX) => {
                format!("{name} ({key})")
            }
            Provenance::Variable(name) => name,
            Provenance::Flag(name) => name.to_owned(),
        }
    }

    /// Takes the line of every key of a file.
    pub(crate) fn learn(&mut self, path: &Path, text: &str) {
        let (table, _) = DeTable::parse_recoverable(text);
        let path = path.display().to_string();
        self.learn_table("", table.get_ref(), &path, text);
    }

    fn learn_table(&mut self, before: &str, table: &DeTable<'_>, path: &str, text: &str) {
        for (name, value) in table {
            let key = format!("{before}{}", name.get_ref());
            let line = line_at(text, name.span().start);
            self.set(&key, Provenance::File { path: path.to_owned(), line });
            match value.get_ref() {
                DeValue::Table(inner) => {
                    self.learn_table(&format!("{key}."), inner, path, text);
                }
                DeValue::Array(all) => {
                    for (at, one) in all.iter().enumerate() {
                        if let DeValue::Table(inner) = one.get_ref() {
                            self.learn_table(&format!("{key}[{at}]."), inner, path, text);
                        }
                    }
                }
                _ => {}
            }
        }
    }
}

/// The line of a byte, counted from 1.
pub(super) fn line_at(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_its_line() {
        let text = "profile = 'rfc'\nlog = { access = 'off' }\n[[listen]]\naddress = 'a:1'\n\
                    [[listen]]\n\naddress = 'b:2'\n[l2]\nurl = 'redis://h'\n";
        let mut places = Places::default();
        places.learn(Path::new("conf/cistern.toml"), text);
        let at = |key: &str| places.of(key).to_string();
        assert_eq!(at("profile"), "conf/cistern.toml:1");
        assert_eq!(at("log.access"), "conf/cistern.toml:2");
        assert_eq!(at("listen[0].address"), "conf/cistern.toml:4");
        assert_eq!(at("listen[1].address"), "conf/cistern.toml:7");
        assert_eq!(at("l2.url"), "conf/cistern.toml:9");
        assert_eq!(at("l2.db"), "built-in");
    }

    #[test]
    fn the_layers_have_an_order_and_errors_name_them() {
        let all = [
            Provenance::BuiltIn,
            Provenance::File { path: "c.toml".into(), line: 3 },
            Provenance::Variable("REDIS_URL".into()),
            Provenance::Variable("CISTERN_L2__URL".into()),
            Provenance::Flag("--listen"),
        ];
        let ranks: Vec<_> = all.iter().map(Provenance::rank).collect();
        assert_eq!(ranks, [0, 1, 2, 3, 4]);
        let names = all.map(|from| {
            let mut places = Places::default();
            places.set("l2.url", from);
            places.name("l2.url")
        });
        assert_eq!(
            names,
            ["l2.url", "c.toml:3 l2.url", "REDIS_URL", "CISTERN_L2__URL (l2.url)", "--listen"]
        );
    }
}
