//! A wall clock of a program's own, which a story sets while the program runs. The steady clock
//! stays that of the machine, as on a machine whose time was set wrong.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::support::cistern::Setup;

/// What stands between a program and the system's wall clock: the difference is in a file that the
/// program has mapped, so that it reads every change at once.
const SHIM: &str = r#"
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static volatile const long long *seconds;

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("WALL_CLOCK_FILE");
  int file = path ? open(path, O_RDONLY) : -1;
  if (file < 0) _exit(99);
  void *page = mmap(0, sizeof *seconds, PROT_READ, MAP_SHARED, file, 0);
  if (page == MAP_FAILED) _exit(99);
  seconds = page;
  close(file);
}

int clock_gettime(clockid_t id, struct timespec *at) {
  int failed = syscall(SYS_clock_gettime, id, at);
  if (!failed && id == CLOCK_REALTIME && seconds) at->tv_sec += *seconds;
  return failed;
}
"#;

/// The clock of one program.
pub(crate) struct WallClock {
    file: PathBuf,
}

impl WallClock {
    /// One that is so many seconds ahead of the machine's, or behind it.
    pub(crate) fn ahead_by(seconds: i64) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let clock = Self { file: home().join(format!("{}-{count}", std::process::id())) };
        fs::write(&clock.file, seconds.to_ne_bytes()).expect("a file for the clock");
        clock
    }

    /// Somebody sets it.
    pub(crate) fn is_set_ahead_by(&self, seconds: i64) {
        // The file stays the one that is mapped: only what stands in it changes.
        let file = fs::OpenOptions::new().write(true).open(&self.file).expect("the clock's file");
        let written = std::os::unix::fs::FileExt::write_all_at(&file, &seconds.to_ne_bytes(), 0);
        written.expect("the clock can be set");
    }

    /// A program that will look at it.
    pub(crate) fn on(&self, setup: Setup) -> Setup {
        setup
            .setting("LD_PRELOAD", &shim().to_string_lossy())
            .setting("WALL_CLOCK_FILE", &self.file.to_string_lossy())
    }
}

impl Drop for WallClock {
    fn drop(&mut self) {
        fs::remove_file(&self.file).ok();
    }
}

fn home() -> PathBuf {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clocks");
    fs::create_dir_all(&home).expect("a folder for clocks");
    home
}

/// The shim, made once for all stories of this process.
fn shim() -> &'static Path {
    static SHIM_MADE: OnceLock<PathBuf> = OnceLock::new();
    SHIM_MADE.get_or_init(|| {
        let own = |kind: &str| home().join(format!("shim-{}.{kind}", std::process::id()));
        let (source, made) = (own("c"), own("so"));
        fs::write(&source, SHIM).expect("a file for the shim");
        let mut command = Command::new("cc");
        command.args(["-shared", "-fPIC", "-O1", "-o"]).args([&made, &source]);
        let said = command.output().unwrap_or_else(|error| panic!("cc: {error}"));
        assert!(said.status.success(), "no shim: {}", String::from_utf8_lossy(&said.stderr));
        fs::remove_file(&source).ok();
        // Every process makes the same: one file is left, whoever was last.
        let one = home().join("shim.so");
        fs::rename(&made, &one).expect("a place for the shim");
        one
    })
}
