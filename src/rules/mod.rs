//! x
mod canonical;
pub mod code;
pub mod diagnostic;
mod document;
pub mod json;
mod nearest;
mod node;
mod parse;
mod read;
mod render;
mod values;
