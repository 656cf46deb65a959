//! One bound on bytes that are on their way: read from an origin and not yet sent, or still being
//! sent after the store has let them go. What holds such bytes carries its share of the count and
//! gives it back when it is dropped, however that comes about, so nothing can be forgotten.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};

use bytes::Bytes;

/// Bytes in transit, counted against what they may be in all.
#[derive(Debug)]
pub struct Budget {
    limit: i64,
    // Taking and giving back on several threads may pass zero for a moment.
    used: AtomicI64,
}

impl Budget {
    /// A budget of `limit` bytes, all of them free.
    pub fn new(limit: u64) -> Arc<Self> {
        Arc::new(Self { limit: signed(limit), used: AtomicI64::new(0) })
    }

    /// Bytes in transit now.
    pub fn used(&self) -> u64 {
        u64::try_from(self.used.load(Ordering::Relaxed)).unwrap_or(0)
    }

    /// Bytes that may be in transit before large answers are no longer kept.
    pub fn limit(&self) -> u64 {
        self.limit.unsigned_abs()
    }

    /// Whether nothing is left: what is large goes out as it comes from now on, and is not kept.
    pub fn is_spent(&self) -> bool {
        self.used.load(Ordering::Relaxed) >= self.limit
    }

    /// Whether it is passed by half: nothing is kept, and who stands still loses his answer.
    pub fn is_overdrawn(&self) -> bool {
        self.used.load(Ordering::Relaxed) >= self.limit.saturating_add(self.limit / 2)
    }

    /// Whether twice of it is used: nothing more may begin. The room between is for answers that
    /// pass without being kept.
    pub fn is_exhausted(&self) -> bool {
        self.used.load(Ordering::Relaxed) >= self.limit.saturating_mul(2)
    }

    /// Counts bytes that are there, whether or not anything is left for them.
    pub fn take(self: &Arc<Self>, bytes: u64) -> Charge {
        self.add(bytes);
        Charge { budget: Arc::clone(self), bytes }
    }

    /// Counts bytes that will come; nothing when they would pass the limit.
    pub fn reserve(self: &Arc<Self>, bytes: u64) -> Option<Charge> {
        let charge = self.take(bytes);
        (self.used.load(Ordering::Relaxed) <= self.limit).then_some(charge)
    }

    fn add(&self, bytes: u64) {
        self.used.fetch_add(signed(bytes), Ordering::Relaxed);
    }

    fn subtract(&self, bytes: u64) {
        self.used.fetch_sub(signed(bytes), Ordering::Relaxed);
    }
}

fn signed(bytes: u64) -> i64 {
    // Far beyond any memory, and far enough from the edge for sums.
    i64::try_from(bytes).unwrap_or(i64::MAX).min(i64::MAX / 1_024)
}

/// A share of a budget; dropped, it is given back.
#[derive(Debug)]
pub struct Charge {
    budget: Arc<Budget>,
    bytes: u64,
}

impl Charge {
    /// What of a reservation is left.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Takes a share of `bytes` out of this one, and counts what is not in it anew.
    #[must_use]
    pub fn split(&mut self, bytes: u64) -> Self {
        let own = bytes.min(self.bytes);
        self.bytes -= own;
        self.budget.add(bytes - own);
        Self { budget: Arc::clone(&self.budget), bytes }
    }

    /// A share of the same budget beside this one.
    #[must_use]
    pub fn also(&self, bytes: u64) -> Self {
        self.budget.take(bytes)
    }

    /// The bytes with this share: it is given back when the last clone or slice is dropped.
    pub fn hold(self, bytes: Bytes) -> Bytes {
        Bytes::from_owner(Counted { bytes, _charge: self })
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.budget.subtract(self.bytes);
    }
}

struct Counted {
    bytes: Bytes,
    _charge: Charge,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// The bytes of one packed body. While a store keeps it they count there; before and afterwards
/// they are in transit, each block of them for as long as anybody holds it.
#[derive(Debug)]
pub struct Deposit {
    budget: Arc<Budget>,
    bytes: AtomicU64,
    keepers: AtomicUsize,
}

impl Deposit {
    /// Of a body that has no bytes yet.
    pub fn new(budget: &Arc<Budget>) -> Arc<Self> {
        let budget = Arc::clone(budget);
        Arc::new(Self { budget, bytes: AtomicU64::new(0), keepers: AtomicUsize::new(0) })
    }

    /// Adds a block to the body, which nobody keeps yet. The block carries the deposit with it.
    pub fn seal(self: &Arc<Self>, block: Vec<u8>) -> Bytes {
        let bytes = block.capacity() as u64;
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.budget.add(bytes);
        Bytes::from_owner(Sealed { block, deposit: Arc::clone(self) })
    }

    /// A store keeps it from now on, or one place of a store more.
    pub fn keep(&self) {
        if self.keepers.fetch_add(1, Ordering::Relaxed) == 0 {
            self.budget.subtract(self.bytes.load(Ordering::Relaxed));
        }
    }

    /// One keeper lets it go.
    pub fn let_go(&self) {
        if self.keepers.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.budget.add(self.bytes.load(Ordering::Relaxed));
        }
    }

    /// Whether a store keeps it now.
    pub fn is_kept(&self) -> bool {
        self.keepers.load(Ordering::Relaxed) > 0
    }
}

struct Sealed {
    block: Vec<u8>,
    deposit: Arc<Deposit>,
}

impl Drop for Sealed {
    fn drop(&mut self) {
        // A keeper holds the whole body, so nobody keeps it any more, nor ever will again.
        let bytes = self.block.capacity() as u64;
        self.deposit.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.deposit.budget.subtract(bytes);
    }
}

impl AsRef<[u8]> for Sealed {
    fn as_ref(&self) -> &[u8] {
        &self.block
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_given_back_with_the_last_of_its_bytes() {
        let budget = Budget::new(1_000);
        let whole = budget.take(100).hold(Bytes::from_static(b"abcdef"));
        let part = whole.slice(2..3);
        drop(whole);
        assert_eq!((budget.used(), &part[..]), (100, &b"c"[..]));
        drop(part);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn reservations_stop_at_the_limit_and_counts_do_not() {
        let budget = Budget::new(1_000);
        let mut reserved = budget.reserve(900).unwrap();
        assert!(budget.reserve(101).is_none());
        assert_eq!(budget.used(), 900);
        let first = reserved.split(500);
        let second = reserved.split(600);
        assert_eq!((reserved.bytes(), budget.used()), (0, 1_100));
        assert!(budget.is_spent() && !budget.is_overdrawn());
        let third = budget.take(400);
        assert!(budget.is_overdrawn() && !budget.is_exhausted());
        let fourth = budget.take(500);
        assert!(budget.is_exhausted());
        drop((reserved, first, second, third, fourth));
        assert_eq!(budget.used(), 0);
        assert!(Budget::new(u64::MAX).reserve(u64::MAX).is_some());
    }

    #[test]
    fn a_deposit_counts_only_where_nobody_keeps_it() {
        let budget = Budget::new(1_000);
        let deposit = Deposit::new(&budget);
        let (block, other) = (deposit.seal(vec![0; 300]), deposit.seal(vec![0; 50]));
        assert_eq!(budget.used(), 350);
        deposit.keep();
        deposit.keep();
        assert_eq!((budget.used(), deposit.is_kept()), (0, true));
        deposit.let_go();
        assert_eq!(budget.used(), 0, "another keeper is left");
        deposit.let_go();
        assert_eq!((budget.used(), deposit.is_kept()), (350, false));
        drop((deposit, other));
        let sent = block.slice(..1);
        drop(block);
        assert_eq!(budget.used(), 300);
        drop(sent);
        assert_eq!(budget.used(), 0);
    }
}
