//! One table for each matter that decides.

mod decisions;
mod fields;
mod rules;
mod strictness;
