//! An authority of the story's own, and a client of TLS that tells what it was shown.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair,
    PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, date_time_ymd,
};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, HandshakeKind, RootCertStore, StreamOwned};

use crate::support::PATIENCE;

/// Who signs the certificates of a story.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate with its key, in PEM.
#[derive(Clone)]
pub(crate) struct Issued {
    pub(crate) chain: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn make() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names are fine");
        params.distinguished_name.push(DnType::CommonName, "an authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Self { issuer: CertifiedIssuer::self_signed(params, key).expect("an authority") }
    }

    /// A certificate for these names, with a key on an elliptic curve.
    pub(crate) fn issues(&self, names: &[&str]) -> Issued {
        self.issue(names, false, 2_040)
    }

    /// The same with a key of RSA.
    pub(crate) fn issues_rsa(&self, names: &[&str]) -> Issued {
        self.issue(names, true, 2_040)
    }

    /// One that ended long ago.
    pub(crate) fn issues_expired(&self, names: &[&str]) -> Issued {
        self.issue(names, false, 2_020)
    }

    fn issue(&self, names: &[&str], rsa: bool, end: i32) -> Issued {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let subject = names[0].clone();
        let mut params = CertificateParams::new(names).expect("names of hosts");
        params.distinguished_name.push(DnType::CommonName, subject);
        params.not_before = date_time_ymd(2_000, 1, 1);
        params.not_after = date_time_ymd(end, 1, 1);
        let algorithm = if rsa { &PKCS_RSA_SHA256 } else { &PKCS_ECDSA_P256_SHA256 };
        let key = KeyPair::generate_for(algorithm).expect("a key");
        let made = params.signed_by(&key, &self.issuer).expect("a certificate");
        Issued { chain: made.pem(), key: key.serialize_pem() }
    }

    /// Writes its own certificate, for clients of other makes.
    pub(crate) fn write(&self, path: &Path) {
        std::fs::write(path, self.issuer.pem()).expect("a file");
    }

    /// A client that believes it. It keeps its sessions, as browsers do.
    pub(crate) fn client(&self) -> Client {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).expect("a root");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Client { config: Arc::new(config) }
    }
}

impl Issued {
    /// Writes `NAME.pem` and `NAME.key`, each by a rename, as renewal tools do.
    pub(crate) fn write(&self, folder: &Path, name: &str) {
        std::fs::create_dir_all(folder).expect("a folder");
        for (extension, text) in [("key", &self.key), ("pem", &self.chain)] {
            let beside = folder.join(format!("{name}.{extension}.new"));
            std::fs::write(&beside, text).expect("a file");
            let path = folder.join(format!("{name}.{extension}"));
            std::fs::rename(beside, path).expect("a rename");
        }
    }
}

/// Makes connections under TLS.
pub(crate) struct Client {
    config: Arc<ClientConfig>,
}

/// A connection under TLS.
pub(crate) struct Visit {
    stream: StreamOwned<ClientConnection, TcpStream>,
}

impl Client {
    /// Connects and asks for a certificate of this name.
    ///
    /// # Errors
    /// Where the certificate is not for that name, or is not believed.
    pub(crate) fn tries(&self, address: &str, name: &str) -> std::io::Result<Visit> {
        let mut tcp = TcpStream::connect(address)?;
        tcp.set_read_timeout(Some(PATIENCE))?;
        let name = ServerName::try_from(name.to_owned()).expect("a name of a host");
        let mut tls = ClientConnection::new(Arc::clone(&self.config), name).expect("a client");
        while tls.is_handshaking() {
            tls.complete_io(&mut tcp)?;
        }
        Ok(Visit { stream: StreamOwned::new(tls, tcp) })
    }

    #[track_caller]
    pub(crate) fn visits(&self, address: &str, name: &str) -> Visit {
        self.tries(address, name).unwrap_or_else(|error| panic!("{name} at {address}: {error}"))
    }
}

impl Visit {
    /// The certificate it was shown, in DER.
    pub(crate) fn shown(&self) -> Vec<u8> {
        let chain = self.stream.conn.peer_certificates().expect("a certificate");
        chain.first().expect("its first").to_vec()
    }

    /// Whether it went on with the keys of a session before.
    pub(crate) fn is_resumed(&self) -> bool {
        self.stream.conn.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    pub(crate) fn says(&mut self, text: impl AsRef<[u8]>) {
        self.stream.write_all(text.as_ref()).expect("the other side takes it");
        self.stream.flush().expect("the other side takes it");
    }

    /// Reads until this has come; all that came.
    pub(crate) fn hears(&mut self, end: &str) -> String {
        let mut came = Vec::new();
        let mut part = [0; 4_096];
        loop {
            let text = String::from_utf8_lossy(&came).into_owned();
            if text.contains(end) {
                return text;
            }
            match self.stream.read(&mut part) {
                Ok(0) => panic!("it ended before {end}: {text}"),
                Ok(count) => came.extend_from_slice(&part[..count]),
                Err(error) => panic!("{error} before {end}: {text}"),
            }
        }
    }

    /// Reads to the end, which must be told and not torn.
    pub(crate) fn hears_all(mut self) -> String {
        let mut came = Vec::new();
        self.stream.read_to_end(&mut came).expect("an end in order");
        String::from_utf8_lossy(&came).into_owned()
    }

    /// A whole exchange on a connection that stays.
    pub(crate) fn gets(&mut self, target: &str, host: &str, end: &str) -> String {
        self.says(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        self.hears(end)
    }
}
