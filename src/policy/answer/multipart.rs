//! Bodies of 206 answers with several parts: the text between the parts and its length, which must
//! be known before the first byte is sent. The parts themselves are slices of the stored body.

use std::ops::Range;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};

use super::{value, without_whole};

/// A 206 with several parts (RFC 9110, 15.3.7.2). Its length is known before its first byte: send
/// the [head](Self::head), then for each range its [opening](Self::opening) and its bytes, then the
/// [closing](Self::closing).
#[derive(Clone, Debug)]
pub struct Multipart {
    boundary: String,
    content_type: Option<HeaderValue>,
    ranges: Vec<Range<u64>>,
    len: u64,
}

impl Multipart {
    /// For parts of a stored answer of `len` bytes. `seed` makes the boundary; take it at random,
    /// so that no content can hold a boundary that its author foresaw.
    pub fn new(stored: &HeaderMap, ranges: &[Range<u64>], len: u64, seed: u128) -> Self {
        Self {
            boundary: format!("cistern-{seed:032x}"),
            content_type: stored.get(header::CONTENT_TYPE).cloned(),
            ranges: ranges.to_vec(),
            len,
        }
    }

    /// The head: the stored fields, with the type and length of the multipart body.
    pub fn head(&self, stored: &HeaderMap) -> HeaderMap {
        let mut fields = without_whole(stored);
        // Each part has its own.
        fields.remove(header::CONTENT_RANGE);
        let content_type = format!("multipart/byteranges; boundary={}", self.boundary);
        fields.insert(header::CONTENT_TYPE, value(&content_type));
        fields.insert(header::CONTENT_LENGTH, HeaderValue::from(self.total_len()));
        fields
    }

    /// The parts, in the order they are sent.
    pub fn ranges(&self) -> &[Range<u64>] {
        &self.ranges
    }

    /// What stands before the bytes of one part.
    pub fn opening(&self, range: &Range<u64>) -> Bytes {
        let mut text = Vec::with_capacity(128);
        text.extend_from_slice(b"\r\n--");
        text.extend_from_slice(self.boundary.as_bytes());
        if let Some(content_type) = &self.content_type {
            text.extend_from_slice(b"\r\nContent-Type: ");
            text.extend_from_slice(content_type.as_bytes());
        }
        let (first, last) = (range.start, range.end.saturating_sub(1));
        let place = format!("\r\nContent-Range: bytes {first}-{last}/{}\r\n\r\n", self.len);
        text.extend_from_slice(place.as_bytes());
        Bytes::from(text)
    }

    /// What stands after the last part.
    pub fn closing(&self) -> Bytes {
        Bytes::from(format!("\r\n--{}--\r\n", self.boundary))
    }

    /// The length of the whole body in bytes.
    pub fn total_len(&self) -> u64 {
        let parts: u64 = self
            .ranges
            .iter()
            .map(|range| self.opening(range).len() as u64 + (range.end - range.start))
            .sum();
        parts + self.closing().len() as u64
    }
}
