//! How full the servers are, asked now and then. One that may evict is full as a rule; one that may
//! not is about to refuse whatever is new.

use tokio::time::sleep;

use super::Fleet;
use crate::base::limits;

impl Fleet {
    /// Asks all masters, for ever.
    pub(super) async fn weigh_servers(&self) {
        loop {
            let mut fullest = None;
            for server in self.servers.masters() {
                let mut info = redis::cmd("INFO");
                info.arg("memory");
                // Who may not ask learns nothing; `doctor` says so.
                let told = server.call::<String>(&info, limits::L2_BACKGROUND_DEADLINE).await;
                fullest = fullest.max(told.ok().and_then(|told| filled(&told)));
            }
            *self.fullest.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = fullest;
            sleep(limits::WEIGHED_EVERY.to_duration()).await;
        }
    }

    /// Bytes that the fullest server holds which may not evict, and the most that it may hold.
    pub fn fullest(&self) -> Option<Filled> {
        *self.fullest.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// What a server holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filled {
    /// Bytes in use.
    pub used: u64,
    /// `maxmemory`, never 0.
    pub most: u64,
}

impl Filled {
    /// The share that is used, in percent.
    pub fn percent(self) -> f64 {
        100.0 * self.used as f64 / self.most as f64
    }
}

impl PartialOrd for Filled {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// By their shares.
impl Ord for Filled {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let share = |one: &Self, most: u64| u128::from(one.used) * u128::from(most);
        share(self, other.most).cmp(&share(other, self.most)).then(self.most.cmp(&other.most))
    }
}

/// How full a server is by its `INFO memory`; nothing where it has no bound, or may evict.
fn filled(info: &str) -> Option<Filled> {
    let told = |name: &str| {
        let mut lines = info.lines().filter_map(|line| line.trim_end().split_once(':'));
        lines.find(|(field, _)| *field == name).map(|(_, value)| value)
    };
    let number = |name: &str| told(name)?.parse::<u64>().ok();
    let most = number("maxmemory").filter(|most| *most > 0)?;
    let keeps = told("maxmemory_policy") == Some("noeviction");
    keeps.then_some(Filled { used: number("used_memory")?, most })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_bound_that_nothing_evicts_for_counts() {
        let info = |most: u64, policy: &str| {
            format!(
                "# Memory\r\nused_memory:90\r\nmaxmemory:{most}\r\nmaxmemory_policy:{policy}\r\n"
            )
        };
        let full = filled(&info(100, "noeviction"));
        assert_eq!(full, Some(Filled { used: 90, most: 100 }));
        assert!(full.is_some_and(|full| (full.percent() - 90.0).abs() < 1e-9));
        assert_eq!(filled(&info(100, "volatile-lfu")), None);
        assert_eq!(filled(&info(0, "noeviction")), None);
        assert_eq!(filled("garbage"), None);
    }

    #[test]
    fn the_fullest_is_the_one_with_the_greatest_share() {
        let of = |used, most| Some(Filled { used, most });
        assert_eq!(of(9, 10).max(of(50, 100)).max(None), of(9, 10));
        assert_eq!(of(80, 100).max(of(95, 100)), of(95, 100));
    }
}
