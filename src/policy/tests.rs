//! Whole stories over the functions of this floor, in the order a proxy calls them.

mod model;
#[cfg(any())]
mod suite;
