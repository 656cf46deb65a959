//! Space-Saving: Metwally, Agrawal and El Abbadi, "Efficient Computation of Frequent and Top-k
//! Elements in Data Streams", ICDT 2005. So many counters; a key without one takes the least of
//! them over, and its count with it as what the new count may be too high by. Whatever was counted
//! more than the sum of all divided by the number of counters has one.

use super::Hottest;
use crate::base::limits;
use crate::entry::Key;

/// The counters of one part.
#[derive(Debug, Default)]
pub(super) struct Sketch {
    counters: Vec<Counter>,
}

#[derive(Debug)]
struct Counter {
    hash: u64,
    key: Key,
    count: u64,
    over: u64,
}

impl Sketch {
    /// Counts a key. Looks at all counters, which lie side by side; takes no memory once there are
    /// as many as may be.
    pub(super) fn add(&mut self, hash: u64, key: &Key, weight: u64) {
        let same = |one: &&mut Counter| one.hash == hash && one.key == *key;
        if let Some(one) = self.counters.iter_mut().find(same) {
            one.count = one.count.saturating_add(weight);
            return;
        }
        if self.counters.len() < limits::HOT_KEYS_PER_PART {
            self.counters.reserve_exact(limits::HOT_KEYS_PER_PART - self.counters.len());
            self.counters.push(Counter { hash, key: key.clone(), count: weight, over: 0 });
            return;
        }
        if let Some(least) = self.counters.iter_mut().min_by_key(|one| one.count) {
            let over = least.count;
            let count = over.saturating_add(weight);
            *least = Counter { hash, key: key.clone(), count, over };
        }
    }

    pub(super) fn clear(&mut self) {
        self.counters.clear();
    }

    /// What may have been counted of a key that has no counter.
    fn least(&self) -> u64 {
        if self.counters.len() < limits::HOT_KEYS_PER_PART {
            return 0;
        }
        self.counters.iter().map(|one| one.count).min().unwrap_or_default()
    }

    /// Both windows as one.
    pub(super) fn joined(&self, before: &Self) -> Vec<Hottest> {
        let of = |sketch: &Self, one: &Counter| {
            let other = sketch.counters.iter().find(|other| other.key == one.key);
            // Where it has no counter, it may have been counted as often as the least that has.
            other.map_or((sketch.least(), sketch.least()), |other| (other.count, other.over))
        };
        let joined = |sketch: &Self, one: &Counter| {
            let (count, over) = of(sketch, one);
            Hottest { key: one.key.clone(), count: one.count + count, over: one.over + over }
        };
        let mut all: Vec<Hottest> = self.counters.iter().map(|one| joined(before, one)).collect();
        let is_new = |one: &&Counter| self.counters.iter().all(|other| other.key != one.key);
        all.extend(before.counters.iter().filter(is_new).map(|one| joined(self, one)));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(sketch: &mut Sketch, text: &str, weight: u64) {
        let key = Key::new(text, "", "");
        sketch.add(blake3::hash(text.as_bytes()).as_bytes()[0].into(), &key, weight);
    }

    #[test]
    fn what_is_frequent_is_found_and_its_error_is_bounded() {
        let mut sketch = Sketch::default();
        let mut all = 0;
        for round in 0..2_000u64 {
            for (text, weight) in [("a", 5), ("b", 3)] {
                add(&mut sketch, text, weight);
                all += weight;
            }
            add(&mut sketch, &format!("once-{round}"), 1);
            all += 1;
        }
        let mut found = sketch.joined(&Sketch::default());
        found.sort_by_key(|one| std::cmp::Reverse(one.count));
        for (one, (text, truth)) in found.iter().zip([("a", 10_000), ("b", 6_000)]) {
            assert_eq!(one.key.text(), text);
            assert!(one.count >= truth && one.count - one.over <= truth, "{one:?}");
            assert!(one.over <= all / limits::HOT_KEYS_PER_PART as u64, "{one:?}");
        }
        assert_eq!(sketch.counters.len(), limits::HOT_KEYS_PER_PART);
        assert_eq!(sketch.counters.capacity(), limits::HOT_KEYS_PER_PART);
    }

    #[test]
    fn two_windows_make_one_count() {
        let (mut now, mut before) = (Sketch::default(), Sketch::default());
        add(&mut now, "both", 3);
        add(&mut before, "both", 4);
        add(&mut before, "old", 1);
        let mut joined = now.joined(&before);
        joined.sort_by_key(|one| one.count);
        let told: Vec<_> = joined.iter().map(|one| (one.key.text(), one.count, one.over)).collect();
        assert_eq!(told, [("old", 1, 0), ("both", 7, 0)]);
    }
}
