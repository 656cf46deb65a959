//! Small numbers that stand for things named in the rules, and the counter that orders purges.

use std::fmt;
use std::str::FromStr;

/// A route's place in the rules file, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouteId(pub u16);

/// A type's place in the rulebook; 0 is the nameless type of everything that names none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KindId(pub u16);

/// The process-wide counter that every invalidation order raises. A fetch remembers the tick it was
/// born under; whoever was born before an order may not undo it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tick(pub u64);

/// The place of an order among all orders of a fleet, given by Redis: its turn in the upper half, a
/// count in the lower one. A server that was replaced begins a new turn, so no number comes twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Number(pub u64);

impl Number {
    /// From turn and count.
    pub const fn new(turn: u32, count: u32) -> Self {
        Self((turn as u64) << 32 | count as u64)
    }

    /// The turn.
    pub const fn turn(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// The count within the turn.
    pub const fn count(self) -> u32 {
        self.0 as u32
    }
}

/// `turn-count`, as ids of the log are written.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.turn(), self.count())
    }
}

impl FromStr for Number {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (turn, count) = text.split_once('-').ok_or(())?;
        Ok(Self::new(turn.parse().map_err(|_| ())?, count.parse().map_err(|_| ())?))
    }
}
