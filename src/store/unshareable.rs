//! Which keys lately gave answers that may not be shared, so that the next requests for them go to
//! the origin at once instead of waiting for one another. A fixed table: the text of a key has a
//! row of eight slots, where the marks of all its sites and callers stand side by side, so that
//! a purge of the text finds them. Texts may share a row; beyond its slots the mark that ends first
//! is lost and a few requests wait once more. A mark is never taken for another's, up to a chance
//! of 2^-29.

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::base::clock::Timestamp;
use crate::base::limits;
use crate::entry::Key;

/// Slots of a row: one cache line.
const WAYS: usize = 8;

const ROWS: usize = limits::UNSHAREABLE_SLOTS / WAYS;

/// The table: [`limits::UNSHAREABLE_SLOTS`] marks.
#[derive(Debug)]
pub struct Unshareable {
    rows: Box<[Row]>,
    hasher: foldhash::quality::RandomState,
}

/// Each slot is a mark: 16 bits of the text's hash, 16 of the whole identity's, and the second the
/// mark ends. 0 is no mark.
#[derive(Debug, Default)]
struct Row([AtomicU64; WAYS]);

impl Default for Unshareable {
    fn default() -> Self {
        let rows = (0..ROWS).map(|_| Row::default()).collect();
        Self { rows, hasher: foldhash::quality::RandomState::default() }
    }
}

impl Unshareable {
    /// Remembers that answers of this identity are not shared before `until`.
    pub fn mark(&self, key: &Key, until: Timestamp) {
        let (Some(row), name) = (self.row(key.text()), self.name(key)) else { return };
        // Two that mark at once may lose one of the marks, which is as harmless as a full row.
        let own = row.0.iter().find(|slot| slot.load(Ordering::Relaxed) & NAME == name);
        let first = || row.0.iter().min_by_key(|slot| slot.load(Ordering::Relaxed) & SECS);
        if let Some(slot) = own.or_else(first) {
            slot.store(name | secs(until), Ordering::Relaxed);
        }
    }

    /// Whether a mark of this identity holds now.
    pub fn is_marked(&self, key: &Key, now: Timestamp) -> bool {
        let (Some(row), name) = (self.row(key.text()), self.name(key)) else { return false };
        row.0.iter().any(|slot| {
            let mark = slot.load(Ordering::Relaxed);
            mark & NAME == name && mark & SECS > secs(now)
        })
    }

    /// Takes the mark off: an answer was shareable after all.
    pub fn clear(&self, key: &Key) {
        let name = self.name(key);
        self.take_off(key.text(), |mark| mark & NAME == name);
    }

    /// Takes the marks of all sites and callers of a key off: what they said was purged.
    pub fn clear_text(&self, text: &str) {
        let of_text = self.part_of_text(text);
        self.take_off(text, |mark| mark & TEXT == of_text);
    }

    fn take_off(&self, text: &str, covers: impl Fn(u64) -> bool) {
        for slot in self.row(text).into_iter().flat_map(|row| &row.0) {
            if covers(slot.load(Ordering::Relaxed)) {
                slot.store(0, Ordering::Relaxed);
            }
        }
    }

    fn row(&self, text: &str) -> Option<&Row> {
        self.rows.get(self.hasher.hash_one(text) as usize % ROWS)
    }

    fn name(&self, key: &Key) -> u64 {
        let of_all = (self.hasher.hash_one(key.identity()) >> 16) & (NAME ^ TEXT);
        self.part_of_text(key.text()) | of_all
    }

    fn part_of_text(&self, text: &str) -> u64 {
        self.hasher.hash_one(text) & TEXT
    }
}

const TEXT: u64 = 0xffff_0000_0000_0000;
const NAME: u64 = 0xffff_ffff_0000_0000;
const SECS: u64 = 0x0000_0000_ffff_ffff;

fn secs(at: Timestamp) -> u64 {
    at.as_secs().min(SECS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_000);
    const LATER: Timestamp = Timestamp::from_secs(1_060);

    fn key(text: &str) -> Key {
        Key::new(text, "", "")
    }

    #[test]
    fn a_mark_holds_until_its_end() {
        let table = Unshareable::default();
        assert!(!table.is_marked(&key("a"), NOW));
        table.mark(&key("a"), LATER);
        assert!(table.is_marked(&key("a"), NOW));
        assert!(!table.is_marked(&key("b"), NOW));
        assert!(!table.is_marked(&Key::new("a", "http://h", ""), NOW));
        assert!(!table.is_marked(&Key::new("a", "", "caller"), NOW));
        assert!(!table.is_marked(&key("a"), LATER));
    }

    #[test]
    fn a_mark_can_be_taken_off() {
        let table = Unshareable::default();
        table.mark(&key("a"), LATER);
        table.clear(&key("b"));
        table.clear(&Key::new("a", "", "caller"));
        assert!(table.is_marked(&key("a"), NOW));
        table.clear(&key("a"));
        assert!(!table.is_marked(&key("a"), NOW));
    }

    #[test]
    fn all_identities_of_a_text_lose_their_marks_together() {
        let table = Unshareable::default();
        let all = [("", ""), ("http://h", ""), ("http://h", "1"), ("http://h", "2"), ("", "*")];
        let keys = |text: &'static str| all.map(|(site, caller)| Key::new(text, site, caller));
        for text in ["a", "ab"] {
            for key in keys(text) {
                table.mark(&key, LATER);
            }
        }
        assert!(keys("a").iter().chain(&keys("ab")).all(|key| table.is_marked(key, NOW)));
        table.clear_text("a");
        assert!(!keys("a").iter().any(|key| table.is_marked(key, NOW)));
        assert!(keys("ab").iter().all(|key| table.is_marked(key, NOW)));
    }

    #[test]
    fn a_full_row_loses_what_ends_first() {
        let table = Unshareable::default();
        let caller = |number: usize| Key::new("a", "", &number.to_string());
        for number in 0..=WAYS {
            table.mark(&caller(number), Timestamp::from_secs(1_060 + number as u64));
        }
        let marked: Vec<_> =
            (0..=WAYS).map(|number| table.is_marked(&caller(number), NOW)).collect();
        assert_eq!(marked.iter().filter(|marked| **marked).count(), WAYS);
        assert!(!marked[0] && marked[WAYS]);
        // Marked again it has its own slot, and takes no other.
        table.mark(&caller(WAYS), Timestamp::from_secs(2_000));
        assert!((1..=WAYS).all(|number| table.is_marked(&caller(number), NOW)));
    }

    #[test]
    fn many_keys_take_no_more_room_and_never_mark_others() {
        let table = Unshareable::default();
        for i in 0..4 * limits::UNSHAREABLE_SLOTS {
            table.mark(&key(&format!("m{i}")), LATER);
        }
        let others = (0..10_000).filter(|i| table.is_marked(&key(&format!("o{i}")), NOW)).count();
        assert_eq!(others, 0);
        let still = (0..4 * limits::UNSHAREABLE_SLOTS)
            .filter(|i| table.is_marked(&key(&format!("m{i}")), NOW))
            .count();
        assert!(still > limits::UNSHAREABLE_SLOTS / 2 && still <= limits::UNSHAREABLE_SLOTS);
    }
}
