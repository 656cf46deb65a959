//! What a server says about itself: `INFO`, and those of its settings that count. A server that is
//! managed by others may keep its settings to itself.

use std::collections::HashMap;

use super::visit::Visit;
use crate::store::redis::fault::TierFault;

/// The settings that are asked for.
const SETTINGS: [&str; 8] = [
    "notify-keyspace-events",
    "save",
    "appendonly",
    "min-replicas-to-write",
    "min-replicas-max-lag",
    "cluster-node-timeout",
    "cluster-require-full-coverage",
    "cluster-allow-reads-when-down",
];

/// What one server says.
pub(super) struct Facts {
    info: Result<HashMap<String, String>, TierFault>,
    settings: Result<HashMap<String, String>, TierFault>,
}

impl Facts {
    /// Asks.
    pub(super) async fn of(visit: &Visit) -> Self {
        let info = visit.ask::<String>(&["INFO"]).await;
        let asked: Vec<&str> = ["CONFIG", "GET"].into_iter().chain(SETTINGS).collect();
        Self { info: info.map(|text| lines(&text)), settings: visit.ask(&asked).await }
    }

    /// From the text of `INFO`, and settings.
    #[cfg(test)]
    pub(super) fn made(info: &str, settings: &[(&str, &str)]) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self { info: Ok(lines(info)), settings: Ok(settings.iter().map(owned).collect()) }
    }

    /// Why nothing is known from `INFO`.
    pub(super) fn info_fault(&self) -> Option<&TierFault> {
        self.info.as_ref().err()
    }

    /// Why no setting is known.
    pub(super) fn settings_fault(&self) -> Option<&TierFault> {
        self.settings.as_ref().err()
    }

    /// A line of `INFO`.
    pub(super) fn told(&self, name: &str) -> Option<&str> {
        self.info.as_ref().ok()?.get(name).map(String::as_str)
    }

    /// The same as a number.
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.told(name)?.parse().ok()
    }

    /// A setting.
    pub(super) fn setting(&self, name: &str) -> Option<&str> {
        self.settings.as_ref().ok()?.get(name).map(String::as_str)
    }

    /// What a master says of its replicas: their state, and the seconds since they last said how
    /// far they are.
    pub(super) fn replicas(&self) -> Vec<Follower> {
        let count = self.number("connected_slaves").unwrap_or_default();
        let lines = (0..count).map_while(|at| self.told(&format!("slave{at}")));
        lines.map(Follower::read).collect()
    }
}

/// A replica in the words of its master.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Follower {
    /// Where it is.
    pub(super) address: String,
    /// Whether it follows.
    pub(super) is_online: bool,
    /// Seconds since it last said how far it is.
    pub(super) lag_secs: u64,
}

impl Follower {
    /// `ip=127.0.0.1,port=7000,state=online,offset=42,lag=0`.
    fn read(line: &str) -> Self {
        let fields: HashMap<&str, &str> =
            line.split(',').filter_map(|field| field.split_once('=')).collect();
        let field = |name: &str| fields.get(name).copied().unwrap_or_default();
        Self {
            address: format!("{}:{}", field("ip"), field("port")),
            is_online: field("state") == "online",
            lag_secs: field("lag").parse().unwrap_or(u64::MAX),
        }
    }
}

fn lines(text: &str) -> HashMap<String, String> {
    let pairs = text.lines().filter_map(|line| line.trim_end().split_once(':'));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}
