//! Answers before the answer (RFC 9110, 15.2).

use http::{HeaderMap, StatusCode};

/// One interim answer, 102 to 199 without 101.
#[derive(Clone, Copy, Debug)]
pub struct Interim<'a> {
    /// Its status.
    pub status: StatusCode,
    /// Its fields, which belong to it alone.
    pub fields: &'a HeaderMap,
}
