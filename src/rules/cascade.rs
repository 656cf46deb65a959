//! What goes as well when an order names something: each cascade looks at what is named and gives
//! further selectors, which may make others follow. Too little must never go: where an order names
//! more than one thing at once (a pattern, a prefix), whatever could follow from any of them does,
//! and what is beyond the bounds becomes one order on everything. That nothing follows from itself
//! was seen to before (`compile::cascade`); here it ends all the same.

use std::collections::HashSet;

use super::charset::{CharSet, Step, can_be_equal};
use crate::base::limits::{CASCADE_DEPTH_MAX, CASCADE_SELECTORS_MAX, KEY_BYTES_MAX};
use crate::entry::order::{Glob, Order, Selector};

/// All cascades of a rulebook.
#[derive(Clone, Debug, Default)]
pub struct Cascades(pub(super) Vec<Cascade>);

/// One `[[cascade]]`.
#[derive(Clone, Debug)]
pub(super) struct Cascade {
    pub(super) when: When,
    pub(super) then: Vec<Then>,
}

/// What kind of thing a cascade looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum About {
    Key,
    Tag,
    Type,
    Rule,
}

/// What an order must name: literal texts, and between two of them one part without a colon.
#[derive(Clone, Debug)]
pub(super) struct When {
    pub(super) about: About,
    pub(super) literals: Vec<String>,
}

/// One selector that follows.
#[derive(Clone, Debug)]
pub(super) struct Then {
    pub(super) kind: ThenKind,
    pub(super) pieces: Vec<ThenPiece>,
}

/// What a selector that follows names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ThenKind {
    Key,
    Prefix,
    Tag,
    Type,
    Rule,
    All,
}

/// A part of such a selector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ThenPiece {
    /// As it stands.
    Text(String),
    /// What this `*` was, counted from 0.
    Part(usize),
}

/// What stands for a part that may be anything.
const ANY: &str = "*";

impl Cascades {
    /// What follows from an order and is not in it; nothing where nothing does.
    pub fn follow(&self, order: &Order) -> Option<Order> {
        if self.0.is_empty() || order.selectors.contains(&Selector::All) {
            return None;
        }
        let mut known: HashSet<Selector> = order.selectors.iter().cloned().collect();
        let (mut all, mut begin) = (Vec::new(), 0);
        let mut latest: Vec<Selector> = order.selectors.clone();
        for _ in 0..=CASCADE_DEPTH_MAX {
            for one in latest.iter().flat_map(|named| self.of(named)) {
                if known.insert(one.clone()) {
                    all.push(one);
                }
                if all.len() > CASCADE_SELECTORS_MAX {
                    return Some(Order::of([Selector::All]));
                }
            }
            latest = all.get(begin..).unwrap_or_default().to_vec();
            begin = all.len();
            if latest.is_empty() {
                // Each is in it once.
                return (!all.is_empty()).then_some(Order { selectors: all, ..Order::default() });
            }
        }
        Some(Order::of([Selector::All]))
    }

    /// What follows from this at once.
    fn of(&self, named: &Selector) -> impl Iterator<Item = Selector> {
        self.0.iter().flat_map(|one| {
            let parts = one.when.parts(named);
            let then = parts.into_iter().flat_map(|parts| {
                one.then.iter().filter_map(move |then| then.selector(&parts)).collect::<Vec<_>>()
            });
            then.collect::<Vec<_>>()
        })
    }
}

impl When {
    /// What each `*` is where an order names this; nothing where it names nothing that is meant.
    fn parts(&self, named: &Selector) -> Option<Vec<String>> {
        let (about, text, is_wide) = match named {
            Selector::Key(text) | Selector::Url(text) => (About::Key, text.clone(), false),
            Selector::Prefix(text) => (About::Key, format!("{text}*"), true),
            Selector::Pattern(glob) => (About::Key, glob.to_string(), true),
            // A tag of the entry's own is none that rules give.
            Selector::Tag(_) if named.is_own_tag() => return None,
            Selector::Tag(text) => (About::Tag, text.clone(), false),
            Selector::Tags(glob) => (About::Tag, glob.to_string(), true),
            Selector::Type(text) => (About::Type, text.clone(), false),
            Selector::Rule(text) => (About::Rule, text.clone(), false),
            // Nothing is left that could follow.
            Selector::All => return None,
        };
        if about != self.about {
            return None;
        }
        let exact = self.exactly(&text);
        if is_wide && (exact.is_none() || !self.is_aligned()) {
            return self.meets(&text).then(|| vec![ANY.to_owned(); self.stars()]);
        }
        exact
    }

    /// How many `*` it has.
    pub(super) fn stars(&self) -> usize {
        self.literals.len().saturating_sub(1)
    }

    /// The parts of a text that fits. A later find of a literal gives nothing that the first does
    /// not: the part before it would be longer, and hold every colon that stands in its way.
    fn exactly(&self, text: &str) -> Option<Vec<String>> {
        let (first, rest) = self.literals.split_first()?;
        let text = text.strip_prefix(first.as_str())?;
        let Some((last, inner)) = rest.split_last() else {
            return text.is_empty().then(Vec::new);
        };
        let mut left = text.strip_suffix(last.as_str())?;
        let mut parts = Vec::with_capacity(self.stars());
        for literal in inner {
            let (part, behind) = left.split_once(literal.as_str())?;
            parts.push(part.to_owned());
            left = behind;
        }
        parts.push(left.to_owned());
        parts.iter().all(|part| !part.contains(':')).then_some(parts)
    }

    /// Whether each part stands between colons, so that the parts of a pattern are those of all
    /// that fit it.
    fn is_aligned(&self) -> bool {
        let inner = self.literals.get(1..self.stars()).unwrap_or_default();
        inner.iter().all(|literal| literal.contains(':'))
    }

    /// Whether anything fits both this and a pattern.
    fn meets(&self, glob: &str) -> bool {
        let (own, theirs) = (self.literals.first(), glob.split('*').next().unwrap_or_default());
        // Most do not begin alike, which is found out faster.
        let alike = own.is_some_and(|own| own.starts_with(theirs) || theirs.starts_with(&**own));
        alike && can_be_equal(&self.steps(), &steps(glob, CharSet::ALL))
    }

    /// All texts that fit.
    pub(super) fn steps(&self) -> Vec<Step> {
        let mut all = Vec::new();
        for (at, literal) in self.literals.iter().enumerate() {
            if at > 0 {
                all.push(Step::Many(CharSet::PART));
            }
            all.extend(steps(literal, CharSet::ALL));
        }
        all
    }
}

/// All texts that a pattern means, in which a star is a run of these.
fn steps(glob: &str, star: CharSet) -> Vec<Step> {
    let step = |byte: u8| match byte {
        b'*' => Step::Many(star),
        byte => Step::One(CharSet::of(&[byte])),
    };
    glob.bytes().map(step).collect()
}

impl Then {
    /// The selector for these parts. Nothing where it is longer than what anything is stored under.
    fn selector(&self, parts: &[String]) -> Option<Selector> {
        let mut text = String::new();
        for piece in &self.pieces {
            text.push_str(match piece {
                ThenPiece::Text(own) => own,
                ThenPiece::Part(at) => parts.get(*at)?,
            });
        }
        if self.kind == ThenKind::Prefix
            && let Some(star) = text.find('*')
        {
            text.truncate(star);
        }
        if text.len() > KEY_BYTES_MAX {
            return None;
        }
        let is_wide = text.contains('*');
        Some(match self.kind {
            ThenKind::Key if is_wide => Selector::Pattern(Glob::new(&text)),
            ThenKind::Key => Selector::Key(text),
            ThenKind::Prefix => Selector::Prefix(text),
            ThenKind::Tag if is_wide => Selector::Tags(Glob::new(&text)),
            ThenKind::Tag => Selector::Tag(text),
            ThenKind::Type => Selector::Type(text),
            ThenKind::Rule => Selector::Rule(text),
            ThenKind::All => Selector::All,
        })
    }

    /// What kind of cascade it could make follow, and all texts it can have.
    pub(super) fn reach(&self) -> Option<(About, Vec<Step>)> {
        let about = match self.kind {
            ThenKind::Key | ThenKind::Prefix => About::Key,
            ThenKind::Tag => About::Tag,
            ThenKind::Type => About::Type,
            ThenKind::Rule => About::Rule,
            ThenKind::All => return None,
        };
        let mut all = Vec::new();
        for piece in &self.pieces {
            match piece {
                ThenPiece::Text(own) => all.extend(steps(own, CharSet::ALL)),
                ThenPiece::Part(_) => all.push(Step::Many(CharSet::PART)),
            }
        }
        if self.kind == ThenKind::Prefix {
            all.push(Step::Many(CharSet::ALL));
        }
        Some((about, all))
    }
}

#[cfg(test)]
mod tests;
