//! The Host that the origin gets: as the client wrote it where the answer is its alone, in one
//! spelling where others may share the answer.

use crate::support::cistern::{Cistern, in_front_of};
use crate::support::client::{Ask, ask, get};
use crate::support::stage::{Stage, message};
use crate::support::wire::Wire;

const MINUTE: &str = "Cache-Control: max-age=60";

/// The Host and the `X-Forwarded-Host` that the origin sees.
fn seen(stage: &Stage, cistern: &Cistern, ask: &Ask, what: &str) -> [Option<String>; 2] {
    let asked = cistern.begin(ask);
    let scene = stage.expects(what);
    let hosts = ["host", "x-forwarded-host"].map(|name| scene.field(name).map(str::to_owned));
    scene.answers(message(200, &[MINUTE], "x"));
    asked.finish().with_status(200);
    hosts
}

fn both(host: &str) -> [Option<String>; 2] {
    [Some(host.to_owned()), Some(host.to_owned())]
}

#[test]
fn writes_and_what_passes_keep_the_clients_spelling() {
    let stage = Stage::start();
    let cistern = in_front_of(stage.address()).start();
    let written = "Shop.EXAMPLE:80";
    let passed = get("/a").header("X-Scheme", "none");
    for (ask, what) in
        [(ask("POST", "/a"), "POST /a"), (ask("OPTIONS", "/a"), "OPTIONS /a"), (passed, "GET /a")]
    {
        assert_eq!(seen(&stage, &cistern, &ask.host(written), what), both(written), "{what}");
    }
    // The target's own authority stands above Host (RFC 9112, 3.2.2).
    let ask = ask("PUT", "http://Other.Example:80/a").host("ignored.example");
    assert_eq!(seen(&stage, &cistern, &ask, "PUT /a"), both("Other.Example:80"));
}

#[test]
fn a_host_that_nobody_sent_is_not_invented() {
    let stage = Stage::start();
    let cistern = in_front_of(stage.address()).start();
    let mut old = Wire::open(cistern.address());
    old.sends(b"POST /a HTTP/1.0\r\nContent-Length: 0\r\n\r\n");
    let scene = stage.expects("POST /a");
    assert_eq!(scene.field("host"), Some(""));
    scene.answers(message(200, &[], "x"));
    assert_eq!(old.head().status, 200);
}

#[test]
fn what_others_may_share_is_asked_for_in_one_spelling() {
    let stage = Stage::start();
    let cistern = in_front_of(stage.address()).start();
    let odd = get("/a").host("Shop.EXAMPLE:80");
    assert_eq!(seen(&stage, &cistern, &odd, "GET /a"), both("shop.example"));
    cistern.send(&get("/a").host("shop.example")).served_from_store();
    cistern.send(&odd).served_from_store();
    let part = get("/b").host("Shop.EXAMPLE").header("Range", "bytes=0-0");
    assert_eq!(seen(&stage, &cistern, &part, "GET /b"), both("shop.example"));
    stage.was_asked_no_more();
}

#[test]
fn a_trusted_peers_spelling_is_nobody_elses() {
    let stage = Stage::start();
    let config = "[trust]\npeers = [\"127.0.0.0/8\"]\n";
    let cistern = in_front_of(stage.address()).config(config).start();
    let told = get("/a").host("shop.example").header("X-Forwarded-Host", "SHOP.example");
    assert_eq!(seen(&stage, &cistern, &told, "GET /a"), both("shop.example"));
    cistern.send(&get("/a").host("shop.example")).served_from_store();
}

#[test]
fn a_post_that_may_be_kept_is_sent_in_one_spelling_too() {
    let stage = Stage::start();
    let cistern = in_front_of(stage.address()).profile("rfc").start();
    let post = ask("POST", "/a").host("Shop.EXAMPLE");
    assert_eq!(seen(&stage, &cistern, &post, "POST /a"), both("shop.example"));
}

const FIXED: &str = r#"
version = 1
[origin.api]
url = "http://ORIGIN"
host = "Inner.example"
[[route]]
name = "all"
match = "* /{rest...}"
key = "{rest}"
origin = "api"
"#;

#[test]
fn a_fixed_host_is_all_that_the_origin_learns() {
    let stage = Stage::start();
    let rules = FIXED.replace("ORIGIN", stage.address());
    let config = "[trust]\npeers = [\"127.0.0.0/8\"]\n";
    let cistern = in_front_of(stage.address()).config(config).rules(&rules).start();
    let fixed = [Some("Inner.example".to_owned()), None];
    let post = ask("POST", "/a").host("Shop.EXAMPLE");
    assert_eq!(seen(&stage, &cistern, &post, "POST /a"), fixed);
    let read = get("/a").host("shop.example").header("X-Forwarded-Host", "shop.example");
    assert_eq!(seen(&stage, &cistern, &read, "GET /a"), fixed);
    cistern.send(&get("/a").host("other.example")).served_from_store();
}
