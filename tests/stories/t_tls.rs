//! TLS towards clients: which certificate is shown, that it may change while everything runs, and
//! that HTTP under it is what it is in clear.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use std::thread;

use crate::support::PATIENCE;
use crate::support::cistern::{Cistern, Setup, in_front_of};
use crate::support::client::{ask, get};
use crate::support::curl::{Curl, port};
use crate::support::exposition::Exposed;
use crate::support::origin::{Origin, text};
use crate::support::redis::until;
use crate::support::tls::Authority;

const PAIR: &str = "[[listen]]\naddress = \"127.0.0.1:0\"\n\
                    tls = { cert = \"site.pem\", key = \"site.key\" }\n";
const FOLDER: &str = "[[listen]]\naddress = \"127.0.0.1:0\"\n\
                      tls = { folder = \"certs\", default = \"shop\" }\n";

/// In front of an origin, with a certificate for `shop.example` and curl that believes it.
fn secure(origin: &Origin, more: &str) -> (Authority, Setup, Curl) {
    let authority = Authority::make();
    let setup = in_front_of(origin.address()).listening(&format!("{PAIR}{more}"));
    authority.issues(&["shop.example"]).write(setup.folder(), "site");
    let ca = setup.folder().join("ca.pem");
    authority.write(&ca);
    // What HTTP/2 does there stands in `t_http2`.
    (authority, setup, Curl::believing(&ca).with(&["--http1.1"]))
}

fn url(node: &Cistern, name: &str, target: &str) -> String {
    format!("https://{name}:{}{target}", port(node.address()))
}

fn metrics(node: &Cistern) -> Exposed {
    let admin = node.admin();
    Exposed::text(&ask("GET", "/metrics").host(&admin).to(&admin).with_status(200).text())
}

#[test]
fn https_is_served_beside_http_and_is_a_site_of_its_own() {
    let origin = Origin::start();
    origin.answers("GET /a", text("hello").for_a_minute());
    let more = "[[listen]]\naddress = \"127.0.0.1:0\"\n[[listen]]\naddress = \"[::1]:0\"\n";
    let (_authority, setup, curl) = secure(&origin, more);
    let node = setup.start();
    let at = url(&node, "shop.example", "/a");
    let first = curl.says(&["--tlsv1.3", &at]).with_status(200);
    assert_eq!((first.text().as_str(), first.version.as_str()), ("hello", "1.1"));
    assert!(origin.last("GET /a").contains("x-forwarded-proto: https"));
    let second = curl.says(&["--tlsv1.2", "--tls-max", "1.2", &at]).with_status(200);
    let status = second.field("cache-status").unwrap();
    assert!(status.contains("; hit") && status.contains("key=\"https://shop.example"), "{status}");
    // In clear it is another site, whatever the port.
    let addresses: Vec<_> = node.addresses().iter().map(|one| (*one).to_owned()).collect();
    assert_eq!(addresses.len(), 3);
    get("/a").host("shop.example").to(&addresses[1]).with_status(200).served_by_origin();
    let head = origin.last("GET /a");
    assert!(head.contains("x-forwarded-proto: http") && !head.contains("https"), "{head}");
    get("/a").host("shop.example").to(&addresses[2]).with_status(200).served_from_store();
    assert_eq!(origin.asked("GET /a"), 2);
}

#[test]
fn the_name_decides_which_certificate_is_shown() {
    let origin = Origin::start();
    origin.answers("GET /a", text("hello"));
    let authority = Authority::make();
    let setup = in_front_of(origin.address()).listening(FOLDER);
    let folder = setup.folder().join("certs");
    authority.issues(&["a.example", "www.a.example"]).write(&folder, "a");
    authority.issues(&["*.wild.example"]).write(&folder, "wild");
    authority.issues(&["shop.example"]).write(&folder, "shop");
    authority.issues_rsa(&["shop.example"]).write(&folder, "shop-rsa");
    let ca = setup.folder().join("ca.pem");
    authority.write(&ca);
    let node = setup.start();
    let curl = Curl::believing(&ca);
    for name in ["a.example", "www.a.example", "x.wild.example", "shop.example"] {
        curl.says(&[&url(&node, name, "/a")]).with_status(200);
    }
    for name in ["b.example", "wild.example", "x.y.wild.example"] {
        let refused = curl.says(&[&url(&node, name, "/a")]);
        assert_eq!(refused.code, 60, "curl must miss {name} in the default's: {refused:?}");
        assert!(refused.errors.contains("no alternative certificate subject name matches"));
    }
    // A client that knows RSA only is shown that; the others the one that costs less.
    let asked = |signatures: &str| {
        let output = Command::new("openssl")
            .args(["s_client", "-connect", node.address(), "-servername", "shop.example"])
            .args(["-sigalgs", signatures, "-CAfile", ca.to_str().unwrap(), "-verify_return_error"])
            .stdin(std::process::Stdio::null())
            .output()
            .expect("openssl must be installed");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert!(asked("RSA-PSS+SHA256:ECDSA+SHA256").contains("Peer signature type: ECDSA"));
    // The authority signs with ECDSA, which such a client can check where it is said for
    // certificates; here the type of the key is what counts.
    assert!(asked("RSA-PSS+SHA256").contains("Peer signature type: RSA-PSS"));
}

#[test]
fn a_renewed_certificate_is_shown_and_no_connection_ends() {
    let origin = Origin::start();
    origin.answers("GET /a", text("hello").for_a_minute());
    let (authority, setup, _) = secure(&origin, "");
    let node = setup.start();
    let client = authority.client();
    let mut before = client.visits(node.address(), "shop.example");
    before.gets("/a", "shop.example", "hello");
    let renewed = authority.issues(&["shop.example", "new.example"]);
    renewed.write(node.file("").as_path(), "site");
    until("the new certificate is shown", || client.tries(node.address(), "new.example").is_ok());
    before.gets("/a", "shop.example", "hello");
    let after = client.visits(node.address(), "new.example");
    assert_ne!(before.shown(), after.shown());
    until("the log tells", || {
        let log = node.log_so_far();
        log.contains("RELOAD ok") && log.contains("certificates: 1 in use")
    });
}

#[test]
fn secrets_that_are_swapped_by_a_link_are_read_again() {
    let origin = Origin::start();
    origin.answers("GET /a", text("hello"));
    let authority = Authority::make();
    let setup = in_front_of(origin.address())
        .listening("[[listen]]\naddress = \"127.0.0.1:0\"\ntls = { folder = \"secret\" }\n");
    let folder = setup.folder().join("secret");
    // As Kubernetes mounts a secret: files are links through a link to a folder.
    let version = |name: &str, host: &str| {
        let issued = authority.issues(&[host]);
        let at = folder.join(name);
        fs::create_dir_all(&at).unwrap();
        fs::write(at.join("tls.crt"), &issued.chain).unwrap();
        fs::write(at.join("tls.key"), &issued.key).unwrap();
        let beside = folder.join("..new");
        symlink(name, &beside).unwrap();
        fs::rename(&beside, folder.join("..data")).unwrap();
    };
    version("..first", "one.example");
    for file in ["tls.crt", "tls.key"] {
        symlink(Path::new("..data").join(file), folder.join(file)).unwrap();
    }
    let node = setup.start();
    let client = authority.client();
    client.visits(node.address(), "one.example");
    version("..second", "two.example");
    until("what the link leads to is shown", || {
        client.tries(node.address(), "two.example").is_ok()
    });
}

#[test]
fn a_pair_that_is_wrong_keeps_the_old_one_and_says_so() {
    let origin = Origin::start();
    origin.answers("GET /a", text("hello"));
    let (authority, setup, curl) = secure(&origin, "");
    let node = setup.start();
    let well = "cistern_certificates_last_reload_successful";
    assert_eq!(metrics(&node).count(well, &[]), 1);
    let (other, key) = (authority.issues(&["new.example"]), node.file("site.key"));
    fs::write(&key, &other.key).unwrap();
    node.says("site.key: the key does not belong to the certificate; kept the old one");
    until("the log tells", || node.log_so_far().contains("RELOAD failed"));
    assert_eq!(metrics(&node).count(well, &[]), 0);
    curl.says(&[&url(&node, "shop.example", "/a")]).with_status(200);
    fs::write(node.file("site.pem"), &other.chain).unwrap();
    let client = authority.client();
    until("the whole pair is shown", || client.tries(node.address(), "new.example").is_ok());
    until("it is well again", || metrics(&node).count(well, &[]) == 1);
}

#[test]
fn what_is_missing_or_wrong_at_the_start_is_named() {
    let authority = Authority::make();
    let refused = |settings: &str, prepare: &dyn Fn(&Path)| {
        let setup = in_front_of("127.0.0.1:9").listening(settings);
        prepare(setup.folder());
        let (status, words) = setup.refused();
        assert_eq!(status.code(), Some(78), "{words}");
        words
    };
    let words = refused(PAIR, &|_| {});
    assert!(words.contains("cistern.toml:3 listen[0].tls: site.pem: No such file"), "{words}");
    let words = refused(PAIR, &|folder| {
        authority.issues(&["a"]).write(folder, "site");
        fs::write(folder.join("site.key"), authority.issues(&["a"]).key).unwrap();
    });
    assert!(words.contains("site.key: the key does not belong to the certificate"), "{words}");
    let words = refused(FOLDER, &|folder| fs::create_dir(folder.join("certs")).unwrap());
    assert!(words.contains("certs: no NAME.key with its NAME.pem"), "{words}");
    let words = refused(FOLDER, &|folder| {
        authority.issues(&["a"]).write(&folder.join("certs"), "other");
    });
    assert!(words.contains("no pair in the folder is called `shop`"), "{words}");
    let words = refused(FOLDER, &|folder| {
        authority.issues(&["a"]).write(&folder.join("certs"), "shop");
        fs::remove_file(folder.join("certs/shop.pem")).unwrap();
    });
    assert!(words.contains("certs/shop.pem: No such file"), "{words}");
    let words = refused("[[listen]]\naddress = \"unix:/run/c.sock\"\n", &|_| {});
    assert!(words.contains("sockets of Unix are not built yet"), "{words}");
    let words = refused("[[listen]]\ntls = { cert = \"a\" }\n", &|_| {});
    assert!(words.contains("`cert` has no `key`"), "{words}");
}

#[test]
fn an_expired_certificate_is_a_warning_a_metric_and_an_alert() {
    let origin = Origin::start();
    let (authority, setup, curl) = secure(&origin, "");
    authority.issues_expired(&["shop.example"]).write(setup.folder(), "site");
    let node = setup.start();
    node.says("warning: the certificate `site` has expired; clients will refuse it");
    let expiry = "cistern_certificate_expiry_timestamp_seconds";
    assert_eq!(metrics(&node).count(expiry, &[("certificate", "site")]), 1_577_836_800);
    let labels = [("alert", "certificate-expiry"), ("severity", "critical")];
    until("the alert is raised", || metrics(&node).count("cistern_alert_active", &labels) == 1);
    assert_eq!(curl.says(&[&url(&node, "shop.example", "/")]).code, 60);
    authority.issues(&["shop.example"]).write(node.file("").as_path(), "site");
    until("it is over", || metrics(&node).count("cistern_alert_active", &labels) == 0);
}

#[test]
fn a_session_is_resumed_and_handshakes_are_counted() {
    let origin = Origin::start();
    origin.answers("GET /a", text("hello"));
    let (authority, setup, _) = secure(&origin, "");
    let node = setup.start();
    let client = authority.client();
    let mut first = client.visits(node.address(), "shop.example");
    // The ticket comes with the answer.
    first.gets("/a", "shop.example", "hello");
    assert!(!first.is_resumed());
    let mut second = client.visits(node.address(), "shop.example");
    second.gets("/a", "shop.example", "hello");
    assert!(second.is_resumed());
    // What is no TLS costs its own connection and nobody else's.
    for junk in [&b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"[..], b"\x16\x03\x01\x00\x05hello", b"\0"] {
        let mut stream = TcpStream::connect(node.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(junk).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut came = Vec::new();
        // A reset is an end too.
        stream.read_to_end(&mut came).ok();
        assert!(!came.starts_with(b"HTTP/1.1 2"), "{came:?}");
    }
    second.gets("/a", "shop.example", "hello");
    let count =
        |result| metrics(&node).count("cistern_tls_handshakes_total", &[("result", result)]);
    until("failures are counted", || count("failed") == 3);
    assert_eq!((count("full"), count("resumed"), count("slow")), (1, 1, 0));
}

#[test]
fn what_is_refused_in_clear_is_refused_under_tls() {
    let origin = Origin::start();
    origin.answers("GET /a", text("hello").for_a_minute());
    let (authority, setup, _) = secure(&origin, "");
    let node = setup.start();
    let client = authority.client();
    for lines in [
        "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked, chunked\r\n",
        "Content-Length: 3\r\nContent-Length: 3\r\n",
        "Host: other.example\r\n",
        "X : 1\r\n",
    ] {
        let mut visit = client.visits(node.address(), "shop.example");
        visit.says(format!("POST /a HTTP/1.1\r\nHost: shop.example\r\n{lines}\r\nabc"));
        let answer = visit.hears_all();
        assert!(answer.starts_with("HTTP/1.1 400 "), "{lines}: {answer}");
        assert!(answer.contains("\"code\":\"bad-request\""), "{answer}");
    }
    assert_eq!(origin.asked("POST /a"), 0);
    // Requests in one write are answered in order, from the lane and from the library.
    let mut visit = client.visits(node.address(), "shop.example");
    visit.gets("/a", "shop.example", "hello");
    let one = |method: &str, close: &str| {
        format!("{method} /a HTTP/1.1\r\nHost: shop.example\r\n{close}\r\n")
    };
    visit.says([one("GET", ""), one("HEAD", ""), one("GET", "Connection: close\r\n")].concat());
    let all = visit.hears_all();
    assert_eq!(all.matches("HTTP/1.1 200 OK").count(), 3, "{all}");
    assert_eq!(all.matches("hello").count(), 2, "{all}");
    assert_eq!(origin.asked("GET /a"), 1);
}

#[test]
fn bodies_of_any_size_come_through_both_ways() {
    let origin = Origin::start();
    let large = (0..400_000).map(|n| format!("{n:06x}")).collect::<Vec<_>>().concat();
    origin.answers("GET /large", text(&large).for_a_minute());
    origin.answers("POST /form", text("taken"));
    let (_authority, setup, curl) = secure(&origin, "");
    let file = setup.folder().join("large");
    fs::write(&file, &large).unwrap();
    let node = setup.start();
    let at = url(&node, "shop.example", "/large");
    for _ in 0..2 {
        let came = curl.says(&[&at]).with_status(200);
        assert!(came.text() == large, "{} bytes came", came.body.len());
    }
    let part = curl.says(&["-r", "1000-1999", &at]).with_status(206);
    assert_eq!(part.text(), large[1_000..2_000]);
    let upload = format!("@{}", file.display());
    let form = url(&node, "shop.example", "/form");
    for more in [&["-H", "Expect:"][..], &["-H", "Transfer-Encoding: chunked"]] {
        let words = [&["--data-binary", &upload, &form][..], more].concat();
        assert_eq!(curl.says(&words).with_status(200).text(), "taken");
    }
}

#[test]
fn a_drain_lets_answers_under_tls_come_to_their_end() {
    let origin = Origin::start();
    origin.answers("GET /slow", text("at last"));
    let gate = origin.holds("GET /slow");
    let (authority, setup, _) = secure(&origin, "");
    let node = setup.start();
    let client = authority.client();
    let idle = client.visits(node.address(), "shop.example");
    let mut asked = client.visits(node.address(), "shop.example");
    asked.says("GET /slow HTTP/1.1\r\nHost: shop.example\r\n\r\n");
    gate.reached();
    node.signal("TERM");
    // Who asks for nothing is told the end at once, in the words of TLS.
    assert_eq!(idle.hears_all(), "");
    let waiting = thread::spawn(move || asked.hears_all());
    gate.open();
    let answer = waiting.join().unwrap();
    assert!(answer.ends_with("at last"), "{answer}");
    assert!(node.ended().success());
}

#[test]
fn a_certificate_to_throw_away_is_made_and_believed() {
    let origin = Origin::start();
    origin.answers("GET /a", text("hello"));
    let settings = "[[listen]]\naddress = \"127.0.0.1:0\"\ntls = { folder = \"certs\" }\n";
    let setup = in_front_of(origin.address()).listening(settings);
    let make = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cistern"));
        command.args(["certs", "dev"]).args(words).current_dir(setup.folder());
        let output = command.output().expect("the program runs");
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&said).into_owned())
    };
    let (code, said) = make(&[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("tls = { cert = \"certs/dev.pem\", key = \"certs/dev.key\" }"), "{said}");
    let (code, said) = make(&[]);
    assert!(code == Some(1) && said.contains("certs/dev.pem is there; --force"), "{said}");
    assert_eq!(make(&["--force"]).0, Some(0));
    assert_eq!(make(&["\u{f1}.example"]).0, Some(2));
    assert_eq!(make(&["--name", "../x"]).0, Some(2));
    let folder = setup.folder().join("certs");
    let mode = fs::metadata(folder.join("dev.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // The authority's key is nowhere.
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 3);
    let curl = Curl::believing(&folder.join("dev-ca.crt"));
    let node = setup.start();
    for name in ["localhost", "127.0.0.1"] {
        curl.says(&[&url(&node, name, "/a")]).with_status(200);
    }
    assert_eq!(curl.says(&[&url(&node, "other.example", "/a")]).code, 60);
}
