//! The last texts of rules that were in force, for who wants to see them or to go back.

use std::collections::VecDeque;

use crate::admin::{RulesText, RulesVersion};
use crate::base::clock::Timestamp;
use crate::base::limits;
use crate::rules::Source;

/// Texts by their numbers, the newest last.
#[derive(Debug, Default)]
pub(super) struct History {
    versions: VecDeque<Version>,
}

#[derive(Debug)]
struct Version {
    number: u64,
    at: Timestamp,
    detail: String,
    sources: Vec<Source>,
}

impl Version {
    fn bytes(&self) -> u64 {
        self.sources.iter().map(|source| source.text.len() as u64).sum()
    }
}

impl History {
    /// Notes what has been put in force. The oldest go where there are too many, or too long ones;
    /// what is in force stays.
    pub(super) fn note(&mut self, number: u64, at: Timestamp, detail: &str, sources: Vec<Source>) {
        let detail = detail.to_owned();
        self.versions.push_back(Version { number, at, detail, sources });
        let bytes = |all: &VecDeque<Version>| all.iter().map(Version::bytes).sum::<u64>();
        while self.versions.len() > 1
            && (self.versions.len() > limits::RULES_KEPT_MAX
                || bytes(&self.versions) > limits::RULES_KEPT_BYTES_MAX)
        {
            self.versions.pop_front();
        }
    }

    /// The texts of a version; those in force where none is named.
    pub(super) fn sources(&self, number: Option<u64>) -> Option<&[Source]> {
        self.version(number).map(|version| version.sources.as_slice())
    }

    fn version(&self, number: Option<u64>) -> Option<&Version> {
        match number {
            None => self.versions.back(),
            Some(number) => self.versions.iter().find(|version| version.number == number),
        }
    }

    /// The same for operators.
    pub(super) fn text(&self, number: Option<u64>) -> Option<RulesText> {
        let version = self.version(number)?;
        let file = |source: &Source| (source.name.clone(), source.text.clone());
        Some(RulesText {
            version: version.number,
            files: version.sources.iter().map(file).collect(),
        })
    }

    /// All of them, newest first.
    pub(super) fn told(&self) -> Vec<RulesVersion> {
        let in_force = self.versions.back().map(|version| version.number);
        let told = |version: &Version| RulesVersion {
            version: version.number,
            at_ms: version.at.as_millis(),
            detail: version.detail.clone(),
            files: version.sources.iter().map(|source| source.name.clone()).collect(),
            bytes: version.bytes(),
            in_force: Some(version.number) == in_force,
        };
        self.versions.iter().rev().map(told).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Vec<Source> {
        vec![Source { name: "r.toml".to_owned(), text: text.to_owned() }]
    }

    #[test]
    fn so_many_are_kept_and_the_newest_is_in_force() {
        let mut history = History::default();
        let last = limits::RULES_KEPT_MAX as u64 + 5;
        for number in 1..=last {
            history.note(number, Timestamp::default(), "x", source(&number.to_string()));
        }
        let told = history.told();
        assert_eq!(told.len(), limits::RULES_KEPT_MAX);
        assert_eq!((told[0].version, told[0].in_force), (last, true));
        assert!(!told[1].in_force);
        assert_eq!(history.text(None).unwrap().files[0].1, last.to_string());
        assert_eq!(history.text(Some(last - 1)).unwrap().version, last - 1);
        assert!(history.text(Some(1)).is_none());
    }

    #[test]
    fn long_texts_push_others_out_and_never_the_last() {
        let mut history = History::default();
        let long = "x".repeat(limits::RULES_KEPT_BYTES_MAX as usize + 1);
        history.note(1, Timestamp::default(), "x", source("short"));
        history.note(2, Timestamp::default(), "x", source(&long));
        assert_eq!(history.told().len(), 1);
        assert!(history.sources(None).is_some());
    }
}
