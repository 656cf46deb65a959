//! Certificates of an authority of our own, for servers that speak TLS only and want to see one of
//! each client.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::folder;

/// A folder with `ca.pem`, and `NAME.pem` with `NAME.key` for `server` and `client`.
pub(crate) struct Certificates {
    folder: PathBuf,
}

impl Certificates {
    pub(crate) fn make() -> Self {
        let folder = folder();
        fs::write(folder.join("names"), "subjectAltName=IP:127.0.0.1\n").expect("a file");
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
        let openssl = |arguments: String| openssl(&folder, &arguments);
        openssl(format!("req -x509 {key} -keyout ca.key -out ca.pem -days 2 -subj /CN=ca"));
        for name in ["server", "client"] {
            openssl(format!("req {key} -keyout {name}.key -out {name}.csr -subj /CN={name}"));
            let signed = "-CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names";
            openssl(format!("x509 -req -in {name}.csr -out {name}.pem {signed}"));
        }
        Self { folder }
    }

    /// The options of a server that speaks nothing else, also with its like.
    pub(crate) fn options(&self) -> Vec<String> {
        let words = [
            ("--tls-cert-file", self.path("server.pem")),
            ("--tls-key-file", self.path("server.key")),
            ("--tls-ca-cert-file", self.path("ca.pem")),
            ("--tls-auth-clients", "yes".to_owned()),
            ("--tls-replication", "yes".to_owned()),
            ("--tls-cluster", "yes".to_owned()),
        ];
        words.into_iter().flat_map(|(name, value)| [name.to_owned(), value]).collect()
    }

    /// The lines of `[l2]` of a node that believes these servers.
    pub(crate) fn authority(&self) -> String {
        format!("ca = \"{}\"\n", self.path("ca.pem"))
    }

    /// The lines of `[l2]` with which a node shows who it is.
    pub(crate) fn identity(&self) -> String {
        let (cert, key) = (self.path("client.pem"), self.path("client.key"));
        format!("cert = \"{cert}\"\nkey = \"{key}\"\n")
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).to_string_lossy().into_owned()
    }
}

impl Drop for Certificates {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            fs::remove_dir_all(&self.folder).ok();
        }
    }
}

/// What a client of a server with these options must say to be let in: what the server itself
/// would. Nothing for a server that does not speak TLS.
pub(super) fn client_words(options: &[String]) -> Vec<String> {
    let value = |name: &str| {
        let at = options.iter().position(|word| word == name)?;
        options.get(at + 1).cloned()
    };
    let names = ["--tls-cert-file", "--tls-key-file", "--tls-ca-cert-file"];
    let [Some(cert), Some(key), Some(ca)] = names.map(value) else { return Vec::new() };
    let words = ["--tls", "--cert", &cert, "--key", &key, "--cacert", &ca];
    words.map(str::to_owned).to_vec()
}

fn openssl(folder: &Path, arguments: &str) {
    let mut command = Command::new("openssl");
    command.args(arguments.split(' ')).current_dir(folder);
    let said = command.output().unwrap_or_else(|error| panic!("openssl: {error}"));
    assert!(said.status.success(), "{arguments}: {}", String::from_utf8_lossy(&said.stderr));
}
