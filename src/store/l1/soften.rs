//! Soft orders: what they name stays, as a copy that is stale, and is given back when the order is
//! undone. The walks are those of a purge; a lookup that has found the one before keeps it, as it
//! keeps what is dropped.

use std::sync::Arc;

use super::sweep::{Covers, Swept};
use super::{Home, L1, pool};
use crate::base::ids::SoftId;
use crate::entry::order::{Order, Soft};
use crate::entry::{Change, Entry};
use crate::store::index::{Shard, Slot};

impl L1 {
    /// Makes what the order names stale; what was made so. What stands already as this very order
    /// left it does not count. Whoever fetches meanwhile is held off by the fences alone: see
    /// [`L1::sweep`].
    pub fn soften(&self, order: &Order, soft: Soft) -> Swept {
        self.change(order, &|entry| entry.softened(&[soft]))
    }

    /// Gives back what a soft order has made stale, of what `order` names; what was given back.
    pub fn restore(&self, order: &Order, id: SoftId) -> Swept {
        self.change(order, &|entry| entry.restored(id))
    }

    fn change(&self, order: &Order, change: &dyn Fn(&Arc<Entry>) -> Change) -> Swept {
        let mut swept = Swept::default();
        for selector in &order.selectors {
            self.each_walk(selector, &mut |walk, covers| {
                self.visit(walk, &mut |shard, number| {
                    change_slot(shard, number, covers, change, &mut swept);
                });
            });
        }
        self.free();
        swept
    }
}

/// Changes the variants of a slot that `covers` names, in cache and index at once.
fn change_slot(
    shard: &mut Shard<Arc<Home>>,
    number: u32,
    covers: Covers<'_>,
    change: &dyn Fn(&Arc<Entry>) -> Change,
    swept: &mut Swept,
) {
    let Some(slot) = shard.slot(number) else { return };
    let (key, old, home) = (slot.key.clone(), Arc::clone(&slot.bundle), Arc::clone(&slot.home));
    // What the cache has let go of by itself does not come back.
    if !home.pool.holds(key.identity()) {
        return;
    }
    let before = swept.gone.entries;
    let new = old.changed(|entry| {
        let changed = if covers(&key, entry) { change(entry) } else { Change::None };
        if !matches!(changed, Change::None) {
            swept.gone.count(key.identity(), || entry.selecting.id().unwrap_or_default());
        }
        changed
    });
    if swept.gone.entries == before {
        return;
    }
    // What takes more room than there is goes: that costs a fetch.
    if let Some(new) = new.filter(|new| pool::weight(&key, new) <= home.room()).map(Arc::new) {
        home.count_in(&key, &new);
        home.pool.insert(&key, &new);
        shard.put(Slot { key: key.clone(), bundle: new, home: Arc::clone(&home) });
    } else {
        shard.take(number);
        home.pool.remove(key.identity());
    }
    home.count_out(&key, &old);
    swept.keys.push(key);
}
