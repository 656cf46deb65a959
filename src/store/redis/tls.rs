//! TLS towards the servers: which certificates are believed, and the one that is shown. Names are
//! checked against the address as it was given, or as a sentinel or cluster node gave it.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use super::config::{ConfigError, Tls};

/// What a TLS connection is made with.
pub(super) fn client(tls: &Tls) -> Result<Arc<ClientConfig>, ConfigError> {
    let roots = match &tls.ca {
        Some(pem) => roots_of(certificates(pem, "the CA")?)?,
        None => roots_of(rustls_native_certs::load_native_certs().certs)?,
    };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(wrong)?
        .with_root_certificates(roots);
    let config = match &tls.identity {
        None => config.with_no_client_auth(),
        Some((chain, key)) => {
            let chain = certificates(chain, "the client certificate")?;
            let key = PrivateKeyDer::from_pem_slice(key)
                .map_err(|why| ConfigError::Tls(format!("the client's key: {why}")))?;
            config.with_client_auth_cert(chain, key).map_err(wrong)?
        }
    };
    Ok(Arc::new(config))
}

fn certificates(pem: &[u8], whose: &str) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    let wrong = |why: String| ConfigError::Tls(format!("{whose}: {why}"));
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.map_err(|why| wrong(why.to_string()))?;
    if found.is_empty() { Err(wrong("no certificate in it".to_owned())) } else { Ok(found) }
}

/// Of the system's roots, some are often too old to be read; of one's own, none may be.
fn roots_of(certificates: Vec<CertificateDer<'static>>) -> Result<RootCertStore, ConfigError> {
    let mut roots = RootCertStore::empty();
    let (_, unread) = roots.add_parsable_certificates(certificates);
    if roots.is_empty() {
        let why = format!("no root certificate can be used ({unread} cannot be read)");
        return Err(ConfigError::Tls(why));
    }
    Ok(roots)
}

fn wrong(why: impl ToString) -> ConfigError {
    ConfigError::Tls(why.to_string())
}
