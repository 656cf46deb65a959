//! Who may call what: each call of the router with each role, and with none.

use cistern::admin::calls::{Bound, CALLS, Call};
use cistern::admin::tokens::Role;

use crate::support::cistern::{Cistern, in_front_of};
use crate::support::client::{Ask, ask};
use crate::support::stage::{Stage, message};

/// The calls and the least role of each, as they are meant to be. A call of the router that is not
/// here fails the story, and so does one that is here alone.
const MEANT: [(&str, &str, &str); 36] = [
    ("GET", "/livez", ""),
    ("GET", "/readyz", ""),
    ("GET", "/startupz", ""),
    ("GET", "health", ""),
    ("GET", "openapi.json", ""),
    ("GET", "stats", "read"),
    ("GET", "/metrics", "read"),
    ("GET", "alerts", "read"),
    ("GET", "top", "read"),
    ("GET", "events", "read"),
    ("GET", "keys", "read"),
    ("GET", "entry", "read"),
    ("DELETE", "entry", "purge"),
    ("PUT", "entry", "operate"),
    ("GET", "bypass", "read"),
    ("POST", "bypass", "operate"),
    ("GET", "rules", "read"),
    ("GET", "rules/status", "read"),
    ("GET", "rules/text", "read"),
    ("GET", "rules/history", "read"),
    ("GET", "rules/diff", "read"),
    ("POST", "rules/reload", "operate"),
    ("POST", "rules/rollback", "operate"),
    ("POST", "explain", "read"),
    ("POST", "purge", "purge"),
    ("POST", "undo", "purge"),
    ("POST", "warm", "operate"),
    ("POST", "verify", "operate"),
    ("POST", "sync", "operate"),
    ("GET", "jobs", "read"),
    ("GET", "jobs/{id}", "read"),
    ("DELETE", "jobs/{id}", "operate"),
    ("POST", "jobs/{id}/pause", "operate"),
    ("POST", "jobs/{id}/resume", "operate"),
    ("GET", "audit", "operate"),
    ("GET", "tokens", "admin"),
];

fn asks(node: &Cistern, call: &Call) -> Ask {
    ask(call.method, &call.path()).host(&node.admin())
}

#[test]
fn the_table_of_calls_is_the_one_that_is_meant() {
    let word = |call: &Call| call.least.map_or("", Role::as_str);
    for call in CALLS {
        let meant =
            MEANT.iter().find(|(method, name, _)| (*method, *name) == (call.method, call.name));
        assert_eq!(meant.map(|(.., role)| *role), Some(word(&call)), "{call:?}");
    }
    assert_eq!(CALLS.len(), MEANT.len());
}

#[test]
fn each_role_may_what_it_may_and_nothing_else() {
    let stage = Stage::with(|_| Some(message(200, &[], "x")));
    for role in Role::ALL {
        let (setup, token) = in_front_of(stage.address()).token(role);
        let node = setup.start();
        for call in CALLS {
            let answer = asks(&node, &call).bearer(&token).to(&node.admin());
            let may = call.least.is_none_or(|least| role >= least);
            // What is let through may still be told that it says nothing.
            assert_eq!(
                answer.status != 403,
                may,
                "{call:?} as {}: {}",
                role.as_str(),
                answer.status
            );
            // There is no such text, and no such job.
            let may_lack = call.name == "rules/text" || call.name.starts_with("jobs/{id}");
            assert!(!matches!(answer.status, 401 | 404 | 405) || may_lack, "{call:?}");
            let shown_none = asks(&node, &call).to(&node.admin());
            assert_eq!(shown_none.status == 401, call.least.is_some(), "{call:?} without a token");
            let wrong = asks(&node, &call).bearer("cst_wrong").to(&node.admin());
            assert_eq!(wrong.status == 401, call.least.is_some(), "{call:?} with a wrong one");
        }
        let none = Call { method: "GET", name: "nothing", least: None, bound: Bound::Whole };
        asks(&node, &none).bearer(&token).to(&node.admin()).with_status(404);
    }
}

#[test]
fn without_tokens_only_reading_is_for_everybody() {
    let stage = Stage::with(|_| Some(message(200, &[], "x")));
    let node = in_front_of(stage.address()).start();
    for call in CALLS {
        let answer = asks(&node, &call).to(&node.admin());
        let may = call.least.is_none_or(|least| least == Role::Read);
        assert_eq!(answer.status != 403, may, "{call:?}: {}", answer.status);
    }
}
