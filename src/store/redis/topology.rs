//! Which server has which slots. [`View`] is what was said about it, addresses only;
//! [`Topology`] is the same with servers that can be called.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::config::Address;
use super::link::Role;
use super::server::Server;
use super::slot::{SLOTS, Slot};

/// A master with what it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shard {
    pub(super) master: Address,
    pub(super) replicas: Vec<Address>,
    /// Slots, first and last.
    pub(super) ranges: Vec<(u16, u16)>,
}

/// What was said about the servers; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct View(pub(super) Vec<Shard>);

impl View {
    /// One master with everything.
    pub(super) fn single(master: Address, replicas: Vec<Address>) -> Self {
        Self(vec![Shard { master, replicas, ranges: vec![(0, SLOTS - 1)] }])
    }

    /// The master of a slot.
    pub(super) fn master_of(&self, slot: Slot) -> Option<&Address> {
        let slot = slot.number();
        let has = |shard: &&Shard| {
            shard.ranges.iter().any(|(first, last)| (*first..=*last).contains(&slot))
        };
        self.0.iter().find(has).map(|shard| &shard.master)
    }

    /// Who is named in which role.
    fn named(&self) -> BTreeSet<(Role, &Address)> {
        let masters = self.0.iter().map(|shard| (Role::Master, &shard.master));
        let replicas = self.0.iter().flat_map(|shard| &shard.replicas);
        masters.chain(replicas.map(|replica| (Role::Replica, replica))).collect()
    }
}

/// Servers that can be called, by slot.
#[derive(Default)]
pub(super) struct Topology {
    view: Option<View>,
    servers: BTreeMap<(Role, Address), Arc<Server>>,
    groups: Vec<Group>,
    /// First and last slot, and whose; in order, none in two.
    ranges: Vec<(u16, u16, usize)>,
}

struct Group {
    master: Arc<Server>,
    replicas: Vec<Arc<Server>>,
    turn: AtomicUsize,
}

impl Topology {
    /// The topology after `view` was heard: who stays in his role stays who he is. None if nothing
    /// changes. `make` makes a server that is new.
    pub(super) fn after(
        &self,
        view: View,
        make: impl Fn(Address, Role) -> Arc<Server>,
    ) -> Option<Self> {
        if self.view.as_ref() == Some(&view) {
            return None;
        }
        let named = view.named().into_iter().map(|(role, address)| {
            let key = (role, address.clone());
            let server = self.servers.get(&key).cloned();
            (key, server.unwrap_or_else(|| make(address.clone(), role)))
        });
        let servers: BTreeMap<_, _> = named.collect();
        let find = |role, address: &Address| servers.get(&(role, address.clone())).cloned();
        let mut groups = Vec::with_capacity(view.0.len());
        let mut ranges = Vec::new();
        for shard in &view.0 {
            let Some(master) = find(Role::Master, &shard.master) else { continue };
            ranges.extend(shard.ranges.iter().map(|(first, last)| (*first, *last, groups.len())));
            let replicas = shard.replicas.iter().filter_map(|at| find(Role::Replica, at));
            groups.push(Group { master, replicas: replicas.collect(), turn: AtomicUsize::new(0) });
        }
        ranges.sort_unstable();
        Some(Self { view: Some(view), servers, groups, ranges })
    }

    /// Everyone, each role once.
    pub(super) fn servers(&self) -> impl Iterator<Item = &Arc<Server>> {
        self.servers.values()
    }

    pub(super) fn masters(&self) -> impl Iterator<Item = &Arc<Server>> {
        self.groups.iter().map(|group| &group.master)
    }

    pub(super) fn master(&self, slot: Slot) -> Option<&Arc<Server>> {
        self.group(slot).map(|group| &group.master)
    }

    /// The next replica that is up.
    pub(super) fn replica(&self, slot: Slot) -> Option<&Arc<Server>> {
        let group = self.group(slot)?;
        let turn = group.turn.fetch_add(1, Ordering::Relaxed);
        let start = turn.checked_rem(group.replicas.len())?;
        let in_turn = group.replicas.iter().skip(start).chain(&group.replicas);
        in_turn.into_iter().find(|replica| replica.is_up())
    }

    fn group(&self, slot: Slot) -> Option<&Group> {
        let slot = slot.number();
        let behind = self.ranges.partition_point(|(first, ..)| *first <= slot);
        let (_, last, group) = self.ranges.get(behind.checked_sub(1)?)?;
        if slot <= *last { self.groups.get(*group) } else { None }
    }
}
