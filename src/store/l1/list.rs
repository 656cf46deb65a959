//! What stands here, a page at a time, for operators. A page costs as much as what is looked at for
//! it, which has a bound; where it ends is told as a place from which the next one goes on. What
//! stands all the while is met exactly once; what comes or goes meanwhile may or may not be.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::round::names;
use super::{L1, SHARDS, lock};
use crate::base::limits;
use crate::entry::order::Selector;
use crate::entry::{Entry, Key};
use crate::store::index::{Cursor, STEP, Walk};

/// One identity with those of its variants that were asked for.
#[derive(Clone, Debug)]
pub struct Listed {
    /// What it is.
    pub key: Key,
    /// Its variants, at least one.
    pub entries: Vec<Arc<Entry>>,
}

/// Where a page ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum After {
    /// Behind this identity, in the order of all.
    Identity(String),
    /// Before this slot of a shard, in the set of a label.
    Slot {
        /// The shard.
        shard: usize,
        /// The slot's number.
        number: u32,
    },
}

/// A page.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// What it holds.
    pub found: Vec<Listed>,
    /// Where the next one begins; nothing at the end.
    pub next: Option<After>,
}

impl fmt::Display for After {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Identity(identity) => {
                f.write_str("k")?;
                identity.bytes().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
            Self::Slot { shard, number } => write!(f, "s{shard}-{number}"),
        }
    }
}

impl FromStr for After {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        if let Some(hex) = text.strip_prefix('k') {
            let byte = |two: &[u8]| {
                let two = std::str::from_utf8(two).map_err(drop)?;
                u8::from_str_radix(two, 16).map_err(drop)
            };
            let whole = hex.len().is_multiple_of(2).then_some(hex.as_bytes()).ok_or(())?;
            let bytes = whole.chunks(2).map(byte).collect::<Result<Vec<u8>, ()>>()?;
            return String::from_utf8(bytes).map(Self::Identity).map_err(drop);
        }
        let (shard, number) = text.strip_prefix('s').and_then(|at| at.split_once('-')).ok_or(())?;
        let (shard, number) = (shard.parse().map_err(drop)?, number.parse().map_err(drop)?);
        Ok(Self::Slot { shard, number })
    }
}

/// Identities of all shards in one order, as far as it is known to be complete.
struct Batch {
    found: Vec<Listed>,
    looked: usize,
    /// Where the next batch begins; nothing at the end.
    upto: Option<String>,
}

impl L1 {
    /// What stands here of any of these selectors, at most `most` identities, from where another
    /// page ended. A place that is of no such page begins at the beginning.
    pub fn list(&self, selectors: &[Selector], after: Option<&After>, most: usize) -> Page {
        self.settle();
        // Several may name the same entry, and the order of all meets it once.
        let [selector] = selectors else { return self.list_in_order("", selectors, after, most) };
        let set = match selector {
            Selector::Tag(text) => Walk::Tag(text),
            Selector::Type(text) => Walk::Kind(text),
            Selector::Rule(text) => Walk::Rule(text),
            Selector::Url(target) => return self.list_target(selectors, target, most),
            Selector::Key(text) => {
                return self.list_in_order(&Key::beginning(text), selectors, after, most);
            }
            Selector::Prefix(text) => return self.list_in_order(text, selectors, after, most),
            Selector::Pattern(glob) => {
                return self.list_in_order(glob.prefix(), selectors, after, most);
            }
            Selector::Tags(_) | Selector::All => {
                return self.list_in_order("", selectors, after, most);
            }
        };
        let from = match after {
            Some(After::Slot { shard, number }) => (*shard, *number),
            _ => (0, 0),
        };
        self.list_set(set, selectors, from, most)
    }

    /// Few stand under one target, so there is one page of them.
    fn list_target(&self, selectors: &[Selector], target: &str, most: usize) -> Page {
        let mut page = self.list_in_order(&Key::beginning(target), selectors, None, most);
        let rest = self.list_set(Walk::Target(target), selectors, (0, 0), most);
        for listed in rest.found {
            if page.found.len() < most && page.found.iter().all(|one| one.key != listed.key) {
                page.found.push(listed);
            }
        }
        page.next = None;
        page
    }

    fn list_in_order(
        &self,
        beginning: &str,
        selectors: &[Selector],
        after: Option<&After>,
        most: usize,
    ) -> Page {
        let mut page = Page::default();
        let mut looked = 0;
        let mut at = match after {
            Some(After::Identity(identity)) => identity.clone(),
            _ => String::new(),
        };
        while looked < limits::LISTED_LOOKS_MAX {
            let batch = self.batch(beginning, &at, selectors);
            looked += batch.looked;
            for listed in batch.found {
                if page.found.len() == most {
                    let last = page.found.last().map_or("", |one| one.key.identity());
                    page.next = Some(After::Identity(last.to_owned()));
                    return page;
                }
                page.found.push(listed);
            }
            let Some(upto) = batch.upto else { return page };
            at = upto;
        }
        page.next = Some(After::Identity(at));
        page
    }

    /// The next few of every shard. Beyond the least of the last ones that each gave, others may
    /// come in between.
    fn batch(&self, beginning: &str, after: &str, selectors: &[Selector]) -> Batch {
        let (mut found, mut looked) = (Vec::new(), 0);
        let mut upto: Option<Key> = None;
        for shard in &self.shards {
            let shard = lock(shard);
            let mut last = None;
            let mut count = 0;
            for slot in shard.page(beginning, after, STEP) {
                (count, last) = (count + 1, Some(&slot.key));
                if slot.home.pool.holds(slot.key.identity()) {
                    found.extend(self.listed(selectors, &slot.key, slot.bundle.variants()));
                }
            }
            looked += count;
            let last = last.filter(|_| count == STEP);
            if let Some(last) = last.filter(|last| upto.as_ref().is_none_or(|upto| *last < upto)) {
                upto = Some(last.clone());
            }
        }
        if let Some(upto) = &upto {
            found.retain(|one| one.key <= *upto);
        }
        found.sort_by(|one, other| one.key.cmp(&other.key));
        Batch { found, looked, upto: upto.map(|key| key.identity().to_owned()) }
    }

    fn list_set(
        &self,
        walk: Walk<'_>,
        selectors: &[Selector],
        (first, number): (usize, u32),
        most: usize,
    ) -> Page {
        let mut page = Page::default();
        for (at, shard) in self.shards.iter().enumerate().take(SHARDS).skip(first) {
            let mut cursor = Cursor::at(if at == first { number } else { 0 });
            loop {
                let shard = lock(shard);
                let numbers = shard.step(walk, &mut cursor);
                if numbers.is_empty() {
                    break;
                }
                for number in numbers {
                    let Some(slot) = shard.slot(number) else { continue };
                    if !slot.home.pool.holds(slot.key.identity()) {
                        continue;
                    }
                    let listed = self.listed(selectors, &slot.key, slot.bundle.variants());
                    let Some(listed) = listed else { continue };
                    if page.found.len() == most {
                        page.next = Some(After::Slot { shard: at, number });
                        return page;
                    }
                    page.found.push(listed);
                }
            }
        }
        page
    }

    fn listed(&self, selectors: &[Selector], key: &Key, variants: &[Arc<Entry>]) -> Option<Listed> {
        let text = key.text();
        let named = |entry: &&Arc<Entry>| selectors.iter().any(|one| names(one, text, entry));
        let named = variants.iter().filter(named);
        let entries: Vec<_> = named.filter_map(|one| self.pending.standing(text, one)).collect();
        (!entries.is_empty()).then(|| Listed { key: key.clone(), entries })
    }
}
