//! What the fleet does to the process that it belongs to, and what it has to tell.

use crate::base::clock::Timestamp;
use crate::entry::order::{Order, Selector};
use crate::store::gone::Gone;
use crate::store::redis::watch::Told;

/// What the fleet's news do to this process.
pub trait Effects: Send + Sync {
    /// An order that another node or program gave: fences rise, and what it names goes, of which
    /// this tells.
    fn carry_out(&self, order: &Order, by: &'static str) -> Gone;
    /// The same for an order of which this part is fetched anew, as far as it stood here.
    fn carry_out_anew(&self, order: &Order, _anew: &[Selector], by: &'static str) {
        self.carry_out(order, by);
    }
    /// What an order would take here.
    fn count(&self, order: &Order) -> Gone;
    /// The order with what follows from it by this node's rules.
    fn with_followers(&self, order: Order) -> Order;
    /// Orders may have been missed: what is being fetched may not be stored, and what stands is
    /// asked for again before its next use.
    fn distrust(&self);
    /// Redis let go of an identity, by expiry or eviction.
    fn let_go(&self, identity: &str);
    /// Something worth a line.
    fn tell(&self, news: &News);
    /// The node's wall clock.
    fn now(&self) -> Timestamp;
}

/// Something that happened to the shared level.
#[derive(Clone, Debug)]
pub enum News {
    /// Of the servers themselves.
    Servers(Told),
    /// This node follows the log, and uses the level.
    Joined {
        /// The turn it has checked in to.
        turn: u64,
        /// Own orders and those of others that it has repeated to the server.
        repeated: usize,
    },
    /// A server that the fleet did not know has become its own.
    Adopted {
        /// The turn that begins.
        turn: u64,
    },
    /// Orders may have been missed.
    Gap {
        /// How it showed.
        why: &'static str,
    },
    /// Nothing was heard for longer than `lag_max`: L1 asks the origin before it answers, until the
    /// node is in contact again.
    Untrusted,
    /// Everything in the shared level counts as purged.
    Floor {
        /// Why nothing less would do.
        why: &'static str,
    },
    /// Own orders that had to wait have their numbers.
    Replayed {
        /// How many.
        orders: u64,
    },
    /// Orders cannot be numbered for now.
    Waiting {
        /// What stands in the way.
        why: String,
    },
    /// A value that no frame can be; it was deleted.
    BadFrame {
        /// What is wrong with it.
        why: &'static str,
        /// The key that it stood under.
        key: String,
    },
    /// A message of another program that could not be followed.
    BadEvent {
        /// What is wrong with it.
        why: String,
    },
    /// A call was refused by the server's own limits.
    Refused {
        /// The server's word.
        why: String,
    },
    /// Frames that orders had named were taken out of Redis.
    Swept {
        /// Frames looked at.
        seen: u64,
        /// Frames taken out.
        gone: u64,
        /// Milliseconds it took.
        ms: u64,
    },
    /// The journal cannot be used.
    Journal {
        /// Why.
        why: String,
    },
}
