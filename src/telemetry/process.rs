//! What the system says of this process, from `/proc`. Where there is none, nothing is said.

use std::fs;

/// The unit of processor times in `/proc` is a hundredth of a second on every Linux that we run on.
const TICKS_PER_SECOND: u64 = 100;

/// What the process takes. Each part is there if the system tells it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Processor time in microseconds.
    pub cpu_micros: Option<u64>,
    /// When it began, in seconds since the epoch.
    pub started_secs: Option<u64>,
    /// Bytes in memory.
    pub resident_bytes: Option<u64>,
    /// Bytes of address space.
    pub virtual_bytes: Option<u64>,
    /// Open files.
    pub open_files: Option<u64>,
    /// The most of them that it may have.
    pub files_max: Option<u64>,
}

impl Usage {
    /// Now.
    pub fn now() -> Self {
        let text = |name: &str| fs::read_to_string(name).unwrap_or_default();
        let open = fs::read_dir("/proc/self/fd").ok().map(|files| files.count() as u64);
        let (stat, system) = (text("/proc/self/stat"), text("/proc/stat"));
        // Reading the folder opens it.
        let open_files = open.map(|open| open.saturating_sub(1));
        Self { open_files, ..Self::of(&stat, &system, &text("/proc/self/limits")) }.sized()
    }

    /// Bytes in memory now, and no more: two short reads.
    pub fn resident() -> Option<u64> {
        Self::default().sized().resident_bytes
    }

    fn sized(self) -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let bytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
            Some(kib * 1_024)
        };
        Self { resident_bytes: bytes("VmRSS:"), virtual_bytes: bytes("VmSize:"), ..self }
    }

    fn of(stat: &str, system: &str, limits: &str) -> Self {
        // The name stands in parentheses and may hold anything.
        let fields: Vec<&str> =
            stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
        let ticks = |at: usize| fields.get(at)?.parse::<u64>().ok();
        let cpu = ticks(11).zip(ticks(12)).map(|(user, system)| user + system);
        let booted = system.lines().find_map(|line| line.strip_prefix("btime "));
        let booted = booted.and_then(|secs| secs.trim().parse::<u64>().ok());
        let files = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
        Self {
            cpu_micros: cpu.map(|ticks| ticks * (1_000_000 / TICKS_PER_SECOND)),
            started_secs: booted.zip(ticks(19)).map(|(boot, at)| boot + at / TICKS_PER_SECOND),
            files_max: files.and_then(|line| line.split_whitespace().next()?.parse().ok()),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_writes_is_read() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 4 0 12345 1 2";
        let system = "cpu 1 2\nbtime 1000\nprocesses 9\n";
        let limits = "Limit Soft Hard Units\nMax open files            1024  4096  files\n";
        let usage = Usage::of(stat, system, limits);
        assert_eq!((usage.cpu_micros, usage.started_secs), (Some(3_000_000), Some(1_123)));
        assert_eq!(usage.files_max, Some(1_024));
        assert_eq!(Usage::of("", "", ""), Usage::default());
    }

    #[test]
    fn a_process_has_some_memory() {
        assert!(Usage::now().resident_bytes.is_none_or(|bytes| bytes > 100_000));
    }
}
