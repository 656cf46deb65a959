//! Floor 2: the thing that is kept, and how a purge names it.

pub mod order;
