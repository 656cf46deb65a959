//! Sentinels: whether they can be reached, agree on a master, and could make another one.

use std::collections::HashMap;

use super::visit::Visit;
use super::{Finding, Report, problem, state, warning, well};
use crate::store::redis::config::Address;
use crate::store::redis::fault::TierFault;
use crate::store::redis::link::Role;
use crate::store::redis::sentinel::checked;
use crate::store::redis::topology::View;
use crate::store::redis::way::Way;

/// With fewer none may be lost.
const SENTINELS_LEAST: u64 = 3;

/// What one of them says.
struct Said {
    master: Option<Address>,
    replicas: Vec<Address>,
}

/// Who the servers are, by the word of most of those that answer.
pub(super) async fn ask(
    way: &Way,
    sentinels: &[Address],
    service: &str,
    report: &mut Report,
) -> Option<View> {
    let mut said = Vec::new();
    for address in sentinels {
        let place = address.to_string();
        match ask_one(way, address, service).await {
            Ok((words, findings)) => {
                report.is_reached = true;
                report.add(&place, findings);
                said.push(words);
            }
            Err(fault) => {
                let found = state::unreached(Role::Replica, &fault, way.timeout);
                report.add(&place, [Finding { what: "sentinel", ..found }]);
            }
        }
    }
    let masters: Vec<&Address> = said.iter().filter_map(|one| one.master.as_ref()).collect();
    let count = |master: &Address| masters.iter().filter(|one| **one == master).count();
    let master = masters.iter().copied().max_by_key(|master| count(master)).cloned();
    report.add("servers", [agreed(&masters, master.as_ref(), service)]);
    let master = master?;
    let mut replicas: Vec<Address> =
        said.into_iter().flat_map(|one| one.replicas).filter(|one| *one != master).collect();
    replicas.sort();
    replicas.dedup();
    Some(View::single(master, replicas))
}

fn agreed(masters: &[&Address], most: Option<&Address>, service: &str) -> Finding {
    let Some(most) = most else {
        let remedy = "see that the sentinels run and know this name: SENTINEL MASTERS";
        return problem("master", format!("no sentinel names a master of {service}"), remedy);
    };
    let others: Vec<String> =
        masters.iter().filter(|one| **one != most).map(ToString::to_string).collect();
    if others.is_empty() {
        return well("master", format!("{most}, by the word of {} sentinels", masters.len()));
    }
    let found = format!("most say {most}, others {}", others.join(", "));
    let remedy = "a failover may be under way: look again in a moment; if it stays, the sentinels \
                  are cut off from each other";
    problem("master", found, remedy)
}

async fn ask_one(
    way: &Way,
    address: &Address,
    service: &str,
) -> Result<(Said, Vec<Finding>), TierFault> {
    let visit = Visit::open(way, address).await?;
    let named: Option<(String, u16)> =
        visit.ask(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", service]).await?;
    let Some((host, port)) = named else {
        let remedy = "write the name that sentinels know it by: SENTINEL MASTERS lists them";
        let unknown = problem("sentinel", format!("it knows no master {service}"), remedy);
        return Ok((Said { master: None, replicas: Vec::new() }, vec![unknown]));
    };
    let master = checked(host, port)?;
    let quorum = visit.ask::<String>(&["SENTINEL", "CKQUORUM", service]).await;
    let about: Result<HashMap<String, String>, _> =
        visit.ask(&["SENTINEL", "MASTER", service]).await;
    let followers: Vec<HashMap<String, String>> =
        visit.ask(&["SENTINEL", "REPLICAS", service]).await.unwrap_or_default();
    let replicas = followers
        .iter()
        .filter_map(|one| checked(one.get("ip")?.clone(), one.get("port")?.parse().ok()?).ok());
    let said = Said { master: Some(master), replicas: replicas.collect() };
    Ok((said, vec![votes(quorum), company(&about.unwrap_or_default())]))
}

/// Whether enough of them could agree on another master.
fn votes(quorum: Result<String, TierFault>) -> Finding {
    match quorum {
        Ok(said) => well("quorum", said),
        Err(fault) if fault.code() == Some("NOQUORUM") => {
            let remedy = "bring sentinels back: until then no other master is made";
            problem("quorum", fault.to_string(), remedy)
        }
        Err(fault) => {
            let remedy = "allow SENTINEL CKQUORUM to this user";
            warning("quorum", format!("it could not be read: {fault}"), remedy)
        }
    }
}

fn company(about: &HashMap<String, String>) -> Finding {
    let others = about.get("num-other-sentinels").and_then(|count| count.parse::<u64>().ok());
    let Some(others) = others else {
        let remedy = "allow SENTINEL MASTER to this user";
        return warning("sentinels", "it does not tell how many there are", remedy);
    };
    let all = others.saturating_add(1);
    let found = format!("it knows {all}, itself included");
    if all < SENTINELS_LEAST {
        let remedy = "run three or more, on machines that do not fail together";
        return warning("sentinels", found, remedy);
    }
    well("sentinels", found)
}
