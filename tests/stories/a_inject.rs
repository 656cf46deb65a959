//! The member that `inject` puts into answers: where it goes, and what becomes of answers that
//! cannot take it.

use crate::support::cistern::in_front_of;
use crate::support::stage::{Stage, head_of};
use crate::support::wire::Wire;

const RULES: &str = r#"
version = 1
[[route]]
name = "item"
match = "GET /items/{id}"
key = "item:{id}"
ttl = "5m"
inject = "_cache"
"#;

const JSON: &str = "Content-Type: application/json";

#[test]
fn an_answer_that_breaks_off_shows_what_came() {
    let stage = Stage::start();
    let cistern = in_front_of(stage.address()).rules(RULES).start();
    for (framing, came) in
        [("Content-Length: 8", "{\"id\""), ("Transfer-Encoding: chunked", "5\r\n{\"id\"\r\n")]
    {
        let mut reader = Wire::asking(cistern.address(), "GET /items/1", &[]);
        let mut scene = stage.expects("GET /items/1");
        scene.says(format!("{}{came}", head_of(200, &[JSON, framing])));
        scene.hangs_up();
        let head = reader.head();
        assert_eq!(head.status, 200, "{framing}");
        assert_eq!(reader.rest(&head, 0).cut(), b"{\"id\"", "{framing}");
    }
}
