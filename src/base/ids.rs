//! Small numbers that stand for things named in the rules, and the counter that orders purges.

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
