//! A node and its fleet: polling, adopting, joining, checking in, settling, repairing.

use std::collections::BTreeSet;
use std::sync::Arc;

use cistern::base::ids::Number;
use cistern::entry::order::Order;
use cistern::store::coherence::decode_order;

use crate::data::Turn;
use crate::guards::Guard;
use crate::node::everything;
use crate::reads::Catch;
use crate::server::{HeadReply, Missed, Place};
use crate::world::{PATIENCE, World};
use crate::writes::located_keys;

/// What the node does next about its fleet.
#[derive(Clone, Debug)]
pub(crate) enum Link {
    Idle,
    /// The server is nobody's.
    Adopt,
    /// A life that never checked in loads the fences, then the log.
    Join(Place),
    JoinLog(Place),
    /// What the server lost is told again, then erased, then what must be the node's own.
    Repeat(Place),
    Erase(Place, (Number, Arc<Order>)),
    Own(Place, Vec<Arc<Order>>),
    Register(Place),
    /// Catching up with a head that was asked for at this time.
    Catch(u64, Place, Vec<u64>, Catch),
    /// An order on everything, then the turn counts as clean.
    Settle,
    Settled(Turn),
    /// This node's turn began twice: an order on everything was given, and a new turn is due.
    Leave,
    /// The server with this run gets the key orders again.
    Repair(u64),
    RepairCatch(u64, Place, Catch),
    RepairErase(u64),
    RepairNote(u64, Number),
}

impl World {
    /// The next step of the node's link.
    pub(crate) fn link_step(&mut self, n: usize) {
        let link = std::mem::replace(&mut self.nodes[n].link, Link::Idle);
        if !self.nodes[n].connected {
            return;
        }
        let next = match link {
            Link::Idle => self.poll(n),
            Link::Adopt => self.adopt(n),
            Link::Join(place) => {
                if !self.guards.has(Guard::RaiseLast) {
                    self.nodes[n].distrust();
                }
                self.load_fences(n);
                Link::JoinLog(place)
            }
            Link::JoinLog(place) => self.join(n, place),
            Link::Repeat(place) => self.repeat(n, place),
            Link::Erase(place, (number, order)) => {
                self.erase(&located_keys(&order, self.bounds.located), number);
                Link::Repeat(place)
            }
            Link::Own(place, own) => self.give_own(n, place, own),
            Link::Register(place) => self.register(n, place),
            Link::Catch(sent, place, lives, catch) => match self.catch_up(n, catch, place.last) {
                Catch::Done => self.reached(n, sent, place, lives),
                next => Link::Catch(sent, place, lives, next),
            },
            Link::Settle => self.order_everything(n),
            Link::Settled(turn) => {
                self.servers[0].settle(self.guards, turn, PATIENCE, self.now);
                Link::Idle
            }
            Link::Leave => {
                self.adopt(n);
                self.nodes[n].member.forget_turn();
                Link::Idle
            }
            Link::Repair(run) => self.repair(n, run),
            Link::RepairCatch(run, place, catch) => match self.catch_up(n, catch, place.last) {
                Catch::Done if self.nodes[n].member.has_reached(place.turn, place.last) => {
                    Link::RepairErase(run)
                }
                Catch::Done => Link::Idle,
                next => Link::RepairCatch(run, place, next),
            },
            Link::RepairErase(run) => self.repair_erase(n, run),
            Link::RepairNote(run, floor) => {
                let data = &mut self.servers[0].data;
                let floor = floor.max(data.retired);
                data.runs.insert(run, floor);
                Link::Idle
            }
        };
        self.nodes[n].link = next;
    }

    fn poll(&mut self, n: usize) -> Link {
        let (g, now) = (self.guards, self.now);
        let node = &mut self.nodes[n];
        let (life, member) = (node.life(), &node.member);
        let reply = self.servers[0].head(g, (life, member.applied()), node.turn(), Some(now));
        let (place, lives) = match reply {
            HeadReply::Unknown => return Link::Adopt,
            HeadReply::Other => {
                node.distrust();
                node.give(everything(), String::new());
                return Link::Leave;
            }
            HeadReply::Stranger(place) => (place, None),
            HeadReply::Ok(place, lives) => (place, Some(lives)),
        };
        if place.turn < member.turn_seen() && g.has(Guard::TurnBelow) && g.has(Guard::Adopt) {
            return Link::Adopt;
        }
        let is_own_turn = place.turn == member.turn() || !g.has(Guard::OwnTurn);
        if let Some(lives) = lives.filter(|_| is_own_turn) {
            node.runs.extend(&self.servers[0].data.runs);
            if !g.has(Guard::LateHead) || node.member.has_reached(place.turn, place.last) {
                return self.reached(n, now, place, lives);
            }
            return Link::Catch(now, place, lives, Catch::Log { fences: false });
        }
        let is_fresh = if g.has(Guard::Fresh) {
            member.turn() == 0
        } else {
            member.applied() == Number::default()
        };
        if is_fresh { Link::Join(place) } else { Link::Repeat(place) }
    }

    /// The log was read; if it is that of the server which was asked, the node is in contact.
    fn reached(&mut self, n: usize, sent: u64, place: Place, lives: Vec<u64>) -> Link {
        let g = self.guards;
        let node = &mut self.nodes[n];
        let reached = node.member.has_reached(place.turn, place.last);
        if reached || !g.has(Guard::Reach) || !g.has(Guard::LateHead) {
            if place.clean || !g.has(Guard::Quarantine) {
                node.renew(sent);
                node.member.only(lives);
            } else {
                node.member.meet(lives);
            }
        }
        Link::Idle
    }

    fn adopt(&mut self, n: usize) -> Link {
        self.turns += u64::from(!self.bounds.one_moment);
        let clock = if self.slow_clock { 0 } else { self.turns };
        let member = &self.nodes[n].member;
        let known: Vec<u64> = member.known().collect();
        let times = (self.now, clock);
        let seen = (member.turn_seen(), member.applied(), self.nodes[n].turn());
        self.servers[0].adopt(self.guards, seen, &known, times);
        if let Some(head) = self.servers[0].data.head.as_ref().filter(|_| !self.bounds.one_moment) {
            self.turns = self.turns.max(head.turn);
        }
        Link::Idle
    }

    /// Fences that stand beside the log.
    pub(crate) fn load_fences(&mut self, n: usize) {
        if !self.guards.has(Guard::LoadFences) {
            return;
        }
        for (text, number) in &self.servers[0].data.fences {
            let order = decode_order(text).expect("a fence that was encoded");
            self.nodes[n].member.learn_fence(&order, *number);
        }
    }

    fn join(&mut self, n: usize, place: Place) -> Link {
        let (g, now) = (self.guards, self.now);
        let records = self.servers[0].log_after(Number::default());
        let node = &mut self.nodes[n];
        let reaches = records.first().map_or(place.last, |first| first.previous);
        let last = records.last().map_or(place.last, |last| last.number);
        let known = if g.has(Guard::LoadFences) { &records[..] } else { &[] };
        node.member.join(known, reaches, last, now);
        node.confirmed.extend(records.iter().map(|record| record.id));
        if g.has(Guard::JoinRaise) && g.has(Guard::RaiseLast) {
            node.distrust();
        }
        Link::Register(place)
    }

    fn repeat(&mut self, n: usize, place: Place) -> Link {
        let (mut lost, is_whole) =
            self.nodes[n].member.lost_since(place.base, (place.turn, &place.began.to_string()));
        if !self.guards.has(Guard::Replay) {
            return Link::Register(place);
        }
        if !is_whole {
            return Link::Own(place, vec![everything()]);
        }
        let node = &mut self.nodes[n];
        if node.retold.0 != place.turn() {
            node.retold = (place.turn(), BTreeSet::new());
        }
        // One at a time, as with batches that hold no more.
        lost.retain(|heard| heard.id.life != 0 && !node.retold.1.contains(&heard.id));
        let Some(heard) = lost.first() else { return Link::Own(place, Vec::new()) };
        let one = [(heard.id, String::new(), Arc::clone(&heard.order))];
        let Some(numbers) = self.submit(n, (place.turn(), false), &one) else {
            return Link::Idle;
        };
        let [(id, _, order)] = one;
        self.nodes[n].retold.1.insert(id);
        Link::Erase(place, (numbers[0], order))
    }

    fn give_own(&mut self, n: usize, place: Place, own: Vec<Arc<Order>>) -> Link {
        for order in own {
            self.nodes[n].give(order, String::new());
        }
        if self.guards.has(Guard::OwnFirst) && !self.flush(n, place.turn(), false) {
            return Link::Idle;
        }
        Link::Register(place)
    }

    fn register(&mut self, n: usize, place: Place) -> Link {
        let (g, now) = (self.guards, self.now);
        let node = &mut self.nodes[n];
        let (life, member) = (node.life(), &mut node.member);
        let is_back = (member.turn(), member.began()) == (place.turn, &*place.began.to_string());
        let known: Vec<u64> = match g.has(Guard::Known) {
            true if is_back => vec![life],
            true => member.known().collect(),
            false => Vec::new(),
        };
        let said = (life, place.turn(), member.applied());
        let lives = self.servers[0].check_in(g, said, &known, now);
        if lives == Err(Missed::Lost) {
            return Link::Adopt;
        }
        if !std::mem::take(&mut node.deaf)
            && let Ok(lives) = lives
        {
            if g.has(Guard::Meet) {
                node.member.meet(lives);
            }
            node.member.check_in(place.turn, &place.began.to_string(), place.base);
            node.runs.extend(&self.servers[0].data.runs);
            for acked in self.acked.iter_mut().filter(|one| one.life == life && one.suspended) {
                (acked.suspended, acked.at) = (false, now);
            }
        }
        Link::Idle
    }

    fn order_everything(&mut self, n: usize) -> Link {
        let turn = self.nodes[n].turn();
        if !self.guards.has(Guard::Floor) {
            return Link::Settled(turn);
        }
        let count = self.nodes[n].give(everything(), String::new());
        self.flush(n, turn, true);
        // It must have its number, and of this turn.
        let closing = &self.nodes[n].closing;
        let given = closing.iter().any(|one| one.count == count && one.number.turn() == turn.0);
        if given { Link::Settled(turn) } else { Link::Idle }
    }

    fn repair(&mut self, n: usize, run: u64) -> Link {
        let node = &self.nodes[n];
        let said = (node.life(), node.member.applied());
        match self.servers[0].head(self.guards, said, node.turn(), None) {
            HeadReply::Ok(place, _) if place.turn == node.member.turn() => {
                if node.member.has_reached(place.turn, place.last) {
                    return Link::RepairErase(run);
                }
                Link::RepairCatch(run, place, Catch::Log { fences: false })
            }
            _ => Link::Idle,
        }
    }

    fn repair_erase(&mut self, n: usize, run: u64) -> Link {
        let (heard, reaches) = self.nodes[n].member.recent();
        if std::mem::take(&mut self.nodes[n].deaf) {
            // The server was not reached.
            let is_noted = !self.guards.has(Guard::Reached);
            return if is_noted { Link::RepairNote(run, reaches) } else { Link::Idle };
        }
        for one in heard {
            self.erase(&located_keys(&one.order, self.bounds.located), one.number);
        }
        Link::RepairNote(run, reaches)
    }
}
