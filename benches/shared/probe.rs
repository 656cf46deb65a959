//! Another client of the same Redis: it asks for one small value over and over, and notes how long
//! each answer took. What holds the server up shows there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::time::Instant;

use super::server::Server;

/// Between two questions, so that the probe does not keep the server busy itself.
const PAUSE: Duration = Duration::from_micros(100);

/// A probe that runs.
pub(crate) struct Probe {
    over: Arc<AtomicBool>,
    thread: JoinHandle<Vec<f64>>,
}

/// How long answers took, in milliseconds.
pub(crate) struct Waits {
    /// The median.
    pub(crate) usual: f64,
    /// What one in a thousand exceeds.
    pub(crate) rare: f64,
    /// The longest.
    pub(crate) longest: f64,
}

impl Probe {
    /// Begins to ask.
    pub(crate) fn start(server: &Server) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let (mut wire, seen) = (server.wire(), Arc::clone(&over));
        wire.say(&["SET", "probe", "x"]);
        let thread = std::thread::spawn(move || {
            let mut waits = Vec::new();
            while !seen.load(Ordering::Relaxed) {
                let asked = Instant::now();
                wire.say(&["GET", "probe"]);
                waits.push(asked.elapsed().as_secs_f64() * 1e3);
                std::thread::sleep(PAUSE);
            }
            waits
        });
        Self { over, thread }
    }

    /// Ends it.
    pub(crate) fn end(self) -> Waits {
        self.over.store(true, Ordering::Relaxed);
        let mut waits = self.thread.join().unwrap();
        waits.sort_by(f64::total_cmp);
        let last = waits.len() - 1;
        let at = |thousandths: usize| waits[last * thousandths / 1_000];
        Waits { usual: at(500), rare: at(999), longest: at(1_000) }
    }
}
