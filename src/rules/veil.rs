//! What stands for a credential in keys, tags and selectors: a digest with a key that this process
//! alone knows, or its fleet. These texts are names in Redis, lines of logs and parts of answers;
//! none of them may tell who holds what, nor let anybody try weak ones.

use http::HeaderMap;

use super::credentials::{CredentialNames, cookies};
use super::extract::{Datum, ValueOf};

/// What stands for the credentials of one request.
#[derive(Clone, Copy, Default)]
pub struct Veil<'a> {
    /// The digest of all of them, where it has any and the rule needs it.
    pub identity: Option<&'a str>,
    /// The key of the digests that stand for single ones. Without it they stand as they are, which
    /// is for `[[test]]` blocks alone.
    pub key: Option<&'a [u8; 32]>,
    /// Whether other nodes of the fleet have another key. What a write names by a digest is then
    /// widened, since it would name nothing there.
    pub is_apart: bool,
}

impl std::fmt::Debug for Veil<'_> {
    /// Without the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Veil").field("identity", &self.identity).finish_non_exhaustive()
    }
}

impl<'a> From<Option<&'a str>> for Veil<'a> {
    fn from(identity: Option<&'a str>) -> Self {
        Self { identity, ..Self::default() }
    }
}

impl Veil<'_> {
    /// A value of a credential as texts hold it.
    pub(super) fn over<'v>(&self, value: Datum<'v>) -> Datum<'v> {
        let Some(key) = self.key else { return value };
        // What the digest of all is made of begins with another letter.
        let digest = blake3::Hasher::new_keyed(key).update(b"v ").update(&value.bytes).finalize();
        Datum::plain(digest.to_hex().as_bytes().get(..DIGITS).unwrap_or_default().to_vec())
    }
}

/// Of a digest, as of that of all credentials.
const DIGITS: usize = 32;

impl CredentialNames {
    /// Whether values of this kind are credentials: by the rules, or because everybody knows them
    /// for one.
    pub(super) fn hide(&self, of: &ValueOf) -> bool {
        match of {
            ValueOf::Header(name) => self.hides_header(name),
            ValueOf::Cookie(name) => self.hides_cookie(name.as_bytes()),
            _ => false,
        }
    }

    /// Whether a request with these fields has such a value.
    pub(super) fn hide_of(&self, of: &ValueOf, fields: &HeaderMap) -> bool {
        let there = match of {
            ValueOf::Header(name) => fields.contains_key(name),
            ValueOf::Cookie(name) => cookies(fields).any(|(one, _)| one == name.as_bytes()),
            _ => false,
        };
        there && self.hide(of)
    }
}
