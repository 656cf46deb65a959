//! Keys for what leaves the process: AES-256-GCM with a random nonce for each seal. The first key
//! of a ring seals and all of them open, so a key is replaced without a flush: put the new one
//! behind the old on every node, then in front of it, and take the old one out when nothing that it
//! sealed is left. No error and no debug output ever shows a key.
//!
//! Random nonces of 96 bits are safe for 2^32 seals with one key (NIST SP 800-38D, 8.3): at a
//! thousand stores a second that is seven weeks, so busy fleets rotate monthly.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use zeroize::Zeroizing;

use crate::base::limits::SEAL_KEYS_MAX;

#[cfg(test)]
mod tests;

/// Bytes of a nonce, which stands before what is sealed.
pub(super) const NONCE_BYTES: usize = 12;

/// Bytes of the mark of authenticity, which stands behind it.
pub(super) const TAG_BYTES: usize = 16;

const KEY_BYTES: usize = 32;

type Secret = Zeroizing<[u8; KEY_BYTES]>;

/// The keys of a fleet, at least one, each with a number from 1 to 255.
pub struct KeyRing {
    first: Named,
    others: Vec<Named>,
    identities: [u8; 32],
}

struct Named {
    id: u8,
    /// The library wipes it when it is dropped.
    key: RandomizedNonceKey,
}

/// Why a text is no key ring. It says which key by its place, counted from 1, and never what stands
/// there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyRingError {
    /// There is no key in it.
    #[error("no key; write ID:KEY, where KEY is 32 bytes as 64 hex digits or as base64")]
    Empty,
    /// There are more than [`SEAL_KEYS_MAX`].
    #[error("more than {SEAL_KEYS_MAX} keys; take out those that nothing is sealed with any more")]
    Many,
    /// What stands before the colon is no number of a key.
    #[error("key {0}: the number before the colon must be 1 to 255")]
    Id(usize),
    /// What should be a key is not 32 bytes as hex digits or base64.
    #[error("key {0}: a key is 32 bytes, as 64 hex digits or as base64")]
    Key(usize),
    /// All its bytes are alike.
    #[error("key {0}: all bytes are alike; make one with `openssl rand -hex 32`")]
    Weak(usize),
    /// Two keys have this number.
    #[error("two keys have the number {0}; a new key needs a new number")]
    SameId(u8),
    /// An earlier key is the same.
    #[error("key {0}: it is the same as an earlier one")]
    SameKey(usize),
}

/// Why something was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unopened {
    /// The ring has no key with this number.
    NoKey,
    /// It was not sealed with this key, for this place, or was changed.
    Refused,
}

impl KeyRing {
    /// Reads keys, one a line or separated by commas: `ID:KEY`, or `KEY` alone for number 1. What
    /// follows a `#` is a comment.
    pub fn parse(text: &str) -> Result<Self, KeyRingError> {
        let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default());
        let parts = lines.flat_map(|line| line.split(',')).map(str::trim);
        let (mut keys, mut secrets) = (Vec::new(), Vec::<Secret>::new());
        for (place, part) in (1..).zip(parts.filter(|part| !part.is_empty())) {
            if place > SEAL_KEYS_MAX {
                return Err(KeyRingError::Many);
            }
            let (id, secret) = read(part, place)?;
            if keys.iter().any(|known: &Named| known.id == id) {
                return Err(KeyRingError::SameId(id));
            }
            if secrets.contains(&secret) {
                return Err(KeyRingError::SameKey(place));
            }
            let key = RandomizedNonceKey::new(&AES_256_GCM, secret.as_slice());
            keys.push(Named { id, key: key.map_err(|_| KeyRingError::Key(place))? });
            secrets.push(secret);
        }
        let oldest = keys.iter().zip(&secrets).min_by_key(|(key, _)| key.id);
        let derived = oldest.map(|(_, secret)| {
            blake3::derive_key("cistern identities of callers v1", secret.as_slice())
        });
        let others = keys.split_off(keys.len().min(1));
        let first = keys.pop().ok_or(KeyRingError::Empty)?;
        Ok(Self { first, others, identities: derived.unwrap_or_default() })
    }

    /// The key of digests that stand for credentials, the same for all who have this ring: derived
    /// from the key with the lowest number, so that a new key does not change it.
    pub const fn identities(&self) -> [u8; 32] {
        self.identities
    }

    /// The number of the key that seals.
    pub const fn id(&self) -> u8 {
        self.first.id
    }

    /// The numbers of all keys, the sealing one first.
    pub fn ids(&self) -> impl Iterator<Item = u8> {
        self.keys().map(|named| named.id)
    }

    fn keys(&self) -> impl Iterator<Item = &Named> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// Seals `text` in place, bound to `associated`; `None` when the system has no randomness.
    pub(super) fn seal(
        &self,
        associated: &[u8],
        text: &mut [u8],
    ) -> Option<([u8; NONCE_BYTES], [u8; TAG_BYTES])> {
        let sealed = self.first.key.seal_in_place_separate_tag(Aad::from(associated), text);
        let (nonce, tag) = sealed.ok()?;
        Some((*nonce.as_ref(), tag.as_ref().try_into().ok()?))
    }

    /// Opens nonce, text and tag that were sealed with key `id`, bound to `associated`. A new
    /// block, since what is sealed is shared.
    pub(super) fn open(
        &self,
        id: u8,
        associated: &[u8],
        sealed: &[u8],
    ) -> Result<Vec<u8>, Unopened> {
        let named = self.keys().find(|named| named.id == id).ok_or(Unopened::NoKey)?;
        let (nonce, rest) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or(Unopened::Refused)?;
        let nonce = Nonce::from(nonce);
        let mut text = rest.to_vec();
        let opened = named.key.open_in_place(nonce, Aad::from(associated), &mut text);
        let len = opened.map_err(|_| Unopened::Refused)?.len();
        text.truncate(len);
        Ok(text)
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRing").field("ids", &self.ids().collect::<Vec<_>>()).finish()
    }
}

fn read(part: &str, place: usize) -> Result<(u8, Secret), KeyRingError> {
    let (id, key) = match part.split_once(':') {
        Some((id, key)) => (id.trim().parse().unwrap_or(0), key.trim()),
        None => (1, part),
    };
    if id == 0 {
        return Err(KeyRingError::Id(place));
    }
    let secret = of_hex(key.as_bytes()).or_else(|| of_base64(key.as_bytes()));
    let secret = secret.ok_or(KeyRingError::Key(place))?;
    let (first, rest) = (secret.first(), secret.get(1..).unwrap_or_default());
    if rest.iter().all(|byte| Some(byte) == first) {
        return Err(KeyRingError::Weak(place));
    }
    Ok((id, secret))
}

fn of_hex(text: &[u8]) -> Option<Secret> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let (pairs, rest) = text.as_chunks::<2>();
    if pairs.len() != KEY_BYTES || !rest.is_empty() {
        return None;
    }
    let mut secret = Secret::default();
    for (byte, [high, low]) in secret.iter_mut().zip(pairs) {
        *byte = (digit(*high)? << 4 | digit(*low)?) as u8;
    }
    Some(secret)
}

/// The standard alphabet, with the one `=` that 32 bytes need or without (RFC 4648, 4). Left-over
/// bits must be zero: a key has one spelling, or it was cut.
fn of_base64(text: &[u8]) -> Option<Secret> {
    let text = text.strip_suffix(b"=").unwrap_or(text);
    if text.len() != (KEY_BYTES * 4).div_ceil(3) {
        return None;
    }
    let mut secret = Secret::default();
    let mut bytes = secret.iter_mut();
    let (mut bits, mut count) = (0_u32, 0);
    for letter in text {
        bits = bits << 6 | u32::from(sextet(*letter)?);
        count += 6;
        if count >= 8 {
            count -= 8;
            *bytes.next()? = (bits >> count) as u8;
            bits &= (1 << count) - 1;
        }
    }
    (bits == 0).then_some(secret)
}

const fn sextet(letter: u8) -> Option<u8> {
    Some(match letter {
        b'A'..=b'Z' => letter - b'A',
        b'a'..=b'z' => letter - b'a' + 26,
        b'0'..=b'9' => letter - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
}
