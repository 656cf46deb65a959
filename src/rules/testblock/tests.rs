use super::*;
use crate::rules::samples::{book, findings};

const RULES: &str = "[ttl]\nshort = '60s'\n[type.t]\nprefix = 't:'\nttl = '@short'\n\
    [[route]]\nname = 'read'\nmatch = 'GET /p/{id}'\ntype = 't'\nkey = 'p:{id}'\n\
    tags = ['p', 'owner:{json:/owner}']\nstatus_ttl = { 404 = '5s' }\nbypass = 'query.fresh'\n\
    [[route]]\nname = 'me'\nmatch = 'GET /me'\nkey = 'me:{identity}'\n\
    [[route]]\nname = 'ask'\nmatch = 'POST /ask'\nkey = 'ask:{req.json:/q}'\n\
    [[route]]\nname = 'write'\nmatch = ['POST /p', 'PUT|DELETE /p/{id}']\n\
    on_write.purge = ['key:t:p:{id|or(json:/id)}', 'tag:p']\n\
    [[route]]\nname = 'plain'\nmatch = 'GET /plain'\nshare = 'never'\n";

fn differences(test: &str) -> Vec<String> {
    let book = book(&format!("{RULES}[[test]]\n{test}\n"));
    let results = run(&book);
    results.iter().flat_map(|result| &result.differences).map(Difference::to_string).collect()
}

#[test]
fn what_is_expected_passes() {
    for test in [
        "request = 'GET /p/7'\nroute = 'read'\nkey = 't:p:7'\nttl = '1m'\nshare = 'auto'\noutcome \
         = 'miss'",
        "request = 'GET /p/7'\nttl = '@short'\ntags = ['p']",
        "request = 'GET /p/7'\nresponse = { body = { owner = 'ana' } }\ntags = ['owner:ana', 'p']",
        "request = 'GET /p/7'\nresponse = { headers = { Surrogate-Key = 'a b' } }\ntags = ['p', \
         'a', 'b']",
        "request = 'GET /p/7'\nresponse.status = 404\nttl = '5s'",
        "request = 'GET /p/7'\nresponse.status = 500\nttl = 'origin'",
        "request = 'GET /p/7?fresh'\noutcome = 'bypass'\nreason = 'bypass-rule'",
        "request = 'GET /p/7?x=1'\nreason = 'query-unnamed'",
        "request = 'GET /p/7'\nbody = 'x'\noutcome = 'bypass'\nreason = 'unkeyed-input'",
        "request = 'GET /p/7'\nheaders = { Cookie = 'sid=1' }\nreason = 'credentials'",
        "request = 'GET /me'\nheaders = { Authorization = 'x' }\nkey = 'me:caller'\noutcome = \
         'miss'",
        "request = 'GET /me'\nreason = 'key-part-missing'",
        "request = 'GET /p/7'\nresponse.status = 500\noutcome = 'miss'\nreason = 'status'",
        "request = 'GET /other'\nresponse.status = 500\nreason = 'status'",
        "request = 'GET /other'\nresponse.status = 200\nreason = 'no-lifetime'",
        "request = 'GET /p/7'\nresponse.headers = { Cache-Control = 'no-store' }\n\
         reason = 'no-store'\noutcome = 'miss'",
        "request = 'GET /p/7'\nresponse.headers = { Set-Cookie = 'a=1' }\nreason = 'set-cookie'",
        "request = 'POST /ask'\nbody = { q = 'why' }\n\
         response.headers = { Cache-Control = 'private' }\nreason = 'private'",
        "request = 'GET /plain'\nheaders = { Authorization = 'x' }\nreason = 'credentials'",
        "request = 'GET http://h:1/plain?a'\nkey = 'http://h:1/plain?a'\noutcome = 'miss'",
        "request = 'POST /ask'\nbody = { q = 'why' }\nkey = 'ask:why'\noutcome = 'miss'",
        "request = 'POST /p'\nresponse = { status = 201, body = { id = 9 } }\n\
         purges = ['tag:p', 'key:t:p:9']\noutcome = 'bypass'\nreason = 'method'",
        "request = 'POST /p'\npurges = ['t:p:*', 'tag:p']",
        "request = 'DELETE /p/7'\nresponse.status = 404\npurges = []",
        "request = 'GET /other'\nroute = 'none'\nkey = 'http://localhost/other'",
        "request = 'PUT /p/7'\npurges = ['pattern:t:p:7', 'tag:p']",
    ] {
        let found = differences(test);
        let expected_pattern = test.contains("pattern:t:p:7");
        assert_eq!(found.is_empty(), !expected_pattern, "{test}: {found:?}");
    }
}

#[test]
fn what_is_not_is_told_with_both_sides() {
    assert_eq!(
        differences("request = 'GET /p/7?x=1'\nroute = 'write'\nkey = 't:p:8'\nttl = 'forever'"),
        [
            "route: expected write, found read",
            "key: expected t:p:8, found no key: query-unnamed x",
            "ttl: expected forever, found 1m",
        ]
    );
    assert_eq!(
        differences("request = 'PUT /p/7'\npurges = ['tag:p', 'tag:q']"),
        ["purges: expected [tag:p, tag:q], found [key:t:p:7, tag:p]"]
    );
}

#[test]
fn a_failure_is_a_finding_at_its_place() {
    let book = book("[[route]]\nmatch = 'GET /a'\n[[test]]\nrequest = 'GET /a'\nroute = 'x'\n");
    let result = run(&book).remove(0);
    let failure = result.failure().unwrap();
    let text = failure.render(false);
    assert!(text.contains("r.toml:5:11") && text.contains("expected x, found GET /a"), "{text}");
    assert!(!result.passed());
}

#[test]
fn tests_that_cannot_run_are_refused() {
    for (test, code) in [
        ("route = 'x'", "C004"),
        ("request = 'GET /a'", "C023"),
        ("request = '/a'\nroute = 'x'", "C023"),
        ("request = 'GET a'\nroute = 'x'", "C023"),
        ("request = 'GET http:///a'\nroute = 'x'", "C023"),
        ("request = 'GET /a b'\nroute = 'x'", "C023"),
        ("request = 'GET /a'\nheaders = { 'a b' = 'x' }\nroute = 'x'", "C023"),
        ("request = 'GET /a'\nheaders = { a = \"x\\ny\" }\nroute = 'x'", "C023"),
        ("request = 'GET /a'\nresponse.status = 42\nroute = 'x'", "C023"),
        ("request = 'GET /a'\nreason = 'private-ish'", "C023"),
        ("request = 'GET /a'\nttl = '@x'", "C008"),
        ("request = 'GET /a'\npurges = ['a b']", "C017"),
        ("request = 'GET /a'\noutcome = 'hit'", "C003"),
        ("request = 'GET /a'\nkeys = []", "C006"),
    ] {
        let all = findings(&format!("[[test]]\n{test}\n"));
        assert!(all.iter().any(|one| one.starts_with(&format!("error {code}"))), "{test}: {all:?}");
    }
}
