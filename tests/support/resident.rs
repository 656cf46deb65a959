//! How much memory a process takes, as the system counts it.

use std::fs;
use std::path::{Path, PathBuf};

/// The memory of a process.
pub(crate) struct Resident {
    status: PathBuf,
}

impl Resident {
    /// Of the process that works in this folder.
    pub(crate) fn within(folder: &Path) -> Self {
        let processes = fs::read_dir("/proc").expect("a system that lists its processes");
        let process = processes
            .filter_map(|process| Some(process.ok()?.path()))
            .find(|process| fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd == folder));
        let process = process.unwrap_or_else(|| panic!("nothing runs in {}", folder.display()));
        Self { status: process.join("status") }
    }

    /// Bytes in memory now.
    pub(crate) fn now(&self) -> usize {
        self.line("VmRSS:")
    }

    /// The most bytes in memory so far.
    pub(crate) fn most(&self) -> usize {
        self.line("VmHWM:")
    }

    fn line(&self, name: &str) -> usize {
        let text = fs::read_to_string(&self.status).expect("the process runs");
        let kib = text.lines().find_map(|line| line.strip_prefix(name)).expect("a known line");
        let kib: usize = kib.trim().trim_end_matches(" kB").parse().expect("a number");
        kib * 1_024
    }
}
