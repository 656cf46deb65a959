//! `[[listen]]` to what is bound: addresses, and the files of certificates where a listener speaks
//! TLS. The files are read by `node::certs`, at the start and whenever they change.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::node::file::{ListenTls, Read};
use crate::node::settings::SettingsError;
use crate::node::settings::values::addresses;

/// A listener of the proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// Where.
    pub address: SocketAddr,
    /// TLS, if it is spoken there.
    pub tls: Option<TlsFiles>,
    /// Whether HTTP/2 is spoken there too.
    pub http2: bool,
}

/// What a listener needs for TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// Where its certificates are.
    pub files: CertFiles,
    /// The pair for clients that ask for no name, or for an unknown one.
    pub default: Option<String>,
    /// The key of the settings, as errors name it.
    pub place: String,
}

/// Files of certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertFiles {
    /// One certificate with its chain, and its key.
    Pair {
        /// The chain, the certificate itself first.
        cert: PathBuf,
        /// The key.
        key: PathBuf,
    },
    /// Each `NAME.key` with its `NAME.pem` or `NAME.crt`.
    Folder(PathBuf),
}

const FORMS: &str = "write { cert = \"site.pem\", key = \"site.key\" }, or { folder = \"certs\" }";

/// All listeners; paths are relative to the settings file.
pub(super) fn resolve(read: &Read, base: &Path) -> Result<Vec<Listen>, SettingsError> {
    let mut all = Vec::new();
    for (at, listen) in read.file.listen.iter().enumerate() {
        let place = |key: &str| read.places.name(&format!("listen[{at}].{key}"));
        if listen.address.starts_with("unix:") {
            let problem = "sockets of Unix are not built yet; write HOST:PORT";
            return Err(SettingsError::new(place("address"), problem));
        }
        let tls = listen.tls.as_ref().map(|tls| files(tls, base, place("tls"))).transpose()?;
        let addresses = addresses(&listen.address, &place("address"))?;
        let http2 = listen.http2.unwrap_or(tls.is_some());
        let each = |address| Listen { address, tls: tls.clone(), http2 };
        all.extend(addresses.into_iter().map(each));
    }
    Ok(all)
}

fn files(tls: &ListenTls, base: &Path, place: String) -> Result<TlsFiles, SettingsError> {
    let files = match (&tls.cert, &tls.key, &tls.folder) {
        (Some(cert), Some(key), None) => {
            CertFiles::Pair { cert: base.join(cert), key: base.join(key) }
        }
        (None, None, Some(folder)) => CertFiles::Folder(base.join(folder)),
        (Some(_), None, _) => {
            return Err(SettingsError::new(place, format!("`cert` has no `key`; {FORMS}")));
        }
        (None, Some(_), _) => {
            return Err(SettingsError::new(place, format!("`key` has no `cert`; {FORMS}")));
        }
        (Some(_), Some(_), Some(_)) => {
            let problem = format!("`folder` and `cert` exclude each other; {FORMS}");
            return Err(SettingsError::new(place, problem));
        }
        (None, None, None) => {
            return Err(SettingsError::new(place, format!("there is no certificate; {FORMS}")));
        }
    };
    if tls.default.is_some() && !matches!(files, CertFiles::Folder(_)) {
        let problem = "`default` chooses among the pairs of a `folder`; take it out";
        return Err(SettingsError::new(place, problem));
    }
    Ok(TlsFiles { files, default: tls.default.clone(), place })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_or_a_folder_and_nothing_between() {
        let tls = |words: &str| {
            let tls: ListenTls = toml::from_str(words).unwrap();
            files(&tls, Path::new("/etc/c"), "listen[0].tls".into())
        };
        let pair = tls("cert = 'a.pem'\nkey = '/k/a.key'").unwrap();
        let (cert, key) = (PathBuf::from("/etc/c/a.pem"), PathBuf::from("/k/a.key"));
        assert_eq!(pair.files, CertFiles::Pair { cert, key });
        let folder = tls("folder = 'certs'\ndefault = 'site'").unwrap();
        assert_eq!(folder.files, CertFiles::Folder("/etc/c/certs".into()));
        assert_eq!(folder.default.as_deref(), Some("site"));
        for (words, told) in [
            ("cert = 'a'", "has no `key`"),
            ("key = 'a'", "has no `cert`"),
            ("", "no certificate"),
            ("cert = 'a'\nkey = 'b'\nfolder = 'c'", "exclude each other"),
            ("cert = 'a'\nkey = 'b'\ndefault = 'c'", "take it out"),
        ] {
            let wrong = tls(words).unwrap_err().to_string();
            assert!(wrong.starts_with("listen[0].tls: ") && wrong.contains(told), "{wrong}");
        }
    }
}
