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
    for name in [
        "X-Original-URL",
        "X-Host",
        "X-Forwarded-Port",
        "X-Envoy-Original-Path",
        "X-Scheme",
        "X-Now-Route-Matches",
        "X-Invoke-Path",
        "X-Matched-Path",
        "X-Middleware-Prefetch",
    ] {
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

#[test]
fn an_expectation_shapes_no_answer_that_others_get() {
    let origin = Origin::start();
    stored(&origin);
    let cistern = in_front_of(origin.address()).start();
    cistern.send(&get("/a").header("Expect", "the unexpected")).served_by_origin();
    let seen = origin.last("GET /a").to_ascii_lowercase();
    assert!(!seen.contains("expect"), "{seen}");
    cistern.get("/a").served_from_store();
}

#[test]
fn connection_takes_a_field_away_before_anything_is_keyed_by_it() {
    let origin = Origin::start();
    origin.answers("GET /a", text("for all").for_a_minute().field("Vary: Accept-Language"));
    let cistern = in_front_of(origin.address()).start();
    let lie = get("/a")
        .header("Accept-Language", "fr")
        .header("Connection", "keep-alive, accept-language");
    cistern.send(&lie).served_by_origin();
    assert!(!origin.last("GET /a").contains("accept-language"));
    cistern.send(&get("/a").header("Accept-Language", "fr")).served_by_origin();
    cistern.get("/a").served_from_store();
}

#[test]
fn addresses_of_strangers_do_not_reach_the_origin() {
    let origin = Origin::start();
    stored(&origin);
    let cistern = in_front_of(origin.address()).start();
    for name in ["True-Client-IP", "CF-Connecting-IP", "Client-IP", "Proxy"] {
        cistern.send(&get(&format!("/{name}")).header(name, "6.6.6.6"));
        assert!(!origin.last(&format!("GET /{name}")).contains("6.6.6.6"), "{name}");
    }
}

const KEYED: &str = r#"
version = 1
[[route]]
name = "mine"
match = "GET /me"
key = "me:{identity}:{header.accept-language|default(none)}"
query.ignore = ["utm_*"]
ttl = "5m"

[[route]]
name = "search"
match = "POST /search"
key = "search:{req.json:/q}"
ttl = "5m"
share = "public"
"#;

#[test]
fn a_write_takes_what_its_writer_could_not_have_read() {
    let origin = Origin::start();
    origin.answers("GET /me?utm_source=x", text("old"));
    origin.answers("GET /me", text("new"));
    origin.answers("PUT /me", text("done"));
    let cistern = in_front_of(origin.address()).rules(KEYED).start();
    let reader = get("/me?utm_source=x").bearer("one").header("Accept-Language", "es");
    cistern.send(&reader).served_by_origin();
    cistern.send(&reader).served_from_store();
    cistern.send(&ask("PUT", "/me").bearer("two")).with_status(200);
    let again = get("/me").bearer("one").header("Accept-Language", "es");
    assert_eq!(cistern.send(&again).served_by_origin().text(), "new");
}

#[test]
fn a_read_by_its_body_is_kept_by_its_body() {
    let origin = Origin::start();
    origin.answers("POST /search", text("found"));
    let cistern = in_front_of(origin.address()).rules(KEYED).start();
    let search = |q: &str| ask("POST", "/search").json(&serde_json::json!({ "q": q }));
    cistern.send(&search("a")).with_status(200).served_by_origin();
    cistern.send(&search("a")).served_from_store();
    cistern.send(&search("b")).served_by_origin();
    cistern.send(&search("a").header("If-Match", "\"x\"")).with_status(200);
    assert_eq!(origin.asked("POST /search"), 3);
}

#[test]
fn a_rule_that_shares_no_longer_finds_nothing_that_was_shared() {
    let origin = Origin::start();
    origin.answers("GET /page", text("of one"));
    let rules = |share: &str| {
        format!(
            "version = 1\n[[route]]\nname = \"page\"\nmatch = \"GET /page\"\nkey = \"page\"\n\
             ttl = \"5m\"\nshare = \"{share}\"\n"
        )
    };
    let cistern = in_front_of(origin.address())
        .rules(&rules("public"))
        .setting("CISTERN_LOG__EVENTS", "stdout")
        .start();
    cistern.send(&get("/page").bearer("one")).served_by_origin();
    cistern.get("/page").served_from_store();
    std::fs::write(cistern.file("rules.toml"), rules("identity")).unwrap();
    cistern.signal("HUP");
    cistern.says("RELOAD ok");
    cistern.get("/page").served_by_origin();
}
