use super::*;
use crate::rules::samples::{book, findings};

fn made(defaults: &str, write: &str) -> OnWrite {
    let text = format!("{defaults}\n[[route]]\nname = 'w'\nmatch = 'PUT /a/{{id}}'\n{write}\n");
    book(&text).route_named("w").unwrap().on_write.clone()
}

#[test]
fn a_route_wins_over_the_defaults_and_these_over_what_is_built_in() {
    let plain = made("", "");
    assert_eq!((plain.confirm, plain.wait), (Confirm::Nodes, CONFIRM_WAIT));
    assert_eq!((plain.refresh_wait, plain.settle, plain.store), (REFRESH_WAIT, None, false));
    assert!(!plain.refreshes());
    let defaults = "[defaults]\non_write = { wait = '1s', settle = '2s', refresh_wait = '0s' }";
    let inherited = made(defaults, "on_write.refresh = 'key:a:{id}'");
    assert_eq!((inherited.wait, inherited.settle), (Span::from_secs(1), Some(Span::from_secs(2))));
    assert!(inherited.refreshes() && inherited.refresh_wait == Span::ZERO);
    let own = made(defaults, "on_write = { confirm = 'shared', settle = 'none', store = true }");
    assert_eq!((own.confirm, own.settle, own.store), (Confirm::Shared, None, true));
}

#[test]
fn what_is_out_of_bounds_or_without_effect_is_refused() {
    for (write, code, told) in [
        ("on_write.wait = '31s'", "C003", "write 1ms to 30s"),
        ("on_write.wait = '0s'", "C003", "write 1ms to 30s"),
        ("on_write.settle = '2h'", "C003", "write 1ms to 1h"),
        ("on_write.refresh_wait = '1m'\non_write.refresh = 'key:a'", "C003", "to 30s"),
        ("on_write.confirm = 'all'", "C003", "all"),
        ("on_write = { confirm = 'shared', wait = '1s' }", "C021", "no other node is to confirm"),
        ("on_write.refresh_wait = '1s'", "C021", "nothing is fetched anew"),
        ("on_write = { store = true, purge = 'key:a:{json:/id}' }", "C021", "is not stored"),
        ("on_write.refresh = 'type:nothing'", "C008", "no type is called"),
    ] {
        let all = findings(&format!("[[route]]\nmatch = 'PUT /a/{{id}}'\n{write}\n"));
        let is_told =
            |one: &String| one.starts_with(&format!("error {code}")) && one.contains(told);
        assert!(all.iter().any(is_told), "{write}: {all:?}");
    }
    for field in ["refresh = 'key:a'", "store = true", "confirm = 'local'", "settle = '1s'"] {
        let all = findings(&format!("[[route]]\nmatch = 'GET /a'\non_write.{field}\n"));
        assert!(all.iter().any(|one| one.contains("takes no writes")), "{field}: {all:?}");
    }
}

#[test]
fn fields_of_jobs_are_named_or_refused() {
    let origin = |fields: &str| {
        findings(&format!("[origin.x]\nurl = 'http://a'\njob_headers = {{ {fields} }}\n"))
    };
    let told = |fields: &str, word: &str| origin(fields).iter().any(|one| one.contains(word));
    assert!(!told("Authorization = { file = 'job.token' }, X-Job = 'refresh'", "error"));
    for (fields, word) in [
        ("'a b' = 'x'", "not a field that can be set"),
        ("Host = 'x'", "not a field that can be set"),
        ("Connection = 'x'", "not a field that can be set"),
        ("X-Job = \"a\\nb\"", "not the value of a field"),
        ("X-Job = 1", "expected text or a table"),
        ("X-Job = { path = 'x' }", "`path` is not a field"),
    ] {
        assert!(told(fields, word), "{fields}: {:?}", origin(fields));
    }
}
