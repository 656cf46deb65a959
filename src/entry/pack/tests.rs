//! Bodies packed and read back, and what is refused.

use super::*;
use crate::entry::body::SEGMENT_BYTES;

fn json(len: usize) -> Vec<u8> {
    let items = (0..).flat_map(|i| format!("{{\"id\":{},\"name\":\"item\"}},", i * 7).into_bytes());
    items.take(len).collect()
}

/// Bytes that nothing makes shorter.
fn noise(len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new().update(b"noise").finalize_xof().fill(&mut bytes);
    bytes
}

fn body(bytes: Vec<u8>) -> Body {
    Body::from_chunks(vec![bytes.into()])
}

fn pack(bytes: Vec<u8>) -> Option<Vec<u8>> {
    Packing::default().pack(&body(bytes))
}

#[test]
fn bodies_come_back_in_full_segments() {
    assert_eq!(BLOCK_BYTES, SEGMENT_BYTES, "what is read back must be what a body has");
    for len in [1_024, BLOCK_BYTES, BLOCK_BYTES + 1, 5 * BLOCK_BYTES, 5 * BLOCK_BYTES + 77] {
        let packed = pack(json(len)).unwrap();
        assert!(packed.len() * 2 < len, "{len}");
        let back = Body::from_segments(unpack(&packed, len as u64).unwrap());
        assert_eq!(back.to_bytes(), json(len));
        let lengths = |body: &Body| body.segments().iter().map(Bytes::len).collect::<Vec<_>>();
        assert_eq!(lengths(&back), lengths(&body(json(len))));
    }
}

#[test]
fn odd_segments_are_packed_in_even_blocks() {
    let whole = json(2 * BLOCK_BYTES + 9);
    let odd = Body::from_segments(vec![
        Bytes::copy_from_slice(&whole[..7]),
        Bytes::copy_from_slice(&whole[7..]),
    ]);
    let packed = Packing::default().pack(&odd).unwrap();
    let back = unpack(&packed, odd.len()).unwrap();
    assert_eq!(Body::from_segments(back).to_bytes(), whole);
}

#[test]
fn a_packed_body_is_a_content_coding() {
    let whole = json(3 * BLOCK_BYTES);
    assert_eq!(zstd::decode_all(&pack(whole.clone()).unwrap()[..]).unwrap(), whole);
}

#[test]
fn what_is_short_or_saves_little_stays() {
    assert_eq!(pack(json(1_023)), None);
    assert_eq!(Packing { min: 0, ..Packing::default() }.pack(&Body::empty()), None);
    assert!(Packing { level: 1, min: 100 }.pack(&body(json(100))).is_some());
    assert_eq!(pack(noise(100_000)), None);
    assert_eq!(pack([noise(BLOCK_BYTES), json(BLOCK_BYTES)].concat()), None, "the first decides");
    let nearly = |zeros: usize| pack([noise(10_000 - zeros), vec![0; zeros]].concat());
    assert!(nearly(950).is_none() && nearly(1_100).is_some());
}

#[test]
fn no_other_length_and_no_other_bytes() {
    let len = BLOCK_BYTES as u64 + 500;
    let packed = pack(json(len as usize)).unwrap();
    for other in [0, 1, len - 1, len + 1, BLOCK_BYTES as u64, u64::MAX] {
        assert!(unpack(&packed, other).is_none(), "{other}");
    }
    for end in 0..packed.len() {
        assert!(unpack(&packed[..end], len).is_none(), "{end}");
    }
    assert!(unpack(&[&packed[..], b"\0"].concat(), len).is_none());
    assert!(unpack(&[&packed[..], &packed].concat(), len).is_none());
    assert!(unpack(&noise(1_000), len).is_none());
    assert!(unpack(b"", 0).unwrap().is_empty());
}

#[test]
fn blocks_that_are_not_full_are_refused() {
    let one = |len: usize| zstd::bulk::compress(&json(len), 1).unwrap();
    assert!(unpack(&[one(10), one(10)].concat(), 20).is_none());
    assert!(unpack(&one(BLOCK_BYTES + 1), BLOCK_BYTES as u64 + 1).is_none());
    // A frame that tells no length, and one that zstd skips.
    let untold = zstd::stream::encode_all(&json(50)[..], 1).unwrap();
    assert!(unpack(&untold, 50).is_none());
    let skipped = [&[0x50, 0x2a, 0x4d, 0x18, 1, 0, 0, 0, 9][..], &one(50)].concat();
    assert!(unpack(&skipped, 50).is_none());
}

#[test]
fn a_bomb_ends_at_the_told_length() {
    let bomb = zstd::bulk::compress(&vec![0; 64 * 1_024 * 1_024], 1).unwrap();
    assert!(bomb.len() < 10_000);
    for told in [1_024, BLOCK_BYTES as u64, 64 * 1_024 * 1_024] {
        assert!(unpack(&bomb, told).is_none());
    }
    let info = allocation_counter::measure(|| assert!(unpack(&bomb, 1_024).is_none()));
    assert!(info.bytes_max < 1_024 * 1_024, "{}", info.bytes_max);
}
