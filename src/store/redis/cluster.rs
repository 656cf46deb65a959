//! Asks nodes of a cluster who has which slots, with `CLUSTER SLOTS`: every version has it, it
//! names the TLS port to who asks over TLS, the name that is preferred, and only replicas that can
//! be read. A node that says that the cluster does not serve is believed only if nobody else says
//! anything.

use std::sync::Arc;

use redis::Value;
use tokio::time::timeout;

use super::config::Address;
use super::fault::TierFault;
use super::link::Link;
use super::sentinel::checked;
use super::slot::SLOTS;
use super::topology::{Shard, View};
use super::way::Way;
use crate::base::limits;

/// The first good answer of `nodes`, asked in their order.
pub(super) async fn ask(way: &Way, nodes: &[Address], replicas: bool) -> Result<View, TierFault> {
    let (mut last, mut second_best) = (TierFault::Unserved, None);
    for node in nodes {
        let asked = timeout(way.timeout.to_duration(), ask_one(way, node, replicas)).await;
        match asked.unwrap_or(Err(TierFault::Deadline)) {
            Ok((view, true)) => return Ok(view),
            Ok((view, false)) => second_best = second_best.or(Some(view)),
            Err(fault) => last = TierFault::Lost(format!("node {node}: {fault}")),
        }
    }
    second_best.ok_or(last)
}

async fn ask_one(way: &Way, node: &Address, replicas: bool) -> Result<(View, bool), TierFault> {
    let link = Link::connect(way, node, Arc::default()).await?;
    let info: String = link.ask(&["CLUSTER", "INFO"]).await?;
    let slots: Value = link.ask(&["CLUSTER", "SLOTS"]).await?;
    let view = read(&slots, node, replicas)
        .ok_or_else(|| TierFault::Garbage("CLUSTER SLOTS makes no sense".to_owned()))?;
    if view.0.is_empty() {
        return Err(TierFault::Refused("CLUSTERDOWN no slot is assigned".to_owned()));
    }
    Ok((view, serves(&info)))
}

/// Whether `CLUSTER INFO` says that the cluster serves.
pub(super) fn serves(info: &str) -> bool {
    info.lines().any(|line| line.trim_end() == "cluster_state:ok")
}

/// The answer of `CLUSTER SLOTS`; none if any of it is wrong.
fn read(slots: &Value, asked: &Address, replicas: bool) -> Option<View> {
    let mut view: Vec<Shard> = Vec::new();
    let mut taken = Vec::new();
    for entry in slots.as_sequence()? {
        let [first, last, master, others @ ..] = entry.as_sequence()? else { return None };
        let range: (u16, u16) = (number(first)?, number(last)?);
        if range.0 > range.1 || range.1 >= SLOTS {
            return None;
        }
        taken.push(range);
        let master = address(master, asked)?;
        if let Some(shard) = view.iter_mut().find(|shard| shard.master == master) {
            shard.ranges.push(range);
            continue;
        }
        let others = if replicas { others } else { &[] };
        let mut replicas = others.iter().map(|other| address(other, asked));
        let mut replicas = replicas.by_ref().collect::<Option<Vec<_>>>()?;
        replicas.sort();
        replicas.dedup();
        view.push(Shard { master, replicas, ranges: vec![range] });
        let named: usize = view.iter().map(|shard| 1 + shard.replicas.len()).sum();
        if named > limits::SERVERS_MAX {
            return None;
        }
    }
    taken.sort_unstable();
    if taken.windows(2).any(|pair| matches!(pair, [(_, last), (first, _)] if first <= last)) {
        return None;
    }
    for shard in &mut view {
        shard.ranges.sort_unstable();
    }
    view.sort_by(|a, b| a.master.cmp(&b.master));
    Some(View(view))
}

fn number<T: TryFrom<i64>>(value: &Value) -> Option<T> {
    match value {
        Value::Int(number) => T::try_from(*number).ok(),
        _ => None,
    }
}

/// A node: name, port, id, further names. Without a name it is where the one who was asked is.
fn address(node: &Value, asked: &Address) -> Option<Address> {
    let [name, port, rest @ ..] = node.as_sequence()? else { return None };
    let name: Option<String> = redis::from_redis_value_ref(name).ok()?;
    let host = match name.as_deref() {
        None | Some("") => asked.host.clone(),
        // It should be called by a name and has none.
        Some("?") => further(rest, "ip").unwrap_or_else(|| asked.host.clone()),
        Some(name) => name.to_owned(),
    };
    checked(host, number(port)?).ok()
}

/// A field of what is said further about a node.
fn further(rest: &[Value], field: &str) -> Option<String> {
    let pairs: Vec<String> = redis::from_redis_value_ref(rest.get(1)?).ok()?;
    let at = pairs.iter().position(|name| name == field)?;
    pairs.get(at + 1).cloned()
}

#[cfg(test)]
mod tests;
