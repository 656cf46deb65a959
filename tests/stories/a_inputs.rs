//! What a client may send besides its target: what no key holds must not shape what others get, and
//! what changes something must not be taken for a read.

use crate::support::cistern::in_front_of;
use crate::support::client::{ask, get};
use crate::support::origin::{Origin, text};

fn stored(origin: &Origin) {
    origin.answers("GET /a", text("one").for_a_minute());
}

#[test]
fn an_override_of_the_target_keeps_a_request_out_of_the_cache() {
    let origin = Origin::start();
    stored(&origin);
    let cistern = in_front_of(origin.address()).start();
    for name in ["X-Original-URL", "X-Rewrite-URL", "X-Host", "X-Forwarded-Server"] {
        let odd = get("/a").header(name, "/other");
        cistern.send(&odd).with_status(200).passed_because("unkeyed-input");
    }
    cistern.get("/a").served_by_origin();
    cistern.get("/a").served_from_store();
}

#[test]
fn an_override_of_the_method_counts_as_a_write() {
    let origin = Origin::start();
    stored(&origin);
    let cistern = in_front_of(origin.address()).start();
    cistern.get("/a").served_by_origin();
    cistern.get("/a").served_from_store();
    cistern.send(&get("/a").header("X-HTTP-Method-Override", "DELETE")).served_by_origin();
    cistern.get("/a").served_by_origin();
    assert_eq!(origin.asked("GET /a"), 3);
}

#[test]
fn a_body_on_a_read_passes() {
    let origin = Origin::start();
    stored(&origin);
    let cistern = in_front_of(origin.address()).start();
    let odd = get("/a").json(&serde_json::json!({ "id": 1 }));
    cistern.send(&odd).with_status(200).passed_because("unkeyed-input");
}

#[test]
fn an_offer_to_speak_http_2_changes_nothing() {
    let origin = Origin::start();
    stored(&origin);
    origin.answers("POST /a", text("done"));
    let cistern = in_front_of(origin.address()).start();
    let offer = |method: &str| {
        ask(method, "/a")
            .header("Connection", "Upgrade, HTTP2-Settings")
            .header("Upgrade", "h2c")
            .header("HTTP2-Settings", "AAMAAABkAAQAAP__")
    };
    cistern.send(&offer("GET")).served_by_origin();
    cistern.send(&offer("GET")).served_from_store();
    cistern.send(&offer("POST")).with_status(200);
    cistern.get("/a").served_by_origin();
}

#[test]
fn what_the_proxy_writes_itself_selects_nothing() {
    let origin = Origin::start();
    for name in ["X-Forwarded-For", "Forwarded", "Via"] {
        let reply = text("for you").for_a_minute().field(&format!("Vary: {name}"));
        origin.answers(&format!("GET /{name}"), reply);
        let cistern = in_front_of(origin.address()).start();
        cistern.get(&format!("/{name}")).passed_because("vary-star");
        cistern.get(&format!("/{name}")).served_by_origin();
    }
}

#[test]
fn forwarding_fields_of_strangers_do_not_reach_the_origin() {
    let origin = Origin::start();
    stored(&origin);
    let cistern = in_front_of(origin.address()).start();
    let lie = get("/a").header("X-Forwarded-Host", "evil.example").header("Forwarded", "for=evil");
    cistern.send(&lie).served_by_origin();
    cistern.get("/a").served_from_store();
    let seen = origin.last("GET /a");
    assert!(!seen.contains("evil"), "{seen}");
    assert!(seen.to_ascii_lowercase().contains("x-forwarded-for: 127.0.0.1"), "{seen}");
}
