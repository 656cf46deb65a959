//! What the origin says, told apart.

use std::sync::Mutex;

use super::*;
use crate::engine::samples::{Origin, message, read, worker};

/// The one entry that stands here.
async fn only(worker: &Worker) -> Target {
    let mut standing = Standing::of(Of::L1);
    let page = standing.next(&worker.engine, &[Selector::All]).await.unwrap().unwrap();
    assert!(standing.next(&worker.engine, &[Selector::All]).await.unwrap().is_none());
    let [target] = <[Target; 1]>::try_from(page).unwrap();
    target
}

/// What the origin says to `GET /a`, and what it says after the first answer.
async fn compared(first: &str, then: Option<String>) -> Outcome {
    compared_by("", first, then).await
}

/// The same under these rules.
async fn compared_by(rules: &str, first: &str, then: Option<String>) -> Outcome {
    let said = Mutex::new(vec![then, Some(first.to_owned())]);
    let origin = Origin::start(move |_| {
        let mut said = said.lock().unwrap();
        if said.len() > 1 { said.pop().flatten() } else { said[0].clone() }
    })
    .await;
    let worker = worker(origin.address, rules);
    read(&worker, "GET /a", &[]).await;
    compare(&worker, &only(&worker).await, Of::L1).await
}

#[tokio::test]
async fn what_the_origin_says_is_told_apart() {
    let lines = ["Cache-Control: max-age=60", "ETag: \"1\""];
    let first = message(200, &lines, "old");
    for (then, expected) in [
        (message(304, &["ETag: \"1\""], ""), Compared::Same),
        (message(200, &lines, "old"), Compared::Same),
        (message(200, &lines, "new"), Compared::Differs(Vec::new())),
        (message(200, &lines, "longer than it was"), Compared::Differs(Vec::new())),
        (message(404, &[], ""), Compared::Gone),
        (message(401, &[], ""), Compared::Skipped(NO_CREDENTIALS)),
        (message(503, &[], ""), Compared::Failed("the origin answered 503".to_owned())),
    ] {
        let outcome = compared(&first, Some(then)).await;
        assert_eq!((outcome.compared, outcome.fresh), (expected, true));
    }
    let coded = message(200, &["Content-Encoding: gzip"], "old");
    assert!(matches!(compared(&first, Some(coded)).await.compared, Compared::Failed(_)));
}

#[tokio::test]
async fn what_left_meanwhile_is_not_called_different() {
    let origin = Origin::start(|_| Some(message(200, &["Cache-Control: max-age=9"], "x"))).await;
    let worker = worker(origin.address, "");
    read(&worker, "GET /a", &[]).await;
    let target = only(&worker).await;
    worker.engine.l1.sweep(&worker.engine.fences, &crate::entry::order::Order::of([Selector::All]));
    let outcome = compare(&worker, &target, Of::L1).await;
    assert!(matches!(outcome.compared, Compared::Skipped(_)));
    assert_eq!(origin.asked("GET /a"), 1);
}

#[tokio::test]
async fn what_counts_is_for_the_rule_to_say() {
    let rules = "[type.doc]\nttl = '60s'\ncompare = ['/estado', '/detalles']\njson_max = '1KiB'\n\
                 [[route]]\nmatch = 'GET /a'\ntype = 'doc'\n";
    let first = message(200, &[], r#"{"estado":"ok","detalles":[1],"at":1}"#);
    let long = format!(r#"{{"estado":"ok","detalles":[1],"at":"{}"}}"#, "x".repeat(500));
    let too_long = format!(r#"{{"estado":"ok","detalles":[1],"at":"{}"}}"#, "x".repeat(2_000));
    let differs =
        |pointers: &[&str]| Compared::Differs(pointers.iter().map(|text| (*text).into()).collect());
    for (body, expected) in [
        (r#"{ "at": 2, "detalles": [1], "estado": "ok" }"#, Compared::Same),
        (&long, Compared::Same),
        (r#"{"estado":"no","detalles":[1],"at":1}"#, differs(&["/estado"])),
        (r#"{"at":1}"#, differs(&["/estado", "/detalles"])),
        // What rules do not read as JSON counts as a whole.
        (&too_long, differs(&[])),
        ("not JSON", differs(&[])),
    ] {
        let outcome = compared_by(rules, &first, Some(message(200, &[], body))).await;
        assert_eq!(outcome.compared, expected, "{body}");
    }
}
