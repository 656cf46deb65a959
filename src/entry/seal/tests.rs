//! Key rings as text, and what they seal.

use super::*;

const ONE: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const TWO: &str = "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff000102030405060708090A0B0C0D0E0F";

fn error(text: &str) -> KeyRingError {
    KeyRing::parse(text).unwrap_err()
}

fn sealed(ring: &KeyRing, bound: &[u8], text: &[u8]) -> Vec<u8> {
    let mut inside = text.to_vec();
    let (nonce, tag) = ring.seal(bound, &mut inside).unwrap();
    [&nonce[..], &inside, &tag].concat()
}

#[test]
fn keys_are_read_from_lines_and_lists() {
    let ids = |text: &str| KeyRing::parse(text).unwrap().ids().collect::<Vec<_>>();
    assert_eq!(ids(ONE), [1]);
    assert_eq!(ids(&format!(" 2 : {TWO} , {ONE} # the old one\n\n# nothing\n")), [2, 1]);
    assert_eq!(ids(&format!("255:{TWO}\n7:{ONE}")), [255, 7]);
    assert_eq!(KeyRing::parse(&format!("9:{TWO},3:{ONE}")).unwrap().id(), 9);
}

#[test]
fn hex_and_base64_are_the_same_key() {
    let hex = KeyRing::parse(ONE).unwrap();
    let text = sealed(&hex, b"bound", b"text");
    for base64 in [
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
    ] {
        let ring = KeyRing::parse(base64).unwrap();
        assert_eq!(ring.open(1, b"bound", &text).unwrap(), b"text");
    }
    let all = "+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/8=";
    let bytes = of_base64(all.as_bytes()).unwrap();
    assert_eq!(bytes[..6], [0xfb, 0xff, 0xbf, 0xfb, 0xff, 0xbf]);
}

#[test]
fn what_is_no_ring_is_refused_without_a_word_of_it() {
    use KeyRingError::{Empty, Id, Key, Many, SameId, SameKey, Weak};
    let many: Vec<_> = (1..=17).map(|id| format!("{id}:{id:064x}")).collect();
    let zero = "0".repeat(64);
    for (text, wrong) in [
        ("", Empty),
        (" # nothing,\n,,", Empty),
        (&format!("0:{ONE}"), Id(1)),
        (&format!("{ONE},256:{TWO}"), Id(2)),
        (&format!("{TWO}:{ONE}"), Id(1)),
        ("1:", Key(1)),
        (&ONE[1..], Key(1)),
        (&format!("{ONE}00"), Key(1)),
        (&format!("g{}", &ONE[1..]), Key(1)),
        ("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8==", Key(1)),
        ("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9", Key(1)),
        ("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh", Key(1)),
        ("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdH-8", Key(1)),
        (&zero, Weak(1)),
        (&"ab".repeat(32), Weak(1)),
        (&format!("{ONE},1:{TWO}"), SameId(1)),
        (&format!("{ONE},2:{ONE}"), SameKey(2)),
        (&many.join("\n"), Many),
    ] {
        let found = error(text);
        assert_eq!(found, wrong, "{text}");
        let said = format!("{found} {found:?}");
        assert!(!text.contains("0102") || !said.contains("0102"), "{said}");
    }
}

#[test]
fn debug_shows_numbers_only() {
    let ring = KeyRing::parse(&format!("{ONE}\n7:{TWO}")).unwrap();
    assert_eq!(format!("{ring:?}"), "KeyRing { ids: [1, 7] }");
}

#[test]
fn only_the_same_key_the_same_place_and_the_same_bytes_open() {
    let ring = KeyRing::parse(ONE).unwrap();
    let text = sealed(&ring, b"here", b"what is kept");
    assert_eq!(ring.open(1, b"here", &text).unwrap(), b"what is kept");
    assert_eq!(ring.open(1, b"there", &text), Err(Unopened::Refused));
    assert_eq!(ring.open(2, b"here", &text), Err(Unopened::NoKey));
    let other = KeyRing::parse(TWO).unwrap();
    assert_eq!(other.open(1, b"here", &text), Err(Unopened::Refused));
    for at in 0..text.len() {
        let mut changed = text.clone();
        changed[at] ^= 1;
        assert_eq!(ring.open(1, b"here", &changed), Err(Unopened::Refused), "{at}");
        assert_eq!(ring.open(1, b"here", &text[..at]), Err(Unopened::Refused), "{at}");
    }
    assert_eq!(ring.open(1, b"", &sealed(&ring, b"", b"")).unwrap(), b"");
}

#[test]
fn no_nonce_comes_twice() {
    let ring = KeyRing::parse(ONE).unwrap();
    let nonces: std::collections::HashSet<_> =
        (0..1_000).map(|_| sealed(&ring, b"", b"x")[..NONCE_BYTES].to_vec()).collect();
    assert_eq!(nonces.len(), 1_000);
}

#[test]
fn a_new_key_seals_while_the_old_one_still_opens() {
    let old = KeyRing::parse(&format!("1:{ONE}")).unwrap();
    let both = KeyRing::parse(&format!("2:{TWO}\n1:{ONE}")).unwrap();
    let new = KeyRing::parse(&format!("2:{TWO}")).unwrap();
    let before = sealed(&old, b"b", b"before");
    assert_eq!(both.open(1, b"b", &before).unwrap(), b"before");
    assert_eq!(new.open(1, b"b", &before), Err(Unopened::NoKey));
    let after = sealed(&both, b"b", b"after");
    assert_eq!(new.open(both.id(), b"b", &after).unwrap(), b"after");
}
