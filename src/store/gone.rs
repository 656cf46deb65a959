//! What an order took, told so that levels and nodes can be added up: a representation that stood
//! in L1 of three nodes and in the shared level is one.

use std::collections::HashSet;

use crate::base::limits;

/// What went from one level of one node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gone {
    /// Representations: each variant counts.
    pub entries: u64,
    /// Digests of what they stood under, of the first [`limits::GONE_NAMES_MAX`].
    names: Vec<u64>,
    /// More have gone than were counted by now.
    is_open: bool,
}

/// What went from all levels of all nodes, as far as it was told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Representations, each once, wherever it stood. Where not all could be told apart this is the
    /// least that it can be.
    pub entries: u64,
    /// What went from L1, added up over nodes.
    pub l1: u64,
    /// What went from the shared level; `None` where that is not known yet.
    pub l2: Option<u64>,
    /// Whether everybody has told, and all could be told apart.
    pub exact: bool,
}

impl Gone {
    /// One representation went: that of an identity, under the id of what selects it, which is
    /// empty where nothing does.
    pub fn count<V: AsRef<str>>(&mut self, identity: &str, variant: impl FnOnce() -> V) {
        self.entries += 1;
        // Of very many nobody needs all names, and telling them takes time.
        if self.names.len() < limits::GONE_NAMES_MAX {
            self.names.push(digest(identity, variant().as_ref()));
        }
    }

    /// So many went of which no more is known.
    pub const fn count_nameless(&mut self, entries: u64) {
        self.entries += entries;
    }

    /// More have gone than were counted: they have yet to leave memory.
    pub const fn leave_open(&mut self) {
        self.is_open = true;
    }

    /// Whether more have gone than were counted.
    pub const fn is_open(&self) -> bool {
        self.is_open
    }

    /// Both together.
    pub fn join(&mut self, other: Self) {
        self.entries += other.entries;
        self.is_open |= other.is_open;
        let room = limits::GONE_NAMES_MAX.saturating_sub(self.names.len());
        self.names.extend(other.names.into_iter().take(room));
    }

    /// As another node reads it: the count, with a plus where more have gone, and the digests in
    /// hexadecimal digits.
    pub fn to_text(&self) -> String {
        let names: Vec<String> = self.names.iter().map(|name| format!("{name:x}")).collect();
        let more = if self.is_open { "+" } else { "" };
        format!("{}{more} {}", self.entries, names.join(","))
    }

    /// As another node has written it; nothing of what no node writes.
    pub fn parse(text: &str) -> Option<Self> {
        let (entries, names) = text.split_once(' ').unwrap_or((text, ""));
        let names = names.split(',').filter(|name| !name.is_empty());
        let names: Vec<u64> = names
            .take(limits::GONE_NAMES_MAX)
            .map(|name| u64::from_str_radix(name, 16))
            .collect::<Result<_, _>>()
            .ok()?;
        let (entries, is_open) = match entries.strip_suffix('+') {
            Some(entries) => (entries, true),
            None => (entries, false),
        };
        let entries = entries.parse().ok()?;
        (names.len() as u64 <= entries).then_some(Self { entries, names, is_open })
    }
}

impl Counts {
    /// Adds up what went from this node's L1, from that of others, and from the shared level.
    /// `None` is who has not told.
    pub fn of(own: &Gone, others: &[Option<Gone>], l2: Option<&Gone>) -> Self {
        let told = others.iter().flatten();
        let l1 = own.entries + told.clone().map(|gone| gone.entries).sum::<u64>();
        let all: Vec<&Gone> = std::iter::once(own).chain(told).chain(l2).collect();
        let names: HashSet<u64> = all.iter().flat_map(|gone| gone.names.iter().copied()).collect();
        let is_named = |gone: &&Gone| gone.names.len() as u64 == gone.entries;
        let named = all.iter().all(is_named);
        let most = all.iter().map(|gone| gone.entries).max().unwrap_or_default();
        Self {
            entries: most.max(names.len() as u64),
            l1,
            l2: l2.map(|gone| gone.entries),
            // Of one alone no two can be the same.
            exact: others.iter().all(Option::is_some)
                && l2.is_some()
                && !all.iter().any(|gone| gone.is_open)
                && (named || all.iter().filter(|gone| gone.entries > 0).count() <= 1),
        }
    }
}

fn digest(identity: &str, variant: &str) -> u64 {
    let mut hasher = blake3::Hasher::new();
    // A character that no identity holds.
    hasher.update(identity.as_bytes()).update(&[2]).update(variant.as_bytes());
    let mut first = [0; 8];
    hasher.finalize_xof().fill(&mut first);
    u64::from_le_bytes(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gone(names: &[&str]) -> Gone {
        let mut gone = Gone::default();
        for name in names {
            gone.count(name, || "");
        }
        gone
    }

    #[test]
    fn an_open_count_is_told_and_makes_the_whole_inexact() {
        let mut open = gone(&["a"]);
        open.leave_open();
        assert_eq!(Gone::parse(&open.to_text()), Some(open.clone()));
        assert!(open.to_text().starts_with("1+ "));
        let none = gone(&[]);
        assert!(!Counts::of(&open, &[], Some(&none)).exact);
        assert!(!Counts::of(&none, &[Some(open)], Some(&none)).exact);
        assert!(Counts::of(&gone(&["a"]), &[Some(none.clone())], Some(&none)).exact);
    }

    #[test]
    fn what_stood_in_several_places_is_one() {
        let others = [Some(gone(&["a", "b"])), Some(gone(&[]))];
        let counts = Counts::of(&gone(&["a"]), &others, Some(&gone(&["b", "c"])));
        assert_eq!(counts, Counts { entries: 3, l1: 3, l2: Some(2), exact: true });
        let mut variants = gone(&["a"]);
        variants.count("a", || "0f");
        assert_eq!(Counts::of(&variants, &[], Some(&gone(&["a"]))).entries, 2);
    }

    #[test]
    fn what_nobody_told_is_not_exact() {
        let own = gone(&["a"]);
        assert!(!Counts::of(&own, &[None], Some(&gone(&[]))).exact);
        assert_eq!(
            Counts::of(&own, &[], None),
            Counts { entries: 1, l1: 1, l2: None, exact: false }
        );
        let mut many = Gone::default();
        many.count_nameless(9);
        let counts = Counts::of(&own, &[Some(many.clone())], Some(&gone(&[])));
        assert_eq!((counts.entries, counts.exact), (9, false));
        // Of one place alone each is another one.
        assert!(Counts::of(&many, &[Some(gone(&[]))], Some(&gone(&[]))).exact);
    }

    #[test]
    fn text_is_read_as_it_was_written_or_not_at_all() {
        for names in [&[][..], &["a"], &["a", "b"]] {
            assert_eq!(Gone::parse(&gone(names).to_text()), Some(gone(names)));
        }
        let many: Vec<String> = (0..limits::GONE_NAMES_MAX + 5).map(|i| i.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let read = Gone::parse(&gone(&many).to_text()).unwrap();
        assert_eq!((read.entries, read.names.len()), (many.len() as u64, limits::GONE_NAMES_MAX));
        assert_eq!(Gone::parse("0"), Some(Gone::default()), "nothing went");
        for wrong in ["", " ", "x ", "1 g", "1 1,2", "-1 ", "1 1ffffffffffffffff"] {
            assert_eq!(Gone::parse(wrong), None, "{wrong}");
        }
    }
}
