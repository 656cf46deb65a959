//! What was changed, cut, forged, swapped, or is something else.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// The same frame with other bytes somewhere.
fn changed(frame: &Bytes, at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut frame = frame.to_vec();
    frame[at..at + bytes.len()].copy_from_slice(bytes);
    frame
}

/// A change by someone who can write checksums.
fn forged(mut frame: Vec<u8>) -> Bytes {
    header::sign(&mut frame, &key());
    frame.into()
}

fn error(frame: impl Into<Bytes>) -> FrameError {
    open(&frame.into()).map(|_| ()).unwrap_err()
}

#[test]
fn every_flip_is_noticed() {
    let ring = ring(RING);
    for frame in [plain(&full("some text")), sealed(&full(&json_of(40)), &ring)] {
        assert!(open_with(&frame, Some(&ring)).is_ok());
        for at in 0..frame.len() {
            for bit in 0..8 {
                let flipped = Bytes::from(changed(&frame, at, &[frame[at] ^ 1 << bit]));
                assert!(open_with(&flipped, Some(&ring)).is_err(), "bit {bit} of byte {at}");
                // Unchecked by design; it must only come to an end.
                let _ = outline(&flipped);
            }
        }
    }
}

#[test]
fn every_cut_is_noticed() {
    let frame = plain(&full("some text"));
    for end in 0..frame.len() {
        assert_eq!(error(frame.slice(..end)), FrameError::Truncated, "{end}");
        let _ = outline(&frame[..end]);
    }
    assert_eq!(error([&frame[..], b"\0"].concat()), FrameError::Corrupt("length"));
    assert_eq!(error([&frame[..], &frame].concat()), FrameError::Corrupt("length"));
}

#[test]
fn what_is_no_frame_is_named() {
    let frame = plain(&full(""));
    assert_eq!(error(&b"{\"id\":1}"[..]), FrameError::Foreign);
    assert_eq!(error(&b"\xc1cs"[..]), FrameError::Truncated);
    assert_eq!(error(&b"\xc1ct"[..]), FrameError::Foreign);
    assert_eq!(error(changed(&frame, 4, &[0])), FrameError::Foreign);
    assert_eq!(error(changed(&frame, 4, &[2])), FrameError::Newer(2));
    assert_eq!(outline(b"\xc1csf\x07"), Err(FrameError::Newer(7)));
}

#[test]
fn forged_headers_are_refused() {
    let frame = plain(&full("some text"));
    let forge = |at: usize, bytes: &[u8]| error(forged(changed(&frame, at, bytes)));
    assert_eq!(forge(5, &[16]), FrameError::Corrupt("flag"));
    assert_eq!(forge(5, &[0b1110]), FrameError::Corrupt("flag"), "sealed without a key");
    assert_eq!(forge(6, &[1]), FrameError::Corrupt("flag"), "a key without a seal");
    assert_eq!(forge(7, &[67]), FrameError::Corrupt("count of tags"));
    assert_eq!(forge(7, &[3]), FrameError::Corrupt("label"));
    assert_eq!(forge(7, &[1]), FrameError::Corrupt("label"));
    for at in [24, 28, 32] {
        assert_eq!(forge(at, &[0xff; 4]), FrameError::TooLong, "{at}");
    }
    assert_eq!(forge(36, &[0xff; 4]), FrameError::Corrupt("length"));
    assert_eq!(forge(28, &[0; 4]), FrameError::Corrupt("length"));
    assert_eq!(forge(5, &[0b1101]), FrameError::Corrupt("length"), "packed, and no shorter");
}

#[test]
fn forged_details_are_refused() {
    let frame = plain(&full("some text"));
    let begin = outline_bytes(&frame).unwrap();
    let forge = |at: usize, bytes: &[u8]| error(forged(changed(&frame, begin + at, bytes)));
    for status in [0_u16, 99, 100, 199, 304, 1_000, u16::MAX] {
        assert_eq!(forge(48, &status.to_le_bytes()), FrameError::Corrupt("status"), "{status}");
    }
    assert_eq!(forge(50, &[64]), FrameError::Corrupt("stamp"));
    assert_eq!(forge(51, &[17]), FrameError::Corrupt("selecting field"));
    assert_eq!(forge(52, &257_u16.to_le_bytes()), FrameError::Corrupt("count of lines"));
    let find = |text: &[u8]| frame[begin..].windows(text.len()).position(|at| at == text).unwrap();
    let language = find(b"accept-language");
    assert_eq!(forge(language, b"A"), FrameError::Corrupt("selecting field"));
    assert_eq!(forge(language + 15, &[3]), FrameError::Corrupt("selecting field"));
    assert_eq!(forge(find(b"content-type"), b"C"), FrameError::Corrupt("field name"));
    assert_eq!(forge(find(b"etag"), b"e g "), FrameError::Corrupt("field name"));
    assert_eq!(forge(find(b"\"abc\""), b"\r\n"), FrameError::Corrupt("field value"));
    assert_eq!(forge(find(b"application/json") - 24, &[0xff]), FrameError::Corrupt("field value"));
}

/// Whoever can write to Redis could else make two answers of one.
#[test]
fn forged_framing_fields_are_refused() {
    let head = Head::new(StatusCode::OK, &fields(&[("x-ransfer-encoding", "chunked")]));
    let frame = plain(&Entry { head, ..full("0\r\n\r\nHTTP/1.1 200 OK") });
    let at = frame.windows(18).position(|text| text == b"x-ransfer-encoding").unwrap();
    // One byte less: the name is told one shorter, the details and the payload too.
    let mut short = frame.to_vec();
    short[at..at + 17].copy_from_slice(b"transfer-encoding");
    short.remove(at + 17);
    short[at - 2] -= 1;
    short[28] -= 1;
    short[36] -= 1;
    assert_eq!(error(forged(short)), FrameError::Corrupt("field name"));
}

#[test]
fn bombs_are_refused() {
    let bomb = |told: usize, packed: &[u8]| {
        let details = details::write(&bare(), NO_SKEW).unwrap();
        let labels = labels::write(&bare().labels).unwrap();
        let header = Header {
            packed: true,
            body: told as u32,
            payload: (details.len() + packed.len()) as u32,
            ..Header::read(&plain(&bare())).unwrap()
        };
        forged([&header.write(), &labels, &details, packed].concat())
    };
    let zeros = zstd::bulk::compress(&vec![0; 4 * 1_024 * 1_024], 1).unwrap();
    for told in [1_024, 256 * 1_024, 4 * 1_024 * 1_024, FRAME_BODY_BYTES_MAX as usize] {
        let frame = bomb(told, &zeros);
        let info = allocation_counter::measure(|| {
            assert_eq!(error(frame.clone()), FrameError::Corrupt("packed body"), "{told}");
        });
        assert!(info.bytes_max < 512 * 1_024, "{told}: {}", info.bytes_max);
    }
    assert_eq!(error(bomb(FRAME_BODY_BYTES_MAX as usize + 1, &zeros)), FrameError::TooLong);
    let honest = zstd::bulk::compress(&[0; 1_000], 1).unwrap();
    assert_eq!(open(&bomb(1_000, &honest)).unwrap().entry.body.to_bytes(), vec![0; 1_000]);
}

#[test]
fn a_value_under_another_key_is_refused() {
    let other = Key::new("item:8", "https://shop.example", "");
    let ring = ring(RING);
    let read = |frame: &Bytes| {
        let opened = decode(&other, frame, NO_SKEW, Some(&ring), Tick(0), &Shapes::default());
        opened.map(|_| ()).unwrap_err()
    };
    let frame = plain(&full("text"));
    assert_eq!(read(&frame), FrameError::Checksum);
    // A checksum can be written by anybody; a seal cannot.
    let mut moved = sealed(&full("text"), &ring).to_vec();
    assert_eq!(read(&moved.clone().into()), FrameError::Checksum);
    header::sign(&mut moved, &other);
    assert_eq!(read(&moved.into()), FrameError::Sealed);
}

#[test]
fn a_sealed_frame_shows_its_labels_and_nothing_may_be_changed_in_them() {
    let ring = ring(RING);
    let frame = sealed(&full("a secret text"), &ring);
    let shows = |text: &[u8]| frame.windows(text.len()).any(|at| at == text);
    assert!(shows(b"rut:7") && !shows(b"secret") && !shows(b"json") && !shows(b"es-cl"));
    let end = outline_bytes(&frame).unwrap();
    for at in (7..16).chain(HEADER_BYTES..end) {
        let opened = open_with(&forged(changed(&frame, at, &[frame[at] ^ 1])), Some(&ring));
        let error = opened.map(|_| ()).unwrap_err();
        assert!(matches!(error, FrameError::Sealed | FrameError::Corrupt("label")), "{at} {error}");
    }
}

#[test]
fn keys_are_replaced_without_a_flush() {
    let (old, new) = (ring(RING), ring(NEWER_KEY));
    let both = ring(&format!("{NEWER_KEY}\n{RING}"));
    let before = sealed(&full("before"), &old);
    let after = sealed(&full("after"), &both);
    for frame in [&before, &after] {
        assert!(open_with(frame, Some(&both)).unwrap().sealed);
    }
    let error = |frame, ring| open_with(frame, ring).map(|_| ()).unwrap_err();
    assert_eq!(error(&before, Some(&new)), FrameError::NoKey(1));
    assert_eq!(error(&after, Some(&old)), FrameError::NoKey(2));
    assert_eq!(error(&after, None), FrameError::NoKey(2));
    let same_number = ring(&NEWER_KEY.replace("2:", "1:"));
    assert_eq!(error(&before, Some(&same_number)), FrameError::Sealed);
    assert!(!open_with(&plain(&full("")), Some(&both)).unwrap().sealed);
}

#[test]
fn every_error_has_a_word_of_its_own() {
    use FrameError as E;
    let all = [
        E::Foreign,
        E::Newer(2),
        E::Truncated,
        E::Corrupt("x"),
        E::Checksum,
        E::NoKey(1),
        E::Sealed,
        E::TooLong,
        E::Secret,
    ];
    let words: std::collections::HashSet<_> = all.iter().map(|error| error.as_str()).collect();
    assert_eq!(words.len(), all.len());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_are_too_strange(bytes in vec(any::<u8>(), 0..600)) {
        let _ = outline(&bytes);
        prop_assert!(open(&bytes.into()).is_err());
    }

    #[test]
    fn nor_any_behind_a_good_beginning(
        at in 5..40_usize,
        with in vec(any::<u8>(), 1..60),
        seal: bool,
    ) {
        let ring = ring(RING);
        let entry = full(&json_of(40));
        let frame = if seal { sealed(&entry, &ring) } else { plain(&entry) };
        let at = if at < 24 { at } else { outline_bytes(&frame).unwrap() + (at - 24) * 10 };
        let end = (at + with.len()).min(frame.len());
        let forged = forged(changed(&frame, at, &with[..end - at]));
        let _ = outline(&forged);
        let _ = open_with(&forged, Some(&ring));
    }
}
