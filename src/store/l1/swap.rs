//! One entry that stands here, whoever holds which form of it: dropped, or put in place of itself
//! with a coded form of its body.

use std::sync::Arc;

use super::{L1, place, pool};
use crate::entry::{Body, Bundle, Entry, Key};

impl L1 {
    /// Drops that very entry, if it still stands, with a coded form or without, and whether soft
    /// orders name it or not; whether it stood.
    pub fn drop_entry(&self, key: &Key, entry: &Arc<Entry>) -> bool {
        let is_it = |stands: &Arc<Entry>| Arc::ptr_eq(stands, entry) || stands.is_copy_of(entry);
        let swept = self.take_from(key.identity(), &is_it);
        self.settle();
        swept.gone.entries > 0
    }

    /// Gives that very entry a coded form of its body, if it still stands, may go out so, and there
    /// is room for both; whether it did. No fence is asked: nothing is stored that does not stand
    /// here already, and an order that names it drops one form like the other.
    pub fn add_coded(&self, key: &Key, entry: &Arc<Entry>, coded: Body) -> bool {
        let mut shard = self.shard(key.identity());
        let Some(slot) = shard.find(key.identity()) else { return false };
        let home = Arc::clone(&slot.home);
        // What the cache has let go of by itself does not come back.
        let stands = home.pool.holds(key.identity());
        let both = entry.with_coded(coded).filter(|_| stands).map(Arc::new);
        let bundle = both.and_then(|both| slot.bundle.with_in_place_of(entry, both));
        let fits = |bundle: &Bundle| pool::weight(key, bundle) <= home.room();
        let Some(bundle) = bundle.filter(fits) else { return false };
        place(&mut shard, key.clone(), Arc::new(bundle), &home);
        drop(shard);
        self.keep_bounds(&home);
        true
    }
}

/// The entry, without its coded form where it has room only so.
pub(super) fn fitting(key: &Key, entry: Arc<Entry>, room: u64) -> Arc<Entry> {
    let cost = Bundle::cost_of_one().saturating_add(entry.cost());
    let fits = pool::weight_of(key, cost, entry.labels.count()) <= room;
    if fits || entry.body.coded().is_none() { entry } else { Arc::new(entry.without_coded()) }
}
