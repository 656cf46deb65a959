//! The program as its operator meets it: start, refusal, reload, drain.

use std::fs;
use std::os::unix::net::UnixDatagram;

use crate::support::PATIENCE;
use crate::support::cistern::in_front_of;
use crate::support::client::get;
use crate::support::origin::{Origin, text};

const ONE_ROUTE: &str = r#"
version = 1
[[route]]
name = "kept"
match = "GET /kept"
key = "kept"
ttl = "5m"
"#;

#[test]
fn it_leaves_with_zero_when_it_is_told_to() {
    for signal in ["TERM", "INT", "QUIT"] {
        let origin = Origin::start();
        let cistern = in_front_of(origin.address()).start();
        cistern.signal(signal);
        assert_eq!(cistern.ended().code(), Some(0), "after {signal}");
    }
}

#[test]
fn it_finishes_what_it_began_before_it_leaves() {
    let origin = Origin::start();
    origin.answers("GET /slow", text("whole"));
    let gate = origin.holds("GET /slow");
    let cistern = in_front_of(origin.address()).start();
    let slow = cistern.begin(&get("/slow"));
    gate.reached();
    cistern.signal("TERM");
    gate.open();
    assert_eq!(slow.finish().with_status(200).text(), "whole");
    assert_eq!(cistern.ended().code(), Some(0));
}

#[test]
fn rules_that_cannot_be_read_are_refused_with_their_place() {
    let rules = format!("{ONE_ROUTE}\nttll = \"1m\"\nshare = \"everybody\"\n");
    let (status, words) = in_front_of("127.0.0.1:9").rules(&rules).refused();
    assert_eq!(status.code(), Some(78), "{words}");
    assert!(words.contains("rules.toml:9"), "no place of the first error in: {words}");
    assert!(words.contains("rules.toml:10"), "only the first error in: {words}");
    assert!(words.contains("ttl"), "no remedy in: {words}");
}

#[test]
fn a_field_that_is_not_built_yet_is_refused() {
    let rules = format!("{ONE_ROUTE}refresh_ahead = 0.1\n");
    let (status, words) = in_front_of("127.0.0.1:9").rules(&rules).refused();
    assert_eq!(status.code(), Some(78), "{words}");
    assert!(words.contains("refresh_ahead") && words.contains("not built yet"), "{words}");
}

#[test]
fn an_unknown_option_is_wrong_usage() {
    let (status, words) = in_front_of("127.0.0.1:9").argument("--no-such-option").refused();
    assert_eq!(status.code(), Some(2), "{words}");
}

#[test]
fn rules_are_read_again_on_hangup() {
    let origin = Origin::start();
    origin.answers("GET /kept", text("x"));
    origin.answers("GET /new", text("x"));
    let cistern = in_front_of(origin.address())
        .rules(ONE_ROUTE)
        .setting("CISTERN_LOG__EVENTS", "stdout")
        .start();
    cistern.get("/kept");
    cistern.get("/kept").served_from_store();
    let second = ONE_ROUTE.replace("version = 1", "").replace("kept", "new");
    fs::write(cistern.file("rules.toml"), format!("{ONE_ROUTE}{second}")).unwrap();
    cistern.signal("HUP");
    cistern.says("RELOAD");
    cistern.get("/new");
    cistern.get("/new").served_from_store();
    cistern.get("/kept").served_from_store();
    // A bad file changes nothing and says where it is bad.
    fs::write(cistern.file("rules.toml"), "version = 1\n[[route]]\nmatch = 7\n").unwrap();
    cistern.signal("HUP");
    cistern.says("rules.toml:3");
    cistern.get("/new").served_from_store();
    cistern.get("/kept").served_from_store();
}

#[test]
fn the_program_tells_of_itself() {
    let told = |words: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_cistern"));
        let output = command.args(words).env_clear().output().expect("the binary");
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (code, text) = told(&["version", "--json"]);
    let version: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, version["version"].as_str()), (Some(0), Some(env!("CARGO_PKG_VERSION"))));
    for shell in ["bash", "zsh", "fish"] {
        let (code, text) = told(&["completion", shell]);
        assert_eq!(code, Some(0));
        assert!(text.contains("cistern") && text.contains("bypass"), "{shell}: {text}");
    }
    let (code, text) = told(&["man"]);
    assert!(code == Some(0) && text.contains(".TH cistern 1"), "{text}");
    let (code, text) = told(&["man", "purge"]);
    assert!(
        code == Some(0) && text.contains("cistern purge") && text.contains("SELECTOR"),
        "{text}"
    );
    assert_eq!(told(&["man", "nothing"]).0, Some(2));
    assert_eq!(told(&["completion", "nothing"]).0, Some(2));
}

#[test]
fn the_service_manager_is_told_how_it_goes() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let path = folder.join(format!("notify-{}", std::process::id()));
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let next = || {
        let mut said = [0; 1024];
        let length = manager.recv(&mut said).expect("the node tells its manager");
        String::from_utf8_lossy(&said[..length]).into_owned()
    };
    // What is no sign of life.
    let word = || {
        let mut told = next();
        while told.starts_with("WATCHDOG=1") {
            told = next();
        }
        told
    };
    let cistern = in_front_of("127.0.0.1:9")
        .rules(ONE_ROUTE)
        .setting("NOTIFY_SOCKET", path.to_str().unwrap())
        .setting("WATCHDOG_USEC", "400000")
        .start();
    let told = word();
    assert!(told.starts_with("READY=1\nSTATUS=cistern "), "{told}");
    for _ in 0..3 {
        assert!(next().starts_with("WATCHDOG=1"));
    }
    for (rules, status) in [(ONE_ROUTE, "rules in force"), ("version = x", "old ones kept")] {
        fs::write(cistern.file("rules.toml"), rules).unwrap();
        cistern.signal("HUP");
        let told = word();
        assert!(told.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{told}");
        let told = word();
        assert!(told.starts_with("READY=1\n") && told.contains(status), "{told}");
    }
    cistern.signal("TERM");
    assert!(word().starts_with("STOPPING=1\n"));
    assert_eq!(cistern.ended().code(), Some(0));
    fs::remove_file(path).unwrap();
}
