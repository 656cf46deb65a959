//! x
mod canonical;
pub mod code;
pub mod diagnostic;
pub mod json;
mod node;
mod render;
