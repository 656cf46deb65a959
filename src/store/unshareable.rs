//! Which keys lately gave answers that may not be shared, so that the next requests for them go to
//! the origin at once instead of waiting for one another. A fixed table: each identity has one
//! slot, two of them may have the same. Then the older mark is lost and a few requests wait once
//! more; a mark is never taken for another's, up to a chance of 2^-32.

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::base::clock::Timestamp;
use crate::base::limits;

/// The table: [`limits::UNSHAREABLE_SLOTS`] marks.
#[derive(Debug)]
pub struct Unshareable {
    /// Upper half: a part of the hash. Lower half: the second the mark ends. 0 is no mark.
    slots: Box<[AtomicU64]>,
    hasher: foldhash::quality::RandomState,
}

impl Default for Unshareable {
    fn default() -> Self {
        let slots = (0..limits::UNSHAREABLE_SLOTS).map(|_| AtomicU64::new(0)).collect();
        Self { slots, hasher: foldhash::quality::RandomState::default() }
    }
}

impl Unshareable {
    /// Remembers that answers of this identity are not shared before `until`.
    pub fn mark(&self, identity: &str, until: Timestamp) {
        if let Some((slot, part)) = self.place(identity) {
            slot.store(part | secs(until), Ordering::Relaxed);
        }
    }

    /// Whether a mark of this identity holds now.
    pub fn is_marked(&self, identity: &str, now: Timestamp) -> bool {
        self.place(identity).is_some_and(|(slot, part)| {
            let mark = slot.load(Ordering::Relaxed);
            mark & PART == part && mark & SECS > secs(now)
        })
    }

    /// Takes the mark off: an answer was shareable after all.
    pub fn clear(&self, identity: &str) {
        if let Some((slot, part)) = self.place(identity)
            && slot.load(Ordering::Relaxed) & PART == part
        {
            // A mark that comes in between is lost, which is as harmless as a collision.
            slot.store(0, Ordering::Relaxed);
        }
    }

    fn place(&self, identity: &str) -> Option<(&AtomicU64, u64)> {
        let hash = self.hasher.hash_one(identity);
        let slot = self.slots.get(hash as usize % limits::UNSHAREABLE_SLOTS)?;
        Some((slot, hash & PART))
    }
}

const PART: u64 = 0xffff_ffff_0000_0000;
const SECS: u64 = 0x0000_0000_ffff_ffff;

fn secs(at: Timestamp) -> u64 {
    at.as_secs().min(SECS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_000);
    const LATER: Timestamp = Timestamp::from_secs(1_060);

    #[test]
    fn a_mark_holds_until_its_end() {
        let table = Unshareable::default();
        assert!(!table.is_marked("a", NOW));
        table.mark("a", LATER);
        assert!(table.is_marked("a", NOW));
        assert!(!table.is_marked("b", NOW));
        assert!(!table.is_marked("a", LATER));
    }

    #[test]
    fn a_mark_can_be_taken_off() {
        let table = Unshareable::default();
        table.mark("a", LATER);
        table.clear("b");
        assert!(table.is_marked("a", NOW));
        table.clear("a");
        assert!(!table.is_marked("a", NOW));
    }

    #[test]
    fn many_keys_take_no_more_room_and_never_mark_others() {
        let table = Unshareable::default();
        for i in 0..4 * limits::UNSHAREABLE_SLOTS {
            table.mark(&format!("m{i}"), LATER);
        }
        let others = (0..10_000).filter(|i| table.is_marked(&format!("o{i}"), NOW)).count();
        assert_eq!(others, 0);
        let still = (0..4 * limits::UNSHAREABLE_SLOTS)
            .filter(|i| table.is_marked(&format!("m{i}"), NOW))
            .count();
        assert!(still > limits::UNSHAREABLE_SLOTS / 2 && still <= limits::UNSHAREABLE_SLOTS);
    }
}
