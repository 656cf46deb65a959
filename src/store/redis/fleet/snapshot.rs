//! What this node knows of the shared level at one moment, as plain values for operators: how
//! things stand, and where a key would be.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::Fleet;
use crate::entry::Key;
use crate::store::redis::fault::FAULT_WORDS;
use crate::store::redis::keys::Place;
use crate::store::redis::server::Server;
use crate::store::redis::slot::Slot;

/// The shared level as this node sees it. Counts begin with the process.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct Snapshot {
    /// The servers that are used.
    pub servers: Vec<ServerSeen>,
    /// Members of the fleet that are known, this node included.
    pub members: usize,
    /// The turn that this node has checked in to; 0 before the first.
    pub turn: u64,
    /// The last order that it has applied, as `turn-count`.
    pub applied: String,
    /// Whether it knows what its fleet knows, up to `lag_max`.
    pub trusted: bool,
    /// Own orders that wait for a number.
    pub waiting: usize,
    /// Values that no frame can be, by what was wrong with them.
    pub bad_frames: BTreeMap<&'static str, u64>,
    /// All other counts, by name.
    #[serde(flatten)]
    pub counts: BTreeMap<&'static str, u64>,
}

/// One server.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct ServerSeen {
    /// Where it is.
    pub address: String,
    /// `master` or `replica`.
    pub role: &'static str,
    /// Its breaker: `closed` (it is asked), `open`, or `half-open`.
    pub state: &'static str,
    /// Connections that work.
    pub connections: usize,
    /// Calls that wait for an answer now.
    pub under_way: usize,
    /// Calls that were answered.
    pub answered: u64,
    /// Calls that were not, by what came instead.
    pub faults: BTreeMap<&'static str, u64>,
    /// The last fault of the server, or of reaching it.
    pub last_fault: Option<String>,
}

impl ServerSeen {
    fn of(server: &Server) -> Self {
        let state = server.state();
        Self {
            address: server.address().to_string(),
            role: state.role.as_str(),
            state: state.phase.as_str(),
            connections: state.connections,
            under_way: state.under_way,
            answered: state.answered,
            faults: FAULT_WORDS.into_iter().zip(state.faults).collect(),
            last_fault: state.last_fault,
        }
    }
}

impl Fleet {
    /// Whether frames can be sealed, and sealed ones read.
    pub const fn can_seal(&self) -> bool {
        self.ring.is_some()
    }

    /// The name in Redis under which a key's frame stands, and the slot of that name. A variant's
    /// has more behind it.
    pub fn place_of(&self, key: &Key, shard: Option<&str>) -> (String, Slot) {
        let name = self.names.frame(&Place::of(key, shard), "");
        let slot = Slot::of(&name);
        (String::from_utf8_lossy(&name).into_owned(), slot)
    }

    /// How things stand now.
    pub fn snapshot(&self) -> Snapshot {
        let (turn, applied, members, waiting) = {
            let member = self.member();
            let members = member.known().count();
            (member.turn(), member.applied().to_string(), members, member.waiting_len())
        };
        Snapshot {
            servers: self.servers.all().iter().map(|server| ServerSeen::of(server)).collect(),
            members,
            turn,
            applied,
            trusted: self.trust.is_current(self.steady_ms()),
            waiting,
            bad_frames: self.stats.bad_frames(),
            counts: self.stats.counts(),
        }
    }
}
