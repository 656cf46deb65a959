//! TLS: a server with a certificate of our own CA that wants one of its clients too.

use std::path::Path;
use std::process::{Command, Stdio};

use super::super::config::{Config, ConfigError, Layout, Login, Tls};
use super::super::samples::{AMPLE, Folder, Redis, Tended, config, wait_for};
use super::super::{Servers, Slot};
use crate::base::units::Span;

fn openssl(folder: &Path, arguments: &str) {
    let mut command = Command::new("openssl");
    command.args(arguments.split(' ')).current_dir(folder).stderr(Stdio::null());
    let status = command.status().expect("openssl must be installed");
    assert!(status.success(), "openssl {arguments}");
}

/// A CA, and `NAME.pem` with `NAME.key` for server and client.
fn certificates() -> Folder {
    let folder = Folder::new();
    let at = folder.path();
    std::fs::write(at.join("server.ext"), "subjectAltName=IP:127.0.0.1,DNS:localhost\n").unwrap();
    std::fs::write(at.join("client.ext"), "extendedKeyUsage=clientAuth\n").unwrap();
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(at, &format!("req -x509 {key} -keyout ca.key -out ca.pem -days 2 -subj /CN=ca"));
    for name in ["server", "client"] {
        openssl(at, &format!("req {key} -keyout {name}.key -out {name}.csr -subj /CN={name}"));
        openssl(
            at,
            &format!(
                "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial \
                 -out {name}.pem -days 2 -extfile {name}.ext"
            )
            .replace("  ", " "),
        );
    }
    folder
}

fn read(folder: &Folder, name: &str) -> Vec<u8> {
    std::fs::read(folder.path().join(name)).unwrap()
}

/// A server that speaks TLS only.
fn start(folder: &Folder) -> Redis {
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let (cert, key, ca) = (path("server.pem"), path("server.key"), path("ca.pem"));
    let port = super::super::samples::free_port().to_string();
    // The ordinary port is given last, and as 0: none.
    let options = [
        "--tls-port",
        &port,
        "--port",
        "0",
        "--tls-cert-file",
        &cert,
        "--tls-key-file",
        &key,
        "--tls-ca-cert-file",
        &ca,
        "--tls-auth-clients",
        "yes",
    ];
    Redis::start_at(port.parse().unwrap(), &options).ready()
}

fn wanted(redis: &Redis, folder: &Folder) -> Config {
    let mut config = config(Layout::Single(redis.address()));
    // A handshake with a debug build on a busy machine.
    config.connect_timeout = Span::from_secs(3);
    config.tls = Some(Tls {
        ca: Some(read(folder, "ca.pem")),
        identity: Some((read(folder, "client.pem"), read(folder, "client.key"))),
    });
    config
}

#[tokio::test]
async fn both_sides_show_who_they_are() {
    let folder = certificates();
    let redis = start(&folder);
    let tended = Tended::new(&wanted(&redis, &folder));
    tended.up(1);
    let server = tended.servers.master(Slot::of(b"a")).unwrap();
    let large = "x".repeat(300_000);
    let echo: String = server.call(redis::Cmd::new().arg("ECHO").arg(&large), AMPLE).await.unwrap();
    assert!(echo == large);
    let mut heard = server.pubsub().await.unwrap();
    heard.subscribe("news").await.unwrap();
}

/// The reason why nobody gets through.
fn why_not(config: &Config) -> String {
    let tended = Tended::new(config);
    let server = tended.servers.master(Slot::of(b"a")).unwrap();
    let why = wait_for("a reason", || server.state().last_fault);
    assert!(!server.is_up());
    why
}

#[tokio::test]
async fn strangers_are_not_believed() {
    let (folder, other) = (certificates(), certificates());
    let redis = start(&folder);

    let mut config = wanted(&redis, &folder);
    config.tls = Some(Tls { ca: Some(read(&other, "ca.pem")), identity: None });
    let why = why_not(&config);
    assert!(why.contains("certificate"), "{why}");

    // The name in the certificate is not the one that was asked for.
    let mut config = wanted(&redis, &folder);
    let mut named = redis.address();
    named.host = "127.0.0.2".to_owned();
    config.layout = Layout::Single(named);
    assert!(!why_not(&config).is_empty());

    let mut config = wanted(&redis, &folder);
    config.tls = Some(Tls { ca: Some(read(&folder, "ca.pem")), identity: None });
    assert!(!why_not(&config).is_empty());
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let folder = certificates();
    let address = |port| super::super::config::Address { host: "h".to_owned(), port };
    let base = config(Layout::Single(address(1)));
    let refused = |change: &dyn Fn(&mut Config)| {
        let mut config = base.clone();
        change(&mut config);
        Servers::new(&config, |_| {}).err()
    };
    assert_eq!(refused(&|_| {}), None);
    assert_eq!(
        refused(&|config| config.layout = Layout::Cluster(Vec::new())),
        Some(ConfigError::NoServers)
    );
    assert_eq!(
        refused(&|config| config.layout = Layout::Single(address(0))),
        Some(ConfigError::Address(address(0)))
    );
    let in_cluster = |config: &mut Config| {
        (config.layout, config.db) = (Layout::Cluster(vec![address(1)]), 2);
    };
    assert_eq!(refused(&in_cluster), Some(ConfigError::Database(2)));
    let nameless = |config: &mut Config| {
        config.login = Login { user: Some("ann".to_owned()), password: None };
    };
    assert_eq!(refused(&nameless), Some(ConfigError::NoPassword));
    assert_eq!(refused(&|config| config.calls_max = 0), Some(ConfigError::Zero("calls_max")));
    let ca = |pem: &[u8]| {
        let tls = Tls { ca: Some(pem.to_vec()), identity: None };
        refused(&|config| config.tls = Some(tls.clone()))
    };
    assert_eq!(ca(&read(&folder, "ca.pem")), None);
    assert!(matches!(ca(b"nothing"), Some(ConfigError::Tls(_))));
    let identity = (read(&folder, "client.pem"), read(&folder, "server.key"));
    let tls = Tls { ca: Some(read(&folder, "ca.pem")), identity: Some(identity) };
    let mismatched = refused(&|config| config.tls = Some(tls.clone()));
    assert!(matches!(mismatched, Some(ConfigError::Tls(_))), "{mismatched:?}");
}
