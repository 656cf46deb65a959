//! Background tasks with a name and a count, so that a drain can wait for them and a log can say
//! what is still running. Every task of the program starts here.

use std::future::Future;
use std::sync::LazyLock;

use tokio_util::task::TaskTracker;

// The tracker is the one process-wide value: a task belongs to the process, not to an engine, and
// a drain must find it whoever began it.
static TRACKER: LazyLock<TaskTracker> = LazyLock::new(TaskTracker::new);

/// Runs `work` on the current runtime until it ends. It is dropped when that runtime is.
#[expect(clippy::disallowed_methods, reason = "this is the one door to tokio::spawn")]
pub fn spawn<F>(work: F)
where
    F: Future<Output = ()> + Send + 'static,
{
    drop(tokio::spawn(TRACKER.track_future(work)));
}

/// How many tasks run now.
pub fn running() -> usize {
    TRACKER.len()
}
