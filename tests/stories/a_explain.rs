//! `cistern explain` as its operator meets it: before a running node, and from files alone.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::cistern::in_front_of;
use crate::support::stage::{Stage, message};

const RULES: &str = r#"
version = 1
[[route]]
name = "ask"
match = "POST /search"
key = "search:{req.json:/q}"
ttl = "1m"
"#;

/// Runs it in a folder; its exit code and what it said on both streams.
fn explain(folder: &Path, words: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cistern"));
    let done = command.arg("explain").args(words).current_dir(folder).output().expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (done.status.code().expect("an exit code"), text(&done.stdout), text(&done.stderr))
}

fn json(folder: &Path, words: &[&str]) -> Value {
    let all = [words, &["--json"]].concat();
    let (code, said, wrong) = explain(folder, &all);
    assert_eq!(code, 0, "{words:?}: {wrong}");
    serde_json::from_str(&said).expect("one JSON document")
}

#[test]
fn a_node_and_its_files_explain_alike() {
    let stage = Stage::with(|_| Some(message(200, &["Cache-Control: max-age=60"], "x")));
    let trust = "[trust]\npeers = [\"10.0.0.0/8\"]\n";
    let cistern = in_front_of(stage.address()).rules(RULES).config(trust).start();
    let folder = cistern.file("");
    std::fs::write(folder.join("body.json"), "{\"q\":\"lamp\"}").unwrap();
    let origin = format!("[origin.o]\nurl = \"http://{}\"\n", stage.address());
    std::fs::write(folder.join("whole.toml"), format!("{RULES}{origin}")).unwrap();
    let admin = format!("http://{}", cistern.admin());
    let places: [&[&str]; 2] =
        [&["--admin", &admin], &["--config", "cistern.toml", "--rules", "whole.toml"]];
    for place in places {
        let asked = |words: &[&str]| json(&folder, &[words, place].concat());
        for data in ["{\"q\":\"lamp\"}", "@body.json"] {
            let told = asked(&["POST", "/search", "--data", data]);
            assert_eq!((&told["rule"], &told["key"]), (&"ask".into(), &"search:lamp".into()));
            assert_eq!(told["parts"][0]["value"], "lamp");
        }
        let words = ["GET", "http://h/a", "-H", "X-Original-URL: /b", "--from"];
        let from = |address| asked(&[&words[..], &[address]].concat())["reason"].clone();
        assert_eq!(from("192.0.2.1"), "unkeyed-input");
        assert_eq!(from("10.1.2.3"), Value::Null);
    }
}

#[test]
fn what_is_no_request_is_wrong_usage() {
    let cistern = in_front_of("127.0.0.1:9").start();
    let folder = cistern.file("");
    let admin = format!("http://{}", cistern.admin());
    std::fs::write(folder.join("rules.toml"), RULES).unwrap();
    for place in [["--admin", admin.as_str()], ["--rules", "rules.toml"]] {
        for (words, says) in [
            (&["GET", "ftp://h/a"][..], "http://"),
            (&["GET", "shop.example"], "neither a URL nor a path"),
            (&["G T", "/a"], "not a method"),
            (&["GET", "/a", "-H", "nothing"], "-H"),
            (&["GET", "/a", "--from", "here"], "--from"),
            (&["POST", "/a", "-d", "@no-such-file"], "no-such-file"),
        ] {
            let (code, _, wrong) = explain(&folder, &[words, &place].concat());
            assert_eq!(code, 2, "{words:?}: {wrong}");
            assert!(wrong.contains(says), "{words:?}: {wrong}");
        }
    }
    let (code, _, wrong) = explain(&folder, &["GET", "/a", "--admin", &admin, "--profile", "rfc"]);
    assert_eq!(code, 2, "{wrong}");
    std::fs::write(folder.join("bad.toml"), "trusted = 1\n").unwrap();
    let (code, _, wrong) = explain(&folder, &["GET", "/a", "--config", "bad.toml"]);
    assert_eq!(code, 78, "{wrong}");
}
