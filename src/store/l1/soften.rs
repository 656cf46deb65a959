//! What becomes of entries by an order: they go, or, by a soft order, stay as a copy that is stale,
//! and are given back as they were when the order is undone. A lookup that has found the one before
//! keeps it, as it keeps what is dropped.

use std::sync::Arc;

use super::sweep::{Covers, Swept, take};
use super::{Home, pool};
use crate::base::ids::Tick;
use crate::entry::order::Mode;
use crate::entry::{Change, Entry};
use crate::store::index::{Shard, Slot};

/// What becomes of one entry that an order names.
pub(super) fn changed(mode: Mode, entry: &Entry) -> Change {
    match mode {
        Mode::Delete => Change::Gone,
        Mode::Soft(soft) => entry.softened(&[soft]),
        Mode::Undo(soft) => entry.restored(soft.id),
    }
}

/// Has its effect on the variants of a slot that `covers` names, in cache and index at once. What
/// stands already as this very order left it does not count; what was born before `since` does, as
/// it was to be changed before the order took that back.
pub(super) fn change(
    shard: &mut Shard<Arc<Home>>,
    number: u32,
    covers: Covers<'_>,
    (mode, since): (Mode, Tick),
    swept: &mut Swept,
) {
    if mode == Mode::Delete {
        return take(shard, number, covers, swept);
    }
    let Some(slot) = shard.slot(number) else { return };
    // What the cache has let go of by itself does not come back.
    if !slot.home.pool.holds(slot.key.identity()) {
        return;
    }
    let (key, old, home) = (slot.key.clone(), Arc::clone(&slot.bundle), Arc::clone(&slot.home));
    let mut is_same = true;
    let new = old.changed(|entry| {
        let change = if covers(&key, entry) { changed(mode, entry) } else { return Change::None };
        let is_kept = matches!(change, Change::None);
        is_same &= is_kept;
        if !is_kept || entry.stamp.born < since {
            swept.gone.count(key.identity(), || entry.selecting.id().unwrap_or_default());
        }
        change
    });
    if is_same {
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
