//! What a purge undoes beside entries.

use super::*;
use crate::engine::samples::{Origin, message, read, worker};

const RULES: &str = "
[[route]]
name = 'me'
match = 'GET /me/{id}'
key = 'me:{id}'
share = 'identity'
";

/// Whether the answer says that its key was not shareable a moment ago.
async fn lately(worker: &crate::engine::Worker, target: &str, token: &str) -> bool {
    let seen = read(worker, &format!("GET {target}"), &[("authorization", token)]).await;
    seen.account.note == "uncacheable-lately"
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_purged_is_tried_anew_for_every_caller() {
    let origin = Origin::start(|_| Some(message(200, &["Cache-Control: private"], "mine"))).await;
    let worker = worker(origin.address, RULES);
    let callers = ["Bearer a", "Bearer b", "Bearer c"];
    for target in ["/me/1", "/me/12"] {
        for token in callers {
            assert!(!lately(&worker, target, token).await);
            assert!(lately(&worker, target, token).await);
        }
    }
    let order = Order::of([Selector::Key("me:1".into())]);
    carry_out(&worker.engine, &order, "purge", None, false);
    for token in callers {
        assert!(!lately(&worker, "/me/1", token).await, "{token}");
        assert!(lately(&worker, "/me/12", token).await, "{token}");
    }
}
