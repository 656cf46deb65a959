//! What a node knows of the orders of its fleet: pure state, without sockets and clocks. A node
//! gives orders and hears those of others, in the one sequence that Redis numbers them in; from
//! what it has heard it judges whether a frame of the shared level is from before an order that
//! names it. The shell in `store::redis` moves the messages.
//!
//! Two comparisons carry everything: an entry of L1 must be born after the last order on it
//! (`store::fence`, ticks), and a frame must have been fetched under a number that no order on it
//! exceeds ([`Mirror`], numbers). Nothing depends on deletes having arrived.
//!
//! What must never happen: that a record is applied out of its sequence without the node knowing
//! of the gap, or that an own order leaves the waiting list before the mirror has it.

mod member;
mod mirror;
mod obligations;
mod reclaim;
mod record;
mod softs;
mod trust;

pub use member::{Gap, Heard, Member, Verdict, Waiting};
pub use mirror::Mirror;
pub use obligations::{Due, Obligations};
pub use reclaim::{Reclaim, Reclaimed, Reclaims};
pub use record::{OrderId, Record, decode_order, encode_order, fence_texts};
pub use softs::{Active, Place, Softs, alone};
pub use trust::Trust;
