//! The order of purges and fetches inside one process. A fetch takes a birth before it asks the
//! origin; an order raises the tick and leaves a fence on each thing it names; what was born
//! before a fence may not be stored behind it. No clock is compared.
//!
//! Fences are kept only while a fetch runs that is older than they are, and at most so many: when
//! one has to be forgotten early, everything born before it is refused. That costs a lost store
//! for a fetch, never a stale one.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use crate::base::ids::Tick;
use crate::base::limits;
use crate::entry::order::{Order, Selector};
use crate::entry::{Key, Labels, resource};

/// What an order could name an answer by.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The key's text, without site and caller.
    pub key: &'a str,
    /// The absolute URI it is an answer to.
    pub target: &'a str,
    /// Its tags, as far as they are known.
    pub tags: &'a [Arc<str>],
    /// Whether its answer may name more of them.
    pub is_open: bool,
    /// The name of its type.
    pub kind: &'a str,
    /// The name of its route; empty without one.
    pub rule: &'a str,
}

impl<'a> Facts<'a> {
    /// Of an entry with these labels under this key.
    pub fn of(key: &'a Key, labels: &'a Labels) -> Self {
        Self {
            key: key.text(),
            target: labels.target.as_deref().unwrap_or_else(|| key.text()),
            tags: &labels.tags,
            is_open: false,
            kind: &labels.place.kind,
            rule: labels.place.rule.as_deref().unwrap_or_default(),
        }
    }

    /// Whether an order names this. Unknown tags are named by every selector of tags that an answer
    /// may have.
    pub fn are_named_by(&self, order: &Order) -> bool {
        order.selectors.iter().any(|one| match one {
            Selector::Url(target) if target == self.target => true,
            Selector::Tag(_) | Selector::Tags(_) if self.is_open && !one.is_own_tag() => true,
            one => one.covers(self.key, self.tags, self.kind, self.rule),
        })
    }
}

/// The fences of one process; clones are the same fences.
#[derive(Clone, Debug, Default)]
pub struct Fences(Arc<Mutex<Log>>);

impl Fences {
    /// Raises the fences of everything the order names. Whatever is dropped for the order is
    /// dropped after this: who stores afterwards sees the fence.
    pub fn raise(&self, order: &Order) -> Tick {
        let mut log = self.log();
        log.tick = Tick(log.tick.0.saturating_add(1));
        let tick = log.tick;
        if log.running.is_empty() {
            return tick;
        }
        for selector in &order.selectors {
            log.remember(selector);
        }
        log.forget_excess();
        tick
    }

    /// The birth of a fetch: taken before the origin, or another level, is asked.
    pub fn begin(&self) -> Birth {
        let mut log = self.log();
        let tick = log.tick;
        *log.running.entry(tick).or_default() += 1;
        Birth { fences: self.clone(), tick, began: Instant::now() }
    }

    /// Whether an order since the oldest birth that still lives names this. Who holds a birth back
    /// keeps what was ordered since then in memory, within the same bounds.
    pub fn name(&self, facts: &Facts<'_>) -> bool {
        let log = self.log();
        let oldest = log.running.first_key_value().map(|(tick, _)| *tick);
        oldest.is_some_and(|oldest| !log.admits(oldest, facts))
    }

    /// Whether no birth lives.
    pub fn is_idle(&self) -> bool {
        self.log().running.is_empty()
    }

    /// The tick now.
    pub fn tick(&self) -> Tick {
        self.log().tick
    }

    /// How many selectors of orders are remembered.
    pub fn remembered(&self) -> usize {
        self.log().recent.len()
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running fetch, as the fences know it. While it lives, the orders given since are remembered.
#[derive(Debug)]
pub struct Birth {
    fences: Fences,
    tick: Tick,
    began: Instant,
}

impl Birth {
    /// The tick it was born under, for the stamp of what it stores.
    pub const fn tick(&self) -> Tick {
        self.tick
    }

    /// When it was born: what it brings was current then.
    pub const fn began(&self) -> Instant {
        self.began
    }

    /// Whether an answer with these facts may be stored, or joined by a request that begins now: no
    /// order since the birth names it. Unknown tags are named by every order on a tag that an
    /// answer may name.
    pub fn admits(&self, facts: &Facts<'_>) -> bool {
        self.fences.log().admits(self.tick, facts)
    }
}

impl Drop for Birth {
    fn drop(&mut self) {
        let mut log = self.fences.log();
        if let Some(count) = log.running.get_mut(&self.tick) {
            *count -= 1;
            if *count == 0 {
                log.running.remove(&self.tick);
                log.forget_unneeded();
            }
        }
    }
}

/// The latest fence on each text.
type Latest = HashMap<Arc<str>, Tick, foldhash::fast::RandomState>;

#[derive(Debug, Default)]
struct Log {
    tick: Tick,
    /// Whoever was born before this is refused whatever it is: an order it may need is forgotten.
    floor: Tick,
    /// How many fetches run, by birth.
    running: BTreeMap<Tick, usize>,
    /// Every remembered selector, oldest first.
    recent: VecDeque<(Tick, Remembered)>,
    text_bytes: usize,
    keys: Latest,
    targets: Latest,
    tags: Latest,
    kinds: Latest,
    rules: Latest,
    /// Prefixes and patterns, which no text looks up; oldest first.
    wide: VecDeque<(Tick, Selector)>,
    any_tag: Tick,
    all: Tick,
}

#[derive(Debug)]
enum Remembered {
    Key(Arc<str>),
    Target(Arc<str>),
    Tag(Arc<str>),
    Kind(Arc<str>),
    Rule(Arc<str>),
    Wide(usize),
    All,
}

impl Log {
    fn remember(&mut self, selector: &Selector) {
        let tick = self.tick;
        let put = |latest: &mut Latest, text: &str| {
            let text: Arc<str> = text.into();
            latest.insert(Arc::clone(&text), tick);
            text
        };
        let remembered = match selector {
            Selector::Key(text) => Remembered::Key(put(&mut self.keys, text)),
            Selector::Url(text) => Remembered::Target(put(&mut self.targets, text)),
            Selector::Tag(text) => {
                if !resource::is_tag(text) {
                    self.any_tag = tick;
                }
                Remembered::Tag(put(&mut self.tags, text))
            }
            Selector::Type(text) => Remembered::Kind(put(&mut self.kinds, text)),
            Selector::Rule(text) => Remembered::Rule(put(&mut self.rules, text)),
            Selector::Prefix(_) | Selector::Pattern(_) | Selector::Tags(_) => {
                if matches!(selector, Selector::Tags(_)) {
                    self.any_tag = tick;
                }
                self.wide.push_back((tick, selector.clone()));
                Remembered::Wide(selector.to_string().len())
            }
            Selector::All => {
                self.all = tick;
                Remembered::All
            }
        };
        self.text_bytes += remembered.text_bytes();
        self.recent.push_back((tick, remembered));
    }

    fn admits(&self, born: Tick, facts: &Facts<'_>) -> bool {
        let fenced = |latest: &Latest, text: &str| latest.get(text).is_some_and(|t| *t > born);
        if born < self.floor || self.all > born {
            return false;
        }
        let tagged = facts.is_open && self.any_tag > born
            || facts.tags.iter().any(|tag| fenced(&self.tags, tag));
        // A target that is purged is purged as the key a GET of it would use as well.
        let named = fenced(&self.keys, facts.key)
            || fenced(&self.targets, facts.target)
            || fenced(&self.targets, facts.key)
            || fenced(&self.kinds, facts.kind)
            || fenced(&self.rules, facts.rule);
        let mut later = self.wide.iter().rev().take_while(|(tick, _)| *tick > born);
        !tagged && !named && !later.any(|(_, wide)| wide.covers(facts.key, facts.tags, "", ""))
    }

    /// Orders that every running fetch has been born after concern nobody any more.
    fn forget_unneeded(&mut self) {
        let oldest = self.running.first_key_value().map(|(tick, _)| *tick);
        while let Some((tick, _)) = self.recent.front() {
            if oldest.is_some_and(|oldest| *tick > oldest) {
                break;
            }
            self.forget_first();
        }
    }

    /// Keeps the bounds: what is forgotten early becomes the floor.
    fn forget_excess(&mut self) {
        while self.recent.len() > limits::ORDERS_REMEMBERED_MAX
            || self.text_bytes > limits::ORDERS_REMEMBERED_BYTES_MAX
            || self.wide.len() > limits::WIDE_ORDERS_REMEMBERED_MAX
        {
            let Some(tick) = self.forget_first() else { break };
            self.floor = self.floor.max(tick);
        }
    }

    fn forget_first(&mut self) -> Option<Tick> {
        let (tick, remembered) = self.recent.pop_front()?;
        self.text_bytes -= remembered.text_bytes();
        let (latest, text) = match &remembered {
            Remembered::Key(text) => (&mut self.keys, text),
            Remembered::Target(text) => (&mut self.targets, text),
            Remembered::Tag(text) => (&mut self.tags, text),
            Remembered::Kind(text) => (&mut self.kinds, text),
            Remembered::Rule(text) => (&mut self.rules, text),
            Remembered::Wide(_) => {
                self.wide.pop_front();
                return Some(tick);
            }
            Remembered::All => return Some(tick),
        };
        if latest.get(text) == Some(&tick) {
            latest.remove(text);
        }
        Some(tick)
    }
}

impl Remembered {
    fn text_bytes(&self) -> usize {
        match self {
            Self::Key(text)
            | Self::Target(text)
            | Self::Tag(text)
            | Self::Kind(text)
            | Self::Rule(text) => text.len(),
            Self::Wide(len) => *len,
            Self::All => 0,
        }
    }
}

#[cfg(test)]
mod tests;
