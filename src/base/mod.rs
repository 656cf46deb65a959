//! Floor 0: the words everybody uses. It knows std, `http`, `bytes` and tokio's clock and tasks,
//! and nothing of caching: no module here may import from another floor.

pub mod budget;
pub mod clock;
pub mod fault;
pub mod fields;
pub mod forwarded;
pub mod ids;
pub mod limits;
pub mod names;
pub mod outcome;
pub mod plain;
pub mod reason;
pub mod tasks;
pub mod units;
