//! Writes whose outcome nobody knows. What such a write names is purged when that becomes clear,
//! and twice again, since it may commit late. Until the last of these, what is fetched may be from
//! before the commit: it is in doubt, and kept for a moment only. Everything here is bounded: what
//! would go beyond becomes one order on everything.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use crate::base::units::Span;
use crate::base::{limits, tasks};
use crate::engine::Engine;
use crate::engine::ordering::{self, Patience};
use crate::engine::{purge, soft};
use crate::entry::order::{Order, Selector};
use crate::store::fence::{Birth, Facts, Fences};

/// The writes that have not settled.
#[derive(Debug, Default)]
pub struct Settling {
    /// Orders of writes in doubt. Each holds a birth from before its order until it has settled.
    doubts: Fences,
    queue: Mutex<Queue>,
    sooner: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    due: BinaryHeap<Reverse<Due>>,
    text_bytes: usize,
    /// Whether a task carries out what is due.
    tended: bool,
}

/// A purge that waits for its time.
#[derive(Debug)]
struct Due {
    at: Instant,
    order: Arc<Order>,
    rule: Option<Arc<str>>,
    widened: bool,
    /// With the last purge of a write its doubt ends.
    doubt: Option<Birth>,
}

impl Due {
    fn text_bytes(&self) -> usize {
        self.order.text_bytes()
    }
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at.cmp(&other.at)
    }
}

impl Settling {
    /// Whether a write that may still commit could change what has these facts.
    pub fn doubts(&self, facts: &Facts<'_>) -> bool {
        self.doubts.name(facts)
    }

    /// Whether nothing is in doubt.
    pub fn is_settled(&self) -> bool {
        self.doubts.is_idle()
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds purges. Whether somebody must begin to tend them.
    fn add(&self, all: impl IntoIterator<Item = Due>) -> bool {
        let mut queue = self.queue();
        for due in all {
            queue.push(due);
        }
        if queue.is_beyond_bounds() {
            queue.fold();
        }
        let begins = !queue.tended;
        queue.tended = true;
        drop(queue);
        self.sooner.notify_one();
        begins
    }
}

impl Queue {
    fn push(&mut self, due: Due) {
        self.text_bytes += due.text_bytes();
        self.due.push(Reverse(due));
    }

    fn is_beyond_bounds(&self) -> bool {
        self.due.len() > limits::UNSETTLED_MAX || self.text_bytes > limits::UNSETTLED_BYTES_MAX
    }

    /// One order on everything, as late as the latest. The oldest doubt covers all younger ones.
    fn fold(&mut self) {
        let Some(last) = self.due.iter().map(|Reverse(due)| due.at).max() else { return };
        let births = self.due.drain().filter_map(|Reverse(due)| due.doubt);
        let doubt = births.min_by_key(Birth::tick);
        let order = Arc::new(Order::of([Selector::All]));
        self.text_bytes = 0;
        self.push(Due { at: last, order, rule: None, widened: true, doubt });
    }

    /// What is due at `now`, or when the next will be; nothing when none waits.
    fn next(&mut self, now: Instant) -> Option<Result<Due, Instant>> {
        let Reverse(first) = self.due.peek()?;
        if first.at > now {
            return Some(Err(first.at));
        }
        let Reverse(due) = self.due.pop()?;
        self.text_bytes -= due.text_bytes();
        Some(Ok(due))
    }
}

/// Purges what a write named whose outcome nobody knows, and sees to it that it is purged again:
/// soon, since late commits come within moments, and when the origin has no more time for it.
pub(super) async fn unknown(
    engine: &Arc<Engine>,
    order: Order,
    rule: Option<Arc<str>>,
    widened: bool,
    timeout: Span,
) {
    let settling = &engine.settling;
    // A fetch that begins after this order's fences are raised must find the doubt.
    let doubt = settling.doubts.begin();
    settling.doubts.raise(&purge::together(&order, purge::follows(engine, &order).as_ref()));
    ordering::order_all(engine, &order, "write", rule.as_deref(), widened, Patience::Shared).await;
    let now = Instant::now();
    let order = Arc::new(order);
    let last = timeout.max(limits::SETTLE_FIRST).min(limits::SETTLE_LAST_MAX);
    let due = |after: Span, doubt| Due {
        at: now + after.to_duration(),
        order: Arc::clone(&order),
        rule: rule.clone(),
        widened,
        doubt,
    };
    if settling.add([due(limits::SETTLE_FIRST, None), due(last, Some(doubt))]) {
        // At the end of the process L1 ends too: nobody needs to wait for these.
        tasks::tend(tend(Arc::clone(engine)));
    }
}

/// Purges once more what a write has changed, `after` it: what was fetched in between may be from a
/// copy of the data that lagged behind.
pub(super) fn once_more(
    engine: &Arc<Engine>,
    order: Order,
    rule: Option<Arc<str>>,
    widened: bool,
    after: Span,
) {
    let at = Instant::now() + after.to_duration();
    let due = Due { at, order: Arc::new(order), rule, widened, doubt: None };
    if engine.settling.add([due]) {
        tasks::tend(tend(Arc::clone(engine)));
    }
}

/// Carries out what is due until nothing waits.
async fn tend(engine: Arc<Engine>) {
    let tending = Tending(engine);
    let settling = &tending.0.settling;
    loop {
        let next = {
            let mut queue = settling.queue();
            let next = queue.next(Instant::now());
            queue.tended = next.is_some();
            next
        };
        match next {
            None => return,
            Some(Err(at)) => drop(timeout_at(at, settling.sooner.notified()).await),
            Some(Ok(due)) => {
                let Due { order, rule, widened, .. } = &due;
                let rule = rule.as_deref();
                let order = soft::once_more(&tending.0, order);
                ordering::order_all(&tending.0, &order, "write", rule, *widened, Patience::Shared)
                    .await;
                // The purge stands: what was fetched before it is gone or refused.
                drop(due.doubt);
                // Many may be due at once; requests on this thread go on between them.
                tokio::task::yield_now().await;
            }
        }
    }
}

/// Whatever ends the task, the next write of unknown outcome begins another.
struct Tending(Arc<Engine>);

impl Drop for Tending {
    fn drop(&mut self) {
        self.0.settling.queue().tended = false;
    }
}

#[cfg(test)]
mod tests;
