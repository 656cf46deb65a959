//! What an order would take, without taking it. The same walks as a purge, each entry once.

use super::L1;
use crate::entry::order::{Order, Selector};
use crate::entry::{Entry, Key, resource};
use crate::store::index::Walk;

/// What stands here of an order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Representations: each variant counts.
    pub entries: u64,
    /// Bytes they take.
    pub bytes: u64,
    /// Texts of some of their keys, each once.
    pub sample: Vec<String>,
}

impl L1 {
    /// Counts what the order names, with the keys of some, at most `sample`.
    pub fn count(&self, order: &Order, sample: usize) -> Counted {
        let mut counted = Counted::default();
        self.meet(order, &mut |key, entry| {
            counted.entries += 1;
            counted.bytes += entry.cost();
            let (kept, text) = (&mut counted.sample, key.text());
            if kept.len() < sample && !kept.iter().any(|one| one == text) {
                kept.push(text.to_owned());
            }
        });
        counted
    }

    /// Shows what the order names, each entry once. A lock is held meanwhile.
    pub fn meet(&self, order: &Order, each: &mut dyn FnMut(&Key, &Entry)) {
        for (at, selector) in order.selectors.iter().enumerate() {
            let before = order.selectors.get(..at).unwrap_or_default();
            self.meet_selected(selector, before, each);
        }
    }

    fn meet_selected(
        &self,
        selector: &Selector,
        before: &[Selector],
        each: &mut dyn FnMut(&Key, &Entry),
    ) {
        let mut count = |walk: Walk<'_>, first: &dyn Fn(&Key, &Entry) -> bool| {
            self.visit(walk, &mut |shard, number| {
                let Some(slot) = shard.slot(number) else { return };
                if !slot.home.pool.holds(slot.key.identity()) {
                    return;
                }
                let text = slot.key.text();
                for entry in slot.bundle.variants() {
                    let is_new = !before.iter().any(|one| names(one, text, entry))
                        && !self.pending.hides(text, entry);
                    if is_new && first(&slot.key, entry) && names(selector, text, entry) {
                        each(&slot.key, entry);
                    }
                }
            });
        };
        match selector {
            Selector::Key(text) => count(Walk::Beginning(&Key::beginning(text)), &|_, _| true),
            Selector::Url(target) => {
                count(Walk::Beginning(&Key::beginning(target)), &|_, _| true);
                count(Walk::Target(target), &|key, _| key.text() != target);
            }
            Selector::Prefix(text) => count(Walk::Beginning(text), &|_, _| true),
            Selector::Pattern(glob) => count(Walk::Beginning(glob.prefix()), &|_, _| true),
            Selector::Tag(tag) => count(Walk::Tag(tag), &|_, _| true),
            Selector::Tags(glob) => {
                let mut tags: Vec<_> =
                    self.tags_from(glob.prefix()).filter(|tag| glob.matches(tag)).collect();
                tags.sort_unstable();
                tags.dedup();
                for tag in tags {
                    // One with several such tags is met with the first of them.
                    count(Walk::Tag(&tag), &|_, entry| {
                        let mut its =
                            resource::given(&entry.labels.tags).filter(|tag| glob.matches(tag));
                        its.all(|other| *other >= tag)
                    });
                }
            }
            Selector::Type(name) => count(Walk::Kind(name), &|_, _| true),
            Selector::Rule(name) => count(Walk::Rule(name), &|_, _| true),
            Selector::All => count(Walk::Beginning(""), &|_, _| true),
        }
    }
}

/// Whether a purge of this would take the entry.
pub(super) fn names(selector: &Selector, text: &str, entry: &Entry) -> bool {
    let labels = &entry.labels;
    let rule = labels.place.rule.as_deref().unwrap_or_default();
    selector.covers(text, &labels.tags, &labels.place.kind, rule)
        || matches!(selector, Selector::Url(url) if labels.target.as_deref() == Some(url))
}
