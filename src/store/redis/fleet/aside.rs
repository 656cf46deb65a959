//! Looks beside the usual one: frames too long to come along with every look, and replicas.

use tokio::time::timeout;

use super::follow::Beside;
use super::read::{Found, Looking, Wanted};
use super::reply::{Head, Stood};
use super::{Effects, Fleet};
use crate::base::ids::Number;
use crate::base::limits;
use crate::base::units::Span;
use crate::entry::Entry;
use crate::store::redis::keys::Place;
use crate::store::redis::slot::Slot;

/// Frames that stand there and did not come along.
#[derive(Debug)]
pub(super) struct Long {
    /// Their names.
    pub(super) names: Vec<Vec<u8>>,
    /// How long they are.
    pub(super) bytes: u64,
    /// Whether all members had reported when the head was asked.
    pub(super) clean: bool,
    /// What was known of servers then.
    pub(super) epoch: u64,
}

impl Fleet {
    /// Long frames, over the connection for such, in a time that their length allows. Those that do
    /// not come in it are a miss, and say nothing of the server: others it answers in time.
    pub(super) async fn find_long(
        &self,
        wanted: &Wanted<'_>,
        place: &Place<'_>,
        long: &Long,
        effects: &dyn Effects,
    ) -> Vec<Entry> {
        let budget = self.config.budget.as_millis();
        let allowed = budget.saturating_add(budget.saturating_mul(long.bytes) >> 20);
        let look = self.look_long(wanted, place, long, effects);
        let found = timeout(Span::from_millis(allowed).to_duration(), look).await;
        found.ok().flatten().unwrap_or_default()
    }

    async fn look_long(
        &self,
        wanted: &Wanted<'_>,
        place: &Place<'_>,
        long: &Long,
        effects: &dyn Effects,
    ) -> Option<Vec<Entry>> {
        let server = self.servers.master(Slot::of(long.names.first()?)).ok()?;
        let found = self.ask_frames(&server, place, &long.names, true).await.ok()?;
        let mut looking = Looking { wanted, effects, clean: long.clean, entries: Vec::new() };
        for (name, (stood, looked)) in long.names.iter().zip(found) {
            let Some(Stood::Whole(bytes)) = stood else { continue };
            let floor = self.floor_of(&looked.run, long.epoch).await;
            self.open(&mut looking, name, &bytes, looked.tombstone, floor);
        }
        Some(looking.entries)
    }

    /// A replica's frame, where no order names it. A replica may lag: what it has not lost yet the
    /// mirror refuses. Whatever is missing there is asked for at the master.
    pub(super) async fn find_on_replica(
        &self,
        wanted: &Wanted<'_>,
        place: &Place<'_>,
        effects: &dyn Effects,
    ) -> Option<Found> {
        // A young node does not know of all orders that a replica may have missed.
        let young = self.steady_ms() < limits::ORDER_MEMORY.as_millis();
        if young && self.member().reaches() != Number::default() {
            return None;
        }
        let name = self.names.frame(place, "");
        let replica = self.servers.replica(Slot::of(&name))?;
        let mut get = redis::cmd("GET");
        get.arg(&name);
        let head = self.ask_head(Beside::Nothing, self.config.budget);
        let frame = replica.call::<Option<Vec<u8>>>(&get, self.config.budget);
        let (head, frame) = tokio::join!(head, frame);
        let (Head::Known(heading), Some(bytes)) = (head.ok()?, frame.ok()?) else { return None };
        self.known_up_to(&heading, effects).await.ok()?;
        if !heading.clean {
            return None;
        }
        // What a master restored from the past has passed on to its replica counts no more here.
        let floor = self.servers_seen().greatest_floor();
        let mut looking = Looking { wanted, effects, clean: true, entries: Vec::new() };
        self.open(&mut looking, &name, &bytes.into(), Number::default(), Some(floor));
        let entries = looking.entries;
        let fresh = entries.iter().any(|entry| entry.stamp.is_fresh(effects.now()));
        fresh.then(|| {
            self.stats.replica_hits.count();
            Found { entries, ..Found::default() }
        })
    }
}
