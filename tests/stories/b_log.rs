//! What the access log says of answers that end well and of those that do not.

use serde_json::Value;

use crate::support::cistern::in_front_of;
use crate::support::client::{ask, get};
use crate::support::stage::{Stage, chunk, head_of, message};
use crate::support::wire::Wire;

const MINUTE: &str = "Cache-Control: max-age=60";

/// The lines of the access log, once there are so many.
fn lines(cistern: &crate::support::cistern::Cistern, count: usize) -> Vec<Value> {
    let file = cistern.file("access.log");
    let began = std::time::Instant::now();
    loop {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        if text.matches('\n').count() >= count {
            return text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        }
        assert!(began.elapsed() < crate::support::PATIENCE, "only these lines came: {text}");
        std::thread::yield_now();
    }
}

#[test]
fn the_access_log_tells_whole_answers_from_cut_ones() {
    let stage = Stage::start();
    let cistern = in_front_of(stage.address()).setting("CISTERN_LOG__ACCESS", "access.log").start();
    let whole = [
        ("GET /a", message(200, &[MINUTE], "kept")),
        ("GET /b", message(200, &[], "passed")),
        ("PUT /c", message(204, &[], "")),
        ("HEAD /d", head_of(200, &["Content-Length: 7"])),
        ("GET /e", message(200, &[MINUTE], "")),
    ];
    for (what, answer) in &whole {
        let (method, target) = what.split_once(' ').unwrap();
        let asked = cistern.begin(&ask(method, target));
        stage.expects(what).answers(answer);
        asked.finish();
    }
    let asked = cistern.begin(&get("/chunked"));
    let head = head_of(200, &[MINUTE, "Transfer-Encoding: chunked"]);
    let body = [head.into_bytes(), chunk(b"12345"), b"0\r\n\r\n".to_vec()].concat();
    stage.expects("GET /chunked").answers(body);
    asked.finish();
    let bytes: Vec<_> = lines(&cistern, 6)
        .iter()
        .map(|line| {
            // Only what broke off says more than this.
            assert_ne!(line["complete"], Value::Bool(false), "{line}");
            line["bytes"].as_u64().unwrap()
        })
        .collect();
    assert_eq!(bytes, [4, 6, 0, 0, 0, 5]);
    let mut cut = Wire::asking(cistern.address(), "GET /cut", &[]);
    let mut scene = stage.expects("GET /cut");
    scene.says(head_of(200, &[MINUTE, "Content-Length: 7"])).says("123");
    let head = cut.head();
    scene.hangs_up();
    assert_eq!(cut.rest(&head, 0).cut(), b"123");
    let last = lines(&cistern, 7).pop().unwrap();
    assert_eq!((&last["complete"], last["bytes"].as_u64()), (&Value::Bool(false), Some(3)));
}
