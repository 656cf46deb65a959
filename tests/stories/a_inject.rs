//! The member that `inject` puts into answers: where it goes, and what becomes of answers that
//! cannot take it.

use serde_json::{Value, json};

use crate::support::cistern::in_front_of;
use crate::support::client::{Ask, ask, get};
use crate::support::origin::{Origin, Reply, text};
use crate::support::stage::{Stage, head_of};
use crate::support::wire::Wire;

const RULES: &str = r#"
version = 1
[[route]]
name = "item"
match = ["GET /items/{id}", "PUT /items/{id}"]
key = "item:{id}"
ttl = "5m"
bypass = "query.past"
inject = "_cache"
json_max = "100B"
[[route]]
name = "past"
match = "GET /past"
mode = "pass"
inject = "_cache"
[[route]]
name = "asked"
match = "POST /asked"
key = "asked:{req.json:/id}"
inject = "_cache"
"#;

const JSON: &str = "Content-Type: application/json";

/// What the origin says, and what becomes of it.
const PLAIN: &str = "{\"id\":1}";

fn injected(hit: bool, ttl: u32, key: Option<&str>) -> Value {
    json!({ "id": 1, "_cache": { "hit": hit, "ttl": ttl, "key": key } })
}

#[test]
fn every_read_has_the_member_wherever_its_answer_comes_from() {
    let origin = Origin::start();
    let plain = text(PLAIN).field(JSON);
    let own = plain.clone().field("Cache-Control: no-store");
    origin.answers("GET /items/1", plain.clone()).answers("GET /items/2", own);
    origin.answers("GET /items/1?past", plain.clone()).answers("GET /past", plain.clone());
    origin.answers("POST /asked", plain.clone()).answers("PUT /items/1", plain);
    let cistern = in_front_of(origin.address()).rules(RULES).start();
    let whole = |ask: &Ask| {
        let answer = cistern.send(ask).with_status(200);
        let length = answer.get("content-length").expect("a length of its own");
        assert_eq!(length, answer.body.len().to_string());
        answer.json()
    };
    assert_eq!(whole(&get("/items/1")), injected(false, 300, Some("item:1")), "a miss");
    let hit = whole(&get("/items/1"));
    assert_eq!((&hit["_cache"]["hit"], &hit["_cache"]["key"]), (&json!(true), &json!("item:1")));
    assert_eq!(whole(&get("/items/2")), injected(false, 0, Some("item:2")), "not stored");
    assert_eq!(whole(&get("/items/2")), injected(false, 0, Some("item:2")), "not waited for");
    assert_eq!(whole(&get("/items/1?past")), injected(false, 0, None), "a bypass");
    assert_eq!(whole(&get("/past")), injected(false, 0, None), "a route that only passes");
    let keyed = ask("POST", "/asked").json(&json!({ "id": 1 }));
    assert_eq!(whole(&keyed), injected(false, 0, Some("asked:1")), "a read by its body");
    let keyless = ask("POST", "/asked").json(&json!({}));
    assert_eq!(whole(&keyless), injected(false, 0, None), "one without its key");
    assert_eq!(whole(&ask("PUT", "/items/1")), json!({ "id": 1 }), "a write is no read");
}

#[test]
fn what_was_true_of_the_other_bytes_is_said_no_more() {
    let origin = Origin::start();
    let tagged = text(PLAIN).field(JSON).field("ETag: \"1\"");
    let tagged = tagged.field("Content-Digest: sha-256=:AA==:").field("Accept-Ranges: bytes");
    origin.answers("GET /past", tagged.clone()).answers("HEAD /past", tagged);
    let cistern = in_front_of(origin.address()).rules(RULES).start();
    let whole = cistern.get("/past").with_status(200);
    assert_eq!(whole.json(), injected(false, 0, None));
    let head = cistern.send(&ask("HEAD", "/past")).with_status(200);
    assert_eq!(head.get("content-length"), None);
    for answer in [whole, head] {
        assert_eq!(answer.get("etag").as_deref(), Some("W/\"1\""));
        assert_eq!((answer.get("content-digest"), answer.get("accept-ranges")), (None, None));
    }
}

#[test]
fn a_head_that_joins_a_fetch_promises_no_length() {
    let stage = Stage::start();
    let cistern = in_front_of(stage.address()).rules(RULES).start();
    let mut reader = Wire::asking(cistern.address(), "GET /items/1", &[]);
    let mut scene = stage.expects("GET /items/1");
    scene.says(head_of(200, &[JSON, "Content-Length: 8", "ETag: \"1\""]));
    let mut probe = Wire::asking(cistern.address(), "HEAD /items/1", &[]);
    let head = probe.head();
    assert_eq!((head.field("content-length"), head.field("etag")), (None, Some("W/\"1\"")));
    scene.answers(PLAIN);
    let body: Value = serde_json::from_str(&reader.answer().1).expect("JSON");
    assert_eq!(body, injected(false, 300, Some("item:1")));
}

#[test]
fn what_cannot_take_the_member_passes_as_it_is() {
    let origin = Origin::start();
    let long = format!("{{\"id\":\"{}\"}}", "x".repeat(100));
    let cases = [
        ("1", text("[1]").field(JSON)),
        ("2", text(PLAIN).field("Content-Type: text/plain")),
        ("3", text(&long).field(JSON)),
        ("4", text("{\"id\"").field(JSON)),
    ];
    let cistern = in_front_of(origin.address()).rules(RULES).start();
    for (id, reply) in cases {
        let reply = reply.field("ETag: \"1\"");
        let own = reply.clone().field("Cache-Control: no-store");
        let plain = said(&origin, id, reply);
        for target in [format!("/items/{id}"), format!("/items/{id}?past")] {
            let answer = cistern.get(&target).with_status(200);
            assert_eq!(
                (answer.text(), answer.get("etag").as_deref()),
                (plain.clone(), Some("\"1\""))
            );
        }
        let hit = cistern.get(&format!("/items/{id}")).served_from_store();
        assert_eq!(hit.text(), plain);
        origin.answers(&format!("GET /items/{id}0"), own);
        assert_eq!(cistern.get(&format!("/items/{id}0")).text(), plain);
    }
}

/// Lets the origin answer so, and gives what it says when asked directly.
fn said(origin: &Origin, id: &str, reply: Reply) -> String {
    for target in [format!("/items/{id}"), format!("/items/{id}?past")] {
        origin.answers(&format!("GET {target}"), reply.clone());
    }
    get(&format!("/items/{id}")).to(origin.address()).text()
}

#[test]
fn an_answer_that_breaks_off_shows_what_came() {
    let stage = Stage::start();
    let cistern = in_front_of(stage.address()).rules(RULES).start();
    for what in ["GET /items/1", "GET /past"] {
        for (framing, came) in
            [("Content-Length: 8", "{\"id\""), ("Transfer-Encoding: chunked", "5\r\n{\"id\"\r\n")]
        {
            let mut reader = Wire::asking(cistern.address(), what, &[]);
            let mut scene = stage.expects(what);
            scene.says(format!("{}{came}", head_of(200, &[JSON, framing])));
            scene.hangs_up();
            let head = reader.head();
            assert_eq!(head.status, 200, "{what} {framing}");
            assert_eq!(reader.rest(&head, 0).cut(), b"{\"id\"", "{what} {framing}");
        }
    }
}
