//! Floor 1: HTTP caching as pure functions of what is stored, what is asked, and the time.

pub mod law;
