//! The keys that are asked for most, missed most, and cost the origin most, in fixed memory. Counts
//! are of a window of a minute and the one before it, so that what was hot yesterday is gone.
//!
//! A hit pays a few instructions: one of [`limits::HOT_SAMPLED`] requests, chosen by a mix of its
//! number so that no rhythm of clients decides, takes the lock of the part that its key belongs to,
//! and only if nobody else has it. What is not counted for that reason is counted itself.

mod sketch;

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, TryLockError};

use tokio::time::Instant;

use crate::base::limits;
use crate::base::units::Span;
use crate::engine::transit::{Account, Outcome};
use crate::entry::Key;
use sketch::Sketch;

/// What keys are counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Requests, one of [`limits::HOT_SAMPLED`] standing for all.
    Asked,
    /// Requests that no stored answer satisfied.
    Missed,
    /// Microseconds that the origin took for them.
    Expensive,
}

impl By {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Asked, Self::Missed, Self::Expensive];

    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Missed => "missed",
            Self::Expensive => "expensive",
        }
    }

    /// The one with this word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|by| by.as_str() == text)
    }

    /// How many each counted one stands for.
    pub const fn weight(self) -> u64 {
        match self {
            Self::Asked => limits::HOT_SAMPLED,
            Self::Missed | Self::Expensive => 1,
        }
    }
}

/// Parts by keys, each with its lock.
const PARTS: usize = 16;

/// The counts.
#[derive(Debug)]
pub struct Hot {
    parts: [Mutex<Part>; PARTS],
    hasher: foldhash::fast::RandomState,
    missing: AtomicU64,
    turned: Mutex<(Instant, Span)>,
}

/// Two windows of each kind of count: this one, and the one before.
#[derive(Debug, Default)]
struct Part {
    now: [Sketch; 3],
    before: [Sketch; 3],
}

/// One of the hottest keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hottest {
    /// The key.
    pub key: Key,
    /// Its count, never less than what was counted of it.
    pub count: u64,
    /// By how much the count may be too high.
    pub over: u64,
}

/// The hottest keys.
#[derive(Clone, Debug)]
pub struct Told {
    /// Most first.
    pub keys: Vec<Hottest>,
    /// The time that they were counted in.
    pub within: Span,
    /// Counts left out, because somebody else was counting or the key is long.
    pub missing: u64,
}

impl Default for Hot {
    fn default() -> Self {
        Self {
            parts: std::array::from_fn(|_| Mutex::default()),
            hasher: foldhash::fast::RandomState::default(),
            missing: AtomicU64::new(0),
            turned: Mutex::new((Instant::now(), Span::ZERO)),
        }
    }
}

impl Hot {
    /// Counts a request by what is said about it. `number` is its own.
    pub(super) fn note(&self, number: u64, account: &Account) {
        let sampled = is_sampled(number);
        let missed = !account.outcome.is_hit() && account.outcome != Outcome::Bypass;
        if !sampled && !missed {
            return;
        }
        let Some(key) = &account.key else { return };
        // Whoever followed another's fetch cost the origin nothing.
        let micros = account.origin_micros.filter(|_| missed && !account.collapsed);
        self.count(key, [u64::from(sampled), u64::from(missed), micros.unwrap_or_default()]);
    }

    fn count(&self, key: &Key, weights: [u64; 3]) {
        let hash = self.hasher.hash_one(key.identity());
        let part = self.parts.get(hash as usize % PARTS);
        let short = key.identity().len() <= limits::HOT_KEY_BYTES_MAX;
        let Some(part) = part.filter(|_| short) else {
            self.missing.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let mut part = match part.try_lock() {
            Ok(part) => part,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => {
                self.missing.fetch_add(1, Ordering::Relaxed);
                return;
            }
        };
        for (sketch, weight) in part.now.iter_mut().zip(weights) {
            if weight > 0 {
                sketch.add(hash, key, weight);
            }
        }
    }

    /// The hottest keys, at most so many.
    pub fn top(&self, by: By, most: usize) -> Told {
        let at = by as usize;
        let mut keys: Vec<Hottest> = Vec::new();
        for part in &self.parts {
            let part = part.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let (Some(now), Some(before)) = (part.now.get(at), part.before.get(at)) else {
                continue;
            };
            keys.extend(now.joined(before));
        }
        keys.sort_by(|one, other| (other.count, &one.key).cmp(&(one.count, &other.key)));
        keys.truncate(most);
        for one in &mut keys {
            one.count = one.count.saturating_mul(by.weight());
            one.over = one.over.saturating_mul(by.weight());
        }
        let turned = self.turned.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let within = turned.1.plus(Span::from_millis(turned.0.elapsed().as_millis() as u64));
        let missing = self.missing.load(Ordering::Relaxed);
        Told { keys, within, missing }
    }

    /// Begins a new window when this one is over. Called each second.
    pub fn tend(&self) {
        let mut turned = self.turned.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let length = turned.0.elapsed();
        if length < limits::HOT_WINDOW.to_duration() {
            return;
        }
        *turned = (Instant::now(), Span::from_millis(length.as_millis() as u64));
        drop(turned);
        for part in &self.parts {
            let mut part = part.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let part = &mut *part;
            std::mem::swap(&mut part.now, &mut part.before);
            part.now.iter_mut().for_each(Sketch::clear);
        }
    }
}

/// Whether a request of this number is counted: one of [`limits::HOT_SAMPLED`], as if by chance.
/// Multiplying and folding spreads any sequence of numbers over all bits.
const fn is_sampled(number: u64) -> bool {
    let mixed = (number ^ (number >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xd1b5_4a32_d192_ed03);
    (mixed >> 32).is_multiple_of(limits::HOT_SAMPLED)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn key(text: &str) -> Key {
        Key::new(text, "", "")
    }

    fn account(text: &str, outcome: Outcome, micros: Option<u64>) -> Account {
        Account { key: Some(key(text)), outcome, origin_micros: micros, ..Account::default() }
    }

    #[test]
    fn one_of_so_many_is_sampled_whatever_the_rhythm() {
        for (rhythm, offset) in [(1, 0), (2, 1), (64, 0), (64, 63), (1_000, 7)] {
            let numbers = (0..64_000u64).map(|at| at * rhythm + offset);
            let sampled = numbers.filter(|number| is_sampled(*number)).count();
            assert!((800..1_200).contains(&sampled), "{rhythm}: {sampled}");
        }
    }

    #[test]
    fn hits_are_estimated_and_misses_counted() {
        let hot = Hot::default();
        for number in 0..64_000 {
            hot.note(number, &account("often", Outcome::Hit, None));
            if number % 10 == 0 {
                hot.note(number, &account("seldom", Outcome::Hit, None));
            }
        }
        for number in 0..7 {
            hot.note(number, &account("gone", Outcome::Miss, Some(2_000)));
            hot.note(number, &account("past", Outcome::Bypass, Some(9_000)));
        }
        let asked = hot.top(By::Asked, 2).keys;
        assert_eq!(asked[0].key, key("often"));
        assert!((51_000..77_000).contains(&asked[0].count), "{asked:?}");
        assert_eq!(asked[1].key, key("seldom"));
        let missed = hot.top(By::Missed, 10).keys;
        assert_eq!((missed.len(), missed[0].count, missed[0].over), (1, 7, 0));
        let expensive = hot.top(By::Expensive, 10).keys;
        assert_eq!((expensive.len(), expensive[0].count), (1, 14_000));
    }

    #[test]
    fn long_keys_are_left_out_and_told() {
        let hot = Hot::default();
        let long = "k".repeat(limits::HOT_KEY_BYTES_MAX);
        hot.note(1, &account(&long, Outcome::Miss, None));
        let told = hot.top(By::Missed, 10);
        assert_eq!((told.keys.len(), told.missing), (0, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_over_is_forgotten() {
        let hot = Hot::default();
        let window = limits::HOT_WINDOW.to_duration();
        hot.note(1, &account("old", Outcome::Miss, None));
        tokio::time::advance(window).await;
        hot.tend();
        hot.note(1, &account("new", Outcome::Miss, None));
        tokio::time::advance(Duration::from_secs(1)).await;
        let told = hot.top(By::Missed, 10);
        assert_eq!(told.keys.len(), 2);
        assert_eq!(told.within, limits::HOT_WINDOW.plus(Span::from_secs(1)));
        tokio::time::advance(window).await;
        hot.tend();
        let told = hot.top(By::Missed, 10);
        assert_eq!(told.keys.iter().map(|one| one.key.text()).collect::<Vec<_>>(), ["new"]);
    }
}
