//! Notices that rules or certificates have changed: file events on the parent directories (editors
//! and Kubernetes replace files by rename or by swapping a symlink, which kills watches on the file
//! itself), and a poll, because some file systems tell nothing. Content decides: the same bytes are
//! no change.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};

/// Silence that ends a burst of events.
const QUIET: Duration = Duration::from_millis(200);

/// Events after which a burst is looked at although it goes on.
const BURST_MAX: usize = 64;

/// How often the content is looked at when no event comes.
const POLL: Duration = Duration::from_secs(30);

/// Why files are read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nudge {
    /// Something happened to the files.
    Files,
    /// SIGHUP or a call: read even if nothing seems to have changed.
    Asked,
    /// The node stops.
    Stop,
}

/// What can be waited for.
#[derive(Debug)]
pub(super) struct Watch {
    nudges: Receiver<Nudge>,
    sender: Sender<Nudge>,
    // Events end when the watcher is dropped.
    _watcher: Option<RecommendedWatcher>,
}

impl Watch {
    /// Watches files and directories. A machine that gives no more watches is still polled.
    pub(super) fn new(paths: &[PathBuf]) -> Self {
        let (sender, nudges) = channel();
        let watcher = watcher(paths, sender.clone()).filter(|_| !paths.is_empty());
        Self { nudges, sender, _watcher: watcher }
    }

    /// A handle that asks for a reload, or for the end.
    pub(super) fn handle(&self) -> Sender<Nudge> {
        self.sender.clone()
    }

    /// Waits for the next reason to look; bursts of file events are one.
    pub(super) fn next(&self) -> Nudge {
        let first = match self.nudges.recv_timeout(POLL) {
            Ok(nudge) => nudge,
            Err(RecvTimeoutError::Timeout) => return Nudge::Files,
            Err(RecvTimeoutError::Disconnected) => return Nudge::Stop,
        };
        let mut nudge = first;
        // Something else may write into the same folder without end: then the burst ends by count.
        let mut events = 0;
        while nudge == Nudge::Files && events < BURST_MAX {
            events += 1;
            match self.nudges.recv_timeout(QUIET) {
                Ok(next) => nudge = next,
                Err(_) => break,
            }
        }
        nudge
    }
}

fn watcher(paths: &[PathBuf], sender: Sender<Nudge>) -> Option<RecommendedWatcher> {
    let tell = move |event: notify::Result<notify::Event>| {
        // Reading makes access events of its own: they would never end.
        if event.is_ok_and(|event| !event.kind.is_access()) {
            // The receiver goes with the node; nobody needs to know then.
            let _ = sender.send(Nudge::Files);
        }
    };
    let mut watcher = notify::recommended_watcher(tell).ok()?;
    let mut all: Vec<PathBuf> = paths.iter().flat_map(|path| folders(path)).collect();
    all.sort();
    all.dedup();
    for folder in all {
        watcher.watch(&folder, RecursiveMode::NonRecursive).ok()?;
    }
    Some(watcher)
}

/// The directories whose entries decide what `path` is: its own parent, and those of every link on
/// the way, `..data` of a `ConfigMap` included.
fn folders(path: &Path) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = Vec::new();
    let mut add = |folder: Option<PathBuf>| {
        let folder = folder.map(|f| if f.as_os_str().is_empty() { PathBuf::from(".") } else { f });
        if let Some(folder) = folder.filter(|folder| folder.is_dir() && !all.contains(folder)) {
            all.push(folder);
        }
    };
    add(path.is_dir().then(|| path.to_owned()));
    add(path.parent().map(Path::to_owned));
    if let Ok(target) = path.canonicalize() {
        add(target.is_dir().then(|| target.clone()));
        add(target.parent().map(Path::to_owned));
    }
    all
}
