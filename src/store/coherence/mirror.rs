//! A node's copy of all fences: for each thing that orders have named, the number of the last one.
//! It never forgets. What is beyond its exact part falls into a table of maxima by hash, so that an
//! innocent frame may be refused and a guilty one never passes.

use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher;

use crate::base::ids::Number;
use crate::base::limits;
use crate::entry::order::{Order, Selector};
use crate::store::fence::Facts;

/// Cells of the coarse table: 2 MiB, made when the exact part is full.
const CELLS: usize = 1 << 18;

/// The fences as one node knows them.
#[derive(Clone, Debug, Default)]
pub struct Mirror {
    exact: HashMap<Named, Number, foldhash::fast::RandomState>,
    /// Names in the order of their last fence, some of them outdated.
    recent: VecDeque<(Number, Named)>,
    text_bytes: usize,
    coarse: Option<Box<[Number]>>,
    hasher: foldhash::fast::RandomState,
    /// Prefixes and patterns, oldest first.
    wide: VecDeque<(Number, Selector)>,
    all: Number,
}

/// What a fence stands on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Named(Kind, Box<str>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Key,
    Target,
    Tag,
    Type,
    Rule,
}

impl Mirror {
    /// Notes that an order with this number names these things.
    pub fn learn(&mut self, order: &Order, number: Number) {
        for selector in &order.selectors {
            match selector {
                Selector::Key(text) => self.note(Kind::Key, text, number),
                Selector::Url(text) => self.note(Kind::Target, text, number),
                Selector::Tag(text) => self.note(Kind::Tag, text, number),
                Selector::Type(text) => self.note(Kind::Type, text, number),
                Selector::Rule(text) => self.note(Kind::Rule, text, number),
                Selector::Prefix(_) | Selector::Pattern(_) | Selector::Tags(_) => {
                    self.note_wide(selector, number);
                }
                Selector::All => self.all = self.all.max(number),
            }
        }
    }

    /// The number of the last order that names something with these facts, as far as is known; the
    /// real one is never greater.
    pub fn latest(&self, facts: &Facts<'_>) -> Number {
        let tags = facts.tags;
        let mut latest = self
            .all
            .max(self.of(Kind::Key, facts.key))
            .max(self.of(Kind::Target, facts.target))
            // A target that is purged is purged as the key a GET of it would use as well.
            .max(self.of(Kind::Target, facts.key))
            .max(self.of(Kind::Type, facts.kind))
            .max(self.of(Kind::Rule, facts.rule));
        for tag in tags {
            latest = latest.max(self.of(Kind::Tag, tag));
        }
        for (number, wide) in self.wide.iter().rev() {
            if *number <= latest {
                break;
            }
            if wide.covers(facts.key, tags, "", "") {
                latest = *number;
            }
        }
        latest
    }

    /// Whether an order with a number between these two names something with these facts; `None`
    /// where a later one on the same thing hides whether.
    pub fn named_between(&self, facts: &Facts<'_>, after: Number, before: Number) -> Option<bool> {
        let (mut named, mut hidden) = (false, false);
        let mut see = |number: Number| {
            named |= number > after && number < before;
            hidden |= number > before;
        };
        see(self.all);
        see(self.of(Kind::Key, facts.key));
        see(self.of(Kind::Target, facts.target));
        see(self.of(Kind::Target, facts.key));
        see(self.of(Kind::Type, facts.kind));
        see(self.of(Kind::Rule, facts.rule));
        facts.tags.iter().for_each(|tag| see(self.of(Kind::Tag, tag)));
        for (number, wide) in &self.wide {
            if wide.covers(facts.key, facts.tags, "", "") {
                see(*number);
            }
        }
        if named { Some(true) } else { (!hidden).then_some(false) }
    }

    fn of(&self, kind: Kind, text: &str) -> Number {
        let exact = self.exact.get(&(kind, text) as &dyn Name).copied().unwrap_or_default();
        let cell = self.coarse.as_ref().and_then(|cells| cells.get(self.cell(kind, text)));
        exact.max(cell.copied().unwrap_or_default())
    }

    fn cell(&self, kind: Kind, text: &str) -> usize {
        self.hasher.hash_one((kind, text)) as usize % CELLS
    }

    fn note(&mut self, kind: Kind, text: &str, number: Number) {
        if let Some(known) = self.exact.get_mut(&(kind, text) as &dyn Name) {
            *known = (*known).max(number);
        } else {
            self.exact.insert(Named(kind, text.into()), number);
        }
        self.text_bytes += text.len();
        self.recent.push_back((number, Named(kind, text.into())));
        while self.recent.len() > limits::FENCES_MIRRORED_MAX
            || self.text_bytes > limits::FENCES_MIRRORED_BYTES_MAX
        {
            self.fold_first();
        }
    }

    /// The oldest name moves into the coarse table, unless it was named again since.
    fn fold_first(&mut self) {
        let Some((number, name)) = self.recent.pop_front() else { return };
        self.text_bytes -= name.1.len();
        if self.exact.get(&name).is_none_or(|last| *last > number) {
            return;
        }
        self.exact.remove(&name);
        let at = self.cell(name.0, &name.1);
        let cells = self.coarse.get_or_insert_with(|| vec![Number::default(); CELLS].into());
        if let Some(cell) = cells.get_mut(at) {
            *cell = (*cell).max(number);
        }
    }

    fn note_wide(&mut self, selector: &Selector, number: Number) {
        let before = self.wide.iter().position(|(_, known)| known == selector);
        let before = before.and_then(|at| self.wide.remove(at)).map_or(number, |(known, _)| known);
        let number = number.max(before);
        let at = self.wide.partition_point(|(known, _)| *known <= number);
        self.wide.insert(at, (number, selector.clone()));
        if self.wide.len() > limits::WIDE_FENCES_MIRRORED_MAX
            && let Some((oldest, _)) = self.wide.pop_front()
        {
            self.all = self.all.max(oldest);
        }
    }
}

/// Lets the table be asked without making a name first.
trait Name {
    fn parts(&self) -> (Kind, &str);
}

impl Name for Named {
    fn parts(&self) -> (Kind, &str) {
        (self.0, &self.1)
    }
}

impl Name for (Kind, &str) {
    fn parts(&self) -> (Kind, &str) {
        *self
    }
}

impl<'a> std::borrow::Borrow<dyn Name + 'a> for Named {
    fn borrow(&self) -> &(dyn Name + 'a) {
        self
    }
}

impl PartialEq for dyn Name + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for dyn Name + '_ {}

impl std::hash::Hash for dyn Name + '_ {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        // As the derived form of `Named` hashes.
        let (kind, text) = self.parts();
        kind.hash(state);
        text.hash(state);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn order(texts: &[&str]) -> Order {
        Order::of(texts.iter().map(|text| Selector::parse(text).unwrap()))
    }

    fn facts<'a>(key: &'a str, tags: &'a [Arc<str>]) -> Facts<'a> {
        let (target, is_open) = ("http://h/1", false);
        Facts { key, target, tags, is_open, kind: "stats", rule: "users" }
    }

    const fn at(count: u32) -> Number {
        Number::new(1, count)
    }

    #[test]
    fn every_kind_of_selector_is_known_again() {
        let tags: Vec<Arc<str>> = vec!["rut:1".into()];
        for (text, names) in [
            ("key:a:1", true),
            ("key:a:2", false),
            ("url:http://h/1", true),
            ("url:http://h/2", false),
            ("tag:rut:1", true),
            ("tag:rut:2", false),
            ("tag:rut:*", true),
            ("tag:x*", false),
            ("type:stats", true),
            ("type:x", false),
            ("rule:users", true),
            ("rule:x", false),
            ("prefix:a:", true),
            ("prefix:b", false),
            ("pattern:*:1", true),
            ("pattern:*:2", false),
            ("all", true),
        ] {
            let mut mirror = Mirror::default();
            mirror.learn(&order(&[text]), at(5));
            let want = if names { at(5) } else { Number::default() };
            assert_eq!(mirror.latest(&facts("a:1", &tags)), want, "{text}");
        }
    }

    #[test]
    fn what_an_earlier_order_took_is_known() {
        let mut mirror = Mirror::default();
        mirror.learn(&order(&["tag:t"]), at(3));
        mirror.learn(&order(&["key:a"]), at(5));
        let tags: Vec<Arc<str>> = vec!["t".into()];
        let between =
            |tags, one, other| mirror.named_between(&facts("a", tags), at(one), at(other));
        assert_eq!(between(&tags, 2, 5), Some(true), "by its tag");
        assert_eq!(between(&tags, 3, 5), Some(false), "fetched after that");
        assert_eq!(between(&[], 2, 5), Some(false));
        assert_eq!(between(&[], 2, 4), None, "the key may have been named before as well");
        assert_eq!(between(&[], 2, 6), Some(true));
        let mut mirror = Mirror::default();
        mirror.learn(&order(&["prefix:a"]), at(3));
        assert_eq!(mirror.named_between(&facts("a", &[]), at(2), at(5)), Some(true));
    }

    #[test]
    fn the_greatest_number_counts_whatever_comes_last() {
        let mut mirror = Mirror::default();
        mirror.learn(&order(&["key:a", "prefix:a"]), at(9));
        mirror.learn(&order(&["key:a", "prefix:a", "prefix:b"]), at(4));
        assert_eq!(mirror.latest(&facts("a", &[])), at(9));
        assert_eq!(mirror.latest(&facts("a2", &[])), at(9));
        mirror.learn(&order(&["pattern:a*"]), at(12));
        assert_eq!(mirror.latest(&facts("a", &[])), at(12));
    }

    #[test]
    fn what_is_too_much_becomes_coarse_and_is_not_forgotten() {
        let mut mirror = Mirror::default();
        let many = limits::FENCES_MIRRORED_MAX + 2_000;
        for i in 0..many {
            mirror.learn(&order(&[&format!("key:k{i}")]), at(i as u32 + 1));
        }
        assert!(mirror.exact.len() <= limits::FENCES_MIRRORED_MAX);
        for i in [0, 1_000, 1_999, 2_000, many - 1] {
            assert!(mirror.latest(&facts(&format!("k{i}"), &[])) > at(i as u32), "{i}");
        }
        assert!(mirror.text_bytes <= limits::FENCES_MIRRORED_BYTES_MAX);
    }

    #[test]
    fn too_many_patterns_become_a_fence_on_all() {
        let mut mirror = Mirror::default();
        for i in 0..=limits::WIDE_FENCES_MIRRORED_MAX {
            mirror.learn(&order(&[&format!("prefix:p{i}:")]), at(i as u32 + 1));
        }
        assert_eq!(mirror.latest(&facts("other", &[])), at(1));
        assert_eq!(mirror.latest(&facts("p9:x", &[])), at(10));
    }
}
