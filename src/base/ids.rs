//! Small numbers that stand for things named in the rules, and the counter that orders purges.

use std::fmt;
use std::str::FromStr;

/// A route's place in the rules file, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouteId(pub u16);

/// A type's place in the rulebook; 0 is the nameless type of everything that names none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KindId(pub u16);

/// An origin's place in the rulebook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OriginId(pub u16);

/// The process-wide counter that every invalidation order raises. A fetch remembers the tick it was
/// born under; whoever was born before an order may not undo it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tick(pub u64);

/// What a soft order is called, for who takes it back: drawn at random, so that no two nodes give
/// the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SoftId(pub u64);

/// Sixteen hexadecimal digits.
impl fmt::Display for SoftId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for SoftId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let is_one = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_one.then(|| u64::from_str_radix(text, 16).ok()).flatten().map(Self).ok_or(())
    }
}

/// The place of an order among all orders of a fleet, given by Redis: its turn, and a count in it.
/// A server that was replaced begins a new turn. A turn is named by the millisecond in which it
/// began, counted from the beginning of 2025: even a server that has forgotten everything gives no
/// number twice. 41 bits of turn reach to 2094, 23 bits of count to eight million orders; then a
/// new turn begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Number(pub u64);

impl Number {
    const COUNT_BITS: u32 = 23;
    const COUNT_MAX: u32 = (1 << Self::COUNT_BITS) - 1;
    const TURN_MAX: u64 = (1 << (u64::BITS - Self::COUNT_BITS)) - 1;

    /// From turn and count; what does not fit is as great as can be.
    pub const fn new(turn: u64, count: u32) -> Self {
        let turn = if turn > Self::TURN_MAX { Self::TURN_MAX } else { turn };
        let count = if count > Self::COUNT_MAX { Self::COUNT_MAX } else { count };
        Self(turn << Self::COUNT_BITS | count as u64)
    }

    /// The turn.
    pub const fn turn(self) -> u64 {
        self.0 >> Self::COUNT_BITS
    }

    /// The count within the turn.
    pub const fn count(self) -> u32 {
        (self.0 & Self::COUNT_MAX as u64) as u32
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
        let (turn, count) = (turn.parse().map_err(|_| ())?, count.parse().map_err(|_| ())?);
        let fits = turn <= Self::TURN_MAX && count <= Self::COUNT_MAX;
        fits.then(|| Self::new(turn, count)).ok_or(())
    }
}
