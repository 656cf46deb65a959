//! A log sink: lines are appended to a buffer, one thread writes the buffer out. Appending never
//! waits for the disk: when the writer cannot follow, lines are dropped and counted, because a full
//! disk must not become a full queue of requests.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What may wait for the writer. Lines beyond it are dropped.
const BUFFER_BYTES_MAX: usize = 4 << 20;

/// How long the writer gathers lines: one write for a burst.
const GATHER: Duration = Duration::from_millis(10);

/// What is worth a write before that time is over. Lines that are written soon are read by the
/// system while they are still in the processor's cache.
const BATCH_BYTES: usize = 64 << 10;

/// Where lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Nowhere.
    Off,
    /// Standard output.
    Stdout,
    /// A file, rotated when it has grown to `rotate_bytes`; `keep` older files stay beside it as
    /// `name.1`, `name.2`, ….
    File {
        /// The file.
        path: PathBuf,
        /// Size at which it is moved away.
        rotate_bytes: u64,
        /// Older files kept.
        keep: u32,
    },
}

/// A handle on a sink; clones write to the same place.
#[derive(Clone, Debug, Default)]
pub struct Sink {
    shared: Option<Arc<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    pending: Mutex<Pending>,
    wake: Condvar,
    idle: Condvar,
    dropped: AtomicU64,
    reopen: AtomicBool,
}

#[derive(Debug, Default)]
struct Pending {
    buffer: Vec<u8>,
    writing: bool,
    closed: bool,
}

impl Sink {
    /// Opens a sink and starts its writer. Fails when the file cannot be opened.
    pub fn open(target: &Target) -> std::io::Result<Self> {
        let out = match target {
            Target::Off => return Ok(Self::default()),
            Target::Stdout => Out::Stdout,
            Target::File { path, rotate_bytes, keep } => {
                Out::File(Rotating::open(path, *rotate_bytes, *keep)?)
            }
        };
        let shared = Arc::new(Shared::default());
        let writer = Arc::clone(&shared);
        std::thread::Builder::new().name("log".to_owned()).spawn(move || writer.run(out))?;
        Ok(Self { shared: Some(shared) })
    }

    /// Whether lines go anywhere.
    pub const fn is_on(&self) -> bool {
        self.shared.is_some()
    }

    /// Appends one line; `fill` writes it without its end of line.
    pub fn line(&self, fill: impl FnOnce(&mut Vec<u8>)) {
        let Some(shared) = &self.shared else { return };
        let mut pending = shared.pending();
        if pending.buffer.len() >= BUFFER_BYTES_MAX {
            shared.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let before = pending.buffer.len();
        fill(&mut pending.buffer);
        pending.buffer.push(b'\n');
        let is_batch = before < BATCH_BYTES && pending.buffer.len() >= BATCH_BYTES;
        drop(pending);
        if before == 0 || is_batch {
            shared.wake.notify_one();
        }
    }

    /// Lines dropped because the writer could not follow.
    pub fn dropped(&self) -> u64 {
        self.shared.as_ref().map_or(0, |shared| shared.dropped.load(Ordering::Relaxed))
    }

    /// Opens the file anew before the next write.
    pub fn reopen(&self) {
        if let Some(shared) = &self.shared {
            shared.reopen.store(true, Ordering::Relaxed);
        }
    }

    /// Waits until everything appended so far is written, at most a second.
    pub fn flush(&self) {
        let Some(shared) = &self.shared else { return };
        let busy = |p: &mut Pending| !p.buffer.is_empty() || p.writing;
        drop(shared.idle.wait_timeout_while(shared.pending(), Duration::from_secs(1), busy));
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        if let Some(shared) = &self.shared
            && Arc::strong_count(shared) <= 2
        {
            shared.pending().closed = true;
            shared.wake.notify_one();
        }
    }
}

impl Shared {
    // A line that panicked half-way is still a line: the poison says nothing about the buffer.
    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, mut out: Out) {
        let mut batch = Vec::new();
        loop {
            let mut pending = self.pending();
            while pending.buffer.is_empty() && !pending.closed {
                pending = self.wake.wait(pending).unwrap_or_else(PoisonError::into_inner);
            }
            if pending.buffer.is_empty() {
                return;
            }
            pending.writing = true;
            let gathers = |p: &mut Pending| p.buffer.len() < BATCH_BYTES && !p.closed;
            let gathered = self.wake.wait_timeout_while(pending, GATHER, gathers);
            let (mut pending, _) = gathered.unwrap_or_else(PoisonError::into_inner);
            std::mem::swap(&mut batch, &mut pending.buffer);
            drop(pending);
            if self.reopen.swap(false, Ordering::Relaxed) {
                out.reopen();
            }
            if out.write(&batch).is_err() {
                let lines = memchr::memchr_iter(b'\n', &batch).count() as u64;
                self.dropped.fetch_add(lines, Ordering::Relaxed);
            }
            batch.clear();
            self.pending().writing = false;
            self.idle.notify_all();
        }
    }
}

#[derive(Debug)]
enum Out {
    Stdout,
    File(Rotating),
}

impl Out {
    fn write(&mut self, lines: &[u8]) -> std::io::Result<()> {
        match self {
            Self::Stdout => {
                let mut stdout = std::io::stdout().lock();
                stdout.write_all(lines)?;
                stdout.flush()
            }
            Self::File(file) => file.write(lines),
        }
    }

    fn reopen(&mut self) {
        if let Self::File(file) = self {
            file.reopen();
        }
    }
}

#[derive(Debug)]
struct Rotating {
    path: PathBuf,
    file: File,
    written: u64,
    rotate_bytes: u64,
    keep: u32,
}

impl Rotating {
    fn open(path: &Path, rotate_bytes: u64, keep: u32) -> std::io::Result<Self> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder)?;
        }
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let written = file.metadata()?.len();
        Ok(Self { path: path.to_owned(), file, written, rotate_bytes, keep })
    }

    fn write(&mut self, lines: &[u8]) -> std::io::Result<()> {
        if self.written > 0 && self.written + lines.len() as u64 > self.rotate_bytes {
            self.rotate();
        }
        self.file.write_all(lines)?;
        self.written += lines.len() as u64;
        Ok(())
    }

    // A rotation that fails (no right to rename) leaves the file growing rather than losing lines.
    fn rotate(&mut self) {
        let numbered = |n: u32| PathBuf::from(format!("{}.{n}", self.path.display()));
        for n in (1..self.keep).rev() {
            drop(std::fs::rename(numbered(n), numbered(n + 1)));
        }
        if self.keep == 0 {
            drop(std::fs::remove_file(&self.path));
        } else {
            drop(std::fs::rename(&self.path, numbered(1)));
        }
        self.reopen();
    }

    fn reopen(&mut self) {
        if let Ok(fresh) = Self::open(&self.path, self.rotate_bytes, self.keep) {
            *self = fresh;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("cistern-{name}-{}", std::process::id()));
        drop(std::fs::remove_dir_all(&folder));
        folder
    }

    #[test]
    fn lines_arrive_in_order_and_files_rotate() {
        let folder = folder("sink");
        let path = folder.join("logs/cache.log");
        let target = Target::File { path: path.clone(), rotate_bytes: 64, keep: 2 };
        let sink = Sink::open(&target).unwrap();
        for round in 0..4 {
            for n in 0..5 {
                sink.line(|out| out.extend_from_slice(format!("round {round} {n}").as_bytes()));
            }
            sink.flush();
        }
        let read =
            |suffix: &str| std::fs::read_to_string(format!("{}{suffix}", path.display())).unwrap();
        assert_eq!(read("").lines().next(), Some("round 3 0"));
        assert_eq!(read(".1").lines().last(), Some("round 2 4"));
        assert!(!folder.join("logs/cache.log.3").exists());
        assert_eq!(sink.dropped(), 0);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_moved_file_is_opened_anew() {
        let folder = folder("reopen");
        let path = folder.join("cache.log");
        let target = Target::File { path: path.clone(), rotate_bytes: 1 << 20, keep: 2 };
        let sink = Sink::open(&target).unwrap();
        sink.line(|out| out.extend_from_slice(b"one"));
        sink.flush();
        std::fs::rename(&path, folder.join("moved")).unwrap();
        sink.reopen();
        sink.line(|out| out.extend_from_slice(b"two"));
        sink.flush();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "two\n");
        std::fs::remove_dir_all(folder).unwrap();
    }
}
