//! x
mod canonical;
mod charset;
pub mod code;
mod credentials;
pub mod diagnostic;
mod document;
mod extract;
mod host;
pub mod json;
mod nearest;
mod node;
mod parse;
mod percent;
mod query;
mod read;
mod render;
mod values;
