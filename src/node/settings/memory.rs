//! How much memory there is, and what of it is whose.

use crate::base::units::ByteSize;

/// What the process takes before it serves anything, with its threads, rules and logs.
const BASE_BYTES: u64 = 42_000_000;

/// What of `memory` is left for answers on their way: without the process itself, and without L1
/// and the quarter by which an allocator exceeds what it is asked for. At most twice the budget
/// is in transit, and it has an allocator too, so it is three eighths of that; never less than a
/// sixteenth of all, since nothing could be kept without any.
pub(super) fn transit(memory: u64, l1: u64) -> u64 {
    let rest = memory.saturating_sub(l1 / 4 * 5).saturating_sub(BASE_BYTES);
    (rest / 8 * 3).max(memory / 16)
}

/// `60%` of what this process may have, or a size.
pub(super) fn memory(text: &str) -> Result<u64, String> {
    if let Some(percent) = text.strip_suffix('%') {
        let percent: u64 = percent
            .parse()
            .ok()
            .filter(|p| (1..=100).contains(p))
            .ok_or_else(|| format!("`{text}` is not a share; write one from 1% to 100%"))?;
        return Ok(available_memory() / 100 * percent);
    }
    ByteSize::parse(text).map(|size| size.0).map_err(|e| e.to_string())
}

/// The cgroup's limit where there is one, else the machine's memory.
fn available_memory() -> u64 {
    let number = |path: &str| std::fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    let machine = std::fs::read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| {
            let line = text.lines().find(|line| line.starts_with("MemTotal:"))?;
            line.split_whitespace().nth(1)?.parse::<u64>().ok()
        })
        .map_or(4 << 30, |kib| kib * 1_024);
    number("/sys/fs/cgroup/memory.max")
        .or_else(|| number("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
        .map_or(machine, |limit| limit.min(machine))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_of_memory_is_for_answers_on_their_way() {
        let mb = 1_000_000;
        assert_eq!(transit(256 * mb, 64 * mb), 50_250_000);
        assert_eq!(transit(32 * mb, 16 * mb), 2 * mb, "small machines serve too");
        for memory in [96, 128, 256, 1_024, 65_536] {
            let (memory, l1) = (memory * mb, memory * mb / 4);
            let most = l1 + 2 * transit(memory, l1);
            assert!(most / 4 * 5 + BASE_BYTES <= memory, "{memory}");
        }
    }
}
