//! Tasks that outlive the call that began them. Those that hold work somebody may miss (a write on
//! its way) are counted, so that a drain can wait for them; the others end with the process,
//! fetches for the cache among them: what they would store is lost with it. Every task starts here.

use std::future::Future;
use std::sync::LazyLock;

use tokio_util::task::TaskTracker;

// The tracker is the one process-wide value: a task belongs to the process, not to an engine, and
// a drain must find it whoever began it.
static TRACKER: LazyLock<TaskTracker> = LazyLock::new(TaskTracker::new);

/// Runs work that a drain waits for, on the current runtime.
#[expect(clippy::disallowed_methods, reason = "this is one of the two doors to tokio::spawn")]
pub fn spawn<F>(work: F)
where
    F: Future<Output = ()> + Send + 'static,
{
    drop(tokio::spawn(TRACKER.track_future(Box::pin(work))));
}

/// Runs work that nobody misses when the process ends.
#[expect(clippy::disallowed_methods, reason = "this is one of the two doors to tokio::spawn")]
pub fn tend<F>(work: F)
where
    F: Future<Output = ()> + Send + 'static,
{
    // The runtime moves a future several times on its way in and out, and these are large.
    drop(tokio::spawn(Box::pin(work)));
}

/// How many tasks a drain would wait for now.
pub fn running() -> usize {
    TRACKER.len()
}

/// Runs something that takes the processor for a while beside the requests of this thread. `None`:
/// it panicked, or the runtime ends.
pub async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    tokio::task::spawn_blocking(work).await.ok()
}
