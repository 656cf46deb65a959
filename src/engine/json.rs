//! Bodies read as JSON for the rules: the content coding is taken off first, within a limit, so
//! that a small body cannot become a large one.

use std::io::Read;

use http::{HeaderMap, header};

use crate::base::fields;
use crate::rules::Json;

/// Reads a body as JSON. `None` when it is none, too long, nested too deep, has a member twice, or
/// carries a coding that is not known.
pub(super) fn read(head: &HeaderMap, body: &[u8], limit: u64) -> Option<Json> {
    let plain = decoded(head, body, limit)?;
    Json::read(&plain).ok()
}

/// The body without its content codings, if it stays within `limit` bytes.
pub(super) fn decoded<'a>(
    head: &HeaderMap,
    body: &'a [u8],
    limit: u64,
) -> Option<std::borrow::Cow<'a, [u8]>> {
    let mut plain = std::borrow::Cow::Borrowed(body);
    let codings: Vec<&[u8]> = fields::members(head, &header::CONTENT_ENCODING).collect();
    for coding in codings.iter().rev() {
        let coding = coding.to_ascii_lowercase();
        let bytes = match coding.as_slice() {
            b"identity" => continue,
            b"gzip" | b"x-gzip" => bounded(flate2::read::MultiGzDecoder::new(&*plain), limit)?,
            b"deflate" => bounded(flate2::read::ZlibDecoder::new(&*plain), limit)
                .or_else(|| bounded(flate2::read::DeflateDecoder::new(&*plain), limit))?,
            b"br" => bounded(brotli::Decompressor::new(&*plain, 4_096), limit)?,
            b"zstd" => bounded(zstd::stream::read::Decoder::new(&*plain).ok()?, limit)?,
            _ => return None,
        };
        plain = bytes.into();
    }
    (plain.len() as u64 <= limit).then_some(plain)
}

fn bounded(coded: impl Read, limit: u64) -> Option<Vec<u8>> {
    let mut plain = Vec::new();
    coded.take(limit + 1).read_to_end(&mut plain).ok()?;
    (plain.len() as u64 <= limit).then_some(plain)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use http::HeaderValue;

    use super::*;

    fn coded(coding: &'static str, body: &[u8], limit: u64) -> Option<Vec<u8>> {
        let mut head = HeaderMap::new();
        head.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
        decoded(&head, body, limit).map(std::borrow::Cow::into_owned)
    }

    fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        out.write_all(plain).unwrap();
        out.finish().unwrap()
    }

    #[test]
    fn codings_are_taken_off_in_reverse() {
        let plain = br#"{"id":7}"#;
        let zlib = {
            let mut out = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
            out.write_all(plain).unwrap();
            out.finish().unwrap()
        };
        assert_eq!(coded("gzip", &gzip(plain), 100).unwrap(), plain);
        assert_eq!(coded("deflate", &zlib, 100).unwrap(), plain);
        assert_eq!(coded("deflate, gzip", &gzip(&zlib), 100).unwrap(), plain);
        assert_eq!(coded("zstd", &zstd::encode_all(&plain[..], 1).unwrap(), 100).unwrap(), plain);
        assert_eq!(coded("identity", plain, 100).unwrap(), plain);
    }

    #[test]
    fn a_bomb_and_an_unknown_coding_have_no_parts() {
        assert!(coded("gzip", &gzip(&vec![b' '; 1 << 20]), 1_000).is_none());
        assert!(coded("rot13", b"{}", 100).is_none());
        assert!(coded("gzip", b"not gzip", 100).is_none());
    }
}
