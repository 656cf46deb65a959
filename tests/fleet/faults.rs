//! What befalls nodes and servers.

use crate::data::Data;
use crate::node::Node;
use crate::world::{Acked, Level, World, is_of};

impl World {
    /// A node dies with all that only it knew.
    pub(crate) fn crash(&mut self, n: usize) {
        let open = &self.servers[0].data.open;
        let node = &mut self.nodes[n];
        let life = node.life();
        let alone =
            |acked: &Acked| acked.life == life && (acked.level == Level::Local || acked.suspended);
        self.lost |= self.acked.iter().any(alone)
            || node.member.waiting_len() > 0
            || !node.held_back.is_empty()
            || !node.owed.is_empty()
            || node
                .writes
                .iter()
                .any(|write| write.intent.as_ref().is_none_or(|id| !open.contains_key(id)));
        node.up = false;
        node.flights.clear();
        node.writes.clear();
        node.closing.clear();
        node.inbox.clear();
    }

    /// A new life begins in its place.
    pub(crate) fn boot(&mut self, n: usize) {
        self.lives += 1;
        self.nodes[n] = Node::new(self.lives, self.acked.len());
    }

    /// A node leaves in good order, and another life takes its place.
    pub(crate) fn leave(&mut self, n: usize) {
        let life = self.nodes[n].life();
        self.servers[0].leave(self.guards, life);
        self.crash(n);
    }

    /// These servers fall back to what their replicas have, or to nothing.
    pub(crate) fn fail(&mut self, which: &str) {
        let count = self.servers.len();
        let is_hit = |at: usize| match which {
            "first" | "empty first" | "slow first" => at == 0,
            "last" => at + 1 == count,
            _ => true,
        };
        let before = self.servers[0].data.clone();
        for at in (0..count).filter(|at| is_hit(*at)) {
            self.runs += 1;
            self.servers[at].run = self.runs;
            let data = self.replicas.as_ref().and_then(|all| all.get(at).cloned());
            let is_empty = which.starts_with("empty") || which.starts_with("slow");
            self.servers[at].data =
                if is_empty { Data::default() } else { data.unwrap_or_default() };
        }
        self.slow_clock |= which == "slow first";
        if is_hit(0) {
            self.suspend(&before);
        }
    }

    /// Who joined in the time that the server lost, and is not known to everybody, is missed by
    /// nobody until it is back: the one row of the guarantee without an answer.
    fn suspend(&mut self, before: &Data) {
        let members = &self.servers[0].data.members;
        let knows = |node: &Node, life: u64| node.member.known().any(|known| known == life);
        for acked in &mut self.acked {
            let life = acked.life;
            let mut others = self.nodes.iter().filter(|node| node.up && node.member.turn() > 0);
            let unknown = others.any(|node| node.life() != life && !knows(node, life));
            if !members.contains_key(&life) && unknown {
                let alive = self.nodes.iter().any(|node| node.up && node.life() == life);
                acked.suspended = true;
                self.lost |= !alive;
            }
        }
        let now = &self.servers[0].data;
        // Intents of the dead that the server forgot, and it does not know that they are missing.
        for id in before.open.keys().filter(|id| !now.open.contains_key(*id)) {
            let alive = self.nodes.iter().any(|node| node.up && is_of(id, node.life()));
            let is_missed = now.members.keys().any(|life| is_of(id, *life));
            self.lost |= !alive && !is_missed;
        }
    }

    /// The server of the order of things lets go of one name.
    pub(crate) fn evict(&mut self, what: &str) {
        let before = self.servers[0].data.clone();
        let alive = |id: &String| self.nodes.iter().any(|node| node.up && is_of(id, node.life()));
        // What a dead node was about to order stood there alone.
        self.lost |= what == "open" && !before.open.keys().all(alive);
        self.servers[0].data.let_go(what);
        self.suspend(&before);
    }
}
