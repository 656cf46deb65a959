//! A certificate with its chain and the key that belongs to it, from PEM to what the TLS library
//! signs with. Nothing that is wrong gets through: the key must fit, the names must be readable.

use std::fmt;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, SignatureAlgorithm};

use super::validity;
use crate::base::clock::Timestamp;

/// A certificate that can be shown.
pub struct Pair {
    /// How the node calls it: the name of its file, without the extension.
    pub name: String,
    /// The names it is for, in lower case; one that begins with `*.` is for all one label below.
    pub names: Vec<String>,
    /// Until when it holds.
    pub until: Timestamp,
    pub(super) key: Arc<CertifiedKey>,
}

impl fmt::Debug for Pair {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pair").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Why a certificate cannot be shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PairFault {
    /// There is none.
    #[error("the file holds no CERTIFICATE in PEM")]
    NoCertificate,
    /// It cannot be read.
    #[error("the certificate cannot be read: {0}")]
    Certificate(String),
    /// There is no key, or it cannot be read, or it has a passphrase.
    #[error("the file holds no PRIVATE KEY in PEM that can be read without a passphrase: {0}")]
    Key(String),
    /// Key and certificate are of different pairs.
    #[error("the key does not belong to the certificate")]
    Mismatch,
}

impl PairFault {
    /// Whether the file with the key is to be looked at.
    pub const fn is_of_key(&self) -> bool {
        matches!(self, Self::Key(_) | Self::Mismatch)
    }
}

impl Pair {
    /// Reads a pair. The chain begins with the certificate itself.
    ///
    /// # Errors
    /// Where one of the two cannot be read, or they do not belong together.
    pub fn read(name: &str, chain: &[u8], key: &[u8]) -> Result<Self, PairFault> {
        let unread = |why: String| PairFault::Certificate(why);
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain).collect();
        let chain = chain.map_err(|why| unread(why.to_string()))?;
        let Some(first) = chain.first() else { return Err(PairFault::NoCertificate) };
        let end = webpki::EndEntityCert::try_from(first).map_err(|why| unread(why.to_string()))?;
        let names = end.valid_dns_names().map(str::to_ascii_lowercase).collect();
        let (_, until) = validity::of(first)
            .ok_or_else(|| unread("it does not say how long it holds".into()))?;
        let key =
            PrivateKeyDer::from_pem_slice(key).map_err(|why| PairFault::Key(why.to_string()))?;
        let key = aws_lc_rs::sign::any_supported_type(&key)
            .map_err(|why| PairFault::Key(why.to_string()))?;
        let certified = CertifiedKey::new(chain, key);
        match certified.keys_match() {
            Ok(()) => {}
            Err(rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
                return Err(PairFault::Mismatch);
            }
            Err(why) => return Err(unread(why.to_string())),
        }
        Ok(Self { name: name.to_owned(), names, until, key: Arc::new(certified) })
    }

    /// Whether its key costs more to sign with than that of another kind would.
    pub(super) fn is_rsa(&self) -> bool {
        self.key.key.algorithm() == SignatureAlgorithm::RSA
    }
}
