//! What a member remembers of orders, for servers that may have lost them.

use super::{Heard, Member};
use crate::base::ids::Number;

impl Member {
    /// Orders that a server lost which knows nothing after `base`: its own first, since nobody else
    /// may know of them, and those of each life in the sequence in which it gave them, because a
    /// server knows repeats by the greatest count. Whether the memory reaches back so far comes
    /// with them: if not, everything must count as purged.
    ///
    /// `turn`: the one that is told, and when it began. What it gave numbers to it knows; but while
    /// this node has not checked in, a number of that turn may be of another one that was named the
    /// same.
    pub fn lost_since(&self, base: Number, turn: (u64, &str)) -> (Vec<Heard>, bool) {
        let is_own = (self.turn, self.began()) == turn;
        let lost = |heard: &&Heard| {
            let is_known = is_own && heard.number.turn() >= turn.0;
            heard.number > base && !is_known && !heard.order.is_empty()
        };
        let mut lost: Vec<Heard> = self.heard.iter().filter(lost).cloned().collect();
        // One that was told again before has several numbers.
        lost.sort_by_key(|heard| (heard.id.life != self.life, heard.id, heard.number));
        lost.dedup_by(|one, other| one.id == other.id && one.order == other.order);
        (lost, self.reaches <= base)
    }

    /// All remembered orders, for a server that may have lost what they did to its keys; and the
    /// number after which none is missing. What was fetched up to there and stands on that server
    /// is not to be used: whether an order names it, nobody may know.
    pub fn recent(&self) -> (Vec<Heard>, Number) {
        (self.heard.iter().cloned().collect(), self.reaches)
    }

    /// The number after which it remembers every order.
    pub const fn reaches(&self) -> Number {
        self.reaches
    }
}
