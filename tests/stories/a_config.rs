//! `config show`: what would run and where each value was said, with no secret in any word.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// Words that must be nowhere.
const SECRETS: [&str; 3] = ["hunter2", "swordfish", "c2VhbGluZw"];

/// A key ring with the last of them in it.
const RING: &str = "1:c2VhbGluZwc2VhbGluZwc2VhbGluZwc2VhbGluZwc2U=";

struct Place {
    folder: PathBuf,
}

impl Place {
    fn new(name: &str) -> Self {
        let name = format!("config-{}-{name}", std::process::id());
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&folder).unwrap();
        Self { folder }
    }

    fn file(self, name: &str, text: &str) -> Self {
        fs::write(self.folder.join(name), text).unwrap();
        self
    }

    /// What the binary says to these words, with nothing in its environment but these variables.
    fn says(&self, words: &[&str], environment: &[(&str, &str)]) -> Output {
        let output = Command::new(env!("CARGO_BIN_EXE_cistern"))
            .args(words)
            .current_dir(&self.folder)
            .env_clear()
            .envs(environment.iter().copied())
            .output()
            .unwrap();
        for text in [&output.stdout, &output.stderr] {
            let text = String::from_utf8_lossy(text);
            for secret in SECRETS {
                assert!(!text.contains(secret), "{words:?} tells {secret}: {text}");
            }
        }
        output
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.folder).ok();
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The line of a key in the table, its columns joined by single spaces.
fn line(output: &Output, key: &str) -> String {
    let all = text(&output.stdout);
    let line = all.lines().find(|line| line.split_whitespace().next() == Some(key));
    let line = line.unwrap_or_else(|| panic!("no {key} in: {all}"));
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn every_setting_is_shown_with_its_place_and_no_secret() {
    let place = Place::new("shown").file(
        "cistern.toml",
        "profile = \"rfc\"\n\n[l2]\nurl = \"redis://ann:swordfish@file:6379\"\nbudget = \"30ms\"\n",
    );
    let show = ["config", "show", "--config", "cistern.toml", "--listen", "127.0.0.1:0"];
    let environment = [
        ("REDIS_URL", "redis://ann:hunter2@cache:7000/3"),
        ("REDIS_PASSWORD", "hunter2"),
        ("CISTERN_KEY", RING),
        ("CISTERN_L1__SIZE", "1MB"),
        ("REDIS_SYNC_INTERVAL", "60"),
        ("REDIS_HOST", "another"),
        ("REDIS_CACHE_TTL", "300"),
    ];
    let output = place.says(&show, &environment);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    for (key, wanted) in [
        ("profile", "profile rfc cistern.toml:1"),
        ("l1.size", "l1.size 1MB CISTERN_L1__SIZE"),
        ("l1.policy", "l1.policy tinylfu built-in"),
        ("listen[0].address", "listen[0].address 127.0.0.1:0 --listen"),
        ("l2.url", "l2.url redis://ann:<hidden>@cache:7000/3 REDIS_URL"),
        ("l2.budget", "l2.budget 30ms cistern.toml:5"),
        ("l2.db", "l2.db 3 REDIS_URL"),
        ("l2.password", "l2.password <hidden> REDIS_PASSWORD"),
        ("l2.keys", "l2.keys <hidden> CISTERN_KEY"),
        ("sync.interval", "sync.interval 1m REDIS_SYNC_INTERVAL"),
        ("sync.rate", "sync.rate 10 built-in"),
        ("REDIS_CACHE_TTL", "REDIS_CACHE_TTL 5m environment"),
    ] {
        assert_eq!(line(&output, key), wanted);
    }
    let told = text(&output.stderr);
    assert!(told.contains("warning: REDIS_HOST has no effect: REDIS_URL counts"), "{told}");
    let json = place.says(&[&show[..], &["--json"]].concat(), &environment);
    let document: Value = serde_json::from_slice(&json.stdout).unwrap();
    let rows = document["settings"].as_array().unwrap();
    let row = rows.iter().find(|row| row["key"] == "l2.db").unwrap();
    assert_eq!((&row["value"], &row["from"]), (&3.into(), &"REDIS_URL".into()));
    assert_eq!(document["warnings"].as_array().unwrap().len(), 1);
}

#[test]
fn the_file_alone_and_nothing_at_all_are_shown_too() {
    let place = Place::new("plain")
        .file("cistern.toml", "[l2]\nurl = \"redis://:swordfish@file\"\nkeys_file = \"keys\"\n")
        .file("keys", &format!("{RING}\n"));
    let output = place.says(&["config", "show", "--config", "cistern.toml"], &[]);
    assert_eq!(line(&output, "l2.url"), "l2.url redis://:<hidden>@file cistern.toml:2");
    assert_eq!(line(&output, "l2.keys_file"), "l2.keys_file keys cistern.toml:3");
    let output = place.says(&["config", "show"], &[("REDIS_URL", "")]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(line(&output, "l2"), "l2 none built-in");
    let output = place.says(&["config", "show"], &[("CISTERN_CONFIG", "cistern.toml")]);
    assert_eq!(line(&output, "l2.prefix"), "l2.prefix cistern: built-in");
}

#[test]
fn what_is_wrong_is_told_without_the_secret() {
    let place = Place::new("wrong")
        .file("broken.toml", "[l2]\nurl = \"redis://:swordfish@h\n")
        .file("both.toml", "[l2]\nurl = \"redis://:swordfish@h\"\nnodes = [\"swordfish@a\"]\n")
        .file("nodes.toml", "[l2]\nnodes = [\"redis://:swordfish@a\"]\nmode = \"cluster\"\n");
    let refused = |words: &[&str], environment: &[(&str, &str)], remedy: &str| {
        for verb in [&["config", "show"][..], &["run", "--check-only"], &["run"]] {
            let output = place.says(&[verb, words].concat(), environment);
            let told = text(&output.stderr);
            assert_eq!(output.status.code(), Some(78), "{told}");
            assert!(told.contains(remedy), "{told}");
        }
    };
    refused(&["--config", "broken.toml"], &[], "broken.toml:2");
    refused(&["--config", "both.toml"], &[], "both.toml:3 l2.nodes");
    refused(&["--config", "nodes.toml"], &[], "number 1 is not HOST:PORT");
    refused(&[], &[("REDIS_URL", "redis://:hun/hunter2@cache")], "REDIS_URL");
    refused(&[], &[("REDIS_URL", "http://ann:hunter2@cache")], "redis+cluster://");
    refused(&[], &[("REDIS_HOST", "redis://:hunter2@cache")], "REDIS_HOST");
    refused(&[], &[("REDIS_URL", "redis://h"), ("CISTERN_L2__PASSWORD", "hunter2")], "password");
    refused(&[], &[("REDIS_PASSWORD", "hunter2"), ("REDIS_PASSWORD_FILE", "x")], "one of them");
    refused(&[], &[("REDIS_CACHE_TTL", "soon")], "REDIS_CACHE_TTL");
    refused(&[], &[("REDIS_URL", "redis://hunter2@cache")], "REDIS_URL: a user");
    refused(&[], &[("REDIS_URL", "redis://h"), ("CISTERN_KEY", "1:hunter2")], "CISTERN_KEY: key 1");
    refused(&[], &[("CISTERN_KEY", "1:hunter2")], "CISTERN_KEY: key 1");
    let endless = [("REDIS_URL", "redis://h"), ("REDIS_PASSWORD_FILE", "/dev/zero")];
    refused(&[], &endless, "REDIS_PASSWORD_FILE: /dev/zero: it is not a regular file");
    let doctor = place.says(&["doctor"], &[("REDIS_URL", "redis://hunter2@cache")]);
    assert_eq!(doctor.status.code(), Some(78));
}

#[test]
fn certificates_that_nobody_can_use_end_the_start() {
    let pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let place = Place::new("tls")
        .file("c.toml", "[l2]\nurl = \"rediss://h\"\nca = \"ca.pem\"\n")
        .file("ca.pem", pem);
    for verb in [&["run", "--check-only"][..], &["run", "--origin", "http://127.0.0.1:9"]] {
        let output = place.says(&[verb, &["--config", "c.toml"]].concat(), &[]);
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(78), "{told}");
        assert!(told.contains("the shared level: TLS: "), "{told}");
    }
}

#[test]
fn help_repeats_no_variable() {
    let place = Place::new("help");
    let environment = [
        ("REDIS_URL", "redis://:hunter2@cache"),
        ("REDIS_PASSWORD", "hunter2"),
        ("CISTERN_KEY", RING),
    ];
    for words in
        [&["--help"][..], &["run", "--help"], &["config", "--help"], &["config", "show", "--help"]]
    {
        let output = place.says(words, &environment);
        assert_eq!(output.status.code(), Some(0));
    }
    let output = place.says(&["config", "show", "--no-such"], &environment);
    assert_eq!(output.status.code(), Some(2));
}
