//! A time limit on waiting that costs nothing while there is nothing to wait for. The timer is left
//! where it was when a wait ends, and moved only when it fires too early: a busy connection touches
//! the runtime's timers about once per limit, not once per request.

use std::future::Future;
use std::pin::Pin;
use std::task::Context;
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// One kind of waiting on one connection.
#[derive(Debug)]
pub(super) struct Deadline {
    limit: Duration,
    since: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Deadline {
    /// Waiting may last `limit`.
    pub(super) fn new(limit: Duration) -> Self {
        Self { limit, since: None, timer: None }
    }

    /// Tells whether the wait is over its limit; it begins with the first call. Otherwise the task
    /// is woken when it will be.
    pub(super) fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        let due = *self.since.get_or_insert_with(Instant::now) + self.limit;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
        while timer.as_mut().poll(cx).is_ready() {
            if Instant::now() >= due {
                return true;
            }
            timer.as_mut().reset(due);
        }
        false
    }

    /// The wait has ended in time, and the next began at `moment`: for who has read the clock.
    pub(super) fn begin_at(&mut self, moment: Instant) {
        self.since = Some(moment);
    }

    /// The wait has ended in time.
    pub(super) fn clear(&mut self) {
        self.since = None;
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::Poll;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(30);

    async fn until_over(deadline: &mut Deadline) {
        poll_fn(|cx| if deadline.is_over(cx) { Poll::Ready(()) } else { Poll::Pending }).await;
    }

    #[tokio::test(start_paused = true)]
    async fn it_ends_after_its_limit() {
        let begun = Instant::now();
        until_over(&mut Deadline::new(LIMIT)).await;
        assert_eq!(begun.elapsed().as_secs(), 30);
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_wait_has_the_whole_limit_again() {
        let mut deadline = Deadline::new(LIMIT);
        assert!(!poll_fn(|cx| Poll::Ready(deadline.is_over(cx))).await);
        tokio::time::advance(Duration::from_secs(29)).await;
        deadline.clear();
        let begun = Instant::now();
        until_over(&mut deadline).await;
        assert_eq!(begun.elapsed().as_secs(), 30);
    }
}
