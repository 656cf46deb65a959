//! How the shared level has to do with a read: whether it is used, and if not why; how its entry
//! would be kept there, and where. Nobody is asked for that.

use super::told::Level;
use crate::engine::Engine;
use crate::engine::admit::{Plan, Withheld};
use crate::store::redis::fleet::Fleet;

/// What is known without asking. With `servers` it tells also who would be asked, as this node sees
/// it now.
pub(super) fn level(engine: &Engine, plan: &Plan, servers: bool) -> Level {
    let keeping = &plan.keeping;
    let used = engine.shares(plan).filter(|fleet| !keeping.encrypt || fleet.can_seal());
    let Some(fleet) = used else {
        return Level { because: Some(why_not(engine, plan).to_owned()), ..Level::default() };
    };
    let (name, slot) = fleet.place_of(&plan.key, plan.shard.as_deref());
    let compressed =
        keeping.compress.map(|(level, min)| format!("zstd {level} from {min} bytes on"));
    Level {
        used: true,
        because: None,
        sealed: keeping.encrypt,
        compressed,
        replica: keeping.replica && fleet.config().replicas,
        shard: plan.shard.clone(),
        server: servers.then(|| server(fleet, &name)),
        name: Some(name),
        slot: Some(slot.number()),
    }
}

fn why_not(engine: &Engine, plan: &Plan) -> &'static str {
    if engine.fleet.is_none() {
        "no shared level is set (l2.url, REDIS_URL)"
    } else if !plan.keeping.l2 {
        "the rule says l2 = false"
    } else if plan.withheld == Some(Withheld::Digest) {
        "its key or a tag holds a digest of credentials, which other nodes can make only with the \
         same key ring (CISTERN_KEY, l2.keys_file)"
    } else if plan.withheld == Some(Withheld::Parameter) {
        "its URL has a parameter that usually holds a secret, and the key does not name it"
    } else {
        "the rule says encrypt = true, and there is no key ring (CISTERN_KEY, l2.keys_file)"
    }
}

fn server(fleet: &Fleet, name: &str) -> String {
    match fleet.servers().master(crate::store::redis::Slot::of(name.as_bytes())) {
        Ok(server) if server.is_up() => format!("{} is asked", server.address()),
        Ok(server) => format!("{} is away, and is not asked", server.address()),
        Err(fault) => fault.to_string(),
    }
}
