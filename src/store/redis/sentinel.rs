//! Asks sentinels who the master is, twice a second: in a failover that somebody ordered, the old
//! master goes on as if nothing were for a while, so that no call would show it. They are asked in
//! turn, beginning with the one that answered last; when the master it names is away or is no
//! master, with the next, so that a sentinel that was cut off does not lead everybody astray. The
//! role is checked when a connection is made.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::time::timeout;

use super::config::Address;
use super::fault::TierFault;
use super::link::Link;
use super::topology::View;
use super::way::Way;
use crate::base::limits;

/// The sentinels and where to begin.
pub(super) struct Sentinels {
    pub(super) way: Way,
    pub(super) addresses: Vec<Address>,
    pub(super) service: String,
    pub(super) replicas: bool,
    first: usize,
    /// To the one that answered last. It lives on the runtime that asks.
    kept: Option<Link>,
}

impl Sentinels {
    pub(super) const fn new(
        way: Way,
        addresses: Vec<Address>,
        service: String,
        replicas: bool,
    ) -> Self {
        Self { way, addresses, service, replicas, first: 0, kept: None }
    }

    /// What the first that answers says. `doubted` says that the last answer was of no use.
    pub(super) async fn ask(&mut self, doubted: bool) -> Result<View, TierFault> {
        let count = self.addresses.len();
        if doubted {
            (self.first, self.kept) = (self.first + 1, None);
        }
        let mut last = TierFault::Unserved;
        for step in 0..count {
            let at = (self.first + step).checked_rem(count).unwrap_or_default();
            let Some(address) = self.addresses.get(at).cloned() else { continue };
            let kept = self.kept.take().filter(Link::is_alive);
            let asked = timeout(self.way.timeout.to_duration(), self.ask_one(&address, kept)).await;
            match asked.unwrap_or(Err(TierFault::Deadline)) {
                Ok((view, link)) => {
                    (self.first, self.kept) = (at, Some(link));
                    return Ok(view);
                }
                Err(fault) => last = TierFault::Lost(format!("sentinel {address}: {fault}")),
            }
        }
        Err(last)
    }

    async fn ask_one(
        &self,
        address: &Address,
        kept: Option<Link>,
    ) -> Result<(View, Link), TierFault> {
        let link = match kept {
            Some(link) => link,
            None => Link::connect(&self.way, address, Arc::default()).await?,
        };
        let service = self.service.as_str();
        let master: Option<(String, u16)> =
            link.ask(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", service]).await?;
        let Some((host, port)) = master else {
            return Err(TierFault::Refused(format!("ERR no master is called {service}")));
        };
        let master = checked(host, port)?;
        let mut replicas = Vec::new();
        if self.replicas {
            let said: Vec<HashMap<String, String>> =
                link.ask(&["SENTINEL", "REPLICAS", service]).await?;
            replicas.extend(said.iter().filter_map(in_step).take(limits::SERVERS_MAX));
            replicas.sort();
            replicas.dedup();
        }
        Ok((View::single(master, replicas), link))
    }
}

/// A replica that can be read.
fn in_step(said: &HashMap<String, String>) -> Option<Address> {
    let field = |name: &str| said.get(name).map(String::as_str);
    let away = field("flags")?
        .split(',')
        .any(|flag| matches!(flag, "s_down" | "o_down" | "disconnected" | "master"));
    if away || field("master-link-status") != Some("ok") {
        return None;
    }
    checked(field("ip")?.to_owned(), field("port")?.parse().ok()?).ok()
}

/// An address as a server gave it.
pub(super) fn checked(host: String, port: u16) -> Result<Address, TierFault> {
    let fits = !host.is_empty()
        && host.len() <= limits::SERVER_NAME_BYTES_MAX
        && host.bytes().all(|byte| byte.is_ascii_graphic());
    if fits && port != 0 {
        Ok(Address { host, port })
    } else {
        Err(TierFault::Garbage("an address that is none".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replica(fields: &[(&str, &str)]) -> Option<Address> {
        let base = [("ip", "10.0.0.1"), ("port", "7"), ("flags", "slave")];
        let status = [("master-link-status", "ok")];
        let all = base.iter().chain(&status).chain(fields);
        in_step(&all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn a_replica_out_of_step_is_not_used() {
        assert_eq!(replica(&[]), Some(Address { host: "10.0.0.1".to_owned(), port: 7 }));
        for (name, value) in [
            ("flags", "slave,s_down"),
            ("flags", "slave,disconnected"),
            ("master-link-status", "err"),
            ("port", "0"),
            ("port", "99999"),
            ("ip", ""),
            ("ip", "a b"),
        ] {
            assert_eq!(replica(&[(name, value)]), None, "{name} {value}");
        }
    }
}
